from odoo.exceptions import AccessError
from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.tests.common import fiscal_user

from .commerce_case import CommerceCase


@tagged("post_install", "-at_install")
class TestRolesOfOrders(CommerceCase):
    """An order is a way to an invoice: who makes no invoices makes none of orders either."""

    BESIDE = "sales_team.group_sale_manager,account.group_account_manager"

    def user(self, role):
        return fiscal_user(self.env, f"bp_{role}", f"bonopay_fiscal.group_fiscal_{role},{self.BESIDE}", self.company)

    def test_row_55_fleet_managers_and_auditors_invoice_no_order(self):
        order = self.order()
        for role in ("fleet", "auditor"):
            mine = order.with_user(self.user(role))
            wizard = self.env["sale.advance.payment.inv"].with_user(mine.env.user).with_context(active_ids=order.ids)
            for refused in (
                lambda mine=mine: mine._create_invoices(),
                lambda mine=mine: mine.write({"client_order_ref": "x"}),
                lambda mine=mine: mine.order_line[0].write({"price_unit": 1}),
                lambda wizard=wizard: wizard.create(
                    {"advance_payment_method": "percentage", "amount": 30, "sale_order_ids": order.ids}
                ).create_invoices(),
            ):
                with self.assertRaises(AccessError), self.env.cr.savepoint():
                    refused()
        self.assertFalse(order.invoice_ids)

    def test_a_salesperson_reads_the_invoices_of_their_orders(self):
        seller = fiscal_user(self.env, "bp_reader", "sales_team.group_sale_salesman_all_leads", self.company)
        draft = self.order()._create_invoices()
        posted = self.order()._create_invoices()
        self.seal(posted)
        form = self.env.ref("account.view_move_form")
        models = self.env["account.move"].with_user(seller).get_views([(form.id, "form")])["models"]
        ours = [name for name in models["account.move"]["fields"] if name.startswith("bonopay_")]
        self.assertIn("bonopay_state", ours)
        self.assertNotIn("bonopay_payment_ids", ours, "they may not read payments")
        for invoice in (draft, posted):
            # the whole form is Odoo's matter: it counts payments with the reader's rights
            [read] = invoice.with_user(seller).read(ours)
            self.assertEqual(read["bonopay_state"], invoice.bonopay_state)

    def test_a_salesperson_is_not_kept_from_their_work(self):
        seller = fiscal_user(self.env, "bp_seller", "sales_team.group_sale_salesman_all_leads", self.company)
        self.assertTrue(self.order().with_user(seller)._create_invoices())

    def test_sfe_1_5_a_salesperson_makes_an_advance_that_no_price_comes_to(self):
        seller = fiscal_user(self.env, "bp_seller", "sales_team.group_sale_salesman_all_leads", self.company)
        order = self.order()
        wizard = self.env["sale.advance.payment.inv"].with_user(seller).with_context(active_ids=order.ids)
        values = {"advance_payment_method": "fixed", "fixed_amount": 5000.0, "sale_order_ids": order.ids}
        invoice = wizard.create(values)._create_invoices(order.with_user(seller))
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            invoice.invoice_line_ids.price_unit = 1.0
        # at 16 % no price comes to 5 000.00: 4 310.34 makes 4 999.99, and 4 310.35 makes 5 000.01
        self.assertEqual(invoice.sudo().amount_total, 4999.99)
        self.assertIn("no price comes to the amount asked for", "".join(order.message_ids.mapped("body")))
