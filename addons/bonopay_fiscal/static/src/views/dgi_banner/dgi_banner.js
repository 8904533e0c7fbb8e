import { Component, onMounted, onWillUpdateProps, status, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { testCompanies } from "../test_badge/test_companies";

/** Milliseconds in which the alarms are asked for once at most. */
const FRESH = 60000;

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
        this.testCompanies = testCompanies()
            .map((company) => company.name)
            .join(", ");
        this.askedAt = 0;
        onMounted(() => this.load());
        onWillUpdateProps(() => {
            // not awaited: the screen goes on
            if (Date.now() - this.askedAt >= FRESH) {
                this.load();
            }
        });
    }

    async load() {
        this.askedAt = Date.now();
        let alarms = [];
        try {
            alarms = await this.orm.silent.call("bonopay.outlet", "dgi_banner", []);
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
