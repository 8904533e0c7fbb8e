"""What is not posted in a company whose sales are sealed is never called an invoice: on paper, as a file, in the portal
(SFE §1.5; arrêté 033 art. 7 g)."""

import json
from dataclasses import replace
from urllib.parse import unquote

from odoo import Command
from odoo.http import Request
from odoo.tests import BaseCase, HttpCase, new_test_user, tagged

from ..report.draft_slip import DraftFacts, draft_slip
from . import test_report_common as common
from .test_report_document import ISSUER, spaced
from .test_report_of_others import OwnReportCase

LINE = {
    "code": "RIZ25",
    "name": "Riz 25 kg",
    "type": "BIE",
    "tax_group": "B",
    "unit": "Unité",
    "quantity": "2",
    "unit_price": "45000.00",
    "discount": "10",
    "amount": "81000.00",
}
DRAFT = DraftFacts(
    operation="FV",
    reference="n° 7",
    date="2026-11-21",
    is_cancelled=False,
    test_mode=False,
    price_mode="ht",
    currency="CDF",
    merchant_nif="A1234567B",
    outlet_id="KIN001",
    operator="Comptable",
    client=common.COMPANY_CLIENT,
    lines=(LINE,),
    base="81000.00",
    tax="12960.00",
    total="93960.00",
)


def make_draft(case, **values):
    """A draft of two bags of rice in an outlet's journal."""
    env = case.env
    journal = env["account.journal"].search([("company_id", "=", case.company.id), ("type", "=", "sale")], limit=1)
    journal.bonopay_outlet_id = case.outlet
    tax = env["account.chart.template"].with_company(case.company).ref("tva_sale_16")
    line = {"name": "Riz 25 kg", "quantity": 2, "price_unit": 45000, "tax_ids": [Command.set(tax.ids)]}
    return env["account.move"].create(
        {
            "move_type": "out_invoice",
            "partner_id": case.partner.id,
            "invoice_date": "2026-11-21",
            "invoice_line_ids": [Command.create(line)],
            **values,
        }
    )


@tagged("post_install", "-at_install")
class TestDraftSlip(BaseCase):
    """The presenter alone."""

    def slip(self, **changes):
        return draft_slip(replace(DRAFT, **changes), ISSUER)

    def test_sfe_1_5_no_type_of_draft_is_called_an_invoice(self):
        for operation in ("FV", "FT", "FA", "EV", "ET", "EA"):
            view = self.slip(operation=operation)
            self.assertFalse(view.is_fiscal)
            self.assertIsNone(view.dgi)
            self.assertIsNone(view.verification)
            head = [view.heading, view.subheading, view.facts, view.marks, view.identity]
            self.assertNotIn("FACTURE", str(head).upper())
            self.assertEqual(view.marks, ("NON FISCAL",))

    def test_figures_are_odoo_s_own_and_a_discount_is_told(self):
        view = self.slip()
        (row,) = view.sheets[0].rows
        self.assertEqual([spaced(text) for text in (row.unit_price, row.amount)], ["45 000,00", "81 000,00"])
        self.assertEqual([spaced(note) for note in row.notes], ["Remise 10 %"])
        self.assertEqual(spaced(view.total_due), "93 960,00 CDF")
        self.assertEqual(view.in_words, "Quatre-vingt-treize mille neuf cent soixante francs congolais")

    def test_sfe_1_2_l_a_net_price_is_told_with_the_price_before_it_and_the_reason(self):
        line = LINE | {"discount": "0", "original_price": "50000.00", "price_reason": "Remise fidélité"}
        (row,) = self.slip(lines=(line,)).sheets[0].rows
        self.assertEqual([spaced(note) for note in row.notes], ["Prix d'origine : 50 000,00 – Remise fidélité"])

    def test_sfe_1_2_s_what_was_said_of_the_payment_is_told_and_nothing_otherwise(self):
        self.assertEqual(self.slip().payments, ())
        paid = {"method": "ESPECES", "amount": "40.00", "currency": "USD", "rate": "2300", "reference": None}
        ((method, amount),) = self.slip(payments=(paid,)).payments
        self.assertEqual((method, spaced(amount)), ("Espèces", "40,00 USD × 2 300 = 92 000,00 CDF"))

    def test_whatever_a_draft_holds_has_a_slip(self):
        """No line, a negative total, a currency without words, no date, no outlet, a client with much to say."""
        crowd = common.NOBODY | {"name": "Organisation internationale " * 60}
        self.assertEqual(len(self.slip(lines=(), client=crowd).sheets), 1)
        negative = self.slip(total="-0.50", currency="ZAR")
        self.assertEqual((spaced(negative.total_due), negative.in_words), ("-0,50 ZAR", ""))
        self.assertEqual(self.slip(total="-1.00").in_words, "")
        self.assertEqual(self.slip(date=None, outlet_id=None, merchant_nif=None).facts, (("Brouillon", "n° 7"),))

    def test_a_cancelled_draft_is_promised_no_normalisation(self):
        self.assertEqual(self.slip(is_cancelled=True).provisional.reason, "Document annulé")
        self.assertEqual(self.slip().provisional.reason, "Brouillon")
        self.assertIsNone(self.slip(is_cancelled=True).provisional.missing)
        self.assertTrue(self.slip().provisional.missing)

    def test_a_draft_of_a_test_outlet_says_so(self):
        self.assertEqual(self.slip(test_mode=True).marks, ("TEST – SANS VALEUR FISCALE", "NON FISCAL"))


@tagged("post_install", "-at_install")
class TestReportDrafts(OwnReportCase):
    def draft(self, **values):
        return make_draft(self, **values)

    def assert_slip(self, text):
        self.assertIn("BON PROVISOIRE – NON FISCAL", text)
        self.assertIn("Ce bon n'est pas une facture", text)
        promised = text.upper().replace("CE BON N'EST PAS UNE FACTURE", "").replace("EXIGEZ LA FACTURE", "")
        for word in ("FACTURE", "INVOICE", "DUPLICATA"):
            self.assertNotIn(word, promised)

    def test_row_44_a_draft_prints_as_a_slip_with_its_own_figures(self):
        move = self.draft()
        text = common.pdf_text(self.print_pdf(move))
        self.assert_slip(text)
        for shown in ("Riz 25 kg", "90 000,00", "14 400,00", "104 400,00", "Client SARL", "12, avenue du Commerce"):
            self.assertIn(shown, text)
        self.assertFalse(move.invoice_pdf_report_id)

    def test_row_44_a_slip_tells_payments_and_the_price_before_a_reduction_and_stays_a_slip(self):
        move = self.draft()
        self.assertNotIn("Mode de paiement", common.pdf_text(self.print_pdf(move)))
        move.invoice_line_ids.write({"bonopay_original_price": 50000, "bonopay_price_reason": "Remise fidélité"})
        paid = {"method": "MOBILEMONEY", "amount": 30000, "reference": "MP261130"}
        move.bonopay_payment_ids = [Command.create(paid)]
        roll = self.report._render_qweb_pdf("bonopay_fiscal.report_ticket", move.ids)[0]
        html = self.report._render_qweb_html("account.report_invoice", move.ids)[0].decode()
        for text in (html, *map(common.pdf_text, (self.print_pdf(move), roll))):
            shown = " ".join(spaced(text).split())
            for words in ("50 000,00 – Remise fidélité", "Mobile money (MP261130)", "30 000,00 CDF", "74 400,00 CDF"):
                self.assertIn(words, shown)
        self.assert_slip(common.pdf_text(self.print_pdf(move)))
        move.button_cancel()
        self.assertNotIn("Mobile money", common.pdf_text(self.print_pdf(move)))

    def test_row_44_every_foot_and_title_of_the_slip_says_what_it_is(self):
        pdf = self.print_pdf(self.draft())
        self.assertIn("Bon provisoire – non fiscal", common.pdf_text(pdf))
        title = common.run("pdfinfo", "-", data=pdf).decode()
        self.assertIn("BON PROVISOIRE", title)
        self.assertEqual(self.attachments(pdf), {})

    def test_sfe_1_5_a_proforma_of_a_draft_is_the_slip_too(self):
        move = self.draft().with_context(force_report_rendering=True)
        proforma = move._get_invoice_pdf_proforma()
        self.assert_slip(common.pdf_text(proforma["content"]))
        html = self.report.with_context(proforma_invoice=True)._render_qweb_html("account.report_invoice", move.ids)[0]
        self.assertNotIn("Proforma", html.decode())

    def test_sfe_1_5_no_file_of_a_draft_is_named_an_invoice(self):
        self.own.print_report_name = "'Facture ' + str(object.id)"
        for lang in ("en_US", "fr_FR"):
            self.env["res.lang"]._activate_lang(lang)
            for kind in ("out_invoice", "out_refund"):
                move = self.draft(move_type=kind).with_context(lang=lang)
                names = [
                    move._get_report_base_filename(),
                    move._get_invoice_report_filename(),
                    move._get_invoice_report_filename(report=self.own),
                    move._get_invoice_proforma_pdf_report_filename(),
                ]
                for name in names:
                    self.assertRegex(name, "^Bon provisoire")
                    self.assertNotRegex(name, "(?i)facture|invoice|proforma")

    def test_sfe_1_5_a_template_of_the_merchants_own_prints_no_draft(self):
        self.assert_slip(common.pdf_text(self.print_own(self.draft())))

    def test_several_drafts_at_once_each_on_its_own_slip(self):
        pages = common.pdf_pages(self.print_pdf(self.draft(), self.sealed_move(), self.draft(move_type="out_refund")))
        self.assertEqual(len(pages), 3)
        self.assert_slip(pages[0])
        self.assertIn("FACTURE DE VENTE", pages[1])
        self.assert_slip(pages[2])

    def test_a_cancelled_draft_is_a_slip_as_well(self):
        move = self.draft()
        self.assertIn("Il manque :", common.pdf_text(self.print_pdf(move)))
        move.button_cancel()
        for pdf in (self.print_pdf(move), self.report._render_qweb_pdf("bonopay_fiscal.report_ticket", move.ids)[0]):
            text = common.pdf_text(pdf)
            self.assert_slip(text)
            self.assertIn("Document annulé", text)
            self.assertNotIn("Il manque", text)

    def test_sfe_1_11_a_draft_for_a_company_without_type_prints_and_names_none(self):
        self.partner.is_company = True
        draft = make_draft(self)
        self.assertFalse(draft.bonopay_client_type)
        text = common.pdf_text(self.print_pdf(draft))
        self.assertIn("Client SARL", text)
        draft.bonopay_client_type = "PC"
        self.assertIn("[PC]", common.pdf_text(self.print_pdf(draft)))

    def test_a_draft_without_outlet_or_client_still_prints(self):
        move = self.draft(partner_id=False, invoice_line_ids=[])
        move.journal_id.bonopay_outlet_id = False
        self.assert_slip(common.pdf_text(self.print_pdf(move)))

    def test_a_company_without_outlet_and_a_vendor_s_bill_keep_odoo_s_page(self):
        bill = self.draft(move_type="in_invoice")
        self.assertEqual(bill._get_name_invoice_report(), "account.report_invoice_document")
        self.assertNotIn("Bon provisoire", bill._get_report_base_filename())
        move = self.draft()
        self.outlet.active = False
        self.assertEqual(move._get_name_invoice_report(), "account.report_invoice_document")


@tagged("post_install", "-at_install")
class TestFileNamesOverHttp(OwnReportCase, HttpCase):
    def downloaded_name(self, report_name, *moves):
        url = f"/report/pdf/{report_name}/{','.join(str(move.id) for move in moves)}"
        answer = self.url_open("/report/download", data={"data": json.dumps([url, "qweb-pdf"]), **self.csrf})
        self.assertEqual(answer.status_code, 200)
        return unquote(answer.headers["Content-Disposition"])

    def setUp(self):
        super().setUp()
        groups = "account.group_account_invoice"
        new_test_user(
            self.env, "namer", groups, company_id=self.company.id, company_ids=[Command.set(self.company.ids)]
        )
        self.authenticate("namer", "namer")
        self.csrf = {"csrf_token": Request.csrf_token(self)}
        self.own.write({"print_report_name": "'Facture maison'", "name": "Facture maison"})

    def test_sfe_1_5_a_download_is_named_after_what_it_holds_not_after_the_report(self):
        draft, sealed = make_draft(self), self.sealed_move()
        for report in (self.own.report_name, "account.report_invoice_with_payments", "bonopay_fiscal.report_ticket"):
            self.assertRegex(self.downloaded_name(report, draft), r"Bon provisoire[^/]*\.pdf")
            self.assertIn(sealed.sudo().bonopay_seal_id.fiscal_number, self.downloaded_name(report, sealed))
            several = self.downloaded_name(report, draft, sealed)
            self.assertIn("Documents de vente.pdf", several)
            self.assertNotRegex(several, "(?i)facture|invoice")

    def test_a_report_of_what_is_not_ours_keeps_its_name(self):
        self.assertIn("Facture maison", self.downloaded_name(self.own.report_name, self.move()))
