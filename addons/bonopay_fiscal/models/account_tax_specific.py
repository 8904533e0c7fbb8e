from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..core import arithmetic
from ..core.arithmetic import exact


class AccountTax(models.Model):
    """Specific taxes (SFE §1.13): an amount of the article's own, which bears VAT and is never inside a price.

    Odoo's taxes of a fixed amount are by unit; the law's may also be one amount for the whole line.
    """

    _inherit = "account.tax"

    bonopay_specific = fields.Selection(
        [
            ("amount", "An amount for the line"),
            ("quantity", "An amount per unit"),
            ("percent", "A percentage of the line"),
        ],
        "Specific tax (DGI)",
        tracking=True,
        help="A tax of the article itself, beside the one of a DGI group: excise, contribution, fund (SFE §1.13). It "
        "is shown on the line, increases the base of VAT and comes on top of the price, also where prices include VAT.",
    )

    @api.onchange("bonopay_specific")
    def _onchange_bonopay_specific(self):
        if self.bonopay_specific:
            self.update(self._bonopay_specific_setup(self.bonopay_specific))

    @api.model
    def _bonopay_specific_setup(self, basis):
        """What Odoo has to know of a specific tax: field → value."""
        return {
            "type_tax_use": "sale",
            "amount_type": "percent" if basis == "percent" else "fixed",
            "price_include_override": "tax_excluded",
            "include_base_amount": True,
            "is_base_affected": False,
            "bonopay_group": False,
        }

    @api.constrains(
        "bonopay_specific", "type_tax_use", "amount", "amount_type", "price_include_override", "include_base_amount",
        "is_base_affected", "bonopay_group",
    )  # fmt: skip
    def _check_bonopay_specific(self):
        for tax in self.filtered("bonopay_specific"):
            setup = self._bonopay_specific_setup(tax.bonopay_specific)
            wrong = [name for name, value in setup.items() if tax[name] != value]
            if tax.amount <= 0:
                wrong.append("amount")
            if wrong:
                labels = [field["string"] for field in self.fields_get(wrong, ["string"]).values()]
                raise ValidationError(
                    self.env._(
                        "“%(tax)s” cannot be a specific tax as it is (%(fields)s): one is for sales, above zero, never "
                        "included in the price, increases the base of VAT, and has no DGI group. Choose its kind once "
                        "more on a new tax: that sets it up.",
                        tax=tax.name,
                        fields=", ".join(sorted(labels)),
                    )
                )

    def _bonopay_split_taxes(self):
        """The taxes that a DGI group is for, and the specific ones; groups of taxes count by their parts."""
        taxes = self.flatten_taxes_hierarchy()
        specific = taxes.filtered("bonopay_specific")
        return taxes - specific, specific

    def _bonopay_specific_amount(self, quantity, amount):
        """What a specific tax, or none, comes to on a line (SFE §1.13).

        :param Decimal quantity: as the line has it
        :param Decimal amount: of the line, without this tax; the result has its sign, or that of the quantity where
            the line is given away
        :rtype: Decimal
        """
        if not self:
            return arithmetic.round2(exact(0))
        size = arithmetic.specific_tax_amount(
            self.bonopay_specific, exact(self.amount), abs(arithmetic.round_quantity(quantity)), abs(amount)
        )
        return -size if (amount or quantity) < 0 else size

    def _eval_tax_amount_fixed_amount(self, batch, raw_base, evaluation_context):
        # EXTENDS 'account': wherever the law's arithmetic is not asked for, such as for a price on the product
        if self.bonopay_specific == "amount":
            return -self.amount if raw_base < 0.0 else self.amount
        return super()._eval_tax_amount_fixed_amount(batch, raw_base, evaluation_context)
