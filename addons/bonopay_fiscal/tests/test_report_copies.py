"""Which print is the original, which a duplicata, and that nothing else can pass for either (SFE §1.2 f, §1.8)."""

import hashlib
import re

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from . import test_report_common as common
from .test_report_common import ReportCase

INVOICE_REPORT = "account.account_invoices"


@tagged("post_install", "-at_install")
class TestReportCopies(ReportCase):
    def copy_mark(self, pdf):
        text = common.pdf_text(pdf)
        return next((f"DUPLICATA N° {number}" for number in range(1, 9) if f"DUPLICATA N° {number}" in text), None)

    def seal(self, move):
        return move.sudo().bonopay_seal_id

    def certify(self, move):
        values = common.sealed_values(common.payload())
        self.seal(move)._as_writer().write(values)
        move.invalidate_recordset()

    def send(self, move):
        wizard = self.env["account.move.send.wizard"]
        context = {"active_model": "account.move", "active_ids": move.ids, "force_report_rendering": True}
        wizard.with_context(**context).create({"sending_methods": []}).action_send_and_print()
        return move.invoice_pdf_report_id

    def test_sfe_1_8_only_the_first_print_is_an_original(self):
        move = self.sealed_move()
        self.assertEqual(
            [self.copy_mark(self.print_pdf(move)) for _print in range(3)], [None, "DUPLICATA N° 1", "DUPLICATA N° 2"]
        )
        self.assertEqual(self.seal(move).print_count, 3)

    def test_sfe_1_15_a_duplicata_has_the_number_of_its_original(self):
        move = self.sealed_move()
        number = re.compile(r"N° : *(BONO-[A-Z0-9]+-\d\d-\d{9})")
        numbers = [number.findall(common.pdf_text(self.print_pdf(move))) for _print in range(3)]
        self.assertEqual(numbers, [[self.seal(move).fiscal_number]] * 3)

    def test_sfe_1_8_the_first_print_is_kept_and_sending_sends_it_unchanged(self):
        move = self.sealed_move()
        printed = self.print_pdf(move)
        sent = self.send(move)
        self.assertEqual(sent.raw, printed)
        self.assertEqual(self.seal(move).print_count, 1, "the stored original is no new copy")
        kept = (
            self.env["ir.attachment"]
            .sudo()
            .search_count(
                [
                    ("res_model", "=", "account.move"),
                    ("res_id", "=", move.id),
                    ("res_field", "=", "invoice_pdf_report_file"),
                ]
            )
        )
        self.assertEqual(kept, 1)

    def test_sfe_1_8_what_was_sent_first_is_the_original_and_the_print_after_it_a_duplicata(self):
        move = self.sealed_move()
        sent = self.send(move)
        self.assertIsNone(self.copy_mark(sent.raw))
        self.assertEqual(self.copy_mark(self.print_pdf(move)), "DUPLICATA N° 1")
        self.assertIsNone(self.copy_mark(move.invoice_pdf_report_id.raw))

    def test_sfe_1_8_the_portal_s_download_is_the_original_then_the_stored_one(self):
        move = self.sealed_move().with_context(force_report_rendering=True)
        (first,) = move._get_invoice_legal_documents_all(allow_fallback=True)
        (second,) = move._get_invoice_legal_documents_all(allow_fallback=True)
        self.assertIsNone(self.copy_mark(first["content"]))
        self.assertNotIn("proforma", first["filename"])
        self.assertEqual(first["content"], second["content"])
        self.assertEqual(self.seal(move).print_count, 1)

    def test_row_44_a_slip_is_neither_counted_nor_kept(self):
        move = self.sealed_move(state="sealed")
        self.print_pdf(move)
        self.assertEqual(self.seal(move).print_count, 0)
        self.assertFalse(move.invoice_pdf_report_id)
        self.certify(move)
        pdf = self.print_pdf(move)
        self.assertIsNone(self.copy_mark(pdf))
        self.assertIn("FACTURE DE VENTE", common.pdf_text(pdf))

    def test_a_slip_is_not_kept_either_when_the_report_saves_attachments(self):
        self.env.ref(INVOICE_REPORT).write({"attachment": "'facture.pdf'", "attachment_use": True})
        move = self.sealed_move(state="sealed")
        self.print_pdf(move)
        self.certify(move)
        self.assertIn("FACTURE DE VENTE", common.pdf_text(self.print_pdf(move)))

    def test_sfe_1_5_what_is_not_normalised_cannot_be_sent_as_an_invoice(self):
        for state in ("to_seal", "sealed", "rejected"):
            with self.assertRaises(UserError):
                self.sealed_move(state=state).action_send_and_print()

    def test_row_44_file_names_promise_nothing_false(self):
        self.assertIn("Bon provisoire", self.sealed_move(state="to_seal")._get_report_base_filename())
        move = self.sealed_move()
        self.assertEqual(move._get_report_base_filename(), self.seal(move).fiscal_number)

    def test_sfe_1_8_a_preview_is_no_original_whatever_the_caller_puts_in_the_context(self):
        move = self.sealed_move()
        for forged in (0, {"number": 0}, [0], True):
            report = self.env["ir.actions.report"].with_context(bonopay_copy=forged)
            html = report._render_qweb_html(INVOICE_REPORT, move.ids)[0].decode()
            self.assertIn("APERÇU À L&#39;ÉCRAN", html)
        self.assertEqual(self.seal(move).print_count, 0)


@tagged("post_install", "-at_install")
class TestReportSeveral(ReportCase):
    def test_several_invoices_at_once_each_whole_and_in_order(self):
        """wkhtmltopdf on unpatched Qt refuses more than one document per call."""
        moves = [
            self.sealed_move(common.payload([common.item(f"Article {name}") for _line in range(lines)]))
            for name, lines in (("Alpha", 1), ("Beta", 30), ("Gamma", 1))
        ]
        pages = common.pdf_pages(self.print_pdf(*reversed(moves)))
        names = [next(name for name in ("Alpha", "Beta", "Gamma") if name in page) for page in pages]
        self.assertEqual(names, sorted(names, reverse=True))
        self.assertEqual(set(names), {"Alpha", "Beta", "Gamma"})
        self.assertEqual([move.sudo().bonopay_seal_id.print_count for move in moves], [1, 1, 1])

    def test_the_evidence_of_each_survives_the_merge(self):
        moves = [self.sealed_move(), self.sealed_move(common.payload(mode="ttc")), self.sealed_move(state="to_seal")]
        files = self.attachments(self.print_pdf(*moves))
        seals = [move.sudo().bonopay_seal_id for move in moves[:2]]
        self.assertEqual(len(files), 4)
        for seal in seals:
            found = hashlib.sha256(files[f"{seal.fiscal_number}-facture.json"]).hexdigest()
            self.assertEqual(found, seal.payload_hash)
            self.assertEqual(files[f"{seal.fiscal_number}-scellement.json"].decode(), seal.response)

    def test_an_invoice_asked_for_twice_is_printed_once(self):
        move = self.sealed_move()
        self.assertEqual(len(common.pdf_pages(self.print_pdf(move, move))), 1)
        self.assertEqual(move.sudo().bonopay_seal_id.print_count, 1)

    def test_sealed_and_other_invoices_print_together(self):
        pages = common.pdf_pages(self.print_pdf(self.sealed_move(), self.move()))
        self.assertIn("FACTURE DE VENTE", pages[0])
        self.assertNotIn("FACTURE DE VENTE", " ".join(pages[1:]))
        self.assertGreater(len(pages), 1)


@tagged("post_install", "-at_install")
class TestReportFrozen(ReportCase):
    """Invariant 5: the print reads the seal, not the live records."""

    def test_sfe_1_4_later_changes_of_the_records_do_not_reach_the_print(self):
        move = self.sealed_move()
        self.outlet.write({"street": "99, avenue Nouvelle", "phone": "+243 999 999 999", "tz": "Africa/Lubumbashi"})
        self.company.name = "Autre raison sociale"
        self.partner.name = "Autre client"
        text = common.pdf_text(self.print_pdf(move))
        for frozen in (
            "12, avenue du Commerce",
            "+243 810 000 000",
            "22/11/2026 à 00:30:00",
            "Alimentation du Fleuve SARL",
            "Client SARL",
        ):
            self.assertIn(frozen, text)
        for live in ("avenue Nouvelle", "999 999", "Autre"):
            self.assertNotIn(live, text)

    def test_sfe_1_4_a_payload_altered_in_the_database_is_not_printed(self):
        move = self.sealed_move()
        seal = move.sudo().bonopay_seal_id
        altered = seal.payload.replace("45000.00", "4500.00")
        self.env.cr.execute("UPDATE bonopay_seal SET payload = %s WHERE id = %s", (altered, seal.id))
        seal.invalidate_recordset()
        with self.assertRaisesRegex(UserError, "fingerprint"):
            self.print_pdf(move)

    def test_a_draft_of_a_company_with_outlets_is_marked(self):
        """Odoo's own page prints it, so the warning must stand on that page."""
        html = self.env["ir.actions.report"]._render_qweb_html(INVOICE_REPORT, self.move(post=False).ids)[0].decode()
        self.assertIn("BON PROVISOIRE – NON FISCAL", html)
        html = self.env["ir.actions.report"]._render_qweb_html(INVOICE_REPORT, self.move().ids)[0].decode()
        self.assertNotIn("BON PROVISOIRE", html)

    def test_an_accountant_prints_and_sees_no_more_than_that(self):
        move = self.sealed_move()
        user = new_test_user(self.env, "print_accountant", "account.group_account_invoice", company_id=self.company.id)
        report = self.report.with_user(user).with_context(allowed_company_ids=self.company.ids)
        self.assertIn("FACTURE DE VENTE", common.pdf_text(report._render_qweb_pdf(INVOICE_REPORT, move.ids)[0]))
        self.assertEqual(move.sudo().bonopay_seal_id.print_count, 1)
        with self.assertRaises(AccessError):
            move.sudo().bonopay_seal_id.with_user(user).write({"print_count": 0})

    def test_an_invoice_without_seal_keeps_odoo_s_own_page_and_paper(self):
        move = self.move()
        self.assertEqual(move._get_name_invoice_report(), "account.report_invoice_document")
        report = self.env.ref(INVOICE_REPORT)
        self.assertNotEqual(report.get_paperformat(), self.env.ref("bonopay_fiscal.paperformat_invoice"))
        self.assertNotIn("BON PROVISOIRE", common.pdf_text(self.print_pdf(move)))
