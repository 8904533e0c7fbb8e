"""Answers about the DGI's tables that cannot be believed, or that say what cannot be taken (row 49)."""

from unittest.mock import patch

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
            [self.told({"C": ("4", 2)})],
        ]  # fmt: skip
        for number, addresses in enumerate(strange):
            self.twin.addresses = addresses
            self.run_cron()
            now = self.env["bonopay.tax.rate"].search([]).mapped(lambda row: (row.id, row.rate, row.valid_to))
            self.assertEqual(now, rows, number)
            self.assertIn("cannot be read", self.company.bonopay_reference_words, number)
        self.assertFalse(self.calls())

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
