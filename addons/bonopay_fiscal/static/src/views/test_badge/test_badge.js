import { Component } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { testCompanies } from "./test_companies";

/** Says on every screen, whatever it shows, that a selected company only tries Bono Pay out. */
export class TestBadge extends Component {
    static template = "bonopay_fiscal.TestBadge";
    static props = {};

    setup() {
        this.action = useService("action");
        this.names = testCompanies()
            .map((company) => company.name)
            .join(", ");
    }

    open() {
        return this.action.doAction("bonopay_fiscal.bonopay_outlet_action");
    }
}

registry
    .category("systray")
    .add(
        "bonopay_fiscal.test_badge",
        { Component: TestBadge, isDisplayed: () => testCompanies().length > 0 },
        { sequence: 100 },
    );
