import json
import random
from decimal import Decimal

from odoo import Command
from odoo.tests import tagged

from .commerce_case import CommerceCase

SEED = 20261130
ORDERS = 16


@tagged("post_install", "-at_install")
class TestRandomOrders(CommerceCase):
    """Whatever happens to an order, what is sealed of it comes to what it says; 16 orders, which take half a minute.

    Advances and their credit notes cancel out; deliveries in parts, discounts, rewards and what is credited and sold
    again add up. With prices before tax that is so of the base: each document rounds its own tax (SFE §1.5.6).
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["loyalty.program"].search([]).active = False
        included = cls.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})
        exempt = cls.tax("tva_exempt_0")
        before_tax = (("Huile", "HUILE", cls.tax_b), ("Manuel", "LIVRE", exempt), ("Pose", "POSE", cls.tax_b))
        with_tax = (("Savon", "SAVON", included), ("Sucre", "SUCRE", included))
        cls.articles = [
            [cls._product(name, code, "service", 1000.0, tax) for name, code, tax in kind]
            for kind in (before_tax, with_tax)
        ]
        cls.env["product.product"].union(
            *map(cls.env["product.product"].union, *cls.articles)
        ).invoice_policy = "delivery"
        cls.promotion = cls.env["loyalty.program"].create(
            {
                "name": "Promotion",
                "program_type": "promotion",
                "trigger": "auto",
                "applies_on": "current",
                "active": False,
                "company_id": cls.company.id,
                "currency_id": cls.company.currency_id.id,
                "rule_ids": [Command.create({"reward_point_amount": 1, "reward_point_mode": "order"})],
                "reward_ids": [Command.create({"required_points": 1, "reward_type": "discount", "discount": 5})],
            }
        )

    # ------------------------------------------------------------------------------------------------------------
    # What may happen to an order
    # ------------------------------------------------------------------------------------------------------------

    def random_order(self, dice):
        """A confirmed order with reductions of some kinds or none."""
        products = dice.choice(self.articles)
        lines = [
            self.order_line(
                product,
                dice.randint(2, 9),
                price_unit=round(dice.uniform(100, 9999), 2),
                discount=dice.choice((0, 0, 5, 12.5)),
            )
            for product in dice.choices(products, k=dice.randint(1, 3))
        ]
        order = self.order(*lines, confirm=False)
        if dice.random() < 0.5:
            values = {"discount_type": "so_discount", "discount_percentage": dice.choice((0.025, 0.07, 0.1))}
            self.env["sale.order.discount"].create({"sale_order_id": order.id, **values}).action_apply_discount()
        self.promotion.active = dice.random() < 0.3
        if self.promotion.active:
            order._update_programs_and_rewards()
            for coupon, rewards in order._get_claimable_rewards().items():
                order._apply_program_reward(rewards & self.promotion.reward_ids, coupon)
        order.action_confirm()
        return order

    def random_advances(self, dice, order):
        for _one in range(dice.choice((0, 0, 0, 0, 1, 1, 2))):
            advance = self.advance(order, amount=dice.choice((10.0, 20.0, 33.3)))
            if dice.random() < 0.7:
                self.pay(advance)

    def random_deliveries(self, dice, order):
        """Deliver in one to three parts, the larger first, and invoice each; advances go with the first or the last."""
        lines = order.order_line.filtered(lambda line: line.product_id in self.delivered_products)
        parts, early = dice.choice((1, 1, 2, 2, 3)), dice.random() < 0.5
        for part in range(1, parts + 1):
            for line in lines:
                half = (line.product_uom_qty + 1) // 2
                line.qty_delivered = line.product_uom_qty if part == parts else max(half, line.qty_delivered)
            if any(line.qty_to_invoice for line in lines):
                self.post_all(order._create_invoices(final=early or part == parts))
            if dice.random() < 0.4:
                self.random_credit(dice, order)

    @property
    def delivered_products(self):
        return self.env["product.product"].concat(*self.articles[0], *self.articles[1])

    def random_credit(self, dice, order):
        """Credit some of a sale; the next invoice of the order has it again."""
        sales = order.invoice_ids.filtered(lambda move: move.bonopay_invoice_type == "FV")
        sale = dice.choice(list(sales))
        values = {"bonopay_credit_nature": "RAM", "reason": "Retour", "journal_id": sale.journal_id.id}
        wizard = self.env["account.move.reversal"].create({"move_ids": [Command.set(sale.ids)], **values})
        note = self.env["account.move"].browse(wizard.reverse_moves()["res_id"])
        lines = note._bonopay_lines()
        for line in lines:
            if line != lines[:1] and dice.random() < 0.5:
                line.unlink()
            else:
                line.quantity = dice.randint(1, int(line.quantity))
        self.post_all(note)

    def finished(self, order):
        """Invoice what is left of an order, until nothing is."""
        for _again in range(3):
            if order.invoice_status != "to invoice" and not order._bonopay_open_advances():
                break
            documents = order._create_invoices(final=True)
            documents.filtered(lambda move: move.move_type == "out_refund" and not move.bonopay_credit_nature).write(
                {"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Reprise"}
            )
            self.post_all(documents)

    # ------------------------------------------------------------------------------------------------------------

    def sealed_sums(self, order):
        """Base and total of all that is sealed of an order, credit notes less."""
        base, total = Decimal(0), Decimal(0)
        for move in order.invoice_ids:
            self.assertEqual(move.bonopay_state, "certified", move.bonopay_message)
            totals = json.loads(move.bonopay_seal_id.payload)["totals"]
            sign = -move.direction_sign
            base += sign * Decimal(totals["base"])
            total += sign * Decimal(totals["total"])
        return base, total

    def assert_comes_to(self, order):
        base, total = self.sealed_sums(order)
        agreed = Decimal(str(round(order.amount_total, 2)))
        if set(order.order_line.tax_ids.mapped("price_include")) == {True}:
            self.assertEqual(total, agreed)
            return
        # a discount of the order meets its total with tax, for which its base may be a centime off
        off = Decimal("0.01") if self.company.sale_discount_product_id in order.order_line.product_id else 0
        self.assertLessEqual(abs(base - Decimal(str(round(order.amount_untaxed, 2)))), off)
        self.assertLessEqual(abs(total - agreed), Decimal("0.005") * (len(order.invoice_ids) + 1))

    def test_sfe_1_5_what_is_sealed_of_random_orders_comes_to_their_totals(self):
        dice, kinds = random.Random(SEED), set()
        for number in range(ORDERS):
            with self.subTest(order=number):
                order = self.random_order(dice)
                self.random_advances(dice, order)
                self.random_deliveries(dice, order)
                self.finished(order)
                self.assert_comes_to(order)
                self.assertEqual(order.invoice_status, "invoiced")
                kinds |= set(order.invoice_ids.mapped("bonopay_invoice_type"))
        self.assertEqual(kinds, {"FV", "FT", "FA"})
