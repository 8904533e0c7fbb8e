import { Component } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { _t } from "@web/core/l10n/translation";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { colorOfState } from "./state_color";

/** Fiscal status of an invoice as a badge that people, style sheets and tests can recognise. */
export class BonopayStateField extends Component {
    static template = "bonopay_fiscal.StateField";
    static props = { ...standardFieldProps };

    get state() {
        return this.props.record.data[this.props.name];
    }

    get label() {
        const options = this.props.record.fields[this.props.name].selection;
        return options.find(([value]) => value === this.state)?.[1] ?? "";
    }

    get badgeClass() {
        return `text-bg-${colorOfState(this.state)}`;
    }
}

export const bonopayStateField = {
    component: BonopayStateField,
    displayName: _t("Fiscal status"),
    supportedTypes: ["selection"],
};

registry.category("fields").add("bonopay_state", bonopayStateField);
