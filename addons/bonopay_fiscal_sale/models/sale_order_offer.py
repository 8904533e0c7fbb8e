from odoo import models


class SaleOrder(models.Model):
    _inherit = "sale.order"

    def _find_mail_template(self):
        # EXTENDS 'sale': Odoo's own speaks of an invoice
        if self.env.context.get("proforma") and self.company_id.bonopay_active:
            offer = self.env.ref("bonopay_fiscal_sale.email_template_offer", raise_if_not_found=False)
            return offer or super()._find_mail_template()
        return super()._find_mail_template()
