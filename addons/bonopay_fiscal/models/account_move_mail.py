from odoo import models


class AccountMove(models.Model):
    _inherit = "account.move"

    def _get_mail_template(self):
        # EXTENDS 'account': an e-mail names what it carries by its legal number. Odoo's own templates stay as they are.
        if self and all(move.bonopay_fiscal_number for move in self):
            return self.env.ref("bonopay_fiscal.email_template_invoice", raise_if_not_found=False) or (
                super()._get_mail_template()
            )
        return super()._get_mail_template()
