import json

from odoo.tests import tagged

from .common import SaleCase


@tagged("post_install", "-at_install")
class TestSalesOrder(SaleCase):
    def test_what_an_order_invoices_is_sealed_and_certified(self):
        self.rice.invoice_policy = self.delivery.invoice_policy = "order"
        order = self.make_order((self.rice, 2, 45000.0), (self.delivery, 1, 7500.0))
        invoice = order._create_invoices()
        seal = self.seal(invoice)
        self.assertEqual((seal.state, seal.move_id), ("certified", invoice))
        items = [(item["code"], item["quantity"]) for item in json.loads(seal.payload)["items"]]
        self.assertEqual(items, [("RIZ25", "2"), ("LIVR", "1")])
        self.assertEqual(order.invoice_status, "invoiced")
        self.assertEqual(order.amount_total, invoice.amount_total)
