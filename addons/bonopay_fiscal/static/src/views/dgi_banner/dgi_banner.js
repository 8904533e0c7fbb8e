import { Component, onMounted, status, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useService } from "@web/core/utils/hooks";

/**
 * The urgent alarms of the DGI above a screen. It never keeps that screen waiting, and stays away when it cannot look.
 */
export class DgiBanner extends Component {
    static template = "bonopay_fiscal.DgiBanner";
    static props = { "*": true };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ alarms: [] });
        onMounted(() => this.load());
    }

    async load() {
        let alarms = [];
        try {
            if (await user.checkAccessRight("bonopay.alarm", "read")) {
                alarms = await this.orm.silent.call("bonopay.outlet", "dgi_banner", []);
            }
        } catch {
            return;
        }
        if (status(this) !== "destroyed") {
            this.state.alarms = alarms;
        }
    }

    /**
     * @param {{outlet_id: number}} alarm
     * @returns {Promise<void>}
     */
    open(alarm) {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "bonopay.outlet",
            res_id: alarm.outlet_id,
            views: [[false, "form"]],
        });
    }
}

registry.category("view_widgets").add("bonopay_dgi_banner", { component: DgiBanner });
