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

    bonopay_specific_tax_id = fields.Many2one(
        "account.tax",
        "Specific tax (DGI)",
        compute="_compute_bonopay_specific_tax_id",
        inverse="_inverse_bonopay_specific_tax_id",
        domain="[('bonopay_specific', '!=', False), ('type_tax_use', '=', 'sale')]",
        help="The excise, contribution or fund that this article bears beside VAT (SFE §1.13): one of the sales taxes.",
    )

    def _bonopay_specific_taxes(self):
        """The specific taxes that the current company sells this product with."""
        return self.taxes_id._filter_taxes_by_company(self.env.company)._bonopay_split_taxes()[1]

    @api.depends_context("company")
    @api.depends("taxes_id")
    def _compute_bonopay_specific_tax_id(self):
        for template in self:
            template.bonopay_specific_tax_id = template._bonopay_specific_taxes()[:1]

    def _inverse_bonopay_specific_tax_id(self):
        for template in self:
            template.taxes_id = (
                template.taxes_id - template._bonopay_specific_taxes() | template.bonopay_specific_tax_id
            )

    @api.depends("type")
    def _compute_bonopay_item_type(self):
        for template in self:
            if template.bonopay_item_type != dgi.LEVY_ITEM_TYPE:
                template.bonopay_item_type = "SER" if template.type == "service" else "BIE"
