"""What each role sees of the seals, and what no other right gives back to a role that only reads."""

from lxml import etree

from odoo import Command
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form, tagged

from .common import fiscal_user, trap_seals
from .roles_case import ROLES, RolesCase


@tagged("post_install", "-at_install")
class TestWhoSeesWhichSeals(RolesCase):
    """A cashier their own, a supervisor their outlets', a manager the company's, an owner all their companies'."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_journal = cls.journal.copy({"name": "Limete", "code": "LIM"})
        cls.other_outlet = cls.env["bonopay.outlet"].create(
            {
                "name": "Limete",
                "code": "KIN002",
                "state": "live",
                "journal_ids": [Command.set(cls.other_journal.ids)],
            }
        )
        cls.foreign = cls._make_foreign_seal()
        cls.users["owner"].company_ids |= cls.foreign.company_id

    @classmethod
    def _make_foreign_seal(cls):
        company = cls._make_bare_company("Autre société")
        env = cls.env(context={"allowed_company_ids": company.ids})
        journal = env["account.journal"].create({"name": "Divers", "code": "DIV", "type": "general"})
        outlet = env["bonopay.outlet"].create({"name": "Autre", "code": "LUB001", "company_id": company.id})
        values = {
            "move_id": env["account.move"].create({"move_type": "entry", "journal_id": journal.id}).id,
            "company_id": company.id,
            "outlet_id": outlet.id,
            "document_id": "of another company",
            "document_type": "FV",
            "payload": "{}",
            "payload_hash": "-",
            "currency_id": company.currency_id.id,
        }
        return env["bonopay.seal"]._as_writer().create(values).sudo(False)

    def setUp(self):
        super().setUp()
        cashier = self.users["cashier"]
        self.here = self.post().bonopay_seal_id
        self.there = self.post(self.draft(journal_id=self.other_journal.id)).bonopay_seal_id
        self.own = self.post(self.draft().with_user(cashier)).with_user(self.env.user).bonopay_seal_id
        self.assertEqual(self.own.user_id, cashier)

    def seen(self, role):
        selected = {"allowed_company_ids": self.company.ids}
        return self.env(user=self.users[role], context=selected)["bonopay.seal"].search([]).sudo()

    def test_row_55_a_cashier_makes_and_sees_own_seals(self):
        self.assertEqual(self.seen("cashier"), self.own)
        with self.assertRaises(AccessError):
            self.remote(self.users["cashier"], "bonopay.seal", "read", self.here.ids, ["fiscal_number"])

    def test_row_55_a_cashier_reads_the_invoice_of_another(self):
        move = self.here.move_id
        with Form(move.with_user(self.users["cashier"])) as form:
            self.assertEqual(form.bonopay_fiscal_number, self.here.fiscal_number)
        specification = {"bonopay_seal_id": {"fields": {"display_name": {}}}, "bonopay_state": {}}
        (read,) = self.remote(self.users["cashier"], "account.move", "web_read", move.ids, specification)
        self.assertEqual(read["bonopay_state"], "certified")

    def test_row_55_a_supervisor_sees_the_outlets_assigned_to_them(self):
        supervisor = self.users["supervisor"]
        self.assertEqual(self.seen("supervisor"), self.here | self.there | self.own, "nobody is assigned: all of them")
        self.other_outlet.user_ids = self.users["cashier"]
        self.assertEqual(self.seen("supervisor"), self.here | self.own)
        self.other_outlet.user_ids |= supervisor
        self.outlet.user_ids = self.users["cashier"]
        self.assertEqual(self.seen("supervisor"), self.there)

    def test_row_55_a_supervisor_is_warned_of_the_outlets_assigned_to_them(self):
        alarm = self.env["bonopay.alarm"].create({"outlet_id": self.outlet.id, "code": "x", "level": "overdue"})
        self.other_outlet.user_ids = self.users["cashier"]
        for role, warned in (("cashier", True), ("supervisor", True), ("fleet", True), ("auditor", True)):
            self.assertEqual(bool(self.remote(self.users[role], "bonopay.outlet", "dgi_banner")), warned, role)
        self.outlet.user_ids = self.users["cashier"]
        self.assertFalse(self.remote(self.users["supervisor"], "bonopay.outlet", "dgi_banner"))
        self.assertTrue(self.remote(self.users["cashier"], "bonopay.outlet", "dgi_banner"))
        with self.assertRaises(AccessError):
            alarm.with_user(self.users["supervisor"]).read(["code"])

    def test_row_55_manager_accountant_and_auditor_see_the_company(self):
        for role in ("manager", "accountant", "auditor"):
            self.assertEqual(self.seen(role), self.here | self.there | self.own, role)

    def test_row_55_an_owner_sees_all_their_companies_whichever_are_selected(self):
        self.assertEqual(self.seen("owner"), self.here | self.there | self.own | self.foreign)
        self.users["owner"].company_ids -= self.foreign.company_id
        self.assertEqual(self.seen("owner"), self.here | self.there | self.own)

    def test_a_cashier_who_is_an_accountant_sees_all(self):
        self.users["cashier"].group_ids |= self.env.ref("account.group_account_manager")
        self.assertEqual(self.seen("cashier"), self.here | self.there | self.own)

    def test_only_people_of_the_company_are_assigned_to_its_outlet(self):
        stranger = fiscal_user(self.env, "bp_role_stranger", ROLES["cashier"], self.foreign.company_id)
        with self.assertRaisesRegex(ValidationError, "cannot be assigned"):
            self.outlet.user_ids = stranger


@tagged("post_install", "-at_install")
class TestRolesThatTakeRightsAway(RolesCase):
    def test_row_55_a_fleet_manager_cannot_invoice_also_with_accounting_rights(self):
        move = self.draft()
        for role in ("fleet", "fleet_accountant"):
            for values in ({"auto_post": "at_date"}, {"state": "posted"}):
                with self.assertRaises(AccessError):
                    self.remote(self.users[role], "account.move", "write", move.ids, values)
            with self.assertRaises(AccessError):
                move.with_user(self.users[role])._post()
        self.assertEqual((move.state, move.auto_post), ("draft", "no"))

    def test_a_fleet_manager_opens_outlets_and_their_status(self):
        outlets = self.outlet.with_user(self.users["fleet"])
        with Form(outlets) as form:
            self.assertEqual(form.code, "KIN001")
        self.assertTrue(outlets.read())
        for name in ("view_list", "status_view_list", "status_view_kanban"):
            view = self.env.ref(f"bonopay_fiscal.bonopay_outlet_{name}")
            arch = outlets.get_view(view.id, view.type)["arch"]
            shown = {field.get("name") for field in etree.fromstring(arch).iterfind("./field")}
            self.assertTrue(outlets.web_read({name: {} for name in shown}))
        menus = self.env["ir.ui.menu"].with_user(self.users["fleet"])._visible_menu_ids()
        self.assertIn(self.env.ref("bonopay_fiscal.menu_bonopay_fleet_status").id, menus)
        self.assertNotIn(self.env.ref("account.menu_finance").id, menus)

    def test_a_fleet_manager_with_accounting_rights_books_the_bills_of_vendors(self):
        values = {
            "move_type": "in_invoice",
            "partner_id": self.client.id,
            "invoice_date": "2026-11-21",
            "invoice_line_ids": [Command.create({"name": "Loyer", "quantity": 1, "price_unit": 5.0})],
        }
        bill = self.env["account.move"].browse(
            self.remote(self.users["fleet_accountant"], "account.move", "create", values)
        )
        disguised = {"move_type": "out_invoice", "journal_id": self.journal.id, "auto_post": "at_date"}
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            self.remote(self.users["fleet_accountant"], "account.move", "write", bill.ids, disguised)
        bill.invalidate_recordset()
        self.remote(self.users["fleet_accountant"], "account.move", "action_post", bill.ids)
        self.assertEqual(bill.state, "posted")

    def test_what_runs_without_a_person_goes_on(self):
        """A web shop, a scheduled action: the user is whoever is about, the rights are the program's."""
        for role in ("fleet_accountant", "auditor_accountant"):
            move = self.draft().with_user(self.users[role]).sudo()
            with trap_seals(self.env) as trapped:
                move.action_post()
            trapped.send()
            self.assertEqual(move.bonopay_state, "certified")

    def test_row_53_033_7_f_an_auditor_changes_nothing_of_what_is_sealed_and_reads_all_of_it(self):
        move = self.post()
        for role in ("auditor", "auditor_accountant"):
            user = self.users[role]
            self.assertEqual(move.bonopay_seal_id.with_user(user).payload, move.bonopay_seal_id.payload)
            with self.assertRaises(AccessError):
                self.remote(user, "account.move", "write", move.ids, {"narration": "x"})
            with self.assertRaises(AccessError):
                self.pay(user, move)

    def pay(self, user, move):
        context = {"active_model": "account.move", "active_ids": move.ids}
        wizard = self.remote(user, "account.payment.register", "create", {}, context=context)
        self.remote(user, "account.payment.register", "action_create_payments", [wizard], context=context)

    def test_rights_of_before_are_kept(self):
        """The names of the first version: users have them, other modules refer to them."""
        manager = self.env.ref("bonopay_fiscal.group_fiscal_manager")
        self.assertIn(self.env.ref("account.group_account_invoice"), manager.all_implied_ids)
        self.assertIn(self.env.ref("base.user_admin"), manager.user_ids)
        auditor = self.env.ref("bonopay_fiscal.group_fiscal_auditor")
        self.assertIn(self.env.ref("account.group_account_readonly"), auditor.all_implied_ids)
