from odoo import models
from odoo.exceptions import UserError

from .bonopay_seal import CORRECTABLE_STATES


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def button_uninstall(self):
        # EXTENDS base: fiscal documents are conserved (arrêté 034 art. 28), a click may not drop their table
        (self | self.downstream_dependencies())._bonopay_demand_nothing_kept()
        return super().button_uninstall()

    def write(self, vals):
        # EXTENDS base: nor may a state that is written from outside
        if vals.get("state") == "to remove":
            self._bonopay_demand_nothing_kept()
        return super().write(vals)

    def module_uninstall(self):
        # EXTENDS base: nor a call that leaves the button out
        self._bonopay_demand_nothing_kept()
        return super().module_uninstall()

    def _bonopay_demand_nothing_kept(self):
        if "bonopay_fiscal" in self.mapped("name") and self._bonopay_keeps_documents():
            raise UserError(
                self.env._(
                    "This database holds sealed invoices, which the law wants kept: Bono Pay cannot be uninstalled. "
                    "To stop using it, archive the outlets: invoices already sealed stay protected."
                )
            )

    def _bonopay_keeps_documents(self):
        """What still waits counts as well: its seal may be on the way."""
        return bool(self.env["bonopay.seal"].sudo().search_count([("state", "not in", CORRECTABLE_STATES)], limit=1))
