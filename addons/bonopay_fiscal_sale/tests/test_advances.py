import json

from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.tests.common import trap_seals

from .commerce_case import CommerceCase


@tagged("post_install", "-at_install")
class TestAdvances(CommerceCase):
    """Advances on orders are invoices of their own kind, and credit notes settle them (SFE §1.7, §1.22)."""

    def sealed(self, move):
        return json.loads(move.bonopay_seal_id.payload)

    def assert_certified(self, moves, *types):
        self.assertEqual(moves.mapped("bonopay_invoice_type"), list(types))
        self.assertEqual(set(moves.mapped("bonopay_state")), {"certified"})

    def test_sfe_1_7_a_percentage_of_an_order_is_an_advance_invoice(self):
        order = self.order()
        advance = self.advance(order)
        self.assert_certified(advance, "FT")
        self.assertEqual(advance.amount_total, 159210.0)
        sent = self.sealed(advance)
        self.assertEqual((sent["invoice_type"], sent["totals"]["total"]), ("FT", "159210.00"))
        self.assertEqual({group["code"] for group in sent["tax_groups"]}, {"B"})

    def test_sfe_1_7_a_fixed_amount_is_an_advance_invoice(self):
        advance = self.advance(self.order(), "fixed", 100000.0)
        self.assert_certified(advance, "FT")
        self.assertEqual(advance.amount_total, 100000.0)

    def test_sfe_1_7_an_advance_on_an_export_is_an_export_advance_and_its_credit_note_too(self):
        export = self.tax("tva_export_0")
        order = self.order(self.order_line(quantity=10, tax_ids=export.ids))
        advance = self.advance(order)
        self.assert_certified(advance, "ET")
        self.pay(advance)
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        self.assert_certified(invoice | credit, "EV", "EA")

    def test_sfe_1_22_the_final_invoice_is_whole_and_a_credit_note_takes_the_advance_back(self):
        order = self.order()
        advance = self.advance(order)
        self.pay(advance)
        documents = self.invoiced(order)
        self.assertEqual(documents.mapped("move_type"), ["out_invoice", "out_refund"])
        invoice, credit = documents
        self.assertEqual((invoice.amount_total, credit.amount_total), (530700.0, 159210.0))
        self.assertEqual((credit.reversed_entry_id, credit.bonopay_credit_nature), (advance, "RAM"))
        self.assertEqual(self.post_all(invoice), documents, "one posting issues both")
        self.assert_certified(documents, "FV", "FA")
        self.assertEqual(invoice.amount_residual, 530700.0 - 159210.0)
        self.assertTrue(credit.currency_id.is_zero(credit.amount_residual))
        self.assertEqual(self.sealed(credit)["credit"]["original_dgi_code"], advance.bonopay_dgi_code)
        self.assertEqual(order.invoice_status, "invoiced")
        self.assertEqual(order.amount_invoiced, order.amount_total)
        with self.assertRaisesRegex(UserError, "No items are available"):
            self.invoiced(order)

    def test_sfe_1_18_what_the_advance_paid_is_not_paid_again_with_the_final_invoice(self):
        bank = self.env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", self.company.id)], limit=1
        )
        self.client.property_inbound_payment_method_line_id = bank.inbound_payment_method_line_ids[:1]
        order = self.order()
        advance = self.advance(order)
        self.pay(advance)
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        paid = {
            move: [(one["method"], one["amount"]) for one in self.sealed(move)["payments"]]
            for move in (advance, invoice, credit)
        }
        self.assertEqual(paid[advance], [("VIREMENT", "159210.00")])
        self.assertEqual(paid[invoice], [("VIREMENT", "371490.00"), ("CREDIT", "159210.00")])
        self.assertEqual(paid[credit], [("CREDIT", "159210.00")])

    def replaced(self, move):
        """The draft that replaces a document that the DGI rejected."""
        self.assertEqual(move.bonopay_state, "rejected")
        return self.env["account.move"].browse(move.action_bonopay_replace()["res_id"])

    def settled_then_rejected(self):
        """Final invoice and credit note of an advance that was paid, both rejected."""
        order = self.order()
        advance = self.advance(order)
        self.pay(advance)
        documents = self.invoiced(order)
        self.twin.dgi_status = "rejected"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        self.post_all(documents[0])
        self.twin.dgi_status = "certified"
        return advance, documents[0], documents[1]

    def test_sfe_1_22_what_replaces_the_final_invoice_has_its_credit_notes(self):
        _advance, invoice, credit = self.settled_then_rejected()
        replacement = self.replaced(invoice)
        self.assertEqual(credit.bonopay_final_invoice_id, replacement)
        self.assertFalse(invoice.bonopay_advance_credit_ids)
        self.post_all(replacement)
        self.assert_certified(replacement, "FV")
        self.assertEqual(replacement.amount_residual, 530700.0 - 159210.0)
        self.assertTrue(credit.currency_id.is_zero(credit.amount_residual))

    def test_sfe_1_22_what_replaces_the_credit_note_settles_the_final_invoice(self):
        advance, invoice, credit = self.settled_then_rejected()
        replacement = self.replaced(credit)
        self.assertEqual(invoice.bonopay_advance_credit_ids, replacement)
        self.post_all(replacement)
        self.assert_certified(replacement, "FA")
        self.assertEqual(invoice.amount_residual, 530700.0 - 159210.0)
        self.assertEqual((replacement.amount_residual, advance.amount_residual), (0.0, 0.0))

    def test_sfe_1_22_both_replaced_are_issued_together(self):
        _advance, invoice, credit = self.settled_then_rejected()
        replacements = self.replaced(invoice) | self.replaced(credit)
        self.assertEqual(self.post_all(replacements[0]), replacements)
        self.assert_certified(replacements, "FV", "FA")
        self.assertEqual(replacements.mapped("amount_residual"), [530700.0 - 159210.0, 0.0])

    def test_sfe_1_22_posting_the_credit_note_issues_the_invoice_too(self):
        order = self.order()
        self.pay(self.advance(order))
        documents = self.invoiced(order)
        self.assertEqual(self.post_all(documents[1]), documents)

    def test_sfe_1_26_several_advances_are_each_taken_back(self):
        order = self.order()
        first, second = self.advance(order, amount=20.0), self.advance(order, "fixed", 100000.0)
        self.pay(first)
        self.pay(second)
        documents = self.invoiced(order)
        self.assertEqual(documents[1:].reversed_entry_id, first | second)
        self.post_all(documents[0])
        self.assert_certified(documents, "FV", "FA", "FA")
        self.assertEqual(documents[0].amount_residual, 530700.0 - 106140.0 - 100000.0)

    def test_annex_iii_an_advance_that_was_never_paid_is_cancelled_and_no_longer_owed(self):
        order = self.order()
        advance = self.advance(order)
        invoice, credit = self.invoiced(order)
        self.assertEqual(credit.bonopay_credit_nature, "RAN")
        self.post_all(invoice)
        self.assertEqual((advance.amount_residual, invoice.amount_residual), (0.0, 530700.0))

    def test_sfe_1_25_the_final_invoice_waits_until_the_advance_is_normalised(self):
        self.twin.dgi_status = "pending"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        order = self.order()
        advance = self.advance(order)
        self.assertEqual(advance.bonopay_state, "sealed")
        with self.assertRaisesRegex(UserError, f"Advance {advance.name} is not normalised yet"):
            self.invoiced(order)
        self.assertEqual(order.invoice_ids, advance, "nothing was made")

    def test_sfe_1_25_an_advance_that_waiting_never_normalises_says_what_to_do(self):
        order = self.order()
        advance = self.advance(order)
        for state, words in (("rejected", "press “Replace”"), ("dead", "press “Seal now”")):
            advance.bonopay_seal_id._as_writer().write({"state": state})
            with self.subTest(state), self.assertRaisesRegex(UserError, words):
                self.invoiced(order)

    def test_a_draft_of_an_advance_is_confirmed_or_deleted_first(self):
        order = self.order()
        advance = self.advance(order, post=False)
        with self.assertRaisesRegex(UserError, "is a draft: confirm it, or delete it"):
            self.invoiced(order)
        advance.unlink()
        self.assertEqual(len(self.invoiced(order)), 1)

    def test_an_advance_that_was_credited_by_hand_is_not_credited_again(self):
        order = self.order()
        advance = self.advance(order)
        nothing = self.env["product.product"]
        by_hand = self.draft(
            *(
                self.line(nothing, name=line.name, price_unit=line.price_unit, tax_ids=line.tax_ids.ids)
                for line in advance.invoice_line_ids
            ),
            move_type="out_refund",
            reversed_entry_id=advance.id,
            bonopay_credit_nature="RAN",
            bonopay_credit_reason="Erreur",
        )
        self.post(by_hand)
        self.assertEqual(self.invoiced(order).mapped("move_type"), ["out_invoice"])

    def test_sfe_1_7_an_advance_cannot_be_stated_as_a_sale(self):
        advance = self.advance(self.order(), post=False)
        advance.bonopay_invoice_type = "FV"
        self.refused(advance, "Every line is an advance on an order: choose invoice type FT")

    def test_sfe_1_7_an_article_on_an_advance_is_invoiced_apart(self):
        advance = self.advance(self.order(), post=False)
        advance.write({"invoice_line_ids": [self.line(self.delivery, quantity=1)]})
        for kind in ("FT", "FV"):
            advance.bonopay_invoice_type = kind
            self.refused(advance, "is no advance on an order.* invoice it apart")
        advance.bonopay_invoice_type = "FT"
        advance.invoice_line_ids.filtered(lambda line: line.product_id == self.delivery).unlink()
        self.post(advance)
        self.assert_certified(advance, "FT")

    def test_sfe_1_12_advance_and_credit_note_agree_in_every_tax_group(self):
        exempt = self.tax("tva_exempt_0")
        order = self.order(self.order_line(quantity=3), self.order_line(self.delivery, 7, tax_ids=exempt.ids))
        advance = self.advance(order, amount=33.0)
        self.pay(advance)
        invoice, credit = self.invoiced(order)
        self.post_all(invoice)
        groups = self.sealed(advance)["tax_groups"]
        self.assertEqual([group["code"] for group in groups], ["A", "B"])
        self.assertEqual(self.sealed(credit)["tax_groups"], groups)

    def test_without_deducting_the_advance_stays_for_later(self):
        order = self.order()
        self.pay(self.advance(order))
        invoice = self.invoice_wizard(order, deduct_down_payments=False)._create_invoices(order)
        self.assertEqual((len(invoice), invoice.amount_total), (1, 530700.0))
        self.post(self.env["account.move"].browse(invoice.id))
        credit = self.invoiced(order)
        self.assertEqual((credit.move_type, credit.bonopay_credit_nature), ("out_refund", False))
        with self.assertRaisesRegex(UserError, "State the nature"):
            credit.action_post()

    def test_a_fault_of_the_invoice_keeps_both_back_and_is_told(self):
        order = self.order()
        self.pay(self.advance(order))
        invoice, credit = self.invoiced(order)
        invoice.invoice_line_ids[0].price_unit = 0
        with trap_seals(self.env), self.assertRaisesRegex(UserError, "unit price must be above zero"):
            credit.action_post()
        self.assertEqual((invoice.state, credit.state), ("draft", "draft"))

    def test_deleting_the_draft_of_the_invoice_deletes_its_credit_notes(self):
        order = self.order()
        self.pay(self.advance(order))
        invoice, credit = self.invoiced(order)
        invoice.unlink()
        self.assertFalse(credit.exists())
        self.assertEqual(len(self.invoiced(order)), 2)

    def test_cancelling_the_draft_of_the_invoice_cancels_its_credit_notes(self):
        order = self.order()
        self.pay(self.advance(order))
        documents = self.invoiced(order)
        documents[0].button_cancel()
        self.assertEqual(documents.mapped("state"), ["cancel", "cancel"])
        self.assertEqual(len(self.invoiced(order)), 2)

    def test_the_order_tells_what_happened(self):
        order = self.order()
        self.pay(self.advance(order))
        self.invoiced(order)
        self.assertRegex(order.message_ids[0].body, "Advance <a href=.* is taken back by a <a href=")

    def test_prices_with_tax_reach_any_amount(self):
        included = self.tax_b.copy({"price_include_override": "tax_included", "name": "TVA 16 % TTC"})
        order = self.order(self.order_line(quantity=10, tax_ids=included.ids))
        advance = self.advance(order, "fixed", 100000.07)
        self.assertEqual(advance.amount_total, 100000.07)
        self.pay(advance)
        documents = self.invoiced(order)
        self.post_all(documents[0])
        self.assert_certified(advance | documents, "FT", "FV", "FA")
        self.assertEqual(documents[0].amount_total, 450000.0)

    def test_an_amount_that_no_price_reaches_is_told_on_the_order(self):
        order = self.order()
        unreachable = 0.0
        for centimes in range(12):
            advance = self.advance(order, "fixed", 1000 + centimes / 100, post=False)
            if advance.amount_total != 1000 + centimes / 100:
                unreachable = 1000 + centimes / 100
                break
        self.assertTrue(unreachable)
        self.assertIn("no price comes to the amount asked for", order.message_ids[0].body)
        self.post(advance)
        self.assert_certified(advance, "FT")

    def test_a_salesperson_without_accounting_rights_makes_the_same_documents(self):
        order = self.order()
        self.pay(self.advance(order))
        seller = self.env["res.users"].create(
            {
                "name": "Vendeuse",
                "login": "bp_seller",
                "company_id": self.company.id,
                "company_ids": self.company.ids,
                "group_ids": [self.env.ref("sales_team.group_sale_salesman_all_leads").id],
            }
        )
        documents = order.with_user(seller)._create_invoices(final=True)
        self.assertEqual(documents.mapped("move_type"), ["out_invoice", "out_refund"])
