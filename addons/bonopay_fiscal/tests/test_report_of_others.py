"""A report of somebody's own prints no sealed invoice: it would leave out the seal, and count no copy (SFE §1.8)."""

from unittest.mock import patch

from odoo.tests import HttpCase, tagged

from ..report.ir_actions_report import REPORTS
from . import test_report_common as common
from .test_report_common import ReportCase


class OwnReportCase(ReportCase):
    """A merchant with an invoice template of his own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.own_report()
        cls.partner.invoice_template_pdf_report_id = cls.own

    @classmethod
    def own_report(cls, **values):
        cls.env["ir.ui.view"].create(
            {
                "name": "own_invoice",
                "key": "bonopay_test.own_invoice",
                "type": "qweb",
                "arch": """
                    <t t-name="bonopay_test.own_invoice">
                        <t t-call="web.html_container">
                            <div t-foreach="docs" t-as="o" class="article"
                                t-att-data-oe-model="o._name" t-att-data-oe-id="o.id">
                                <h1 style="font-family: DejaVu Sans">Facture maison <t t-out="o.name"/></h1>
                            </div>
                        </t>
                    </t>""",
            }
        )
        return cls.env["ir.actions.report"].create(
            {
                "name": "Facture maison",
                "model": "account.move",
                "report_type": "qweb-pdf",
                "report_name": "bonopay_test.own_invoice",
                "is_invoice_report": True,
                **values,
            }
        )

    def print_own(self, *moves):
        return self.report._render_qweb_pdf(self.own.report_name, [move.id for move in moves])[0]

    def assert_ours(self, text):
        self.assertIn(common.DGI_CODE, text)
        self.assertNotIn("Facture maison", text)


@tagged("post_install", "-at_install")
class TestReportOfOthers(OwnReportCase):
    def test_sfe_1_8_a_report_of_the_merchants_own_prints_the_seal_and_counts_the_copy(self):
        move = self.sealed_move()
        first, second = (common.pdf_text(self.print_own(move)) for _print in range(2))
        self.assert_ours(first)
        self.assertNotIn("DUPLICATA", first)
        self.assert_ours(second)
        self.assertIn("DUPLICATA N° 1", second)
        self.assertEqual(move.sudo().bonopay_seal_id.print_count, 2)

    def test_sfe_1_4_the_evidence_is_in_what_another_report_prints(self):
        move = self.sealed_move()
        self.assertEqual(
            self.attachments(self.print_own(move))["facture.json"].decode(), move.sudo().bonopay_seal_id.payload
        )

    def test_a_report_that_does_not_call_itself_an_invoice_is_not_believed(self):
        self.own.is_invoice_report = False
        self.assert_ours(common.pdf_text(self.print_own(self.sealed_move())))

    def test_a_module_can_say_that_its_report_shows_no_invoice(self):
        move = self.sealed_move()
        report_class = self.env.registry["ir.actions.report"]
        with patch.object(report_class, "_bonopay_shows_invoice", lambda report: report.report_name in REPORTS):
            self.assertIn("Facture maison", common.pdf_text(self.print_own(move)))
        self.assertEqual(move.sudo().bonopay_seal_id.print_count, 0)

    def test_a_pdf_that_another_report_saved_earlier_is_not_served_for_the_seal(self):
        self.own.write({"attachment": "'maison.pdf'", "attachment_use": True})
        move = self.move()
        stale = {"name": "maison.pdf", "raw": b"%PDF-1.4 stale", "res_model": move._name, "res_id": move.id}
        sealed = self.sealed_move()
        self.env["ir.attachment"].create(stale | {"res_id": sealed.id})
        self.assert_ours(common.pdf_text(self.print_own(sealed)))

    def test_a_preview_and_a_text_of_another_report_show_the_seal_too(self):
        move = self.sealed_move()
        for render in (self.report._render_qweb_html, self.report._render_qweb_text):
            shown = render(self.own.report_name, move.ids)[0].decode()
            self.assert_ours(shown)
            self.assertIn("APERÇU", shown)
        self.assertEqual(move.sudo().bonopay_seal_id.print_count, 0)

    def test_sealed_and_other_invoices_together_each_on_its_own_page(self):
        pages = common.pdf_pages(self.print_own(self.move(), self.sealed_move()))
        self.assertIn("Facture maison", pages[0])
        self.assert_ours(pages[-1])

    def test_what_is_not_sealed_keeps_the_merchants_own_report(self):
        self.assertIn("Facture maison", common.pdf_text(self.print_own(self.move())))

    def test_sending_with_another_report_sends_ours(self):
        move = self.sealed_move()
        context = {"active_model": "account.move", "active_ids": move.ids, "force_report_rendering": True}
        wizard = self.env["account.move.send.wizard"].with_context(**context)
        wizard.create({"sending_methods": []}).action_send_and_print()
        self.assert_ours(common.pdf_text(move.invoice_pdf_report_id.raw))


@tagged("post_install", "-at_install")
class TestReportOfOthersOnThePortal(OwnReportCase, HttpCase):
    def test_the_portal_shows_the_seal_whatever_template_the_customer_has(self):
        move = self.sealed_move()
        token = move._portal_ensure_token()
        for kind in ("html", "pdf"):
            answer = self.url_open(f"/my/invoices/{move.id}?report_type={kind}&access_token={token}")
            self.assertEqual(answer.status_code, 200)
            self.assert_ours(answer.text)
