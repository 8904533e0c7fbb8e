from decimal import Decimal

from odoo import api, models

from ..core import dgi, payments

#: What core takes for a rate where nobody names one: it is none for dollars of a company that counts in francs.
_UNNAMED = 1.0


class AccountTax(models.Model):
    """Documents in dollars of a company that counts in francs: the francs are the law's (SFE §1.5, §1.30).

    The unit price is brought to francs at the document's rate and rounded to the centime, a specific tax is in francs
    as it is; the dollars are what the francs are worth. An offer is reckoned as its invoice will be.
    """

    _inherit = "account.tax"

    @api.model
    def _bonopay_worth(self, base_line, company, specific_tax):
        """Francs for one unit of a base line's currency; ``None`` where the law's arithmetic does not know it.

        :rtype: Decimal | None
        """
        if base_line["currency_id"] == company.currency_id:
            return Decimal(1)
        if (base_line["currency_id"].name, company.currency_id.name) != (payments.DOLLARS, dgi.CURRENCY):
            return None
        if base_line["rate"] and base_line["rate"] != _UNNAMED:
            return payments.rate_of(1 / base_line["rate"])
        # a price that is shown without a document: only an amount in francs needs the rate
        dollar = specific_tax and company._bonopay_dollar()
        return dollar.rate if dollar else None
