import json

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestCreditNotes(FiscalCase):
    def _reverse(self, original, nature):
        wizard = (
            self.env["account.move.reversal"]
            .with_context(active_model="account.move", active_ids=original.ids)
            .create({"bonopay_credit_nature": nature, "journal_id": self.journal.id})
        )
        return self.env["account.move"].browse(wizard.refund_moves()["res_id"])

    def test_credit_note_names_its_normalised_original(self):
        original = self.post()
        refund = self.post(self._reverse(original, "RAM"))
        sent = json.loads(refund.bonopay_seal_id.payload)
        self.assertEqual(sent["invoice_type"], "FA")
        self.assertEqual(
            sent["credit"],
            {
                "nature": "RAM",
                "original_fiscal_number": original.bonopay_fiscal_number,
                "original_dgi_code": original.bonopay_dgi_code,
            },
        )
        self.assertEqual(sent["items"][0]["quantity"], "2")
        self.assertEqual(refund.bonopay_state, "certified")

    def test_nature_is_compulsory(self):
        refund = self._reverse(self.post(), False)
        with self.assertRaisesRegex(UserError, "State the nature"):
            self.post(refund)

    def test_original_must_be_normalised(self):
        self.twin.dgi_status = "pending"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        refund = self._reverse(self.post(), "COR")
        with self.assertRaisesRegex(UserError, "not normalised yet"):
            self.post(refund)

    def test_credit_note_without_original(self):
        refund = self.draft(move_type="out_refund", bonopay_credit_nature="RAN")
        with self.assertRaisesRegex(UserError, "names the invoice that it corrects"):
            self.post(refund)

    def test_rebate_needs_no_original(self):
        refund = self.post(self.draft(move_type="out_refund", bonopay_credit_nature="RRR"))
        credit = {"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}
        self.assertEqual(json.loads(refund.bonopay_seal_id.payload)["credit"], credit)

    def test_credit_note_of_an_export_is_an_export_credit_note(self):
        export = self.tax("tva_export_0")
        original = self.post(self.draft(self.line(tax_ids=[(6, 0, export.ids)])))
        self.assertEqual(original.bonopay_invoice_type, "EV")
        self.assertEqual(self._reverse(original, "RAN").bonopay_invoice_type, "EA")

    def test_advance_stays_an_advance_when_lines_change(self):
        move = self.draft()
        move.bonopay_invoice_type = "FT"
        move.invoice_line_ids.tax_ids = self.tax_b_services
        self.assertEqual(move.bonopay_invoice_type, "FT")

    def test_credit_note_is_for_the_customer_and_an_invoice_of_its_original(self):
        original = self.post()
        values = {"move_type": "out_refund", "bonopay_credit_nature": "COR"}
        refund = self.post(self.draft(**values, reversed_entry_id=original.id))
        for partner, named in ((self.walk_in, original), (self.client, refund)):
            wrong = self.draft(**values, reversed_entry_id=named.id, partner_id=partner.id)
            with self.assertRaisesRegex(UserError, "of the same customer"), self.env.cr.savepoint():
                self.post(wrong)
        contact = self.env["res.partner"].create({"name": "Service achats", "parent_id": self.client.id})
        self.post(self.draft(**values, reversed_entry_id=original.id, partner_id=contact.id))
