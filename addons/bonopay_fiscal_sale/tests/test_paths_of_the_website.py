import json
from datetime import timedelta

from odoo import fields
from odoo.tests import HttpCase, tagged

from odoo.addons.bonopay_fiscal.tests.common import trap_seals
from odoo.addons.bonopay_fiscal.tests.online_payments import OnlinePayments

from .commerce_case import CommerceCase


class WebsiteCase(OnlinePayments, CommerceCase, HttpCase):
    """Customers order and pay on the website; their orders are invoiced by themselves."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._offer_a_provider()
        cls.provider.is_published = True
        cls.env["ir.config_parameter"].sudo().set_param("sale.automatic_invoice", "True")
        cls.outlet.manager_id = cls.salesperson

    def pay_online(self, order, route, amount):
        """Pay an order over HTTP, and have the payment processed as the public user."""
        params = {
            "provider_id": self.provider.id,
            "payment_method_id": self.method.id,
            "token_id": None,
            "amount": amount,
            "flow": "direct",
            "tokenization_requested": False,
            "landing_route": "/shop",
            "access_token": order._portal_ensure_token(),
        }
        self.env.flush_all()
        reference = self.make_jsonrpc_request(route.format(order.id), params)["reference"]
        transaction = self.env["payment.transaction"].search([("reference", "=", reference)])
        transaction._set_done()
        with trap_seals(self.env) as trapped:
            transaction.with_user(self.env.ref("base.public_user")).sudo()._post_process()
        transaction.is_post_processed = True
        return transaction, trapped

    def assert_paid_in_books(self, transaction):
        self.assertEqual(transaction.payment_id.amount, transaction.amount)
        self.assertIn(transaction.payment_id.state, ("in_process", "paid"))


@tagged("post_install", "-at_install")
class TestPathsOfTheWebsite(WebsiteCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.website = cls.env.ref("website.default_website")
        cls.website.company_id = cls.company
        cls.rice.website_published = True
        cls.rice.company_id = False
        cls.carrier = cls.env["delivery.carrier"].create(
            {"name": "Coursier", "product_id": cls.delivery.id, "fixed_price": 7500.0, "website_published": True}
        )

    def cart(self):
        """The cart of a person who has just put two bags of rice into it."""
        cart = {"product_template_id": self.rice.product_tmpl_id.id, "product_id": self.rice.id, "quantity": 2}
        self.env.flush_all()
        self.make_jsonrpc_request("/shop/cart/add", cart)
        order = self.env["sale.order"].search([("website_id", "=", self.website.id)], order="id desc", limit=1)
        customer = self.env["res.partner"].create(
            {
                "name": "Mbuyi",
                "email": "mbuyi@example.com",
                "phone": "+243 810 000 000",
                "street": "1 avenue du Port",
                "city": "Kinshasa",
                "country_id": self.env.ref("base.cd").id,
            }
        )
        order.set_delivery_line(self.carrier, 7500.0)
        order.write({"partner_id": customer.id, "partner_invoice_id": customer.id, "partner_shipping_id": customer.id})
        return order

    def run_sending(self):
        cron = self.env.ref("sale.send_invoice_cron")
        with self.enter_registry_test_mode():
            cron.with_user(cron.user_id).method_direct_trigger()

    def mail_about(self, invoice):
        return invoice.message_ids.filtered(lambda message: message.message_type == "comment" and message.partner_ids)

    def test_a_sale_of_the_shop_is_sealed_and_sent_once_it_is_normalised(self):
        order = self.cart()
        transaction, trapped = self.pay_online(order, "/shop/payment/transaction/{}", order.amount_total)
        invoice = order.invoice_ids
        self.assertEqual((order.state, invoice.state, invoice.bonopay_state), ("sale", "posted", "to_seal"))
        self.assert_paid_in_books(transaction)
        self.assertFalse(invoice.is_move_sent, "it is no invoice yet")
        self.run_sending()
        self.assertFalse(self.mail_about(invoice))
        trapped.send()
        self.assert_sealed(invoice)
        self.run_sending()
        self.assertTrue(invoice.is_move_sent)
        mail = self.mail_about(invoice)
        self.assertIn(invoice.bonopay_fiscal_number, mail.subject + mail.body)
        self.assertTrue(mail.attachment_ids)
        sent = json.loads(invoice.bonopay_seal_id.payload)
        self.assertEqual((sent["client"]["type"], sent["cashier_name"]), ("PP", self.salesperson.name))

    def test_what_is_normalised_only_after_days_is_sent_all_the_same(self):
        order = self.cart()
        transaction, trapped = self.pay_online(order, "/shop/payment/transaction/{}", order.amount_total)
        transaction.last_state_change = fields.Datetime.now() - timedelta(days=5)
        self.run_sending()
        self.assertFalse(order.invoice_ids.is_move_sent)
        trapped.send()
        self.run_sending()
        self.assertTrue(order.invoice_ids.is_move_sent)
        self.assertEqual(len(self.mail_about(order.invoice_ids)), 1)

    def test_what_is_printed_again_after_days_is_not_sent(self):
        order = self.cart()
        transaction, trapped = self.pay_online(order, "/shop/payment/transaction/{}", order.amount_total)
        trapped.send()
        seal = order.invoice_ids.bonopay_seal_id
        seal._as_writer().write({"certified_at": fields.Datetime.now() - timedelta(days=5)})
        transaction.last_state_change = fields.Datetime.now() - timedelta(days=5)
        order.invoice_ids.is_move_sent = False
        seal._count_print("sheet")
        for kept in (seal.certified_at, False):  # one of before has no such moment
            seal._as_writer().write({"certified_at": kept})
            self.run_sending()
            self.assertFalse(order.invoice_ids.is_move_sent)

    def test_a_sale_of_the_shop_that_the_law_refuses_is_paid_and_calls_somebody(self):
        order = self.cart()
        order.order_line.tax_ids = False
        transaction, trapped = self.pay_online(order, "/shop/payment/transaction/{}", order.amount_total)
        invoice = order.invoice_ids
        self.assertEqual((order.state, invoice.state, len(trapped.seals)), ("sale", "draft", 0))
        self.assert_paid_in_books(transaction)
        self.assertEqual(invoice.activity_ids.user_id, self.salesperson)
        invoice.invoice_line_ids.tax_ids = self.tax_b
        self.post_all(invoice)
        self.assert_sealed(invoice)


@tagged("post_install", "-at_install")
class TestAdvancesOnThePortal(WebsiteCase):
    """A customer confirms a quotation by paying a part of it, and pays the rest later."""

    def quotation(self):
        return self.order(confirm=False, require_payment=True, prepayment_percent=0.3, require_signature=False)

    def pay_part(self, order, amount):
        transaction, trapped = self.pay_online(order, "/my/orders/{}/transaction", amount)
        self.assert_paid_in_books(transaction)
        return trapped

    def test_sfe_1_7_a_prepayment_on_the_portal_is_an_advance_invoice(self):
        order = self.quotation()
        self.pay_part(order, 159210.0).send()
        advance = order.invoice_ids
        self.assertEqual(
            (order.state, advance.bonopay_invoice_type, advance.bonopay_state), ("sale", "FT", "certified")
        )
        self.assertEqual((advance.amount_total, advance.amount_residual), (159210.0, 0.0))

    def test_sfe_1_22_paying_the_rest_issues_the_whole_invoice_and_the_credit_note(self):
        order = self.quotation()
        self.pay_part(order, 159210.0).send()
        self.pay_part(order, 371490.0).send()
        advance, invoice, credit = order.invoice_ids.sorted("id")
        self.assertEqual((advance | invoice | credit).mapped("bonopay_invoice_type"), ["FT", "FV", "FA"])
        self.assertEqual(set(order.invoice_ids.mapped("bonopay_state")), {"certified"})
        self.assertEqual(set(order.invoice_ids.mapped("amount_residual")), {0.0})

    def test_the_rest_is_paid_although_the_advance_is_not_normalised_yet(self):
        self.twin.dgi_status = "pending"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        order = self.quotation()
        advance = self.pay_part(order, 159210.0)
        advance.send()
        self.pay_part(order, 371490.0).send()
        invoice, credit = (order.invoice_ids - advance.seals.move_id).sorted("id")
        self.assertEqual((invoice.state, credit.state), ("posted", "draft"))
        self.assertEqual(invoice.amount_residual, 159210.0)
        self.assertIn(advance.seals.move_id.name, credit.activity_ids.note)
        self.twin.dgi_status = "certified"
        advance.seals._retry_now()
        advance.send()
        self.post_all(credit)
        self.assert_sealed(credit)
        self.assertEqual((invoice.amount_residual, credit.amount_residual), (0.0, 0.0))
