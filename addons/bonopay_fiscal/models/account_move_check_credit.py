from odoo import models

from ..core import dgi
from .account_move_checks import Fault


class AccountMove(models.Model):
    """What the law wants of a credit note (SFE §1.25–28)."""

    _inherit = "account.move"

    def _bonopay_check_credit(self):
        if self.move_type != "out_refund":
            return
        original = self.reversed_entry_id
        if not self.bonopay_credit_nature:
            yield Fault(
                "credit.nature",
                self,
                self.env._(
                    "State the nature of the credit note: correction, cancellation, return or rebate (COR, RAN, RAM, "
                    "RRR)."
                ),
            )
        elif self.bonopay_credit_nature == dgi.REBATE_NATURE:
            return
        elif not original:
            yield Fault(
                "credit.original",
                self,
                self.env._(
                    "A credit note names the invoice that it corrects: open that invoice and press “Credit note”. Only "
                    "a rebate (RRR) has no original."
                ),
            )
        elif not self._bonopay_is_of_same_sale(original):
            yield Fault(
                "credit.other_sale",
                original,
                self.env._(
                    "%s is no invoice of this customer: a credit note corrects an invoice of the same customer and "
                    "company, never a credit note.",
                    original.name,
                ),
            )
        elif (seal := original._bonopay_live_seals()).state != "certified" or not seal.dgi_code:
            yield Fault(
                "credit.not_certified",
                original,
                self.env._(
                    "Original invoice %s is not normalised yet: wait for its DEF/DGI code, then post the credit note.",
                    original.name,
                ),
            )

    def _bonopay_is_of_same_sale(self, original):
        return (
            original.move_type in ("out_invoice", "out_receipt")
            and original.partner_id.commercial_partner_id == self.partner_id.commercial_partner_id
            and original.company_id == self.company_id
        )
