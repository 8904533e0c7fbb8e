import ast
from pathlib import Path

from odoo.exceptions import UserError
from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import tagged
from odoo.tools import convert_file

from ..core import dgi_status
from .common import FiscalCase, migration
from .signer_twin import API_KEY, alarm, calm_status

ROOT = Path(__file__).parents[1]


@tagged("post_install", "-at_install")
class TestLifeOfADatabase(FiscalCase):
    def test_neutralised_copy_cannot_reach_the_signer_and_still_posts(self):
        self.outlet.test_mode = False
        sealed = self.post()
        self.twin.statuses["KIN001"] = {
            **calm_status("KIN001"), "alarms": [alarm("token_expired", "critical")], "counts": {"queued": 1},
            "devices": [{"kind": "emcf"}], "closed": True,
        }  # fmt: skip
        self.outlet._read_status()
        devices = self.outlet.device_ids
        self.neutralize()
        self.assertFalse(self.company.bonopay_key_set)
        self.assertEqual(self.company.bonopay_signer_url, "http://127.0.0.1:9")
        self.assertTrue(self.outlet.test_mode)
        self.assertFalse(self.outlet.alarm_ids | self.outlet.alarm_ids.search([]))
        self.assertFalse(devices.exists())
        status = {*dgi_status.parse({}).values, "dgi_read_at", "dgi_asked_at", "dgi_error"}
        self.assertFalse({name for name in status if self.outlet[name]}, "nothing of the original's status is left")
        self.assertEqual((self.outlet.dgi_level, self.outlet.dgi_rank), ("unread", 2))
        requests = len(self.twin.requests)
        outlets = self.env["bonopay.outlet"]
        self.assertNotIn(self.outlet, outlets.search(outlets._due_status_domain()))
        self.assertNotIn(self.company, self.company._bonopay_rate_companies())
        move = self.post()
        self.assertEqual((move.state, move.bonopay_state), ("posted", "to_seal"))
        self.assertTrue(move.bonopay_seal_id.test_mode)
        self.assertEqual(len(self.twin.requests), requests)
        self.assertEqual(sealed.bonopay_state, "certified", "history stays readable")

    def neutralize(self):
        self.env.flush_all()
        for query in get_neutralization_queries(["bonopay_fiscal"]):
            self.env.cr.execute(query)
        self.env.invalidate_all(flush=False)
        # a real copy is neutralised before anybody reads its system parameters
        self.env.registry.clear_cache("stable")
        self.addCleanup(self.env.registry.clear_cache, "stable")

    def test_what_waited_in_the_original_is_never_sent_by_a_copy(self):
        """Not by the cron, not by a button, not in a batch: also when the copy has a signer of its own."""
        self.outlet.test_mode = False
        waiting, dead, pending = self.post(send=False), self.post(send=False), self.post(send=False)
        dead.bonopay_seal_id._as_writer().write({"state": "dead"})
        self.twin.dgi_status = "pending"
        pending.bonopay_seal_id._process()
        self.env["ir.config_parameter"].set_param("bonopay_fiscal.test_signer_url", f" {self.twin.url} ")
        self.neutralize()
        self.twin.dgi_status = "certified"
        self.assertEqual(self.company.bonopay_signer_url, self.twin.url)
        self.company.bonopay_configure(self.twin.url, API_KEY)
        requests = len(self.twin.requests)
        moves = waiting | dead | pending
        seals = moves.bonopay_seal_id
        self.assertFalse(seals.filtered_domain(seals._due_domain()))
        for seal in seals:
            seal._as_writer().write({"next_attempt_at": "2026-01-01 00:00:00"})
            self.assertTrue(seal._process())
            with self.assertRaisesRegex(UserError, "is a copy"):
                seal.move_id.action_bonopay_seal_now()
        self.assertFalse(seals._lease())
        self.assertEqual(len(self.twin.requests), requests)
        self.assertEqual(moves.mapped("bonopay_state"), ["to_seal", "dead", "sealed"])
        self.assertIn("copy", waiting.bonopay_message)
        self.assertEqual((self.outlet.state, self.outlet.test_mode), ("test", True))
        tried = self.post()
        self.assertEqual((tried.bonopay_state, tried.bonopay_is_test), ("certified", True))

    def test_a_copy_of_which_nobody_said_where_to_test_points_nowhere(self):
        for value in ("", "signer.example.com", "javascript:x"):
            self.company.bonopay_signer_url = self.twin.url
            self.env["ir.config_parameter"].set_param("bonopay_fiscal.test_signer_url", value)
            self.neutralize()
            self.assertEqual(self.company.bonopay_signer_url, "http://127.0.0.1:9", value)

    def test_upgrade_keeps_what_people_set_and_what_was_sealed(self):
        move = self.post()
        self.env.flush_all()
        self.env.cr.execute("SELECT to_jsonb(s) FROM bonopay_seal s WHERE id = %s", [move.bonopay_seal_id.id])
        before = self.env.cr.fetchone()
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param("bonopay_fiscal.read_timeout", "7")
        cron = self.env.ref("bonopay_fiscal.ir_cron_send")
        cron.interval_number = 3
        self.twin.statuses["KIN001"] = {**calm_status("KIN001"), "alarms": [alarm("token_expired", "critical")]}
        self.env.ref("base.user_admin").company_ids |= self.company
        self.outlet.manager_id = self.env.ref("base.user_admin")
        self.outlet._read_status()
        self.company.bonopay_take_rate = False
        manifest = ast.literal_eval((ROOT / "__manifest__.py").read_text())
        for path in manifest["data"]:
            convert_file(self.env, "bonopay_fiscal", path, {}, mode="update", noupdate=False)
        self.env["account.chart.template"]._bonopay_upgrade_companies()
        self.env.flush_all()
        self.env.cr.execute("SELECT to_jsonb(s) FROM bonopay_seal s WHERE id = %s", [move.bonopay_seal_id.id])
        self.assertEqual(self.env.cr.fetchone(), before)
        self.assertTrue(self.company.bonopay_key_set)
        self.assertEqual(parameters.get_param("bonopay_fiscal.read_timeout"), "7")
        self.assertEqual(cron.interval_number, 3)
        self.assertEqual((self.outlet.dgi_level, len(self.outlet.activity_ids)), ("critical", 1))
        self.assertFalse(self.company.bonopay_take_rate)
        self.assertEqual(self.journal.bonopay_outlet_id, self.outlet)
        self.assertEqual(self.tax_b.bonopay_group, "B")

    def test_upgrade_leaves_the_rates_of_companies_alone_that_keep_their_own(self):
        values = {"currency_id": self.env.ref("base.USD").id, "name": "2026-01-15", "rate": 0.0005}
        keeping = self._make_bare_company("Garde ses taux")
        branch = self.env["res.company"].create({"name": "Succursale", "parent_id": keeping.id})
        self.env["res.currency.rate"].create({**values, "company_id": keeping.id})
        self.env["res.currency.rate"].create({**values, "company_id": False})
        migration("19.0.1.1.0", "post-keep_own_rates").migrate(self.env.cr, "19.0.1.0.0")
        self.env.invalidate_all()
        self.assertEqual((keeping.bonopay_take_rate, branch.bonopay_take_rate), (False, False))
        self.assertTrue(self.company.bonopay_take_rate)

    def test_no_way_to_uninstall_leaves_out_the_question(self):
        module = self.env["ir.module.module"].search([("name", "=", "bonopay_fiscal")])
        self.post(send=False)  # its seal may be on the way
        for call in (
            module.button_uninstall,
            module.module_uninstall,
            lambda: module.write({"state": "to remove"}),
            lambda: (module | self.env.ref("base.module_account")).write({"state": "to remove"}),
        ):
            with self.assertRaisesRegex(UserError, "cannot be uninstalled"), self.env.cr.savepoint():
                call()
        self.assertEqual(module.state, "installed")
