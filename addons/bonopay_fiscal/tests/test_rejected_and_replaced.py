"""What the DGI rejected after it was sealed: nothing is un-posted, and another document replaces it."""

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestRejectedAndReplaced(FiscalCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")

    def test_rejection_after_the_seal_shows_the_words_of_the_dgi(self):
        self.twin.dgi_status = "rejected"
        move = self.post()
        self.assertEqual(move.bonopay_state, "rejected")
        self.assertIn("12 – Avoir supérieur à l'original", move.bonopay_message)
        self.assertTrue(move.activity_ids)
        with self.assertRaises(UserError):
            move.button_draft()

    def test_a_rejected_document_is_replaced_by_another_and_keeps_its_seal(self):
        self.twin.dgi_status = "rejected"
        stated = {"method": "CHEQUES", "amount": 1000.0, "reference": "CH 7"}
        move = self.post(self.draft(bonopay_comments="Bon n° 12", bonopay_payment_ids=[Command.create(stated)]))
        seal, name = move.bonopay_seal_id, move.name
        with self.assertRaises(UserError):
            move.button_cancel()
        action = move.action_bonopay_replace()
        replacement = self.env["account.move"].browse(action["res_id"])
        self.assertEqual((move.state, move.name, move.bonopay_seal_id), ("cancel", name, seal))
        self.assertFalse(move.line_ids.filtered("parent_state").filtered(lambda line: line.parent_state == "posted"))
        self.assertEqual((seal.state, seal.superseded, seal.board, seal.age), ("rejected", False, False, False))
        self.assertFalse(move.activity_ids)
        self.assertEqual((replacement.state, replacement.bonopay_state), ("draft", False))
        self.assertEqual(replacement.amount_total, move.amount_total)
        self.assertEqual(replacement.bonopay_comments, "Bon n° 12")
        self.assertEqual(replacement.bonopay_payment_ids.mapped("reference"), ["CH 7"])
        self.assertEqual(len(move.bonopay_payment_ids), 2, "what was sealed stays on record")
        self.twin.dgi_status = "certified"
        self.post(replacement)
        self.assertEqual(replacement.bonopay_state, "certified")
        self.assertNotEqual(replacement.bonopay_fiscal_number, seal.fiscal_number)
        for way_back in ("button_draft", "action_post", "unlink", "action_bonopay_replace"):
            with self.subTest(way_back), self.assertRaises(UserError):
                getattr(move, way_back)()
        with self.assertRaises(UserError):
            move.invoice_line_ids.write({"price_unit": 1.0})

    def test_a_rejected_credit_note_is_replaced_by_one_of_the_same_sale(self):
        sale = self.post()
        self.twin.dgi_status = "rejected"
        values = {"bonopay_credit_nature": "RAN", "bonopay_credit_reason": "Erreur", "invoice_date": sale.invoice_date}
        note = self.post(sale._reverse_moves([values]))
        self.assertEqual(note.bonopay_state, "rejected")
        replacement = self.env["account.move"].browse(note.action_bonopay_replace()["res_id"])
        self.twin.dgi_status = "certified"
        self.post(replacement)
        self.assertEqual((replacement.bonopay_state, replacement.reversed_entry_id), ("certified", sale))

    def test_only_what_the_dgi_rejected_is_replaced(self):
        waiting, certified = self.post(send=False), self.post()
        for move in (waiting, certified, self.draft()):
            with self.assertRaisesRegex(UserError, "only a document that the DGI rejected"):
                move.action_bonopay_replace()
        annulling = {"bonopay_annulling": True}
        for move in (waiting, certified):
            with self.assertRaises(UserError):
                move.with_context(**annulling).button_cancel()
