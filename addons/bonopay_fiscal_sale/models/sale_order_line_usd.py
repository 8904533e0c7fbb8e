from odoo import api, models


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    @api.depends("order_id.currency_rate")
    def _compute_amount(self):
        # EXTENDS 'sale': a specific tax is in francs, which are worth other dollars at another rate (SFE §1.13, §1.30)
        return super()._compute_amount()
