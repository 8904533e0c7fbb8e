from odoo import api, fields, models

from ..core import dgi


class ProductTemplate(models.Model):
    _inherit = "product.template"

    bonopay_item_type = fields.Selection(
        list(dgi.ITEM_TYPES.items()),
        "Item type (DGI)",
        compute="_compute_bonopay_item_type",
        store=True,
        readonly=False,
        help="Printed on the invoice as [BIE], [SER] or [TAX]. Taxes and levies go with groups L and N only.",
    )

    @api.depends("type")
    def _compute_bonopay_item_type(self):
        for template in self:
            if template.bonopay_item_type != dgi.LEVY_ITEM_TYPE:
                template.bonopay_item_type = "SER" if template.type == "service" else "BIE"
