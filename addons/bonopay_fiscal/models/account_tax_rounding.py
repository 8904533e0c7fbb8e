from collections import defaultdict
from decimal import Decimal

from odoo import api, models

from ..core import arithmetic


class AccountTax(models.Model):
    """Odoo computes as the law does, for companies with a fiscal outlet (SFE §1.5).

    The unit price after discount has two decimals, so has the line, and the tax is rounded once per DGI group, which
    may span several Odoo taxes (16 % on goods and 16 % on services are both group B). Everything else stays core's.
    """

    _inherit = "account.tax"

    @api.model
    def _add_tax_details_in_base_line(self, base_line, company, rounding_method=None):
        # EXTENDS 'account'
        if not self._bonopay_follows_law(base_line, company):
            return super()._add_tax_details_in_base_line(base_line, company, rounding_method=rounding_method)
        asked = {key: base_line[key] for key in ("price_unit", "quantity", "discount")}
        amount = self._bonopay_line_amount(base_line)
        base_line.update(price_unit=float(amount), quantity=1.0, discount=0.0)
        try:
            # the tax of the line stays unrounded: it is rounded with its group
            super()._add_tax_details_in_base_line(base_line, company, rounding_method="round_globally")
        finally:
            base_line.update(asked)
        base_line["tax_details"]["bonopay_line_amount"] = amount

    @api.model
    def _bonopay_follows_law(self, base_line, company):
        """Whether a base line is a sale of a fiscal company, in francs, with one tax of a DGI group."""
        taxes = base_line["tax_ids"].flatten_taxes_hierarchy()
        return (
            company.bonopay_active
            and len(taxes) == 1
            and taxes.type_tax_use == "sale"
            and bool(taxes.bonopay_group)
            and taxes.amount_type in ("percent", "division")
            and not taxes.has_negative_factor
            and base_line["currency_id"] == company.currency_id
            and not base_line["special_mode"]
            and not base_line["special_type"]
        )

    @api.model
    def _bonopay_line_amount(self, base_line):
        price = arithmetic.net_unit_price(
            arithmetic.exact(base_line["price_unit"]), arithmetic.exact(base_line["discount"] or 0.0)
        )
        quantity = arithmetic.round_quantity(arithmetic.exact(base_line["quantity"]))
        return arithmetic.line_amount(price, quantity)

    @api.model
    def _bonopay_split(self, base_lines, mode):
        """Base lines that follow the law, and the others."""
        legal = [line for line in base_lines if mode == "mixed" and "bonopay_line_amount" in line["tax_details"]]
        others = [line for line in base_lines if not any(line is one for one in legal)]
        return legal, others

    @api.model
    def _bonopay_groups(self, base_lines):
        """Lines and legal amounts of each DGI group; a group never mixes prices with and without tax."""
        lines_per_group = defaultdict(list)
        for line in base_lines:
            tax = line["tax_ids"].flatten_taxes_hierarchy()
            rate = arithmetic.exact(tax.amount)
            key = (tax.bonopay_group, rate, tax.price_include, line["is_refund"], line["computation_key"])
            lines_per_group[key].append(line)
        for (letter, rate, included, _refund, _key), lines in lines_per_group.items():
            total = sum((line["tax_details"]["bonopay_line_amount"] for line in lines), Decimal(0))
            yield lines, arithmetic.group_amounts(letter, rate, "ttc" if included else "ht", total)

    @api.model
    def _round_tax_details_tax_amounts(self, base_lines, company, mode="mixed"):
        # EXTENDS 'account'
        legal, others = self._bonopay_split(base_lines, mode)
        res = super()._round_tax_details_tax_amounts(others, company, mode=mode)
        for lines, amounts in self._bonopay_groups(legal):
            taxes_data = [tax_data for line in lines for tax_data in line["tax_details"]["taxes_data"]]
            for suffix in ("_currency", ""):
                self._bonopay_reach(company, taxes_data, f"tax_amount{suffix}", amounts.tax)
                self._bonopay_reach(company, taxes_data, f"base_amount{suffix}", amounts.base)
        return res

    @api.model
    def _round_tax_details_base_lines(self, base_lines, company, mode="mixed"):
        # EXTENDS 'account'
        legal, others = self._bonopay_split(base_lines, mode)
        res = super()._round_tax_details_base_lines(others, company, mode=mode)
        for lines, amounts in self._bonopay_groups(legal):
            details = [line["tax_details"] for line in lines]
            for suffix in ("_currency", ""):
                self._bonopay_reach(
                    company, details, f"total_excluded{suffix}", amounts.base, f"delta_total_excluded{suffix}"
                )
                for detail in details:
                    taxes = sum(tax_data[f"tax_amount{suffix}"] for tax_data in detail["taxes_data"])
                    detail[f"total_included{suffix}"] = company.currency_id.round(
                        detail[f"total_excluded{suffix}"] + detail[f"delta_total_excluded{suffix}"] + taxes
                    )
        return res

    @api.model
    def _bonopay_reach(self, company, parts, field, target, delta_field=None):
        """Spread the difference between the sum of the parts and the legal amount, in centimes, over the parts."""
        digits = company.currency_id.decimal_places
        delta = float(target) - sum(part[field] for part in parts)
        factors = [{"factor": part[f"raw_{field}"]} for part in parts]
        for part, centimes in zip(parts, self._distribute_delta_amount_smoothly(digits, delta, factors), strict=True):
            part[delta_field or field] += centimes
