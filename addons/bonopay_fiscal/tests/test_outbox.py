import json
import socket
from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..core import retry
from ..models import bonopay_seal_batch, bonopay_seal_outbox
from .common import FiscalCase
from .signer_twin import API_KEY


def _closed_port():
    """A local port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@tagged("post_install", "-at_install")
class TestOutbox(FiscalCase):
    """Whatever the signer answers, the invoice stays posted and the seal tells the truth."""

    def _send(self, move):
        move._bonopay_live_seals()._process()
        move.invalidate_recordset()
        return move._bonopay_live_seals()

    def _run_cron(self):
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 100.0):
            self.env["bonopay.seal"]._cron_send()

    def _make_due(self, seal):
        seal._as_writer().write({"next_attempt_at": fields.Datetime.now() - timedelta(seconds=1)})

    def check_waiting(self, seal, code):
        self.assertEqual((seal.move_id.state, seal.state, seal.last_error_code), ("posted", "to_seal", code))
        self.assertTrue(seal.last_error_message)
        self.assertFalse(seal.fiscal_number)

    # no answer ------------------------------------------------------------------------------------------------------

    def test_row_42_signer_down_the_invoice_posts_waits_and_is_sealed_by_the_cron(self):
        self.company.bonopay_configure(f"http://127.0.0.1:{_closed_port()}", API_KEY)
        move = self.post()
        seal = move.bonopay_seal_id
        self.check_waiting(seal, "signer_unreachable")
        self.assertIn("nothing is lost", move.bonopay_message)
        self.assertGreater(seal.next_attempt_at, fields.Datetime.now())
        self.company.bonopay_configure(self.twin.url, API_KEY)
        self._run_cron()
        self.assertEqual(seal.state, "to_seal", "not due yet")
        self._make_due(seal)
        self._run_cron()
        self.assertEqual(seal.state, "certified")
        self.assertFalse(seal.last_error_code)

    def test_row_42_first_success_wakes_what_waited_for_the_outage(self):
        self.company.bonopay_configure(f"http://127.0.0.1:{_closed_port()}", API_KEY)
        late = self.post().bonopay_seal_id
        late._as_writer().write({"next_attempt_at": fields.Datetime.now() + timedelta(hours=1)})
        self.company.bonopay_configure(self.twin.url, API_KEY)
        self.post()
        self.assertLessEqual(late.next_attempt_at, fields.Datetime.now())

    def test_a_success_wakes_no_more_than_a_waiting_person_can_bear(self):
        self.company.bonopay_configure(f"http://127.0.0.1:{_closed_port()}", API_KEY)
        late = self.post(self.draft() | self.draft() | self.draft()).bonopay_seal_ids
        late._as_writer().write({"next_attempt_at": fields.Datetime.now() + timedelta(hours=1)})
        self.company.bonopay_configure(self.twin.url, API_KEY)
        with patch.object(bonopay_seal_outbox, "WAKE_LIMIT", 2):
            self.post()
        self.assertEqual(len(late.filtered(lambda seal: seal.next_attempt_at <= fields.Datetime.now())), 2)

    def test_one_silence_spares_the_other_documents_of_the_company(self):
        moves = [self.post(self.draft(), send=False) for _number in range(3)]
        self.company.bonopay_configure(f"http://127.0.0.1:{_closed_port()}", API_KEY)
        with patch.object(bonopay_seal_batch, "BATCH_SIZES", (1, 1)):
            self._run_cron()
        self.assertEqual([move.bonopay_seal_id.attempts for move in moves], [1, 0, 0])

    def test_row_61_no_answer_in_time_is_sent_again_and_sealed_once(self):
        move = self.post(send=False)
        seal = move.bonopay_seal_id
        sent = len(self.twin.sealed)
        # the signer seals, the reply is lost
        self.twin.answer_next(200, b"")
        self._send(move)
        self.check_waiting(seal, "answer_malformed")
        self.assertEqual(len(self.twin.sealed), sent + 1)
        self._send(move)
        self.assertEqual(seal.state, "certified")
        self.assertEqual(len(self.twin.sealed), sent + 1)

    # answers that cannot be believed -----------------------------------------------------------------------------

    def test_answer_about_another_document_is_not_believed(self):
        for change in ({"document_id": "other"}, {"payload_hash": "0" * 64}):
            move = self.post(send=False)
            self.twin.answer_next(201, lambda own, change=change: {**own, **change})
            self.check_waiting(self._send(move), "answer_mismatch")

    def test_answer_with_missing_or_wrong_members_is_not_believed(self):
        for change in (
            {"fiscal_number": None}, {"ledger": None}, {"timestamp": "hier"}, {"dgi": {"status": "magic"}},
            {"auth_code": ""}, {"key_id": 7},
        ):  # fmt: skip
            with self.subTest(change=change):
                move = self.post(send=False)
                self.twin.answer_next(201, lambda own, change=change: {**own, **change})
                self.check_waiting(self._send(move), "answer_malformed")
        for body in (b"<html>", b"[]", b"\xff"):
            move = self.post(send=False)
            self.twin.answer_next(200, body)
            self.check_waiting(self._send(move), "answer_malformed")

    def test_redirections_are_not_followed(self):
        move = self.post(send=False)
        self.twin.answer_next(302, {}, {"Location": "https://elsewhere.example.com/"})
        self.check_waiting(self._send(move), "http_302")

    # refusals -----------------------------------------------------------------------------------------------------

    def test_unavailable_signer_is_tried_again_not_before_it_asks(self):
        for code in ("dgi_unreachable", "hsm_unavailable", "ledger_unavailable"):
            move = self.post(send=False)
            self.twin.problem_next(503, code, headers={"Retry-After": "120"})
            seal = self._send(move)
            self.check_waiting(seal, code)
            self.assertGreaterEqual(seal.next_attempt_at, fields.Datetime.now() + timedelta(seconds=118))

    def test_setup_errors_wait_and_say_what_to_do(self):
        self.company.bonopay_configure(self.twin.url, "wrong")
        seal = self._send(self.post(send=False))
        self.check_waiting(seal, "unauthorized")
        self.company.bonopay_configure(self.twin.url, "")
        self.check_waiting(self._send(self.post(send=False)), "not_configured")
        self.company.bonopay_configure(self.twin.url, API_KEY)
        self._send(seal.move_id)
        self.assertEqual(seal.state, "certified")

    def test_invalid_payload_shows_findings_and_is_corrected_by_a_new_document(self):
        move = self.post(send=False)
        self.twin.problem_next(
            422, "payload_invalid",
            message={"fr": "Le document est refusé.", "en": "The document is refused."},
            findings=[
                {"pointer": "/items/0/quantity", "code": "item.quantity.zero", "expected": None, "actual": "0",
                 "message": {"fr": "la quantité est nulle", "en": "the quantity is zero"}},
                {"pointer": "/client/nif", "code": "client.nif", "expected": "A", "actual": "B",
                 "message": {"fr": "NIF inconnu", "en": "unknown NIF"}},
            ],
        )  # fmt: skip
        refused = self._send(move)
        self.assertEqual(refused.state, "invalid")
        self.assertEqual(
            refused.last_error_message.split("\n"),
            [
                "The document is refused.",
                "• Line 1, quantity: the quantity is zero",
                "• Customer, NIF: unknown NIF (expected A, got B)",
            ],
        )
        self.assertIn("la quantité est nulle", refused.with_context(lang="fr_FR").last_error_message)
        move.action_bonopay_correct()
        self.assertEqual(move.state, "draft")
        self.assertFalse(move.bonopay_state)
        move.invoice_line_ids.quantity = 3
        self.post(move)
        self.assertEqual(move.bonopay_state, "certified")
        self.assertNotEqual(move.bonopay_seal_id.document_id, refused.document_id)
        self.assertEqual(move.bonopay_seal_ids, refused | move.bonopay_seal_id, "the refusal stays as history")
        self.assertTrue(refused.superseded)
        with self.assertRaises(UserError):
            move.unlink()

    def test_a_corrected_draft_is_kept(self):
        move = self.post(send=False)
        self.twin.problem_next(400, "payload_malformed")
        self._send(move)
        move.button_draft()
        with self.assertRaisesRegex(UserError, "kept"):
            move.unlink()
        move.button_cancel()
        self.assertEqual(move.state, "cancel")

    def test_refusals_before_the_seal_are_correctable(self):
        refusals = ((400, "payload_malformed"), (413, "too_large"), (422, "dgi_refused"), (422, "dgi_totals_differ"))
        for status, code in refusals:
            move = self.post(send=False)
            self.twin.problem_next(status, code, dgi_error={"code": "7", "message": "Type de paiement"})
            seal = self._send(move)
            self.assertEqual((seal.state, move.state), ("invalid", "posted"))
            self.assertIn("DGI: 7 – Type de paiement", seal.last_error_message)

    def test_conflict_is_dead_and_shows_both_hashes(self):
        move = self.post(send=False)
        self.twin.problem_next(409, "document_conflict", stored_hash="f" * 64)
        seal = self._send(move)
        self.assertEqual(seal.state, "dead")
        self.assertIn("f" * 64, seal.last_error_message)
        self.assertIn(seal.payload_hash, seal.last_error_message)
        self.assertTrue(move.activity_ids, "somebody is called")
        move.action_bonopay_seal_now()
        self.assertEqual(seal.state, "dead", "sending again cannot heal a conflict")
        with self.assertRaises(UserError):
            move.button_draft()

    # life after the seal ------------------------------------------------------------------------------------------

    def test_pending_and_unknown_are_asked_again_until_certified(self):
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        for status, state in (("pending", "sealed"), ("unknown", "unknown")):
            self.twin.dgi_status = status
            move = self.post()
            seal = move.bonopay_seal_id
            number = seal.fiscal_number
            self.assertEqual(seal.state, state)
            self.assertTrue(number)
            self.assertFalse(seal.dgi_code)
            self._send(move)
            self.assertEqual((seal.state, seal.attempts), (state, 1))
            self.twin.dgi_status = "certified"
            self._send(move)
            self.assertEqual((seal.state, seal.fiscal_number), ("certified", number))
            self.assertEqual(self.twin.requests[-1][:2], ("GET", f"/api/v1/invoices/{number}"))
            self.assertFalse(seal.next_attempt_at)

    def test_row_42_dgi_silent_for_a_day_calls_somebody_once(self):
        self.twin.dgi_status = "pending"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        move = self.post()
        for _number in range(retry.LATE_ATTEMPTS + 3):
            self._send(move)
        self.assertEqual(move.bonopay_state, "sealed")
        self.assertEqual(len(move.activity_ids), 1)
        self.assertRegex(move.activity_ids.note, "48 (hours|heures)")

    def test_signer_down_after_the_seal_loses_nothing(self):
        self.twin.dgi_status = "pending"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        move = self.post()
        seal = move.bonopay_seal_id
        for status, code in ((503, "ledger_unavailable"), (404, "not_found"), (422, "payload_invalid")):
            self.twin.problem_next(status, code)
            self._send(move)
            self.assertEqual((seal.state, seal.last_error_code), ("sealed", code))

    def test_it_is_kept_when_a_document_was_normalised(self):
        self.twin.dgi_status = "pending"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        move = self.post()
        seal = move.bonopay_seal_id
        self.assertFalse(seal.certified_at)
        self.twin.dgi_status = "certified"
        with freeze_time(fields.Datetime.now() + timedelta(days=3)) as clock:
            self._send(move)
            normalised = fields.Datetime.now()
            self.assertEqual(seal.certified_at, normalised)
            clock.tick(timedelta(days=3))
            seal._count_print("sheet")
            self.assertEqual(seal.certified_at, normalised)

    # retries --------------------------------------------------------------------------------------------------------

    def test_ladder_then_dead_with_an_alert_then_sealed_by_hand(self):
        self.company.bonopay_configure(f"http://127.0.0.1:{_closed_port()}", API_KEY)
        move = self.post()
        seal = move.bonopay_seal_id
        waits = []
        with freeze_time(seal.issued_at) as clock:
            while seal.state == "to_seal":
                self._send(move)
                if seal.next_attempt_at:
                    waits.append((seal.next_attempt_at - fields.Datetime.now()).total_seconds() / 60)
                    clock.move_to(seal.next_attempt_at)
        self.assertEqual(seal.state, "dead")
        self.assertEqual(seal.attempts, retry.MAX_ATTEMPTS)
        for wait, step in zip(waits, (2, 5, 15, 60, 60), strict=False):
            self.assertAlmostEqual(wait, step, delta=step * retry.JITTER + 0.1)
        self.assertGreater(sum(waits), 48 * 60, "longer than the 48 hours of arrêté 033")
        self.assertEqual(move.state, "posted")
        self.assertEqual(len(move.activity_ids), 2, "one after a day, one when given up")
        self.assertRegex(move.activity_ids[0].note, "48 (hours|heures)")
        self._run_cron()
        self.assertEqual(seal.attempts, retry.MAX_ATTEMPTS, "the dead are left alone")
        self.company.bonopay_configure(self.twin.url, API_KEY)
        move.action_bonopay_seal_now()
        self.assertEqual(seal.state, "to_seal")
        self._send(move)
        self.assertEqual(seal.state, "certified")

    def test_nothing_is_given_up_while_the_law_still_gives_time(self):
        """Every success of another document wakes those that wait: their attempts may be used up within hours."""
        self.company.bonopay_configure(f"http://127.0.0.1:{_closed_port()}", API_KEY)
        move = self.post()
        seal = move.bonopay_seal_id
        with freeze_time(seal.issued_at) as clock:
            seal._as_writer().write({"attempts": retry.MAX_ATTEMPTS + 3})
            clock.tick(timedelta(hours=47))
            self.assertEqual(self._send(move).state, "to_seal")
            clock.tick(timedelta(hours=2))
            self.assertEqual(self._send(move).state, "dead")

    def test_settled_documents_are_never_sent_again(self):
        move = self.post()
        count = len(self.twin.requests)
        move._bonopay_live_seals()._process()
        self._run_cron()
        self.assertEqual(len(self.twin.requests), count)

    def test_what_is_sent_is_what_was_frozen(self):
        move = self.post()
        body = self.twin.requests[-1][2]
        self.assertEqual(body, move.bonopay_seal_id.payload.encode())
        self.assertEqual(json.loads(body)["document_id"], move.bonopay_seal_id.document_id)

    def test_row_48_key_is_neither_in_logs_nor_in_messages(self):
        self.twin.problem_next(503, "ledger_unavailable")
        with self.assertLogs(level="DEBUG") as logs:
            move = self.post()
        self.assertNotIn(API_KEY, "\n".join(logs.output))
        self.assertNotIn(API_KEY, move.bonopay_message)

    # lists ----------------------------------------------------------------------------------------------------------

    def test_invoices_are_searched_sorted_and_grouped_by_fiscal_status(self):
        certified, waiting, draft = self.post(), self.post(self.draft(), send=False), self.draft()
        moves = self.env["account.move"]
        mine = [("id", "in", (certified | waiting | draft).ids)]

        def found(*domain):
            return moves.search([*mine, *domain])

        self.assertEqual(found(("bonopay_state", "=", "certified")), certified)
        self.assertEqual(found(("bonopay_state", "in", ("to_seal", "certified"))), certified | waiting)
        self.assertEqual(found(("bonopay_state", "!=", "certified")), waiting | draft)
        self.assertEqual(found(("bonopay_state", "=", False)), draft)
        self.assertEqual(found(("bonopay_fiscal_number", "ilike", certified.bonopay_fiscal_number[-6:])), certified)
        self.assertEqual(found(("bonopay_fiscal_number", "=", False)), waiting | draft)
        self.assertEqual(found(("bonopay_seal_id", "=", certified.bonopay_seal_id.id)), certified)
        groups = dict(moves._read_group(mine, ["bonopay_state"], ["__count"]))
        self.assertEqual(groups, {"certified": 1, "to_seal": 1, False: 1})
        web = moves.formatted_read_group(mine, ["bonopay_state"], ["__count"])
        self.assertEqual({group["bonopay_state"]: group["__count"] for group in web}, groups)
        self.assertEqual(moves.search(mine, order="bonopay_state, id")[0], certified)
