from odoo import api, fields, models

#: Writing one of these makes a rate the person's own.
_RATE_FIELDS = frozenset({"rate", "company_rate", "inverse_company_rate", "name", "currency_id", "company_id"})
#: Proof that a write comes from the daily reading; no remote call can put it into a context.
_READING = object()
_READING_KEY = "bonopay_reading_rate"


class ResCurrencyRate(models.Model):
    _inherit = "res.currency.rate"

    bonopay_source = fields.Char(
        "Source",
        readonly=True,
        copy=False,
        help="Who told this rate, when it came from the signer. Empty: a person or another module entered it.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        # EXTENDS base
        if self.env.context.get(_READING_KEY) is not _READING:
            vals_list = [{**vals, "bonopay_source": False} for vals in vals_list]
        return super().create(vals_list)

    def write(self, vals):
        # EXTENDS base: a rate that a person corrects is theirs, and is not overwritten any more
        if self.env.context.get(_READING_KEY) is not _READING:
            vals = {name: value for name, value in vals.items() if name != "bonopay_source"}
            if _RATE_FIELDS & vals.keys():
                vals["bonopay_source"] = False
        return super().write(vals)

    @api.private
    @api.model
    def _bonopay_take(self, company, day, cdf_per_usd, source):
        """Keep the dollar's rate of a day for a company that counts in CDF, unless somebody entered one.

        :param company: a main company: branches use its rates
        :param float cdf_per_usd: CDF for one dollar, > 0
        :return: the rate that was created or changed, else an empty recordset
        """
        usd, cdf = self.env.ref("base.USD"), company.currency_id
        domain = [("currency_id", "=", usd.id), ("name", "=", day), ("company_id", "in", (False, company.id))]
        found = self.sudo().search(domain)
        if found.filtered(lambda rate: not rate.bonopay_source):
            return self.browse()
        # Odoo keeps rates against a currency of rate 1, which CDF need not be
        values = {"rate": cdf._get_rates(company, day)[cdf.id] / cdf_per_usd, "bonopay_source": source}
        reader = self.sudo().with_context(**{_READING_KEY: _READING})
        if not found:
            return reader.create({**values, "currency_id": usd.id, "company_id": company.id, "name": day})
        if found.bonopay_source == source and abs(found.rate / values["rate"] - 1) < 1e-9:
            return self.browse()
        found.with_env(reader.env).write(values)
        return found
