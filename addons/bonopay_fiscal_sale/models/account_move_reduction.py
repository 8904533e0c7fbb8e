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

    def _post(self, soft=True):
        # EXTENDS 'account'
        posted = super()._post(soft)
        posted._bonopay_keep_reductions_of_orders()
        return posted

    def _bonopay_keep_reductions_of_orders(self):
        """A reduction stays invoiced until nothing is left of its sale: each credit note repeats its whole note, and
        the order would give it once more."""
        for move in self.filtered(lambda move: move.move_type == "out_refund" and move.bonopay_required):
            notes = move.invoice_line_ids.filtered(lambda line: line.display_type == "line_note")
            if notes.sale_line_ids and not move.reversed_entry_id._bonopay_is_given_up():
                notes.sale_line_ids = False

    def _bonopay_is_given_up(self):
        """Whether credit notes took all of this sale back, and nothing of its articles is invoiced any more: what was
        sold again bears its share of the reductions already."""
        ordered = self._bonopay_lines().sale_line_ids.sudo()
        return self._bonopay_is_credited() and not any(line.qty_invoiced > 0 for line in ordered)

    def _bonopay_compare_with_orders(self):
        """Tell where the law's rounding leaves no way to the total that an order shows, or an invoice of whole orders
        comes to something else for any other reason."""
        for move in self.filtered(lambda move: move._bonopay_may_distribute()):
            orders = move.line_ids.sale_line_ids.order_id
            agreed = sum(orders.mapped("amount_total"))
            difference = round(abs(agreed - move.amount_total), 2)
            values = {
                "now": move.currency_id.format(move.amount_total),
                "agreed": move.currency_id.format(agreed),
            }
            if 0 < difference <= _ROUNDING:
                body = move.env._("The law's rounding gives a total of %(now)s; the order said %(agreed)s.", **values)
                move.message_post(body=body)
            elif difference and move._bonopay_has_whole(orders):
                body = move.env._(
                    "This invoice comes to %(now)s; the order said %(agreed)s. Compare their lines before you confirm.",
                    **values,
                )
                move.message_post(body=body)

    def _bonopay_has_whole(self, orders):
        """Whether this invoice has all of these orders, in their currency."""
        lines = orders.order_line.filtered(lambda line: not line.display_type and not line.is_downpayment)
        return orders.currency_id == self.currency_id and all(
            line.invoice_lines.move_id == self and line.qty_invoiced == line.product_uom_qty for line in lines
        )
