from odoo import models


class SaleOrderLine(models.Model):
    """What a reward of a loyalty program means, where `sale_loyalty` is installed: it is read, not needed."""

    _inherit = "sale.order.line"

    def _bonopay_rewards(self):
        """The reward of each of these lines that is one.

        :rtype: list[tuple[sale.order.line, loyalty.reward]]
        """
        if "reward_id" not in self._fields:
            return []
        return [(line, line.reward_id) for line in self if line.reward_id]

    def _bonopay_rewarded_lines(self):
        """The lines of the order that these rewards reduce; none when they say nothing of it."""
        found = self.browse()
        for line, reward in self._bonopay_rewards():
            order = line.order_id
            if reward.reward_type == "shipping":
                found |= order.order_line.filtered(lambda one: one._is_delivery())
            elif reward.reward_type == "discount":
                found |= order._bonopay_discounted_lines(reward)
        return found - self

    def _bonopay_pays(self):
        """Whether one of these lines is the use of a gift card or an e-wallet."""
        return any(reward.program_id.is_payment_program for _line, reward in self._bonopay_rewards())
