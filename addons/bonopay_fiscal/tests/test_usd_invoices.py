import json
import random
from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

from odoo import Command, fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..core import payments
from ..core.arithmetic import exact, round2
from . import test_report_common as common
from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestUsdInvoices(FiscalCase):
    """An invoice in dollars is sealed and booked in the same francs, to the centime (SFE §1.30)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.usd = cls.env.ref("base.USD")
        cls.usd.active = True
        cls.included = cls.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})

    def in_dollars(self, *lines, **values):
        return self.draft(*lines, currency_id=self.usd.id, **values)

    def payload(self, move):
        return json.loads(self.post(move).bonopay_seal_id.payload)

    def faults(self, move):
        return [fault.code for fault in move._bonopay_faults()]

    def test_sfe_1_30_prices_and_totals_are_sealed_in_francs_with_the_rate(self):
        self.dollar(2317.05)
        move = self.in_dollars(self.line(quantity=2, price_unit=19.99, discount=10))
        sealed = self.payload(move)
        # 19.99 × 2317.05 = 46 317.8295; less 10 % = 41 686.04655
        item = sealed["items"][0]
        self.assertEqual((item["unit_price"], item["original_unit_price"]), ("41686.05", "46317.83"))
        totals = {"base": "83372.10", "tax": "13339.54", "total": "96711.64", "specific_tax": "0.00", "currency": "CDF"}
        self.assertEqual(sealed["totals"], totals)
        day = str(fields.Date.today())
        self.assertEqual(sealed["foreign_currency"], {"code": "USD", "rate": "2317.05", "date": day})
        self.assertEqual(move.amount_total_signed, 96711.64)
        self.assertEqual(move.amount_total, 41.74)

    def test_sfe_1_2_l_the_original_price_of_a_reduction_is_sealed_in_francs_too(self):
        self.dollar(2000)
        move = self.in_dollars(self.line(quantity=1, price_unit=20), self.line(quantity=1, price_unit=-5))
        move.action_bonopay_distribute_reductions()
        item = self.payload(move)["items"][0]
        self.assertEqual((item["unit_price"], item["original_unit_price"]), ("30000.00", "40000.00"))

    def test_sfe_1_30_random_invoices_are_booked_as_they_are_sealed(self):
        self.dollar(2317.05)
        dice = random.Random(130)
        for _ in range(20):
            tax = dice.choice((self.tax_b, self.included))
            lines = [
                self.line(
                    quantity=dice.randint(1, 9000) / 1000,
                    price_unit=dice.randint(100, 99999) / 100,
                    discount=dice.choice((0, 0, 12.5)),
                    tax_ids=[Command.set(tax.ids)],
                )
                for _line in range(dice.randint(1, 5))
            ]
            move = self.in_dollars(*lines)
            totals = self.payload(move)["totals"]
            ours = move.amount_untaxed_signed, move.amount_tax_signed, move.amount_total_signed
            expected = tuple(float(totals[name]) for name in ("base", "tax", "total"))
            self.assertEqual(tuple(round(one, 2) for one in ours), expected)
            owed = move.line_ids.filtered(lambda line: line.display_type == "payment_term")
            self.assertEqual(round(sum(owed.mapped("balance")), 2), expected[2])
            self.assertAlmostEqual(sum(owed.mapped("amount_currency")), move.amount_total)
            self.assertEqual(round2(exact(move.amount_total)), round2(Decimal(totals["total"]) / Decimal("2317.05")))
            self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0)

    def test_sfe_1_30_a_rate_more_than_1_percent_away_is_refused(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(price_unit=20))
        move.invoice_currency_rate = 1 / 2350
        with self.assertRaisesRegex(UserError, "2350, is more than 1 % away from that of the day, 2300"):
            move.action_post()
        move.invoice_currency_rate = 1 / 2320
        self.assertEqual(self.payload(move)["foreign_currency"]["rate"], "2320")

    def test_sfe_1_30_an_invoice_in_dollars_paid_in_dollars_has_one_rate(self):
        self.dollar(2300)
        paid = {"method": "ESPECES", "amount": 46.4, "currency_id": self.usd.id}
        move = self.in_dollars(self.line(quantity=2, price_unit=20), bonopay_payment_ids=[Command.create(paid)])
        self.assertEqual(move.bonopay_payment_rest, 0)
        [payment] = self.payload(move)["payments"]
        self.assertEqual((payment["amount"], payment["currency"], payment["rate"]), ("46.40", "USD", "2300"))
        other = self.in_dollars(self.line(price_unit=20), bonopay_payment_ids=[Command.create({**paid, "amount": 5})])
        other.bonopay_payment_ids.rate = 2310
        self.assertEqual(self.faults(other), ["payment.rates"])

    def test_sfe_1_27_a_credit_note_keeps_the_rate_of_the_sale(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(quantity=2, price_unit=20))
        sold = self.payload(move)
        self.dollar(2500)
        refund = move._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
        credited = self.payload(refund)
        self.assertEqual(credited["foreign_currency"], sold["foreign_currency"])
        self.assertEqual(credited["items"], sold["items"])
        self.assertEqual(refund.amount_total_signed, -move.amount_total_signed)

    def yesterdays(self, move):
        """A draft of yesterday, when a dollar counted 2300; it counts 2310 today."""
        yesterday = fields.Date.today() - timedelta(days=1)
        self.dollar(2310)
        self.env["res.currency.rate"]._bonopay_take(self.company.root_id, yesterday, yesterday, 2300, "BCC")
        self.env.cr.execute(
            "UPDATE account_move SET create_date = create_date - interval '1 day' WHERE id = %s", [move.id]
        )
        move.invalidate_recordset(["create_date"])
        return yesterday

    def test_sfe_1_30_an_undated_draft_of_another_day_is_booked_as_it_is_sealed(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(quantity=1, price_unit=10.04), invoice_date=False)
        self.yesterdays(move)
        totals = self.payload(move)["totals"]
        self.assertEqual((move.invoice_date, totals["total"]), (fields.Date.today(), "26903.18"))
        self.assertEqual(move.amount_total_signed, 26903.18)

    def test_sfe_1_30_an_undated_draft_keeps_the_rate_that_a_person_chose(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(quantity=1, price_unit=10.04), invoice_date=False)
        move.invoice_currency_rate = 1 / 2305
        self.yesterdays(move)
        sealed = self.payload(move)
        self.assertEqual(sealed["foreign_currency"]["rate"], "2305")
        self.assertEqual(sealed["totals"]["total"], f"{move.amount_total_signed:.2f}")

    def test_sfe_1_30_dollars_that_were_stated_follow_the_rate_of_their_invoice(self):
        self.dollar(2300)
        stated = {"method": "ESPECES", "amount": 11.65, "currency_id": self.usd.id}
        move = self.in_dollars(
            self.line(quantity=1, price_unit=10.04),
            invoice_date=False,
            bonopay_payment_ids=[Command.create(stated)],
        )
        self.yesterdays(move)
        self.assertEqual({method for method, *_rest in self.sealed_payments(move)}, {"ESPECES"})
        self.assertEqual(move.bonopay_payment_ids[0].rate, 2310)

    def test_sfe_1_30_the_rate_that_a_person_chose_for_dollars_stays_when_an_invoice_in_francs_is_dated(self):
        self.dollar(2300)
        stated = {"method": "ESPECES", "amount": 5, "currency_id": self.usd.id}
        move = self.draft(bonopay_payment_ids=[Command.create(stated)], invoice_date=False)
        move.bonopay_payment_ids.rate = 2310
        move.invoice_date = fields.Date.today()
        self.assertEqual(move.bonopay_payment_ids.rate, 2310)

    def test_sfe_1_30_a_change_of_date_or_rate_leaves_the_laws_francs(self):
        self.dollar(2300)
        lines = [self.line(quantity=3, price_unit=10.04), self.line(quantity=7, price_unit=0.37, discount=5)]
        move = self.in_dollars(*lines)
        yesterday, rate = self.yesterdays(move), 1 / 2307.77
        changes = (
            {"invoice_date": yesterday}, {"invoice_date": fields.Date.today()}, {"invoice_currency_rate": rate},
            {"invoice_date": yesterday, "invoice_currency_rate": rate},
            {"invoice_date": fields.Date.today(), "invoice_line_ids": [Command.create(self.line(price_unit=3.33)[2])]},
        )  # fmt: skip
        for values in changes:
            move.write(values)
            self.assertEqual(self.faults(move), [], values)
            self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0)
        self.payload(move)

    def paid_in_dollars(self, move, *amounts):
        """The means of payment that are sealed of a move, all paid in cash, and their sum in francs."""
        stated = [{"method": "ESPECES", "amount": amount, "currency_id": self.usd.id} for amount in amounts]
        move.bonopay_payment_ids = [Command.create(one) for one in stated]
        self.assertEqual(move.bonopay_payment_rest, 0)
        return self.sealed_payments(move)

    def sealed_payments(self, move):
        sealed = self.payload(move)
        paid = sealed["payments"]
        francs = (Decimal(one["amount"]) * Decimal(one["rate"] or 1) for one in paid)
        total = sum((one.quantize(Decimal("0.01"), "ROUND_HALF_UP") for one in francs), Decimal(0))
        self.assertEqual(total, Decimal(sealed["totals"]["total"]))
        self.assertEqual(move.bonopay_payment_ids.mapped("amount"), [float(one["amount"]) for one in paid])
        return [(one["method"], one["amount"], one["currency"]) for one in paid]

    def test_sfe_1_30_an_invoice_in_dollars_is_paid_with_the_dollars_that_it_prints(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(quantity=1, price_unit=10.04))
        expected = [("ESPECES", "11.64", "USD"), ("ESPECES", "14.72", "CDF")]
        self.assertEqual(self.paid_in_dollars(move, 11.65), expected)

    def test_sfe_1_30_after_a_refusal_the_dollars_that_were_stated_are_stated_again(self):
        self.dollar(2300)
        self.twin.problem_next(422, "invalid_payload")
        move = self.in_dollars(self.line(quantity=1, price_unit=10.04))
        first = self.paid_in_dollars(move, 1.65, 10)
        move.action_bonopay_correct()
        self.assertEqual(move.bonopay_payment_ids.mapped("amount"), [1.65, 10])
        self.assertEqual(self.sealed_payments(move), first)

    def test_sfe_1_30_what_replaces_a_rejected_document_states_all_the_dollars_again(self):
        self.dollar(2300)
        self.twin.dgi_status = "rejected"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        move = self.in_dollars(self.line(quantity=1, price_unit=10.04))
        first = self.paid_in_dollars(move, 1.65, 10)
        self.twin.dgi_status = "certified"
        replacement = self.env["account.move"].browse(move.action_bonopay_replace()["res_id"])
        self.assertEqual(replacement.bonopay_payment_ids.mapped("amount"), [1.65, 10])
        self.assertEqual(move.bonopay_payment_ids.mapped("amount")[:2], [1.65, 9.99], "what was sealed stays")
        self.assertEqual(self.sealed_payments(replacement), first)

    def test_sfe_1_30_what_replaces_a_document_at_another_rate_is_paid_at_its_own(self):
        self.dollar(2300)
        self.twin.dgi_status = "rejected"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        move = self.in_dollars(self.line(quantity=1, price_unit=10.04))
        self.paid_in_dollars(move, 11.65)
        self.twin.dgi_status = "certified"
        self.dollar(2310)
        replacement = self.env["account.move"].browse(move.action_bonopay_replace()["res_id"])
        replacement.invoice_date = fields.Date.today()
        paid = self.sealed_payments(replacement)
        self.assertEqual({method for method, *_rest in paid}, {"ESPECES"})
        self.assertEqual(set(replacement.bonopay_payment_ids.mapped("rate")), {2310.0, 0.0})

    def test_sfe_1_30_random_invoices_paid_in_dollars_leave_nothing_on_credit(self):
        self.dollar(2317.05)
        dice = random.Random(19)
        for _ in range(15):
            lines = [
                self.line(quantity=dice.randint(1, 9), price_unit=dice.randint(50, 9999) / 100)
                for _line in range(dice.randint(1, 4))
            ]
            move = self.in_dollars(*lines)
            first = round(move.amount_total * dice.choice((0, 0.3)), 2)
            amounts = [first, round(move.amount_total - first, 2)]
            paid = self.paid_in_dollars(move, *filter(None, amounts))
            self.assertEqual({method for method, *_rest in paid}, {"ESPECES"}, amounts)
            self.assertTrue(all(float(amount) > 0 for _method, amount, _currency in paid))

    def test_sfe_1_30_a_proposed_payment_in_dollars_leaves_nothing_on_credit(self):
        self.dollar(2300)
        proposed = payments.Payment("CARTEBANCAIRE", Decimal("50.00"), "T1", "USD", Decimal(2300))
        move = self.in_dollars(self.line(quantity=1, price_unit=10.04))
        with patch.object(self.registry["account.move"], "_bonopay_proposed_payments", lambda move: iter([proposed])):
            paid = self.sealed_payments(move)
        self.assertEqual(paid, [("CARTEBANCAIRE", "11.64", "USD"), ("CARTEBANCAIRE", "14.72", "CDF")])

    def test_sfe_1_19_more_dollars_than_the_total_are_refused(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(quantity=1, price_unit=10.04))
        paid = {"method": "ESPECES", "amount": 11.66, "currency_id": self.usd.id}
        move.bonopay_payment_ids = [Command.create(paid)]
        self.assertEqual(self.faults(move), ["payment.total"])

    def test_sfe_1_22_distributing_a_reduction_changes_nothing_that_is_charged(self):
        self.dollar(2000)
        move = self.in_dollars(
            self.line(quantity=100, price_unit=0.3, discount=5), self.line(quantity=1, price_unit=-5)
        )
        before = move.amount_untaxed
        move.action_bonopay_distribute_reductions()
        self.assertEqual((before, move.amount_untaxed), (23.5, 23.5))
        self.assertEqual(self.payload(move)["totals"]["base"], "47000.00")

    def test_sfe_1_5_2_a_cheap_price_in_dollars_is_rounded_in_francs(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(quantity=100, price_unit=0.03, discount=15))
        self.assertEqual(self.faults(move), [])
        self.assertEqual(self.payload(move)["items"][0]["unit_price"], "58.65")

    def test_sfe_1_27_the_rate_of_what_is_sealed_stays_and_is_that_of_its_credit_note(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(quantity=2, price_unit=20))
        sold = self.payload(move)
        self.dollar(2310)
        careless = move.sudo().with_context(skip_invoice_sync=True, skip_readonly_check=True)
        with self.assertRaisesRegex(UserError, "handed to the signer"):
            careless.write({"taxable_supply_date": "2026-01-01"})
        self.env.add_to_compute(move._fields["invoice_currency_rate"], move)
        self.assertAlmostEqual(1 / move.invoice_currency_rate, 2300)
        self.env.cr.execute("UPDATE account_move SET invoice_currency_rate = %s WHERE id = %s", [1 / 2310, move.id])
        move.invalidate_recordset()
        refund = move._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
        self.assertEqual(self.payload(refund)["items"], sold["items"])

    def test_dollars_without_a_rate_are_refused(self):
        self.env["res.currency.rate"].search([("currency_id", "=", self.usd.id)]).unlink()
        self.assertEqual(self.faults(self.in_dollars(self.line(price_unit=20))), ["currency.rate"])

    def test_a_payment_at_another_rate_leaves_what_was_sealed_alone(self):
        self.dollar(2300)
        move = self.in_dollars(self.line(quantity=2, price_unit=20))
        before = json.dumps(self.payload(move))
        self.dollar(2400)
        bank = self.env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", self.company.id)], limit=1
        )
        wizard = self.env["account.payment.register"].with_context(active_model="account.move", active_ids=move.ids)
        wizard.create({"journal_id": bank.id})._create_payments()
        self.assertIn(move.payment_state, ("paid", "in_payment"))
        self.assertEqual(json.dumps(json.loads(move.bonopay_seal_id.payload)), before)
        self.assertEqual(Decimal(str(move.amount_total_signed)), Decimal("106720.0"))

    def test_sfe_1_2_r_the_dollars_and_the_rate_are_printed(self):
        self.dollar(2300)
        move = self.post(self.in_dollars(self.line(quantity=2, price_unit=20)))
        report = self.env["ir.actions.report"].with_context(force_report_rendering=True)
        text = "".join(common.pdf_text(report._render_qweb_pdf("account.account_invoices", move.ids)[0]).split())
        self.assertIn("TotalTTCenUSD:46,40USD", text)
        self.assertIn("1USD=2300CDF", text)
