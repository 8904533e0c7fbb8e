"""The ticket of 80 mm: every mention of the sheet, in the order of reading, on paper that is long enough (SFE §1.2)."""

from dataclasses import fields, is_dataclass

from odoo.tests import BaseCase, tagged

from ..report.document_parts import Copy
from ..report.qr_symbol import QrSymbol
from ..report.ticket import LONGEST_MM, MARGIN_MM, PAPER_MM, ticket
from . import test_report_common as common
from .test_report_common import item, payload
from .test_report_document import CREDIT, page
from .test_report_drafts import make_draft
from .test_report_of_others import OwnReportCase
from .test_report_print import DGI_ONLY, full_payload, many_lines

TICKET = "bonopay_fiscal.report_ticket"
SILENT = {"is_fiscal", "price_mode_code", "wide_figures", "px_per_mm"}


def printed_texts(value):
    """Every text that a document holds, however deep."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, QrSymbol) or not value:
        return []
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.name not in SILENT]
        return [text for name in names for text in printed_texts(getattr(value, name))]
    if isinstance(value, dict):
        return printed_texts(tuple(value.values()))
    return [text for part in value for text in printed_texts(part)] if isinstance(value, tuple) else []


def squeezed(text):
    """Without any space: where a narrow column breaks a text is of no matter."""
    return "".join(text.split())


class TicketCase(OwnReportCase):
    def print_ticket(self, *moves):
        return self.report._render_qweb_pdf(TICKET, [move.id for move in moves])[0]

    def assert_all_printed(self, move, pdf, copy):
        text = squeezed(common.pdf_text(pdf))
        texts = printed_texts(move.with_context(bonopay_copy=copy)._bonopay_invoice_document())
        self.assertGreater(len(texts), 30)
        for expected in texts:
            self.assertIn(squeezed(expected), text)


@tagged("post_install", "-at_install")
class TestTicketText(TicketCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.invoice = cls.sealed_move(full_payload())
        cls.pdf = cls.report._render_qweb_pdf(TICKET, cls.invoice.ids)[0]
        cls.text = common.pdf_text(cls.pdf)

    def test_sfe_1_2_every_text_of_the_document_is_on_the_ticket(self):
        self.assert_all_printed(self.invoice, self.pdf, Copy(0))

    def test_sfe_1_2_the_mentions_stand_on_the_ticket_in_the_order_of_reading(self):
        mentions = (
            "Alimentation du Fleuve SARL",
            "NIF : A1234567B",
            "12, avenue du Commerce, Kinshasa / Gombe",
            "ISF : BON-001-01",
            "FACTURE DE VENTE",
            f"N° : {common.FISCAL_NUMBER}",
            "Date et heure : 22/11/2026 à 00:30:00",
            "[PM] Personne morale",
            "Mode de prix : Prix hors taxe (HT)",
            "Opérateur : Comptable",
            "[BIE] Riz 25 kg (B)",
            "RIZ25 2 Unité × 45 000,00 90 000,00",
            "Prix d'origine : 50 000,00 – Remise 10 %",
            "Taxe spécifique (10 %) : 250,00",
            "A – Exonéré",
            "B – Taxable 16 %",
            "Ventes HT 90 000,00 Base HT 90 000,00 Taxe 14 400,00 Total TTC 104 400,00",
            "TOTAL TTC 114 787,50 CDF",
            "Cent quatorze mille",
            "Espèces : 22 787,50 CDF",
            "Taux du 21/11/2026 : 1 USD = 2 300 CDF",
            "B – Livré sur le chantier",
            "Éléments de sécurité",
            common.DGI_CODE,
            "DEF NID : CD01000001-1",
            "DEF Compteurs : 5/8 FV",
            "DEF Heure : 22/11/2026 00:30:01",
            "Ne remplace pas celle de la DGI",
            "7K3M-9QXD-R2TA",
            "EXIGEZ LA FACTURE NORMALISÉE",
        )
        places = [self.text.find(mention) for mention in mentions]
        self.assertEqual([mention for mention, place in zip(mentions, places, strict=True) if place < 0], [])
        self.assertEqual(places, sorted(places))

    def test_row_52_the_till_s_demand_is_on_the_ticket(self):
        self.assertIn("EXIGEZ LA FACTURE NORMALISÉE", self.text)

    def test_sfe_1_7_export_advance_and_credit_say_so(self):
        document = payload(invoice_type="FA", credit=CREDIT)
        text = common.pdf_text(self.print_ticket(self.sealed_move(document)))
        for mention in ("FACTURE D'AVOIR", "Avoir suite reprise", "Document d'origine", CREDIT["original_dgi_code"]):
            self.assertIn(mention, text)

    def test_row_3_the_ticket_carries_what_was_sealed(self):
        files = self.attachments(self.pdf)
        seal = self.invoice.sudo().bonopay_seal_id
        self.assertEqual(files["facture.json"].decode(), seal.payload)
        self.assertEqual(files["scellement.json"].decode(), seal.response)

    def test_the_title_of_the_file_is_the_invoice_s(self):
        self.assertRegex(common.run("pdfinfo", "-", data=self.pdf).decode(), f"FACTURE DE VENTE {common.FISCAL_NUMBER}")


@tagged("post_install", "-at_install")
class TestTicketCopies(TicketCase):
    def test_sfe_1_8_sheets_and_tickets_are_counted_together(self):
        move = self.sealed_move()
        texts = [common.pdf_text(pdf) for pdf in (self.print_ticket(move), self.print_pdf(move))]
        texts.append(common.pdf_text(self.print_ticket(move)))
        self.assertNotIn("DUPLICATA", texts[0])
        self.assertIn("DUPLICATA N° 1", texts[1])
        self.assertEqual(texts[2].count("DUPLICATA N° 2"), 2, "above and below")
        self.assertEqual(move.sudo().bonopay_seal_id.print_count, 3)

    def test_sfe_1_8_after_a_ticket_as_the_original_the_sheet_that_is_sent_is_a_duplicata(self):
        move = self.sealed_move()
        self.print_ticket(move)
        self.assertFalse(move.invoice_pdf_report_id, "a roll of paper is no file to send")
        wizard = self.env["account.move.send.wizard"]
        context = {"active_model": "account.move", "active_ids": move.ids, "force_report_rendering": True}
        wizard.with_context(**context).create({"sending_methods": []}).action_send_and_print()
        sent = move.invoice_pdf_report_id.raw
        self.assertIn("A4", common.run("pdfinfo", "-", data=sent).decode())
        self.assertIn("DUPLICATA N° 1", common.pdf_text(sent))

    def test_row_44_a_slip_on_a_roll_is_no_invoice_and_counts_as_none(self):
        move = self.sealed_move(state="sealed")
        text = common.pdf_text(self.print_ticket(move))
        for said in ("BON PROVISOIRE – NON FISCAL", "En attente de normalisation", "24/11/2026 à 00:30:00"):
            self.assertIn(said, text)
        self.assertEqual(text.count("NON FISCAL"), 3, "heading, and a mark above and below")
        for word in (*DGI_ONLY, "FACTURE DE VENTE", "EXIGEZ LA FACTURE"):
            self.assertNotIn(word, text)
        self.assertEqual(move.sudo().bonopay_seal_id.print_count, 0)
        self.assertFalse(move.invoice_pdf_report_id)

    def test_row_44_a_draft_on_a_roll_is_a_slip(self):
        text = common.pdf_text(self.print_ticket(make_draft(self)))
        self.assertIn("BON PROVISOIRE – NON FISCAL", text)
        self.assertIn("104 400,00 CDF", text)
        self.assertNotIn("FACTURE", text)

    def test_a_preview_says_so_and_counts_nothing(self):
        move = self.sealed_move()
        self.assertIn("APERÇU", self.report._render_qweb_html(TICKET, move.ids)[0].decode())
        self.assertEqual(move.sudo().bonopay_seal_id.print_count, 0)

    def test_what_is_not_ours_is_printed_on_its_own_sheet(self):
        pages = common.run("pdfinfo", "-", data=self.print_ticket(self.move())).decode()
        self.assertNotIn(str(round(PAPER_MM / 25.4 * 72)) + " x", pages)
        both = common.pdf_pages(self.print_ticket(self.sealed_move(), self.move()))
        self.assertIn("FACTURE DE VENTE", both[0])

    def test_the_print_menu_offers_it_for_what_is_ours(self):
        report = self.env.ref("bonopay_fiscal.report_ticket_action")
        self.assertEqual(report.binding_model_id.model, "account.move")
        offered = {
            name: bool(report.get_valid_action_reports("account.move", move.ids))
            for name, move in {
                "sealed": self.sealed_move(),
                "draft": make_draft(self),
                "bill": make_draft(self, move_type="in_invoice"),
            }.items()
        }
        self.assertEqual(offered, {"sealed": True, "draft": True, "bill": False})


@tagged("post_install", "-at_install")
class TestTicketPaper(TicketCase):
    """Nothing is cut off, little paper is wasted."""

    def paper(self, pdf):
        """Pages, width and height of a ticket in mm."""
        told = dict(line.split(":", 1) for line in common.run("pdfinfo", "-", data=pdf).decode().splitlines())
        width, _x, height, *_rest = told["Page size"].split()
        return int(told["Pages"]), float(width) * 25.4 / 72, float(height) * 25.4 / 72

    def assert_whole(self, document, **changes):
        move = self.sealed_move(document, **changes)
        pdf = self.print_ticket(move)
        pages, width, _height = self.paper(pdf)
        self.assertEqual(pages, 1)
        self.assertAlmostEqual(width, PAPER_MM, delta=0.5)
        self.assert_all_printed(move, pdf, Copy(0))
        return pdf

    def test_120_lines_on_one_roll_each_once(self):
        pdf = self.assert_whole(payload(many_lines(120)))
        text = common.pdf_text(pdf)
        for number in range(1, 121):
            self.assertEqual(text.count(f"ART{number:04d}"), 1)

    def test_a_sale_longer_than_a_page_goes_on_in_another_and_is_whole(self):
        move = self.sealed_move(payload(many_lines(900)))
        pdf = self.print_ticket(move)
        parts = ticket(move.with_context(bonopay_copy=Copy(0))._bonopay_invoice_document()).parts
        pages = common.pdf_pages(pdf)
        self.assertGreater(len(parts), 1)
        self.assertEqual(len(pages), len(parts), "no page breaks where none was reckoned")
        for text, part in zip(pages, parts, strict=True):
            self.assertEqual(sum(f"{row.code} " in text for row in part.rows), len(part.rows))
            self.assertEqual("(suite)" in text, not part.is_first)
            self.assertEqual("Suite sur le ticket suivant" in text, not part.is_last)
            self.assertIn(common.FISCAL_NUMBER, text)
        self.assertIn(common.DGI_CODE, pages[-1])
        sizes = common.run("pdfinfo", "-l", "9", "-", data=pdf).decode()
        heights = [float(line.split(" x ")[1].split()[0]) for line in sizes.splitlines() if line.endswith("pts")]
        self.assertLessEqual(max(heights), 14400, "points: no reader shows more")

    def test_the_longest_texts_and_figures_stay_on_the_roll(self):
        lines = [
            item("Groupe électrogène insonorisé " * 6, "123456789012.00", "12.125", code="GROUPE-ELECTROGENE-250KVA"),
            item("X" * 200, "0.01", "1", tax_group="F", original_unit_price="0.02", price_change="Y" * 200),
        ]
        client = common.COMPANY_CLIENT | {
            "type": "AO",
            "name": "Organisation internationale " * 7,
            "contact": "+243 999 000 000, " * 11,
            "address": "Boulevard du 30 Juin, immeuble de la Mission, " * 4,
            "exemption_reference": "EXO/2026/000123",
        }
        comments = dict.fromkeys("ABCDEFGH", "Marchandise livrée sur le chantier de la centrale. " * 3)
        pdf = self.assert_whole(payload(lines, client=client, comments=comments), test_mode=False)
        image = self.raster(pdf, dpi=100)
        width, height = image.size
        margin = 14  # 3.5 mm of the 4
        for box in ((0, 0, margin, height), (width - margin, 0, width, height)):
            self.assertGreater(image.crop(box).getextrema()[0], 250, box)

    def test_no_more_than_a_centimetre_of_paper_follows_the_last_line(self):
        for state in ("certified", "sealed", "to_seal"):
            pdf = self.print_ticket(self.sealed_move(full_payload(), state))
            image = self.raster(pdf, dpi=100)
            last = max(y for y in range(image.height) if image.crop((0, y, image.width, y + 1)).getextrema()[0] < 128)
            blank = (image.height - last) * 25.4 / 100
            self.assertLess(blank, 10, state)
            self.assertGreater(blank, 3, state)

    def test_the_paper_is_longer_than_what_it_must_hold_before_it_is_cut(self):
        """Whatever a font's real widths: the reckoned height exceeds the printed one."""
        for document in (payload(), full_payload(), payload(many_lines(40))):
            move = self.sealed_move(document)
            reckoned = ticket(move.with_context(bonopay_copy=Copy(0))._bonopay_invoice_document()).height_mm
            _pages, _width, height = self.paper(self.print_ticket(move))
            self.assertGreater(reckoned, height)


@tagged("post_install", "-at_install")
class TestTicketQr(TicketCase):
    """SFE §1.29: both symbols can be scanned from what a thermal printer of 80 mm, or of 58 mm, puts on paper."""

    DOTS = (576, 384)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.invoice = cls.sealed_move()
        cls.original = cls.report._render_qweb_pdf(TICKET, cls.invoice.ids)[0]

    def thermal(self, pdf, dots):
        """What a head of so many dots burns: black or white, nothing between."""
        grey = self.raster(pdf, dpi=dots / (PAPER_MM - 2 * MARGIN_MM) * 25.4)
        return grey.point(lambda value: 0 if value < 128 else 255)

    def test_sfe_1_29_both_symbols_are_read_from_576_and_384_dots(self):
        for dots in self.DOTS:
            found = self.decode(self.thermal(self.original, dots))
            self.assertEqual(set(found), {common.DGI_QR, common.VERIFICATION_QR}, dots)

    def test_sfe_1_29_a_module_is_at_least_four_dots_of_384(self):
        found = self.decode(self.raster(self.original, 600))
        dots_of_600_dpi = 384 / (PAPER_MM - 2 * MARGIN_MM) * 25.4 / 600
        for text, modules in ((common.DGI_QR, 37), (common.VERIFICATION_QR, 61)):
            self.assertGreaterEqual(self.side(found[text]) / modules * dots_of_600_dpi, 4.0, text[:8])

    def test_sfe_1_29_the_dgi_s_symbol_is_the_first_and_the_larger(self):
        found = self.decode(self.raster(self.original, 300))
        dgi, ours = found[common.DGI_QR], found[common.VERIFICATION_QR]
        self.assertLess(dgi.position.bottom_left.y, ours.position.top_left.y)
        self.assertGreater(self.side(dgi), self.side(ours))

    def test_sfe_1_29_a_duplicata_s_symbols_are_read_as_well(self):
        copy = self.print_ticket(self.invoice)
        self.assertIn("DUPLICATA", common.pdf_text(copy))
        self.assertEqual(set(self.decode(self.thermal(copy, 384))), {common.DGI_QR, common.VERIFICATION_QR})

    def test_row_44_a_slip_has_no_symbol_of_the_dgi(self):
        waiting = self.print_ticket(self.sealed_move(state="to_seal"))
        sealed = self.print_ticket(self.sealed_move(state="sealed"))
        self.assertEqual(set(self.decode(self.thermal(waiting, 576))), set())
        self.assertEqual(set(self.decode(self.thermal(sealed, 576))), {common.VERIFICATION_QR})


@tagged("post_install", "-at_install")
class TestTicketPresenter(BaseCase):
    def test_sfe_1_29_a_longer_symbol_of_ours_stays_smaller_than_the_dgi_s(self):
        view = page(qr_payload=common.VERIFICATION_QR * 3)
        roll = ticket(view)
        self.assertLess(roll.verification_qr.width_mm, roll.dgi_qr.width_mm)
        self.assertLessEqual(roll.dgi_qr.width_mm, PAPER_MM - 2 * MARGIN_MM)

    def test_more_to_print_takes_more_paper(self):
        short, long = (ticket(page(payload(many_lines(count)))).height_mm for count in (1, 50))
        self.assertGreater(long, short + 49 * 8)

    def test_no_page_of_a_roll_is_longer_than_a_pdf_can_have_and_no_line_is_lost(self):
        for count in (1, 500, 600, 700, 1000, 2500):
            roll = ticket(page(payload(many_lines(count))))
            self.assertLessEqual(roll.height_mm, LONGEST_MM, count)
            codes = [row.code for part in roll.parts for row in part.rows]
            self.assertEqual(codes, [f"ART{number:04d}" for number in range(1, count + 1)])
            self.assertEqual([part.is_first for part in roll.parts].index(True), 0)
            self.assertEqual([part.is_last for part in roll.parts].index(True), len(roll.parts) - 1)
        self.assertGreater(len(roll.parts), 2)
