from odoo import models
from odoo.exceptions import UserError

from odoo.addons.bonopay_fiscal.core.arithmetic import exact, round2

#: How much of a card's code is written on an invoice: whoever knows the whole code can spend it.
SHOWN_OF_CODE = 4


class SaleOrderLine(models.Model):
    """Gift cards and e-wallets pay an order, where `sale_loyalty` is installed: they lower no price (SFE §1.18).

    Odoo takes their balance when the order is confirmed. What credit notes give back returns to the card.
    """

    _inherit = "sale.order.line"

    def _bonopay_cards(self):
        """Those of these lines that are the use of a gift card or an e-wallet."""
        paying = [line.id for line, reward in self._bonopay_rewards() if reward.program_id.is_payment_program]
        return self.browse(paying)

    def _bonopay_card_account(self):
        """What the merchant owes to the bearers of such cards: the account of what is sold as their use."""
        accounts = self.product_id.with_company(self.company_id).product_tmpl_id.get_product_accounts()
        return accounts["income"]

    def _bonopay_card_reference(self):
        """Kind of the card, and the end of its code."""
        program, code = self.reward_id.program_id, self.coupon_id.code or ""
        return f"{program.name} ••••{code[-SHOWN_OF_CODE:]}" if len(code) > SHOWN_OF_CODE else program.name

    def _bonopay_card_payments(self):
        return self.env["bonopay.payment"].sudo().search([("sale_line_id", "in", self.ids)])

    def _bonopay_card_used(self, but=None):
        """Francs that the invoices of the order took of the card, less what credit notes gave back.

        :param but: an invoice that does not count
        :rtype: Decimal
        """
        used = exact(0)
        for payment in self._bonopay_card_payments():
            if payment.move_id.move_type == "out_refund":
                used -= payment._value().in_francs if payment.move_id.state == "posted" else 0
            elif payment.move_id.state != "cancel" and payment.move_id != but:
                used += payment._value().in_francs
        return used

    def _bonopay_card_left(self, but=None):
        """Francs that the order may still pay with the card: of what was taken from it, and of what it has.

        :rtype: Decimal
        """
        used = self._bonopay_card_used(but)
        balance = self._bonopay_francs_of_points(self.points_cost + self.coupon_id.points)
        return max(min(round2(exact(-self.price_total)), balance) - used, exact(0))

    def _bonopay_francs_of_points(self, points):
        currency, day = self.reward_id.currency_id, self.order_id.date_order
        amount = currency._convert(points * self.reward_id.discount, self.currency_id, self.company_id, day)
        return round2(exact(amount))

    def _bonopay_points_of_francs(self, francs):
        currency, day = self.reward_id.currency_id, self.order_id.date_order
        amount = self.currency_id._convert(float(francs), currency, self.company_id, day)
        return amount / (self.reward_id.discount or 1)

    def _bonopay_move_points(self, francs):
        """Take more of the card for the order, or give so much of it back; core moves the balance with the cost."""
        points = self._bonopay_points_of_francs(francs)
        self.points_cost += points
        self.order_id._update_loyalty_history(self.coupon_id, points)

    def _bonopay_sold_cards(self, products):
        """Those of some products that are sold as gift cards, or fill an e-wallet."""
        if "reward_id" not in self._fields:
            return products.browse()
        kinds = [("program_id.program_type", "in", ("gift_card", "ewallet")), ("product_ids", "in", products.ids)]
        return self.env["loyalty.rule"].sudo().search(kinds).product_ids & products


class SaleOrder(models.Model):
    _inherit = "sale.order"

    def _action_cancel(self):
        # EXTENDS 'sale': core gives the card its balance back, and the invoice that it paid would stay paid
        for card in self.sudo().order_line._bonopay_cards():
            if paid := card._bonopay_card_payments().move_id.filtered(lambda move: move.state == "posted"):
                if card._bonopay_card_used():
                    raise UserError(
                        self.env._(
                            "%(card)s paid for %(invoices)s: give that back with a credit note, then cancel the order.",
                            card=card._bonopay_card_reference(),
                            invoices=", ".join(paid.mapped("name")),
                        )
                    )
        return super()._action_cancel()
