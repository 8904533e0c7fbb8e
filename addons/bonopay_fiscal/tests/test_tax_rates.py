import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from unittest import skipUnless

from freezegun import freeze_time
from psycopg2 import IntegrityError

from odoo import Command, fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, TransactionCase, tagged
from odoo.tools import mute_logger

from ..core import dgi
from .common import FiscalCase

VECTORS = Path(__file__).parents[3] / "tests" / "vectors"
LAST_OF_MAY, FIRST_OF_JUNE = fields.Date.to_date("2026-05-31"), fields.Date.to_date("2026-06-01")


@tagged("post_install", "-at_install")
class TestTaxRates(TransactionCase):
    """The DGI's groups and their dated rates."""

    def rates(self, day):
        return {letter: row.rate for letter, row in self.env["bonopay.tax.group"]._rates_on(day).items()}

    def row(self, letter):
        """The open row of a group."""
        return self.env["bonopay.tax.rate"].search([("group_id.code", "=", letter), ("valid_to", "=", False)])

    def add(self, letter, rate, first_day):
        group = self.env.ref(f"bonopay_fiscal.tax_group_{letter.lower()}")
        values = {"group_id": group.id, "rate": rate, "valid_from": first_day, "source": "Arrêté de test"}
        return self.env["bonopay.tax.rate"].create(values)

    def test_sfe_1_12_c_and_g_are_at_8_percent_until_may_2026_and_at_5_since_june(self):
        for letter in "CG":
            self.assertEqual((self.rates(LAST_OF_MAY)[letter], self.rates(FIRST_OF_JUNE)[letter]), (8, 5))

    def test_sfe_1_12_o_and_p_are_not_in_force_before_june_2026(self):
        self.assertEqual(set(dgi.TAX_GROUPS) - set(self.rates(LAST_OF_MAY)), {"O", "P"})
        self.assertEqual({letter: self.rates(FIRST_OF_JUNE)[letter] for letter in "OP"}, {"O": 1, "P": 1})

    def test_sfe_1_12_every_group_is_there_and_levies_are_l_and_n(self):
        groups = self.env["bonopay.tax.group"].search([])
        self.assertEqual(groups.mapped("code"), sorted(dgi.TAX_GROUPS))
        levies = groups.filtered(lambda group: group.item_types == "levies").mapped("code")
        self.assertEqual(set(levies), dgi.LEVY_GROUPS)
        self.assertEqual(self.row("C").label, "Taxable 5%")

    @skipUnless(VECTORS.is_dir(), "the addon was installed without the project's repository around it")
    def test_sfe_1_12_rates_are_those_that_the_signer_judges_by(self):
        told = set()
        for document in _documents():
            day = (datetime.fromisoformat(document["issued_at"]) + timedelta(hours=1)).date()
            for group in document["tax_groups"]:
                self.assertEqual(self.rates(day).get(group["code"]), Decimal(group["rate"]), (group["code"], day))
                told.add((group["code"], group["rate"]))
        self.assertEqual({code for code, _rate in told}, set(dgi.TAX_GROUPS))
        self.assertLessEqual({("C", "8"), ("C", "5")}, told)

    def test_sfe_1_31_a_rate_that_was_used_is_never_edited_nor_deleted(self):
        row = self.row("B")
        for values in (
            {"rate": 15},
            {"valid_from": "2022-02-01"},
            {"source": "x"},
            {"valid_to": "2090-01-01", "rate": 1},
        ):
            with self.assertRaisesRegex(UserError, "is in force since"):
                row.write(values)
        with self.assertRaisesRegex(UserError, "is in force since"):
            row.unlink()
        closed = self.env.ref("bonopay_fiscal.tax_rate_c_2022")
        with self.assertRaisesRegex(UserError, "is in force since"):
            closed.valid_to = False

    def test_sfe_1_31_a_new_rate_ends_the_one_before_it_and_may_be_corrected_until_its_day(self):
        new = self.add("C", 4, "2090-01-01")
        old = self.env.ref("bonopay_fiscal.tax_rate_c_2026")
        self.assertEqual(str(old.valid_to), "2089-12-31")
        new.rate = 3
        days = [fields.Date.to_date(day) for day in ("2089-12-31", "2090-01-01")]
        self.assertEqual([self.rates(day)["C"] for day in days], [5, 3])
        new.valid_from = "2090-02-01"
        self.assertEqual(str(old.valid_to), "2090-01-31", "no day is left without a rate")
        new.unlink()
        self.assertFalse(old.valid_to)
        self.assertEqual(self.rates(days[1])["C"], 5)

    def test_sfe_1_31_two_rates_of_one_group_on_one_day_are_refused(self):
        self.add("C", 4, "2090-01-01")
        with self.assertRaisesRegex(ValidationError, "Group C has a rate on these days already: 4 %"):
            self.add("C", 3, "2089-06-01")

    def test_sfe_1_14_levies_have_no_rate(self):
        with self.assertRaisesRegex(ValidationError, "Group N has no rate"):
            self.add("N", 3, "2090-01-01")

    @mute_logger("odoo.sql_db")
    def test_a_rate_is_a_percentage_with_its_days_in_order(self):
        for values in ({"rate": -1}, {"rate": 100}, {"valid_to": "2089-01-01"}):
            new = self.add("C", 4, "2090-01-01")
            with self.assertRaises(IntegrityError), self.env.cr.savepoint():
                new.write(values)
                new.flush_recordset()
            new.unlink()

    def test_an_owner_adds_a_rate_on_the_screen(self):
        with Form(self.env["bonopay.tax.rate"], view="bonopay_fiscal.bonopay_tax_rate_view_list") as form:
            form.group_id = self.env.ref("bonopay_fiscal.tax_group_o")
            form.rate = 2
            form.valid_from = "2090-01-01"
            form.source = "Arrêté de test"
        self.assertEqual(form.record.label, "Taxable 2%")
        self.assertEqual(str(self.env.ref("bonopay_fiscal.tax_rate_o_2026").valid_to), "2089-12-31")


@tagged("post_install", "-at_install")
class TestRateOfTheDayOfATax(FiscalCase):
    """A tax is sold with at the rate of the day, or not at all."""

    def faults(self, tax):
        tax.active = True
        return {fault.code: fault for fault in self.draft(self.line(tax_ids=[Command.set(tax.ids)]))._bonopay_faults()}

    def test_sfe_1_31_a_rate_mistyped_today_is_corrected_until_something_is_sealed_with_it(self):
        today = self.env["bonopay.tax.group"]._fiscal_day()
        group = self.env.ref("bonopay_fiscal.tax_group_b")
        values = {"group_id": group.id, "rate": 1.6, "valid_from": today, "source": "Arrêté de test"}
        wrong = self.env["bonopay.tax.rate"].create(values)
        self.assertFalse(wrong.used)
        wrong.rate = 16
        self.assertEqual(self.env["bonopay.tax.group"]._rates_on(today)["B"].rate, 16)
        self.post(send=False)
        wrong.invalidate_recordset()
        self.assertTrue(wrong.used)
        with self.assertRaisesRegex(UserError, "documents are sealed with it"):
            wrong.unlink()

    def test_sfe_1_12_a_tax_at_another_rate_than_that_of_the_day_is_refused_with_the_way_out(self):
        old = self.tax("bonopay_sale_c").copy({"name": "8 %", "amount": 8})
        fault = self.faults(old)["tax.rate_of_the_day"]
        for words in ("Line 1", "“8 %” is at 8 %", "the rate of group C is 5 % since 06/01/2026", "Choose a tax"):
            self.assertIn(words, fault.message)
        self.assertNotIn("tax.rate_of_the_day", self.faults(self.tax("bonopay_sale_c")))
        move = self.draft(self.line(tax_ids=[Command.set(old.ids)]))
        with self.assertRaisesRegex(UserError, "5 %"):
            move.action_post()

    def test_sfe_1_12_the_day_is_that_of_kinshasa_wherever_the_outlet_is(self):
        self.outlet.tz = "Africa/Lubumbashi"
        tax = self.tax("bonopay_sale_c")
        with freeze_time("2026-05-31 22:59:59"):  # already June in Lubumbashi
            self.assertIn("8 %", self.faults(tax)["tax.rate_of_the_day"].message)
        with freeze_time("2026-05-31 23:00:00"):
            self.assertNotIn("tax.rate_of_the_day", self.faults(tax))

    def test_sfe_1_12_a_group_that_is_not_in_force_yet_is_refused(self):
        with freeze_time("2026-05-31 12:00:00"):
            fault = self.faults(self.tax("bonopay_sale_o"))["tax.rate_of_the_day"]
        self.assertIn("no group O on 05/31/2026", fault.message)

    def test_a_tax_that_is_not_at_the_rate_of_the_day_says_so_and_is_left_as_it_is(self):
        tax = self.tax("bonopay_sale_c")
        self.assertFalse(tax.bonopay_rate_finding)
        self.env["bonopay.tax.rate"].create(
            {
                "group_id": self.env.ref("bonopay_fiscal.tax_group_c").id,
                "rate": 4,
                "valid_from": self.env["bonopay.tax.group"]._fiscal_day(),
                "source": "Arrêté de test",
            }
        )
        tax.invalidate_recordset(["bonopay_rate_finding"])
        self.assertRegex(tax.bonopay_rate_finding, "^Tax “5%” is at 5 %, and the rate of group C is 4 %")
        self.assertEqual(tax.amount, 5)
        self.assertFalse(self.tax("bonopay_sale_n").bonopay_rate_finding)

    def test_taxes_of_a_new_company_are_made_at_the_rate_of_their_day(self):
        chart = self.env["account.chart.template"]
        with freeze_time("2026-05-31 12:00:00"):
            taxes, groups = chart._bonopay_taxes("cd"), chart._bonopay_tax_groups("cd")
        made = {letter: taxes[f"bonopay_sale_{letter.lower()}"] for letter in "CGOPN"}
        self.assertEqual({letter: tax["amount"] for letter, tax in made.items()},
                         {"C": 8, "G": 8, "O": 1, "P": 1, "N": 100})  # fmt: skip
        self.assertEqual((made["C"]["name"], made["G"]["name"]), ("8%", "8% PM"))
        self.assertIn(made["C"]["tax_group_id"], groups)


def _documents():
    """Documents whose rates the signer holds to be right, of several days."""
    for name in ("payloads.json", "arithmetic.json"):
        for vector in json.loads((VECTORS / name).read_text())["vectors"]:
            document = vector.get("payload", vector)
            if "issued_at" in document:
                yield document
