import json
from collections import defaultdict
from decimal import Decimal

from odoo import models
from odoo.exceptions import UserError

from odoo.addons.bonopay_fiscal.core import credit, dgi
from odoo.addons.bonopay_fiscal.core.arithmetic import exact
from odoo.addons.bonopay_fiscal.models.account_move_checks import Fault

#: Nature of the credit note on an advance: annex III tells what was paid from what was not.
PAID_NATURE, UNPAID_NATURE = "RAM", "RAN"
#: What several credit notes leave by rounding is no rest; more than that is not given back twice.
_ROUNDING = 0.05


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
        elif seal and (seal.state != "certified" or not seal.dgi_code):
            yield self._bonopay_never_normalised() or self.env._(
                "Advance %s is not normalised yet, and the final invoice goes with a credit note that names its "
                "DEF/DGI code. Wait for it, then create the final invoice.",
                self.name,
            )

    def _bonopay_is_credited(self):
        """Whether credit notes took all of this sale back, also those that know nothing of its order."""
        seal = self._bonopay_live_seals()
        if not seal:
            return bool(self.reversal_move_ids) and self._bonopay_unsealed_rest() <= _ROUNDING
        sale = json.loads(seal.payload)
        note = self.new({"move_type": "out_refund", "reversed_entry_id": self.id})
        stock = credit.Stock(sale, note._bonopay_earlier_credits())
        return not any(stock.left(item) for item in sale["items"])

    def _bonopay_unsealed_rest(self):
        """What credit notes left of the total of a sale that has no seal."""
        notes = self.reversal_move_ids.filtered(lambda move: move.state == "posted")
        return self.currency_id.round(self.amount_total - sum(notes.mapped("amount_total")))

    def _bonopay_is_rebated(self):
        """Whether posted credit notes, and no drafts, are on a sale that has no seal: one at a lower price takes some
        of its money back, and all of its quantity."""
        return not self._bonopay_live_seals() and set(self.reversal_move_ids.mapped("state")) == {"posted"}

    def _bonopay_take_earlier_off(self):
        """Lower a fresh credit note on an unsealed advance by what earlier ones took of it, tax by tax."""
        earlier, nothing = defaultdict(Decimal), self.env["account.move.line"]
        notes = self.reversed_entry_id.reversal_move_ids.filtered(lambda move: move.state == "posted")
        for line in notes._bonopay_lines():
            earlier[line.tax_ids] += line._bonopay_price_of_all()
        for line in self._bonopay_lines():
            amount = line._bonopay_price_of_all()
            taken = min(amount, earlier[line.tax_ids])
            earlier[line.tax_ids] -= taken
            if taken == amount:
                nothing |= line
            elif taken:
                line.write({"price_unit": float((amount - taken) / exact(line.quantity)), "discount": 0.0})
        nothing.unlink()

    def _bonopay_check_credit(self):
        # EXTENDS 'bonopay_fiscal': what has no seal is counted by nobody else
        yield from super()._bonopay_check_credit()
        advance = self.reversed_entry_id
        if not self.bonopay_final_invoice_id or advance._bonopay_live_seals():
            return
        left = advance._bonopay_unsealed_rest()
        if self.amount_total - left > _ROUNDING:
            yield Fault(
                "settlement.left",
                self,
                self.env._(
                    "Only %(left)s of advance %(advance)s is left: earlier credit notes took the rest back. Lower the "
                    "prices of this credit note to that.",
                    left=advance.currency_id.format(left),
                    advance=advance.name,
                ),
            )

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
            if not advance._bonopay_live_seals():
                note._bonopay_lines().extra_tax_data = False  # core's taxes of a percentage are not the law's
                note._bonopay_take_earlier_off()
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
        words = self.with_context(lang=self._bonopay_legal_language()).env
        if not self._bonopay_live_seals():  # a rebate names no original, which the DGI does not know
            reason = words._("Advance %s, invoiced before sales were normalised", self.name)
            return {**values, "bonopay_credit_nature": dgi.REBATE_NATURE, "bonopay_credit_reason": reason}
        if not invoice:
            return values
        paid = self.payment_state in ("paid", "in_payment", "partial")
        return {
            **values,
            "bonopay_credit_nature": PAID_NATURE if paid else UNPAID_NATURE,
            "bonopay_credit_reason": words._("Advance settled by the final invoice"),
        }


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    def _bonopay_price_of_all(self):
        """What the units of a line cost by their prices: with tax where these have it.

        :rtype: Decimal
        """
        return exact(self.price_unit) * (1 - exact(self.discount or 0.0) / 100) * exact(self.quantity)
