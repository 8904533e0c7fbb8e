"""An outlet from its preparation to its closure: what it sells in each state, and what no way leads back from."""

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from .common import FiscalCase, fiscal_user, migration
from .signer_twin import API_KEY, calm_status


@tagged("post_install", "-at_install")
class TestLifeOfAnOutlet(FiscalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = fiscal_user(cls.env, "bp_manager", "bonopay_fiscal.group_fiscal_manager", cls.company)

    def outlet_in(self, state, code="KIN002"):
        """Another outlet, with a journal of its own."""
        journal = self.journal.copy({"code": code[-3:] + "X", "name": code})
        values = {"name": state, "code": code, "state": state, "journal_ids": [Command.set(journal.ids)]}
        return self.env["bonopay.outlet"].create(values)

    def give_address(self):
        kinshasa = self.env["res.country.state"].search([("country_id.code", "=", "CD"), ("code", "=", "KN")])
        self.outlet.write({"street": "1, avenue du Port", "city": "Kinshasa", "state_id": kinshasa.id})

    def faults(self, outlet):
        return [fault.code for fault in self.draft(journal_id=outlet.journal_ids.id)._bonopay_faults()]

    def test_a_new_outlet_is_in_preparation_and_its_company_sells_as_before(self):
        self.outlet.active = False
        outlet = self.env["bonopay.outlet"].with_user(self.manager).create({"name": "Neuf", "code": "KIN002"})
        self.journal.bonopay_outlet_id = outlet.sudo()
        self.assertEqual((outlet.state, outlet.test_mode), ("preparation", True))
        self.assertFalse(self.company.bonopay_active)
        move = self.post()
        self.assertFalse(move.bonopay_seal_ids)

    def test_what_sells_nothing_refuses_with_the_way_out_and_lets_nothing_through_unsealed(self):
        for number, state in enumerate(("preparation", "suspended", "closed")):
            outlet = self.outlet_in(state, f"KIN10{number}")
            self.assertEqual(self.faults(outlet), [f"outlet.{state}"])
            with self.assertRaisesRegex(UserError, f"KIN10{number}"):
                self.draft(journal_id=outlet.journal_ids.id).action_post()
        self.assertEqual(self.faults(self.outlet_in("live", "KIN109")), [])

    def test_a_suspended_company_sells_nothing_rather_than_unsealed(self):
        self.outlet.state = "live"
        self.outlet.with_user(self.manager).action_suspend()
        self.assertTrue(self.company.bonopay_active, "also without any document yet")
        with self.assertRaisesRegex(UserError, "suspended"):
            self.post()
        self.outlet.sudo().state = "live"
        self.assertEqual(self.post().bonopay_state, "certified")
        self.outlet.with_user(self.manager).action_close()
        with self.assertRaisesRegex(UserError, "closed"):
            self.post()

    def test_a_suspended_outlet_is_resumed_only_past_the_checks_of_one_that_goes_live(self):
        self.outlet.state = "live"
        self.post()
        self.outlet.action_suspend()
        outlet = self.outlet.with_user(self.manager)
        with self.assertRaisesRegex(UserError, "KIN001 cannot be resumed yet:\n• Address: Enter street and city"):
            outlet.action_resume()
        self.assertEqual(outlet.state, "suspended")
        self.give_address()
        self.company.bonopay_configure(self.twin.url, "wrong")
        with self.assertRaisesRegex(UserError, "Connection to the signer: .*unknown key"):
            outlet.action_resume()
        self.company.bonopay_configure(self.twin.url, API_KEY)
        outlet.action_resume()
        self.assertEqual((outlet.state, self.post().bonopay_state), ("live", "certified"))

    def suspended(self):
        """The outlet, which sold in earnest and lacks nothing, as a manager has it."""
        self.outlet.state = "live"
        self.post()
        self.give_address()
        self.outlet.action_suspend()
        return self.outlet.with_user(self.manager)

    def test_a_suspended_outlet_is_resumed_in_an_outage_and_what_it_sells_waits(self):
        outlet = self.suspended()
        down = {"mode": "inline", "state": "unreachable", "detail": "no answer in 15 s"}
        device_down = lambda own: {**own, "dgi": down}  # noqa: E731
        as_it_is = (200, lambda own: own)
        # it is asked for its clock, then for the outlet
        for answers in ([(503, {})], [as_it_is, (502, b"<html>")], [as_it_is, (200, device_down)]):
            for status, body in answers:
                self.twin.answer_next(status, body)
            outlet.action_resume()
            self.assertEqual(outlet.state, "live")
            outlet.action_suspend()
        self.company.bonopay_configure("http://127.0.0.1:9", API_KEY)
        outlet.action_resume()
        self.assertEqual((outlet.state, self.post().bonopay_state), ("live", "to_seal"))

    def test_a_suspended_outlet_that_the_signer_does_not_know_or_has_closed_is_not_resumed(self):
        outlet = self.suspended()
        self.addCleanup(self.twin.outlets.update, dict(self.twin.outlets))
        told = self.twin.outlets.pop("KIN001")
        with self.assertRaisesRegex(UserError, "The signer does not know this outlet"):
            outlet.action_resume()
        self.twin.outlets["KIN001"] = told
        outlet.sudo().dgi_closed = True
        for url in (self.twin.url, "http://127.0.0.1:9"):
            self.company.bonopay_configure(url, API_KEY)
            with self.assertRaisesRegex(UserError, "The signer has closed this outlet"):
                outlet.action_resume()
        self.company.bonopay_configure("http://[signer", API_KEY)
        with self.assertRaisesRegex(UserError, "Connection to the signer"):
            outlet.action_resume()
        self.assertEqual(outlet.state, "suspended")

    def test_what_waits_is_sent_also_after_the_closure(self):
        self.outlet.state = "live"
        move = self.post(send=False)
        self.outlet.action_close()
        move.bonopay_seal_id._process()
        self.assertEqual(move.bonopay_state, "certified")

    def test_an_outlet_that_was_used_for_tests_never_goes_live(self):
        self.post()
        for write in ({"state": "live"}, {"test_mode": False}, {"state": "suspended"}, {"state": "preparation"}):
            with self.assertRaisesRegex(UserError, "KIN001"):
                self.outlet.write(write)
        self.assertEqual((self.outlet.state, self.outlet.test_mode), ("test", True))

    def test_an_outlet_that_sold_in_earnest_never_becomes_one_for_tests(self):
        self.outlet.state = "live"
        self.post()
        for write in ({"state": "test"}, {"test_mode": True}, {"state": "preparation"}):
            with self.assertRaisesRegex(UserError, "KIN001"):
                self.outlet.write(write)
        self.outlet.action_close()
        self.assertFalse(self.outlet.test_mode, "closed, it stays what it was")

    def test_a_closure_is_for_good(self):
        self.outlet.action_close()
        self.assertTrue(self.outlet.test_mode)
        for state in ("preparation", "test", "live", "suspended"):
            with self.assertRaisesRegex(UserError, "closed for good"):
                self.outlet.state = state

    def test_nobody_writes_a_state_past_the_buttons(self):
        outlet = self.outlet.with_user(self.manager)
        for values in ({"state": "live"}, {"test_mode": False}, {"state": "suspended"}):
            with self.assertRaises(AccessError):
                outlet.write(values)
            with self.assertRaises(AccessError):
                outlet.create({"name": "x", "code": "KIN003", **values})
        made = outlet.with_context(default_state="live", default_test_mode=False).create(
            {"name": "x", "code": "KIN003"}
        )
        self.assertEqual((made.state, made.test_mode), ("preparation", True))
        self.assertFalse(hasattr(type(outlet), "action_go_live"), "only the onboarding lets an outlet go live")

    def test_buttons_start_from_the_states_that_they_are_for(self):
        outlet = self.outlet.with_user(self.manager)
        for method in ("action_start_test", "action_suspend", "action_resume"):
            with self.assertRaisesRegex(UserError, "KIN001"):
                getattr(outlet, method)()
        outlet.action_back_to_preparation()
        self.assertEqual(outlet.state, "preparation")
        outlet.action_start_test()
        self.assertEqual(outlet.state, "test")

    def test_row_56_each_step_is_on_record_with_its_person(self):
        self.env.cr.precommit.run()
        outlet = self.outlet.with_user(self.manager).with_context(tracking_disable=False)
        outlet.action_close()
        self.env.cr.precommit.run()
        message = self.outlet.message_ids[:1]
        self.assertIn("state", message.sudo().tracking_value_ids.field_id.mapped("name"))
        self.assertEqual(message.author_id, self.manager.partner_id)

    def test_an_upgrade_finds_outlets_in_the_state_that_they_are_in(self):
        live = self.outlet_in("live")
        self.upgrade()
        self.assertEqual((self.outlet.state, live.state), ("test", "live"))
        self.assertEqual((self.outlet.test_mode, live.test_mode), (True, False))

    def upgrade(self, **ticked):
        """From version 1.2.0, in which anybody ticked the test mode of an outlet, or unticked it, at any time.

        :param ticked: code of an outlet → its test mode in that version
        """
        self.addCleanup(self.env.registry.clear_cache, "stable")  # system parameters
        self.env.flush_all()
        self.env.cr.execute("ALTER TABLE bonopay_outlet ALTER COLUMN state DROP NOT NULL")
        self.env.cr.execute("UPDATE bonopay_outlet SET state = NULL")
        for code, test_mode in ticked.items():
            self.env.cr.execute("UPDATE bonopay_outlet SET test_mode = %s WHERE code = %s", [test_mode, code])
        migration("19.0.1.3.0", "pre-outlet-states").migrate(self.env.cr, "19.0.1.2.0")
        self.env.invalidate_all(flush=False)
        self.env.registry.clear_cache("stable")

    def test_an_outlet_that_was_tried_out_before_the_upgrade_is_suspended_and_resumed(self):
        tried = self.post()
        self.upgrade(KIN001=False)
        self.assertEqual((self.outlet.state, tried.bonopay_is_test), ("live", True))
        self.outlet.with_user(self.manager).action_suspend()
        self.assertEqual(self.outlet.state, "suspended")
        self.give_address()
        self.outlet.with_user(self.manager).action_resume()
        self.assertEqual(self.post().bonopay_state, "certified")

    def test_what_waited_when_an_outlet_was_put_to_tests_before_the_upgrade_is_sent(self):
        self.outlet.state = "live"
        waiting = self.post(send=False)
        self.upgrade(KIN001=True)
        self.assertEqual((self.outlet.state, waiting.bonopay_seal_id.test_mode), ("test", False))
        waiting.bonopay_seal_id._process()
        self.assertEqual(waiting.bonopay_state, "certified")

    def test_what_waited_in_the_original_of_an_upgraded_copy_is_not_sent(self):
        self.outlet.state = "live"
        waiting = self.post(send=False)
        self.env["ir.config_parameter"].set_param("database.is_neutralized", True)
        self.upgrade(KIN001=True)
        requests = len(self.twin.requests)
        self.assertTrue(waiting.bonopay_seal_id._process())
        self.assertEqual((waiting.bonopay_state, len(self.twin.requests)), ("to_seal", requests))
        self.assertEqual(self.post().bonopay_state, "certified")

    def test_the_status_of_a_closed_outlet_is_read_until_nothing_waits(self):
        outlets = self.env["bonopay.outlet"]
        self.outlet.action_close()
        self.assertNotIn(self.outlet, outlets.search(outlets._due_status_domain()))
        self.outlet.waiting_count = 1
        self.assertIn(self.outlet, outlets.search(outlets._due_status_domain()))


@tagged("post_install", "-at_install")
class TestWhatTheSignerSaysOfAnOutlet(FiscalCase):
    def test_row_51_identity_is_read_with_the_status_and_changes_are_on_record(self):
        self.env.cr.precommit.run()
        outlet = self.outlet
        self.assertIsNone(outlet._read_status())
        self.assertEqual((outlet.nim, outlet.isf, outlet.dgi_mode), ("CD01000001-1", "BON-DEM-01", "inline"))
        self.twin.outlets["KIN001"] |= {"nim": "CD01000002-2", "dgi_mode": "deferred", "isf": 7}
        outlet._read_status()
        self.assertEqual(outlet.nim, "CD01000001-1", "asked once an hour")
        outlet.synced_at = "2026-01-01 00:00:00"
        outlet._read_status()
        self.env.cr.precommit.run()
        self.assertEqual((outlet.nim, outlet.isf, outlet.dgi_mode), ("CD01000002-2", "BON-DEM-01", "deferred"))
        tracked = outlet.message_ids[:1].sudo().tracking_value_ids
        self.assertEqual(set(tracked.field_id.mapped("name")), {"nim", "dgi_mode"})

    def test_a_list_that_is_refused_costs_no_status(self):
        self.twin.statuses["KIN001"] = calm_status("KIN001")
        self.twin.answer_next(200, lambda own: own)
        self.twin.problem_next(403, "forbidden")
        self.assertIsNone(self.outlet._read_status())
        self.assertTrue(self.outlet.dgi_read_at)
        self.assertFalse(self.outlet.nim)

    def test_coordinates_are_one_text_and_empty_where_nobody_said_where(self):
        self.assertFalse(self.outlet.coordinates)
        self.outlet.coordinates = " -4.3224; 15.307"
        self.assertEqual((self.outlet.latitude, self.outlet.longitude), (-4.3224, 15.307))
        self.outlet.invalidate_recordset()
        self.assertEqual(self.outlet.coordinates, "-4.3224, 15.307")
        with self.assertRaisesRegex(UserError, "latitude and longitude"):
            self.outlet.coordinates = "Gombe"
        self.outlet.coordinates = False
        self.assertEqual((self.outlet.latitude, self.outlet.longitude), (0, 0))
        with Form(self.outlet) as form:
            self.assertFalse(form.coordinates)
