from unittest.mock import patch

from odoo import Command
from odoo.tests import tagged

from .common import FiscalCase, trap_seals
from .online_payments import OnlinePayments


@tagged("post_install", "-at_install")
class TestPaidOnTheWebsite(OnlinePayments, FiscalCase):
    """What a customer has paid stays paid, whatever keeps the invoice from being issued or sent."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._offer_a_provider()

    def _paid(self, move):
        """A transaction of the public user that is done and was post-processed."""
        transaction = self.env["payment.transaction"].create(
            {
                "provider_id": self.provider.id,
                "payment_method_id": self.method.id,
                "amount": move.amount_total,
                "currency_id": move.currency_id.id,
                "partner_id": move.partner_id.id,
                "reference": move.name or "WEB-1",
                "operation": "online_direct",
                "invoice_ids": [Command.set(move.ids)],
            }
        )
        transaction.state = "done"
        with trap_seals(self.env) as trapped:
            transaction.with_user(self.env.ref("base.public_user")).sudo()._post_process()
        return transaction, trapped

    def test_a_draft_that_the_law_refuses_stays_a_draft_and_the_payment_stays(self):
        move = self.draft(self.line(quantity=2), self.line(self.delivery, quantity=1, price_unit=0))
        transaction, trapped = self._paid(move)
        self.assertEqual((move.state, len(trapped.seals)), ("draft", 0))
        self.assertEqual(transaction.payment_id.amount, move.amount_total)
        self.assertIn(transaction.payment_id.state, ("in_process", "paid"))
        self.assertEqual(transaction.invoice_ids, move, "it is found when the draft was corrected")
        self.assertEqual(move.activity_ids.user_id, self.salesperson)
        [fault] = move.with_context(lang=self.salesperson.lang)._bonopay_faults()
        self.assertEqual(fault.code, "line.price")
        self.assertIn(fault.message, move.activity_ids.note)

    def test_the_call_ends_when_the_corrected_document_is_sealed(self):
        move = self.draft(self.line(quantity=1, price_unit=0))
        self._paid(move)
        self.assertTrue(move.activity_ids)
        move.invoice_line_ids.price_unit = 45000
        self.post(move)
        self.assertEqual((move.bonopay_state, len(move.activity_ids)), ("certified", 0))

    def test_a_paid_draft_of_nobody_calls_the_administrator(self):
        move = self.draft(self.line(quantity=1, price_unit=0), invoice_user_id=False)
        self._paid(move)
        self.assertEqual(move.activity_ids.user_id, self.env.ref("base.user_admin"))

    def test_trying_again_calls_nobody_twice(self):
        move = self.draft(self.line(quantity=1, price_unit=0))
        self._paid(move)
        move._bonopay_unattended().action_post()
        self.assertEqual((move.state, len(move.activity_ids)), ("draft", 1))

    def test_a_draft_that_is_in_order_is_issued_sealed_and_paid(self):
        move = self.draft()
        transaction, trapped = self._paid(move)
        trapped.send()
        self.assertEqual((move.state, move.bonopay_state), ("posted", "certified"))
        self.assertTrue(move.currency_id.is_zero(move.amount_residual))
        self.assertFalse(move.activity_ids)
        self.assertIn(transaction.payment_id, move.reconciled_payment_ids)

    def test_a_person_who_posts_is_told_at_once(self):
        with self.assertRaisesRegex(Exception, "unit price must be above zero"):
            self.draft(self.line(quantity=1, price_unit=0)).action_post()

    def test_sfe_1_5_what_waits_for_the_dgi_is_sent_by_itself_once_it_is_normalised(self):
        move = self.draft()
        with trap_seals(self.env) as trapped:
            move.action_post()
        self.assertFalse(move._is_ready_to_be_sent())
        ready = []
        with patch.object(type(move), "_action_invoice_ready_to_be_sent", lambda moves: ready.append(moves)):
            trapped.send()
        self.assertTrue(move._is_ready_to_be_sent())
        self.assertEqual(ready, [move])

    def test_a_document_without_seal_is_ready_as_ever(self):
        self.assertTrue(self.draft()._is_ready_to_be_sent())
