from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.models.res_company import connect
from odoo.addons.bonopay_fiscal.tests.common import live_signer

from .commerce_case import CommerceCase


@tagged("post_install", "-at_install", "bonopay_live")
class TestLiveAdvances(CommerceCase):
    """Advances and their settlement at a real signer and the sandbox of the DGI."""

    @classmethod
    def setUpClass(cls):
        url, key, outlet = live_signer()
        super().setUpClass()
        cls.outlet.code = outlet
        cls.company.bonopay_configure(url, key)
        answer = connect(cls.company).outlet(outlet).body
        cls.company.vat = answer.get("merchant_nif") or answer["nif"]

    def settled(self, order):
        """The documents of an order with two advances, one of them paid."""
        advances = self.advance(order) | self.advance(order, "fixed", 100000.0)
        self.pay(advances[0])
        documents = self.invoiced(order)
        self.post_all(documents[0])
        return advances | documents

    def assert_accepted(self, documents, *types):
        for document in documents:
            self.assertEqual(document.bonopay_state, "certified", document.bonopay_message)
        self.assertEqual(documents.mapped("bonopay_invoice_type"), list(types))

    def test_sfe_1_7_advances_and_their_credit_notes_are_accepted(self):
        self.assert_accepted(self.settled(self.order()), "FT", "FT", "FV", "FA", "FA")

    def test_sfe_1_7_export_advances_and_their_credit_notes_are_accepted(self):
        order = self.order(self.order_line(quantity=10, tax_ids=self.tax("tva_export_0").ids))
        self.assert_accepted(self.settled(order), "ET", "ET", "EV", "EA", "EA")
