import json

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from .commerce_case import CommerceCase


class CardCase(CommerceCase):
    """A company that sells gift cards and e-wallets, and owes what their bearers may still buy."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["loyalty.program"].search([]).active = False
        cls.debt = cls.env["account.chart.template"].ref("pcg_4191")
        cls.program = cls.card_program("gift_card", "Carte cadeau")
        cls.held = cls.tax("bonopay_sale_i")
        cls.held.active = True

    @classmethod
    def card_program(cls, kind, name):
        """A program of cards whose use is booked on a debt."""
        values = {"name": name, "program_type": kind, "trigger": "auto", "applies_on": "future"}
        reward = {"reward_type": "discount", "discount": 1, "discount_mode": "per_point", "required_points": 1}
        program = cls.env["loyalty.program"].create(
            {
                **values,
                "company_id": cls.company.id,
                "currency_id": cls.company.currency_id.id,
                "rule_ids": [Command.create({"reward_point_amount": 1, "reward_point_mode": "money"})],
                "reward_ids": [Command.create({**reward, "description": name})],
            }
        )
        program.reward_ids.discount_line_product_id.property_account_income_id = cls.debt
        return program

    def card(self, points=5000.0, program=None):
        program = program or self.program
        owner = self.client.id if program.program_type == "ewallet" else False
        return self.env["loyalty.card"].create({"program_id": program.id, "partner_id": owner, "points": points})

    def order_with(self, card, *lines, **values):
        """A confirmed order that a card pays as far as it reaches."""
        order = self.order(*lines, confirm=False, **values)
        self.pay_with_card(order, card)
        order.action_confirm()
        return order

    def pay_with_card(self, order, card):
        """Enter a card's code on an order, or choose its e-wallet."""
        if card.program_id.program_type == "gift_card":
            order._try_apply_code(card.code)
        order._apply_program_reward(card.program_id.reward_ids, card)
        self.assertTrue(order.order_line.coupon_id)

    def sealed(self, move):
        return json.loads(move.bonopay_seal_id.payload)

    def stated(self, move):
        return [(one["method"], one["amount"], one["reference"]) for one in self.sealed(move)["payments"]]

    def debt_of(self, moves):
        """What the entries of cards book on the debt to their bearers: above zero when it becomes less."""
        entries = moves.bonopay_card_entry_ids.filtered(lambda entry: entry.state == "posted")
        lines = entries.line_ids.filtered(lambda line: line.account_id == self.debt)
        return sum(lines.mapped("balance"))

    def credit(self, invoice, quantity=None, nature="RAM"):
        """A draft of a credit note as the wizard makes it."""
        wizard = self.env["account.move.reversal"].create(
            {
                "move_ids": [Command.set(invoice.ids)],
                "journal_id": invoice.journal_id.id,
                "bonopay_credit_nature": nature,
                "reason": "Retour",
            }
        )
        note = self.env["account.move"].browse(wizard.reverse_moves()["res_id"])
        if quantity:
            note.invoice_line_ids.filtered(lambda line: line.display_type == "product").quantity = quantity
        return note


@tagged("post_install", "-at_install")
class TestCards(CardCase):
    """A gift card pays, and lowers no price (SFE §1.18): the sale is sealed at its full price."""

    def sold(self, points=5000.0, quantity=2):
        """The sealed invoice of bags of rice, 52 200 francs each, that a card of so many francs pays."""
        card = self.card(points)
        order = self.order_with(card, self.order_line(quantity=quantity))
        invoice = self.invoiced(order)
        self.post_all(invoice)
        return card, order, invoice

    def test_sfe_1_18_a_gift_card_is_a_payment_by_other_means_and_the_sale_is_whole(self):
        card, order, invoice = self.sold()
        self.assert_sealed(invoice)
        self.assertEqual((order.amount_total, invoice.amount_total), (99400.0, 104400.0))
        [item] = self.sealed(invoice)["items"]
        self.assertEqual((item["unit_price"], item["original_unit_price"]), ("45000.00", None))
        reference = f"Carte cadeau ••••{card.code[-4:]}"
        self.assertEqual(self.stated(invoice), [("AUTRE", "5000.00", reference), ("CREDIT", "99400.00", None)])
        self.assertNotIn(card.code, invoice.bonopay_seal_id.payload, "who reads the invoice could spend the card")
        self.assertEqual((card.points, order.invoice_status, order.amount_to_invoice), (0, "invoiced", 0))

    def test_what_a_card_pays_is_no_longer_owed_to_its_bearer(self):
        _card, _order, invoice = self.sold()
        self.assertEqual((invoice.amount_residual, self.debt_of(invoice)), (99400.0, 5000.0))
        self.assertEqual(invoice.payment_state, "partial")

    def test_sfe_1_19_a_card_may_pay_all(self):
        card, order, invoice = self.sold(points=200000.0)
        self.assertEqual((order.amount_total, card.points), (0, 95600.0))
        self.assertEqual([one[:2] for one in self.stated(invoice)], [("AUTRE", "104400.00")])
        self.assertEqual((invoice.amount_residual, invoice.payment_state), (0, "paid"))

    def test_sfe_1_18_the_rest_is_proposed_as_without_a_card(self):
        bank = self.env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", self.company.id)], limit=1
        )
        self.client.property_inbound_payment_method_line_id = bank.inbound_payment_method_line_ids[:1]
        _card, _order, invoice = self.sold()
        self.assertEqual([one[:2] for one in self.stated(invoice)], [("AUTRE", "5000.00"), ("VIREMENT", "99400.00")])

    def test_what_the_cashier_states_is_beside_the_card(self):
        order = self.order_with(self.card(), self.order_line(quantity=2))
        invoice = self.invoiced(order)
        invoice.bonopay_payment_ids = [Command.create({"method": "ESPECES", "amount": 9400.0})]
        self.post_all(invoice)
        self.assertEqual(
            [one[:2] for one in self.stated(invoice)],
            [("AUTRE", "5000.00"), ("ESPECES", "9400.00"), ("CREDIT", "90000.00")],
        )

    def test_an_e_wallet_pays_as_a_gift_card_does(self):
        wallet = self.card(program=self.card_program("ewallet", "Porte-monnaie"))
        invoice = self.invoiced(self.order_with(wallet, self.order_line(quantity=2)))
        self.post_all(invoice)
        self.assertEqual((invoice.amount_residual, self.stated(invoice)[0][:2]), (99400.0, ("AUTRE", "5000.00")))

    def test_a_discount_of_the_order_lowers_prices_and_the_card_pays(self):
        order = self.order(self.order_line(quantity=2), confirm=False)
        wizard = {"sale_order_id": order.id, "discount_type": "so_discount", "discount_percentage": 0.1}
        self.env["sale.order.discount"].create(wizard).action_apply_discount()
        self.pay_with_card(order, self.card())
        order.action_confirm()
        invoice = self.invoiced(order)
        self.post_all(invoice)
        self.assertEqual((invoice.amount_total, invoice.amount_residual), (93960.0, 88960.0))
        self.assertEqual(self.sealed(invoice)["items"][0]["unit_price"], "40500.00")

    # ------------------------------------------------------------------------------------------------------------
    # In parts
    # ------------------------------------------------------------------------------------------------------------

    def test_a_card_pays_the_first_deliveries_until_it_is_used_up(self):
        self.rice.invoice_policy = "delivery"
        order = self.order_with(self.card(60000.0), self.order_line(quantity=3))
        paid = []
        for delivered in (1, 2, 3):
            order.order_line[0].qty_delivered = delivered
            invoice = self.invoiced(order)
            self.post_all(invoice)
            paid.append([one[:2] for one in self.stated(invoice)])
        self.assertEqual(
            paid,
            [[("AUTRE", "52200.00")], [("AUTRE", "7800.00"), ("CREDIT", "44400.00")], [("CREDIT", "52200.00")]],
        )
        self.assertEqual((order.invoice_status, self.debt_of(order.invoice_ids)), ("invoiced", 60000.0))

    def test_an_advance_is_of_what_the_customer_pays_himself(self):
        order = self.order_with(self.card(), self.order_line(quantity=2))
        advance = self.advance(order, amount=50.0)
        self.assertEqual((advance.bonopay_state, advance.amount_total), ("certified", 49700.0))
        self.pay(advance)
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        self.assert_sealed(invoice | credit, 2)
        self.assertEqual((invoice.amount_total, invoice.amount_residual), (104400.0, 49700.0))

    def test_advances_settle_what_the_card_leaves(self):
        self.rice.invoice_policy = "delivery"
        order = self.order_with(self.card(60000.0), self.order_line(quantity=10))
        self.pay(self.advance(order, amount=30.0))
        order.order_line[0].qty_delivered = 2
        invoice, credit = self.invoiced(order)
        self.assertEqual(invoice.bonopay_advance_surplus, 138600.0 - 44400.0)
        self.post_all(invoice)
        self.assertEqual((invoice.amount_residual, credit.amount_residual), (0, 138600.0 - 44400.0))
        self.assertTrue(all(invoice.bonopay_card_entry_ids._bonopay_owed_lines().mapped("reconciled")))

    # ------------------------------------------------------------------------------------------------------------
    # Given back
    # ------------------------------------------------------------------------------------------------------------

    def test_sfe_1_25_a_credit_note_gives_the_card_back(self):
        card, _order, invoice = self.sold(points=200000.0)
        note = self.credit(invoice)
        self.post_all(note)
        self.assert_sealed(note)
        self.assertEqual([one[:2] for one in self.stated(note)], [("AUTRE", "104400.00")])
        self.assertEqual((card.points, note.amount_residual), (200000.0, 0))
        self.assertEqual(self.debt_of(invoice | note), 0)

    def test_what_is_still_owed_is_lowered_before_the_card_gets_something_back(self):
        card, _order, invoice = self.sold(points=60000.0)
        note = self.credit(invoice, quantity=1)
        self.post_all(note)
        self.assertEqual([one[:2] for one in self.stated(note)], [("AUTRE", "7800.00"), ("CREDIT", "44400.00")])
        self.assertEqual((card.points, note.amount_residual, invoice.amount_residual), (7800.0, 0, 0))

    def test_sfe_1_27_several_credit_notes_give_a_card_back_once(self):
        card, _order, invoice = self.sold(points=200000.0)
        for points in (147800.0, 200000.0):
            self.post_all(self.credit(invoice, quantity=1))
            self.assertEqual(card.points, points)
        self.assertEqual(self.debt_of(invoice | invoice.reversal_move_ids), 0)

    def test_a_refund_in_cash_leaves_the_card_as_it_is(self):
        card, _order, invoice = self.sold(points=104400.0)
        note = self.credit(invoice)
        note.bonopay_payment_ids = [Command.create({"method": "ESPECES", "amount": 104400.0})]
        self.post_all(note)
        self.assertEqual((card.points, self.stated(note)[0][:2]), (0, ("ESPECES", "104400.00")))
        self.assertFalse(note.bonopay_card_entry_ids)

    def test_what_is_sold_again_is_paid_by_the_card_again(self):
        card, order, invoice = self.sold()
        self.pay(invoice)
        self.post_all(self.credit(invoice))
        self.assertEqual(card.points, 5000.0)
        again = self.invoiced(order)
        self.post_all(again)
        self.assertEqual((card.points, self.stated(again)[0][:2]), (0, ("AUTRE", "5000.00")))
        self.assertEqual(self.debt_of(order.invoice_ids), 5000.0)

    def test_a_card_that_was_spent_elsewhere_meanwhile_pays_nothing_more(self):
        card, order, invoice = self.sold()
        self.pay(invoice)
        self.post_all(self.credit(invoice))
        card.points = 1000.0
        again = self.invoiced(order)
        card.points = 0.0
        self.refused(again, "can pay, or get back, no more than 0.00 CDF on this document")
        again.bonopay_payment_ids.unlink()
        self.post_all(again)
        self.assertEqual(self.stated(again), [("CREDIT", "104400.00", None)])

    def test_an_order_whose_card_paid_is_not_cancelled_before_it_is_credited(self):
        card, order, invoice = self.sold(points=200000.0)
        with self.assertRaisesRegex(UserError, f"paid for {invoice.name}: give that back with a credit note"):
            order._action_cancel()
        self.post_all(self.credit(invoice))
        order._action_cancel()
        self.assertEqual(card.points, 200000.0)

    def test_what_replaces_a_rejected_document_moves_the_card_once(self):
        card, _order, invoice = self.sold(points=200000.0)
        note = self.credit(invoice)
        self.twin.dgi_status = "rejected"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        self.post_all(note)
        self.twin.dgi_status = "certified"
        replacement = self.env["account.move"].browse(note.action_bonopay_replace()["res_id"])
        self.assertEqual(card.points, 95600.0)
        self.post_all(replacement)
        self.assertEqual((card.points, replacement.amount_residual), (200000.0, 0))
        self.assertEqual(self.debt_of(invoice | note | replacement), 0)

    # ------------------------------------------------------------------------------------------------------------
    # Refused, with the way out
    # ------------------------------------------------------------------------------------------------------------

    def test_a_card_booked_as_income_is_refused_with_the_way_out(self):
        self.program.reward_ids.discount_line_product_id.property_account_income_id = False
        invoice = self.invoiced(self.order_with(self.card(), self.order_line(quantity=2)))
        self.refused(invoice, "Choose a liability as its income account, such as 4191")

    def test_the_card_of_another_order_pays_nothing_and_gets_nothing_back(self):
        theirs = self.order_with(self.card(), self.order_line(quantity=2)).order_line._bonopay_cards()
        row = {"method": "AUTRE", "amount": 5000.0, "sale_line_id": theirs.id, "is_given": True}
        invoice = self.draft(bonopay_payment_ids=[Command.create(row)])
        self.refused(invoice, "can pay, or get back, no more than")
        invoice.bonopay_payment_ids.unlink()
        note = self.credit(self.post(invoice))
        note.bonopay_payment_ids = [Command.create(row)]
        self.refused(note, "can pay, or get back, no more than")

    def test_a_card_on_an_order_in_dollars_is_entered_as_a_payment_by_hand(self):
        self.dollar(2300)
        usd = self.env.ref("base.USD")
        pricelist = self.env["product.pricelist"].create({"name": "USD", "currency_id": usd.id})
        order = self.order_with(self.card(), self.order_line(quantity=2, price_unit=20.0), pricelist_id=pricelist.id)
        self.refused(self.invoiced(order), "a gift card or an e-wallet is a means of payment")

    def sale_of_a_card(self, tax):
        product = self._product("Carte cadeau", "CARTE", "service", 20000.0, tax)
        product.invoice_policy = "order"
        self.program.rule_ids.product_ids = product
        return product, self.invoiced(self.order(self.order_line(product, 1)))

    def test_a_card_that_is_sold_is_money_held_and_bears_no_vat(self):
        product, invoice = self.sale_of_a_card(self.tax_b)
        product.property_account_income_id = self.debt
        invoice.invoice_line_ids.account_id = self.debt
        self.refused(invoice, "VAT is due on what it buys.* DGI group I")
        invoice.invoice_line_ids.tax_ids = self.held
        self.post_all(invoice)
        self.assertEqual(self.sealed(invoice)["tax_groups"][0]["code"], "I")

    def test_a_card_that_is_sold_as_income_is_refused(self):
        _product, invoice = self.sale_of_a_card(self.held)
        self.refused(invoice, "is a debt, and “.*Carte cadeau” has account")
