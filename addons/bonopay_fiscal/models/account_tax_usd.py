from decimal import Decimal

from odoo import api, models

from ..core import arithmetic, dgi, payments
from ..core.arithmetic import exact


class AccountTax(models.Model):
    """Invoices in dollars of a company that counts in francs: the francs are the law's, the dollars stay Odoo's.

    The unit price is brought to francs at the invoice's rate and rounded to the centime; from there on everything is
    reckoned in francs (SFE §1.5, §1.30), which are the amounts of the journal items.
    """

    _inherit = "account.tax"

    @api.model
    def _add_tax_details_in_base_line(self, base_line, company, rounding_method=None):
        # EXTENDS 'account'
        res = super()._add_tax_details_in_base_line(base_line, company, rounding_method=rounding_method)
        if self._bonopay_is_in_dollars(base_line, company):
            price = exact(base_line["price_unit"]) * payments.rate_of(1 / base_line["rate"])
            in_francs = {**base_line, "price_unit": price}
            base_line["tax_details"]["bonopay_francs"] = self._bonopay_line_amount(in_francs)
        return res

    @api.model
    def _bonopay_is_in_dollars(self, base_line, company):
        """Whether a base line is one of an invoice in dollars, with nothing but the tax of one DGI group."""
        line = base_line["record"]
        return (
            company.bonopay_active
            and company.currency_id.name == dgi.CURRENCY
            and base_line["currency_id"].name == payments.DOLLARS
            and bool(base_line["rate"])
            and isinstance(line, models.Model)
            and line._name == "account.move.line"
            and not any(base_line[key] for key in ("special_mode", "special_type", "filter_tax_function"))
            and self._bonopay_has_one_group(base_line["tax_ids"])
        )

    @api.model
    def _bonopay_has_one_group(self, taxes):
        group_tax, specific_tax = taxes._bonopay_split_taxes()
        return len(group_tax) == 1 and not specific_tax and group_tax._bonopay_is_legal()

    @api.model
    def _bonopay_groups_in_dollars(self, base_lines, mode):
        """Lines and legal amounts in francs of each DGI group."""
        in_dollars = [line for line in base_lines if mode == "mixed" and "bonopay_francs" in line["tax_details"]]
        for (letter, rate, price_mode), lines in self._bonopay_per_group(in_dollars):
            total = sum((line["tax_details"]["bonopay_francs"] for line in lines), Decimal(0))
            yield lines, arithmetic.group_amounts(letter, rate, price_mode, total)

    @api.model
    def _round_tax_details_tax_amounts(self, base_lines, company, mode="mixed"):
        # EXTENDS 'account'
        res = super()._round_tax_details_tax_amounts(base_lines, company, mode=mode)
        for lines, amounts in self._bonopay_groups_in_dollars(base_lines, mode):
            taxes_data = [tax_data for line in lines for tax_data in line["tax_details"]["taxes_data"]]
            self._bonopay_reach(company, taxes_data, "tax_amount", amounts.tax)
            self._bonopay_reach(company, taxes_data, "base_amount", amounts.base)
        return res

    @api.model
    def _round_tax_details_base_lines(self, base_lines, company, mode="mixed"):
        # EXTENDS 'account'
        res = super()._round_tax_details_base_lines(base_lines, company, mode=mode)
        for lines, amounts in self._bonopay_groups_in_dollars(base_lines, mode):
            details = [line["tax_details"] for line in lines]
            for detail in details:
                detail["delta_total_excluded"] = 0.0
            self._bonopay_reach(company, details, "total_excluded", amounts.base, "delta_total_excluded")
            for detail in details:
                taxes = sum(tax_data["tax_amount"] for tax_data in detail["taxes_data"])
                detail["total_included"] = company.currency_id.round(
                    detail["total_excluded"] + detail["delta_total_excluded"] + taxes
                )
        return res
