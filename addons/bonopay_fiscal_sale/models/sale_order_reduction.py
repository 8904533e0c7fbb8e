from odoo import models


class SaleOrder(models.Model):
    _inherit = "sale.order"

    def _create_account_invoices(self, invoice_vals_list, final):
        # EXTENDS 'sale': a reduction of the order lowers the prices of its invoice (SFE §1.22)
        moves = super()._create_account_invoices(invoice_vals_list, final)
        moves._bonopay_resell()
        moves._bonopay_distribute_reductions()
        moves._bonopay_compare_with_orders()
        return moves

    def _bonopay_discounted_lines(self, reward):
        """The lines that a discount of a loyalty program is reckoned from."""
        if reward.discount_applicability == "specific":
            return self._get_specific_discountable_lines(reward)
        if reward.discount_applicability == "cheapest":
            return self._cheapest_line(reward) or self.order_line.browse()
        return self.order_line - self._get_no_effect_on_threshold_lines()
