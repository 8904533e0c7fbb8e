from odoo import models
from odoo.exceptions import UserError


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def button_uninstall(self):
        # EXTENDS base: fiscal documents are conserved (arrêté 034 art. 28), a click may not drop their table
        modules = self | self.downstream_dependencies()
        if "bonopay_fiscal" in modules.mapped("name") and self._bonopay_has_sealed():
            raise UserError(
                self.env._(
                    "This database holds sealed invoices, which the law wants kept: Bono Pay cannot be uninstalled. "
                    "To stop using it, archive the outlets: invoices already sealed stay protected."
                )
            )
        return super().button_uninstall()

    def _bonopay_has_sealed(self):
        return bool(self.env["bonopay.seal"].sudo().search_count([("fiscal_number", "!=", False)], limit=1))
