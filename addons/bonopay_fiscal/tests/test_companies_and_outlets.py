import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import FiscalCase, fiscal_user


@tagged("post_install", "-at_install")
class TestCompaniesAndOutlets(FiscalCase):
    def test_a_company_sees_and_seals_its_own_documents_only(self):
        move = self.post()
        other = self._make_bare_company("Autre SARL")
        foreign = self.env["bonopay.outlet"].create({"name": "Autre", "code": "LUB001", "company_id": other.id})
        stranger = fiscal_user(
            self.env, "bp_other", "bonopay_fiscal.group_fiscal_manager,account.group_account_manager", other
        )
        env = self.env(user=stranger, context={})
        self.assertFalse(env["bonopay.seal"].search([]))
        self.assertEqual(env["bonopay.outlet"].search([]), foreign)
        for record in (move.bonopay_seal_id, self.outlet):
            with self.assertRaises(AccessError):
                record.with_env(env).read(["display_name"])
        with self.assertRaises(UserError):
            self._make_journal(other).bonopay_outlet_id = self.outlet
        with self.assertRaises(AccessError):
            env["bonopay.onboarding"]._open(self.company.with_env(env))

    def test_same_code_in_two_companies_but_not_in_one(self):
        other = self._make_bare_company("Autre SARL")
        self.env["bonopay.outlet"].create({"name": "Autre", "code": "KIN001", "company_id": other.id})
        with mute_logger("odoo.sql_db"), self.assertRaises(psycopg2.errors.UniqueViolation):
            self.env["bonopay.outlet"].create({"name": "Double", "code": "KIN001"})

    def test_code_has_the_form_of_the_contract(self):
        for code in ("kin001", "AB", "KIN-01", "A" * 13, "KIN 1"):
            with mute_logger("odoo.sql_db"), self.assertRaises(psycopg2.errors.CheckViolation):
                self.env["bonopay.outlet"].create({"name": "x", "code": code})

    def test_code_and_company_are_fixed_once_used(self):
        self.outlet.code = "KIN009"
        self.outlet.code = "KIN001"
        self.post()
        with self.assertRaises(UserError):
            self.outlet.code = "KIN002"
        with self.assertRaises(UserError):
            self.outlet.unlink()
        self.outlet.write({"code": "KIN001", "name": "Nouveau nom"})
        self.outlet.active = False

    def test_only_sales_journals_have_an_outlet(self):
        bank = self.env["account.journal"].search(
            [("company_id", "=", self.company.id), ("type", "=", "bank")], limit=1
        )
        with mute_logger("odoo.sql_db"), self.assertRaises(psycopg2.errors.CheckViolation):
            bank.bonopay_outlet_id = self.outlet
            self.env.flush_all()

    def flush_tracking(self):
        self.env.flush_all()
        self.env.cr.flush()

    def test_salesperson_without_seal_rights_still_reads_invoices(self):
        move = self.post()
        user = fiscal_user(self.env, "bp_sales", "base.group_user", self.company)
        self.env["ir.model.access"].create(
            {
                "name": "read moves", "model_id": self.env.ref("account.model_account_move").id, "perm_read": True,
                "group_id": self.env.ref("base.group_user").id,
            }
        )  # fmt: skip
        self.assertEqual(move.with_user(user).bonopay_state, "certified")
        self.assertEqual(
            self.env["account.move"].with_user(user).search([("bonopay_state", "=", "certified")], limit=1), move
        )

    def test_a_fiscal_manager_chooses_the_journals_of_an_outlet_and_nothing_else_of_them(self):
        manager = fiscal_user(self.env, "bp_manager", "bonopay_fiscal.group_fiscal_manager", self.company)
        second = self.journal.copy({"code": "DEUX"})
        outlet = self.outlet.with_user(manager)
        outlet.web_save({"journal_ids": [[4, second.id]]}, {})
        self.assertEqual(self.outlet.journal_ids, self.journal | second)
        outlet.web_save({"journal_ids": [[3, self.journal.id], [1, second.id, {"name": "Autre nom"}]]}, {})
        self.assertEqual(self.outlet.journal_ids, second)
        self.assertNotEqual(second.name, "Autre nom")
        values = {"name": "Gombe", "code": "KIN002", "journal_ids": [[6, 0, self.journal.ids]]}
        created = self.env["bonopay.outlet"].with_user(manager).create(values)
        self.assertEqual(self.journal.bonopay_outlet_id, created.with_env(self.env))
        foreign = self._make_journal(self._make_bare_company("Autre SARL"))
        with self.assertRaises(UserError):
            outlet.write({"journal_ids": [[4, foreign.id]]})
        clerk = fiscal_user(self.env, "bp_clerk", "account.group_account_invoice", self.company)
        with self.assertRaises(AccessError):
            self.outlet.with_user(clerk).write({"journal_ids": [[5]]})

    def test_row_56_changes_of_an_outlet_are_on_record(self):
        self.flush_tracking()
        outlet = self.outlet.with_context(tracking_disable=False)
        outlet.active = False
        outlet.test_mode = False
        self.journal.with_context(tracking_disable=False).bonopay_outlet_id = False
        self.flush_tracking()
        fields = outlet.message_ids.sudo().tracking_value_ids.field_id.mapped("name")
        self.assertLessEqual({"active", "test_mode", "state"}, set(fields))
        self.assertIn("bonopay_outlet_id", self.journal.message_ids.sudo().tracking_value_ids.field_id.mapped("name"))
