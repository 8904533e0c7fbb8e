import json

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import FiscalCase, fiscal_user, trap_seals


@tagged("post_install", "-at_install")
class TestOperator(FiscalCase):
    """SFE §1.2 w: a document names the person who made it; nobody sells without a name (arrêté 034, art. 28)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clerk = fiscal_user(cls.env, "bp_clerk", "account.group_account_invoice", cls.company)
        cls.nobody = {"invoice_user_id": False}

    def _sealed_for(self, move):
        """(name in the payload, user of the seal) of a document that is posted now."""
        with trap_seals(self.env) as trapped:
            move.action_post()
        [seal] = trapped.seals
        sent = json.loads(seal.payload)
        self.assertEqual(sent["cashier_id"], str(seal.user_id.id))
        return sent["cashier_name"], seal.user_id

    def test_sfe_1_2_w_the_operator_is_who_posts(self):
        move = self.draft().with_user(self.clerk)
        self.assertEqual(self._sealed_for(move), (self.clerk.name, self.clerk))

    def test_sfe_1_2_w_a_customer_on_the_website_is_never_the_operator(self):
        portal = fiscal_user(self.env, "bp_portal", "base.group_portal", self.company)
        for customer in (self.env.ref("base.public_user"), portal):
            move = self.draft().with_user(customer).sudo()
            self.assertEqual(self._sealed_for(move), (self.salesperson.name, self.salesperson))

    def test_sfe_1_2_w_without_salesperson_it_is_who_answers_for_the_outlet(self):
        self.outlet.manager_id = self.clerk
        move = self.draft(**self.nobody).with_user(self.env.ref("base.public_user")).sudo()
        self.assertEqual(self._sealed_for(move), (self.clerk.name, self.clerk))

    def test_art_28_a_sale_of_nobody_is_refused_with_the_way_out(self):
        move = self.draft(**self.nobody).with_user(self.env.ref("base.public_user")).sudo()
        with self.assertRaisesRegex(UserError, "choose the salesperson"):
            move.action_post()
        self.assertEqual(move.state, "draft")

    def test_a_recurring_advance_stays_an_advance(self):
        move = self.draft(bonopay_invoice_type="FT", auto_post="monthly")
        self.post(move, send=False)
        copy = self.env["account.move"].search([("auto_post_origin_id", "=", move.id), ("id", "!=", move.id)])
        self.assertEqual(copy.bonopay_invoice_type, "FT")
