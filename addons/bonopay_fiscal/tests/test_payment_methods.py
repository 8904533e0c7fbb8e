from odoo.tests import Form, tagged

from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestPaymentMethods(FiscalCase):
    """Every way in which money comes has a code of the DGI, and a person may choose another (SFE §1.18)."""

    def journal_of(self, kind, **values):
        values = {
            "name": f"Essai {kind}",
            "code": f"E{kind[:3]}",
            "type": kind,
            "company_id": self.company.id,
            **values,
        }
        return self.env["account.journal"].create(values)

    def test_sfe_1_18_a_journal_tells_the_means_of_payment(self):
        for kind, method in (("cash", "ESPECES"), ("bank", "VIREMENT"), ("credit", "CARTEBANCAIRE")):
            lines = self.journal_of(kind).inbound_payment_method_line_ids
            self.assertEqual(set(lines.mapped("bonopay_method")), {method}, kind)

    def test_sfe_1_18_a_name_tells_more_than_the_journal(self):
        line = self.journal_of("bank").inbound_payment_method_line_ids[:1]
        names = {
            "Orange Money": "MOBILEMONEY", "Airtel Money": "MOBILEMONEY", "M-Pesa": "MOBILEMONEY",
            "Chèque": "CHEQUES", "TPE Rawbank": "CARTEBANCAIRE", "Carte cadeau": "AUTRE", "Manual Payment": "VIREMENT",
        }  # fmt: skip
        for name, method in names.items():
            line.name = name
            self.assertEqual(line.bonopay_method, method, name)
        wallet = self.journal_of("bank", name="M-Pesa Vodacom", code="MPESA")
        self.assertEqual(wallet.inbound_payment_method_line_ids[:1].bonopay_method, "MOBILEMONEY")

    def test_a_new_name_changes_no_choice(self):
        line = self.journal_of("cash").inbound_payment_method_line_ids[:1]
        line.bonopay_method = "MOBILEMONEY"
        line.name = "Caisse 2"
        self.assertEqual(line.bonopay_method, "MOBILEMONEY")
        line.bonopay_method = "ESPECES"  # what is proposed: no choice of a person any more
        line.name = "M-Pesa"
        self.assertEqual(line.bonopay_method, "MOBILEMONEY")

    def test_sfe_1_31_a_person_chooses_another_on_the_journal(self):
        journal = self.journal_of("bank")
        with Form(journal) as form, form.inbound_payment_method_line_ids.edit(0) as line:
            self.assertEqual(line.bonopay_method, "VIREMENT")
            line.bonopay_method = "CHEQUES"
        self.assertEqual(journal.inbound_payment_method_line_ids[:1].bonopay_method, "CHEQUES")

    def test_every_existing_way_has_a_code_also_after_an_upgrade(self):
        lines = self.env["account.payment.method.line"].search([])
        self.assertTrue(lines)
        self.assertTrue(all(lines.mapped("bonopay_method")))

    def test_online_methods_have_theirs_and_an_unknown_one_that_of_the_journal(self):
        codes = {
            "mpesa": "MOBILEMONEY", "mobile_money": "MOBILEMONEY", "card": "CARTEBANCAIRE",
            "visa": "CARTEBANCAIRE", "bank_transfer": "VIREMENT", "unknown": False,
        }  # fmt: skip
        methods = self.env["payment.method"].with_context(active_test=False)
        for code, expected in codes.items():
            method = methods.search([("code", "=", code)], limit=1)
            self.assertEqual(method.bonopay_method, expected, code)
        provider = self.env["payment.provider"].create({"name": "Web", "company_id": self.company.id})
        self.assertEqual(method._bonopay_method(provider), "AUTRE")
