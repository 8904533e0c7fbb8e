"""Orders with reductions."""

import json

from odoo import Command
from odoo.exceptions import UserError

from .common import SaleCase


class ReductionCase(SaleCase):
    """A fiscal company that sells rice, oil and delivery at 16 %, soap at 16 % included, and books without tax."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        included = cls.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})
        cls.oil = cls._product("Huile 5 l", "HUILE5", "consu", 10000.0, cls.tax_b)
        cls.soap = cls._product("Savon", "SAVON", "consu", 1160.0, included)
        cls.book = cls._product("Manuel", "LIVRE", "consu", 1000.0, cls.tax("tva_exempt_0"))
        (cls.rice | cls.oil | cls.delivery | cls.soap | cls.book).invoice_policy = "order"

    def make_quotation(self, *lines, **values):
        """An order that is not confirmed yet.

        :param lines: ``(product, quantity, price)``
        """
        ordered = [
            Command.create({"product_id": product.id, "product_uom_qty": quantity, "price_unit": price})
            for product, quantity, price in lines
        ]
        return self.env["sale.order"].create(
            {"partner_id": self.client.id, "user_id": self.salesperson.id, "order_line": ordered, **values}
        )

    def check_sealed(self, order):
        """Invoice an order and seal it; the total is the order's, and nothing of it is left to invoice.

        :return: ``[(code, quantity, unit_price, original_unit_price, price_change)]``
        """
        total = order.amount_total
        invoice = order._create_invoices()
        self.assertAlmostEqual(invoice.amount_total, total)
        seal = self.seal(invoice)
        self.assertEqual(seal.state, "certified")
        self.check_nothing_left(order)
        members = ("code", "quantity", "unit_price", "original_unit_price", "price_change")
        return [tuple(item[name] for name in members) for item in json.loads(seal.payload)["items"]]

    def check_nothing_left(self, order):
        self.assertEqual(order.invoice_status, "invoiced")
        for line in order.order_line.filtered(lambda line: not line.display_type):
            with self.subTest(line=line.name):
                self.assertEqual((line.qty_invoiced, line.qty_to_invoice), (line.product_uom_qty, 0))
        self.assertEqual(order.amount_to_invoice, 0)
        with self.assertRaises(UserError):
            order._create_invoices(final=True)
