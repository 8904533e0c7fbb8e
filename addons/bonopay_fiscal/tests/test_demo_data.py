from odoo.tests import tagged

from ..core import payload
from .common import FiscalCase, live_signer, trap_seals
from .signer_twin import API_KEY

TYPES = {"FV", "FT", "FA", "EV", "ET", "EA"}


class DemoCase(FiscalCase):
    """The demo company with its drafts, as its accountant has them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.demo_company = cls.env.ref("base.demo_company_cd")
        accountant = cls.env.ref("bonopay_fiscal.demo_user_accountant")
        env = cls.env(user=accountant, context={"allowed_company_ids": cls.demo_company.ids, "lang": "fr_FR"})
        records = cls.env["ir.model.data"].search([("module", "=", "bonopay_fiscal"), ("model", "=", "account.move")])
        cls.documents = env["account.move"].browse(records.mapped("res_id")).sorted("id")

    def demo(self, name):
        return self.env.ref(f"bonopay_fiscal.demo_invoice_{name}").with_env(self.documents.env)


@tagged("post_install", "-at_install")
class TestDemoData(DemoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.demo_company.bonopay_configure(cls.twin.url, API_KEY)

    def test_there_are_drafts_of_all_six_types_and_of_one_company(self):
        self.assertEqual(set(self.documents.mapped("bonopay_invoice_type")), TYPES)
        self.assertEqual(set(self.documents.mapped("state")), {"draft"})
        self.assertEqual(self.documents.company_id, self.demo_company)
        self.assertEqual(self.documents.journal_id.bonopay_outlet_id.code, "KIN001")

    def test_every_demo_draft_passes_the_checks_before_posting(self):
        for move in self.documents:
            with self.subTest(move=move.bonopay_invoice_type, total=move.amount_total):
                self.assertFalse([fault.message for fault in move._bonopay_faults()])

    def test_they_show_what_the_law_knows(self):
        [tax] = {item["specific_tax"]["basis"] for item in self.items("excise") if item["specific_tax"]}
        self.assertEqual(tax, "percent")
        split = self.demo("split")._bonopay_payments()
        self.assertEqual(
            [(one.method, one.currency) for one in split[:2]], [("MOBILEMONEY", "CDF"), ("ESPECES", "USD")]
        )
        self.assertEqual(split[2].method, "CREDIT")
        self.assertTrue(all(item["original_unit_price"] for item in self.items("reduced")))
        self.assertEqual([one.method for one in self.demo("credit")._bonopay_payments()], ["CREDIT"])
        self.assertEqual(self.demo("usd")._bonopay_foreign_currency().code, "USD")

    def items(self, name):
        """The articles of a draft as the DGI would be told them."""
        move = self.demo(name)
        return [payload.item(move._bonopay_line(line)) for line in move._bonopay_lines()]

    def test_a_draft_without_signer_says_that_it_is_missing_and_nothing_else(self):
        self.demo_company.bonopay_signer_url = False
        found = {fault.code for move in self.documents for fault in move._bonopay_faults()}
        self.assertEqual(found, {"signer.missing"})


@tagged("post_install", "-at_install", "bonopay_live")
class TestDemoDataAtALiveSigner(DemoCase):
    def test_all_six_types_of_the_demo_data_are_certified(self):
        url, key, _outlet = live_signer()
        self.demo_company.bonopay_configure(url, key)
        with trap_seals(self.env) as trapped:
            for move in self.documents:
                move.action_post()
        seals = trapped.send()
        self.assertEqual(set(seals.mapped("document_type")), TYPES)
        self.assertEqual(seals.mapped("state"), ["certified"] * len(self.documents), seals.mapped("last_error_message"))
