from odoo import Command
from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.tests.common import trap_seals

from .reduction_case import ReductionCase


@tagged("post_install", "-at_install")
class TestResale(ReductionCase):
    """What was credited in part and is invoiced again bears its share of the reductions of its order."""

    def discounted(self, *lines, percent=0.1):
        """A sealed invoice of an order with a global discount."""
        order = self.make_order(*lines)
        wizard = {"sale_order_id": order.id, "discount_type": "so_discount", "discount_percentage": percent}
        self.env["sale.order.discount"].create(wizard).action_apply_discount()
        return order, self.invoice_again(order)

    def invoice_again(self, order):
        invoice = order._create_invoices()
        self.assertEqual(self.seal(invoice).state, "certified")
        return invoice

    def reversal(self, invoice, nature="RAM"):
        """The wizard of a credit note on an invoice."""
        return self.env["account.move.reversal"].create(
            {
                "move_ids": [Command.set(invoice.ids)],
                "journal_id": invoice.journal_id.id,
                "bonopay_credit_nature": nature,
                "reason": "Retour",
            }
        )

    def credit(self, invoice, *quantities):
        """Seal a credit note on so much of each article of an invoice; zero leaves one out."""
        note = self.env["account.move"].browse(self.reversal(invoice).reverse_moves()["res_id"])
        articles = note.invoice_line_ids.filtered(lambda line: line.display_type == "product")
        for line, quantity in zip(articles, quantities, strict=True):
            if quantity:
                line.quantity = quantity
            else:
                line.unlink()
        self.assertEqual(self.seal(note).state, "certified")
        return note

    def articles(self, invoice):
        lines = invoice.invoice_line_ids.filtered(lambda line: line.display_type == "product")
        return [
            (line.product_id.default_code, line.quantity, line.price_unit, line.bonopay_original_price)
            for line in lines.sorted("id")
        ]

    def assert_order_kept(self, order):
        """What is sealed of an order comes to its total."""
        self.assertAlmostEqual(
            sum(-move.direction_sign * move.amount_total for move in order.invoice_ids), order.amount_total
        )

    def test_sfe_1_2_m_a_part_that_was_credited_is_sold_again_at_its_net_price(self):
        order, invoice = self.discounted((self.rice, 10, 45000.0))
        self.credit(invoice, 3)
        again = self.invoice_again(order)
        self.assertEqual(self.articles(again), [("RIZ25", 3, 40500.0, 45000.0)])
        self.assertEqual(again.invoice_line_ids.bonopay_price_reason, invoice.invoice_line_ids[0].bonopay_price_reason)
        self.assert_order_kept(order)

    def test_units_at_prices_a_centime_apart_are_sold_again_at_theirs(self):
        order, invoice = self.discounted((self.soap, 3, 1160.0), percent=0.0333)
        self.assertEqual(len(self.articles(invoice)), 2)
        self.credit(invoice, 1, 1)
        again = self.invoice_again(order)
        self.assertEqual({line[2] for line in self.articles(again)}, {line[2] for line in self.articles(invoice)})
        self.assert_order_kept(order)

    def test_what_was_sold_again_is_credited_and_sold_a_third_time(self):
        order, invoice = self.discounted((self.rice, 10, 45000.0), (self.oil, 2, 10000.0))
        self.credit(invoice, 3, 0)
        again = self.invoice_again(order)
        self.credit(again, 2)
        third = self.invoice_again(order)
        self.assertEqual(self.articles(third), [("RIZ25", 2, 40500.0, 45000.0)])
        self.assert_order_kept(order)

    def test_a_reduction_is_not_given_twice_when_the_rest_is_credited_too(self):
        order, invoice = self.discounted((self.rice, 10, 45000.0))
        self.credit(invoice, 3)
        self.invoice_again(order)
        self.credit(invoice, 7)
        last = self.invoice_again(order)
        self.assertEqual(self.articles(last), [("RIZ25", 7, 40500.0, 45000.0)])
        self.assert_order_kept(order)

    def test_a_sale_that_is_given_up_as_a_whole_is_reduced_anew(self):
        order, invoice = self.discounted((self.rice, 10, 45000.0))
        self.credit(invoice, 4)
        self.credit(invoice, 6)
        order.order_line[0].price_unit = 44000.0
        again = self.invoice_again(order)
        self.assertEqual(self.articles(again), [("RIZ25", 10, 39500.0, 44000.0)])
        self.assert_order_kept(order)

    def test_more_than_was_credited_costs_what_the_order_says(self):
        order, invoice = self.discounted((self.rice, 10, 45000.0))
        self.credit(invoice, 3)
        order.order_line[0].product_uom_qty = 12
        again = self.invoice_again(order)
        self.assertEqual(self.articles(again), [("RIZ25", 2, 45000.0, 0), ("RIZ25", 3, 40500.0, 45000.0)])

    def test_a_price_that_was_corrected_since_is_the_new_one(self):
        order, invoice = self.discounted((self.rice, 10, 45000.0))
        self.credit(invoice, 3)
        order.order_line[0].price_unit = 44000.0
        self.assertEqual(self.articles(self.invoice_again(order)), [("RIZ25", 3, 44000.0, 0)])

    def test_a_draft_that_is_deleted_takes_nothing(self):
        order, invoice = self.discounted((self.rice, 10, 45000.0))
        self.credit(invoice, 3)
        order._create_invoices().unlink()
        self.assertEqual(self.articles(self.invoice_again(order)), [("RIZ25", 3, 40500.0, 45000.0)])

    def test_a_gift_that_came_back_is_sold_again_at_what_it_bore(self):
        order = self.make_order((self.rice, 1, 45000.0), (self.oil, 1, 10000.0))
        order.order_line[1].discount = 100
        invoice = self.invoice_again(order)
        self.credit(invoice, 0, 1)
        self.assertEqual(self.articles(self.invoice_again(order)), [("HUILE5", 1, 8181.82, 10000.0)])
        self.assert_order_kept(order)

    def test_sfe_1_28_a_rebate_took_nothing_back_that_is_sold_again(self):
        order, invoice = self.discounted((self.rice, 4, 45000.0))
        rebate = self.env["account.move"].browse(self.reversal(invoice, "RRR").reverse_moves()["res_id"])
        rebate._bonopay_lines().write({"price_unit": 500.0, "bonopay_original_price": 45000.0})
        self.assertEqual(self.seal(rebate).state, "certified")
        self.assertFalse(list(order.order_line._bonopay_to_sell_again()))
        bags = order.order_line.filtered(lambda line: line.product_id == self.rice)
        self.assertEqual((bags.qty_invoiced, order.invoice_status), (4, "invoiced"))

    def test_what_a_corrected_copy_sells_again_is_not_sold_a_third_time(self):
        self.rice.invoice_policy = "delivery"
        order = self.make_order((self.rice, 10, 45000.0))
        wizard = {"sale_order_id": order.id, "discount_type": "so_discount", "discount_percentage": 0.1}
        self.env["sale.order.discount"].create(wizard).action_apply_discount()
        bags = order.order_line.filtered(lambda line: line.product_id == self.rice)
        bags.qty_delivered = 4
        first = self.invoice_again(order)
        bags.qty_delivered = 8
        second = self.invoice_again(order)
        self.assertTrue(first.invoice_line_ids[0].bonopay_original_price)
        with trap_seals(self.env) as trapped:
            copied = self.env["account.move"].browse(self.reversal(first).reverse_moves(is_modify=True)["res_id"])
        trapped.send()
        self.assertEqual(copied.move_type, "out_invoice")
        self.assertEqual(self.articles(copied), self.articles(first))
        bags.qty_delivered = 10
        self.assertEqual(self.articles(self.invoice_again(order))[0][2:], self.articles(second)[0][2:])
