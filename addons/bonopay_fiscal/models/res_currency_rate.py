from odoo import SUPERUSER_ID, api, fields, models

#: Writing one of these makes a rate the person's own.
_RATE_FIELDS = frozenset({"rate", "company_rate", "inverse_company_rate", "name", "currency_id", "company_id"})


class ResCurrencyRate(models.Model):
    _name = "res.currency.rate"
    _inherit = ["bonopay.guarded", "res.currency.rate"]

    bonopay_source = fields.Char(
        "Source",
        readonly=True,
        copy=False,
        guarded=True,
        help="Who told this rate, when it came from the signer. Empty: a person or another module entered it.",
    )

    def write(self, vals):
        # EXTENDS base: a rate that somebody else than the daily reading corrects is theirs, and is not overwritten
        if _RATE_FIELDS & vals.keys() and "bonopay_source" not in vals:
            self.check_access("write")
            self.sudo().filtered("bonopay_source").bonopay_source = False
        return super().write(vals)

    @api.private
    @api.model
    def _bonopay_take(self, company, day, valid_on, cdf_per_usd, source):
        """Keep the dollar's rate of a day for a company that counts in CDF, unless somebody decided otherwise.

        :param company: a main company: branches use its rates
        :param valid_on: the day from which on the rate holds, at most ``day``
        :param float cdf_per_usd: CDF for one dollar, > 0
        :return: the rate that was created or changed, else an empty recordset
        """
        # nothing of the caller's context comes along: default_inverse_company_rate would make a rate of its own
        reader = self.with_env(self.env(user=SUPERUSER_ID, su=True, context={}))
        usd, cdf = reader.env.ref("base.USD"), company.currency_id
        if reader._bonopay_person_decided(usd, company, day, valid_on):
            return self.browse()
        found = reader.search([("currency_id", "=", usd.id), ("name", "=", day), ("company_id", "=", company.id)])
        # Odoo keeps rates against a currency of rate 1, which CDF need not be
        values = {"rate": cdf._get_rates(company, day)[cdf.id] / cdf_per_usd, "bonopay_source": source}
        if not found:
            found = reader.create({**values, "currency_id": usd.id, "company_id": company.id, "name": day})
            return found.with_env(self.env)
        if found.bonopay_source == source and abs(found.rate / values["rate"] - 1) < 1e-9:
            return self.browse()
        found.write(values)
        return found.with_env(self.env)

    @api.model
    def _bonopay_person_decided(self, usd, company, day, valid_on):
        """Whether a rate that was not read stands against one of ``valid_on``.

        It does on the day itself; when it is newer; and when the company uses the rates of all companies, which one
        of its own would put out of use for good. One that has rates of its own uses no others.
        """
        rates = self.search([("currency_id", "=", usd.id), ("company_id", "in", (False, company.id))])
        own = rates.filtered(lambda rate: rate.company_id and rate.name <= day)
        if not own:
            return bool(rates.filtered(lambda rate: not rate.company_id))
        return any(not rate.bonopay_source and (rate.name == day or rate.name > valid_on) for rate in own)
