"""The demand that hangs at each till (arrêté 033 art. 7 c): one sheet for each outlet, readable from afar."""

from odoo.tests import new_test_user, tagged

from . import test_report_common as common

POSTER = "bonopay_fiscal.report_poster"


@tagged("post_install", "-at_install")
class TestPoster(common.ReportCase):
    def poster(self, outlets=None, user=None):
        report = self.report.with_user(user) if user else self.report
        return report._render_qweb_pdf(POSTER, (outlets or self.outlet).ids)[0]

    def test_row_52_the_poster_demands_the_invoice_and_says_whose_outlet_it_is(self):
        self.company.vat = "A1234567B"
        pages = common.pdf_pages(self.poster())
        self.assertEqual(len(pages), 1)
        for said in (
            "EXIGEZ LA FACTURE NORMALISÉE",
            "Alimentation du Fleuve SARL Boutique de la Gombe 12, avenue du Commerce, Kinshasa / Gombe",
            "NIF : A1234567B",
            "ISF : BON-001-01",
            "Arrêté n° 033",
        ):
            self.assertIn(said, pages[0])
        self.assertNotIn("TEST", pages[0])

    def test_row_52_it_fills_one_sheet_of_a4_and_is_read_from_afar(self):
        pdf = self.poster()
        self.assertIn("A4", common.run("pdfinfo", "-", data=pdf).decode())
        image = self.raster(pdf, dpi=50)
        ink = image.point(lambda value: 255 if value < 200 else 0).getbbox()
        self.assertGreater(ink[2] - ink[0], image.width * 0.85)
        self.assertGreater(ink[3] - ink[1], image.height * 0.85)
        box = common.run("pdftotext", "-bbox", "-", "-", data=pdf).decode()
        heights = [
            float(line.split('yMax="')[1].split('"')[0]) - float(line.split('yMin="')[1].split('"')[0])
            for line in box.splitlines()
            if ">FACTURE<" in line or ">NORMALISÉE<" in line
        ]
        self.assertEqual(len(heights), 2)
        self.assertGreater(min(heights), 60, "points: letters of 2 cm and more")

    def test_row_52_several_outlets_have_a_sheet_each(self):
        other = self.env["bonopay.outlet"].create({"name": "Marché central", "code": "KIN002", "test_mode": False})
        pages = common.pdf_pages(self.poster(self.outlet | other))
        self.assertEqual(["Boutique de la Gombe" in text for text in pages], [True, False])
        self.assertEqual(["Marché central" in text for text in pages], [False, True])

    def test_what_is_not_known_leaves_no_gap_and_long_names_stay_on_the_sheet(self):
        self.outlet.write({"isf": False, "street": "Immeuble de la Mission, " * 6, "name": "Comptoir " * 12})
        pages = common.pdf_pages(self.poster())
        self.assertEqual(len(pages), 1)
        self.assertNotIn("ISF", pages[0])
        self.assertIn("Arrêté n° 033", pages[0])

    def test_a_test_outlet_s_poster_says_so(self):
        self.outlet.test_mode = True
        self.assertIn("SANS VALEUR FISCALE", common.pdf_text(self.poster()))

    def test_row_52_it_is_in_the_print_menu_of_the_outlet_for_everybody_of_the_company(self):
        report = self.env.ref("bonopay_fiscal.report_poster_action")
        self.assertEqual(report.binding_model_id.model, "bonopay.outlet")
        user = new_test_user(self.env, "bp_poster", "base.group_user", company_id=self.company.id)
        self.assertIn("NORMALISÉE", common.pdf_text(self.poster(user=user)))
