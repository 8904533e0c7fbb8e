from odoo import fields, models


class BonopayPayment(models.Model):
    _inherit = "bonopay.payment"

    sale_line_id = fields.Many2one(
        "sale.order.line",
        "Card of the order",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="The gift card or e-wallet that pays, as the order has it.",
    )
