import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from psycopg2.errors import SerializationFailure

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from ..core import comparison, payments, told
from ..core.connection import SignerError
from ..core.payload import CURRENCY
from .res_company import connect

_logger = logging.getLogger(__name__)
#: Minutes after which a signer is asked again; a little less than the cron's interval.
_FRESH_MINUTES = 50
#: The signer's day is Kinshasa's, and clocks differ: one further off than this is no rate of the day.
_FURTHEST_DAY = timedelta(days=1)


class Dollar(NamedTuple):
    """What a dollar counts.

    :ivar rate: francs for one, at most six decimals
    :ivar is_reference: the signer told it, which judges by it; else a person entered it
    """

    rate: Decimal
    is_reference: bool


class ResCompany(models.Model):
    """The dollar's rate of the day (SFE §1.30), from the signer's register into Odoo's.

    Rates are the main company's, and so is the switch; one signer is asked for it and its branches.
    """

    _inherit = "res.company"

    bonopay_take_rate = fields.Boolean(
        "Take the dollar's rate of the day",
        default=True,
        help="Every day the reference rate that the signer knows becomes Odoo's rate of the dollar, unless somebody "
        "entered one for that day.",
    )
    bonopay_rate_words = fields.Char("Rate of the day", compute="_compute_bonopay_rate_words")
    bonopay_rate_asked_at = fields.Datetime("Rate last asked", readonly=True, copy=False)

    def _get_company_root_delegated_field_names(self):
        # EXTENDS base: branches have what their main company has
        return [*super()._get_company_root_delegated_field_names(), "bonopay_take_rate"]

    @api.depends_context("lang")
    def _compute_bonopay_rate_words(self):
        usd = self.env.ref("base.USD")
        today = fields.Date.context_today(self.with_context(tz="Africa/Kinshasa"))
        for company in self:
            owners = (False, company.root_id.id)
            domain = [("currency_id", "=", usd.id), ("company_id", "in", owners), ("name", "<=", today)]
            latest = self.env["res.currency.rate"].sudo().search(domain, order="company_id, name desc", limit=1)
            company.bonopay_rate_words = bool(latest) and self.env._(
                "%(day)s: 1 USD = %(rate)s CDF, %(origin)s",
                day=format_date(self.env, latest.name),
                rate=self.env["bonopay.seal"]._amount_words(f"{latest.with_company(company).inverse_company_rate:.2f}"),
                origin=latest.bonopay_source or self.env._("entered in Odoo"),
            )

    def _bonopay_dollar(self, day=None):
        """The dollar on a day, today unless told.

        :rtype: Dollar | None
        """
        usd, root = self.env.ref("base.USD"), self.sudo().root_id
        day = day or fields.Date.context_today(self.with_context(tz="Africa/Kinshasa"))
        rates = self.env["res.currency.rate"].sudo()
        domain = [("currency_id", "=", usd.id), ("company_id", "in", (False, root.id)), ("name", "<=", day)]
        latest = rates.search(domain, order="company_id, name desc", limit=1)
        if not latest:
            return None  # Odoo counts a currency without any rate as worth one franc
        worth = (usd + root.currency_id)._get_rates(root, day)
        return Dollar(payments.rate_of(worth[root.currency_id.id] / worth[usd.id]), bool(latest.bonopay_source))

    @api.model
    def _bonopay_cron_take_rates(self):
        """Take the rate of the day for all companies that want it. Never raises on a signer's refusal."""
        companies = self._bonopay_rate_companies()
        self.env["ir.cron"]._commit_progress(remaining=len(companies))
        for company in companies:
            company._bonopay_take_rate_surely()
            if not self.env["ir.cron"]._commit_progress(1):
                break

    def _bonopay_take_rate_surely(self):
        """:meth:`_bonopay_take_day_rate`, where the error of one company does not stop the others.

        When it was asked is kept in any case: a signer that never answers must not be the first of each run.
        """
        try:
            with self.env.cr.savepoint():
                self._bonopay_take_day_rate()
        except SignerError as error:
            _logger.info("company %s: no rate of the day, %s", self.id, error)
        except Exception:
            _logger.exception("company %s: no rate of the day", self.id)
        try:
            with self.env.cr.savepoint():
                free = self.sudo().try_lock_for_update(allow_referencing=True)
                free.write({"bonopay_rate_asked_at": fields.Datetime.now()})
        except SerializationFailure:
            _logger.info("company %s: is being changed, the rate is asked for again", self.id)

    @api.model
    def _bonopay_rate_companies(self):
        """The companies to ask for now, those that wait longest first."""
        due = fields.Datetime.now() - timedelta(minutes=_FRESH_MINUTES)
        sources = self._bonopay_rate_sources().filtered(
            lambda company: (
                company.bonopay_take_rate
                and company.currency_id.name == CURRENCY
                and (company.bonopay_rate_asked_at or datetime.min) <= due
            )
        )
        return sources.sorted(lambda company: company.bonopay_rate_asked_at or datetime.min)

    @api.model
    def _bonopay_rate_sources(self):
        """Of each main company and its branches the one whose signer is asked: itself, else the first branch.

        Only where an outlet is out of test mode: what a signer of a test environment tells has no place in the books.
        """
        sources = {}
        for company in self._bonopay_live_companies().sorted(lambda company: (bool(company.parent_id), company.id)):
            if company.bonopay_outlet_ids.filtered(lambda outlet: outlet.active and not outlet.test_mode):
                sources.setdefault(company.root_id, company)
        return self.browse().sudo().union(*sources.values())

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
        day, valid_on, rate = self._bonopay_rate_of(body, usd)
        source = f"{told.text(usd.get('source'), 150) or '–'} ({valid_on})"
        return self.env["res.currency.rate"]._bonopay_take(self.sudo().root_id, day, valid_on, float(rate), source)

    @api.model
    def _bonopay_rate_of(self, body, usd):
        """Day, the day from which on the rate holds, and CDF per dollar of an answer, if it can be believed."""
        try:
            day, valid_on = (fields.Date.to_date(value) for value in (body["day"], usd["valid_on"]))
            rate = comparison.amount(usd["rate"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SignerError("answer_malformed") from error
        if not day or not valid_on or valid_on > day or not rate or not Decimal("1") < rate < Decimal("1e9"):
            raise SignerError("answer_malformed")
        if abs(day - fields.Date.today()) > _FURTHEST_DAY:
            raise SignerError("answer_malformed")
        return day, valid_on, rate

    def bonopay_take_rate_now(self):
        """Take the rate of the day, and tell the caller what came of it.

        :raises AccessError: the caller does not manage the main company, whose rates they are
        :raises UserError: the company does not count in CDF, is in test mode, or the signer gave no rate
        """
        self.ensure_one()
        self.root_id._bonopay_demand_manager()
        outlets = self.env["bonopay.outlet"]
        if self.currency_id.name != CURRENCY:
            raise UserError(self.env._("The rate of the day is for companies that keep their accounts in CDF."))
        source = self._bonopay_rate_sources().filtered(lambda company: company.root_id == self.root_id)
        if not source:
            raise UserError(
                self.env._(
                    "No rate is taken: the company needs an active outlet that is not in test mode, and a signer with "
                    "its API key. The rate of a test environment does not enter the books."
                )
            )
        try:
            taken = source._bonopay_take_day_rate()
        except SignerError as error:
            raise UserError(outlets._signer_words(error)) from error
        done = self.env._("The rate of the day was taken.") if taken else self.env._("There was nothing to change.")
        return outlets._notification("success", done)
