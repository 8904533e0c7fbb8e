"""What a customer finds on the portal and in the e-mail is what was sealed."""

from unittest.mock import patch

from odoo.tests import HttpCase, new_test_user, tagged

from odoo.addons.account.models.account_move import AccountMove

from .common import FiscalCase
from .test_report_common import pdf_text

FRAME_IS_LOADED = "document.getElementById('invoice_html')?.contentDocument?.querySelector('.bp-sheet') != null"
FITS = """
    const frame = document.getElementById("invoice_html");
    const page = frame.contentDocument.querySelector(".bp");
    const right = page.getBoundingClientRect().right;
    const amounts = [...page.querySelectorAll(".bp-figure")].map((cell) => cell.getBoundingClientRect().right);
    if (right > frame.clientWidth) {
        console.error(`the page ends at ${right}, the frame at ${frame.clientWidth}`);
    } else if (Math.max(...amounts) > frame.clientWidth) {
        console.error(`figures end at ${Math.max(...amounts)}, the frame at ${frame.clientWidth}`);
    } else {
        console.log("test successful");
    }
"""


@tagged("post_install", "-at_install")
class TestPortal(FiscalCase, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outlet.test_mode = False
        cls.customer = new_test_user(
            cls.env, "bp_portal_customer", "base.group_portal", company_id=cls.company.id, email="client@example.com"
        )
        cls.customer.partner_id.parent_id = cls.client

    def setUp(self):
        super().setUp()
        self.authenticate("bp_portal_customer", "bp_portal_customer")

    def sell(self, **values):
        return self.post(self.draft(partner_id=self.customer.partner_id.id, **values))

    def slip(self):
        """A posted invoice that is not normalised: its seal was not sent."""
        return self.post(self.draft(partner_id=self.customer.partner_id.id), send=False)

    def get(self, move, token=False, **query):
        url = move.get_portal_url(query_string="".join(f"&{key}={value}" for key, value in query.items()))
        if not token:
            url = url.replace(f"access_token={move.access_token}", "")
        self.env.flush_all()
        response = self.url_open(url)
        self.assertEqual(response.status_code, 200)
        return response

    def test_the_list_shows_fiscal_number_and_state(self):
        normalised, slip = self.sell(), self.slip()
        self.env.flush_all()
        page = self.url_open("/my/invoices").text
        self.assertIn(normalised.bonopay_fiscal_number, page)
        self.assertIn('data-bonopay-state="certified"', page)
        self.assertIn(slip.name, page)
        self.assertEqual(page.count('data-bonopay-state="provisional"'), 1)

    def test_the_page_shows_fiscal_number_code_and_state(self):
        move = self.sell()
        for token in (False, True):
            page = self.get(move, token).text
            self.assertIn(move.bonopay_fiscal_number, page)
            self.assertIn(move.bonopay_dgi_code, page)
            self.assertIn('data-bonopay-state="certified"', page)

    def test_a_page_of_what_is_not_normalised_says_so_and_nothing_of_the_server(self):
        move = self.slip()
        move.bonopay_seal_id._as_writer().write({"last_error_code": "signer_unreachable"})
        move.invalidate_recordset()
        self.assertTrue(move.bonopay_message)
        page = self.get(move).text
        self.assertIn('data-bonopay-state="provisional"', page)
        self.assertNotIn(move.bonopay_message, page)
        self.assertNotIn('data-bonopay-state="certified"', page)
        self.assertIn("BON PROVISOIRE", self.get(move, report_type="html").text)

    def test_a_test_document_is_no_invoice(self):
        self.outlet.test_mode = True
        page = self.get(self.sell()).text
        self.assertIn('data-bonopay-state="test"', page)
        self.assertNotIn('data-bonopay-state="certified"', page)

    def test_an_invoice_from_before_the_outlet_is_not_called_provisional(self):
        self.outlet.active = False
        move = self.draft(partner_id=self.customer.partner_id.id)
        move.action_post()
        self.outlet.active = True
        self.env.invalidate_all()
        self.assertTrue(move.bonopay_required)
        self.assertNotIn("data-bonopay-state", self.get(move).text)

    def test_a_rejected_document_is_no_invoice(self):
        move = self.sell()
        move.bonopay_seal_id._as_writer().write({"state": "rejected"})
        self.assertIn('data-bonopay-state="rejected"', self.get(move).text)

    def test_the_invoice_inside_the_page_is_printed_from_its_seal(self):
        move = self.sell()
        for token in (False, True):
            html = self.get(move, token, report_type="html").text
            self.assertIn(move.bonopay_fiscal_number, html)
            self.assertIn(move.bonopay_dgi_code, html)

    def test_the_invoice_fits_into_the_frame_of_the_page(self):
        """The frame does not scroll: what is wider than it would be cut off."""
        move = self.sell()
        self.env.flush_all()
        for size in ("1366x768", "1000x768", "400x800"):
            with self.subTest(size=size):
                self.browser_size = size
                self.browser_js(move.get_portal_url(), FITS, FRAME_IS_LOADED, login="bp_portal_customer", timeout=30)

    def test_sfe_1_4_the_pdf_carries_the_seal_by_session_and_by_access_token(self):
        move = self.sell()
        for query in ({"report_type": "pdf"}, {"report_type": "pdf", "download": "true"}):
            for token in (False, True):
                response = self.get(move, token, **query)
                if not response.content.startswith(b"%PDF"):  # Odoo's tests render HTML in the place of a PDF
                    self.assertIn(move.bonopay_fiscal_number, response.text)
                    continue
                text = pdf_text(response.content)
                self.assertIn(move.bonopay_fiscal_number, text)
                self.assertIn(move.bonopay_dgi_code, text)

    def test_a_wrong_access_token_shows_nothing(self):
        move = self.sell()
        self.authenticate(None, None)
        page = self.get(move, True).text
        self.assertIn(move.bonopay_fiscal_number, page)
        self.env.flush_all()
        for url in (f"/my/invoices/{move.id}?access_token=forged", f"/my/invoices/{move.id}?report_type=pdf"):
            self.assertNotIn(move.bonopay_fiscal_number, self.url_open(url).text)


@tagged("post_install", "-at_install")
class TestMail(FiscalCase):
    def test_the_e_mail_names_the_invoice_by_its_fiscal_number(self):
        move = self.post()
        self.client.email = "client@example.com"
        self.env["account.move.send"]._generate_and_send_invoices(move, sending_methods=["email"])
        mail = move.message_ids.filtered(lambda message: message.message_type in ("comment", "email_outgoing"))[:1]
        for text in (mail.subject, mail.body):
            self.assertIn(move.bonopay_fiscal_number, text)
        self.assertIn(move.bonopay_dgi_code, mail.body)

    def test_the_e_mail_of_a_credit_note_says_credit_note_and_never_invoice(self):
        move = self.post()
        stated = {"bonopay_credit_nature": "RAN", "reason": "Commande annulée"}
        values = {"journal_id": self.journal.id, "move_ids": move.ids, **stated}
        wizard = self.env["account.move.reversal"].create(values)
        credit = self.env["account.move"].browse(wizard.refund_moves()["res_id"])
        self.post(credit)
        template = credit._get_mail_template()
        self.assertEqual(template, self.env.ref("bonopay_fiscal.email_template_credit_note"))
        for field in ("subject", "body_html"):
            text = template._render_field(field, credit.ids)[credit.id]
            self.assertIn(credit.bonopay_fiscal_number, text)
            self.assertIn("credit note", text)
            self.assertNotIn("invoice", text)
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["ir.module.module"]._load_module_terms(["bonopay_fiscal"], ["fr_FR"])
        self.client.lang = "fr_FR"
        for field in ("subject", "body_html"):
            text = template._render_field(field, credit.ids, compute_lang=True)[credit.id]
            self.assertIn("avoir normalisé", text)
            self.assertNotRegex(text.lower(), "facture|invoice")
        self.assertEqual((move | credit)._get_mail_template(), self.env.ref("bonopay_fiscal.email_template_invoice"))

    def test_a_text_that_the_merchant_wrote_is_not_overridden(self):
        move = self.post()
        ours = self.env.ref("bonopay_fiscal.email_template_invoice")
        odoos = self.env.ref("account.email_template_edi_invoice")
        self.assertEqual(move._get_mail_template(), ours)
        odoos.with_user(self.env.ref("base.user_admin")).sudo().subject = "Votre facture de la Maison du Fleuve"
        self.env.flush_all()
        self.assertEqual(move._get_mail_template(), odoos)
        another = odoos.copy()
        with patch.object(AccountMove, "_get_mail_template", lambda moves: another):
            self.assertEqual(move._get_mail_template(), another)

    def test_what_has_no_fiscal_number_keeps_odoo_s_template(self):
        self.assertEqual(self.draft()._get_mail_template(), self.env.ref("account.email_template_edi_invoice"))

    def test_a_deleted_template_stops_no_sending(self):
        move = self.post()
        self.env.ref("bonopay_fiscal.email_template_invoice").unlink()
        self.assertEqual(move._get_mail_template(), self.env.ref("account.email_template_edi_invoice"))
