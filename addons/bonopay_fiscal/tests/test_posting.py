import json

from odoo.tests import tagged

from ..core import payload
from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestPosting(FiscalCase):
    def test_posted_invoice_is_sealed_and_certified(self):
        move = self.post()
        self.assertEqual(move.state, "posted")
        self.assertEqual(move.bonopay_state, "certified")
        self.assertEqual(move.bonopay_fiscal_number, move.bonopay_seal_id.fiscal_number)
        self.assertTrue(move.bonopay_dgi_code)
        seal = move.bonopay_seal_id
        self.assertEqual(seal.payload_hash, payload.payload_hash(seal.payload.encode()))
        self.assertEqual(json.loads(seal.response)["fiscal_number"], seal.fiscal_number)
        self.assertEqual(str(seal.sealed_at), "2026-11-21 08:30:01")

    def test_payload_says_what_the_contract_says(self):
        move = self.draft(
            self.line(quantity=2, price_unit=50000, discount=10, name="[RIZ25] Riz 25 kg"),
            self.line(self.delivery, quantity=1),
        )
        self.post(move)
        self.unit = self.rice.uom_id.with_context(lang=move._bonopay_legal_language()).name
        sent = json.loads(move.bonopay_seal_id.payload)
        self.assertEqual(sent["merchant_nif"], "A1234567B")
        self.assertEqual(sent["reference_number"], move.name)
        self.assertEqual(sent["client"]["type"], "PM")
        self.assertEqual(sent["client"]["nif"], "B7654321C")
        self.assertEqual(
            sent["items"][0],
            {
                "code": "RIZ25", "name": "Riz 25 kg", "type": "BIE", "unit": self.unit, "quantity": "2",
                "unit_price": "45000.00", "original_unit_price": "50000.00", "price_change": "Remise 10 %",
                "tax_group": "B", "specific_tax": None,
            },
        )  # fmt: skip
        self.assertEqual(sent["items"][1]["type"], "SER")
        group = {"code": "B", "rate": "16", "base": "97500.00", "tax": "15600.00", "total": "113100.00"}
        self.assertEqual(sent["tax_groups"], [group])
        self.assertEqual(
            sent["payments"],
            [{"method": "CREDIT", "amount": "113100.00", "currency": "CDF", "rate": None, "reference": None}],
        )
        self.assertEqual(float(sent["totals"]["total"]), move.amount_total)
