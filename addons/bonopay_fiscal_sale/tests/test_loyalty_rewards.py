from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from .reduction_case import ReductionCase


@tagged("post_install", "-at_install")
class TestLoyaltyRewards(ReductionCase):
    """Rewards of loyalty programs lower the prices of what they are given for."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["loyalty.program"].search([]).active = False

    def program(self, kind="promotion", rule=None, **reward):
        return self.env["loyalty.program"].create(
            {
                "name": "Promotion",
                "program_type": kind,
                "trigger": "auto",
                "applies_on": "current",
                "company_id": self.company.id,
                "currency_id": self.company.currency_id.id,
                "rule_ids": [Command.create({"reward_point_amount": 1, "reward_point_mode": "order", **(rule or {})})],
                "reward_ids": [Command.create({"required_points": 1, **reward})],
            }
        )

    def rewarded(self, program, *lines):
        """A confirmed order with the reward of a program."""
        order = self.make_quotation(*lines)
        order._update_programs_and_rewards()
        for coupon, rewards in order._get_claimable_rewards().items():
            for reward in rewards & program.reward_ids:
                order._apply_program_reward(reward, coupon)
        self.assertTrue(order.order_line.reward_id)
        order.action_confirm()
        return order

    def carrier(self, price):
        return self.env["delivery.carrier"].create(
            {"name": "Livraison", "product_id": self.delivery.id, "delivery_type": "fixed", "fixed_price": price}
        )

    # ------------------------------------------------------------------------------------------------------------

    def test_a_percentage_of_the_order_lowers_every_article(self):
        program = self.program(reward_type="discount", discount=10, discount_applicability="order")
        order = self.rewarded(program, (self.rice, 2, 45000.0), (self.oil, 1, 10000.0), (self.book, 3, 1000.0))
        items = self.check_sealed(order)
        self.assertEqual(
            [item[:4] for item in items],
            [
                ("RIZ25", "2", "40500.00", "45000.00"),
                ("HUILE5", "1", "9000.00", "10000.00"),
                ("LIVRE", "3", "900.00", "1000.00"),
            ],
        )
        self.assertTrue(all("10" in item[4] for item in items))

    def test_a_percentage_of_prices_with_tax(self):
        program = self.program(reward_type="discount", discount=15, discount_applicability="order")
        items = self.check_sealed(self.rewarded(program, (self.soap, 3, 1160.0)))
        self.assertEqual([item[:3] for item in items], [("SAVON", "3", "986.00")])

    def test_a_percentage_of_the_cheapest_lowers_the_cheapest_only(self):
        program = self.program(reward_type="discount", discount=50, discount_applicability="cheapest")
        order = self.rewarded(program, (self.rice, 2, 45000.0), (self.oil, 3, 10000.0))
        self.assertEqual(
            [item[:3] for item in self.check_sealed(order)],
            [("RIZ25", "2", "45000.00"), ("HUILE5", "1", "8333.34"), ("HUILE5", "2", "8333.33")],
        )

    def test_a_percentage_of_some_articles_lowers_these_only(self):
        program = self.program(
            reward_type="discount",
            discount=20,
            discount_applicability="specific",
            discount_product_ids=[Command.set(self.oil.ids)],
        )
        order = self.rewarded(program, (self.rice, 1, 45000.0), (self.oil, 1, 10000.0))
        self.assertEqual(
            [item[:3] for item in self.check_sealed(order)], [("RIZ25", "1", "45000.00"), ("HUILE5", "1", "8000.00")]
        )

    def test_some_articles_for_nothing_are_gifts(self):
        program = self.program(
            reward_type="discount",
            discount=100,
            discount_applicability="specific",
            discount_product_ids=[Command.set(self.oil.ids)],
        )
        order = self.rewarded(program, (self.rice, 1, 45000.0), (self.oil, 1, 10000.0))
        self.assertEqual(
            [item[:3] for item in self.check_sealed(order)], [("RIZ25", "1", "36818.18"), ("HUILE5", "1", "8181.82")]
        )

    def test_an_amount_off_the_order(self):
        program = self.program(
            reward_type="discount", discount=5800, discount_mode="per_order", discount_applicability="order"
        )
        order = self.rewarded(program, (self.rice, 2, 45000.0))
        self.assertEqual([item[:3] for item in self.check_sealed(order)], [("RIZ25", "2", "42500.00")])

    def test_a_free_product_lowers_the_price_of_its_own_kind(self):
        program = self.program("buy_x_get_y", reward_type="product", reward_product_id=self.oil.id)
        order = self.rewarded(program, (self.rice, 1, 45000.0), (self.oil, 2, 10000.0))
        items = self.check_sealed(order)
        self.assertEqual(
            [item[:4] for item in items],
            [
                ("RIZ25", "1", "45000.00", None),
                ("HUILE5", "2", "6666.67", "10000.00"),
                ("HUILE5", "1", "6666.66", "10000.00"),
            ],
        )
        self.assertTrue(items[2][4])

    def test_a_free_product_of_another_kind_is_paid_by_what_is_sold_in_its_group(self):
        program = self.program("buy_x_get_y", reward_type="product", reward_product_id=self.oil.id)
        order = self.rewarded(program, (self.rice, 2, 45000.0), (self.book, 1, 1000.0))
        self.assertEqual(
            [item[:3] for item in self.check_sealed(order)],
            [("RIZ25", "2", "40500.00"), ("LIVRE", "1", "1000.00"), ("HUILE5", "1", "9000.00")],
        )

    def test_a_free_product_alone_in_its_group_is_refused_with_the_way_out(self):
        program = self.program("buy_x_get_y", reward_type="product", reward_product_id=self.oil.id)
        invoice = self.rewarded(program, (self.book, 5, 1000.0))._create_invoices()
        with self.assertRaisesRegex(UserError, "nothing is sold in the tax group of this gift"):
            invoice.action_post()

    def test_free_shipping_leaves_a_note(self):
        program = self.program(reward_type="shipping")
        order = self.make_quotation((self.rice, 1, 45000.0))
        order.set_delivery_line(self.carrier(7500.0), 7500.0)
        order._update_programs_and_rewards()
        (coupon,) = order._get_claimable_rewards()
        order._apply_program_reward(program.reward_ids, coupon)
        order.action_confirm()
        self.assertEqual([item[:4] for item in self.check_sealed(order)], [("RIZ25", "1", "45000.00", None)])

    def test_a_delivery_that_is_free_over_an_amount_leaves_a_note(self):
        carrier = self.carrier(7500.0)
        carrier.write({"free_over": True, "amount": 1000.0})
        order = self.make_quotation((self.rice, 1, 45000.0))
        order.set_delivery_line(carrier, carrier.rate_shipment(order)["price"])
        order.action_confirm()
        self.assertEqual(len(order.order_line), 2)
        self.assertEqual([item[:3] for item in self.check_sealed(order)], [("RIZ25", "1", "45000.00")])

    def test_an_e_wallet_is_a_payment_and_no_reduction(self):
        program = self.env["loyalty.program"].create(
            {
                "name": "Porte-monnaie",
                "program_type": "ewallet",
                "trigger": "auto",
                "applies_on": "future",
                "company_id": self.company.id,
                "reward_ids": [
                    Command.create(
                        {"reward_type": "discount", "discount": 1, "discount_mode": "per_point", "required_points": 1}
                    )
                ],
            }
        )
        card = self.env["loyalty.card"].create({"program_id": program.id, "partner_id": self.client.id, "points": 5000})
        order = self.make_quotation((self.rice, 1, 45000.0))
        order._apply_program_reward(program.reward_ids, card)
        order.action_confirm()
        invoice = order._create_invoices()
        with self.assertRaisesRegex(UserError, "means of payment"):
            invoice.action_post()

    def test_an_order_of_the_shop_that_a_reward_pays_as_a_whole_stands_whatever_the_law_refuses(self):
        self.env["ir.config_parameter"].sudo().set_param("sale.automatic_invoice", "True")
        program = self.program(reward_type="discount", discount=100, discount_applicability="order")
        order = self.make_quotation((self.rice, 1, 45000.0))
        order._update_programs_and_rewards()
        for coupon, rewards in order._get_claimable_rewards().items():
            order._apply_program_reward(rewards & program.reward_ids, coupon)
        self.assertEqual(order.amount_total, 0)
        order.with_user(self.env.ref("base.public_user")).sudo()._validate_order()
        self.assertEqual((order.state, order.invoice_ids.state), ("sale", "draft"))
        self.assertEqual(order.invoice_ids.activity_ids.user_id, self.salesperson)
