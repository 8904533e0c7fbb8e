import json
from unittest.mock import patch

from odoo import Command
from odoo.tests import tagged

from ..core.document import Payment
from .website_case import WebsiteCase


@tagged("post_install", "-at_install")
class TestPaymentsProposed(WebsiteCase):
    """What nobody stated is taken from the books; and what was paid stays paid, whatever is wrong with it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bank = cls.provider.journal_id
        cls.cash = cls.env["account.journal"].create({"name": "Caisse", "code": "CAIS", "type": "cash"})
        cls.usd = cls.env.ref("base.USD")
        cls.usd.active = True

    def sealed(self, move):
        payload = json.loads(move.bonopay_seal_id.payload or self.post(move).bonopay_seal_id.payload)
        return [(one["method"], one["amount"], one["reference"]) for one in payload["payments"]]

    def register(self, moves, journal, amount, **values):
        """A payment by the wizard, on drafts as on posted invoices."""
        wizard = self.env["account.payment.register"].with_context(active_model="account.move", active_ids=moves.ids)
        wizard = wizard.create({"journal_id": journal.id, "amount": amount, "group_payment": len(moves) > 1, **values})
        return wizard._create_payments()

    def transaction(self, move, amount, code, **values):
        method = self.env["payment.method"].with_context(active_test=False).search([("code", "=", code)], limit=1)
        return self.env["payment.transaction"].create(
            {
                "provider_id": self.provider.id,
                "payment_method_id": method.id,
                "amount": amount,
                "currency_id": move.currency_id.id,
                "partner_id": move.partner_id.id,
                "reference": f"WEB-{move.ids}",
                "operation": "online_direct",
                "invoice_ids": [Command.set(move.ids)],
                "state": "done",
                **values,
            }
        )

    # ------------------------------------------------------------------------------------------------------------

    def test_an_invoice_due_at_once_is_paid_by_the_method_chosen_for_it(self):
        move = self.draft()
        move.preferred_payment_method_line_id = self.cash.inbound_payment_method_line_ids[:1]
        self.assertIn("Espèces", move.bonopay_payment_words)
        self.assertEqual(self.sealed(move), [("ESPECES", "104400.00", None)])
        self.assertEqual(move.bonopay_payment_ids.mapped("method"), ["ESPECES"])

    def test_an_invoice_due_later_is_on_credit_whatever_method_is_preferred(self):
        move = self.draft(invoice_payment_term_id=self.env.ref("account.account_payment_term_30days").id)
        move.preferred_payment_method_line_id = self.cash.inbound_payment_method_line_ids[:1]
        self.assertEqual(self.sealed(move), [("CREDIT", "104400.00", None)])

    def test_a_payment_registered_on_the_draft_is_stated_and_the_rest_is_on_credit(self):
        move = self.draft()
        self.register(move, self.cash, 30000, communication="REÇU 12")
        self.assertEqual(self.sealed(move), [("ESPECES", "30000.00", "REÇU 12"), ("CREDIT", "74400.00", None)])

    def test_a_payment_in_dollars_on_the_draft_is_stated_in_dollars(self):
        self.dollar(2300)
        move = self.draft()
        self.register(move, self.bank, 20, currency_id=self.usd.id)
        payload = json.loads(self.post(move).bonopay_seal_id.payload)["payments"][0]
        expected = ("VIREMENT", "20.00", "USD", "2300")
        self.assertEqual(tuple(payload[name] for name in ("method", "amount", "currency", "rate")), expected)

    def test_a_done_transaction_is_stated_with_its_reference(self):
        move = self.draft()
        self.transaction(move, 100000, "mpesa", provider_reference="MP261130.A1")
        expected = [("MOBILEMONEY", "100000.00", "MP261130.A1"), ("CREDIT", "4400.00", None)]
        self.assertEqual(self.sealed(move), expected)

    def test_what_is_only_tried_or_failed_was_not_paid(self):
        move = self.draft()
        for number, state in enumerate(("draft", "pending", "error", "cancel")):
            self.transaction(move, 100000, "card", state=state, reference=f"X-{number}")
        self.assertEqual(self.sealed(move), [("CREDIT", "104400.00", None)])

    def test_one_payment_of_two_invoices_is_not_stated_twice(self):
        moves = self.draft() + self.draft()
        self.transaction(moves, 150000, "card")
        self.assertEqual([one[:2] for one in self.sealed(moves[0])], [("CARTEBANCAIRE", "104400.00")])
        self.assertEqual(
            [one[:2] for one in self.sealed(moves[1])], [("CARTEBANCAIRE", "45600.00"), ("CREDIT", "58800.00")]
        )

    def test_a_credit_note_is_on_credit_whatever_paid_the_sale(self):
        move = self.draft()
        self.transaction(move, 104400, "card")
        self.post(move)
        refund = move._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
        refund.preferred_payment_method_line_id = self.cash.inbound_payment_method_line_ids[:1]
        self.assertEqual(self.sealed(refund), [("CREDIT", "104400.00", None)])

    def test_what_was_paid_on_the_website_is_stated_and_nothing_is_raised(self):
        move = self.draft()
        self.method.bonopay_method = "MOBILEMONEY"
        _transaction, trapped = self._paid(move)
        trapped.send()
        self.assertEqual(move.bonopay_state, "certified")
        self.assertEqual([one[0] for one in self.sealed(move)], ["MOBILEMONEY"])

    def test_more_than_the_total_paid_on_the_website_is_cut_to_it(self):
        move = self.draft()
        self.transaction(move, 200000, "card")
        self.assertEqual([one[:2] for one in self.sealed(move)], [("CARTEBANCAIRE", "104400.00")])

    def test_dollars_that_nobody_knows_the_worth_of_are_not_stated(self):
        self.env["res.currency.rate"].search([("currency_id", "=", self.usd.id)]).unlink()
        move = self.draft()
        self.transaction(move, 20, "card", currency_id=self.usd.id)
        self.assertEqual(self.sealed(move), [("CREDIT", "104400.00", None)])

    def test_a_wrong_statement_on_a_paid_draft_calls_somebody_and_undoes_nothing(self):
        move = self.draft(bonopay_payment_ids=[Command.create({"method": "ESPECES", "amount": 999999})])
        transaction, _trapped = self._paid(move)
        self.assertEqual((move.state, transaction.payment_id.amount), ("draft", move.amount_total))
        self.assertIn("104400.00", move.activity_ids.note)

    def test_other_modules_propose_what_they_know(self):
        move = self.draft()
        card = Payment("AUTRE", 4400, "CADEAU-1")
        with patch.object(type(move), "_bonopay_proposed_payments", lambda _move: iter([card])):
            self.assertEqual(self.sealed(move)[0], ("AUTRE", "4400.00", "CADEAU-1"))
