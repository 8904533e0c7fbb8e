"""The DGI's tables reach Odoo with their dates, and a person decides what is sold with (row 49)."""

from datetime import timedelta
from unittest.mock import patch

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..core import reference
from .common import FiscalCase, fiscal_user, make_company
from .signer_twin import API_KEY, SignerTwin, dgi_tables

NOWHERE = "http://127.0.0.1:9"


class DgiTablesCase(FiscalCase):
    """A company in earnest, whose DGI tells what Odoo has unless a test says otherwise."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outlet.test_mode = False
        cls.owner = fiscal_user(cls.env, "bp_owner", "bonopay_fiscal.group_fiscal_owner", cls.company)
        # whoever is called is called in English, whatever language the database has
        cls.env["res.users"].search([("share", "=", False)]).lang = "en_US"

    def setUp(self):
        super().setUp()
        self.today = self.env["bonopay.tax.group"]._fiscal_day()
        self.twin.day = self.twin.usd["valid_on"] = str(self.today)
        self.tell()

    def day(self, days):
        return self.today + timedelta(days=days)

    def told(self, rates=None, without=(), codes=None, **members):
        """What an address tells: Odoo's own tables but for these rates, letter → rate or ``(rate, days ahead)``."""
        in_force = self.env["bonopay.tax.group"]._rates_on(self.today)
        groups = {letter: str(row.rate) for letter, row in in_force.items()}
        for letter, rate in (rates or {}).items():
            groups[letter] = (rate[0], str(self.day(rate[1]))) if isinstance(rate, tuple) else rate
        groups = {letter: rate for letter, rate in groups.items() if letter not in without}
        return dgi_tables(str(self.today), groups, {**reference.CODES, **(codes or {})}, **members)

    def tell(self, *args, **kwargs):
        self.twin.addresses = [self.told(*args, **kwargs)]

    def run_cron(self):
        self.env["res.company"].search([]).write(
            {"bonopay_reference_asked_at": False, "bonopay_reference_read_at": False}
        )
        self.run_cron_again()

    def run_cron_again(self):
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 100.0):
            self.env["res.company"]._bonopay_cron_read_reference()

    def run_cron_a_day_later(self):
        """As :meth:`run_cron`, where each company keeps what it was told before."""
        before = fields.Datetime.now() - timedelta(days=1)
        read = self.env["res.company"].search([("bonopay_reference_read_at", "!=", False)])
        read.write({"bonopay_reference_asked_at": before, "bonopay_reference_read_at": before})
        self.run_cron_again()

    def rate_on(self, letter, day):
        return float(self.env["bonopay.tax.group"]._rates_on(day)[letter].rate)

    def row_of(self, letter):
        """The latest row of a group."""
        return self.env["bonopay.tax.rate"].search([("group_id.code", "=", letter)], order="valid_from desc", limit=1)

    def calls(self):
        """The activities that call somebody for the tables."""
        return self.outlet.activity_ids.filtered(lambda activity: "tables" in activity.summary)


@tagged("post_install", "-at_install")
class TestRatesThatTheDgiTells(DgiTablesCase):
    def test_row_49_a_new_rate_is_a_row_of_its_own_from_the_day_on_which_the_dgi_told_it(self):
        before = self.row_of("C")
        self.tell({"C": ("4", -3)})
        self.run_cron()
        row = self.row_of("C")
        self.assertEqual((row.rate, row.valid_from, row.valid_to), (4, self.day(-3), False))
        self.assertEqual(row.source, "DGI sandbox.example.com, CD01000001-1")
        self.assertEqual((before.rate, before.valid_to), (5, self.day(-4)))
        self.assertEqual((self.rate_on("C", self.day(-4)), self.rate_on("C", self.today)), (5, 4))
        self.assertEqual(self.rate_on("B", self.today), 16)

    def test_row_49_what_is_told_again_changes_nothing(self):
        rows = self.env["bonopay.tax.rate"].search([])
        self.run_cron()
        self.assertEqual(self.env["bonopay.tax.rate"].search([]), rows)
        self.assertFalse(self.calls())
        self.tell({"C": ("4", -3)})
        self.run_cron()
        rows = self.env["bonopay.tax.rate"].search([])
        self.run_cron()
        self.assertEqual(self.env["bonopay.tax.rate"].search([]), rows)
        self.assertEqual(len(self.calls()), 1)

    def test_row_49_a_rate_that_a_document_was_sealed_with_stays_for_that_day(self):
        tax = self.tax("bonopay_sale_c")
        self.post(self.draft(self.line(tax_ids=[Command.set(tax.ids)])))
        self.tell({"C": ("4", -3), "O": ("2", -3)})
        for _run in range(2):
            self.run_cron()
        self.assertEqual((self.rate_on("C", self.today), self.rate_on("C", self.day(1))), (5, 4))
        self.assertEqual(self.rate_on("O", self.today), 2, "of a group that nothing was sold under")
        self.assertIn("In Odoo from", self.calls().note)

    def test_row_49_what_an_owner_entered_for_that_day_or_a_later_one_stands(self):
        group = self.env.ref("bonopay_fiscal.tax_group_c")
        values = {"group_id": group.id, "rate": 6, "valid_from": self.day(-1), "source": "Arrêté"}
        self.env["bonopay.tax.rate"].create(values)
        rows = self.env["bonopay.tax.rate"].search([])
        self.tell({"C": ("4", -3)})
        self.run_cron()
        self.assertEqual(self.env["bonopay.tax.rate"].search([]), rows)
        self.assertEqual(self.rate_on("C", self.today), 6)
        self.assertIn("Odoo keeps 6 %", self.calls().note)
        self.tell({"C": ("4", 0)})
        self.run_cron()
        self.assertEqual(self.rate_on("C", self.today), 4, "the DGI is newer than the owner")

    def test_row_49_an_owner_who_entered_a_rate_to_come_decides_about_that_of_the_dgi(self):
        group = self.env.ref("bonopay_fiscal.tax_group_c")
        coming = {"group_id": group.id, "rate": 6, "valid_from": self.day(30), "source": "Arrêté"}
        self.env["bonopay.tax.rate"].create(coming)
        self.tell({"C": ("4", -1)})
        self.run_cron()
        self.assertEqual(self.rate_on("C", self.today), 5, "somebody decided for a later day")
        self.assertIn("Odoo keeps 5 %", self.calls().note)

    def test_row_49_a_rate_that_the_dgi_takes_back_goes_before_its_day_and_is_followed_where_it_was_used(self):
        before, tax = self.row_of("C"), self.tax("bonopay_sale_c")
        self.post(self.draft(self.line(tax_ids=[Command.set(tax.ids)])))
        self.tell({"C": ("4", -3), "O": ("2", -3), "G": ("9", -3)})
        self.run_cron()
        told = self.row_of("C")
        self.assertEqual((told.valid_from, told.is_told), (self.day(1), True))
        self.tell({"C": ("5", 0), "O": ("3", 0)}, differing="G")
        self.run_cron()
        self.assertFalse(told.exists(), "it would have begun tomorrow")
        self.assertEqual((self.row_of("C"), before.valid_to), (before, False))
        self.assertEqual([self.rate_on("O", self.day(days)) for days in (-1, 0)], [1, 3])
        self.assertEqual(self.rate_on("G", self.today), 9, "the signer still judges by it")
        at_3 = self.tax("bonopay_sale_o").copy({"name": "Trois", "amount": 3, "active": True})
        self.post(self.draft(self.line(tax_ids=[Command.set(at_3.ids)])))
        self.tell({"O": ("1", 0)})
        self.run_cron()
        self.assertEqual([self.rate_on("O", self.day(days)) for days in (0, 1)], [3, 1], "sold at 3 % today")

    def test_row_49_a_rate_that_a_person_corrects_is_theirs_and_nobody_claims_that_the_dgi_told_one(self):
        self.tell({"C": ("4", -3)})
        self.run_cron()
        row = self.row_of("C")
        row.rate = 6
        self.assertFalse(row.is_told)
        row.is_told = True
        self.assertFalse(row.is_told)
        self.run_cron()
        self.assertEqual(self.rate_on("C", self.today), 6)

    def test_row_49_the_taxes_of_a_new_rate_are_prepared_and_an_owner_decides(self):
        tax = self.tax("bonopay_sale_c")
        self.tell({"C": ("4", -3)})
        self.run_cron()
        made = self.env["account.tax"].with_context(active_test=False).search(
            [("company_id", "=", self.company.id), ("bonopay_group", "=", "C"), ("amount", "=", 4)]
        )  # fmt: skip
        self.assertEqual((made.name, made.active, tax.active, tax.amount), ("4%", False, True, 5))
        self.assertIn("4%", made.tax_group_id.name)
        accounts = [each.repartition_line_ids.mapped("account_id") for each in (made, tax)]
        self.assertEqual(*accounts)
        call = self.calls()
        self.assertEqual(call.user_id, self.owner)
        for words in ("Group C: 4 % since", "before: 5 %", "“5%", "“4%", "Activate the prepared taxes"):
            self.assertIn(words, call.note)
        made.active = True
        tax.active = False
        self.post(self.draft(self.line(tax_ids=[Command.set(made.ids)])))
        self.run_cron()
        self.assertFalse(self.calls(), "decided")
        self.assertIn("those of Odoo", self.company.bonopay_reference_words)

    def test_row_49_a_rate_that_the_signer_does_not_judge_by_yet_stops_no_sale_and_is_taken_when_it_does(self):
        tax = self.tax("bonopay_sale_c")
        self.tell({"C": ("4", -3), "O": ("2", -3)}, differing="CO")
        self.run_cron()
        self.assertEqual([self.rate_on(letter, self.day(9)) for letter in "CO"], [5, 1])
        note = self.calls().note
        for words in ("Group C: the DGI tells 4 %", "Odoo keeps 5 % until", "inactive until then: “4%"):
            self.assertIn(words, note)
        self.assertNotIn("Activate the prepared taxes", note)
        self.post(self.draft(self.line(tax_ids=[Command.set(tax.ids)])))
        self.tell({"C": ("4", -3), "O": ("2", -3)}, differing="O")
        self.run_cron()
        self.assertEqual((self.rate_on("C", self.today), self.rate_on("C", self.day(1))), (5, 4))
        self.assertEqual(self.rate_on("O", self.day(9)), 1)
        self.assertIn("Group C: 4 % since", "".join(self.calls().mapped("note")))

    def test_row_49_an_owner_who_entered_a_rate_before_the_signer_has_it_is_told_that_it_may_be_refused(self):
        group = self.env.ref("bonopay_fiscal.tax_group_c")
        values = {"group_id": group.id, "rate": 4, "valid_from": self.day(-1), "source": "Arrêté"}
        self.env["bonopay.tax.rate"].create(values)
        self.tell({"C": ("4", -3)}, differing="C")
        self.run_cron()
        self.assertIn("fiscal core still has other rates for: C", self.calls().note)

    def test_row_49_a_tax_that_is_there_at_the_new_rate_is_not_made_twice(self):
        tax = self.tax("bonopay_sale_c")
        mine = tax.copy({"name": "Quatre", "amount": 4})
        self.tell({"C": ("4", -3)})
        self.run_cron()
        self.assertIn("“Quatre", self.calls().note)
        found = self.env["account.tax"].with_context(active_test=False).search([("bonopay_group", "=", "C")])
        self.assertEqual(found.filtered(lambda one: one.amount == 4 and one.company_id == self.company), mine)

    def test_row_49_one_activity_is_renewed_and_ends_with_what_it_was_for(self):
        self.tell({"C": ("4", -3)})
        self.run_cron()
        call = self.calls()
        self.tell({"C": ("4", -3)}, without="P")
        self.run_cron()
        self.assertEqual(self.calls(), call)
        for words in ("Group C: 4 %", "Tax groups, P"):
            self.assertIn(words, call.note)
        call.action_feedback()
        self.run_cron()
        self.assertFalse(self.calls(), "an owner has seen it, and nothing is new")
        self.tell({"C": ("4", -3)}, without="PG")
        self.run_cron()
        self.assertEqual(len(self.calls()), 1)
        self.assertIn("Tax groups, G", self.calls().note)
        self.tell({"C": "5"})
        self.run_cron()
        self.assertFalse(self.calls())

    def test_row_49_a_company_that_somebody_is_changing_is_read_later_as_a_whole(self):
        self.tell({"C": ("4", -3)})
        with patch.object(self.env.registry["res.company"], "try_lock_for_update", lambda self, **_: self.browse()):
            self.run_cron()
            with self.assertRaisesRegex(UserError, "changing the company"):
                self.company.bonopay_read_reference_now()
        self.assertEqual(self.rate_on("C", self.today), 5)
        self.assertFalse(
            self.calls() or self.company.bonopay_reference_error or self.company.bonopay_reference_asked_at
        )
        self.run_cron_again()
        self.assertEqual((self.rate_on("C", self.today), len(self.calls())), (4, 1))

    def test_row_49_codes_that_only_one_side_has_are_told_to_the_owner(self):
        types = (reference.CODES["invoice_types"] - {"ET"}) | {"FX"}
        self.tell(without="P", codes={"invoice_types": types})
        self.run_cron()
        note = self.calls().note
        for words in ("Tax groups, P: the DGI no longer has it", "Invoice types, ET: the DGI does not have it",
                      "Invoice types, FX: the DGI has it since"):  # fmt: skip
            self.assertIn(words, note)
        self.assertIn("3 differences", self.company.bonopay_reference_words)
        self.assertFalse(self.row_of("P").valid_to, "a person ends it")

    def test_row_49_addresses_that_disagree_change_nothing(self):
        other = "https://dgi.example.org/edef"
        self.twin.addresses = [self.told({"C": ("4", -3)}), self.told({"C": ("5", -9)}, dgi_url=other)]
        self.run_cron()
        self.assertEqual(self.rate_on("C", self.today), 5)
        self.assertIn("different things at different addresses", self.calls().note)
        self.twin.addresses = [self.told({"C": ("4", -3)}), self.told({"C": ("4", -1)}, dgi_url=other)]
        self.run_cron()
        self.assertEqual(self.row_of("C").valid_from, self.day(-1), "since both tell it")

    def other_company(self, url):
        """The outlet of another main company in earnest."""
        other = make_company(self.env, "Autre SARL", "B7654329Z")
        other.bonopay_configure(url, API_KEY)
        outlet = self.env["bonopay.outlet"].create(
            {"name": "Autre", "code": "LUB001", "company_id": other.id, "state": "live"}
        )
        return outlet

    def test_row_49_a_signer_of_one_company_sets_no_rate_against_what_another_company_is_told(self):
        with SignerTwin() as twin:
            twin.day = twin.usd["valid_on"] = str(self.today)
            twin.addresses = [self.told({"C": ("9", -1)})]
            outlet = self.other_company(twin.url)
            self.run_cron()
            self.run_cron_a_day_later()
            self.assertEqual(self.rate_on("C", self.day(9)), 5)
            for note in (self.calls().note, outlet.activity_ids.note):
                self.assertIn("Tax groups, C: the DGI tells different things", note)
            twin.addresses = [self.told({"C": ("4", -1)})]
            self.tell({"C": ("4", -1)})
            for _run in range(2):  # the one that is asked first goes by what the other was told before
                self.run_cron_a_day_later()
            self.assertEqual(self.rate_on("C", self.today), 4)
            twin.addresses = [self.told({"C": ("9", -1)})]
            self.run_cron_a_day_later()
            outlet.active = False
            self.tell({"C": ("3", 0)})
            self.run_cron_a_day_later()
            self.assertEqual(self.rate_on("C", self.today), 3, "one that is no longer live is not heeded")

    def test_row_49_each_main_company_is_told_of_its_own_taxes_and_the_rate_is_one(self):
        outlet = self.other_company(self.twin.url)
        self.tell({"C": ("4", -3)})
        self.run_cron()
        self.assertEqual(len(self.env["bonopay.tax.rate"].search([("group_id.code", "=", "C"), ("rate", "=", 4)])), 1)
        self.assertIn("Group C: 4 %", self.calls().note)
        self.assertIn("Group C: 4 %", outlet.activity_ids.note)


@tagged("post_install", "-at_install")
class TestReadingTheTables(DgiTablesCase):
    def test_row_49_a_silent_signer_leaves_everything_as_it_was_and_shows(self):
        self.run_cron()
        rows = self.env["bonopay.tax.rate"].search([])
        self.company.bonopay_configure(NOWHERE, API_KEY)
        self.run_cron()
        self.assertEqual(self.env["bonopay.tax.rate"].search([]), rows)
        self.assertRegex(
            self.company.bonopay_reference_words, "Last read on .*; what was read stays.*cannot be reached"
        )
        with self.assertRaisesRegex(UserError, "cannot be reached"):
            self.company.bonopay_read_reference_now()

    def test_row_49_the_tables_are_read_once_a_day_and_again_in_an_hour_when_that_failed(self):
        def asked():
            return len([path for _method, path, _body in self.twin.requests if path == "/api/v1/reference"])

        self.run_cron()
        once = asked()
        self.run_cron_again()
        self.assertEqual(asked(), once)
        self.company.bonopay_reference_asked_at = fields.Datetime.now() - timedelta(hours=1)
        self.run_cron_again()
        self.assertEqual(asked(), once, "an answer is good for a day")
        self.company.bonopay_reference_read_at = fields.Datetime.now() - timedelta(hours=24)
        self.run_cron_again()
        self.assertEqual(asked(), once + 1)

    def test_row_49_a_dgi_that_told_nothing_yet_is_not_taken_for_one_without_tables(self):
        self.twin.addresses = [{**self.told(), "answered_at": None}]
        self.run_cron()
        self.assertFalse(self.calls())
        self.assertIn("has not told its tables", self.company.bonopay_reference_words)

    def test_row_49_the_checks_of_a_company_say_how_the_reading_went(self):
        def found():
            checks = {one.code: one for _outlet, one in self.company._bonopay_readiness()}
            return checks.get("reference")

        self.assertIsNone(found(), "nothing was read yet")
        self.run_cron()
        self.assertEqual(found().level, "ok")
        self.tell({"C": ("4", -3)})
        self.run_cron()
        self.assertEqual(found().level, "hint")
        self.assertIn("1 differences", found().words)

    def test_row_49_an_owner_and_a_manager_refresh_from_the_dgi_and_nobody_else(self):
        self.tell({"C": ("4", -3)})
        rates = self.env["bonopay.tax.rate"]
        clerk = fiscal_user(self.env, "bp_clerk", "account.group_account_invoice", self.company)
        with self.assertRaises(AccessError):
            rates.with_user(clerk).action_refresh_from_dgi()
        self.assertEqual(self.rate_on("C", self.today), 5)
        manager = fiscal_user(self.env, "bp_manager", "bonopay_fiscal.group_fiscal_manager", self.company)
        told = rates.with_user(manager).action_refresh_from_dgi()["params"]["message"]
        self.assertIn("Group C: 4 %", told)
        self.assertIn("2,300.00", told, "the dollar of the day is taken too")
        self.assertEqual(self.rate_on("C", self.today), 4)
        self.company.bonopay_take_rate = False
        told = rates.with_user(self.owner).action_refresh_from_dgi()["params"]["message"]
        self.assertIn("nothing new", told)
        self.assertIn("2300 CDF for 1 USD", told, "proposed where the company does not take it")

    def test_row_49_the_tables_of_a_test_environment_do_not_enter_odoo(self):
        self.outlet.test_mode = True
        self.tell({"C": ("4", -3)})
        self.run_cron()
        self.assertEqual(self.rate_on("C", self.today), 5)
        with self.assertRaisesRegex(UserError, "test environment"):
            self.company.bonopay_read_reference_now()
