import json
import random
from decimal import Decimal

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestPayments(FiscalCase):
    """What a person states of the payment of an invoice is sealed as stated, and adds up (SFE §1.18–1.19, §1.30)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.usd = cls.env.ref("base.USD")
        cls.usd.active = True

    def paid_by(self, *payments, **values):
        """A draft of 104 400 francs with these payments stated."""
        return self.draft(bonopay_payment_ids=[Command.create(payment) for payment in payments], **values)

    def sealed(self, move):
        return json.loads(self.post(move).bonopay_seal_id.payload)["payments"]

    def faults(self, move):
        return [fault.code for fault in move._bonopay_faults()]

    def francs(self, paid):
        """Of a sealed payment, as the contract counts it (§2)."""
        return (Decimal(paid["amount"]) * Decimal(paid["rate"] or 1)).quantize(Decimal("0.01"), "ROUND_HALF_UP")

    def test_sfe_1_18_each_of_the_means_of_payment_is_sealed(self):
        methods = ("ESPECES", "VIREMENT", "CARTEBANCAIRE", "MOBILEMONEY", "CHEQUES", "CREDIT", "AUTRE")
        move = self.paid_by(*({"method": method, "amount": 10000} for method in methods))
        self.assertEqual([one["method"] for one in self.sealed(move)], [*methods, "CREDIT"])

    def test_sfe_1_18_split_payments_with_the_reference_of_mobile_money(self):
        reference = "MP261130.0815.A12345"
        cash = {"method": "ESPECES", "amount": 54400}
        move = self.paid_by(cash, {"method": "MOBILEMONEY", "amount": 50000, "reference": reference})
        expected = [("ESPECES", "54400.00", None), ("MOBILEMONEY", "50000.00", reference)]
        self.assertEqual([(one["method"], one["amount"], one["reference"]) for one in self.sealed(move)], expected)

    def test_sfe_1_19_what_is_not_paid_is_on_credit_and_stands_on_the_invoice(self):
        move = self.paid_by({"method": "ESPECES", "amount": 4400.25})
        self.assertEqual(move.bonopay_payment_rest, 99999.75)
        paid = self.sealed(move)
        self.assertEqual([(one["method"], one["amount"]) for one in paid][1:], [("CREDIT", "99999.75")])
        self.assertEqual(move.bonopay_payment_ids.mapped("method"), ["ESPECES", "CREDIT"])
        self.assertEqual(move.bonopay_payment_ids.mapped("is_proposed"), [False, True])

    def test_sfe_1_19_more_than_the_total_is_refused_with_the_way_out(self):
        move = self.paid_by({"method": "ESPECES", "amount": 104400.01})
        with self.assertRaisesRegex(UserError, r"104400\.01 CDF.*104400\.00 CDF.*without the change"):
            move.action_post()
        move.bonopay_payment_ids.amount = 104400
        self.assertEqual(len(self.sealed(move)), 1)

    def test_sfe_1_19_a_payment_of_nothing_is_refused(self):
        for amount in (0, -5):
            self.assertEqual(self.faults(self.paid_by({"method": "ESPECES", "amount": amount})), ["payment.amount"])

    def test_sfe_1_19_random_splits_add_up_to_the_total_to_the_centime(self):
        self.dollar(2317.05)
        dice = random.Random(119)
        for _ in range(25):
            price = dice.randrange(200_000, 90_000_000) / 100
            split = []
            for method in dice.sample(("ESPECES", "VIREMENT", "MOBILEMONEY", "CHEQUES"), dice.randint(1, 4)):
                in_dollars = dice.random() < 0.4
                worth = price / dice.uniform(4.01, 9) / (2317.05 if in_dollars else 1)
                currency = self.usd if in_dollars else self.company.currency_id
                split.append({"method": method, "amount": round(worth, 2) or 0.01, "currency_id": currency.id})
            lines = [self.line(quantity=1, price_unit=price)]
            move = self.draft(*lines, bonopay_payment_ids=[Command.create(one) for one in split])
            paid = self.sealed(move)
            total = json.loads(move.bonopay_seal_id.payload)["totals"]["total"]
            self.assertEqual(sum(map(self.francs, paid)), Decimal(total), (price, split))

    def test_sfe_1_30_dollars_are_sealed_at_the_rate_of_the_day(self):
        self.dollar(2300.05)
        move = self.paid_by({"method": "ESPECES", "amount": 45.39, "currency_id": self.usd.id})
        self.assertEqual(move.bonopay_payment_ids.francs, 104399.27)
        dollars, rest = self.sealed(move)
        expected = {"method": "ESPECES", "amount": "45.39", "currency": "USD", "rate": "2300.05", "reference": None}
        self.assertEqual(dollars, expected)
        self.assertEqual((rest["method"], rest["amount"], rest["currency"]), ("CREDIT", "0.73", "CDF"))

    def test_sfe_1_30_a_rate_more_than_1_percent_away_is_refused_with_the_way_out(self):
        self.dollar(2300)
        for rate, expected in ((2323, []), (2277, []), (2323.01, ["payment.rate_of_the_day"]), (2276.99, None)):
            move = self.paid_by({"method": "ESPECES", "amount": 20, "currency_id": self.usd.id, "rate": rate})
            self.assertEqual(self.faults(move), ["payment.rate_of_the_day"] if expected is None else expected, rate)
        with self.assertRaisesRegex(UserError, r"2276\.99 is more than 1 % away.*2300.*between 2277\.00 and 2323\.00"):
            move.action_post()

    def test_sfe_1_30_a_rate_that_a_person_entered_for_the_day_is_left_to_the_signer_to_judge(self):
        self.dollar(2300, source=None)
        move = self.paid_by({"method": "ESPECES", "amount": 20, "currency_id": self.usd.id, "rate": 2400})
        self.assertEqual(self.faults(move), [])

    def test_sfe_1_30_dollars_without_a_rate_are_refused(self):
        self.dollar(2300, source=None).unlink()
        self.env["res.currency.rate"].search([("currency_id", "=", self.usd.id)]).unlink()
        move = self.paid_by({"method": "ESPECES", "amount": 20, "currency_id": self.usd.id})
        self.assertEqual(self.faults(move), ["payment.rate"])

    def test_sfe_1_30_one_invoice_has_one_rate(self):
        self.dollar(2300)
        one = {"method": "ESPECES", "amount": 10, "currency_id": self.usd.id}
        self.assertEqual(set(self.faults(self.paid_by(one, {**one, "rate": 2310}))), {"payment.rates"})

    def test_a_third_currency_is_refused(self):
        move = self.paid_by({"method": "ESPECES", "amount": 10, "currency_id": self.env.ref("base.EUR").id})
        self.assertEqual(self.faults(move), ["payment.currency"])

    def test_what_was_sealed_cannot_be_changed_by_any_path(self):
        move = self.post(self.paid_by({"method": "ESPECES", "amount": 400}))
        payment = move.bonopay_payment_ids[0]
        other = self.paid_by({"method": "ESPECES", "amount": 400})
        new = {"move_id": move.id, "method": "AUTRE", "amount": 1}
        calls = {
            "write": lambda: payment.sudo().write({"amount": 5}),
            "unlink": lambda: payment.sudo().unlink(),
            "create": lambda: self.env["bonopay.payment"].sudo().create(new),
            "away": lambda: payment.sudo().write({"move_id": other.id}),
            "into": lambda: other.bonopay_payment_ids.sudo().write({"move_id": move.id}),
            "command": lambda: move.sudo().write({"bonopay_payment_ids": [Command.clear()]}),
        }
        for name, call in calls.items():
            with self.subTest(name), self.assertRaisesRegex(UserError, "handed to the signer"):
                call()

    def test_after_a_refusal_what_was_stated_stays_and_what_was_proposed_is_reckoned_anew(self):
        self.twin.problem_next(422, "invalid_payload")
        move = self.post(self.paid_by({"method": "ESPECES", "amount": 50000}))
        self.assertEqual((move.bonopay_state, len(move.bonopay_payment_ids)), ("invalid", 2))
        move.action_bonopay_correct()
        self.assertEqual(move.bonopay_payment_ids.mapped("method"), ["ESPECES"])
        move.invoice_line_ids.quantity = 1
        self.assertEqual([one["amount"] for one in self.sealed(move)], ["50000.00", "2200.00"])

    def test_a_copy_states_nothing(self):
        self.assertFalse(self.paid_by({"method": "ESPECES", "amount": 400}).copy().bonopay_payment_ids)

    def test_the_form_proposes_what_is_left_in_francs_and_in_dollars(self):
        self.dollar(2300)
        form = Form(self.draft())
        with form.bonopay_payment_ids.new() as cash:
            self.assertEqual(cash.amount, 104400)
            cash.amount = 400
        self.assertEqual(form.bonopay_payment_rest, 104000)
        with form.bonopay_payment_ids.new() as dollars:
            dollars.currency_id = self.usd
            self.assertEqual((dollars.rate, dollars.amount), (2300, 45.21))
        move = form.save()
        self.assertEqual(move.bonopay_payment_rest, 17)
        with Form(move) as form, form.bonopay_payment_ids.new() as typed:
            typed.amount = 3
            typed.currency_id = self.usd
            self.assertEqual(typed.amount, 3, "what somebody typed stays")

    def test_the_button_writes_down_what_would_be_stated(self):
        move = self.draft()
        self.assertIn("Crédit", move.bonopay_payment_words)
        move.action_bonopay_propose_payments()
        self.assertEqual(move.bonopay_payment_ids.mapped(lambda one: (one.method, one.amount)), [("CREDIT", 104400)])
        move.bonopay_payment_ids.method = "CHEQUES"
        self.assertEqual([one["method"] for one in self.sealed(move)], ["CHEQUES"])
