from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.models.res_company import connect
from odoo.addons.bonopay_fiscal.tests.common import live_signer

from .test_advances_left_over import LeftOverCase
from .test_cards import CardCase


class LiveSale:
    """The orders of a company at a real signer and the sandbox of the DGI."""

    @classmethod
    def setUpClass(cls):
        url, key, outlet = live_signer()
        super().setUpClass()
        cls.outlet.code = outlet
        cls.company.bonopay_configure(url, key)
        answer = connect(cls.company).outlet(outlet).body
        cls.company.vat = answer.get("merchant_nif") or answer["nif"]

    def assert_accepted(self, documents, *types):
        for document in documents:
            self.assertEqual(document.bonopay_state, "certified", document.bonopay_message)
        self.assertEqual(documents.mapped("bonopay_invoice_type"), list(types))


@tagged("post_install", "-at_install", "bonopay_live")
class TestLiveAdvances(LiveSale, LeftOverCase):
    """Advances and their settlement."""

    def settled(self, order):
        """The documents of an order with two advances, one of them paid."""
        advances = self.advance(order) | self.advance(order, "fixed", 100000.0)
        self.pay(advances[0])
        documents = self.invoiced(order)
        self.post_all(documents[0])
        return advances | documents

    def test_sfe_1_7_advances_and_their_credit_notes_are_accepted(self):
        self.assert_accepted(self.settled(self.order()), "FT", "FT", "FV", "FA", "FA")

    def test_sfe_1_7_export_advances_and_their_credit_notes_are_accepted(self):
        order = self.order(self.order_line(quantity=10, tax_ids=self.tax("tva_export_0").ids))
        self.assert_accepted(self.settled(order), "ET", "ET", "EV", "EA", "EA")

    def test_sfe_1_22_a_sale_below_its_advance_is_accepted(self):
        order, advance = self.smaller_sale()
        documents = self.invoiced(order)
        self.post_all(documents[0])
        self.assert_accepted(advance | documents, "FT", "FV", "FA")

    def test_sfe_1_28_the_rebate_on_an_advance_from_before_the_seals_is_accepted(self):
        order = self.order()
        self.unsealed_advance(order)
        documents = self.invoiced(order)
        self.post_all(documents[0])
        self.assert_accepted(documents, "FV", "FA")

    def test_sfe_1_13_an_advance_on_specific_taxes_is_accepted(self):
        taxes = self.specific_tax("amount", 5000), self.specific_tax("percent", 7)
        order = self.order(*(self.order_line(quantity=10, tax_ids=(self.tax_b | tax).ids) for tax in taxes))
        self.assert_accepted(self.settled(order), "FT", "FT", "FV", "FA", "FA")


@tagged("post_install", "-at_install", "bonopay_live")
class TestLiveCards(LiveSale, CardCase):
    """Gift cards as payments."""

    def test_sfe_1_18_a_sale_that_a_card_pays_and_its_credit_note_are_accepted(self):
        card = self.card(60000.0)
        order = self.order_with(card, self.order_line(quantity=2))
        invoice = self.invoiced(order)
        self.post_all(invoice)
        note = self.credit(invoice)
        self.post_all(note)
        self.assert_accepted(invoice | note, "FV", "FA")
        self.assertEqual(card.points, 60000.0)
