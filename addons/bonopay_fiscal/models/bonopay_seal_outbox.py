import json
import logging
import random
import time
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from psycopg2.errors import SerializationFailure

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError

from ..core import comparison, payload, retry
from ..core.connection import SignerError, SignerUnreachable
from .bonopay_seal import CORRECTABLE_STATES, OPEN_STATES
from .bonopay_seal_batch import BATCH_SIZES
from .res_company import connect

_logger = logging.getLogger(__name__)

#: Seconds that the user who posts waits for seals, whatever the signer does; the rest of a batch is the cron's.
AFTER_COMMIT_BUDGET = 2.0
#: With less than this left, a document is not begun: its timeout would tell nothing of the signer.
_LEAST_PATIENCE = 0.5
#: Documents that one success wakes at most, as somebody may be waiting; each of them wakes as many again.
WAKE_LIMIT = 500
#: Refusals of the content: nothing was sealed, the author corrects it.
CONTENT_REFUSALS = frozenset({400, 413, 422})
CONFLICT = 409
#: DGI status of a sealed answer → state of the document.
STATE_OF_DGI = {"certified": "certified", "rejected": "rejected", "pending": "sealed", "unknown": "unknown"}


class BonopaySeal(models.Model):
    """The outbox: from what was issued to the signer and back."""

    _inherit = "bonopay.seal"

    # ------------------------------------------------------------------------------------------------------------
    # In
    # ------------------------------------------------------------------------------------------------------------

    @api.private
    @api.model
    def _freeze(self, sources):
        """One document per source, in the transaction that issues it.

        :param bonopay.source sources: records of one model
        """
        return self._as_writer().create([self._frozen_values(source) for source in sources]).sudo(False)

    def _frozen_values(self, source):
        document, outlet = source._bonopay_document(), source._bonopay_outlet()
        canonical = payload.canonical_bytes(payload.build(document))
        return {
            self._source_field(source._name): source.id,
            "source_name": source.name,
            "partner_id": source.partner_id.id,
            "company_id": source.company_id.id,
            "outlet_id": outlet.id,
            "user_id": source._bonopay_cashier().id,
            "document_id": document.document_id,
            "document_type": document.invoice_type,
            "payload": canonical.decode(),
            "payload_hash": payload.payload_hash(canonical),
            "amount_total": source.amount_total,
            "currency_id": source.currency_id.id,
            "test_mode": outlet.test_mode,
            "next_attempt_at": fields.Datetime.now(),
        }

    def _locks_source(self):
        """Whether what this seal is of may no longer change."""
        return not self.superseded and self.state not in CORRECTABLE_STATES

    def _supersede(self):
        """Make history of refused documents, so that the corrected source gets a new one."""
        if any(seal._locks_source() for seal in self):
            raise UserError(self.env._("This document was handed to the signer: correct it with a credit note."))
        self._as_writer().write({"superseded": True})

    def _annul(self):
        """The source of a rejected document left the books: nobody has to act on it any more."""
        self._as_writer().write({"annulled": True})
        for seal in self:
            seal._source()._bonopay_open_calls().unlink()

    def _retry_now(self):
        """Try again at once: also what was given up, which gets a new ladder."""
        dead = self.filtered(lambda seal: seal.state == "dead" and seal.last_error_code != "document_conflict")
        dead._as_writer().write({"state": "to_seal", "attempts": 0})
        waiting = self.filtered(lambda seal: seal.state in OPEN_STATES)
        waiting._as_writer().write({"next_attempt_at": fields.Datetime.now()})
        waiting._send_after_commit()

    # ------------------------------------------------------------------------------------------------------------
    # Out: after commit; the rest by cron (bonopay_seal_batch.py)
    # ------------------------------------------------------------------------------------------------------------

    def _send_after_commit(self):
        """Send these documents once the transaction is durable, outside of it and of the caller's locks.

        A request that Odoo replays after a serialisation failure registers again; the failed try's hooks are dropped.
        """
        if self:
            self.env.cr.postcommit.add(partial(_send_in_own_cursor, self.env.registry, tuple(self.ids)))

    def _process_surely(self, patience=None):
        """:meth:`_process`, where an unexpected error of one document does not stop the others."""
        try:
            with self.env.cr.savepoint():
                return self._process(patience)
        except SerializationFailure:
            return True  # another worker wrote this document since our snapshot
        except Exception:
            _logger.exception("seal %s: unexpected error", self.document_id)
            self._take_failure(SignerError("internal_error"))
            return True

    def _process(self, patience=None):
        """One attempt for one document, under its row lock. Commits nothing.

        :param float patience: seconds that a person waits for it, at most; ``None``: nobody does
        :return: ``False`` when the signer gave no answer: the other documents of the company need not try now
        """
        self.ensure_one()
        seal = self.sudo().try_lock_for_update(allow_referencing=True)
        if not seal:
            return True  # another worker is at it
        seal.invalidate_recordset()
        if seal.state not in OPEN_STATES or seal.superseded:
            return True
        if patience is not None and seal.next_attempt_at and seal.next_attempt_at > fields.Datetime.now():
            return True  # the cron has it in a batch that is under way
        try:
            with connect(seal.company_id, patience) as connection:
                reply = seal._ask(connection)
        except SignerUnreachable as error:
            seal._take_failure(error)
            return False
        except SignerError as error:
            seal._take_failure(error)
            return True
        if seal._take_answer(reply):
            seal._wake_others()
        return True

    def _ask(self, connection):
        if self.fiscal_number:
            return connection.fetch(self.fiscal_number, self.document_id, self.payload_hash)
        return connection.seal(self.payload.encode(), self.document_id, self.payload_hash)

    # ------------------------------------------------------------------------------------------------------------
    # What came back
    # ------------------------------------------------------------------------------------------------------------

    def _take_answer(self, reply):
        """Write an answer onto the seal.

        :return: whether it was believed
        """
        try:
            values = self._answer_values(reply.body)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _logger.warning("seal %s: the signer's answer lacks %s", self.document_id, error)
            self._take_failure(SignerError("answer_malformed"))
            return False
        if self.fiscal_number and self.fiscal_number != values["fiscal_number"]:
            self._take_failure(SignerError("answer_mismatch"))
            return False
        newly_sealed = not self.fiscal_number
        open_still = values["state"] in OPEN_STATES
        attempts = self.attempts + 1 if open_still and self.fiscal_number else 0
        self._as_writer().write(
            {
                **values,
                **(self._with_core() if newly_sealed else {}),
                "response": reply.text,
                "certified_at": self.certified_at or (values["state"] == "certified" and fields.Datetime.now()),
                "attempts": attempts,
                "next_attempt_at": self._next_attempt(attempts + 1) if open_still else False,
                "last_error_code": values["state"] == "rejected" and "dgi_rejected",
                "last_error_document": values["state"] == "rejected" and json.dumps(reply.body["dgi"].get("error")),
                "comparison": comparison.rows_of(reply.body["dgi"].get("error")),
            }
        )
        if newly_sealed or values["state"] == "certified":
            self._surely(self._close_alerts)
        if values["state"] == "rejected" or attempts == retry.LATE_ATTEMPTS:
            self._surely(self._alert)
        return True

    def _surely(self, act):
        """What follows from an answer, such as telling somebody, may not cost the answer."""
        try:
            with self.env.cr.savepoint():
                act()
        except Exception:
            _logger.exception("seal %s: %s", self.document_id, act.__name__)

    @api.model
    def _answer_values(self, body):
        dgi, ledger = body["dgi"], body["ledger"]
        sealed_at = datetime.strptime(body["timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ")
        texts = {
            "fiscal_number": body["fiscal_number"],
            "fiscal_authority_id": body["fiscal_authority_id"],
            "auth_code": body["auth_code"],
            "short_code": body["short_code"],
            "qr_payload": body["qr_payload"],
            "verification_url": body["verification_url"],
            "ledger_previous_hash": ledger["previous_hash"],
            "ledger_entry_hash": ledger["entry_hash"],
            "key_id": body["key_id"],
        }
        if not all(isinstance(value, str) and value for value in texts.values()):
            raise ValueError("empty member")
        return {
            **texts,
            "state": STATE_OF_DGI[dgi["status"]],
            "sealed_at": sealed_at.replace(microsecond=0),
            "ledger_index": int(ledger["index"]),
            "dgi_status": dgi["status"],
            **{f"dgi_{name}": dgi.get(name) for name in ("code", "nim", "isf", "counters", "time", "qr")},
        }

    def _leave_to_cron(self):
        """Nobody waits any more: what came of a request that was cut short is asked for at once, in patience."""
        if self.last_error_code == "signer_timeout" and self.state in OPEN_STATES:
            self._as_writer().write({"next_attempt_at": fields.Datetime.now()})
        self.env.ref("bonopay_fiscal.ir_cron_send").sudo()._trigger()

    def _take_failure(self, error):
        """Write a refusal or a silence onto the seal; the rest of its life follows from the kind of error."""
        attempts = self.attempts + 1
        state = self._state_after(error, attempts)
        self._as_writer().write(
            {
                "state": state,
                "comparison": comparison.rows_of(error.document) if state == "invalid" else self.comparison,
                "attempts": attempts,
                "next_attempt_at": self._next_attempt(attempts, error.retry_after) if state in OPEN_STATES else False,
                "last_error_code": error.code,
                "last_error_document": json.dumps(error.document, ensure_ascii=False) if error.document else False,
            }
        )
        _logger.info("seal %s: attempt %s, %s, now %s", self.document_id, attempts, error, state)
        if state in ("invalid", "dead") or (state in OPEN_STATES and attempts == retry.LATE_ATTEMPTS):
            self._surely(self._alert)

    def _state_after(self, error, attempts):
        if self.fiscal_number:
            return self.state  # it is sealed, whatever happens on the way to the DGI's answer
        if error.status == CONFLICT:
            return "dead"
        if error.status in CONTENT_REFUSALS:
            return "invalid"
        age = fields.Datetime.now() - (self.issued_at or self.create_date)
        return "dead" if retry.exhausted(attempts, age) else "to_seal"

    def _next_attempt(self, attempts, retry_after=None):
        wait = max(retry.delay(attempts, random.random()), timedelta(seconds=min(retry_after or 0, 3600)))
        return fields.Datetime.now() + wait

    def _wake_others(self):
        """The signer answers again: what waited for it need not wait for its own ladder.

        What timed out also when it was sent alone did not wait for the signer: the signer stumbles over it.
        """
        waiting = self.sudo().search(
            [
                ("company_id", "=", self.company_id.id),
                ("state", "=", "to_seal"),
                ("next_attempt_at", ">", fields.Datetime.now()),
                "|", ("last_error_code", "=", "signer_unreachable"),
                "&", ("last_error_code", "=", "signer_timeout"), ("attempts", "<", len(BATCH_SIZES)),
            ],
            order="next_attempt_at, id",
            limit=WAKE_LIMIT,
        )  # fmt: skip
        if not waiting:
            return
        # waking is a convenience: it may not cost the answer that was just received
        with suppress(SerializationFailure), self.env.cr.savepoint():
            free = waiting.try_lock_for_update(allow_referencing=True)
            free._as_writer().write({"next_attempt_at": fields.Datetime.now()})
            self.env.ref("bonopay_fiscal.ir_cron_send").sudo()._trigger()


def _send_in_own_cursor(registry, seal_ids):
    """Send documents from a cursor of its own, one commit per document, within the budget of the waiting user.

    Whatever goes wrong here is logged and left to the cron: the sales are issued and committed, and the user's
    request may not fail for it.
    """
    deadline = time.monotonic() + AFTER_COMMIT_BUDGET
    try:
        with registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            for seal in env["bonopay.seal"].browse(seal_ids):
                patience = deadline - time.monotonic()
                if patience < _LEAST_PATIENCE or not seal._process_surely(patience):
                    seal._leave_to_cron()
                    break
                cr.commit()  # pylint: disable=invalid-commit  # own cursor: an answer is durable at once
    except Exception:
        _logger.exception("seals %s are left to the cron", seal_ids)
