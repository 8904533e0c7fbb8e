import logging
from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from ..core import comparison, told
from ..core.connection import SignerError
from ..core.payload import CURRENCY
from .res_company import connect

_logger = logging.getLogger(__name__)


class ResCompany(models.Model):
    """The dollar's rate of the day (SFE §1.30), from the signer's register into Odoo's."""

    _inherit = "res.company"

    bonopay_take_rate = fields.Boolean(
        "Take the dollar's rate of the day",
        default=True,
        help="Every day the reference rate that the signer knows becomes Odoo's rate of the dollar, unless somebody "
        "entered one for that day.",
    )
    bonopay_rate_words = fields.Char("Rate of the day", compute="_compute_bonopay_rate_words")

    @api.depends_context("lang")
    def _compute_bonopay_rate_words(self):
        usd = self.env.ref("base.USD")
        for company in self:
            domain = [("currency_id", "=", usd.id), ("company_id", "in", (False, company.root_id.id))]
            latest = self.env["res.currency.rate"].sudo().search(domain, order="company_id, name desc", limit=1)
            company.bonopay_rate_words = latest and self.env._(
                "%(day)s: 1 USD = %(rate)s CDF, %(origin)s",
                day=format_date(self.env, latest.name),
                rate=self.env["bonopay.seal"]._amount_words(f"{latest.with_company(company).inverse_company_rate:.2f}"),
                origin=latest.bonopay_source or self.env._("entered in Odoo"),
            )

    @api.model
    def _bonopay_cron_take_rates(self):
        """Take the rate of the day for all companies that want it. Never raises on a signer's refusal."""
        companies = self._bonopay_rate_companies()
        self.env["ir.cron"]._commit_progress(remaining=len(companies))
        for company in companies:
            try:
                with self.env.cr.savepoint():
                    company._bonopay_take_day_rate()
            except SignerError as error:
                _logger.info("company %s: no rate of the day, %s", company.id, error)
            except Exception:
                _logger.exception("company %s: no rate of the day", company.id)
            if not self.env["ir.cron"]._commit_progress(1):
                break

    @api.model
    def _bonopay_rate_companies(self):
        return self._bonopay_live_companies().filtered(
            lambda company: (
                company.bonopay_take_rate and company.bonopay_active and company.currency_id.name == CURRENCY
            )
        )

    def _bonopay_take_day_rate(self):
        """Ask the signer for the rate of the day and keep it.

        A dollar that is inactive in Odoo stays inactive; its rates are kept all the same, because Odoo counts a
        currency without any rate as worth one franc from the moment that somebody activates it.

        :return: the rate that was created or changed, else an empty recordset
        :raises SignerError: no answer, or none that can be believed
        """
        self.ensure_one()
        with connect(self) as connection:
            body = connection.reference().body
        usd = body.get("usd")
        if usd is None:
            return self.env["res.currency.rate"]
        day, rate = self._bonopay_rate_of(body, usd)
        root = self.sudo().root_id
        source = f"{told.text(usd.get('source'), 150) or '–'} ({usd['valid_on']})"
        return self.env["res.currency.rate"]._bonopay_take(root, day, float(rate), source)

    @api.model
    def _bonopay_rate_of(self, body, usd):
        """Day and CDF per dollar of an answer, if it can be believed."""
        try:
            day, valid_on = (fields.Date.to_date(value) for value in (body["day"], usd["valid_on"]))
            rate = comparison.amount(usd["rate"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SignerError("answer_malformed") from error
        if not day or not valid_on or valid_on > day or not rate or not Decimal("1") < rate < Decimal("1e9"):
            raise SignerError("answer_malformed")
        return day, rate

    def bonopay_take_rate_now(self):
        """Take the rate of the day, and tell the caller what came of it.

        :raises UserError: the company does not count in CDF, or the signer gave no rate
        """
        self.ensure_one()
        self._bonopay_demand_manager()
        outlets = self.env["bonopay.outlet"]
        if self.currency_id.name != CURRENCY:
            raise UserError(self.env._("The rate of the day is for companies that keep their accounts in CDF."))
        try:
            taken = self.sudo()._bonopay_take_day_rate()
        except SignerError as error:
            raise UserError(outlets._signer_words(error)) from error
        done = self.env._("The rate of the day was taken.") if taken else self.env._("There was nothing to change.")
        return outlets._notification("success", done)
