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
    more tax to Odoo; to the law it is part of the base. All of it is in francs; the amounts in the currency of the
    document are what the francs are worth. Everything else stays core's.
    """

    _inherit = "account.tax"

    @api.model
    def _add_tax_details_in_base_line(self, base_line, company, rounding_method=None):
        # EXTENDS 'account'
        legal = self._bonopay_legal_taxes(base_line, company)
        if not legal:
            return super()._add_tax_details_in_base_line(base_line, company, rounding_method=rounding_method)
        group_tax, specific_tax, worth = legal
        self._bonopay_forget_worked_out(base_line)
        asked = {key: base_line[key] for key in ("price_unit", "quantity", "discount", "rate", "filter_tax_function")}
        amount = self._bonopay_line_amount({**base_line, "price_unit": exact(base_line["price_unit"]) * worth})
        specific = specific_tax._bonopay_specific_amount(exact(base_line["quantity"]), amount)
        base_line.update(
            price_unit=float(amount / worth),
            quantity=1.0,
            discount=0.0,
            rate=float(1 / worth),
            filter_tax_function=lambda tax: tax == group_tax,
        )
        try:
            # the tax of the line stays unrounded: it is rounded with its group
            super()._add_tax_details_in_base_line(base_line, company, rounding_method="round_globally")
        finally:
            base_line.update(asked)
        base_line["tax_details"].update(
            bonopay_line_amount=amount, bonopay_specific_amount=specific, bonopay_worth=worth
        )
        if specific_tax:
            self._bonopay_add_specific_tax(base_line, specific_tax, float(specific))

    @api.model
    def _bonopay_legal_taxes(self, base_line, company):
        """What the law reckons a base line with; ``None`` for one that is no sale of a fiscal company in its currency
        or in dollars.

        :return: the tax of its DGI group, its specific tax or none, and francs for one unit of its currency
        """
        if not company.bonopay_active or any(
            base_line[key] for key in ("special_mode", "special_type", "filter_tax_function")
        ):
            return None
        group_tax, specific_tax = base_line["tax_ids"]._bonopay_split_taxes()
        if len(group_tax) != 1 or len(specific_tax) > 1 or not group_tax._bonopay_is_legal():
            return None
        worth = self._bonopay_worth(base_line, company, specific_tax)
        return worth and (group_tax, specific_tax, worth)

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
        """Put a specific tax, so many francs, before the tax of the group, whose base it is part of (SFE §1.5.10)."""
        details = base_line["tax_details"]
        in_currency = specific / float(details["bonopay_worth"])
        (of_group,) = details["taxes_data"]
        group_tax = of_group["tax"]
        of_specific = {
            **of_group,
            "tax": tax,
            "taxes": group_tax if group_tax.is_base_affected else self.browse(),
            "group": base_line["tax_ids"]._flatten_taxes_and_sort_them()[1].get(tax.id) or self.browse(),
            "batch": tax,
            "price_include": False,
            "tax_amount": in_currency,
        }
        rate = group_tax.amount / 100.0
        for suffix, amount in zip(_SUFFIXES, (in_currency, specific), strict=True):
            of_specific[f"raw_tax_amount{suffix}"] = amount
            of_group[f"raw_base_amount{suffix}"] += amount
            of_group[f"raw_tax_amount{suffix}"] += amount * rate
            details[f"raw_total_included{suffix}"] += amount * (1 + rate)
        of_group["base_amount"] += in_currency
        of_group["tax_amount"] += in_currency * rate
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
        """Lines of each DGI group, and its legal amounts by the suffix of Odoo's names for them.

        :rtype: Iterator[tuple[list, dict[str, core.arithmetic.Shares]]]
        """
        documents = defaultdict(list)
        for line in base_lines:
            documents[line["tax_details"]["bonopay_worth"], line["is_refund"]].append(line)
        for (worth, _refund), of_document in documents.items():
            groups = list(self._bonopay_per_group(of_document))
            legal = [self._bonopay_group_amounts(*group) for group in groups]
            in_francs, in_currency = (arithmetic.in_currency(legal, rate) for rate in (Decimal(1), worth))
            for (_key, lines), *shares in zip(groups, in_currency, in_francs, strict=True):
                yield lines, dict(zip(_SUFFIXES, shares, strict=True))

    @api.model
    def _bonopay_group_amounts(self, key, lines):
        """Price mode, legal amounts and specific taxes of a DGI group, in francs."""
        letter, rate, price_mode = key
        total, specific = (
            sum((line["tax_details"][f"bonopay_{name}_amount"] for line in lines), Decimal(0))
            for name in ("line", "specific")
        )
        return price_mode, arithmetic.group_amounts(letter, rate, price_mode, total, specific), specific

    @api.model
    def _round_tax_details_tax_amounts(self, base_lines, company, mode="mixed"):
        # EXTENDS 'account'
        legal, others = self._bonopay_split(base_lines, mode)
        res = super()._round_tax_details_tax_amounts(others, company, mode=mode)
        for lines, shares in self._bonopay_groups(legal):
            taxes_data = [tax_data for line in lines for tax_data in line["tax_details"]["taxes_data"]]
            of_group = [tax_data for tax_data in taxes_data if not tax_data["tax"].bonopay_specific]
            of_articles = [tax_data for tax_data in taxes_data if tax_data["tax"].bonopay_specific]
            for suffix, share in shares.items():
                self._bonopay_reach(company, of_group, f"tax_amount{suffix}", share.tax)
                self._bonopay_reach(company, of_group, f"base_amount{suffix}", share.net + share.specific)
                self._bonopay_reach(company, of_articles, f"tax_amount{suffix}", share.specific)
        return res

    @api.model
    def _round_tax_details_base_lines(self, base_lines, company, mode="mixed"):
        # EXTENDS 'account'
        legal, others = self._bonopay_split(base_lines, mode)
        res = super()._round_tax_details_base_lines(others, company, mode=mode)
        for lines, shares in self._bonopay_groups(legal):
            details = [line["tax_details"] for line in lines]
            for suffix, share in shares.items():
                name = f"total_excluded{suffix}"
                self._bonopay_reach(company, details, name, share.net, f"delta_{name}")
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
