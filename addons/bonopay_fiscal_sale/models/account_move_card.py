from odoo import Command, models

from odoo.addons.bonopay_fiscal.core import dgi, payments
from odoo.addons.bonopay_fiscal.core.arithmetic import exact
from odoo.addons.bonopay_fiscal.core.document import Payment
from odoo.addons.bonopay_fiscal.models.account_move_checks import Fault


class AccountMove(models.Model):
    """What the gift cards and e-wallets of an order pay of its invoices (SFE §1.18: AUTRE).

    A card is a prepaid voucher: what it will buy, and at which tax, is not known when it is sold. The sale is that of
    the goods, at their full price, and the card is a payment like any other.
    """

    _inherit = "account.move"

    def _bonopay_pay_with_cards(self):
        """The lines of these drafts that are the use of a card, as notes: their amounts pay."""
        for move in self.filtered(lambda move: move._bonopay_may_distribute() and not move._bonopay_usd_rate()):
            lines = move._bonopay_lines().filtered(lambda line: line.sale_line_ids.sudo()._bonopay_cards())
            notes = [Command.create(move._bonopay_note(line)) for line in lines]
            if lines:
                move.write({"invoice_line_ids": [*(Command.delete(line.id) for line in lines), *notes]})

    def _bonopay_take_from_cards(self):
        """The payments by card of these drafts, as far as their totals and the cards reach."""
        for move in self.filtered(lambda move: move._bonopay_may_distribute() and not move._bonopay_usd_rate()):
            notes = move.invoice_line_ids.filtered(lambda line: line.display_type == "line_note")
            for note in notes:
                for card in note.sale_line_ids.sudo()._bonopay_cards():
                    move._bonopay_take_from_card(card, note)

    def _bonopay_take_from_card(self, card, note):
        left = card._bonopay_card_left()
        owed = self._bonopay_total_in_francs() - sum(one.in_francs for one in self._bonopay_stated_payments())
        taken = min(left, owed)
        if taken > 0:
            self.env["bonopay.payment"].sudo().create(self._bonopay_card_values(card, taken))
        if taken < left:
            note.sale_line_ids = False  # the order has more of it for its next invoice

    def _bonopay_card_values(self, card, amount):
        return {
            "move_id": self.id,
            "method": payments.OTHER,
            "amount": float(amount),
            "reference": card._bonopay_card_reference(),
            "sale_line_id": card.id,
            "is_given": True,
        }

    # ------------------------------------------------------------------------------------------------------------
    # Given back
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_back_to_cards(self):
        """What this credit note gives back to the cards that paid its sale: what is not owed any more, as long as
        nobody states otherwise.

        :rtype: Iterator[tuple[sale.order.line, Decimal]]
        """
        sale, rows = self.reversed_entry_id.sudo(), self.sudo().bonopay_payment_ids
        if self.move_type != "out_refund" or self.bonopay_credit_nature == dgi.REBATE_NATURE or rows:
            return
        back = self._bonopay_total_in_francs() - exact(sale.amount_residual)
        for card in sale.bonopay_payment_ids.sale_line_id:
            amount = min(self._bonopay_card_limit(card), back)
            if amount > 0:
                back -= amount
                yield card, amount

    def _bonopay_card_limit(self, card):
        """The most that a card can pay of this invoice of its order, or that a credit note can give back.

        :rtype: Decimal
        """
        sale = self.reversed_entry_id.sudo()
        if self.move_type == "out_refund":
            earlier = sale.reversal_move_ids.filtered(lambda move: move.state == "posted" and move != self._origin)
            return sale._bonopay_paid_with(card) - earlier._bonopay_paid_with(card)
        is_of_order = card.order_id in self.sudo().invoice_line_ids.sale_line_ids.order_id
        return card._bonopay_card_left(but=self._origin) if is_of_order and card._bonopay_cards() else exact(0)

    def _bonopay_paid_with(self, card):
        rows = self.sudo().bonopay_payment_ids.filtered(lambda payment: payment.sale_line_id == card)
        return sum((row._value().in_francs for row in rows), exact(0))

    def _bonopay_proposed_payments(self):
        # EXTENDS 'bonopay_fiscal'
        for card, amount in self._bonopay_back_to_cards():
            yield Payment(payments.OTHER, amount, card._bonopay_card_reference())
        yield from super()._bonopay_proposed_payments()

    # ------------------------------------------------------------------------------------------------------------
    # The rules
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_payment_faults(self, payment):
        # EXTENDS 'bonopay_fiscal'
        yield from super()._bonopay_payment_faults(payment)
        card = payment.sale_line_id.sudo()
        if not card:
            return
        yield from self._bonopay_card_account_faults(card.product_id, card._bonopay_card_account())
        limit = self._bonopay_card_limit(card)
        if self._bonopay_paid_with(card) > limit:
            yield Fault(
                "card.balance",
                self,
                self.env._(
                    "%(card)s can pay, or get back, no more than %(limit)s CDF on this document: lower the payment, "
                    "and settle the rest by other means.",
                    card=payment.reference or card.display_name,
                    limit=limit,
                ),
            )

    def _bonopay_card_account_faults(self, product, account):
        if account.internal_group != "liability":
            yield Fault(
                "card.account",
                product,
                self.env._(
                    "What the bearers of cards may still buy is a debt, and “%(product)s” has account %(account)s. "
                    "Choose a liability as its income account, such as 4191, the same for the sale and the use of "
                    "cards.",
                    product=product.display_name,
                    account=account.display_name or "–",
                ),
            )

    def _bonopay_check_lines(self):
        # EXTENDS 'bonopay_fiscal': a card that is sold is no sale of goods yet
        yield from super()._bonopay_check_lines()
        if self.move_type == "out_refund":
            return
        lines = self._bonopay_lines()
        sold = self.env["sale.order.line"]._bonopay_sold_cards(lines.product_id)
        for line in lines.filtered(lambda line: line.product_id in sold):
            yield from self._bonopay_card_account_faults(line.product_id, line.account_id)
            taxes = line.tax_ids._bonopay_split_taxes()[0]
            if set(taxes.mapped("bonopay_group")) & dgi.VAT_GROUPS:
                yield Fault(
                    "card.tax",
                    line,
                    self.env._(
                        "“%s” is money held for its bearer: VAT is due on what it buys, when it is used. Choose the "
                        "tax of DGI group I (guarantees and deposits) for it.",
                        line.product_id.display_name,
                    ),
                )
