import json

from odoo import models
from odoo.exceptions import UserError

from odoo.addons.bonopay_fiscal.core import credit

#: Nature of the credit note on an advance: annex III tells what was paid from what was not.
PAID_NATURE, UNPAID_NATURE = "RAM", "RAN"


class AccountMove(models.Model):
    """The credit notes that settle advances, drafted beside the final invoice."""

    _inherit = "account.move"

    def _bonopay_demand_settlement(self):
        """Whether these advances can be settled now, unless nobody is there to hear that they cannot.

        :raises UserError: one is not normalised
        """
        if self._bonopay_is_unattended():
            return  # the credit note stays a draft, and somebody is called
        reasons = [reason for advance in self for reason in advance._bonopay_reasons_not_to_settle()]
        if reasons:
            raise UserError("\n".join(reasons))

    def _bonopay_reasons_not_to_settle(self):
        seal = self.sudo().bonopay_seal_id
        if self.state == "draft":
            yield self.env._(
                "The advance of %(amount)s on order %(order)s is a draft: confirm it, or delete it, then create the "
                "final invoice.",
                amount=self.currency_id.format(self.amount_total),
                order=self.invoice_origin or "–",
            )
        elif not seal:
            yield self.env._(
                "Advance %s was invoiced before your sales were sealed, so no credit note can name it. Create the "
                "final invoice without deducting advances, and credit the advance as a rebate (RRR).",
                self.name,
            )
        elif seal.state != "certified" or not seal.dgi_code:
            yield self._bonopay_never_normalised() or self.env._(
                "Advance %s is not normalised yet, and the final invoice goes with a credit note that names its "
                "DEF/DGI code. Wait for it, then create the final invoice.",
                self.name,
            )

    def _bonopay_is_credited(self):
        """Whether credit notes took all of this sale back, also those that know nothing of its order."""
        seal = self._bonopay_live_seals()
        if not seal:
            return False
        sale = json.loads(seal.payload)
        note = self.new({"move_type": "out_refund", "reversed_entry_id": self.id})
        stock = credit.Stock(sale, note._bonopay_earlier_credits())
        return not any(stock.left(item) for item in sale["items"])

    def _bonopay_settle(self, invoices):
        """Draft a credit note on each of these advances.

        :param invoices: the invoices of the whole sales, as far as there are any
        :return: the credit notes
        """
        notes = self.browse()
        for advance in self:
            orders = advance.line_ids.sale_line_ids.order_id
            invoice = invoices.filtered(lambda move, orders=orders: move.line_ids.sale_line_ids.order_id & orders)[:1]
            note = advance._reverse_moves([advance._bonopay_settlement_values(invoice)])
            note._bonopay_propose_what_is_left()
            notes += note
            orders._bonopay_tell_settlement(advance, note, invoice)
        return notes

    def _bonopay_settlement_values(self, invoice):
        """Values of the credit note; without an invoice the advance is given back, and its author says why."""
        values = {
            "bonopay_final_invoice_id": invoice.id,
            "invoice_origin": self.invoice_origin,
            "invoice_user_id": self.invoice_user_id.id,
            "ref": self.env._("Advance %s", self.name),
        }
        if not invoice:
            return values
        paid = self.payment_state in ("paid", "in_payment", "partial")
        words = self.with_context(lang=self._bonopay_legal_language()).env
        return {
            **values,
            "bonopay_credit_nature": PAID_NATURE if paid else UNPAID_NATURE,
            "bonopay_credit_reason": words._("Advance settled by the final invoice"),
        }
