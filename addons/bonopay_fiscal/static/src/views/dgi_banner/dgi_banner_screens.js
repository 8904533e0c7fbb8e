import { AccountMoveListRenderer } from "@account/views/account_move_list/account_move_list_renderer";
import { DashboardKanbanRenderer } from "@account/views/account_dashboard_kanban/account_dashboard_kanban_renderer";
import { patch } from "@web/core/utils/patch";
import { registry } from "@web/core/registry";
import { ListRenderer } from "@web/views/list/list_renderer";
import { listView } from "@web/views/list/list_view";
import { DgiBanner } from "./dgi_banner";

// The main screens of invoicing: its dashboard and its lists of sales documents. Each search brings another `list`, by
// which a banner learns that its screen was read again.
Object.assign(DashboardKanbanRenderer.components, { DgiBanner });
Object.assign(AccountMoveListRenderer.components, { DgiBanner });

patch(AccountMoveListRenderer.prototype, {
    get showsDgiBanner() {
        const type = this.env.searchModel?.context?.default_move_type ?? "";
        return type.startsWith("out_");
    },
});

/** A list of the fiscal menus, below the urgent alarms. */
export class DgiListRenderer extends ListRenderer {
    static template = "bonopay_fiscal.DgiListRenderer";
    static components = { ...ListRenderer.components, DgiBanner };
}

registry.category("views").add("bonopay_dgi_list", { ...listView, Renderer: DgiListRenderer });
