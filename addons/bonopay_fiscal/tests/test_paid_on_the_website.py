import json
from unittest.mock import patch

from odoo.tests import tagged

from .common import trap_seals
from .website_case import WebsiteCase


@tagged("post_install", "-at_install")
class TestPaidOnTheWebsite(WebsiteCase):
    """What a customer has paid stays paid, whatever keeps the invoice from being issued or sent."""

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

    def _replaced(self, move):
        """The document that replaces one that the DGI rejected: posted and certified."""
        self.assertEqual(move.bonopay_state, "rejected")
        replacement = self.env["account.move"].browse(move.action_bonopay_replace()["res_id"])
        self.twin.dgi_status = "certified"
        return self.post(replacement)

    def _rejected(self):
        self.twin.dgi_status = "rejected"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")

    def _payments_told(self, move):
        return json.loads(move.bonopay_seal_id.payload)["payments"]

    def test_sfe_1_19_what_replaces_a_paid_document_is_paid_too(self):
        self._rejected()
        move = self.draft()
        transaction, trapped = self._paid(move)
        trapped.send()
        replacement = self._replaced(move)
        self.assertEqual(self._payments_told(replacement), self._payments_told(move))
        self.assertTrue(replacement.currency_id.is_zero(replacement.amount_residual))
        self.assertIn(transaction.payment_id, replacement.reconciled_payment_ids)
        self.assertEqual(replacement.transaction_ids, transaction)

    def test_sfe_1_19_what_was_paid_at_the_counter_pays_what_replaces_the_document(self):
        self._rejected()
        move = self.post()
        wizard = self.env["account.payment.register"].with_context(active_model="account.move", active_ids=move.ids)
        payment = wizard.create({})._create_payments()
        replacement = self._replaced(move)
        self.assertEqual(payment.invoice_ids, replacement)
        self.assertTrue(replacement.currency_id.is_zero(replacement.amount_residual))
        [told] = self._payments_told(replacement)
        self.assertNotEqual(told["method"], "CREDIT")

    def test_a_payment_of_another_customer_does_not_pay_what_replaces_the_document(self):
        self._rejected()
        move = self.draft()
        _transaction, trapped = self._paid(move)
        trapped.send()
        replacement = self.env["account.move"].browse(move.action_bonopay_replace()["res_id"])
        replacement.partner_id = self.client.copy({"name": "Autre"})
        self.twin.dgi_status = "certified"
        self.post(replacement)
        self.assertFalse(replacement.bonopay_counterpart_ids.filtered("reconciled"))
