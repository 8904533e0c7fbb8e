from odoo import Command, fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestLocks(FiscalCase):
    """What was handed to the signer does not change by any door; what follows a sale stays possible."""

    def setUp(self):
        super().setUp()
        self.move = self.post()
        self.line_b = self.move.invoice_line_ids
        # a caller's context switches core's own check off: ours must not depend on it
        self.careless = {"skip_readonly_check": True, "force_delete": True, "dynamic_unlink": True,
                         "_force_unlink": True, "check_move_validity": False, "skip_invoice_sync": True}  # fmt: skip

    def check_locked(self, function):
        with self.assertRaisesRegex(UserError, "handed to the signer"):
            function()

    def test_art_28_undoing_is_refused(self):
        for name in ("button_draft", "button_cancel", "unlink", "action_bonopay_correct"):
            self.check_locked(getattr(self.move.sudo().with_context(**self.careless), name))
        self.check_locked(lambda: self.move.write({"state": "draft"}))
        self.check_locked(lambda: self.move.write({"state": "cancel"}))
        self.assertEqual(self.move.state, "posted")

    def test_art_28_every_fiscal_field_is_refused(self):
        other = self.env["res.partner"].create({"name": "Autre"})
        journal = self.journal.copy({"code": "AUT"})
        usd = self.env.ref("base.USD")
        changes = {
            "name": "INV/0", "partner_id": other.id, "invoice_date": "2020-01-01", "date": "2020-01-01",
            "journal_id": journal.id, "currency_id": usd.id, "move_type": "out_refund", "amount_total": 1.0,
            "amount_tax": 1.0, "amount_untaxed": 1.0, "sequence_number": 99,
            "bonopay_invoice_type": "EV", "bonopay_credit_nature": "COR", "posted_before": False,
            "line_ids": [Command.update(self.line_b.id, {"price_unit": 1})],
            "invoice_line_ids": [Command.create({"name": "x", "price_unit": 1})],
        }  # fmt: skip
        for name, value in changes.items():
            with self.subTest(field=name):
                self.check_locked(lambda n=name, v=value: self.move.sudo().with_context(**self.careless).write({n: v}))

    def test_art_28_lines_are_refused(self):
        line = self.line_b.sudo().with_context(**self.careless)
        for values in (
            {"quantity": 9}, {"price_unit": 9}, {"discount": 9}, {"name": "x"}, {"product_id": self.delivery.id},
            {"tax_ids": [Command.clear()]}, {"move_id": self.draft().id}, {"balance": 1}, {"debit": 1}, {"credit": 1},
            {"amount_currency": 1}, {"price_total": 1}, {"price_subtotal": 1}, {"partner_id": self.walk_in.id},
        ):  # fmt: skip
            with self.subTest(values=values):
                self.check_locked(lambda v=values: line.write(v))
        self.check_locked(line.unlink)
        self.check_locked(lambda: line.copy({"move_id": self.move.id}))
        values = {"move_id": self.move.id, "name": "x", "account_id": self.line_b.account_id.id}
        lines = self.env["account.move.line"].with_context(**self.careless)
        self.check_locked(lambda: lines.create(values))
        moving = self.draft().invoice_line_ids
        self.check_locked(lambda: moving.with_context(**self.careless).write({"move_id": self.move.id}))
        imported = lines.load(["move_id/.id", "name"], [[str(self.move.id), "x"]])
        self.assertFalse(imported["ids"])
        self.assertIn("handed to the signer", str(imported["messages"]))

    def test_art_28_renumbering_and_quick_edit_are_refused(self):
        self.check_locked(lambda: self.move.write({"quick_edit_total_amount": 5}))
        resequence = self.env["account.resequence.wizard"].with_context(
            active_model="account.move", active_ids=self.move.ids
        )
        name = self.move.name
        self.check_locked(lambda: resequence.create({"first_name": "OTHER/2026/00001"}).resequence())
        self.assertEqual(self.move.name, name)

    def test_art_28_waiting_documents_are_locked_as_well(self):
        waiting = self.post(self.draft(), send=False)
        self.assertEqual(waiting.bonopay_state, "to_seal")
        self.assertFalse(waiting.show_reset_to_draft_button)
        self.check_locked(waiting.button_draft)

    def test_art_28_archiving_the_outlet_lifts_nothing(self):
        self.outlet.active = False
        self.check_locked(self.move.button_draft)
        self.check_locked(lambda: self.line_b.write({"quantity": 5}))

    def test_payment_and_reconciliation_still_work(self):
        wizard = self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=self.move.ids
        )
        wizard.create({"payment_date": fields.Date.today()})._create_payments()
        self.assertIn(self.move.payment_state, ("paid", "in_payment"))
        self.move.line_ids.remove_move_reconcile()
        self.assertEqual(self.move.payment_state, "not_paid")

    def test_writing_the_same_value_is_no_change(self):
        self.move.write({"journal_id": self.journal.id, "name": self.move.name})
        self.line_b.write({"quantity": 2, "tax_ids": [Command.set(self.tax_b.ids)]})

    def test_notes_and_follow_up_stay_free(self):
        self.move.write({"narration": "Merci", "ref": "BC 12", "invoice_user_id": self.env.uid})
        receivable = self.move.line_ids.filtered(lambda line: line.display_type == "payment_term")
        receivable.write({"date_maturity": "2030-01-01"})

    def test_art_28_later_changes_of_master_data_do_not_reach_the_seal(self):
        before = self.move.bonopay_seal_id.payload
        self.client.name = "Autre nom"
        self.rice.name = "Autre riz"
        self.tax_b.write({"bonopay_group": "F"})
        self.assertEqual(self.move.bonopay_seal_id.payload, before)
        self.assertAlmostEqual(self.move.amount_tax, 14400.0)

    def test_a_rejected_document_in_a_secured_journal_is_told_the_way_out(self):
        """Odoo cancels no entry with a hash: the journal of an outlet has none, for the seal does this already."""
        self.assertEqual(self.outlet._ready_unsecured(None).level, "ok")
        with self.assertRaisesRegex(ValidationError, "the seal does this already"):
            self.journal.restrict_mode_hash_table = True
        secured = self.journal.copy({"code": "SEC", "restrict_mode_hash_table": True})
        with self.assertRaisesRegex(ValidationError, "Switch “Secure Posted Entries with Hash” off"):
            self.outlet.journal_ids |= secured
        self.twin.dgi_status = "rejected"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        move = self.post()
        self.env.flush_all()  # a database of before
        self.env.cr.execute(
            "UPDATE account_journal SET restrict_mode_hash_table = true WHERE id = %s", [self.journal.id]
        )
        self.env.cr.execute("UPDATE account_move SET inalterable_hash = 'x' WHERE id = %s", [move.id])
        self.env.invalidate_all()
        ready = self.outlet._ready_unsecured(None)
        self.assertEqual(ready.level, "fault")
        self.assertIn(self.journal.name, ready.words)
        with self.assertRaisesRegex(UserError, "secured with a hash and cannot be cancelled"):
            move.action_bonopay_replace()
        moves = self.env["account.move"].search([("journal_id", "=", self.journal.id)])
        self.assertEqual(set(moves.mapped("state")), {"posted"}, "no draft is left behind")
