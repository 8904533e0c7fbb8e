import logging
from contextlib import suppress
from datetime import timedelta

from psycopg2.errors import SerializationFailure

from odoo import api, fields, models

from ..core.connection import BATCH_BYTES, BATCH_ITEMS, BATCH_SECONDS_EACH, SignerError
from .bonopay_seal import OPEN_STATES
from .res_company import connect

_logger = logging.getLogger(__name__)

#: Documents of one request, by how often the document got no clear answer: what makes the signer stumble is narrowed
#: down until it stands alone.
BATCH_SIZES = (BATCH_ITEMS, 25, 5, 1)
#: Answers that a single document may be the cause of.
SUSPICIOUS = frozenset({"signer_timeout", "answer_malformed", "internal_error", "http_502", "http_504"})
#: Refusals of a batch as a whole, by a gateway, a signer or a version that wants its documents one by one.
_ONE_BY_ONE = frozenset({400, 404, 405, 409, 413, 422})
#: Documents of a company in one run, so that what is loaded stays small.
RUN_LIMIT = 2000
#: What a company may cost a run before it is left alone until the next one: a timeout may be one document's fault,
#: other silences and refusals concern them all.
_PATIENCE, _TIMEOUT_COST = 2, 1
#: Time beyond the timeouts for which documents under way are nobody else's.
_LEASE_MARGIN = timedelta(minutes=1)


class BonopaySeal(models.Model):
    """The backstop: what waits is sent in batches, a company at a time."""

    _inherit = "bonopay.seal"

    @api.model
    def _due_domain(self):
        return [("state", "in", OPEN_STATES), ("next_attempt_at", "<=", fields.Datetime.now())]

    @api.model
    def _cron_send(self):
        """Backstop of the after-commit sending, and the way to the DGI's late answers. Never raises on a refusal."""
        self._remind_surely()
        waiting = self.sudo()._read_group(
            self._due_domain(), ["company_id"], ["__count"], order="next_attempt_at:min, company_id"
        )
        self.env["ir.cron"]._commit_progress(remaining=sum(count for _company, count in waiting))
        more = 0
        for company, count in waiting:
            answered, in_time = self._send_due(company)
            if not in_time:
                return
            more += max(count - RUN_LIMIT, 0) if answered else 0
        # what a silent company has waits for the next minute: asking again at once would not help it
        self.env["ir.cron"]._commit_progress(remaining=more)

    @api.model
    def _send_due(self, company):
        """Send what is due of a company, the longest waiting first.

        :return: whether the signer answered to the end, and whether the run has time left
        """
        domain = [*self._due_domain(), ("company_id", "=", company.id)]
        patience = _PATIENCE
        for batch in self.sudo().search(domain, order="next_attempt_at, id", limit=RUN_LIMIT)._batches():
            cost = batch._send_together()
            patience -= cost
            in_time = bool(self.env["ir.cron"]._commit_progress(len(batch)))
            if patience <= 0 or (cost and not in_time):
                self._give_others_a_turn(domain)
                return False, in_time
            if not in_time:
                return True, False
        return True, True

    @api.model
    def _give_others_a_turn(self, domain):
        """What else a silent company has is due a minute later: it waits longest, and would be the first for ever."""
        with suppress(SerializationFailure), self.env.cr.savepoint():
            rest = self.sudo().search(domain, limit=RUN_LIMIT).try_lock_for_update(allow_referencing=True)
            rest._as_writer().write({"next_attempt_at": fields.Datetime.now() + timedelta(minutes=1)})

    # ------------------------------------------------------------------------------------------------------------
    # Which documents go together
    # ------------------------------------------------------------------------------------------------------------

    def _batches(self):
        """These documents in requests: first those that never stumbled, then the suspects in ever smaller company.

        What is sealed already is asked for one by one.
        """
        sealed = self.filtered("fiscal_number")
        by_limit = (self - sealed).grouped(lambda seal: seal._batch_limit())
        for limit, seals in sorted(by_limit.items(), reverse=True):
            yield from seals._cut(limit)
        yield from sealed

    def _batch_limit(self):
        stumbles = self.attempts if self.last_error_code in SUSPICIOUS else 0
        return BATCH_SIZES[min(stumbles, len(BATCH_SIZES) - 1)]

    def _cut(self, limit):
        """Requests of ``limit`` documents at most; a credit note is in none with its original (contracts §5)."""
        batch, size, sources, credited = self.browse(), 0, set(), set()
        for seal in self:
            length = len(seal.payload.encode()) + 1
            source, originals = seal._source(), set(seal._source()._bonopay_credited_sources())
            is_related = source in credited or not originals.isdisjoint(sources)
            if batch and (len(batch) == limit or size + length > BATCH_BYTES or is_related):
                yield batch
                batch, size, sources, credited = self.browse(), 0, set(), set()
            batch |= seal
            size += length
            sources.add(source)
            credited |= originals
        if batch:
            yield batch

    # ------------------------------------------------------------------------------------------------------------
    # One request
    # ------------------------------------------------------------------------------------------------------------

    def _send_together(self):
        """One attempt for documents of one company. Never raises.

        :return: what it takes of the patience with this company
        """
        if len(self) == 1:
            if self._process_surely():
                return 0
            return _TIMEOUT_COST if self.last_error_code == "signer_timeout" else _PATIENCE
        try:
            leased = self._lease()
        except SerializationFailure:
            return 0  # another worker wrote one of them since our snapshot
        try:
            outcomes = leased._ask_together()
        except SignerError as error:
            if error.status in _ONE_BY_ONE:
                return leased._send_singly()
            leased._take_outcomes([error] * len(leased))
            return _TIMEOUT_COST if error.code == "signer_timeout" else _PATIENCE
        leased._take_outcomes(outcomes)
        limited = any(isinstance(outcome, SignerError) and outcome.code == "rate_limited" for outcome in outcomes)
        return _PATIENCE if limited else 0

    def _send_singly(self):
        """As :meth:`_send_together`, each answer kept before the next is asked for; until the company is silent."""
        cost = 0
        for seal in self:
            cost += seal._send_together()
            if not self.env["ir.cron"]._commit_progress() or cost >= _PATIENCE:
                break
        return cost

    def _lease(self):
        """Those that nobody is sending, put aside for as long as a request may take.

        So no row is locked while the network is waited for, and after a crash they are due again.
        """
        with self.env.cr.savepoint():
            free = self.try_lock_for_update(allow_referencing=True)
            free.invalidate_recordset()
            leased = free.filtered(lambda seal: seal.state == "to_seal" and not seal.superseded)
            seconds = sum(self.env["res.company"]._bonopay_timeouts()) + BATCH_SECONDS_EACH * len(leased)
            span = timedelta(seconds=seconds) + _LEASE_MARGIN
            leased._as_writer().write({"next_attempt_at": fields.Datetime.now() + span})
        return leased

    def _ask_together(self):
        """The outcome of each: a reply, or the error that it alone met; raises :class:`SignerError` for all of them."""
        if not self:
            return []
        documents = [(seal.payload.encode(), seal.document_id, seal.payload_hash) for seal in self]
        with connect(self.company_id) as connection:
            self.env["ir.cron"]._commit_progress()  # ends the locks; the lease goes on
            return connection.seal_batch(documents)

    def _take_outcomes(self, outcomes):
        """Write what came back, one document at a time: none spoils another."""
        try:
            with self.env.cr.savepoint():
                free = self.try_lock_for_update(allow_referencing=True)
                free.invalidate_recordset()
        except SerializationFailure:
            return  # as above; they are due again when the lease ends
        believed = [
            seal._take_outcome_surely(outcome)
            for seal, outcome in zip(self, outcomes, strict=True)
            if seal in free and seal.state == "to_seal" and not seal.superseded
        ]
        if any(believed):
            self[0]._wake_others()

    def _take_outcome_surely(self, outcome):
        """:return: whether the signer's answer was a believed one"""
        try:
            with self.env.cr.savepoint():
                if isinstance(outcome, SignerError):
                    self._take_failure(outcome)
                    return False
                return self._take_answer(outcome)
        except Exception:
            _logger.exception("seal %s: unexpected error", self.document_id)
            self._take_failure(SignerError("internal_error"))
            return False
