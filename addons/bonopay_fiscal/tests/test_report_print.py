"""Real PDFs: what a person reads, what a phone scans, what an auditor extracts."""

import hashlib
import re

from odoo.tests import tagged

from ..report.document_parts import Copy
from . import test_report_common as common
from .test_report_common import ReportCase, item, payload

DGI_ONLY = ("RDCDEF01", "DEF NID", "DEF Compteurs", "DEF Heure", "Éléments de sécurité de la facture", "5/8 FV")
CREDIT = {"nature": "RAM", "original_fiscal_number": "BONO-KIN001-01-000000007", "original_dgi_code": common.DGI_CODE}


def full_payload():
    """An invoice that carries every mention at once."""
    lines = [
        item(original_unit_price="50000.00", price_change="Remise 10 %"),
        item("Livraison", "7500.00", "1", code="LIV", type="SER", unit="Course", tax_group="A"),
        item(
            "Boisson",
            "1000.00",
            "2.5",
            code="BOI",
            tax_group="C",
            specific_tax={"basis": "percent", "value": "10", "amount": "250.00"},
        ),
    ]
    return payload(
        lines,
        payments=[
            {"method": "MOBILEMONEY", "amount": "40.00", "currency": "USD", "rate": "2300", "reference": "MP-7788"},
            {"method": "ESPECES", "amount": "22787.50", "currency": "CDF", "rate": None, "reference": None},
        ],
        foreign_currency={"code": "USD", "rate": "2300", "date": "2026-11-21"},
        comments=dict.fromkeys("ABCDEFGH") | {"B": "Livré sur le chantier"},
    )


def many_lines(count):
    """Lines of one to four printed lines each, with a code that occurs nowhere else."""
    tail = "de très bonne qualité, lot de douze, carton renforcé "
    return [
        item(f"Article {'M' * (number % 7)} {tail * (number % 4)}", "1000.00", "3", code=f"ART{number:04d}")
        for number in range(1, count + 1)
    ]


@tagged("post_install", "-at_install")
class TestReportText(ReportCase):
    """SFE §1.2 on paper; §1.4: the printed values are those of the payload."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.invoice = cls.sealed_move(full_payload())
        cls.pdf = cls.print_pdf(cls.invoice)
        cls.text = common.pdf_text(cls.pdf)

    def assert_printed(self, *texts):
        for text in texts:
            self.assertIn(text, self.text)

    def test_sfe_1_2_a_to_d_seller(self):
        self.assert_printed("Alimentation du Fleuve SARL", "NIF : A1234567B")
        self.assert_printed("12, avenue du Commerce, Kinshasa / Gombe", "+243 810 000 000", "gombe@fleuve.example")

    def test_sfe_1_2_e_client(self):
        self.assert_printed("Client SARL", "[PM] Personne morale", "NIF : B7654321C")

    def test_sfe_1_2_f_g_h_i_an_ordinary_original_bears_none_of_these_words(self):
        self.assert_printed("FACTURE DE VENTE")
        for word in ("DUPLICATA", "D'AVOIR", "EXPORTATION", "D'ACOMPTE", "PROVISOIRE", "APERÇU", "TEST –"):
            self.assertNotIn(word, self.text)

    def test_sfe_1_2_j_m_n_o_groups(self):
        self.assert_printed("A – Exonéré 0 % 7 500,00 7 500,00 0,00 7 500,00")
        self.assert_printed("B – Taxable 16 % 16 % 90 000,00 90 000,00 14 400,00 104 400,00")
        self.assert_printed("5 % 2 500,00 2 750,00 137,50 2 887,50")

    def test_sfe_1_2_k_l_number_and_lines(self):
        self.assert_printed(common.FISCAL_NUMBER, "INV/2026/00001", "Prix hors taxe (HT)")
        self.assert_printed(
            "RIZ25 [BIE] Riz 25 kg B Unité 2 45 000,00 90 000,00", "Prix d'origine : 50 000,00 – Remise 10 %"
        )
        self.assert_printed(
            "LIV [SER] Livraison A Course 1 7 500,00 7 500,00", "BOI [BIE] Boisson C Unité 2,5 1 000,00 2 500,00"
        )

    def test_sfe_1_2_p_q_total_in_figures_and_words(self):
        self.assert_printed("Total HT 100 250,00", "Total TVA 14 537,50", "TOTAL TTC 114 787,50 CDF")
        self.assert_printed("Cent quatorze mille sept cent quatre-vingt-sept francs congolais et cinquante centimes")

    def test_sfe_1_2_r_s_payments_dollars_and_rate(self):
        self.assert_printed("Mobile money (MP-7788) : 40,00 USD × 2 300 = 92 000,00 CDF", "Espèces : 22 787,50 CDF")
        self.assert_printed("Total TTC en USD : 49,91 USD", "Taux du 21/11/2026 : 1 USD = 2 300 CDF")

    def test_sfe_1_2_t_specific_tax(self):
        self.assert_printed("Taxe spécifique (10 %) : 250,00", "dont taxe spécifique 250,00")

    def test_sfe_1_2_u_v_w_time_isf_operator(self):
        self.assert_printed("22/11/2026 à 00:30:00", "ISF : BON-001-01", "Opérateur : Comptable")

    def test_sfe_1_2_x_security_elements_and_comments(self):
        self.assert_printed(common.DGI_CODE, "DEF NID : CD01000001-1", "DEF Compteurs : 5/8 FV")
        self.assert_printed(
            "DEF Heure : 22/11/2026 00:30:01", "B – Livré sur le chantier", "EXIGEZ LA FACTURE NORMALISÉE"
        )

    def test_row_64_the_second_verification_says_that_it_is_second(self):
        self.assert_printed("VÉRIFICATION BONO PAY", "Ne remplace pas celle de la DGI", "7K3M-9QXD-R2TA")
        self.assert_printed("BONO-CD-DEMO", "12 · c0ffeec0ffeec0ff")
        self.assertIn(f"verify/{common.FISCAL_NUMBER}?code=7K3M-9QXD-R2TA", self.text)

    def test_the_foot_identifies_every_sheet(self):
        self.assert_printed(f"{common.FISCAL_NUMBER} · Code DEF/DGI {common.DGI_CODE} Page 1 / 1")

    def test_the_text_is_set_in_fonts_of_the_machine(self):
        """Web fonts are drawn as outlines by unpatched Qt: no text to search or copy, and no bold."""
        bundle = self.env["ir.qweb"]._get_asset_bundle("web.report_assets_common", css=True, js=False)
        downloaded = set(re.findall(r"@font-face\s*{[^}]*?font-family:\s*[\"']?([^;\"']+)", bundle.preprocess_css()))
        self.assertIn("Roboto", downloaded)
        html = self.env["ir.actions.report"]._render_qweb_html("account.account_invoices", self.invoice.ids)[0].decode()
        style = re.sub(r"@font-face {[^}]*}", "", html[html.index("@font-face {") : html.index("</style>")])
        used = set(re.findall(r'"([^"]+)"', style))
        self.assertIn("Bono Pay Sans", used)
        self.assertFalse(used & downloaded)

    def test_every_glyph_is_found_and_bold_is_bold(self):
        self.assertNotIn("\ufffd", self.text)
        fonts = common.run("pdffonts", "-", data=self.pdf).decode()
        self.assertRegex(fonts, "Bold")
        self.assertIn("FACTURE DE VENTE", self.text)

    def test_sfe_1_7_export_advance_and_credit_headings(self):
        headings = {
            "FT": "FACTURE D'ACOMPTE",
            "ET": "FACTURE D'ACOMPTE – EXPORTATION",
            "EV": "FACTURE DE VENTE – EXPORTATION",
        }
        for code, heading in headings.items():
            self.assertIn(heading, common.pdf_text(self.print_pdf(self.sealed_move(payload(invoice_type=code)))))
        text = common.pdf_text(self.print_pdf(self.sealed_move(payload(invoice_type="FA", credit=CREDIT))))
        for mention in ("FACTURE D'AVOIR", "Avoir suite reprise", "BONO-KIN001-01-000000007"):
            self.assertIn(mention, text)


@tagged("post_install", "-at_install")
class TestReportProvisional(ReportCase):
    """SFE §1.5: what is not normalised cannot be mistaken for an invoice."""

    def test_row_44_a_slip_of_any_state_is_no_invoice(self):
        for state in ("to_seal", "sealed", "unknown", "rejected"):
            text = common.pdf_text(self.print_pdf(self.sealed_move(full_payload(), state)))
            self.assertIn("BON PROVISOIRE – NON FISCAL", text)
            self.assertIn("24/11/2026 à 00:30:00 (48 heures)", text)
            self.assertIn("Il manque : Code DEF/DGI", text)
            self.assertNotIn("FACTURE", text)
            for mention in DGI_ONLY:
                self.assertNotIn(mention, text, state)

    def test_row_44_the_mark_crosses_every_sheet_of_a_slip(self):
        pages = common.pdf_pages(self.print_pdf(self.sealed_move(payload(many_lines(60)), "to_seal")))
        self.assertGreater(len(pages), 1)
        for page in pages:
            self.assertIn("NON FISCAL", page)
            self.assertIn("BON PROVISOIRE", page)
            self.assertIn("Bon provisoire – non fiscal", page)

    def test_a_document_of_a_test_outlet_says_so(self):
        text = common.pdf_text(self.print_pdf(self.sealed_move(test_mode=True)))
        self.assertIn("TEST – SANS VALEUR FISCALE", text)


@tagged("post_install", "-at_install")
class TestReportSheets(ReportCase):
    """Nothing is cut, nothing is lost, whatever the number and length of the lines."""

    def assert_whole(self, document, state="certified"):
        move = self.sealed_move(document, state)
        pages = common.pdf_pages(self.print_pdf(move))
        document_printed = move.with_context(bonopay_copy=Copy(0))._bonopay_invoice_document()
        self.assertEqual(len(pages), len(document_printed.sheets), "a sheet overflowed")
        return pages

    def test_120_lines_each_once_and_the_head_on_every_sheet(self):
        pages = self.assert_whole(payload(many_lines(120)))
        self.assertGreater(len(pages), 3)
        for number, page in enumerate(pages, start=1):
            self.assertIn("Code Désignation Gr. Unité Quantité P.U. HT Montant HT", page)
            self.assertIn(f"Page {number} / {len(pages)}", page)
            self.assertIn(common.FISCAL_NUMBER, page)
        text = " ".join(pages)
        for number in range(1, 121):
            self.assertEqual(text.count(f"ART{number:04d}"), 1)
        self.assertEqual(text.count("TOTAL TTC"), 1)
        self.assertIn("TOTAL TTC", pages[-1])
        self.assertIn(common.DGI_CODE, pages[-1].partition("Éléments")[0] + pages[-1])

    def test_sheets_hold_what_was_reckoned_for_them(self):
        """Around the number of lines at which the totals no longer fit on the first sheet."""
        for count in (9, 17, 21, 30):
            self.assert_whole(payload(many_lines(count)))
        for count in (18, 20, 22, 24, 26, 28):
            self.assert_whole(payload([item()] * count))

    def test_the_longest_texts_and_figures_stay_on_the_page(self):
        long_text = "Groupe électrogène insonorisé triphasé " * 5
        tax = {"basis": "amount", "value": "1.00", "amount": "1.00"}
        lines = [
            item(long_text.strip(), "123456789012.00", "12.125", code="GROUPE-ELECTROGENE-250KVA", specific_tax=tax),
            item("X" * 200, "0.01", "1", tax_group="F", original_unit_price="0.02", price_change="Y" * 200),
        ]
        client = {
            "type": "AO",
            "name": "Organisation internationale " * 7,
            "nif": None,
            "contact": "+243 999 000 000, " * 11,
            "address": "Boulevard du 30 Juin, immeuble de la Mission, " * 4,
            "exemption_reference": "EXO/2026/000123",
        }
        comments = dict.fromkeys("ABCDEFGH", "Marchandise livrée sur le chantier de la centrale. " * 3)
        pages = self.assert_whole(payload(lines, mode="ttc", client=client, comments=comments))
        text = " ".join(pages)
        for figure in ("123 456 789 012,00", "1 496 913 566 770,50"):
            self.assertIn(figure, text)
        self.assertEqual(text.replace(" ", "").count("X" * 20), 10, "a word longer than its column was cut")

    def test_nothing_is_drawn_in_the_margins(self):
        """A figure that runs over the grid or off the sheet would leave ink there."""
        lines = [item("X" * 200, "123456789012.00", "12.125"), item(price="0.01", quantity="1")]
        image = self.raster(self.print_pdf(self.sealed_move(payload(lines))), dpi=100)
        width, height = image.size
        margin = 38  # 9.6 mm of the 10 mm
        for box in ((0, 0, margin, height), (width - margin, 0, width, height)):
            self.assertGreater(image.crop(box).getextrema()[0], 250, box)


@tagged("post_install", "-at_install")
class TestReportQr(ReportCase):
    """SFE §1.29: the symbols can be scanned, from paper, by a phone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.original = cls.print_pdf(cls.sealed_move())

    def test_sfe_1_29_both_symbols_are_read_at_203_and_300_dpi(self):
        for dpi in (203, 300):
            found = self.decode(self.raster(self.original, dpi))
            self.assertEqual(set(found), {common.DGI_QR, common.VERIFICATION_QR}, dpi)

    def test_sfe_1_29_both_symbols_are_read_from_a_poor_photograph(self):
        """150 dpi, tilted, blurred, grey, noisy."""
        import random

        from PIL import Image, ImageFilter

        photo = self.raster(self.original, 150).rotate(4, expand=True, fillcolor=255, resample=Image.BICUBIC)
        photo = photo.filter(ImageFilter.GaussianBlur(0.6)).point(lambda value: 60 + value * 130 // 255)
        rng = random.Random(7)
        noisy = bytes(max(0, min(255, value + rng.randint(-12, 12))) for value in photo.tobytes())
        found = self.decode(Image.frombytes("L", photo.size, noisy))
        self.assertEqual(set(found), {common.DGI_QR, common.VERIFICATION_QR})

    def test_sfe_1_29_the_dgi_s_symbol_comes_first_and_is_larger(self):
        found = self.decode(self.raster(self.original, 300))
        dgi, ours = found[common.DGI_QR], found[common.VERIFICATION_QR]
        self.assertLess(dgi.position.top_right.x, ours.position.top_left.x)
        self.assertGreater(self.side(dgi), 1.1 * self.side(ours))

    def test_sfe_1_29_a_printed_module_is_at_least_four_dots_at_203_dpi(self):
        found = self.decode(self.raster(self.original, 600))
        for text, modules in ((common.DGI_QR, 37), (common.VERIFICATION_QR, 61)):
            module = self.side(found[text]) / modules
            self.assertGreaterEqual(module * 203 / 600, 4.0, text[:8])

    def test_sfe_1_29_the_symbols_have_error_correction_m(self):
        for symbol in self.decode(self.raster(self.original, 300)).values():
            self.assertEqual(symbol.ec_level, "M")

    def test_sfe_1_29_a_duplicata_is_read_through_its_mark(self):
        move = self.sealed_move()
        self.print_pdf(move)
        copy = self.print_pdf(move)
        self.assertIn("DUPLICATA", common.pdf_text(copy))
        self.assertEqual(set(self.decode(self.raster(copy, 203))), {common.DGI_QR, common.VERIFICATION_QR})

    def test_row_44_a_slip_has_no_symbol_of_the_dgi(self):
        waiting = self.decode(self.raster(self.print_pdf(self.sealed_move(state="to_seal")), 203))
        sealed = self.decode(self.raster(self.print_pdf(self.sealed_move(state="sealed")), 203))
        self.assertEqual(set(waiting), set())
        self.assertEqual(set(sealed), {common.VERIFICATION_QR})


@tagged("post_install", "-at_install")
class TestReportEvidence(ReportCase):
    """Invariant 5: an auditor finds in the PDF what was sealed."""

    def test_row_3_the_embedded_payload_has_the_sealed_hash(self):
        move = self.sealed_move(full_payload())
        files = self.attachments(self.print_pdf(move))
        seal = move.sudo().bonopay_seal_id
        self.assertEqual(hashlib.sha256(files["facture.json"]).hexdigest(), seal.payload_hash)
        self.assertEqual(files["scellement.json"].decode(), seal.response)
        self.assertEqual(set(files), {"facture.json", "scellement.json"})

    def test_a_slip_that_is_not_sealed_carries_no_evidence(self):
        self.assertEqual(self.attachments(self.print_pdf(self.sealed_move(state="to_seal"))), {})
