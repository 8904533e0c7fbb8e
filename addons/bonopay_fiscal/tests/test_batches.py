import hashlib
import json
import uuid
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..core import connection
from ..core.connection import SignerConnection, SignerError
from ..models import bonopay_seal_batch
from .common import FiscalCase
from .signer_twin import API_KEY

BATCH = "/api/v1/invoices/batch"


class BatchCase(FiscalCase):
    def setUp(self):
        super().setUp()
        self.twin.requests.clear()
        # the twin needs no time for each document, and a test none for waiting
        patience = patch.object(connection, "BATCH_SECONDS_EACH", 0)
        patience.start()
        self.addCleanup(patience.stop)
        for scripted in (self.twin.refused, self.twin.poison):
            self.addCleanup(scripted.clear)

    def _waiting(self, count):
        """So many documents that wait: one posted invoice, and copies of its rows."""
        first = self.post(self.draft(), send=False).bonopay_seal_id
        self.env.flush_all()
        moves = self._copies_of_row(first.move_id, count - 1)
        values = self._values_of(first)
        return first | first._as_writer().create([self._renamed(values, move_id) for move_id in moves])

    def _copies_of_row(self, move, count):
        names = [name for name in self._columns("account_move") if name not in ("id", "name")]
        self.env.cr.execute(
            f"INSERT INTO account_move (name, {', '.join(names)}) SELECT name || '-' || g, {', '.join(names)}"  # noqa: S608
            " FROM account_move, generate_series(1, %s) g WHERE id = %s RETURNING id",
            [count, move.id],
        )
        return [move_id for (move_id,) in self.env.cr.fetchall()]

    def _columns(self, table):
        self.env.cr.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
        return [name for (name,) in self.env.cr.fetchall()]

    def _values_of(self, seal):
        names = (
            "company_id", "outlet_id", "user_id", "document_id", "document_type", "payload", "amount_total",
            "currency_id", "test_mode", "next_attempt_at",
        )  # fmt: skip
        return {name: seal._fields[name].convert_to_write(seal[name], seal) for name in names}

    def _renamed(self, values, move_id):
        document_id = str(uuid.uuid4())
        payload = values["payload"].replace(values["document_id"], document_id)
        digest = hashlib.sha256(payload.encode()).hexdigest()
        return {**values, "move_id": move_id, "document_id": document_id, "payload": payload, "payload_hash": digest}

    def _make_due(self, seals):
        seals._as_writer().write({"next_attempt_at": fields.Datetime.now() - timedelta(seconds=1)})

    def _run_cron(self):
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 100.0):
            self.env["bonopay.seal"]._cron_send()

    def _sent(self):
        """Documents of each request."""
        return [
            [item["document_id"] for item in (json.loads(body).get("invoices") or [json.loads(body)])]
            for method, _path, body in self.twin.requests
            if method == "POST"
        ]


@tagged("post_install", "-at_install")
class TestBatches(BatchCase):
    """After an outage what waits drains in few requests, and no document spoils another."""

    def test_a_thousand_waiting_documents_need_ten_requests(self):
        seals = self._waiting(1000)
        self._run_cron()
        self.assertEqual(set(seals.mapped("state")), {"certified"})
        self.assertEqual([len(documents) for documents in self._sent()], [100] * 10)
        self.assertEqual({path for _method, path, _body in self.twin.requests}, {BATCH})
        self.assertEqual(len(set(seals.mapped("fiscal_number"))), 1000)

    def test_a_company_whose_signer_is_silent_leaves_the_next_turn_to_others(self):
        """A run has ten seconds: who waits longest and is never answered would be the first of every run."""
        seals = self._waiting(5)
        self.company.bonopay_configure("http://127.0.0.1:9", API_KEY)
        out_of_time = patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 0.0)
        with patch.object(bonopay_seal_batch, "BATCH_SIZES", (2, 1)), out_of_time:
            self.env["bonopay.seal"]._cron_send()
        now = fields.Datetime.now()
        self.assertEqual(seals.filtered(lambda seal: seal.next_attempt_at <= now), self.env["bonopay.seal"])

    def test_a_failing_call_does_not_cost_the_signer_s_answer(self):
        def broken(_seals):
            raise ValueError("an automation of somebody's")

        with (
            patch.object(type(self.env["bonopay.seal"]), "_close_alerts", broken),
            patch.object(type(self.env["account.move"]), "_action_invoice_ready_to_be_sent", broken),
            mute_logger("odoo.addons.bonopay_fiscal.models.bonopay_seal_outbox"),
        ):
            self.assertEqual(self.post().bonopay_state, "certified")

    def test_what_came_back_in_a_batch_is_kept_as_if_it_came_alone(self):
        together = self._waiting(2)
        self._run_cron()
        alone = self.post(self.draft()).bonopay_seal_id
        self.assertEqual(json.loads(together[0].response).keys(), json.loads(alone.response).keys())
        for name in ("state", "attempts", "next_attempt_at", "last_error_code", "dgi_status", "dgi_nim", "key_id"):
            self.assertEqual(together[0][name], alone[name], name)
        self.assertEqual(json.loads(together[1].response)["document_id"], together[1].document_id)

    def test_each_document_of_a_batch_has_its_own_outcome(self):
        seals = self._waiting(7)
        good, refused, conflict, late, mismatch, malformed, alien = seals
        self.twin.refuse(refused.document_id, 422, "payload_invalid")
        self.twin.refuse(conflict.document_id, 409, "document_conflict", stored_hash="f" * 64)
        self.twin.refuse(late.document_id, 503, "dgi_unreachable")

        def spoil(own):
            results = own["results"]
            results[4]["invoice"] = results[0]["invoice"]
            results[5]["invoice"] = {**results[5]["invoice"], "timestamp": "hier"}
            results[6] = {"status": "yes"}
            return own

        self.twin.answer_next(200, spoil)
        self._run_cron()
        self.assertEqual(
            [(seal.state, seal.last_error_code) for seal in seals],
            [
                ("certified", False), ("invalid", "payload_invalid"), ("dead", "document_conflict"),
                ("to_seal", "dgi_unreachable"), ("to_seal", "answer_mismatch"), ("to_seal", "answer_malformed"),
                ("to_seal", "answer_malformed"),
            ],
        )  # fmt: skip
        self.assertTrue(refused.move_id.activity_ids, "somebody is called, as for a single one")
        self.assertIn("f" * 64, conflict.last_error_message)
        self.assertFalse(good.move_id.activity_ids)
        self.assertTrue(all(seal.next_attempt_at > fields.Datetime.now() for seal in late | mismatch | malformed))
        self._make_due(late | mismatch | malformed | alien)
        self.twin.refused.clear()
        self._run_cron()
        self.assertEqual(set((late | mismatch | malformed | alien).mapped("state")), {"certified"})

    def test_a_document_that_hangs_the_signer_is_narrowed_down_and_spoils_nobody(self):
        self.env["ir.config_parameter"].set_param("bonopay_fiscal.read_timeout", "0.4")
        seals = self._waiting(30)
        poison = seals[11]
        self.twin.poison[poison.document_id] = 1.0
        for _run in range(4):
            self._run_cron()
            self._make_due(seals.filtered(lambda seal: seal.state == "to_seal" and seal.attempts < 4))
        self.assertEqual(set((seals - poison).mapped("state")), {"certified"})
        self.assertEqual((poison.state, poison.last_error_code), ("to_seal", "signer_timeout"))
        self.assertIn([poison.document_id], self._sent(), "alone in the end")
        self.assertEqual(poison.attempts, 4)
        fresh = self._waiting(3)
        self._make_due(poison)
        self.twin.requests.clear()
        self._run_cron()
        self.assertEqual(set(fresh.mapped("state")), {"certified"})
        self.assertEqual(self._sent(), [fresh.mapped("document_id"), [poison.document_id]], "and never the first")
        later = self._waiting(2)
        self._run_cron()
        self.assertEqual(set(later.mapped("state")), {"certified"})
        self.assertGreater(
            poison.next_attempt_at, fields.Datetime.now() + timedelta(minutes=5), "the success of others wakes it not"
        )

    def test_a_signer_that_answers_nothing_is_asked_twice_a_run_at_most(self):
        self.env["ir.config_parameter"].set_param("bonopay_fiscal.read_timeout", "0.2")
        with patch.object(bonopay_seal_batch, "BATCH_SIZES", (2, 1)):
            self._waiting(10)
            for _number in range(10):
                self.twin.hang_next(0.5)
            self.addCleanup(self.twin.forget_hangs)
            self._run_cron()
        self.assertEqual([len(documents) for documents in self._sent()], [2, 2])

    def test_a_refusal_of_the_whole_batch_is_everybody_s_and_met_once(self):
        with patch.object(bonopay_seal_batch, "BATCH_SIZES", (3, 1)):
            seals = self._waiting(6)
            self.twin.problem_next(503, "ledger_unavailable", headers={"Retry-After": "120"})
            self._run_cron()
            self.assertEqual([len(documents) for documents in self._sent()], [3])
            first = seals[:3]
            self.assertEqual(set(first.mapped("last_error_code")), {"ledger_unavailable"})
            self.assertGreater(min(first.mapped("next_attempt_at")), fields.Datetime.now() + timedelta(seconds=110))
            self.assertGreater(
                min(seals[3:].mapped("next_attempt_at")), fields.Datetime.now(), "others have their turn"
            )
            seals[3:]._as_writer().write({"next_attempt_at": fields.Datetime.now()})
            self.company.bonopay_configure(self.twin.url, "wrong")
            self._run_cron()
        self.assertEqual(seals.mapped("state"), ["to_seal"] * 6)
        self.assertEqual(set(seals[3:].mapped("last_error_code")), {"unauthorized"})

    def test_a_signer_without_batches_gets_them_one_by_one(self):
        self.twin.without_batches = True
        self.addCleanup(setattr, self.twin, "without_batches", False)
        seals = self._waiting(3)
        self._run_cron()
        self.assertEqual(set(seals.mapped("state")), {"certified"})
        self.assertEqual(len(self._sent()), 4)

    def test_one_by_one_each_answer_is_kept_before_the_next_is_asked_for(self):
        self.twin.without_batches = True
        self.addCleanup(setattr, self.twin, "without_batches", False)
        seals = self._waiting(3)
        kept = []

        def commit(*_args, **_kwargs):
            kept.append(seals.filtered(lambda seal: seal.state == "certified"))
            return 100.0 if len(kept[-1]) < 2 else 0.0

        with patch.object(self.env.registry["ir.cron"], "_commit_progress", commit):
            self.env["bonopay.seal"]._cron_send()
        self.assertEqual([len(done) for done in kept if done][:2], [1, 2])
        self.assertEqual(seals.mapped("state"), ["certified", "certified", "to_seal"], "the run had no time left")

    def test_more_than_the_outlet_s_rate_ends_the_run(self):
        with patch.object(bonopay_seal_batch, "BATCH_SIZES", (2, 1)):
            seals = self._waiting(4)
            self.twin.refuse(seals[1].document_id, 429, "rate_limited")
            self._run_cron()
        self.assertEqual(seals.mapped("state"), ["certified", "to_seal", "to_seal", "to_seal"])

    def test_a_credit_note_is_in_no_batch_with_its_original(self):
        original = self.post(self.draft(), send=False)
        rebate = original._reverse_moves([{"bonopay_credit_nature": "RRR", "bonopay_credit_reason": "Fidélité"}])
        other = self.draft()
        self.post(rebate | other, send=False)
        seals = (original | rebate | other).bonopay_seal_id.sorted("id")
        for order in (seals, seals.sorted("id", reverse=True)):
            for batch in order._batches():
                self.assertLess(len(batch.move_id & (original | rebate)), 2)
        self._run_cron()
        self.assertEqual(set(seals.mapped("state")), {"certified"})

    def test_a_batch_holds_no_more_bytes_than_the_contract_allows(self):
        seals = self._waiting(5)
        length = len(seals[0].payload.encode())
        with patch.object(bonopay_seal_batch, "BATCH_BYTES", 2 * length + length // 2):
            self.assertEqual([len(batch) for batch in seals._batches()], [2, 2, 1])

    def test_an_answer_that_somebody_else_received_meanwhile_stands(self):
        seals = self._waiting(2)
        real = SignerConnection.seal_batch

        def overtaken(connection, documents):
            seals[0]._process()
            outcomes = real(connection, documents)
            outcomes[0] = SignerError("internal_error")
            return outcomes

        with patch.object(SignerConnection, "seal_batch", overtaken):
            self._run_cron()
        self.assertEqual(seals.mapped("state"), ["certified", "certified"])
        self.assertFalse(seals[0].last_error_code)

    def test_unexpected_error_of_one_document_of_a_batch_does_not_stop_the_others(self):
        seals = self._waiting(3)
        take = type(seals)._take_answer

        def explode(seal, reply):
            if seal == seals[1]:
                raise RuntimeError("boom")
            return take(seal, reply)

        with (
            patch.object(self.env.registry["bonopay.seal"], "_take_answer", explode),
            self.assertLogs(bonopay_seal_batch._logger, "ERROR"),
        ):
            self._run_cron()
        self.assertEqual(seals.mapped("state"), ["certified", "to_seal", "certified"])
        self.assertEqual(seals[1].last_error_code, "internal_error")


@tagged("post_install", "-at_install")
class TestCron(BatchCase):
    """Odoo deactivates a scheduled action that fails five times in a week: this one never does."""

    def _run_job(self):
        cron = self.env.ref("bonopay_fiscal.ir_cron_send")
        with self.enter_registry_test_mode():
            cron.method_direct_trigger()
        return cron

    def test_the_cron_never_counts_as_failed_however_often_the_signer_does(self):
        seals = self._waiting(3)

        def boom(*_args):
            raise RuntimeError("boom")

        for answer in (
            lambda: self.twin.problem_next(503, "ledger_unavailable"),
            lambda: self.twin.problem_next(500, "internal_error"),
            lambda: self.twin.answer_next(200, b"<html>"),
            lambda: self.twin.answer_next(200, {"results": []}),
            lambda: self.company.bonopay_configure(self.twin.url, "wrong"),
            lambda: self.company.bonopay_configure("http://127.0.0.1:9", API_KEY),
            lambda: self.company.bonopay_configure(self.twin.url, ""),
        ):
            answer()
            seals._as_writer().write({"attempts": 0})  # together again
            self._make_due(seals)
            cron = self._run_job()
            self.assertEqual((cron.failure_count, cron.active), (0, True))
        self.company.bonopay_configure(self.twin.url, API_KEY)
        with patch.object(self.env.registry["bonopay.seal"], "_take_answer", boom):
            self._make_due(seals)
            cron = self._run_job()
        self.assertEqual((cron.failure_count, cron.active), (0, True))
        self.assertEqual(seals.mapped("state"), ["to_seal"] * 3)
        self._make_due(seals)
        self._run_job()
        self.assertEqual(seals.mapped("state"), ["certified"] * 3)

    def test_the_count_of_failures_can_be_seen_here(self):
        with (
            patch.object(self.env.registry["bonopay.seal"], "_cron_send", side_effect=RuntimeError("boom")),
            self.assertLogs("odoo.addons.base.models.ir_cron", "ERROR"),
        ):
            self.assertEqual(self._run_job().failure_count, 1)
