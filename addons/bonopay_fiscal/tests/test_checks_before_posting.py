import json

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import FiscalCase, fiscal_user, trap_seals


@tagged("post_install", "-at_install")
class TestChecksBeforePosting(FiscalCase):
    """What the law refuses is refused before posting, with every fault named at once."""

    def check_faults(self, move, *codes):
        self.assertEqual(sorted({fault.code for fault in move._bonopay_faults()}), sorted(codes))
        with self.assertRaises(UserError) as caught:
            self.post(move)
        self.assertEqual(move.state, "draft")
        self.assertFalse(move.bonopay_seal_ids)
        return str(caught.exception)

    def test_a_correct_invoice_has_no_fault(self):
        self.assertEqual(self.draft()._bonopay_faults(), [])

    def test_all_faults_come_at_once_and_name_line_and_way_out(self):
        self.client.vat = False
        move = self.draft(
            self.line(name="Riz", price_unit=0), self.line(name="Huile", quantity=-1), self.line(name="Sel", tax_ids=[])
        )
        message = self.check_faults(move, "client.nif", "line.price", "line.quantity", "tax.one")
        for expected in ("Client SARL", "Line 1 (Riz)", "Line 2 (Huile)", "Line 3 (Sel)", "credit note"):
            self.assertIn(expected, message)

    def test_journal_without_outlet(self):
        self.journal.bonopay_outlet_id = False
        self.check_faults(self.draft(), "outlet.missing")

    def test_journal_of_archived_outlet_while_another_is_active(self):
        self.env["bonopay.outlet"].create({"name": "Autre", "code": "KIN002", "state": "test"})
        self.outlet.active = False
        self.check_faults(self.draft(), "outlet.archived")

    def test_company_never_connected(self):
        self.company.bonopay_signer_url = False
        self.check_faults(self.draft(), "signer.missing")

    def test_seller_without_nif(self):
        self.company.vat = "A-1"
        self.check_faults(self.draft(), "seller.nif")

    def test_nif_with_spaces_is_understood(self):
        self.company.vat = "a 1234567-b"
        move = self.post()
        self.assertIn('"merchant_nif":"A1234567B"', move.bonopay_seal_id.payload)

    def test_annex_i_customer_compulsory_fields_by_type(self):
        for kind in ("PM", "PC", "PL"):
            self.client.write({"bonopay_client_type": kind, "vat": False})
            self.check_faults(self.draft(), "client.nif")
        self.client.write({"bonopay_client_type": "AO"})
        self.check_faults(self.draft(), "client.exemption")
        self.client.bonopay_exemption_reference = "EXO/1"
        self.assertEqual(self.draft()._bonopay_faults(), [])
        self.client.vat = "B-1"
        self.check_faults(self.draft(), "client.nif_form")
        self.assertEqual(self.draft(partner_id=self.walk_in.id)._bonopay_faults(), [])

    def test_contact_of_a_company_is_invoiced_as_the_company(self):
        contact = self.env["res.partner"].create({"name": "Service achats", "parent_id": self.client.id})
        move = self.post(self.draft(partner_id=contact.id))
        self.assertIn('"name":"Client SARL","nif":"B7654321C","type":"PM"', move.bonopay_seal_id.payload)

    def test_every_line_has_exactly_one_grouped_tax(self):
        both = [Command.set((self.tax_b | self.tax_b_services).ids)]
        self.check_faults(self.draft(self.line(tax_ids=both)), "tax.one")
        plain = self.tax_b.copy({"name": "16 % sans groupe", "bonopay_group": False})
        self.check_faults(self.draft(self.line(tax_ids=[Command.set(plain.ids)])), "tax.group")

    def test_one_rate_per_group(self):
        other = self.tax_b.copy({"name": "15 %", "amount": 15.0})
        move = self.draft(self.line(), self.line(tax_ids=[Command.set(other.ids)]))
        self.check_faults(move, "tax.rate_of_the_day")

    def test_sfe_1_5_3_prices_with_and_without_tax_are_not_mixed(self):
        included = self.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})
        move = self.draft(self.line(), self.line(tax_ids=[Command.set(included.ids)]))
        self.check_faults(move, "price_mode")
        self.post(move := self.draft(self.line(tax_ids=[Command.set(included.ids)])))
        self.assertIn('"price_mode":"ttc"', move.bonopay_seal_id.payload)

    def test_sfe_1_21_no_zero_and_no_negative_line(self):
        self.check_faults(self.draft(self.line(price_unit=-5), self.line(price_unit=100)), "line.price")
        self.check_faults(self.draft(self.line(discount=100)), "line.price")
        self.check_faults(self.draft(self.line(quantity=0)), "line.quantity")
        self.check_faults(self.draft(self.line(price_unit=0.01, quantity=0.01)), "line.amount")

    def test_sfe_1_6_document_without_article_is_refused(self):
        note = Command.create({"display_type": "line_note", "name": "Merci"})
        self.check_faults(self.draft(note), "lines.none")
        self.assertEqual(self.draft(self.line(), note)._bonopay_faults(), [])

    def test_annex_ii_levies_go_with_their_groups_only(self):
        levy = self.tax("bonopay_sale_l")
        levy.active = True
        self.check_faults(self.draft(self.line(tax_ids=[Command.set(levy.ids)])), "item.type_group")
        self.rice.bonopay_item_type = "TAX"
        self.check_faults(self.draft(), "item.type_group")
        self.assertEqual(self.draft(self.line(tax_ids=[Command.set(levy.ids)]))._bonopay_faults(), [])

    def test_other_currencies_are_refused(self):
        euro = self.env.ref("base.EUR")
        euro.active = True
        self.check_faults(self.draft(currency_id=euro.id), "currency")

    def test_sfe_1_7_type_suits_the_document(self):
        move = self.draft()
        move.bonopay_invoice_type = "FA"
        self.check_faults(move, "type")

    def test_sfe_1_7_export_bears_no_vat(self):
        move = self.draft(self.line(), self.line(tax_ids=[Command.set(self.tax("tva_export_0").ids)]))
        move.bonopay_invoice_type = "EV"
        self.check_faults(move, "type.export")

    def test_tax_amount_changed_by_hand(self):
        move = self.draft()
        tax_line = move.line_ids.filtered("tax_line_id")
        receivable = move.line_ids.filtered(lambda line: line.display_type == "payment_term")
        move.write(
            {
                "line_ids": [
                    Command.update(tax_line.id, {"amount_currency": tax_line.amount_currency - 1}),
                    Command.update(receivable.id, {"amount_currency": receivable.amount_currency + 1}),
                ]
            }
        )
        self.check_faults(move, "totals")

    def test_sfe_1_16_item_code_falls_back_to_a_stable_one(self):
        self.rice.default_code = False
        move = self.draft(
            self.line(),
            self.line(
                self.env["product.product"], name="Conseil", price_unit=10, tax_ids=[Command.set(self.tax_b.ids)]
            ),
        )
        codes = [move._bonopay_item_code(line) for line in move.invoice_line_ids]
        self.assertEqual(codes[0], f"ART{self.rice.id:06d}")
        self.assertRegex(codes[1], r"^LIBRE-[0-9A-F]{8}$")
        self.assertEqual(codes, [move._bonopay_item_code(line) for line in move.copy().invoice_line_ids])

    def test_sfe_1_16_an_article_is_sealed_with_code_type_name_price_unit_and_group(self):
        move = self.post(self.draft(self.line(quantity=2), self.line(self.delivery)))
        kept = ("code", "type", "name", "unit_price", "unit", "tax_group")
        items = [tuple(item[name] for name in kept) for item in json.loads(move.bonopay_seal_id.payload)["items"]]
        unit = self.rice.uom_id.with_context(lang=move._bonopay_legal_language()).name
        self.assertEqual(
            items,
            [
                ("RIZ25", "BIE", "Riz 25 kg", "45000.00", unit, "B"),
                ("LIVR", "SER", "Livraison", "7500.00", unit, "B"),
            ],
        )

    def test_once_a_company_is_live_only_its_managers_issue_test_documents(self):
        move, context = self.draft(), {"bonopay_test_sale": True}
        seller = move.with_user(self.salesperson)
        self.assertEqual(seller._bonopay_faults(), [])
        self.env["bonopay.outlet"].create({"name": "Gombe", "code": "KIN002", "state": "live"})
        for who in (seller, seller.sudo(), seller.with_context(**context)):
            [fault] = who._bonopay_faults()
            self.assertEqual(fault.code, "outlet.test")
            self.assertIn("choose a journal of a live outlet", fault.message)
        with self.assertRaisesRegex(UserError, "KIN001"):
            seller.action_post()
        seller._bonopay_unattended()._post()
        self.assertEqual(move.state, "draft")
        self.assertIn("KIN001", move.activity_ids.note)
        manager = fiscal_user(self.env, "bp_manager", "bonopay_fiscal.group_fiscal_manager", self.company)
        self.assertEqual(self.post(move.with_user(manager)).state, "posted")

    def test_the_onboarding_s_test_sale_is_no_matter_of_groups(self):
        groups = "base.group_system,account.group_account_invoice"
        administrator = fiscal_user(self.env, "bp_admin", groups, self.company)
        self.env["bonopay.outlet"].create({"name": "Gombe", "code": "KIN002", "state": "live"})
        self.assertTrue(self.draft().with_user(administrator)._bonopay_faults())
        values = {"company_id": self.company.id, "test_outlet_id": self.outlet.id}
        onboarding = self.env["bonopay.onboarding"].with_user(administrator).create(values)
        with trap_seals(self.env) as trapped:
            onboarding.action_make_test_sale()
        trapped.send()
        with trap_seals(self.env):
            onboarding.action_cancel_test_sale()
        self.assertEqual((onboarding.sale_state, onboarding.credit_state), ("certified", "to_seal"))

    def test_company_without_outlet_is_plain_odoo(self):
        self.outlet.active = False
        move = self.draft(self.line(price_unit=0, tax_ids=[]), partner_id=self.walk_in.id)
        self.post(move)
        self.assertEqual(move.state, "posted")
        self.assertFalse(move.bonopay_seal_ids)
        self.assertFalse(move.bonopay_required)
        move.button_draft()
        self.assertEqual(move.state, "draft")

    def test_who_has_issued_in_earnest_goes_on_when_the_last_outlet_is_archived(self):
        """Archiving an outlet is no way around the seal; a company that only tried it out is plain Odoo again."""
        self.post()
        self.outlet.active = False
        self.assertFalse(self.draft().bonopay_required, "only test documents")
        values = {"name": "Pour de bon", "code": "KIN002", "state": "live"}
        self.journal.bonopay_outlet_id = self.outlet = self.env["bonopay.outlet"].create(values)
        self.post()
        self.outlet.active = False
        self.company.invalidate_recordset(["bonopay_active"])
        self.assertTrue(self.draft().bonopay_required)
        self.check_faults(self.draft(), "outlet.archived")

    def test_vendor_bills_are_not_concerned(self):
        bill = self.draft(self.line(price_unit=0, tax_ids=[]), move_type="in_invoice")
        self.assertFalse(bill.bonopay_required)

    def test_message_is_in_the_language_of_the_user(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["ir.module.module"]._load_module_terms(["bonopay_fiscal"], ["fr_FR"])
        move = self.draft(self.line(price_unit=0)).with_context(lang="fr_FR")
        with self.assertRaisesRegex(UserError, "le prix unitaire doit être supérieur à zéro"):
            move.action_post()
        self.env.user.lang = "fr_FR"
        with self.assertRaisesRegex(UserError, "le prix unitaire doit être supérieur à zéro"):
            move.with_context(lang=None).action_post()

    def test_sfe_1_5_1_a_price_of_few_centimes_is_not_raised_behind_the_seller_s_back(self):
        self.env["decimal.precision"].search([("name", "=", "Product Price")]).digits = 3
        self.check_faults(self.draft(self.line(price_unit=0.125, quantity=1000)), "line.price_decimals")
        self.check_faults(self.draft(self.line(price_unit=0.05, discount=10)), "line.price_decimals")
        self.assertEqual(self.draft(self.line(price_unit=29.997))._bonopay_faults(), [])

    def test_company_that_keeps_its_accounts_otherwise(self):
        move = self.draft()
        for rounding, codes in ((1, ["company.decimals"]), (0.01, [])):
            # Odoo lets nobody change it once it is used, but some databases start with it
            self.env.cr.execute("UPDATE res_currency SET rounding = %s", [rounding])
            self.env.invalidate_all()
            self.assertEqual([fault.code for fault in move._bonopay_faults()], codes)
        usd = self.env.ref("base.USD")
        self.env.cr.execute("UPDATE res_company SET currency_id = %s WHERE id = %s", [usd.id, self.company.id])
        self.env.invalidate_all()
        self.assertIn("keeps its accounts in USD", self.check_faults(move, "company.currency"))

    def test_text_with_noncharacters_is_cleaned(self):
        move = self.post(self.draft(self.line(name="Riz\uffff\ufdd0 25 kg\U0001ffff")))
        self.assertIn('"name":"Riz 25 kg"', move.bonopay_seal_id.payload)
