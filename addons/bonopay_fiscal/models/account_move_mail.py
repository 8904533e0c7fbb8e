from odoo import SUPERUSER_ID, models

ODOO_TEMPLATES = ("account.email_template_edi_invoice", "account.email_template_edi_credit_note")


class AccountMove(models.Model):
    _inherit = "account.move"

    def _get_mail_template(self):
        # EXTENDS 'account': an e-mail names what it carries by its legal number and its kind. A text of the merchant's
        # own, be it another template or Odoo's as a person rewrote it, is theirs and goes before ours
        template = super()._get_mail_template()
        if not self or not all(move.bonopay_fiscal_number for move in self):
            return template
        if not self._bonopay_is_untouched(template):
            return template
        kind = "credit_note" if all(move.move_type == "out_refund" for move in self) else "invoice"
        return self.env.ref(f"bonopay_fiscal.email_template_{kind}", raise_if_not_found=False) or template

    def _bonopay_is_untouched(self, template):
        """Whether this is one of Odoo's templates as Odoo ships it: installations and upgrades write as its robot."""
        standard = (self.env.ref(name, raise_if_not_found=False) for name in ODOO_TEMPLATES)
        return template in standard and template.sudo().write_uid.id in (False, SUPERUSER_ID)
