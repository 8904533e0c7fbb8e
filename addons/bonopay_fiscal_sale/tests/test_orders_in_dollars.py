import json
from decimal import Decimal

from odoo import Command
from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.core.arithmetic import exact, round2

from .commerce_case import CommerceCase


@tagged("post_install", "-at_install")
class TestOrdersInDollars(CommerceCase):
    """An offer in dollars comes to what its invoice does: both are reckoned from the francs (SFE §1.5, §1.30)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.usd = cls.env.ref("base.USD")
        cls.usd.active = True
        cls.pricelist = cls.env["product.pricelist"].create(
            {"name": "USD", "currency_id": cls.usd.id, "company_id": cls.company.id}
        )

    def in_dollars(self, *lines, confirm=True):
        """An order in dollars of such ``(price, quantity, taxes)``."""
        values = [
            self.order_line(quantity=quantity, price_unit=price, tax_ids=[Command.set(taxes.ids)])
            for price, quantity, taxes in lines
        ]
        return self.order(*values, confirm=confirm, pricelist_id=self.pricelist.id)

    def invoice_of(self, order):
        """The invoice of an order, sealed, and its payload."""
        [invoice] = self.post_all(self.invoiced(order))
        self.assert_sealed(invoice)
        return invoice, json.loads(invoice.bonopay_seal_id.payload)

    def test_sfe_1_13_an_offer_in_dollars_has_specific_taxes_in_francs(self):
        self.dollar(2300)
        kinds = ("amount", 1150), ("quantity", 35.125), ("percent", 10)
        taxed = [self.tax_b | self.specific_tax(*kind) for kind in kinds]
        order = self.in_dollars(*[(10.0, 12, taxes) for taxes in taxed])
        # 0.50 + 0.18 + 12.00 of specific taxes, and 16 % on 372.68
        self.assertEqual((order.amount_untaxed, order.amount_tax, order.amount_total), (360.0, 72.31, 432.31))
        self.assertEqual([round(line.price_tax, 2) for line in order.order_line], [19.78, 19.41, 33.12])
        invoice, sealed = self.invoice_of(order)
        self.assertEqual((invoice.currency_id, invoice.amount_total), (self.usd, order.amount_total))
        self.assertEqual(sealed["totals"]["specific_tax"], "29171.50")

    def test_sfe_1_5_an_offer_in_dollars_is_rounded_by_group_as_its_invoice(self):
        self.dollar(2317.05)
        included = self.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})
        by_unit = self.specific_tax("quantity", 35.125)
        for taxes in (self.tax_b, included, self.tax_b | by_unit, included | by_unit):
            order = self.in_dollars((0.33, 7, taxes), (9.99, 3, taxes), (19.99, 1.5, taxes))
            invoice, sealed = self.invoice_of(order)
            amounts = [(move.amount_untaxed, move.amount_tax, move.amount_total) for move in (order, invoice)]
            self.assertEqual(amounts[0], amounts[1])
            printed = round2(Decimal(sealed["totals"]["total"]) / Decimal(sealed["foreign_currency"]["rate"]))
            self.assertEqual(round2(exact(order.amount_total)), printed)

    def test_sfe_1_13_an_offer_of_another_day_has_the_dollars_of_its_day(self):
        self.dollar(2300)
        order = self.in_dollars((10.0, 1, self.tax_b | self.specific_tax("amount", 23000)), confirm=False)
        self.assertEqual(order.amount_total, 23.2)
        self.dollar(2500)
        order.action_confirm()
        # 23 000 / 2 500 = 9.20
        self.assertEqual((order.order_line.price_total, order.amount_total), (22.27, 22.27))
        self.assertEqual(self.invoice_of(order)[0].amount_total, 22.27)
