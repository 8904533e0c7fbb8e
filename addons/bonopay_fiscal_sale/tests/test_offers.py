from lxml import html

from odoo.tests import tagged

from .commerce_case import CommerceCase


@tagged("post_install", "-at_install")
class TestOffers(CommerceCase):
    """What is sent before a sale says that it is no invoice (SFE §1.5)."""

    def printed(self, order, lang="fr_FR"):
        order.partner_id.lang = lang
        report = self.env["ir.actions.report"].with_context(lang=lang)
        content, _kind = report._render_qweb_html("sale.report_saleorder_pro_forma", order.ids)
        return html.fromstring(content).find(".//body").text_content()

    def test_sfe_1_5_a_pro_forma_is_an_offer_and_never_called_an_invoice(self):
        for lang in ("fr_FR", "en_US"):
            text = self.printed(self.order(confirm=False), lang)
            self.assertIn("OFFRE – NON FISCAL", text)
            self.assertNotRegex(text, r"(?i)\bfacture\b|\binvoice\b|pro-?forma")

    def test_a_company_whose_sales_are_not_sealed_prints_odoo_s_pro_forma(self):
        other = self._make_bare_company("Société sans point de vente")
        self.env.user.company_ids |= other
        self.rice.company_id = False
        orders = self.env["sale.order"].with_company(other)
        lines = [self.order_line(tax_ids=[])]
        order = orders.create({"partner_id": self.walk_in.id, "company_id": other.id, "order_line": lines})
        text = self.printed(order, "en_US")
        self.assertIn("Pro-Forma Invoice", text)
        self.assertNotIn("OFFRE", text)

    def test_sfe_1_5_the_e_mail_with_it_says_so_too(self):
        order = self.order(confirm=False)
        template = order.with_context(proforma=True)._find_mail_template()
        body = template._render_field("body_html", order.ids)[order.id]
        self.assertIn("It is not an invoice", body)
        self.assertEqual(template.report_template_ids.report_name, "sale.report_saleorder_pro_forma")
        self.assertEqual(order._find_mail_template(), self.env.ref("sale.email_template_edi_sale"))
