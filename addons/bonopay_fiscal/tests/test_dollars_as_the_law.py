import json
import random
from collections import defaultdict
from decimal import Decimal
from unittest.mock import patch

from odoo import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..core import arithmetic, payload
from ..core.arithmetic import CENT, exact, round2
from .common import FiscalCase, migration

SEED = 20261130
DOCUMENTS = 360
RATES = ("2000", "2300", "2317.05", "2799.123457", "2850.5")
SPECIFIC_TAXES = (("amount", 5000), ("amount", 0.35), ("quantity", 1234.5678), ("quantity", 3.25), ("percent", 2.5))


class DollarCase(FiscalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.usd = cls.env.ref("base.USD")
        cls.usd.active = True
        cls.nothing = cls.env["account.tax"]
        ht = cls.tax_b | cls.tax_b_services | cls.tax("tva_exempt_0")
        ht |= cls.tax("bonopay_sale_c") | cls.tax("bonopay_sale_o")
        included = [tax.copy({"name": f"{tax.name} TTC", "price_include_override": "tax_included"}) for tax in ht]
        cls.taxes = {"ht": ht, "ttc": cls.nothing.concat(*included)}
        cls.whole = cls.tax("bonopay_sale_n")
        (ht | cls.whole).active = True
        cls.specific = [cls.specific_tax(basis, value) for basis, value in SPECIFIC_TAXES]


@tagged("post_install", "-at_install")
class TestDollarsAsTheLaw(DollarCase):
    """Documents in dollars: the law's francs, and in dollars what these are worth, to the cent (SFE §1.5, §1.30)."""

    def random_lines(self, dice, mode, plain):
        """Values of lines; plain ones have whole quantities of prices in cents, and no discount."""
        lines = []
        for _number in range(dice.randint(1, 8)):
            tax = dice.choice(self.taxes[mode] | self.whole)
            price = 10 ** dice.randint(0, 3) * dice.random() + 0.05
            quantity = dice.randint(1, 40) if plain else round(10 * dice.random() + 0.1, dice.choice((0, 1, 3)))
            if not plain and dice.random() < 0.25:
                price, quantity = dice.choice((0.01, 0.02, 0.05)), 0.5  # its tax is less than half a cent
            specific = dice.choice([*self.specific, *[self.nothing] * 4])
            lines.append(
                {
                    "price_unit": round(price, 2 if plain else dice.choice((2, 2, 4))),
                    "quantity": quantity or 1.0,
                    "discount": 0 if plain else dice.choice((0, 0, 0, 10, 12.5, 33.33)),
                    "tax": tax,
                    "specific": self.nothing if tax == self.whole else specific,
                }
            )
        return lines

    def legal(self, lines, rate):
        """The lines as they are sealed, in francs."""
        return [
            payload.Line(
                "", "", "", "", exact(line["quantity"]),
                payload.Price.discounted(exact(line["price_unit"]) * rate, exact(line["discount"])),
                line["tax"].bonopay_group, line["tax"]._bonopay_rate(),
                (tax := line["specific"]) and payload.SpecificTax(tax.bonopay_specific, exact(tax.amount)) or None,
            )
            for line in lines
        ]  # fmt: skip

    def reckoned(self, lines, rate, refund):
        """What Odoo makes of them: ``{letter: {suffix: [net, specific, tax]}}``."""
        taxes_api = self.env["account.tax"]
        base_lines = [
            taxes_api._prepare_base_line_for_taxes_computation(
                None,
                **{name: line[name] for name in ("price_unit", "quantity", "discount")},
                tax_ids=line["tax"] | line["specific"],
                currency_id=self.usd,
                rate=1 / float(rate),
                is_refund=refund,
            )
            for line in lines
        ]
        taxes_api._add_tax_details_in_base_lines(base_lines, self.company)
        taxes_api._round_base_lines_tax_details(base_lines, self.company)
        groups = defaultdict(lambda: {"": [0, 0, 0], "_currency": [0, 0, 0]})
        for base_line, line in zip(base_lines, lines, strict=True):
            details = base_line["tax_details"]
            *of_specific, of_group = details["taxes_data"]
            for suffix, sums in groups[line["tax"].bonopay_group].items():
                net = details[f"total_excluded{suffix}"] + details[f"delta_total_excluded{suffix}"]
                specific = sum(tax_data[f"tax_amount{suffix}"] for tax_data in of_specific)
                tax = of_group[f"tax_amount{suffix}"]
                self.assertAlmostEqual(details[f"total_included{suffix}"], net + specific + tax, places=4)
                for index, amount in enumerate((net, specific, tax)):
                    sums[index] += round2(exact(amount))
        return groups

    def documents(self, count, plain=False):
        """Price mode, lines, rate, legal groups, and what Odoo makes of random documents."""
        dice = random.Random(SEED)
        for _number in range(count):
            mode, rate = dice.choice(("ht", "ttc")), Decimal(dice.choice(RATES))
            lines = self.random_lines(dice, mode, plain)
            found = self.reckoned(lines, rate, dice.random() < 0.3)
            yield mode, lines, rate, payload.sum_groups(self.legal(lines, rate), mode), found

    def test_sfe_1_30_the_francs_of_documents_in_dollars_are_the_laws(self):
        seen = set()
        for mode, lines, rate, legal, found in self.documents(DOCUMENTS):
            self.assertEqual(found.keys(), legal.keys())
            for letter, (_rate, amounts) in legal.items():
                net, specific, tax = found[letter][""]
                self.assertEqual((net + specific, tax), (amounts.base, amounts.tax))
            specific = sum((line.specific_tax_amount for line in self.legal(lines, rate)), Decimal(0))
            self.assertEqual(sum(one[""][1] for one in found.values()), specific)
            seen |= {(mode, line["specific"].bonopay_specific) for line in lines}
        self.assertEqual(len(seen), 8, "the dice must throw each kind of specific tax, and none, in both modes")

    def test_sfe_1_2_r_the_dollars_of_a_document_are_what_its_francs_are_worth(self):
        several = 0
        for _mode, _lines, rate, legal, found in self.documents(DOCUMENTS):
            francs = sum((amounts.total for _rate, amounts in legal.values()), Decimal(0))
            dollars = sum(sum(one["_currency"]) for one in found.values())
            self.assertEqual(dollars, round2(francs / rate))
            for one in found.values():
                for ours, theirs in zip(one["_currency"], one[""], strict=True):
                    # its own rounding, and what the others missed by theirs
                    self.assertLessEqual(abs(ours - theirs / rate), CENT * (len(found) + 1))
                    self.assertEqual(bool(theirs) or not ours, True, "nothing in francs is nothing in dollars")
                    self.assertGreaterEqual(ours * theirs, 0, "what Odoo cannot book")
            several += len(found) > 1
        self.assertGreater(several, DOCUMENTS / 2, "the dice must mix groups")

    def test_sfe_1_5_groups_of_odoo_are_those_of_the_arithmetic_in_dollars(self):
        for mode, lines, rate, legal, found in self.documents(DOCUMENTS):
            specific = defaultdict(Decimal)
            for line in self.legal(lines, rate):
                specific[line.tax_group] += line.specific_tax_amount
            modes = {
                line["tax"].bonopay_group: mode if line["tax"].price_include or mode == "ht" else "ht" for line in lines
            }
            groups = [(modes[letter], amounts, specific[letter]) for letter, (_rate, amounts) in legal.items()]
            shares = dict(zip(legal, arithmetic.in_currency(groups, rate), strict=True))
            for letter, share in shares.items():
                self.assertEqual(tuple(found[letter]["_currency"]), share)

    def test_who_multiplies_prices_in_dollars_finds_the_same(self):
        """Without discounts, and in quantities that people buy: the francs between take no cent away."""
        for mode, lines, _rate, _legal, found in self.documents(120, plain=True):
            for letter, one in found.items():
                net, specific, tax = one["_currency"]
                prices = [line for line in lines if line["tax"].bonopay_group == letter]
                multiplied = sum(exact(line["price_unit"]) * line["quantity"] for line in prices)
                if letter == "N":
                    self.assertEqual((net, specific, tax), (0, 0, multiplied))
                elif mode == "ht":
                    self.assertEqual(net, multiplied)
                elif not specific:
                    self.assertLessEqual(abs(net + tax - multiplied), CENT * (len(found) - 1))


@tagged("post_install", "-at_install")
class TestSpecificTaxesInDollars(DollarCase):
    """A specific tax is in francs, also of what is sold in dollars (SFE §1.13, §1.30)."""

    def sold(self, *lines, **values):
        """A draft in dollars of such ``(price, quantity, tax, specific tax)``."""
        values_of_lines = [
            self.line(price_unit=price, quantity=quantity, tax_ids=[Command.set((tax | specific).ids)])
            for price, quantity, tax, specific in lines
        ]
        return self.draft(*values_of_lines, currency_id=self.usd.id, **values)

    def assert_booked_as_sealed(self, move):
        """Francs and dollars of the books, against the seal and the paper.

        :return: the payload
        """
        sealed = json.loads(move.bonopay_seal_id.payload)
        totals = {name: Decimal(value) for name, value in sealed["totals"].items() if name != "currency"}
        signed = move.amount_untaxed_signed, move.amount_tax_signed, move.amount_total_signed
        untaxed, taxes, total = (abs(round2(exact(one))) for one in signed)
        expected = totals["base"] - totals["specific_tax"], totals["tax"] + totals["specific_tax"], totals["total"]
        self.assertEqual((untaxed, taxes, total), expected)
        printed = round2(totals["total"] / Decimal(sealed["foreign_currency"]["rate"]))
        self.assertEqual(round2(exact(move.amount_total)), printed)
        self.assertAlmostEqual(move.amount_untaxed + move.amount_tax, move.amount_total, places=4)
        self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0, places=4)
        self.assertAlmostEqual(sum(move.line_ids.mapped("amount_currency")), 0, places=4)
        return sealed

    def test_sfe_1_13_each_kind_of_specific_tax_is_in_francs_on_an_invoice_in_dollars(self):
        self.dollar(2300)
        by_line, by_unit, by_percent = (
            self.specific_tax(*kind) for kind in (("amount", 1150), ("quantity", 35.125), ("percent", 10))
        )
        move = self.post(self.sold(*[(10.0, 12, self.tax_b, tax) for tax in (by_line, by_unit, by_percent)]))
        sealed = self.assert_booked_as_sealed(move)
        self.assertEqual(
            [item["specific_tax"] for item in sealed["items"]],
            [
                {"basis": "amount", "value": "1150", "amount": "1150.00"},
                {"basis": "quantity", "value": "35.125", "amount": "421.50"},
                {"basis": "percent", "value": "10", "amount": "27600.00"},
            ],
        )
        booked = {line.tax_line_id: line for line in move.line_ids.filtered("tax_line_id")}
        self.assertEqual([-booked[tax].amount_currency for tax in (by_line, by_unit, by_percent)], [0.5, 0.18, 12.0])
        self.assertEqual([-booked[tax].balance for tax in (by_line, by_unit, by_percent)], [1150.0, 421.5, 27600.0])
        self.assertEqual((move.amount_untaxed, move.amount_total), (360.0, 432.31))

    def test_sfe_1_13_random_invoices_in_dollars_are_booked_as_they_are_sealed(self):
        self.dollar(2317.05)
        dice = random.Random(SEED)
        for number in range(12):
            taxes = self.taxes[("ht", "ttc")[number % 2]]
            lines = [
                (dice.randint(100, 99999) / 100, dice.randint(1, 9000) / 1000, dice.choice(taxes),
                 dice.choice([*self.specific, self.nothing]))
                for _line in range(dice.randint(1, 5))
            ]  # fmt: skip
            with self.subTest(lines=lines):
                self.assert_booked_as_sealed(self.post(self.sold(*lines), send=False))

    def test_a_vat_of_less_than_half_a_cent_is_no_dollars_below_zero(self):
        self.dollar(2300)
        lines = (25.85, 9.1, self.tax("tva_exempt_0"), self.nothing), (0.05, 0.5, self.tax_b, self.nothing)
        self.assert_booked_as_sealed(self.post(self.sold(*lines)))

    def test_sfe_1_27_credit_notes_take_specific_taxes_of_dollars_back_at_the_rate_of_the_sale(self):
        self.dollar(2317.05)
        by_line, by_unit = self.specific_tax("amount", 4000), self.specific_tax("quantity", 35.125)
        sale = self.post(self.sold((10.04, 3, self.tax_b, by_unit), (7.77, 2, self.tax_b, by_line)))
        self.dollar(2500)
        taken = []
        for quantities in ([1, 2], None):
            note = sale._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
            note._bonopay_propose_what_is_left()
            for line, quantity in zip(note.invoice_line_ids, quantities or (), strict=False):
                line.quantity = quantity
            taken.append(self.assert_booked_as_sealed(self.post(note)))
        self.assertEqual({one["foreign_currency"]["rate"] for one in taken}, {"2317.05"})
        given = sum(Decimal(one["totals"]["specific_tax"]) for one in taken)
        self.assertEqual(given, Decimal(json.loads(sale.bonopay_seal_id.payload)["totals"]["specific_tax"]))

    def test_sfe_1_13_at_another_rate_the_specific_tax_is_other_dollars(self):
        self.dollar(2300)
        move = self.sold((10.0, 1, self.tax_b, self.specific_tax("amount", 2300)))
        self.assertEqual((move.amount_total, move.invoice_line_ids.price_total), (12.76, 12.76))
        move.invoice_currency_rate = 1 / 2320
        # 2 300 ÷ 2 320 = 0.99
        self.assertEqual((move.amount_total, move.invoice_line_ids.price_total), (12.75, 12.75))
        self.assert_booked_as_sealed(self.post(move))

    def test_a_price_in_dollars_that_is_shown_without_a_document_has_its_tax_in_francs(self):
        self.dollar(2000)
        taxes = self.tax_b | self.specific_tax("quantity", 1000)
        self.assertEqual(taxes.compute_all(10.0, currency=self.usd, quantity=2)["total_included"], 24.36)

    def test_sfe_1_22_a_reduction_leaves_the_specific_tax_of_dollars_alone(self):
        self.dollar(2000)
        by_unit = self.specific_tax("quantity", 1000)
        move = self.sold((10.0, 2, self.tax_b, by_unit), (-5.0, 1, self.tax_b, self.nothing))
        before = move.amount_total
        move.action_bonopay_distribute_reductions()
        self.assertEqual(move.amount_total, before)
        self.assertEqual(self.assert_booked_as_sealed(self.post(move))["totals"]["specific_tax"], "2000.00")

    def test_what_is_worth_less_than_a_cent_is_refused(self):
        self.dollar(2300)
        move = self.sold((0.01, 0.1, self.tax_b, self.nothing))
        self.assertEqual([fault.code for fault in move._bonopay_faults()], ["currency.cent"])

    def test_an_upgrade_brings_drafts_to_what_their_francs_are_worth(self):
        self.dollar(2300)
        move = self.sold((10.0, 1, self.tax_b, self.specific_tax("amount", 2300)))
        plain = patch.object(self.registry["account.tax"], "_bonopay_legal_taxes", lambda *_args: None)
        with plain:  # as it was reckoned before
            move.invoice_line_ids.quantity = 2
        self.assertEqual(move.amount_total, 2691.2, "2 300 dollars")
        migration("19.0.1.4.0", "post-dollars").migrate(self.env.cr, "19.0.1.3.0")
        self.assertEqual((move.amount_total, move.invoice_line_ids.price_total), (24.36, 24.36))
        owed = move.line_ids.filtered(lambda line: line.display_type == "payment_term")
        self.assertEqual((owed.amount_currency, owed.balance), (24.36, 56028.0))
        self.assert_booked_as_sealed(self.post(move))

    def test_an_upgrade_goes_on_past_a_draft_that_cannot_be_reckoned(self):
        self.dollar(2300)
        first, broken, last = (self.sold((10.0, 1, self.tax_b, self.nothing)) for _number in range(3))
        reckon, reckoned = type(first)._bonopay_reckon_draft, []

        def some(move):
            reckoned.append(move)
            if move == broken:
                move.ref = "half done"
                self.env.flush_all()
                self.env.cr.execute("SELECT 1 / 0")
            reckon(move)

        with (
            patch.object(type(first), "_bonopay_reckon_draft", some),
            mute_logger("odoo.sql_db"),
            self.assertLogs("post_dollars", "WARNING") as told,
        ):
            migration("19.0.1.4.0", "post-dollars").migrate(self.env.cr, "19.0.1.3.0")
        self.assertLessEqual({first, broken, last}, set(reckoned))
        self.assertEqual([f"account.move {broken.id}" in line for line in told.output], [True])
        self.assertFalse(broken.ref)
