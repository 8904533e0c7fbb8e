from odoo import models

#: A larger difference than by rounding means that an order is invoiced in parts.
_ROUNDING = 0.05


class AccountMove(models.Model):
    """Which lines of an order's invoice are reductions, and of what."""

    _inherit = "account.move"

    def _bonopay_is_reduction(self, line):
        # EXTENDS 'bonopay_fiscal': an advance that is deducted is none
        return not line.is_downpayment and super()._bonopay_is_reduction(line)

    def _bonopay_may_be_free(self, line):
        # EXTENDS 'bonopay_fiscal': what is not charged for a delivery is no sale
        ordered = line.sale_line_ids.sudo()
        return (ordered and all(one._is_delivery() for one in ordered)) or super()._bonopay_may_be_free(line)

    def _bonopay_reduced_lines(self, line, articles):
        # EXTENDS 'bonopay_fiscal': a reward knows its articles, any other reduction its order
        ordered = line.sale_line_ids.sudo()
        for meant in (ordered._bonopay_rewarded_lines(), ordered.order_id.order_line):
            if chosen := articles.filtered(lambda article, meant=meant: article.sale_line_ids & meant):
                return chosen
        return super()._bonopay_reduced_lines(line, articles)

    def _bonopay_reduction_refusal(self, line):
        # EXTENDS 'bonopay_fiscal'
        if line.sale_line_ids.sudo()._bonopay_pays():
            return self.env._(
                "a gift card or an e-wallet is a means of payment, and lowers no price. Take it off the invoice, and "
                "enter it as a payment."
            )
        return super()._bonopay_reduction_refusal(line)

    def _bonopay_compare_with_orders(self):
        """Tell where the law's rounding leaves no way to the total that an order shows."""
        for move in self.filtered(lambda move: move._bonopay_may_distribute()):
            agreed = sum(move.line_ids.sale_line_ids.order_id.mapped("amount_total"))
            if 0 < round(abs(agreed - move.amount_total), 2) <= _ROUNDING:
                words = move.env._(
                    "The law's rounding gives a total of %(now)s; the order said %(agreed)s.",
                    now=move.currency_id.format(move.amount_total),
                    agreed=move.currency_id.format(agreed),
                )
                move.message_post(body=words)
