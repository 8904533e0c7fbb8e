from odoo import api, models


class AccountTax(models.Model):
    _inherit = "account.tax"

    @api.model
    def _prepare_down_payment_lines(
        self, base_lines, company, amount_type, amount, computation_key="down_payment", grouping_function=None
    ):
        # EXTENDS 'account': an advance is of what the customer pays himself, and of the articles: a card, which core
        # would state as a line below zero, pays with the final invoice
        cards = company.bonopay_active and self._bonopay_cards_in(base_lines)
        if cards:
            base_lines = [line for line in base_lines if line["record"] not in cards]
            if amount_type == "percent":
                order = cards.order_id
                amount_type, amount = "fixed", order.currency_id.round(order.amount_total * amount / 100)
        return super()._prepare_down_payment_lines(
            base_lines, company, amount_type, amount, computation_key, grouping_function
        )

    @api.model
    def _prepare_base_lines_for_down_payment(self, base_lines, company, exclude_function=None):
        # EXTENDS 'account': a specific tax is of an article sold (SFE §1.13), and only a part of what an advance is of
        def excluded(base_line, tax_data):
            return tax_data["tax"].bonopay_specific or (exclude_function and exclude_function(base_line, tax_data))

        chosen = excluded if company.bonopay_active else exclude_function
        return super()._prepare_base_lines_for_down_payment(base_lines, company, exclude_function=chosen)

    def _bonopay_cards_in(self, base_lines):
        """The lines of orders among these that are the use of a gift card or an e-wallet."""
        lines = self.env["sale.order.line"]
        for base_line in base_lines:
            if getattr(base_line["record"], "_name", None) == lines._name:
                lines |= base_line["record"]
        return lines._bonopay_cards()
