from unittest.mock import patch

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from .common import FiscalCase, fiscal_user
from .signer_twin import API_KEY

DAY = "2026-11-21"


@tagged("post_install", "-at_install")
class TestRateOfTheDay(FiscalCase):
    """The dollar counts in Odoo what it counts at the DGI, unless a person decided otherwise."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.usd = cls.env.ref("base.USD")
        cls.cdf = cls.company.currency_id

    def setUp(self):
        super().setUp()
        self.twin.day = DAY
        self.twin.usd = {"currency": "USD", "rate": "2300", "valid_on": DAY, "source": "DGI sandbox.example.com"}

    def _run_cron(self):
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 100.0):
            self.env["res.company"]._bonopay_cron_take_rates()

    def _rates(self, company=None):
        company = company or self.company
        domain = [("currency_id", "=", self.usd.id), ("company_id", "=", company.id)]
        return self.env["res.currency.rate"].with_company(company).search(domain)

    def _worth(self, day=DAY):
        return self.usd._convert(1, self.cdf, self.company, day)

    def test_rate_of_the_day_is_francs_per_dollar_and_says_where_it_came_from(self):
        self._run_cron()
        rate = self._rates()
        self.assertEqual(str(rate.name), DAY)
        self.assertAlmostEqual(rate.inverse_company_rate, 2300)
        self.assertAlmostEqual(self._worth(), 2300)
        self.assertEqual(rate.bonopay_source, f"DGI sandbox.example.com ({DAY})")
        self.assertIn("DGI sandbox.example.com", self.company.bonopay_rate_words)

    def test_rate_is_right_where_the_franc_itself_has_a_rate(self):
        rates = self.env["res.currency.rate"]
        base = {"currency_id": self.cdf.id, "company_id": self.company.id}
        rates.create([{**base, "name": "2026-01-01", "rate": 2050.0}, {**base, "name": "2026-12-01", "rate": 4000.0}])
        self._run_cron()
        self.assertAlmostEqual(self._worth(), 2300)

    def test_it_is_written_once_and_again_only_when_it_changed(self):
        self._run_cron()
        rate = self._rates()
        with patch.object(type(rate), "write", side_effect=AssertionError("written again")):
            self._run_cron()
        self.twin.usd = {**self.twin.usd, "rate": "2310.5"}
        self._run_cron()
        self.assertEqual(self._rates(), rate)
        self.assertAlmostEqual(rate.inverse_company_rate, 2310.5)
        self.twin.usd = {**self.twin.usd, "source": "BCC"}
        self._run_cron()
        self.assertEqual(rate.bonopay_source, f"BCC ({DAY})")
        self.twin.day = "2026-11-22"
        self._run_cron()
        self.assertEqual([str(one.name) for one in self._rates()], ["2026-11-22", DAY])
        self.assertAlmostEqual(self._worth("2026-11-22"), 2310.5, msg="the latest rate stays in force")

    def test_the_rate_of_a_person_is_kept_whether_entered_before_or_corrected_after(self):
        mine = self.env["res.currency.rate"].create(
            {"currency_id": self.usd.id, "company_id": self.company.id, "name": DAY, "inverse_company_rate": 2250,
             "bonopay_source": "forged"}
        )  # fmt: skip
        self.assertFalse(mine.bonopay_source, "nobody claims a source by hand")
        self._run_cron()
        self.assertAlmostEqual(self._rates().inverse_company_rate, 2250)
        self.twin.day = "2026-11-22"
        self._run_cron()
        theirs = self._rates()[0]
        self.assertTrue(theirs.bonopay_source)
        theirs.inverse_company_rate = 2400
        self.assertFalse(theirs.bonopay_source)
        self._run_cron()
        self.assertAlmostEqual(theirs.inverse_company_rate, 2400)

    def test_a_rate_for_all_companies_of_that_day_is_kept(self):
        values = {"currency_id": self.usd.id, "company_id": False, "name": DAY, "rate": 0.0005}
        self.env["res.currency.rate"].create(values)
        self._run_cron()
        self.assertFalse(self._rates())

    def test_companies_that_do_not_want_or_cannot_use_it_are_left_alone(self):
        self.company.bonopay_take_rate = False
        dollars = self._make_bare_company("Comptes en dollars", self.usd)
        idle = self._make_bare_company("Sans point de vente")
        for company in (dollars, idle):
            company.bonopay_configure(self.twin.url, API_KEY)
        self.env["bonopay.outlet"].create({"name": "Dollars", "code": "LUB001", "company_id": dollars.id})
        asked = len(self.twin.requests)
        self._run_cron()
        self.assertEqual(len(self.twin.requests), asked)
        self.assertFalse(self._rates() | self._rates(dollars) | self._rates(idle))
        with self.assertRaisesRegex(UserError, "CDF"):
            dollars.bonopay_take_rate_now()
        self.assertTrue(idle.bonopay_take_rate, "on unless somebody switches it off")

    def test_an_inactive_dollar_stays_inactive_and_is_worth_its_rate_when_it_wakes(self):
        # the database's first company may count in dollars, and Odoo keeps the currency of a company awake
        self.env.cr.execute("UPDATE res_currency SET active = FALSE WHERE id = %s", [self.usd.id])
        self.usd.invalidate_recordset()
        self._run_cron()
        self.assertFalse(self.usd.active)
        self.usd.active = True
        self.assertAlmostEqual(self._worth(), 2300)

    def test_signer_away_no_rate_or_a_strange_one_changes_nothing(self):
        for usd in (
            None, [], "2300", {**self.twin.usd, "rate": "0"}, {**self.twin.usd, "rate": "NaN"},
            {**self.twin.usd, "rate": "-2300"}, {**self.twin.usd, "valid_on": "2026-11-22"},
            {**self.twin.usd, "rate": None}, {**self.twin.usd, "valid_on": "hier"}, {"rate": "2300"},
        ):  # fmt: skip
            self.twin.usd = usd
            self._run_cron()
            self.assertFalse(self._rates(), usd)
        self.company.bonopay_configure("http://127.0.0.1:9", API_KEY)
        self._run_cron()
        with self.assertRaisesRegex(UserError, "cannot be reached"):
            self.company.bonopay_take_rate_now()
        clerk = fiscal_user(self.env, "bp_clerk", "account.group_account_invoice", self.company)
        with self.assertRaises(AccessError):
            self.company.with_user(clerk).bonopay_take_rate_now()

    def test_button_of_the_settings_tells_what_came_of_it(self):
        settings = self.env["res.config.settings"].create({})
        self.assertTrue(settings.bonopay_take_rate)
        self.assertIn("taken", settings.bonopay_take_rate_now()["params"]["message"])
        self.assertIn("nothing to change", settings.bonopay_take_rate_now()["params"]["message"])

    def test_documents_in_dollars_carry_the_rate_of_the_day_within_one_percent(self):
        self.usd.active = True
        self._run_cron()
        supplier = self.env["res.partner"].create({"name": "Fournisseur"})
        bill = self.env["account.move"].create(
            {
                "move_type": "in_invoice", "partner_id": supplier.id, "invoice_date": DAY, "date": DAY,
                "currency_id": self.usd.id, "ref": "F1",
                "invoice_line_ids": [Command.create({"name": "Carburant", "price_unit": 100, "tax_ids": False})],
            }
        )  # fmt: skip
        bill.action_post()
        self.assertEqual(bill.state, "posted")
        self.assertAlmostEqual(bill.invoice_line_ids.balance, 230000, delta=2300)
        with Form(self.env["account.move"].with_context(default_move_type="out_invoice")) as form:
            form.partner_id = self.client
            form.invoice_date = DAY
            form.currency_id = self.usd
            with form.invoice_line_ids.new() as line:
                line.product_id = self.rice
                line.price_unit = 20
        self.assertAlmostEqual(-form.record.invoice_line_ids.balance, 46000, delta=460)
        self.assertAlmostEqual(1 / form.record.invoice_currency_rate, 2300, delta=23)
