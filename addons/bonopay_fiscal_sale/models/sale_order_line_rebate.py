from odoo import api, models

from odoo.addons.bonopay_fiscal.core import dgi


class SaleOrderLine(models.Model):
    """A rebate (nature RRR) gives back money and takes back no goods: what it is of is invoiced as before."""

    _inherit = "sale.order.line"

    @api.depends("invoice_lines.move_id.bonopay_credit_nature")
    def _compute_qty_invoiced(self):
        return super()._compute_qty_invoiced()

    def _prepare_qty_invoiced(self):
        invoiced = super()._prepare_qty_invoiced()
        for line in self:
            for rebate in line._get_invoice_lines().filtered(lambda invoice_line: invoice_line._bonopay_is_rebate()):
                invoiced[line] += rebate.product_uom_id._compute_quantity(rebate.quantity, line.product_uom_id)
        return invoiced


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    def _bonopay_is_rebate(self):
        move = self.move_id
        is_credit = move.move_type == "out_refund" and move.state != "cancel"
        return is_credit and move.bonopay_credit_nature == dgi.REBATE_NATURE
