"""The onboarding: from nothing to an outlet that sells in earnest, past no red check."""

from unittest.mock import patch

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from ..models.bonopay_readiness import check
from .common import FiscalCase, fiscal_user, trap_seals
from .signer_twin import API_KEY, registered


class OnboardingCase(FiscalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = fiscal_user(cls.env, "bp_manager", "bonopay_fiscal.group_fiscal_manager", cls.company)
        cls.kinshasa = cls.env["res.country.state"].search(
            [("country_id", "=", cls.env.ref("base.cd").id), ("code", "=", "KN")]
        )
        cls.home = {"street": "1, avenue du Port", "city": "Kinshasa", "state_id": cls.kinshasa.id}

    def setUp(self):
        super().setUp()
        self.twin.outlets = {code: registered(code) for code in ("KIN001", "KIN002")}
        self.twin.clock_ahead = 0

    def opened(self, user=None):
        company = self.company.with_user(user or self.manager)
        action = company.env["bonopay.onboarding"]._open(company)
        return company.env["bonopay.onboarding"].browse(action["res_id"])

    def ready_outlet(self):
        """An outlet of which nothing is missing, beside a company that sold for a test."""
        self.post()
        journal = self.journal.copy({"code": "KIN2"})
        values = {"name": "Gombe", "code": "KIN002", "journal_ids": [Command.set(journal.ids)], **self.home}
        return self.env["bonopay.outlet"].create(values)

    def levels(self, onboarding, outlet=None):
        """Code → level of the checks of the company, or of an outlet."""
        own = onboarding.check_ids.filtered(lambda one: one.outlet_id.id == (outlet.id if outlet else False))
        return {one.code: one.level for one in own}


@tagged("post_install", "-at_install")
class TestTheWayThrough(OnboardingCase):
    def test_from_nothing_to_a_live_outlet(self):
        self.company.bonopay_configure(False, False)
        self.outlet.unlink()
        onboarding = self.opened()
        self.assertEqual(onboarding.step, "connect")
        with Form(onboarding) as form:
            form.signer_url, form.new_api_key = self.twin.url, API_KEY
        onboarding.action_next()
        self.assertEqual((onboarding.step, onboarding.error_message), ("outlets", False))
        self.assertTrue(self.company.bonopay_key_set)
        self.assertFalse(onboarding.new_api_key, "a key is never shown")
        self.assertEqual(onboarding.line_ids.mapped("code"), ["KIN001", "KIN002"])
        tests, earnest = onboarding.line_ids
        tests.write({"attach": True, "for_tests": True, "journal_id": self.journal.id})
        earnest.write({"attach": True, "journal_id": self.journal.copy({"code": "KIN2"}).id})
        onboarding.action_next()
        self.assertEqual((tests.outlet_id.state, earnest.outlet_id.state), ("test", "preparation"))
        self.assertEqual(earnest.outlet_id.nim, "CD01000001-1")
        self.assertEqual(onboarding.step, "checks")
        self.assertEqual(self.levels(onboarding)["test_sale"], "fault")
        earnest.outlet_id.write(self.home)
        self.sell(onboarding)
        with self.assertRaisesRegex(UserError, "used for tests|test documents"):
            tests.action_go_live()
        earnest.action_go_live()
        self.assertEqual(earnest.outlet_id.state, "live")

    def sell(self, onboarding):
        onboarding.action_next()
        self.assertEqual((onboarding.step, onboarding.test_outlet_id.code), ("sale", "KIN001"))
        with trap_seals(self.env) as trapped:
            onboarding.action_make_test_sale()
        trapped.send()
        self.assertEqual(onboarding.sale_state, "certified")
        self.assertTrue(onboarding.sale_code)
        self.assertTrue(onboarding.sale_id.bonopay_is_test)
        with trap_seals(self.env) as trapped:
            onboarding.action_cancel_test_sale()
        trapped.send()
        self.assertEqual(onboarding.credit_state, "certified")
        self.assertEqual(onboarding.sale_id.amount_total_signed + onboarding.credit_id.amount_total_signed, 0)
        onboarding.action_next()
        self.assertEqual(onboarding.step, "live")
        self.assertTrue(onboarding.line_ids)

    def test_without_a_signer_it_stays_and_says_why(self):
        self.company.bonopay_configure("http://127.0.0.1:9", "key")
        onboarding = self.opened()
        onboarding._enter("connect")
        onboarding.action_next()
        self.assertEqual(onboarding.step, "connect")
        self.assertIn("cannot be reached", onboarding.error_message)
        self.company.bonopay_configure(self.twin.url, "wrong")
        onboarding.invalidate_recordset()
        onboarding.write({"signer_url": self.twin.url, "shown_signer_url": self.twin.url})
        onboarding.action_next()
        self.assertIn("unknown key", onboarding.error_message)

    def test_a_signer_without_outlets_tells_the_operator_s_command(self):
        self.twin.outlets = {}
        onboarding = self.opened()
        onboarding._enter("outlets")
        self.assertEqual(onboarding.line_ids.mapped("known"), [False], "the company's own is not known there")
        self.assertIn("outlet add --id KIN001 --merchant A1234567B", onboarding.operator_command)
        onboarding.line_ids.attach = True
        onboarding.action_next()
        self.assertEqual(self.env["bonopay.outlet"].search_count([("company_id", "=", self.company.id)]), 1)

    def test_an_outlet_that_is_there_is_not_attached_twice(self):
        onboarding = self.opened()
        onboarding._enter("outlets")
        self.assertEqual(onboarding.line_ids.outlet_id, self.outlet)
        onboarding.line_ids.attach = True
        onboarding.action_next()
        codes = self.env["bonopay.outlet"].search([("company_id", "=", self.company.id)]).mapped("code")
        self.assertEqual(codes, ["KIN001", "KIN002"])

    def test_a_sale_for_a_test_is_made_under_an_outlet_for_tests_only(self):
        onboarding = self.opened()
        for state in ("live", "suspended"):
            self.outlet.state = state
            onboarding.test_outlet_id = self.outlet
            with self.assertRaisesRegex(UserError, "in test"):
                onboarding.action_make_test_sale()

    def test_only_who_manages_the_company_walks_through_it(self):
        clerk = fiscal_user(self.env, "bp_clerk", "account.group_account_invoice", self.company)
        with self.assertRaises(AccessError):
            self.opened(clerk)
        other = self._make_bare_company("Autre SARL")
        stranger = fiscal_user(self.env, "bp_other", "bonopay_fiscal.group_fiscal_manager", other)
        with self.assertRaises(AccessError):
            self.opened(stranger)


@tagged("post_install", "-at_install")
class TestTheChecks(OnboardingCase):
    def test_of_a_company_that_is_ready_none_is_red(self):
        outlet = self.ready_outlet()
        onboarding = self.opened()
        self.assertEqual(onboarding.step, "checks")
        self.assertEqual({*self.levels(onboarding).values()} - {"hint"}, {"ok"})
        self.assertEqual({*self.levels(onboarding, outlet).values()}, {"ok"})
        onboarding._enter("live")
        line = onboarding.line_ids.filtered(lambda one: one.outlet_id == outlet)
        self.assertEqual(line.fault_count, 0)
        line.action_go_live()
        self.assertEqual(outlet.state, "live")

    def test_of_outlets_that_are_live_the_signer_is_not_asked_one_by_one(self):
        outlet = self.ready_outlet()
        outlet.sudo().state = "live"
        third = self.env["bonopay.outlet"].create({"name": "Limete", "code": "KIN003", "state": "live"})
        self.twin.outlets["KIN003"] = registered("KIN003")
        asked = lambda: [path[-6:] for _m, path, _b in self.twin.requests if "/outlets/" in path]  # noqa: E731
        self.twin.requests.clear()
        onboarding = self.opened()
        self.assertEqual(asked(), ["KIN001"])
        self.assertEqual(onboarding.check_ids.outlet_id, self.outlet)
        self.assertEqual(onboarding.line_ids.outlet_id, self.outlet | outlet | third, "the last step shows them all")
        self.outlet.action_close()
        self.company.vat = "Z9999999Z"
        self.twin.requests.clear()
        onboarding = self.opened()
        self.assertEqual((len(asked()), onboarding.check_ids.outlet_id.ids), (1, []))
        self.assertEqual(self.levels(onboarding)["nif"], "fault", "one of them names the company")

    def assert_red(self, outlet, *codes):
        """These checks are red, each with its reason and a way there, and the server refuses to go live."""
        onboarding = self.opened()
        red = onboarding.check_ids.filtered(lambda one: one.level == "fault")
        of_others = red.filtered(lambda one: one.outlet_id and one.outlet_id != outlet)
        self.assertEqual(set((red - of_others).mapped("code")), set(codes))
        for one in red:
            self.assertTrue(one.words, one.code)
            # a clock is put right outside of Odoo
            self.assertTrue(one.res_ids or one.step or one.code == "clock", one.code)
        line = onboarding.line_ids.filtered(lambda one: one.outlet_id == outlet)
        with self.assertRaises(UserError) as caught:
            line.action_go_live()
        for one in red - of_others:
            self.assertIn(one.words, str(caught.exception))
        self.assertEqual(outlet.state, "preparation")
        return red - of_others

    def test_each_red_check_of_the_outlet_keeps_it_from_going_live(self):
        outlet = self.ready_outlet()
        journals = outlet.journal_ids
        for spoil, mend, code in (
            ({"street": False}, {"street": "1, avenue du Port"}, "address"),
            ({"city": False}, {"city": "Kinshasa"}, "address"),
            ({"state_id": False}, {"state_id": self.kinshasa.id}, "province"),
            ({"journal_ids": [Command.clear()]}, {"journal_ids": [Command.set(journals.ids)]}, "journals"),
            ({"dgi_closed": True}, {"dgi_closed": False}, "device"),
        ):
            outlet.write(spoil)
            red = self.assert_red(outlet, code)
            self.assertEqual(red.action_open()["res_id"], outlet.id)
            outlet.write(mend)
        del self.twin.outlets["KIN002"]
        outlet.write({"nim": "CD01000001-1", "isf": "BON-DEM-01"})
        self.assert_red(outlet, "known")

    def test_sfe_1_3_without_isf_and_nim_no_outlet_goes_live(self):
        outlet = self.ready_outlet()
        self.twin.outlets["KIN002"] |= {"nim": None, "isf": ""}
        self.assertIn("NIM, ISF", self.assert_red(outlet, "identity").words)
        self.twin.outlets["KIN002"] |= {"nim": "CD01000001-1"}
        self.assertRegex(self.assert_red(outlet, "identity").words, "told no ISF")

    def test_034_15_version_and_fingerprint_of_the_fiscal_core_are_shown(self):
        core = self.opened().check_ids.filtered(lambda one: one.code == "core")
        self.assertEqual((core.level, core.words), ("ok", f"Version 1.1.1, {self.twin.core['fingerprint']}"))

    def test_a_device_that_is_not_ready_is_red_with_the_signer_s_words(self):
        outlet = self.ready_outlet()
        down = {"mode": "inline", "state": "unreachable", "detail": "no answer in 15 s"}
        answer = type(self.twin)._outlet
        told = lambda twin, code: (200, {**answer(twin, code)[1], "dgi": down})  # noqa: E731
        with patch.object(type(self.twin), "_outlet", told):
            self.assertIn("no answer in 15 s", self.assert_red(outlet, "device").words)

    def test_each_red_check_of_the_company_keeps_it_from_going_live(self):
        outlet = self.ready_outlet()
        self.company.vat = "Z9999999Z"
        self.assertIn("Z9999999Z here, A1234567B at the signer", self.assert_red(outlet, "nif").words)
        self.company.vat = False
        self.assert_red(outlet, "nif")
        self.company.vat = "A1234567B"
        self.tax_b.bonopay_group = False
        red = self.assert_red(outlet, "taxes")
        self.assertIn(self.tax_b.name, red.words)
        self.assertEqual(red.action_open()["res_id"], self.tax_b.id)
        self.tax_b.bonopay_group = "B"
        self.rice.bonopay_item_type = False
        self.assertIn("Riz 25 kg", self.assert_red(outlet, "products").words)
        self.rice.bonopay_item_type = "BIE"
        self.twin.clock_ahead = -400
        self.assertIn("seconds apart", self.assert_red(outlet, "clock").words)
        self.twin.clock_ahead = 0
        self.company.bonopay_configure(self.twin.url, "wrong")
        self.assert_red(outlet, "connection")

    def test_without_a_sale_that_the_dgi_normalised_nothing_goes_live(self):
        outlet = self.ready_outlet()
        self.env.cr.execute("UPDATE bonopay_seal SET state = 'to_seal'")
        self.env.invalidate_all()
        onboarding = self.assert_red(outlet, "test_sale").onboarding_id
        red = onboarding.check_ids.filtered(lambda one: one.code == "test_sale")
        self.assertIsNone(red.action_open(), "leads to the step of the test sale")
        self.assertEqual(onboarding.step, "sale")

    def test_hints_are_shown_and_keep_nothing_from_going_live(self):
        outlet = self.ready_outlet()
        self.rice.default_code = False
        self.client.write({"bonopay_client_type": False, "customer_rank": 1})
        outlet.price_mode = "ttc"
        self.twin.clock_ahead = 60
        onboarding = self.opened()
        levels = {**self.levels(onboarding), **self.levels(onboarding, outlet)}
        for code in ("product_codes", "clients", "price_mode", "clock"):
            self.assertEqual(levels[code], "hint", code)
        clients = onboarding.check_ids.filtered(lambda one: one.code == "clients")
        self.assertIn("Client SARL", clients.words)
        self.assertTrue(clients.action_open())
        onboarding.line_ids.filtered(lambda one: one.outlet_id == outlet).action_go_live()
        self.assertEqual(outlet.state, "live")

    def test_a_module_adds_a_check_by_extending_the_registry(self):
        outlet = self.ready_outlet()
        company, original = type(self.company), type(self.company)._bonopay_readiness_checks

        def with_tills(companies):
            tills = lambda told: check("tills", "Tills", "No printer.", record=companies)  # noqa: E731
            return [*original(companies), tills]

        with patch.object(company, "_bonopay_readiness_checks", with_tills):
            self.assert_red(outlet, "tills")

    def test_progress_is_told_in_numbers(self):
        onboarding = self.opened()
        self.assertGreater(onboarding.progress, 0)
        self.assertEqual(onboarding.fault_count, len(onboarding.check_ids.filtered(lambda one: one.level == "fault")))
        self.assertFalse(onboarding.passed)
