import json
import logging
from datetime import datetime, timedelta

from psycopg2.errors import SerializationFailure

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_datetime

from ..core import reference
from ..core.connection import SignerError
from ..core.payload import CURRENCY
from .res_company import connect

_logger = logging.getLogger(__name__)
#: After how long the tables are read again; a little less than a day, and after a failure less than an hour.
_FRESH, _RETRY = timedelta(hours=23), timedelta(minutes=50)
#: How long what another company was told counts.
_HEEDED = timedelta(days=7)
#: Somebody else is writing the company: no code of the signer's.
_BUSY = "company_busy"
#: The DGI has told the signer nothing yet.
_UNTOLD = "reference_untold"


class ResCompany(models.Model):
    """The DGI's tables (SFE §1.31), read from the signer once a day for each main company.

    New rates become dated rows, taxes at them are prepared, and an owner is called to decide. The last reading stays in
    force whatever happens to the signer.
    """

    _inherit = "res.company"

    bonopay_reference_read_at = fields.Datetime("DGI's tables read on", readonly=True, copy=False)
    bonopay_reference_asked_at = fields.Datetime("DGI's tables last asked for", readonly=True, copy=False)
    bonopay_reference_error = fields.Char(
        readonly=True, copy=False, help="Why the last reading of the DGI's tables failed; empty when it did not."
    )
    bonopay_reference_findings = fields.Text(
        readonly=True, copy=False, help="Keys of what differs from the DGI's tables, of which an owner was told."
    )
    bonopay_reference_told = fields.Text(
        readonly=True, copy=False, help="The rates of tax groups that the company was last told, in JSON."
    )
    bonopay_reference_words = fields.Char("The DGI's tables", compute="_compute_bonopay_reference_words")

    @api.depends_context("lang")
    @api.depends("bonopay_reference_read_at", "bonopay_reference_error", "bonopay_reference_findings")
    def _compute_bonopay_reference_words(self):
        for company in self:
            root = company.root_id.sudo()
            company.bonopay_reference_words = root._bonopay_reference_status() if root else False

    def _bonopay_reference_status(self):
        """How the reading stands, in words; `False` where nobody asked yet."""
        moment = self.bonopay_reference_read_at and format_datetime(
            self.env, self.bonopay_reference_read_at, tz="Africa/Kinshasa"
        )
        if self.bonopay_reference_error:
            why = self._bonopay_reference_error_words(SignerError(self.bonopay_reference_error))
            last = moment or self.env._("never")
            return self.env._("Last read on %(last)s; what was read stays. %(why)s", last=last, why=why)
        if not moment:
            return False
        count = len(self._bonopay_told_findings())
        if count:
            return self.env._("Read on %(moment)s: %(count)s differences, see the owner's activity.",
                              moment=moment, count=count)  # fmt: skip
        return self.env._("Read on %s: they are those of Odoo.", moment)

    def _bonopay_reference_error_words(self, error):
        if error.code == _UNTOLD:
            return self.env._("The DGI has not told its tables to the signer yet. The signer asks every few hours.")
        if error.code == _BUSY:
            return self.env._("Somebody else is changing the company. Try again in a moment.")
        return self.env["bonopay.outlet"]._signer_words(error)

    def _bonopay_told_findings(self):
        """:return: the keys of what an owner was told of, as a set"""
        return set(json.loads(self.bonopay_reference_findings or "[]"))

    # ------------------------------------------------------------------------------------------------------------
    # Reading
    # ------------------------------------------------------------------------------------------------------------

    @api.model
    def _bonopay_cron_read_reference(self):
        """Read the DGI's tables for all companies that are due. Never raises on a signer's refusal."""
        sources = self._bonopay_reference_due()
        self.env["ir.cron"]._commit_progress(remaining=len(sources))
        for source in sources:
            source._bonopay_read_reference_surely()
            if not self.env["ir.cron"]._commit_progress(1):
                break

    @api.model
    def _bonopay_reference_due(self):
        """The companies whose signers are to be asked now, those that wait longest first."""
        now = fields.Datetime.now()

        def last(source, field):
            return source.root_id[field] or datetime.min

        return self._bonopay_rate_sources().filtered(
            lambda source: last(source, "bonopay_reference_read_at") <= now - _FRESH
            and last(source, "bonopay_reference_asked_at") <= now - _RETRY
        ).sorted(lambda source: last(source, "bonopay_reference_asked_at"))  # fmt: skip

    def _bonopay_read_reference_surely(self):
        """:meth:`_bonopay_read_reference`, where what goes wrong is kept in words and stops nobody else."""
        try:
            with self.env.cr.savepoint():
                self._bonopay_read_reference()
                return
        except SignerError as error:
            code = error.code if error.code != _BUSY else None
        except SerializationFailure:
            code = None  # somebody else reads or writes them: asked again in the next run
        except Exception:
            _logger.exception("company %s: the DGI's tables", self.id)
            code = "answer_malformed"
        # a savepoint takes back the rows of rates, and not what was remembered of them
        self.env.registry.clear_cache()
        if code:
            self._bonopay_note_reading(bonopay_reference_error=code)

    def _bonopay_note_reading(self, **values):
        """Keep how a reading went, unless somebody else is writing the company."""
        try:
            with self.env.cr.savepoint():
                free = self._bonopay_unattended().root_id.try_lock_for_update(allow_referencing=True)
                free.write({"bonopay_reference_asked_at": fields.Datetime.now(), **values})
        except SerializationFailure:
            _logger.info("company %s: is being changed, the DGI's tables are read again", self.id)

    def _bonopay_unattended(self):
        """This company as the scheduled action sees it: nothing of the caller's context comes along."""
        return self.with_env(self.env(user=SUPERUSER_ID, su=True, context={}))

    def _bonopay_read_reference(self):
        """Ask the signer, take what is new, and call an owner for what they have to decide.

        :return: what is new to the owner, as a list of :class:`~.res_company_reference_findings.Finding`
        :raises SignerError: no answer, or none that can be believed; or somebody else is writing the company
        """
        self.ensure_one()
        today = self.env["bonopay.tax.group"]._fiscal_day()
        with connect(self) as connection:
            body = connection.reference().body
        try:
            tables = reference.parse(body, today)
        except ValueError as error:
            raise SignerError("answer_malformed") from error
        if tables.answered_at is None:
            raise SignerError(_UNTOLD)
        source = self._bonopay_unattended()
        if not source.root_id.try_lock_for_update(allow_referencing=True):
            raise SignerError(_BUSY)  # nothing is taken or told that could not be noted
        told_here = {letter: str(row.rate) for letter, row in tables.rows.get(reference.TAX_GROUPS, {}).items()
                     if (reference.TAX_GROUPS, letter) not in tables.disputed}  # fmt: skip
        tables = tables.disputed_by(source._bonopay_told_elsewhere())
        taken = self.env["bonopay.tax.rate"]._take_told(tables, today)
        findings = source.root_id._bonopay_reference_differences(tables, today, taken)
        told = source.root_id._bonopay_told_findings()
        new = [finding for finding in findings if finding.key not in told]
        keys = {finding.key for finding in findings}
        if not source._bonopay_tell_owner_surely(findings, bool(new)):
            keys &= told  # they are called in the next reading
        self._bonopay_note_reading(
            # a signer whose clock is ahead does not put off the next reading
            bonopay_reference_read_at=min(tables.answered_at, fields.Datetime.now()),
            bonopay_reference_error=False,
            bonopay_reference_findings=json.dumps(sorted(keys)),
            bonopay_reference_told=json.dumps(told_here),
        )
        return new

    def _bonopay_told_elsewhere(self):
        """What the signers of other main companies in earnest told lately, as a list of ``{letter: rate}``.

        Rates are those of the whole database: no company's signer sets them against another's.
        """
        others = self._bonopay_rate_sources().root_id - self.root_id
        since = fields.Datetime.now() - _HEEDED
        heeded = others.filtered(
            lambda root: root.bonopay_reference_read_at and root.bonopay_reference_read_at >= since
        )
        return [json.loads(root.bonopay_reference_told or "{}") for root in heeded]

    def _bonopay_tell_owner_surely(self, findings, is_new):
        """:return: whether an owner was told; that it fails costs nothing of what was read"""
        try:
            with self.env.cr.savepoint():
                self._bonopay_tell_owner(findings, is_new)
                return True
        except SerializationFailure:
            raise
        except Exception:
            _logger.exception("company %s: nobody was called for the DGI's tables", self.id)
            return False

    def bonopay_read_reference_now(self):
        """Read the DGI's tables, and the dollar's rate of the day where the company takes it; tell what came of it.

        :raises AccessError: the caller does not manage the main company
        :raises UserError: the company is in test mode, or the signer told nothing that can be read
        """
        self.ensure_one()
        self.root_id._bonopay_demand_manager()
        source = self._bonopay_rate_sources().filtered(lambda company: company.root_id == self.root_id)
        if not source:
            raise UserError(
                self.env._(
                    "Nothing is read: the company needs an active outlet that is not in test mode, and a signer with "
                    "its API key. The tables of a test environment do not enter Odoo."
                )
            )
        try:
            new = source._bonopay_read_reference()
            words = [self._bonopay_finding_words(finding) for finding in new] or [
                self.env._("There is nothing new in the DGI's tables.")
            ]
        except SignerError as error:
            raise UserError(self._bonopay_reference_error_words(error)) from error
        try:
            words.append(source._bonopay_dollar_words())
            kind = "warning" if new else "success"
        except SignerError as error:  # what was read of the tables stays
            why = self.env["bonopay.outlet"]._signer_words(error)
            words.append(self.env._("The dollar's rate was not read: %s", why))
            kind = "warning"
        return self.env["bonopay.outlet"]._notification(kind, " ".join(filter(None, words)))

    def _bonopay_dollar_words(self):
        """Take the dollar's rate of the day, or propose it where the company does not take it by itself."""
        if self.bonopay_take_rate and self.currency_id.name == CURRENCY:
            self._bonopay_take_day_rate()
            return self.root_id.bonopay_rate_words
        with connect(self) as connection:
            usd = connection.reference().body.get("usd")
        told = isinstance(usd, dict) and self.env._(
            "The reference rate is %(rate)s CDF for 1 USD since %(day)s. It is not taken, as the settings say.",
            rate=usd.get("rate"),
            day=usd.get("valid_on"),
        )
        return told or ""
