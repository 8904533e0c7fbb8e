"""Answers about the DGI's tables that cannot be believed, or that say what cannot be taken (row 49)."""

from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged

from .test_dgi_tables import DgiTablesCase


@tagged("post_install", "-at_install")
class TestStrangeTables(DgiTablesCase):
    def test_row_49_an_answer_that_cannot_be_believed_changes_nothing_and_says_so(self):
        rows = self.env["bonopay.tax.rate"].search([]).mapped(lambda row: (row.id, row.rate, row.valid_to))
        address = self.told({"C": ("4", -3)})
        strange = [
            None, [None], "tables", [{**address, "tables": {}}], [{**address, "differences": None}],
            [{**address, "answered_at": "hier"}], [self.told({"C": ("NaN", -3)})], [self.told({"C": ("-4", -3)})],
            [self.told({"C": ("4.125", -3)})], [self.told({"C": (None, -3)})], [self.told({"C": ("100", -3)})],
            [self.told({"C": ("4", 2)})], [self.told(codes={"item_types": [f"X{number}" for number in range(501)]})],
        ]  # fmt: skip
        for number, addresses in enumerate(strange):
            self.twin.addresses = addresses
            self.run_cron()
            now = self.env["bonopay.tax.rate"].search([]).mapped(lambda row: (row.id, row.rate, row.valid_to))
            self.assertEqual(now, rows, number)
            self.assertIn("cannot be read", self.company.bonopay_reference_words, number)
        self.assertFalse(self.calls())

    def test_row_49_a_signer_whose_clock_is_ahead_does_not_put_off_the_next_reading(self):
        self.twin.addresses[0]["answered_at"] = "2090-01-01T08:00:00Z"
        self.run_cron()
        self.assertFalse(self.company.bonopay_reference_error)
        self.assertLessEqual(self.company.bonopay_reference_read_at, fields.Datetime.now())
        with freeze_time(fields.Datetime.now() + timedelta(hours=24)):
            self.assertIn(self.company, self.env["res.company"]._bonopay_reference_due())

    def test_row_49_a_dollar_that_cannot_be_read_does_not_cost_what_was_read_of_the_tables(self):
        self.addCleanup(setattr, self.twin, "usd", self.twin.usd)
        self.tell({"C": ("4", -3)})
        for usd, taken in (({"rate": "x"}, True), (["2300"], True), (["2300"], False), ("2300", False)):
            self.twin.usd, self.company.bonopay_take_rate = usd, taken
            told = self.company.bonopay_read_reference_now()["params"]
            self.assertEqual("The dollar's rate was not read" in told["message"], taken)
            self.assertEqual(self.rate_on("C", self.today), 4)

    def test_row_49_a_levy_with_a_rate_and_a_group_that_odoo_does_not_know_are_told_and_not_taken(self):
        self.tell({"L": ("3", -3), "Q": ("3", -3)})
        self.run_cron()
        self.assertEqual(self.rate_on("L", self.today), 0)
        self.assertIn("Odoo keeps 0 %", self.calls().note)
        self.assertIn("Tax groups, Q: the DGI has it since", self.calls().note)

    def test_row_49_a_table_that_the_signer_could_not_read_says_nothing(self):
        self.twin.addresses[0]["tables"]["tax_groups"] = []
        self.twin.addresses[0]["tables"]["invoice_types"] = []
        self.run_cron()
        self.assertFalse(self.calls())
        self.assertIn("those of Odoo", self.company.bonopay_reference_words)

    def test_row_49_an_error_nobody_foresaw_stops_no_other_company(self):
        company, name = self.env.registry["res.company"], "_bonopay_reference_differences"
        with (
            patch.object(company, name, side_effect=RuntimeError("boom")),
            self.assertLogs("odoo.addons.bonopay_fiscal.models.res_company_reference", "ERROR"),
        ):
            self.run_cron()
        self.assertTrue(self.company.bonopay_reference_error)
        self.assertTrue(self.company.bonopay_reference_asked_at)

    def test_row_49_what_was_remembered_of_rates_that_were_taken_back_is_forgotten(self):
        def fails(*args):
            self.assertEqual(self.rate_on("C", self.today), 4, "remembered from here on")
            raise RuntimeError("boom")

        self.tell({"C": ("4", -3)})
        company, name = self.env.registry["res.company"], "_bonopay_reference_differences"
        with (
            patch.object(company, name, fails),
            self.assertLogs("odoo.addons.bonopay_fiscal.models.res_company_reference", "ERROR"),
        ):
            self.run_cron()
        self.assertEqual(self.rate_on("C", self.today), 5)

    def test_row_49_a_name_that_is_taken_in_another_language_costs_neither_the_rate_nor_the_tax(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        tax = self.tax("bonopay_sale_c")
        for english, french in (("Four", "4%"), ("Four C", "4% C")):
            other = tax.with_context(lang="en_US").copy({"name": english, "bonopay_group": "B", "amount": 16})
            other.with_context(lang="fr_FR").name = french
        self.tell({"C": ("4", -3), "O": ("2", -3)})
        self.run_cron()
        self.assertFalse(self.company.bonopay_reference_error)
        self.assertEqual([self.rate_on(letter, self.today) for letter in "CO"], [4, 2])
        prepared = self.env["account.tax"].with_context(active_test=False).search(
            [("company_id", "=", self.company.id), ("bonopay_group", "=", "C"), ("amount", "=", 4)]
        )  # fmt: skip
        self.assertEqual(prepared.with_context(lang="en_US").mapped("name"), ["4%"])
        self.assertEqual(prepared.with_context(lang="fr_FR").mapped("name"), ["4% C 2"])

    def test_row_49_what_fails_beside_the_rates_does_not_cost_them(self):
        self.tell({"C": ("4", -3)})
        tax, company = self.env.registry["account.tax"], self.env.registry["res.company"]
        for model, name, logger in (
            (tax, "_bonopay_prepare_at", "account_tax_proposal"),
            (company, "_bonopay_tell_owner", "res_company_reference"),
        ):
            with (
                self.subTest(name),
                patch.object(model, name, side_effect=RuntimeError("boom")),
                self.assertLogs(f"odoo.addons.bonopay_fiscal.models.{logger}", "ERROR"),
            ):
                self.run_cron()
                self.assertEqual(self.rate_on("C", self.today), 4)
                self.assertFalse(self.company.bonopay_reference_error)
            self.company.bonopay_reference_findings = False
        self.run_cron()
        self.assertIn("Taxes at this rate", self.outlet.activity_ids.sorted("id")[-1:].note)
