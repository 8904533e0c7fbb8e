from datetime import timedelta
from unittest.mock import patch

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from ..models import res_company_rate
from .common import FiscalCase, fiscal_user
from .signer_twin import API_KEY, SignerTwin

NOWHERE = "http://127.0.0.1:9"


@tagged("post_install", "-at_install")
class TestRateOfTheDay(FiscalCase):
    """The dollar counts in Odoo what it counts at the DGI, unless a person decided otherwise."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.usd = cls.env.ref("base.USD")
        cls.cdf = cls.company.currency_id
        cls.outlet.test_mode = False

    def setUp(self):
        super().setUp()
        self.today = fields.Date.today()
        self.day, self.tomorrow = self._day(0), self._day(1)
        self.twin.day = self.day
        self.twin.usd = {"currency": "USD", "rate": "2300", "valid_on": self.day, "source": "DGI sandbox.example.com"}

    def _day(self, days):
        return str(self.today + timedelta(days=days))

    def _run_cron(self):
        self.env["res.company"].search([]).bonopay_rate_asked_at = False
        self._run_cron_again()

    def _run_cron_again(self):
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 100.0):
            self.env["res.company"]._bonopay_cron_take_rates()

    def _rates(self, company=None):
        company = company or self.company
        domain = [("currency_id", "=", self.usd.id), ("company_id", "=", company.id)]
        return self.env["res.currency.rate"].with_company(company).search(domain)

    def _worth(self, day=None):
        return self.usd._convert(1, self.cdf, self.company, day or self.day)

    def _enter(self, day, francs, company=None):
        """A rate that a person enters: of a company, or of all."""
        values = {"currency_id": self.usd.id, "company_id": company.id if company else False, "name": day}
        return self.env["res.currency.rate"].create({**values, "rate": 1 / francs})

    def _asked(self):
        return [path for _method, path, _body in self.twin.requests if path == "/api/v1/reference"]

    def _live_company(self, name, code, **values):
        company = self.env["res.company"].create(
            {"name": name, "country_id": self.env.ref("base.cd").id, "currency_id": self.cdf.id, **values}
        )
        company.bonopay_configure(self.twin.url, API_KEY)
        self.env["bonopay.outlet"].create({"name": name, "code": code, "company_id": company.id, "test_mode": False})
        return company

    def test_rate_of_the_day_is_francs_per_dollar_and_says_where_it_came_from(self):
        self._run_cron()
        rate = self._rates()
        self.assertEqual(str(rate.name), self.day)
        self.assertAlmostEqual(rate.inverse_company_rate, 2300)
        self.assertAlmostEqual(self._worth(), 2300)
        self.assertEqual(rate.bonopay_source, f"DGI sandbox.example.com ({self.day})")
        self.assertIn("DGI sandbox.example.com", self.company.bonopay_rate_words)

    def test_rate_is_right_where_the_franc_itself_has_a_rate(self):
        rates = self.env["res.currency.rate"]
        base = {"currency_id": self.cdf.id, "company_id": self.company.id}
        rates.create(
            [{**base, "name": self._day(-300), "rate": 2050.0}, {**base, "name": self._day(9), "rate": 4000.0}]
        )
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
        self.assertEqual(rate.bonopay_source, f"BCC ({self.day})")
        self.twin.day = self.tomorrow
        self._run_cron()
        self.assertEqual([str(one.name) for one in self._rates()], [self.tomorrow, self.day])
        self.assertAlmostEqual(self._worth(self.tomorrow), 2310.5, msg="the latest rate stays in force")

    def test_the_rate_of_a_person_is_kept_whether_entered_before_or_corrected_after(self):
        mine = self._enter(self.day, 2250, self.company)
        self.assertFalse(mine.bonopay_source)
        self._run_cron()
        self.assertAlmostEqual(self._rates().inverse_company_rate, 2250)
        self.twin.day = self.tomorrow
        self._run_cron()
        theirs = self._rates()[0]
        self.assertTrue(theirs.bonopay_source)
        theirs.inverse_company_rate = 2400
        self.assertFalse(theirs.bonopay_source)
        self._run_cron()
        self.assertAlmostEqual(theirs.inverse_company_rate, 2400)

    def test_nobody_claims_a_source_by_hand(self):
        accountant = fiscal_user(self.env, "bp_rates", "account.group_account_manager", self.company)
        values = {"currency_id": self.usd.id, "company_id": self.company.id, "name": self.day, "rate": 0.0004}
        rates = self.env["res.currency.rate"].with_user(accountant)
        with self.assertRaisesRegex(AccessError, "Source"):
            rates.create({**values, "bonopay_source": "forged"})
        mine = rates.with_context(default_bonopay_source="forged").create(values)
        with self.assertRaisesRegex(AccessError, "Source"):
            mine.bonopay_source = "forged"
        self.assertFalse(mine.bonopay_source)
        mine.sudo().bonopay_source = "BCC"
        mine.rate = 0.0005
        self.assertFalse(mine.bonopay_source, "what a person corrects is theirs")

    def test_a_reference_rate_does_not_override_a_newer_rate_of_a_person(self):
        self.twin.usd["valid_on"] = self._day(-9)
        mine = self._enter(self._day(-3), 2250, self.company)
        self._run_cron()
        self.assertEqual(self._rates(), mine)
        self.assertAlmostEqual(self._worth(), 2250)
        self.twin.usd["valid_on"] = self._day(-3)
        self._run_cron()
        self.assertAlmostEqual(self._worth(), 2300, msg="the reference is of the same day as theirs, and today's")

    def test_rates_shared_by_all_companies_stay_in_force(self):
        self._enter(self.tomorrow, 2000)
        self._run_cron()
        self.twin.day = self.twin.usd["valid_on"] = self.tomorrow
        self._run_cron()
        self.assertFalse(self._rates())
        self.assertAlmostEqual(self._worth(self.tomorrow), 2000)

    def test_shared_rates_do_not_stop_those_of_a_company_that_has_its_own(self):
        self._enter(self.day, 2000)
        self._enter(self._day(-1), 2100, self.company)
        self._run_cron()
        self.assertAlmostEqual(self._worth(), 2300)

    def test_rate_of_a_test_environment_does_not_enter_the_books(self):
        self.outlet.test_mode = True
        archived = {"name": "Archivé", "code": "KIN009", "test_mode": False, "active": False}
        self.env["bonopay.outlet"].create(archived)
        asked = len(self._asked())
        self._run_cron()
        self.assertFalse(self._asked()[asked:])
        with self.assertRaisesRegex(UserError, "test environment"):
            self.company.bonopay_take_rate_now()
        self.assertFalse(self._rates())
        self.outlet.test_mode = False
        self._run_cron()
        self.assertAlmostEqual(self._worth(), 2300)

    def test_a_silent_signer_is_asked_after_the_others_and_once_in_a_run(self):
        self.company.bonopay_configure(NOWHERE, API_KEY)
        other = self._live_company("Autre SARL", "LUB001")
        self.env["res.company"].search([]).bonopay_rate_asked_at = False
        companies = self.env["res.company"]
        self.assertLessEqual({self.company, other}, {*companies._bonopay_rate_companies()})
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 0):
            asked = companies
            while due := companies._bonopay_rate_companies():
                companies._bonopay_cron_take_rates()  # which has time for one company only
                self.assertNotIn(due[0], companies._bonopay_rate_companies())
                asked |= due[0]
        self.assertLessEqual(self.company | other, asked)
        self.assertTrue(self._rates(other))
        self.company.bonopay_rate_asked_at = fields.Datetime.now() - timedelta(minutes=60)
        other.bonopay_rate_asked_at = fields.Datetime.now() - timedelta(minutes=90)
        self.assertEqual(list(companies._bonopay_rate_companies()), [other, self.company])

    def test_an_unexpected_error_counts_as_asked(self):
        self.company.bonopay_rate_asked_at = False
        with (
            patch.object(self.env.registry["res.company"], "_bonopay_take_day_rate", side_effect=RuntimeError("boom")),
            self.assertLogs(res_company_rate._logger, "ERROR"),
        ):
            self._run_cron_again()
        self.assertTrue(self.company.bonopay_rate_asked_at)

    def test_one_signer_is_asked_for_a_company_and_its_branches(self):
        with SignerTwin() as other:
            other.day, other.usd = self.day, {**self.twin.usd, "rate": "2500"}
            branch = self._live_company("Succursale", "LUB001", parent_id=self.company.id)
            branch.bonopay_configure(other.url, API_KEY)
            self._run_cron()
            self.assertFalse(other.requests)
            self.assertAlmostEqual(self._worth(), 2300)
            self.company.bonopay_configure(self.twin.url, "")
            self._run_cron()
            self.assertEqual(len(other.requests), 1)
            self.assertAlmostEqual(self._worth(), 2500, msg="the first branch is asked for the rates of both")
            self.company.bonopay_take_rate = False
            self.assertFalse(branch.bonopay_take_rate, "the switch is the main company's")
            self._run_cron()
            self.assertEqual(len(other.requests), 1)

    def test_who_manages_a_branch_alone_does_not_set_the_rates_of_all(self):
        branch = self._live_company("Succursale", "LUB001", parent_id=self.company.id)
        group = "bonopay_fiscal.group_fiscal_manager"
        local = fiscal_user(self.env, "bp_local", group, branch)
        with self.assertRaises(AccessError):
            branch.with_user(local).bonopay_take_rate_now()
        self.assertFalse(self._rates())
        local.company_ids |= self.company
        branch.with_user(local).bonopay_take_rate_now()
        self.assertAlmostEqual(self._worth(), 2300)

    def test_no_context_of_a_caller_makes_a_rate_of_its_own(self):
        forged = {"default_inverse_company_rate": 1.0, "default_company_rate": 1.0, "default_rate": 1.0}
        self.company.with_context(**forged).bonopay_take_rate_now()
        self.assertAlmostEqual(self._worth(), 2300)

    def test_settings_show_the_rate_in_force_and_none_of_a_day_to_come(self):
        self.env["res.currency.rate"].search([("currency_id", "=", self.env.ref("base.USD").id)]).unlink()
        self.assertIs(self.company.bonopay_rate_words, False, "no rate, no words")
        self._run_cron()
        self._enter(self._day(3), 4000, self.company)
        self.company.invalidate_recordset(["bonopay_rate_words"])
        self.assertIn("2,300.00", self.company.bonopay_rate_words)

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
            {**self.twin.usd, "rate": "-2300"}, {**self.twin.usd, "valid_on": self.tomorrow},
            {**self.twin.usd, "rate": None}, {**self.twin.usd, "valid_on": "hier"}, {"rate": "2300"},
        ):  # fmt: skip
            self.twin.usd = usd
            self._run_cron()
            self.assertFalse(self._rates(), usd)
        for days in (-3, 3):
            self.twin.day = self._day(days)
            self.twin.usd = {"currency": "USD", "rate": "2300", "valid_on": self.twin.day, "source": "BCC"}
            self._run_cron()
            self.assertFalse(self._rates(), "a clock that is wrong by days")
        self.twin.day = self.day
        self.company.bonopay_configure(NOWHERE, API_KEY)
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
                "move_type": "in_invoice", "partner_id": supplier.id, "invoice_date": self.day, "date": self.day,
                "currency_id": self.usd.id, "ref": "F1",
                "invoice_line_ids": [Command.create({"name": "Carburant", "price_unit": 100, "tax_ids": False})],
            }
        )  # fmt: skip
        bill.action_post()
        self.assertEqual(bill.state, "posted")
        self.assertAlmostEqual(bill.invoice_line_ids.balance, 230000, delta=2300)
        with Form(self.env["account.move"].with_context(default_move_type="out_invoice")) as form:
            form.partner_id = self.client
            form.invoice_date = self.day
            form.currency_id = self.usd
            with form.invoice_line_ids.new() as line:
                line.product_id = self.rice
                line.price_unit = 20
        self.assertAlmostEqual(-form.record.invoice_line_ids.balance, 46000, delta=460)
        self.assertAlmostEqual(1 / form.record.invoice_currency_rate, 2300, delta=23)
