from odoo.tests import TransactionCase, tagged

from ..core import dgi
from .common import FiscalCase, migration

RATES = {"B": 16, "F": 16, "C": 5, "G": 5, "O": 1, "P": 1, "N": 100}


@tagged("post_install", "-at_install")
class TestTaxesOfTheChart(FiscalCase):
    def _sale_taxes(self, company, active_test=False):
        domain = [("company_id", "=", company.id), ("type_tax_use", "=", "sale")]
        return self.env["account.tax"].with_context(active_test=active_test).search(domain)

    def check_complete(self, company):
        taxes = self._sale_taxes(company)
        taxes, specific = taxes._bonopay_split_taxes()
        self.assertFalse(taxes.filtered(lambda tax: not tax.bonopay_group).mapped("name"))
        self.assertEqual(sorted(specific.mapped("bonopay_specific")), ["amount", "percent", "quantity"])
        self.assertFalse(specific.filtered("active"), "examples: nobody owes them unasked")
        self.assertEqual(len(specific.repartition_line_ids.account_id), 1)
        self.assertEqual(set(taxes.mapped("bonopay_group")), set(dgi.TAX_GROUPS))
        for tax in taxes:
            self.assertEqual(tax.amount, RATES.get(tax.bonopay_group, 0), tax.name)
            for lines in (tax.invoice_repartition_line_ids, tax.refund_repartition_line_ids):
                accounts = lines.filtered(lambda line: line.repartition_type == "tax").account_id
                self.assertEqual(bool(accounts), bool(tax.amount), tax.name)

    def test_every_sale_tax_of_a_new_company_has_a_group(self):
        self.check_complete(self.company)
        groups = {tax.name: tax.bonopay_group for tax in self._sale_taxes(self.company, active_test=True)}
        self.assertEqual(groups, {"16% G": "B", "16% S": "B", "0% EX": "E", "0%": "A", "5%": "C"})

    def test_associations_have_them_as_well(self):
        company = self.env["res.company"].create({"name": "Association", "country_id": self.env.ref("base.cd").id})
        self.env["account.chart.template"].try_loading("cd_syscebnl", company=company, install_demo=False)
        self.check_complete(company)

    def test_company_whose_chart_was_loaded_before_is_upgraded_and_choices_are_kept(self):
        before = self._sale_taxes(self.company)
        added = before.filtered(lambda tax: "bonopay" in (tax.get_external_id()[tax.id] or ""))
        self.assertEqual(len(added), 14)
        names = {tax.name: tax.bonopay_group for tax in before}
        added.unlink()
        (before - added).bonopay_group = False
        self.tax("tva_exempt_0").bonopay_group = "D"
        upgrade = self.env["account.chart.template"]._bonopay_upgrade_companies
        upgrade()
        after = {tax.name: tax.bonopay_group for tax in self._sale_taxes(self.company)}
        self.assertEqual(after, {**names, "0%": "D"})
        count = len(self._sale_taxes(self.company))
        upgrade()
        self.assertEqual(len(self._sale_taxes(self.company)), count)

    def test_an_upgrade_adds_the_examples_of_specific_taxes_and_nothing_else(self):
        before = self._sale_taxes(self.company)
        names = set(before.mapped("name"))
        (before._bonopay_split_taxes()[1] | self.tax("bonopay_sale_d")).unlink()
        migration("19.0.1.3.0", "post-specific-taxes").migrate(self.env.cr, "19.0.1.2.0")
        after = self._sale_taxes(self.company)
        self.assertEqual(names - set(after.mapped("name")), {"0% D"}, "what an accountant deleted stays deleted")
        specific = after._bonopay_split_taxes()[1].with_context(lang="fr_FR")
        self.assertIn("Taxe spécifique par ligne", specific.mapped("name"), "in French for who works in French")

    def test_vat_number_is_called_nif(self):
        self.assertEqual(self.env.ref("base.cd").vat_label, "NIF")


@tagged("post_install", "-at_install")
class TestDemoCompany(TransactionCase):
    def test_demo_company_can_sell_at_once(self):
        company = self.env.ref("base.demo_company_cd", raise_if_not_found=False)
        outlet = self.env.ref("bonopay_fiscal.demo_outlet_kin001", raise_if_not_found=False)
        if not outlet:
            self.skipTest("this database has no demo data")
        self.assertEqual((company.name, company.vat), ("Bono Démo SARL", "A1234567B"))
        self.assertEqual((outlet.code, outlet.company_id), ("KIN001", company))
        self.assertTrue(outlet.journal_ids)
        accountant = self.env.ref("bonopay_fiscal.demo_user_accountant")
        move = (
            self.env["account.move"]
            .with_user(accountant)
            .create(
                {
                    "move_type": "out_invoice",
                    "partner_id": self.env.ref("bonopay_fiscal.demo_partner_pm").id,
                    "invoice_line_ids": [
                        (0, 0, {"product_id": self.env.ref(f"bonopay_fiscal.demo_product_{name}").id})
                        for name in ("rice", "oil", "book", "delivery")
                    ],
                }
            )
        )
        faults = {fault.code for fault in move._bonopay_faults()}
        self.assertLessEqual(faults, {"signer.missing"})
        self.assertEqual(move.invoice_line_ids.tax_ids.mapped("bonopay_group"), ["B", "C", "A", "B"])
