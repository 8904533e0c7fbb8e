from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged

from .common import fiscal_user
from .roles_case import RolesCase


@tagged("post_install", "-at_install")
class TestCashMovements(RolesCase):
    """Cash that moves without a sale is declared, by a person, once (SFE §1.10)."""

    def declare(self, user=None, **values):
        values = {"outlet_id": self.outlet.id, "amount": 20000, "reason": "Fonds de caisse", **values}
        return self.env["bonopay.cash.movement"].with_user(user or self.users["cashier"]).create(values)

    def test_sfe_1_10_cash_in_and_out_is_declared_with_operator_outlet_reason_and_time(self):
        before = fields.Datetime.now()
        movement = self.declare(direction="out", reason="Versement à la banque")
        self.assertEqual((movement.user_id, movement.outlet_id), (self.users["cashier"], self.outlet))
        self.assertGreaterEqual(movement.moved_at, before)
        self.assertEqual((movement.signed_amount, movement.currency_id.name), (-20000, "CDF"))

    def test_sfe_1_10_movements_are_numbered_by_outlet_without_gap(self):
        other = self.env["bonopay.outlet"].create({"name": "Dépôt", "code": "KIN002"})
        names = [self.declare(outlet_id=outlet.id).name for outlet in (self.outlet, other, self.outlet)]
        self.assertEqual(names, ["KIN001-000001", "KIN002-000001", "KIN001-000002"])

    def test_sfe_1_10_a_movement_is_never_changed_nor_deleted_not_even_by_the_server(self):
        movement = self.declare()
        for record in (movement.sudo(), movement.with_user(self.users["owner"])):
            with self.assertRaises(UserError):
                record.write({"amount": 1})
            with self.assertRaises(UserError):
                record.unlink()
            with self.assertRaises(UserError):
                record.copy()
        with self.assertRaisesRegex(UserError, "Declare the opposite movement"):
            movement.sudo().reason = "x"
        self.assertEqual(movement.amount, 20000)

    def test_operator_time_and_number_are_not_taken_from_the_caller(self):
        forged = {"user_id": self.users["owner"].id, "moved_at": "2020-01-01 00:00:00", "name": "X-1", "number": 77}
        user = self.users["cashier"]
        movement = self.env["bonopay.cash.movement"].browse(
            self.remote(user, "bonopay.cash.movement", "create", {
                "outlet_id": self.outlet.id, "amount": 5, "reason": "x", **forged,
            })
        )  # fmt: skip
        self.assertEqual((movement.user_id, movement.number, movement.name), (user, 1, "KIN001-000001"))
        self.assertEqual(movement.moved_at.date(), fields.Date.today())

    def test_the_server_declares_nothing(self):
        with self.assertRaisesRegex(UserError, "declared by a person"):
            self.env["bonopay.cash.movement"].create({"outlet_id": self.outlet.id, "amount": 1, "reason": "x"})

    def test_bad_declarations_are_refused(self):
        euro = self.env.ref("base.EUR")
        for values in ({"currency_id": euro.id}, {"reason": " "}):
            with self.subTest(values=values), self.assertRaises(ValidationError):
                self.declare(**values)
        self.outlet.active = False
        with self.assertRaisesRegex(ValidationError, "archived"):
            self.declare()

    def test_dollars_are_declared_as_dollars(self):
        movement = self.declare(currency_id=self.env.ref("base.USD").id, amount=15.5)
        self.assertEqual((movement.currency_id.name, movement.signed_amount), ("USD", 15.5))

    def test_a_cashier_sees_their_own_a_supervisor_those_of_the_outlet(self):
        movement = self.declare()
        colleague = fiscal_user(self.env, "bp_colleague", "bonopay_fiscal.group_fiscal_cashier", self.company)
        movements = self.env["bonopay.cash.movement"]
        self.assertFalse(movements.with_user(colleague).search([]))
        for role in ("cashier", "supervisor", "manager", "owner", "auditor", "accountant"):
            self.assertIn(movement, movements.with_user(self.users[role]).search([]), role)

    def test_a_cashier_declares_for_their_outlets_only(self):
        self.outlet.user_ids = self.users["supervisor"]
        with self.assertRaises(AccessError):
            self.declare()
        self.assertTrue(self.declare(self.users["supervisor"]))

    def test_the_form_proposes_the_only_outlet_and_francs(self):
        user = self.users["cashier"]
        form = Form(self.env(user=user)["bonopay.cash.movement"])
        self.assertEqual((form.outlet_id, form.currency_id.name), (self.outlet, "CDF"))
        form.amount, form.reason = 100, "Monnaie"
        self.assertEqual(form.save().user_id, user)
