from odoo import Command
from odoo.tests import tagged

from . import test_report_common as common
from .common import FiscalCase

TICKET = "bonopay_fiscal.report_ticket"


@tagged("post_install", "-at_install")
class TestPaymentsOnPaper(FiscalCase):
    """What was stated of a payment is what the customer reads (SFE §1.2 r, s)."""

    def test_sfe_1_2_r_s_a_split_with_dollars_is_on_the_sheet_and_on_the_ticket(self):
        self.dollar(2300.05)
        split = [
            {"method": "MOBILEMONEY", "amount": 30000, "reference": "MP261130.0815.A12345"},
            {"method": "ESPECES", "amount": 20, "currency_id": self.env.ref("base.USD").id},
        ]
        move = self.post(self.draft(bonopay_payment_ids=[Command.create(one) for one in split]))
        report = self.env["ir.actions.report"].with_context(force_report_rendering=True)
        for name in ("account.account_invoices", TICKET):
            text = "".join(common.pdf_text(report._render_qweb_pdf(name, move.ids)[0]).split())
            for expected in (
                "Mobilemoney(MP261130.0815.A12345):30000,00CDF",
                "Espèces:20,00USD×2300,05=46001,00CDF",
                "Crédit:28399,00CDF",
            ):
                self.assertIn(expected, text, name)
