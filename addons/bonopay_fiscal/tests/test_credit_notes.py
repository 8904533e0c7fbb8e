import json

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import FiscalCase, trap_seals


@tagged("post_install", "-at_install")
class TestCreditNotes(FiscalCase):
    def _reverse(self, original, nature):
        wizard = (
            self.env["account.move.reversal"]
            .with_context(active_model="account.move", active_ids=original.ids)
            .create({"bonopay_credit_nature": nature, "journal_id": self.journal.id, "reason": "Marchandise reprise"})
        )
        return self.env["account.move"].browse(wizard.refund_moves()["res_id"])

    def test_sfe_1_26_credit_note_names_its_normalised_original(self):
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

    def test_sfe_1_25_nature_is_compulsory(self):
        refund = self._reverse(self.post(), False)
        with self.assertRaisesRegex(UserError, "State the nature"):
            self.post(refund)

    def test_sfe_1_26_original_must_be_normalised(self):
        self.twin.dgi_status = "pending"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        refund = self._reverse(self.post(), "COR")
        with self.assertRaisesRegex(UserError, "not normalised yet"):
            self.post(refund)

    def test_sfe_1_26_where_waiting_never_ends_the_way_out_is_told(self):
        original = self.post()
        refund = self._reverse(original, "RAM")
        seal = original.bonopay_seal_id._as_writer()
        for state, words in (
            ("rejected", "press “Replace”"),
            ("invalid", "press “Correct”"),
            ("dead", "press “Seal now”"),
            ("unknown", "wait for its DEF/DGI code"),
        ):
            seal.write({"state": state})
            with self.subTest(state), self.assertRaisesRegex(UserError, words), self.env.cr.savepoint():
                self.post(refund)

    def test_sfe_1_26_a_sale_from_before_the_first_seal_is_credited_as_a_rebate(self):
        self.outlet.active = False
        original = self.draft()
        original.action_post()
        self.outlet.active = True
        refund = self._free("RAM", reversed_entry_id=original.id)
        with self.assertRaisesRegex(UserError, r"before your sales were sealed.* as a rebate \(RRR\)"):
            self.post(refund)

    def _free(self, nature, **values):
        """A credit note that was made by hand."""
        return self.draft(
            move_type="out_refund", bonopay_credit_nature=nature, bonopay_credit_reason="Geste commercial", **values
        )

    def test_a_sale_is_taken_back_by_a_document_of_its_own_kind(self):
        """Not one in earnest by a test, which reaches no DGI, nor the other way round."""
        earnest = self.journal.copy({"code": "VRAI"})
        values = {"name": "Gombe", "code": "KIN002", "state": "live", "journal_ids": [(6, 0, earnest.ids)]}
        self.env["bonopay.outlet"].create(values)
        for own, other in ((self.journal, earnest), (earnest, self.journal)):
            sale = self.post(self.draft(journal_id=own.id))
            wrong = self._free("RAN", reversed_entry_id=sale.id, journal_id=other.id)
            [fault] = wrong._bonopay_faults()
            self.assertEqual(fault.code, "credit.other_kind")
            self.assertIn("Choose a journal of", fault.message)
            with self.assertRaisesRegex(UserError, "fiscal value"):
                self.post(wrong)
            self.assertEqual(self._free("RAN", reversed_entry_id=sale.id, journal_id=own.id)._bonopay_faults(), [])

    def test_sfe_1_26_credit_note_without_original_is_refused(self):
        refund = self._free("RAN")
        with self.assertRaisesRegex(UserError, "names the invoice that it corrects"):
            self.post(refund)

    def test_sfe_1_28_rebate_needs_no_original(self):
        refund = self.post(self._free("RRR"))
        credit = {"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}
        self.assertEqual(json.loads(refund.bonopay_seal_id.payload)["credit"], credit)

    def test_sfe_1_7_credit_note_of_an_export_is_an_export_credit_note(self):
        export = self.tax("tva_export_0")
        original = self.post(self.draft(self.line(tax_ids=[(6, 0, export.ids)])))
        self.assertEqual(original.bonopay_invoice_type, "EV")
        self.assertEqual(self._reverse(original, "RAN").bonopay_invoice_type, "EA")

    def test_sfe_1_7_advance_stays_an_advance_when_lines_change(self):
        move = self.draft()
        move.bonopay_invoice_type = "FT"
        move.invoice_line_ids.tax_ids = self.tax_b_services
        self.assertEqual(move.bonopay_invoice_type, "FT")

    def test_sfe_1_26_credit_note_is_for_the_customer_and_an_invoice_of_its_original(self):
        original = self.post()
        one = self.line(quantity=1)
        refund = self.post(self._free("COR", reversed_entry_id=original.id, invoice_line_ids=[one]))
        for partner, named in ((self.walk_in, original), (self.client, refund)):
            wrong = self._free("COR", reversed_entry_id=named.id, partner_id=partner.id, invoice_line_ids=[one])
            with self.assertRaisesRegex(UserError, "of the same customer"), self.env.cr.savepoint():
                self.post(wrong)
        contact = self.env["res.partner"].create({"name": "Service achats", "parent_id": self.client.id})
        self.post(self._free("COR", reversed_entry_id=original.id, partner_id=contact.id, invoice_line_ids=[one]))

    # what is left of the sale --------------------------------------------------------------------------------------

    def _faults(self, refund):
        return [fault.code for fault in refund._bonopay_faults()]

    def test_sfe_1_26_an_article_that_was_not_sold_is_not_credited(self):
        refund = self._reverse(self.post(), "RAM")
        refund.write({"invoice_line_ids": [self.line(self.delivery, quantity=1)]})
        self.assertEqual(self._faults(refund), ["credit.code"])
        with self.assertRaisesRegex(UserError, "article LIVR is not on the invoice"):
            self.post(refund)

    def test_sfe_1_27_the_unit_price_is_that_of_the_sale(self):
        refund = self._reverse(self.post(), "RAM")
        refund.invoice_line_ids.price_unit = 44999
        with self.assertRaisesRegex(UserError, "unit price is 44999.00 and was 45000.00"):
            self.post(refund)

    def test_sfe_1_27_another_tax_is_not_that_of_the_sale(self):
        refund = self._reverse(self.post(), "RAM")
        refund.invoice_line_ids.tax_ids = self.tax("tva_export_0")
        self.assertIn("credit.tax_group", self._faults(refund) + self._faults_of_group(refund))

    def _faults_of_group(self, refund):
        """Without the rule on types, which speaks first."""
        return [fault.code for fault in refund._bonopay_check_against_original()]

    def test_sfe_1_27_quantities_add_up_over_several_credit_notes(self):
        original = self.post(self.draft(self.line(quantity=10), self.line(self.delivery, quantity=1)))
        first = self._reverse(original, "RAM")
        first.invoice_line_ids.filtered(lambda line: line.product_id == self.rice).quantity = 4
        self.post(first)
        second = self._reverse(original, "RAM")
        self.assertEqual(second.invoice_line_ids.mapped("quantity"), [6], "what is left is proposed, the rest is gone")
        second.invoice_line_ids.quantity = 6.01
        with self.assertRaisesRegex(UserError, "only 6 is left to credit, and 6.01 is asked"), self.env.cr.savepoint():
            self.post(second)
        second.invoice_line_ids.quantity = 6
        self.post(second)
        with self.assertRaisesRegex(UserError, "nothing is left"):
            self._reverse(original, "RAM")

    def test_sfe_1_27_what_was_renamed_since_is_not_taken_for_credited(self):
        original = self.post()
        one = self._reverse(original, "RAM")
        one.invoice_line_ids.quantity = 1
        self.post(one)
        self.rice.default_code = "RIZ-NOUVEAU"
        second = self._reverse(original, "RAM")
        self.assertEqual(self._faults(second), ["credit.code"], "told, instead of: nothing is left")

    def test_sfe_1_5_4_an_untaxed_sale_is_credited_in_its_own_price_mode(self):
        exempt = self.env["account.tax"].search(
            [("company_id", "=", self.company.id), ("bonopay_group", "=", "A"), ("type_tax_use", "=", "sale")], limit=1
        )
        original = self.post(self.draft(self.line(tax_ids=[(6, 0, exempt.ids)])))
        self.outlet.price_mode = "ttc"
        self.assertEqual(self._faults(self._reverse(original, "RAM")), [])

    def test_sfe_1_27_two_drafts_of_the_same_goods_are_credited_once(self):
        original = self.post()
        drafts = [self._reverse(original, "RAM") for _ in range(2)]
        self.post(drafts[0], send=False)
        self.assertEqual(self._faults(drafts[1]), ["credit.quantity"], "also before the first is sealed")

    def test_sfe_1_27_one_article_on_two_lines_is_counted_together(self):
        original = self.post(self.draft(self.line(quantity=1), self.line(quantity=2)))
        refund = self._reverse(original, "RAM")
        refund.invoice_line_ids[0].quantity = 3
        refund.invoice_line_ids[1].unlink()
        self.assertEqual(self._faults(refund), [])
        refund.invoice_line_ids.quantity = 3.5
        self.assertEqual(self._faults(refund), ["credit.quantity"])

    def test_sfe_1_27_what_the_dgi_rejected_took_nothing(self):
        original = self.post()
        first = self.post(self._reverse(original, "RAM"), send=False)
        first.bonopay_seal_id._as_writer().write({"state": "rejected"})
        self.assertEqual(self._faults(self._reverse(original, "RAM")), [])

    def test_sfe_1_28_a_rebate_takes_no_goods(self):
        original = self.post()
        self.post(self._free("RRR", reversed_entry_id=original.id))
        self.assertEqual(self._reverse(original, "RAM").invoice_line_ids.quantity, 2)

    def test_sfe_1_7_an_export_is_not_corrected_as_a_sale(self):
        refund = self._reverse(self.post(), "RAM")
        refund.bonopay_invoice_type = "EA"
        self.assertIn("credit.family", self._faults_of_group(refund))

    def test_art_7j_every_credit_note_says_why(self):
        refund = self._reverse(self.post(), "RAM")
        self.assertEqual(refund.bonopay_credit_reason, "Marchandise reprise")
        refund.bonopay_credit_reason = " "
        self.assertEqual(self._faults(refund), ["credit.reason"])
        refund.bonopay_credit_reason = "Sac percé"
        self.post(refund)
        with self.assertRaisesRegex(UserError, "can no longer be changed"):
            refund.bonopay_credit_reason = "autre"

    def test_an_invoice_is_replaced_by_a_credit_note_and_a_new_draft(self):
        original = self.post()
        wizard = (
            self.env["account.move.reversal"]
            .with_context(active_model="account.move", active_ids=original.ids)
            .create({"bonopay_credit_nature": "COR", "journal_id": self.journal.id, "reason": "Erreur de client"})
        )
        with trap_seals(self.env) as trapped:
            action = wizard.modify_moves()
        trapped.send()
        self.assertEqual(original.reversal_move_ids.bonopay_state, "certified")
        self.assertEqual(self.env["account.move"].browse(action["res_id"]).state, "draft")
