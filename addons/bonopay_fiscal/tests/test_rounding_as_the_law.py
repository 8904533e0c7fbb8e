import json
import random
from collections import defaultdict
from decimal import Decimal

from odoo import Command
from odoo.tests import tagged

from ..core import payload
from ..core.arithmetic import exact, round2
from .common import FiscalCase

SEED = 20261121
INVOICES = 400
REAL_MOVES = 12
SPECIFIC_TAXES = (("amount", 50), ("amount", 0.35), ("quantity", 12.3457), ("percent", 2.5), ("percent", 10))


@tagged("post_install", "-at_install")
class TestRoundingAsTheLaw(FiscalCase):
    """Odoo's totals equal the law's arithmetic to the centime, group by group."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ht = cls.tax_b | cls.tax_b_services | cls.tax("tva_exempt_0")
        ht |= cls.tax("bonopay_sale_c") | cls.tax("bonopay_sale_o")
        cls.taxes = {"ht": ht, "ttc": cls.env["account.tax"].concat(*[cls._included(tax) for tax in ht])}
        cls.whole = cls.tax("bonopay_sale_n")
        (ht | cls.whole).active = True
        cls.specific = cls.env["account.tax"].concat(
            *[cls.specific_tax(basis, value) for basis, value in SPECIFIC_TAXES]
        )

    @classmethod
    def _included(cls, tax):
        return tax.copy({"name": f"{tax.name} TTC", "price_include_override": "tax_included"})

    def _random_lines(self, dice, mode, least=0.01):
        return [
            {
                "price_unit": round(10 ** dice.randint(0, 5) * dice.random() + least, dice.choice((0, 2, 4))) or 1.0,
                "quantity": round(dice.choice((1, 10)) * dice.random() + 0.1, dice.choice((0, 1, 3))) or 1.0,
                "discount": dice.choice((0, 0, 0, 10, 12.5, 33.33)),
                "tax": dice.choice(self.taxes[mode] | self.whole),
                "specific": dice.choice([*self.specific, *[self.env["account.tax"]] * 3]),
            }
            for _number in range(dice.randint(1, 9))
        ]

    def _specific(self, line):
        """The specific tax of a line; what is VAT as a whole bears none."""
        return line.get("specific", self.env["account.tax"]) if line["tax"] != self.whole else self.env["account.tax"]

    def _legal_lines(self, lines):
        return [
            payload.Line(
                "", "", "", "", exact(line["quantity"]),
                payload.Price.discounted(exact(line["price_unit"]), exact(line["discount"])),
                line["tax"].bonopay_group, Decimal(0) if line["tax"] == self.whole else exact(line["tax"].amount),
                (tax := self._specific(line)) and payload.SpecificTax(tax.bonopay_specific, exact(tax.amount)) or None,
            )
            for line in lines
        ]  # fmt: skip

    def _legal_groups(self, lines, mode):
        """``{letter: (base, tax, base, specific tax)}``"""
        legal = self._legal_lines(lines)
        specific = defaultdict(Decimal)
        for line in legal:
            specific[line.tax_group] += line.specific_tax_amount
        return {
            letter: (amounts.base, amounts.tax, amounts.base, round2(specific[letter]))
            for letter, (_rate, amounts) in payload.sum_groups(legal, mode).items()
        }

    def _odoo_groups(self, lines, refund):
        taxes_api = self.env["account.tax"]
        base_lines = [
            taxes_api._prepare_base_line_for_taxes_computation(
                None,
                price_unit=line["price_unit"],
                quantity=line["quantity"],
                discount=line["discount"],
                tax_ids=line["tax"] | self._specific(line),
                currency_id=self.company.currency_id,
                is_refund=refund,
            )
            for line in lines
        ]
        taxes_api._add_tax_details_in_base_lines(base_lines, self.company)
        taxes_api._round_base_lines_tax_details(base_lines, self.company)
        groups = {}
        for base_line in base_lines:
            details, letter = base_line["tax_details"], base_line["tax_ids"]._bonopay_split_taxes()[0].bonopay_group
            *of_specific, of_group = details["taxes_data"]
            specific = sum(tax_data["tax_amount"] for tax_data in of_specific)
            base = details["total_excluded"] + details["delta_total_excluded"] + specific
            sums = groups.setdefault(letter, [0.0, 0.0, 0.0, 0.0])
            for index, amount in enumerate((base, of_group["tax_amount"], of_group["base_amount"], specific)):
                sums[index] += amount
            self.assertAlmostEqual(details["total_included"], base + of_group["tax_amount"], places=4)
        return {letter: tuple(round2(exact(amount)) for amount in sums) for letter, sums in groups.items()}

    def test_random_invoices_equal_the_payload_arithmetic(self):
        dice = random.Random(SEED)
        several_taxes_in_a_group = 0
        for number in range(INVOICES):
            mode = dice.choice(("ht", "ttc"))
            lines = self._random_lines(dice, mode)
            legal = self._legal_groups(lines, mode)
            with self.subTest(invoice=number, mode=mode):
                self.assertEqual(self._odoo_groups(lines, dice.random() < 0.3), legal)
            several_taxes_in_a_group += len({line["tax"] for line in lines}) > len(legal)
        self.assertGreater(several_taxes_in_a_group, 50, "the dice must mix two taxes of one group")

    def test_random_posted_moves_equal_their_payload(self):
        dice = random.Random(SEED)
        for number in range(REAL_MOVES):
            lines = self._random_lines(dice, ("ht", "ttc")[number % 2], least=100.0)
            move = self.draft(*[self._move_line(line) for line in lines])
            self.post(move, send=False)
            totals = _payload_totals(move)
            with self.subTest(move=number):
                specific = float(totals.pop())
                odoo = (move.amount_untaxed + specific, move.amount_tax - specific, move.amount_total)
                self.assertEqual([f"{amount:.2f}" for amount in odoo], totals)
                self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0.0, places=4)

    def _move_line(self, line):
        product = self.env["product.product"] if line["tax"] == self.whole else self.rice
        values = {name: line[name] for name in ("price_unit", "quantity", "discount")}
        taxes = line["tax"] | self._specific(line)
        return self.line(product, name="Article", tax_ids=[Command.set(taxes.ids)], **values)

    def test_group_spanning_two_taxes_is_rounded_once(self):
        lines = [
            {"price_unit": 0.33, "quantity": 1, "discount": 0, "tax": tax}
            for tax in [self.tax_b] * 4 + [self.tax_b_services] * 3
        ]
        self.assertEqual(self._odoo_groups(lines, False)["B"][:2], (Decimal("2.31"), Decimal("0.37")))

    def test_included_prices_are_taxed_by_group_not_by_line(self):
        lines = [{"price_unit": 9.99, "quantity": 1, "discount": 0, "tax": self.taxes["ttc"][0]}] * 3
        self.assertEqual(self._odoo_groups(lines, False)["B"][:2], (Decimal("25.84"), Decimal("4.13")))

    def test_company_without_outlet_computes_as_plain_odoo(self):
        lines = [{"price_unit": 0.333, "quantity": 3, "discount": 0, "tax": self.tax_b}]
        self.assertEqual(self._odoo_groups(lines, False)["B"][0], Decimal("0.99"))
        self.outlet.active = False
        self.assertEqual(self._odoo_groups(lines, False)["B"][0], Decimal("1.00"))


def _payload_totals(move):
    totals = json.loads(move.bonopay_seal_id.payload)["totals"]
    return [totals["base"], totals["tax"], totals["total"], totals["specific_tax"]]
