import json

from odoo.tests import tagged

from .commerce_case import CommerceCase


class LeftOverCase(CommerceCase):
    """Advances that do not end as one expects: larger than the sale, older than the seals, on taxes of their own."""

    def sealed(self, move):
        return json.loads(move.bonopay_seal_id.payload)

    def owed_by_customer(self):
        """What the customer owes in the books; below zero it is his."""
        lines = self.env["account.move.line"].search(
            [
                ("partner_id", "=", self.client.id),
                ("account_type", "=", "asset_receivable"),
                ("parent_state", "=", "posted"),
            ]
        )
        return round(sum(lines.mapped("balance")), 2)

    def smaller_sale(self):
        """An order of ten bags of which half is paid in advance, 261 000 francs, and two are delivered."""
        self.rice.invoice_policy = "delivery"
        order = self.order(self.order_line(quantity=10))
        advance = self.advance(order, amount=50.0)
        self.pay(advance)
        order.order_line[0].qty_delivered = 2
        return order, advance

    def unsealed_advance(self, order, **values):
        """An advance on an order that was invoiced before the outlet was opened, and paid."""
        self.outlet.active = False
        advance = self.advance(order, post=False, **values)
        advance.action_post()
        self.outlet.active = True
        self.pay(advance)
        return advance


@tagged("post_install", "-at_install")
class TestAdvancesBeyondTheSale(LeftOverCase):
    def test_sfe_1_22_a_sale_below_its_advance_leaves_a_credit_to_the_customer(self):
        order, advance = self.smaller_sale()
        invoice, credit = self.invoiced(order)
        self.assertEqual(invoice.bonopay_advance_surplus, 261000.0 - 104400.0)
        self.post_all(invoice)
        self.assert_sealed(advance | invoice | credit, 3)
        totals = [self.sealed(move)["totals"]["total"] for move in (advance, invoice, credit)]
        self.assertEqual(totals, ["261000.00", "104400.00", "261000.00"])
        self.assertEqual((invoice.amount_residual, credit.amount_residual), (0, 156600.0))
        self.assertEqual(invoice.payment_state, "paid", "nothing of this sale was taken back")
        self.assertEqual(self.owed_by_customer(), -156600.0)
        self.assertEqual(self.sealed(invoice)["payments"][0]["method"], "CREDIT", "the advance paid it")

    def test_what_was_paid_too_much_is_told_on_both_documents(self):
        order, _advance = self.smaller_sale()
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        for move in invoice | credit:
            [told] = [body for body in move.message_ids.mapped("body") if "more in advance" in body]
            self.assertIn(credit.name, told)

    def test_what_was_paid_too_much_is_refunded_from_the_credit_note(self):
        order, _advance = self.smaller_sale()
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        self.pay(credit)
        self.assertEqual((credit.amount_residual, self.owed_by_customer()), (0, 0))

    def test_what_was_paid_too_much_pays_the_next_delivery(self):
        order, _advance = self.smaller_sale()
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        order.order_line[0].qty_delivered = 10
        rest = self.invoiced(order)
        self.post_all(rest)
        self.assert_sealed(rest)
        left = credit.line_ids.filtered(lambda line: line.account_type == "asset_receivable")
        rest.js_assign_outstanding_line(left.id)
        self.assertEqual(rest.amount_residual, order.amount_total - 261000.0)
        self.assertEqual(self.owed_by_customer(), order.amount_total - 261000.0)

    def test_an_advance_that_was_not_paid_leaves_nothing(self):
        self.rice.invoice_policy = "delivery"
        order = self.order(self.order_line(quantity=10))
        self.advance(order, amount=50.0)
        order.order_line[0].qty_delivered = 2
        invoice, credit = self.invoiced(order)
        self.assertEqual(invoice.bonopay_advance_surplus, 0)
        self.post_all(invoice)
        self.assertEqual((credit.amount_residual, self.owed_by_customer()), (0, 104400.0))

    def credited(self, invoice, part):
        """A sealed credit note on such a part of the quantities of an invoice, which it settles as far as it can."""
        note = invoice._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
        for line in note._bonopay_lines():
            line.quantity *= part
        self.post_all(note)
        owed = (invoice | note).line_ids.filtered(lambda line: line.account_type == "asset_receivable")
        owed.filtered(lambda line: not line.reconciled).reconcile()
        return note

    def test_what_an_advance_and_the_return_of_a_part_settle_is_paid_and_not_reversed(self):
        order = self.order()
        self.pay(self.advance(order, amount=50.0))
        invoice, _credit = self.invoiced(order)
        self.post_all(invoice)
        self.credited(invoice, 0.5)
        self.assertEqual((invoice.amount_residual, invoice.payment_state), (0, "paid"))

    def test_a_final_invoice_that_was_taken_back_as_a_whole_is_reversed(self):
        order = self.order()
        self.advance(order, amount=50.0)
        invoice, _credit = self.invoiced(order)
        self.post_all(invoice)
        self.assertEqual(invoice.payment_state, "not_paid")
        self.credited(invoice, 1)
        self.assertEqual((invoice.amount_residual, invoice.payment_state), (0, "reversed"))


@tagged("post_install", "-at_install")
class TestAdvancesBeforeTheSeals(LeftOverCase):
    def test_sfe_1_28_an_advance_from_before_the_seals_is_a_rebate(self):
        order = self.order()
        advance = self.unsealed_advance(order)
        self.assertFalse(advance.bonopay_seal_id)
        invoice, credit = self.invoiced(order)
        self.assertEqual((credit.reversed_entry_id, credit.bonopay_credit_nature), (advance, "RRR"))
        self.post_all(invoice)
        self.assert_sealed(invoice | credit, 2)
        named = {"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}
        self.assertEqual(self.sealed(credit)["credit"], named)
        self.assertEqual(credit.amount_total, advance.amount_total)
        self.assertEqual((credit.amount_residual, invoice.amount_residual), (0, 530700.0 - 159210.0))
        self.assertEqual(self.owed_by_customer(), 530700.0 - 159210.0)
        self.assertEqual(order.invoice_status, "invoiced")

    def test_the_order_says_why_it_is_a_rebate(self):
        order = self.order()
        self.unsealed_advance(order)
        self.invoiced(order)
        self.assertRegex(order.message_ids[0].body, "before your sales were sealed.* rebate \\(RRR\\)")

    def test_an_uneven_advance_from_before_the_seals_is_taken_back_to_the_centime(self):
        order = self.order(self.order_line(quantity=3, price_unit=33333.33), self.order_line(self.delivery, 7))
        advance = self.unsealed_advance(order, amount=33.33)
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        self.assert_sealed(invoice | credit, 2)
        self.assertEqual(credit.amount_total, advance.amount_total)

    def test_an_advance_that_was_taken_back_by_hand_is_not_taken_back_again(self):
        order = self.order()
        advance = self.unsealed_advance(order)
        by_hand = advance._reverse_moves([{"bonopay_credit_nature": "RRR", "bonopay_credit_reason": "Acompte"}])
        by_hand.invoice_line_ids.sale_line_ids = False
        by_hand._bonopay_lines().extra_tax_data = False
        self.post(by_hand)
        self.assertEqual(self.invoiced(order).mapped("move_type"), ["out_invoice"])

    def credited_in_part(self, advance, price=1, quantity=1):
        """A posted credit note on such a part of an unsealed advance."""
        by_hand = advance._reverse_moves([{"bonopay_credit_nature": "RRR", "bonopay_credit_reason": "Geste"}])
        for line in by_hand._bonopay_lines():
            line.write(
                {"extra_tax_data": False, "price_unit": line.price_unit * price, "quantity": line.quantity * quantity}
            )
        return self.post(by_hand)

    def assert_rest_taken_back(self, **part):
        order = self.order()
        advance = self.unsealed_advance(order)
        by_hand = self.credited_in_part(advance, **part)
        self.assertEqual(by_hand.amount_total, 63684.0)
        invoice, credit = self.invoiced(order)
        self.assertEqual(credit.amount_total, 159210.0 - 63684.0)
        self.post_all(invoice)
        self.assert_sealed(invoice | credit, 2)
        self.assertEqual(self.owed_by_customer(), 530700.0 - 159210.0)
        self.assertEqual(order._bonopay_open_advances(), self.env["account.move"])

    def test_an_advance_of_which_a_part_was_credited_at_a_lower_price_is_taken_back_as_far_as_it_is_left(self):
        self.assert_rest_taken_back(price=0.4)

    def test_an_advance_of_which_a_part_of_the_quantity_was_credited_is_taken_back_as_far_as_it_is_left(self):
        self.assert_rest_taken_back(quantity=0.4)

    def test_a_part_that_was_credited_meanwhile_is_not_taken_back_twice(self):
        order = self.order()
        advance = self.unsealed_advance(order)
        invoice, _credit = self.invoiced(order)
        self.credited_in_part(advance, quantity=0.4)
        self.refused(invoice, f"of advance {advance.name} is left: earlier credit notes took the rest back")


@tagged("post_install", "-at_install")
class TestAdvancesWithSpecificTaxes(LeftOverCase):
    """An advance is of all that the customer will pay: a specific tax is in its amount, and is stated when the article
    is sold (SFE §1.13)."""

    def assert_settled(self, *taxes, asked, method="percentage", amount=30.0):
        lines = [self.order_line(quantity=10, tax_ids=(self.tax_b | tax).ids) for tax in taxes]
        order = self.order(*lines, self.order_line(self.delivery, 1))
        advance = self.advance(order, method, amount)
        self.assert_sealed(advance)
        self.assertAlmostEqual(advance.amount_total, asked(order), delta=0.01)
        self.assertFalse([item for item in self.sealed(advance)["items"] if item["specific_tax"]])
        self.assertEqual([group["code"] for group in self.sealed(advance)["tax_groups"]], ["B"])
        self.pay(advance)
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        self.assert_sealed(invoice | credit, 2)
        self.assertEqual(invoice.amount_total, order.amount_total)
        self.assertEqual(self.owed_by_customer(), round(order.amount_total - advance.amount_total, 2))
        self.assertNotEqual(self.sealed(invoice)["totals"]["specific_tax"], "0.00")

    def test_sfe_1_13_an_advance_on_a_specific_tax_of_a_fixed_amount(self):
        self.assert_settled(self.specific_tax("amount", 5000), asked=lambda order: order.amount_total * 0.3)

    def test_sfe_1_13_an_advance_on_a_specific_tax_by_quantity(self):
        self.assert_settled(self.specific_tax("quantity", 150), asked=lambda order: order.amount_total * 0.3)

    def test_sfe_1_13_an_advance_on_a_specific_tax_in_percent(self):
        self.assert_settled(self.specific_tax("percent", 10), asked=lambda order: order.amount_total * 0.3)

    def test_sfe_1_13_a_fixed_advance_on_several_specific_taxes(self):
        taxes = (self.specific_tax("amount", 5000), self.specific_tax("quantity", 150), self.specific_tax("percent", 7))
        self.assert_settled(*taxes, asked=lambda _order: 200000.0, method="fixed", amount=200000.0)
