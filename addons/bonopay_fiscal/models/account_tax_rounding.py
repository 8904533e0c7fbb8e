from collections import defaultdict
from decimal import Decimal

from odoo import api, models

from ..core import arithmetic
from ..core.arithmetic import exact

#: Amounts that Odoo has worked out ahead for a line, such as that of an advance. The law's arithmetic knows none.
_WORKED_OUT = (
    "computation_key", "manual_total_excluded_currency", "manual_total_excluded", "manual_tax_amounts",
)  # fmt: skip
_SUFFIXES = ("_currency", "")


class AccountTax(models.Model):
    """Odoo computes as the law does, for companies with a fiscal outlet (SFE §1.5).

    The unit price after discount has two decimals, so has the line, and the tax is rounded once per DGI group, which
    may span several Odoo taxes (16 % on goods and 16 % on services are both group B). A specific tax of a line is one
    more tax to Odoo; to the law it is part of the base. Everything else stays core's.
    """

    _inherit = "account.tax"

    @api.model
    def _add_tax_details_in_base_line(self, base_line, company, rounding_method=None):
        # EXTENDS 'account'
        legal = self._bonopay_legal_taxes(base_line, company)
        if not legal:
            return super()._add_tax_details_in_base_line(base_line, company, rounding_method=rounding_method)
        group_tax, specific_tax = legal
        self._bonopay_forget_worked_out(base_line)
        asked = {key: base_line[key] for key in ("price_unit", "quantity", "discount", "filter_tax_function")}
        amount = self._bonopay_line_amount(base_line)
        specific = specific_tax._bonopay_specific_amount(exact(base_line["quantity"]), amount)
        base_line.update(
            price_unit=float(amount), quantity=1.0, discount=0.0, filter_tax_function=lambda tax: tax == group_tax
        )
        try:
            # the tax of the line stays unrounded: it is rounded with its group
            super()._add_tax_details_in_base_line(base_line, company, rounding_method="round_globally")
        finally:
            base_line.update(asked)
        base_line["tax_details"].update(bonopay_line_amount=amount, bonopay_specific_amount=specific)
        if specific_tax:
            self._bonopay_add_specific_tax(base_line, specific_tax, float(specific))

    @api.model
    def _bonopay_legal_taxes(self, base_line, company):
        """The tax of a DGI group of a base line that follows the law, and its specific tax or none; else ``None``.

        Such a line is a sale of a fiscal company, in francs.
        """
        if (
            not company.bonopay_active
            or base_line["currency_id"] != company.currency_id
            or any(base_line[key] for key in ("special_mode", "special_type", "filter_tax_function"))
        ):
            return None
        group_tax, specific_tax = base_line["tax_ids"]._bonopay_split_taxes()
        if len(group_tax) != 1 or len(specific_tax) > 1:
            return None
        return (group_tax, specific_tax) if group_tax._bonopay_is_legal() else None

    def _bonopay_is_legal(self):
        """Whether a tax is one that the law's arithmetic is for."""
        return (
            self.type_tax_use == "sale"
            and bool(self.bonopay_group)
            and self.amount_type in ("percent", "division")
            and not self.has_negative_factor
        )

    @api.model
    def _bonopay_forget_worked_out(self, base_line):
        """An invoice line is taxed by its own price, whatever was worked out for it when it was made."""
        line = base_line["record"]
        if isinstance(line, models.Model) and line._name == "account.move.line" and line.extra_tax_data:
            if base_line["price_unit"] == line.extra_tax_data.get("price_unit"):
                base_line["price_unit"] = line.price_unit
            base_line.update(dict.fromkeys(_WORKED_OUT))

    @api.model
    def _bonopay_line_amount(self, base_line):
        quantity = arithmetic.round_quantity(exact(base_line["quantity"]))
        return arithmetic.line_amount(self._bonopay_net_price(base_line), quantity)

    @api.model
    def _bonopay_net_price(self, base_line):
        """The unit price that a line is sold at. Hook, beside `account.move._bonopay_line_price`.

        :rtype: Decimal
        """
        return arithmetic.net_unit_price(exact(base_line["price_unit"]), exact(base_line["discount"] or 0.0))

    @api.model
    def _bonopay_add_specific_tax(self, base_line, tax, specific):
        """Put a specific tax before the tax of the group, which it is part of the base of (SFE §1.5.10)."""
        details = base_line["tax_details"]
        (of_group,) = details["taxes_data"]
        group_tax = of_group["tax"]
        of_specific = {
            **of_group,
            "tax": tax,
            "taxes": group_tax if group_tax.is_base_affected else self.browse(),
            "group": base_line["tax_ids"]._flatten_taxes_and_sort_them()[1].get(tax.id) or self.browse(),
            "batch": tax,
            "price_include": False,
            "tax_amount": specific,
        }
        vat = specific * group_tax.amount / 100.0
        for suffix, share in zip(_SUFFIXES, (1.0, 1.0 / (base_line["rate"] or 1.0)), strict=True):
            of_specific[f"raw_tax_amount{suffix}"] = specific * share
            of_group[f"raw_base_amount{suffix}"] += specific * share
            of_group[f"raw_tax_amount{suffix}"] += vat * share
            details[f"raw_total_included{suffix}"] += (specific + vat) * share
        of_group["base_amount"] += specific
        of_group["tax_amount"] += vat
        details["taxes_data"] = [of_specific, of_group]

    # ------------------------------------------------------------------------------------------------------------
    # Rounding, once per group
    # ------------------------------------------------------------------------------------------------------------

    @api.model
    def _bonopay_split(self, base_lines, mode):
        """Base lines that follow the law, and the others."""
        legal = [line for line in base_lines if mode == "mixed" and "bonopay_line_amount" in line["tax_details"]]
        others = [line for line in base_lines if not any(line is one for one in legal)]
        return legal, others

    @api.model
    def _bonopay_per_group(self, base_lines):
        """Letter, rate and price mode of each DGI group, and its lines; one never mixes prices with and without tax."""
        lines_per_group = defaultdict(list)
        for line in base_lines:
            tax = line["tax_ids"]._bonopay_split_taxes()[0]
            lines_per_group[tax.bonopay_group, exact(tax.amount), tax.price_include, line["is_refund"]].append(line)
        for (letter, rate, included, _refund), lines in lines_per_group.items():
            yield (letter, rate, "ttc" if included else "ht"), lines

    @api.model
    def _bonopay_groups(self, base_lines):
        """Lines, legal amounts and specific taxes of each DGI group."""
        for (letter, rate, price_mode), lines in self._bonopay_per_group(base_lines):
            total, specific = (
                sum((line["tax_details"][f"bonopay_{name}_amount"] for line in lines), Decimal(0))
                for name in ("line", "specific")
            )
            amounts = arithmetic.group_amounts(letter, rate, price_mode, total, specific)
            yield lines, amounts, specific

    @api.model
    def _round_tax_details_tax_amounts(self, base_lines, company, mode="mixed"):
        # EXTENDS 'account': a specific tax is in centimes as it is
        legal, others = self._bonopay_split(base_lines, mode)
        res = super()._round_tax_details_tax_amounts(others, company, mode=mode)
        for lines, amounts, _specific in self._bonopay_groups(legal):
            taxes_data = [
                tax_data
                for line in lines
                for tax_data in line["tax_details"]["taxes_data"]
                if not tax_data["tax"].bonopay_specific
            ]
            for suffix in _SUFFIXES:
                self._bonopay_reach(company, taxes_data, f"tax_amount{suffix}", amounts.tax)
                self._bonopay_reach(company, taxes_data, f"base_amount{suffix}", amounts.base)
        return res

    @api.model
    def _round_tax_details_base_lines(self, base_lines, company, mode="mixed"):
        # EXTENDS 'account'
        legal, others = self._bonopay_split(base_lines, mode)
        res = super()._round_tax_details_base_lines(others, company, mode=mode)
        for lines, amounts, specific in self._bonopay_groups(legal):
            details = [line["tax_details"] for line in lines]
            for suffix in _SUFFIXES:
                name = f"total_excluded{suffix}"
                self._bonopay_reach(company, details, name, amounts.base - specific, f"delta_{name}")
                for detail in details:
                    taxes = sum(tax_data[f"tax_amount{suffix}"] for tax_data in detail["taxes_data"])
                    detail[f"total_included{suffix}"] = company.currency_id.round(
                        detail[name] + detail[f"delta_{name}"] + taxes
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
