import threading
import time
from contextlib import contextmanager
from unittest.mock import patch

from odoo import SUPERUSER_ID, api, fields
from odoo.exceptions import ConcurrencyError
from odoo.modules.registry import Registry
from odoo.service.model import retrying
from odoo.tests import BaseCase, get_db_name, tagged

from ..core import dgi_status
from ..core.connection import SignerConnection
from ..models import bonopay_seal_outbox
from ..models.bonopay_credential import reveal
from .common import LocalSigner
from .signer_twin import API_KEY


@tagged("post_install", "-at_install")
class TestAfterCommit(LocalSigner, BaseCase):
    """What happens between the commit of a posting and its seal, with transactions that really commit.

    Works on the demo company and removes what it made, by SQL: seals cannot be removed otherwise.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Registry(get_db_name())
        # numbers that the database does not have yet, whatever was sealed in it before
        cls.twin = cls._start_twin(first_index=int(time.time()) % 10**8)

    def setUp(self):
        super().setUp()
        self.moves = []
        with self._env() as env:
            company = env.ref("base.demo_company_cd", raise_if_not_found=False)
            if not env.ref("bonopay_fiscal.demo_outlet_kin001", raise_if_not_found=False):
                self.skipTest("this database has no demo data to commit on")
            self.company_id = company.id
            self.before = company.bonopay_signer_url, reveal(company)
            company.bonopay_configure(self.twin.url, API_KEY)
        self.addCleanup(self._clean)
        self.twin.requests.clear()

    @contextmanager
    def _env(self):
        """An environment of a transaction of its own, committed at the end."""
        with self.registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def _clean(self):
        with self._env() as env:
            company = env["res.company"].browse(self.company_id)
            company.bonopay_signer_url = self.before[0]
            company._bonopay_store_key(self.before[1])
            env.flush_all()
            for query in (
                "DELETE FROM bonopay_seal WHERE move_id = ANY(%s)",
                "DELETE FROM account_move_line WHERE move_id = ANY(%s)",
                "DELETE FROM mail_activity WHERE res_model = 'account.move' AND res_id = ANY(%s)",
                "DELETE FROM mail_message WHERE model = 'account.move' AND res_id = ANY(%s)",
                "DELETE FROM account_move WHERE id = ANY(%s)",
            ):
                env.cr.execute(query, [self.moves])

    def _draft(self, env):
        env = env(context={"allowed_company_ids": [self.company_id], "tracking_disable": True})
        move = env["account.move"].create(
            {
                "move_type": "out_invoice",
                "company_id": self.company_id,
                "partner_id": env.ref("bonopay_fiscal.demo_partner_pm").id,
                "invoice_date": fields.Date.today(),
                "invoice_line_ids": [(0, 0, {"product_id": env.ref("bonopay_fiscal.demo_product_rice").id})],
            }
        )
        self.moves.append(move.id)
        return move

    def _committed_draft(self):
        with self._env() as env:
            return self._draft(env).id

    def _seals(self):
        with self._env() as env:
            return env["bonopay.seal"].search([("move_id", "in", self.moves)]).read(["state", "fiscal_number"])

    def _sent(self):
        return [path for method, path, _body in self.twin.requests if method == "POST"]

    def test_commit_sends_and_the_answer_is_durable(self):
        with self._env() as env:
            self._draft(env).action_post()
            self.assertEqual(self._sent(), [], "nothing leaves before the commit")
        self.assertEqual(len(self._sent()), 1)
        self.assertEqual([seal["state"] for seal in self._seals()], ["certified"])

    def test_rollback_sends_nothing_and_leaves_no_seal(self):
        with self.assertRaises(ZeroDivisionError), self._env() as env:
            self._draft(env).action_post()
            raise ZeroDivisionError
        self.assertEqual((self._sent(), self._seals()), ([], []))

    def test_request_that_odoo_replays_is_sent_once(self):
        move_id = self._committed_draft()
        tries = []
        with self.registry.cursor() as cr, patch("odoo.service.model.time.sleep"):
            env = api.Environment(cr, SUPERUSER_ID, {})

            def post():
                tries.append(1)
                env["account.move"].browse(move_id).action_post()
                env.flush_all()
                if len(tries) == 1:
                    raise ConcurrencyError("concurrent update")

            retrying(post, env)
        self.assertEqual(len(tries), 2)
        self.assertEqual(len(self._sent()), 1)
        self.assertEqual([seal["state"] for seal in self._seals()], ["certified"])

    def test_reading_the_status_of_an_outlet_holds_up_no_sale(self):
        alarms = [{"code": "regularisation_due", "level": "critical"}]
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            outlet = env.ref("bonopay_fiscal.demo_outlet_kin001")._free_to_write()
            self.assertTrue(outlet)
            outlet._take_status(dgi_status.parse({"counts": {"queued": 1}, "alarms": alarms, "devices": [{}]}))
            env.flush_all()
            with self._env() as other:
                other.cr.execute("SET LOCAL lock_timeout = '10s'")
                self._draft(other).action_post()
                self.assertFalse(
                    other.ref("bonopay_fiscal.demo_outlet_kin001")._free_to_write(), "one reader at a time"
                )
            self.assertEqual([seal["state"] for seal in self._seals()], ["certified"])
            cr.rollback()

    def test_two_users_post_at_once(self):
        drafts = [self._committed_draft() for _number in range(2)]
        barrier = threading.Barrier(2, timeout=30)
        failures = []

        def post(move_id):
            try:
                with self.registry.cursor() as cr:
                    env = api.Environment(cr, SUPERUSER_ID, {})
                    waited = []

                    def work():
                        if not waited:
                            waited.append(barrier.wait())
                        env["account.move"].browse(move_id).action_post()

                    retrying(work, env)
            except Exception as error:  # noqa: BLE001 - handed to the test's thread
                failures.append(error)

        # the thread that loaded the modules runs the tests and still holds the registry's lock
        with patch.object(Registry, "_lock", threading.RLock()):
            threads = [threading.Thread(target=post, args=[move_id]) for move_id in drafts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        self.assertEqual(failures, [])
        seals = self._seals()
        self.assertEqual([seal["state"] for seal in seals], ["certified"] * 2)
        self.assertEqual(len({seal["fiscal_number"] for seal in seals}), 2)
        self.assertEqual(len(self._sent()), 2)

    def test_hook_and_cron_never_send_the_same_document_together(self):
        with patch.object(bonopay_seal_outbox, "_send_in_own_cursor"), self._env() as env:
            self._draft(env).action_post()
        with self._env() as holder, self._env() as other:
            domain = [("move_id", "in", self.moves)]
            self.assertTrue(holder["bonopay.seal"].search(domain).try_lock_for_update())
            other.cr.execute("SET LOCAL lock_timeout = '5s'")
            self.assertTrue(other["bonopay.seal"].search(domain)._process())
            self.assertEqual(self._sent(), [])
        with self._env() as env:
            env["bonopay.seal"]._cron_send()
        self.assertEqual(len(self._sent()), 1)
        self.assertEqual([seal["state"] for seal in self._seals()], ["certified"])

    def test_no_row_is_locked_while_a_batch_is_under_way_and_nobody_else_sends_it(self):
        with patch.object(bonopay_seal_outbox, "_send_in_own_cursor"), self._env() as env:
            env["account.move"].browse([self._draft(env).id for _number in range(2)]).action_post()
        domain = [("move_id", "in", self.moves)]
        real = SignerConnection.seal_batch
        seen = []

        def watch(connection, documents):
            with self._env() as other:
                seals = other["bonopay.seal"].search(domain)
                seen.append(len(seals.try_lock_for_update()))
                seen.append(seals.filtered_domain([*other["bonopay.seal"]._due_domain()]).ids)
            # nor does the request of the user who posted
            bonopay_seal_outbox._send_in_own_cursor(self.registry, tuple(seals.ids))
            return real(connection, documents)

        with patch.object(SignerConnection, "seal_batch", watch), self._env() as env:
            env["bonopay.seal"]._cron_send()
        self.assertEqual(seen, [2, []])
        self.assertEqual(self._sent(), ["/api/v1/invoices/batch"])
        self.assertEqual([seal["state"] for seal in self._seals()], ["certified"] * 2)

    def test_worker_with_an_old_snapshot_does_not_undo_an_answer(self):
        with patch.object(bonopay_seal_outbox, "_send_in_own_cursor"), self._env() as env:
            self._draft(env).action_post()
        domain = [("move_id", "in", self.moves)]
        with self._env() as stale:
            seal = stale["bonopay.seal"].search(domain)
            self.assertEqual(seal.state, "to_seal")
            with self._env() as env:
                env["bonopay.seal"].search(domain)._process()
            with self.assertLogs("odoo.sql_db", "ERROR"):
                self.assertTrue(seal._process_surely())
        self.assertEqual([seal["state"] for seal in self._seals()], ["certified"])
        self.assertEqual(len(self._sent()), 1)

    def test_failure_after_the_commit_does_not_fail_the_request(self):
        with (
            patch.object(self.registry["bonopay.seal"], "_process_surely", side_effect=RuntimeError("boom")),
            self.assertLogs(bonopay_seal_outbox._logger, "ERROR"),
            self._env() as env,
        ):
            self._draft(env).action_post()
        self.assertEqual([seal["state"] for seal in self._seals()], ["to_seal"])

    def _seconds_held(self, *hangs):
        """How long a person who posts waits for signers that hang, one document for each."""
        self.twin.forget_hangs()
        for seconds, drip in hangs:
            self.twin.hang_next(seconds, drip)
        self.addCleanup(self.twin.forget_hangs)
        with self._env() as env:
            env["account.move"].browse([self._draft(env).id for _hang in hangs]).action_post()
            env.flush_all()
            started = time.monotonic()
        return time.monotonic() - started

    def test_whoever_posts_waits_three_seconds_at_most_whatever_the_signer_does(self):
        for hangs in ([(8, False)], [(8, True)], [(0.9, False)] * 5):
            with self.subTest(hangs=hangs):
                self.assertLess(self._seconds_held(*hangs), 3)

    def test_a_request_that_was_cut_short_is_asked_for_by_the_cron_and_sealed_once(self):
        sealed = len(self.twin.sealed)
        self._seconds_held((3, False))
        [seal] = self._seals()
        self.assertEqual((seal["state"], seal["fiscal_number"]), ("to_seal", False), "what came of it is not known")
        self.assertEqual(len(self.twin.sealed), sealed + 1, "the signer sealed it all the same")
        with self._env() as env:
            self.assertEqual(
                env["bonopay.seal"].search([("move_id", "in", self.moves)]).last_error_code, "signer_timeout"
            )
            env["bonopay.seal"]._cron_send()
        [seal] = self._seals()
        self.assertEqual(seal["state"], "certified")
        self.assertIn(seal["fiscal_number"], self.twin.sealed)
        self.assertEqual(len(self.twin.sealed), sealed + 1)
        self.assertEqual(len({body for _method, _path, body in self.twin.requests}), 1, "the same bytes both times")

    def test_silence_leaves_the_rest_of_a_batch_to_the_cron(self):
        with self._env() as env:
            env["res.company"].browse(self.company_id).bonopay_configure("http://127.0.0.1:9", API_KEY)
        with self._env() as env:
            moves = env["account.move"].browse([self._draft(env).id for _number in range(3)])
            moves.action_post()
        with self._env() as env:
            attempts = env["bonopay.seal"].search([("move_id", "in", self.moves)]).mapped("attempts")
            self.assertEqual(sorted(attempts), [0, 0, 1])
            cron = env.ref("bonopay_fiscal.ir_cron_send")
            self.assertTrue(env["ir.cron.trigger"].search([("cron_id", "=", cron.id)]))
            env["ir.cron.trigger"].search([("cron_id", "=", cron.id)]).unlink()
