import json
from decimal import Decimal
from unittest.mock import patch

from odoo import Command
from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.core.arithmetic import exact, round2
from odoo.addons.bonopay_fiscal.tests.common import migration

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

    def test_sfe_1_30_what_advances_left_of_dollars_is_paid_at_the_rate_of_the_final_invoice(self):
        self.dollar(2300)
        order = self.in_dollars((200.0, 1, self.tax("tva_exempt_0")))
        self.advance(order, "fixed", 100.0)
        self.dollar(2500)
        invoice, credit = self.invoiced(order)
        self.assertEqual((invoice.amount_total, credit.amount_total), (200.0, 100.0))
        self.assertEqual((invoice.amount_total_signed, credit.amount_total_signed), (500000.0, -230000.0))
        cash = self.env["account.journal"].create({"name": "Caisse", "code": "CAIS", "type": "cash"})
        invoice.preferred_payment_method_line_id = cash.inbound_payment_method_line_ids[:1]
        invoice.invoice_payment_term_id = False
        self.post_all(invoice)
        paid = json.loads(invoice.bonopay_seal_id.payload)["payments"]
        self.assertEqual(
            [(one["method"], one["amount"]) for one in paid], [("ESPECES", "250000.00"), ("CREDIT", "250000.00")]
        )

    # ------------------------------------------------------------------------------------------------------------
    # An upgrade
    # ------------------------------------------------------------------------------------------------------------

    def as_before(self, **values):
        """An order of 20 dollars with a specific tax of 2 300 francs, which were reckoned as dollars."""
        by_line = self.env["account.tax"].search([("bonopay_specific", "=", "amount"), ("amount", "=", 2300)], limit=1)
        by_line = by_line or self.specific_tax("amount", 2300)
        order = self.in_dollars((10.0, 2, self.tax_b | by_line), **values)
        self.env.flush_all()
        self.env.cr.execute("UPDATE sale_order SET amount_total = 2691.2, amount_tax = 2671.2 WHERE id = %s", order.ids)
        self.env.cr.execute(
            "UPDATE sale_order_line SET price_total = 2691.2, price_tax = 2671.2 WHERE order_id = %s", order.ids
        )
        self.env.invalidate_all()
        self.assertEqual((order.amount_total, order.order_line.price_total), (2691.2, 2691.2))
        return order

    def upgrade(self):
        migration("19.0.1.1.0", "post-dollars", "bonopay_fiscal_sale").migrate(self.env.cr, "19.0.1.0.0")

    def test_an_upgrade_brings_orders_to_what_their_francs_are_worth(self):
        self.dollar(2300)
        orders = self.as_before() | self.as_before(confirm=False)
        self.upgrade()
        self.assertEqual(orders.mapped("amount_total"), [24.36, 24.36])
        self.assertEqual(orders.order_line.mapped("price_total"), [24.36, 24.36])
        self.assertEqual(self.invoice_of(orders[0])[0].amount_total, 24.36)
        self.assertEqual(orders.mapped("state"), ["sale", "draft"])

    def test_an_upgrade_leaves_what_is_invoiced_and_goes_on_where_an_order_fails(self):
        self.dollar(2300)
        invoiced, faulty, good = (self.as_before() for _ in range(3))
        invoiced.invoice_status = "invoiced"
        lines, reckon = self.registry["sale.order.line"], self.registry["sale.order.line"]._compute_amount

        def failing(records):
            if faulty in records.order_id:
                raise ValueError(faulty.name)
            return reckon(records)

        with patch.object(lines, "_compute_amount", failing), self.assertLogs(level="ERROR") as logged:
            self.upgrade()
        self.assertEqual([order.amount_total for order in (invoiced, faulty, good)], [2691.2, 2691.2, 24.36])
        self.assertIn(f"Order {faulty.id} keeps its amounts", logged.output[0])
