import json
from decimal import Decimal
from unittest.mock import patch

from odoo import Command, fields
from odoo.tests import tagged

from ..models.res_company import connect
from .common import FiscalCase, fiscal_user, live_signer, trap_seals


@tagged("post_install", "-at_install", "bonopay_live")
class TestLiveSigner(FiscalCase):
    """The same invoices at a real signer: its rules, its arithmetic and its answers, not a twin's."""

    @classmethod
    def setUpClass(cls):
        url, key, outlet = live_signer()
        super().setUpClass()
        cls.outlet.code = outlet
        cls.company.bonopay_configure(url, key)
        answer = connect(cls.company).outlet(outlet).body
        cls.company.vat = answer.get("merchant_nif") or answer["nif"]

    def post_certified(self, move):
        self.post(move)
        seal = move.bonopay_seal_id
        self.assertEqual(seal.state, "certified", seal.last_error_message)
        return seal

    def at_18_percent(self):
        """A tax that the signer refuses, and Odoo for once does not."""
        return self.tax_b.copy({"name": "18 %", "amount": 18})

    def unnoticed(self):
        return patch.object(self.env.registry["account.tax"], "_bonopay_rate_fault", lambda tax: None)

    def test_signer_accepts_invoices_of_every_kind_that_odoo_makes(self):
        embassy = self.env["res.partner"].create(
            {"name": "Ambassade", "bonopay_client_type": "AO", "bonopay_exemption_reference": "EXO/1"}
        )
        for partner in (self.client, self.walk_in, embassy):
            self.post_certified(self.draft(self.line(quantity=1.5, discount=12.5), partner_id=partner.id))
        export = Command.set(self.tax("tva_export_0").ids)
        self.assertEqual(self.post_certified(self.draft(self.line(tax_ids=[export]))).document_type, "EV")
        included = self.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})
        lines = [self.line(price_unit=9.99, quantity=1, tax_ids=[Command.set(included.ids)])] * 3
        seal = self.post_certified(self.draft(*lines))
        self.assertEqual(json.loads(seal.payload)["totals"]["tax"], "4.13")

    def test_every_tax_group_of_the_chart_is_accepted(self):
        domain = [("company_id", "=", self.company.id), ("type_tax_use", "=", "sale")]
        taxes = self.env["account.tax"].with_context(active_test=False).search(domain)._bonopay_split_taxes()[0]
        taxes.active = True
        for tax in taxes:
            line = self.line(
                self.env["product.product"], name="Article", price_unit=100, tax_ids=[Command.set(tax.ids)]
            )
            with self.subTest(group=tax.bonopay_group):
                self.post_certified(self.draft(line))

    def test_sfe_1_13_specific_taxes_of_every_kind_are_certified_in_both_price_modes(self):
        included = self.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})
        kinds = [self.specific_tax(*kind) for kind in (("amount", 50), ("quantity", 35.125), ("percent", 2.5))]
        for tax in (self.tax_b, included, self.tax("tva_exempt_0")):
            lines = [
                self.line(quantity=1.5, price_unit=799.99, discount=10, tax_ids=[Command.set((tax | kind).ids)])
                for kind in kinds
            ]
            with self.subTest(tax=tax.name):
                move = self.draft(*lines)
                totals = json.loads(self.post_certified(move).payload)["totals"]
                self.assertEqual(totals["specific_tax"], "129.69")
                self.assertEqual(f"{move.amount_total:.2f}", totals["total"])

    def test_sfe_1_13_credit_notes_take_specific_taxes_back(self):
        lines = [
            self.line(quantity=2, tax_ids=[Command.set((self.tax_b | self.specific_tax(*kind)).ids)])
            for kind in (("amount", 50), ("quantity", 35.12), ("percent", 2.5))
        ]
        original = self.draft(*lines)
        self.post_certified(original)
        for _ in range(2):
            refund = original._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
            refund._bonopay_propose_what_is_left()
            refund.invoice_line_ids.quantity = 1
            self.post_certified(refund)

    def test_credit_note_of_a_certified_invoice(self):
        original = self.draft(self.line(quantity=2))
        self.post_certified(original)
        for _ in range(2):  # in two parts, of which the signer and the DGI keep count too
            refund = original._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
            refund.invoice_line_ids.quantity = 1
            self.assertEqual(self.post_certified(refund).document_type, "FA")

    def test_sfe_1_19_a_split_with_mobile_money_and_dollars_is_certified(self):
        if not self.company._bonopay_take_day_rate():
            self.dollar(2300)
        move = self.draft(self.line(quantity=2))  # 104 400 francs
        usd = self.env.ref("base.USD")
        split = [
            {"method": "MOBILEMONEY", "amount": 30000, "reference": "MP261130.0815.A12345"},
            {"method": "ESPECES", "amount": 20, "currency_id": usd.id},
        ]
        move.bonopay_payment_ids = [Command.create(values) for values in split]
        seal = self.post_certified(move)
        paid = json.loads(seal.payload)["payments"]
        self.assertEqual([one["method"] for one in paid], ["MOBILEMONEY", "ESPECES", "CREDIT"])
        self.assertEqual((paid[1]["currency"], float(paid[1]["rate"])), ("USD", move.bonopay_payment_ids[1].rate))

    def test_sfe_1_30_an_invoice_in_dollars_and_its_credit_note_are_certified(self):
        if not self.company._bonopay_take_day_rate():
            self.dollar(2317.05)
        usd = self.env.ref("base.USD")
        usd.active = True
        move = self.draft(self.line(quantity=1.5, price_unit=19.99, discount=10), currency_id=usd.id)
        self.assertEqual(json.loads(self.post_certified(move).payload)["foreign_currency"]["code"], "USD")
        refund = move._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
        self.assertEqual(self.post_certified(refund).document_type, "FA")

    def test_row_61_same_document_again_is_the_same_seal(self):
        move = self.draft()
        seal = self.post_certified(move)
        with connect(self.company) as connection:
            again = connection.seal(seal.payload.encode(), seal.document_id, seal.payload_hash)
        self.assertEqual(again.body["fiscal_number"], seal.fiscal_number)

    def test_a_batch_is_sealed_and_a_refused_document_in_it_spoils_nobody(self):
        wrong = self.at_18_percent()
        lines = [self.line(quantity=2)], [self.line(tax_ids=[Command.set(wrong.ids)])], [self.line(self.delivery)]
        with self.unnoticed():
            seals = self.post(self.env["account.move"].union(*[self.draft(*own) for own in lines]), send=False)
        seals = seals.bonopay_seal_ids.sorted("id")
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 100.0):
            self.assertEqual(seals._send_together(), 0)
        self.assertEqual(seals.mapped("state"), ["certified", "invalid", "certified"], seals.mapped("last_error_code"))
        self.assertIn("16", seals[1].last_error_message)
        self.assertTrue(seals[1].move_id.activity_ids)
        with connect(self.company) as connection:
            alone = connection.seal(seals[2].payload.encode(), seals[2].document_id, seals[2].payload_hash)
        self.assertEqual(alone.text, seals[2].response, "kept as it would have come alone, byte for byte")

    def test_refusal_is_shown_and_corrected(self):
        wrong = self.at_18_percent()
        move = self.draft(self.line(tax_ids=[Command.set(wrong.ids)]))
        with self.unnoticed():
            self.post(move)
        refused = move.bonopay_seal_id
        self.assertEqual(refused.state, "invalid")
        self.assertIn("16", refused.last_error_message)
        self.assertEqual(move.state, "posted")
        move.action_bonopay_correct()
        self.assertEqual(move.state, "draft")
        move.invoice_line_ids.tax_ids = self.tax_b
        corrected = self.post_certified(move)
        self.assertNotEqual(corrected.document_id, refused.document_id)
        self.assertTrue(refused.superseded)

    def test_outlet_of_another_taxpayer_waits_and_says_why(self):
        self.company.vat = "Z0000000Z"
        move = self.draft()
        self.post(move)
        self.assertEqual((move.state, move.bonopay_state), ("posted", "to_seal"))
        self.assertEqual(move.bonopay_seal_id.last_error_code, "forbidden")
        self.assertTrue(move.bonopay_message)

    def test_the_onboarding_goes_from_the_list_of_outlets_to_a_test_sale_that_the_dgi_normalised(self):
        manager = fiscal_user(self.env, "bp_manager", "bonopay_fiscal.group_fiscal_manager", self.company)
        company = self.company.with_user(manager)
        onboardings = company.env["bonopay.onboarding"]
        onboarding = onboardings.browse(onboardings._open(company)["res_id"])
        onboarding._enter("outlets")
        self.assertIn(self.outlet, onboarding.line_ids.filtered("known").outlet_id)
        onboarding._enter("sale")
        with trap_seals(self.env) as trapped:
            onboarding.action_make_test_sale()
        trapped.send()
        self.assertEqual(onboarding.sale_state, "certified", onboarding.sale_message)
        self.assertTrue(onboarding.sale_code)
        with trap_seals(self.env) as trapped:
            onboarding.action_cancel_test_sale()
        trapped.send()
        self.assertEqual(onboarding.credit_state, "certified", onboarding.credit_id.bonopay_message)
        onboarding._enter("checks")
        faults = onboarding.check_ids.filtered(lambda check: check.level == "fault").mapped("code")
        self.assertEqual(faults, ["address", "province"], "what this test's outlet lacks, and nothing of the signer's")

    def test_status_of_the_outlet_is_read_with_nothing_left_to_guess(self):
        self.post_certified(self.draft())
        self.assertIsNone(self.outlet._read_status())
        self.assertFalse(self.outlet.dgi_error)
        self.assertTrue(self.outlet.dgi_read_at and self.outlet.dgi_answered_at)
        self.assertEqual(self.outlet.waiting_count, 0)
        with connect(self.company) as connection:
            [item] = connection.sync_status(self.outlet.code)
        self.assertEqual(set(self.outlet.alarm_ids.mapped("code")), {alarm["code"] for alarm in item["alarms"]})
        self.assertEqual(len(self.outlet.device_ids), len(item.get("devices") or []))

    def test_row_49_rate_of_the_day_of_the_signer_becomes_that_of_the_company(self):
        rate = self.company._bonopay_take_day_rate()
        with connect(self.company) as connection:
            told = connection.reference().body
        self.assertEqual(bool(rate), told["usd"] is not None)
        if rate:
            self.assertAlmostEqual(rate.inverse_company_rate, float(told["usd"]["rate"]))
            self.assertEqual(str(rate.name), told["day"])

    def test_sfe_1_12_rates_are_those_that_the_signer_and_the_dgi_tell(self):
        with connect(self.company) as connection:
            told = connection.reference().body
        ours = self.env["bonopay.tax.group"]._rates_on(fields.Date.to_date(told["day"]))
        for address in told["addresses"]:
            self.assertFalse([one for one in address["differences"] if one["table"] == "tax_groups"])
            theirs = {row["code"]: Decimal(row["rate"]) for row in address["tables"]["tax_groups"]}
            self.assertEqual(theirs, {code: row.rate for code, row in ours.items()} if theirs else {})
