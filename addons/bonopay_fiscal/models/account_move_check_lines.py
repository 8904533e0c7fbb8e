from decimal import Decimal

from odoo import models

from ..core import dgi, payload
from ..core.arithmetic import exact, line_amount, round2, round_quantity
from .account_move_checks import Fault

#: How much of a price the rounding of the unit price to centimes (SFE §1.5.2) may take or add unasked.
ROUNDING_TOLERANCE = Decimal("0.01")


class AccountMove(models.Model):
    """What the law wants of each article line (SFE §1.12, §1.16, §1.21, §1.22, annex II)."""

    _inherit = "account.move"

    def _bonopay_check_lines(self):
        lines = self._bonopay_lines()
        if not lines:
            yield Fault("lines.none", self, self.env._("The document has no article. Add at least one line."))
        for number, line in enumerate(lines, start=1):
            for code, message in self._bonopay_line_faults(line):
                label = payload.clean_text(line.name) or line.product_id.display_name or "–"
                prefix = self.env._("Line %(number)s (%(label)s): ", number=number, label=label[:40])
                yield Fault(code, line, prefix + message)
        if len(self._bonopay_price_modes()) > 1:
            yield Fault(
                "price_mode",
                self,
                self.env._(
                    "Some lines have prices with tax and others without. Use one kind of tax for the whole document."
                ),
            )

    def _bonopay_line_faults(self, line):
        checks = (
            self._bonopay_tax_faults,
            self._bonopay_specific_tax_faults,
            self._bonopay_price_faults,
            self._bonopay_item_faults,
        )
        return [fault for check in checks for fault in check(line)]

    def _bonopay_tax_faults(self, line):
        taxes, specific = line.tax_ids._bonopay_split_taxes()
        if len(taxes) != 1:
            yield "tax.one", self.env._("choose exactly one tax of a DGI group; it has %s.", len(taxes))
        elif len(specific) > 1:
            yield "tax.one_specific", self.env._("choose at most one specific tax; it has %s.", len(specific))
        elif not taxes.bonopay_group:
            yield (
                "tax.group",
                self.env._("tax “%s” has no DGI group. Choose another tax, or set its group.", taxes.name),
            )
        elif taxes.amount_type not in ("percent", "division"):
            yield "tax.kind", self.env._("tax “%s” is not a percentage of the price. Choose another tax.", taxes.name)
        elif fault := taxes._bonopay_rate_fault():
            yield "tax.rate_of_the_day", fault

    def _bonopay_specific_tax_faults(self, line):
        """SFE §1.13–14: a specific tax is of an article sold, never of a levy, and is never zero."""
        taxes, specific = line.tax_ids._bonopay_split_taxes()
        if len(taxes) != 1 or len(specific) != 1:
            return
        if self._bonopay_item_type(line) == dgi.LEVY_ITEM_TYPE:
            yield (
                "tax.specific_levy",
                self.env._("a levy bears no specific tax. Remove “%s” from the line.", specific.name),
            )
        elif not specific._bonopay_specific_amount(exact(line.quantity), self._bonopay_line(line).amount):
            yield (
                "tax.specific_zero",
                self.env._(
                    "specific tax “%s” comes to zero. Raise the quantity or the price, or remove it.", specific.name
                ),
            )

    def _bonopay_price_faults(self, line):
        quantity, price = exact(line.quantity), self._bonopay_in_francs(line.price_unit)
        net = self._bonopay_line_price(line).net
        if round_quantity(quantity) <= 0:
            yield (
                "line.quantity",
                self.env._(
                    "the quantity must be above zero; goods taken back and advances to deduct are credit notes."
                ),
            )
        elif quantity != round_quantity(quantity):
            yield "line.quantity_decimals", self.env._("the quantity has more than three decimals.")
        elif net <= 0:
            yield (
                "line.price",
                self.env._(
                    "the unit price must be above zero; a gift or a deduction is a discount or a "
                    "credit note, not a line."
                ),
            )
        elif line_amount(net, round_quantity(quantity)) <= 0:
            yield "line.amount", self.env._("the amount is rounded to zero. Raise the quantity or the price.")
        else:
            yield from self._bonopay_rounding_faults(price * (1 - exact(line.discount or 0.0) / 100))

    def _bonopay_rounding_faults(self, price):
        """The law's unit price is in centimes: what is sold for a few of them each may not get dearer by it."""
        if abs(round2(price) - price) > price * ROUNDING_TOLERANCE:
            yield (
                "line.price_decimals",
                self.env._(
                    "the unit price, %(price)s, would be rounded to %(rounded)s: sell in a larger unit, such as the "
                    "hundred.",
                    price=f"{price:f}",
                    rounded=round2(price),
                ),
            )

    def _bonopay_item_faults(self, line):
        group = line.tax_ids._bonopay_split_taxes()[0][:1].bonopay_group
        item_type = self._bonopay_item_type(line)
        if not self._bonopay_item_name(line):
            yield "item.name", self.env._("the description is missing.")
        if not item_type:
            yield (
                "item.type",
                self.env._("product “%s” has no item type (BIE, SER or TAX).", line.product_id.display_name),
            )
        elif group and (item_type == dgi.LEVY_ITEM_TYPE) != (group in dgi.LEVY_GROUPS):
            yield (
                "item.type_group",
                self.env._(
                    "type %(type)s does not go with tax group %(group)s: TAX is for groups L and N, and for no other. "
                    "Correct the item type of the product, or its tax.",
                    type=item_type,
                    group=group,
                ),
            )
