import os
import random
from decimal import Decimal
from pathlib import Path

from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.core import payload
from odoo.addons.bonopay_fiscal.core.arithmetic import exact
from odoo.addons.bonopay_fiscal.tests.common import FiscalCase

from . import legal_vectors
from .legal_vectors import centimes

MODULE = Path(__file__).parents[1] / "static" / "tests" / "tax" / "legal_vectors.js"
#: Set, it makes the vectors again: only for a change of the arithmetic, of Odoo's or of the law's, that is meant.
WRITE = "BONOPAY_WRITE_VECTORS"
ORDERS = 200
SPECIFIC_TAXES = (("amount", 50), ("amount", 0.35), ("quantity", 12.3457), ("percent", 2.5), ("percent", 10))
#: Names of their own in each database, and of no use to arithmetic.
OF_THE_DATABASE = ("id", "name", "company_id", "tax_group_id", "sequence")


@tagged("post_install", "-at_install")
class TestLegalArithmetic(FiscalCase):
    """The till has all that the law's arithmetic needs, and is held against what the server makes of the same orders.

    The other half is `static/tests/tax`, which reads what is compared here.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        names = ("tva_exempt_0", "bonopay_sale_c", "bonopay_sale_o", "tva_export_0")
        ht = cls.tax_b | cls.tax_b_services | cls.env["account.tax"].concat(*map(cls.tax, names))
        ttc = [tax.copy({"name": f"{tax.name} TTC", "price_include_override": "tax_included"}) for tax in ht]
        cls.taxes = {"ht": ht, "ttc": cls.env["account.tax"].concat(*ttc)}
        cls.whole = cls.tax("bonopay_sale_n")
        cls.specific = cls.env["account.tax"].concat(*[cls.specific_tax(*kind) for kind in SPECIFIC_TAXES])
        cls.all_taxes = cls.specific | ht | cls.taxes["ttc"] | cls.whole
        cls.all_taxes.active = True

    def _loaded(self, records):
        """As the till loads them, but for what a database numbers."""
        return records.read(records._load_pos_data_fields(self.env["pos.config"]), load=False)

    def _loaded_taxes(self):
        kept = [
            {name: value for name, value in tax.items() if name not in OF_THE_DATABASE}
            for tax in self._loaded(self.all_taxes)
        ]
        return [{**tax, "id": number, "sequence": number} for number, tax in enumerate(kept, 1)]

    def _number(self, tax):
        return self.all_taxes.ids.index(tax.id) + 1 if tax else None

    def _random_order(self, dice):
        mode = dice.choice(("ht", "ttc"))
        signs = dice.choice(((1,), (1,), (1,), (1, 1, -1)))  # with the last, some of its lines come back
        return mode, [self._random_line(dice, mode, dice.choice(signs)) for _number in range(dice.randint(1, 12))]

    def _random_line(self, dice, mode, sign):
        none = self.env["account.tax"]
        tax = dice.choice(self.taxes[mode] | self.whole)
        specific = dice.choice([*self.specific, *[none] * 4]) if tax != self.whole else none
        quantity = sign * legal_vectors.quantity(dice)
        return legal_vectors.price(dice), quantity, legal_vectors.discount(dice), tax, specific

    def _legal_line(self, price, quantity, discount, tax, specific):
        return payload.Line(
            "", "", "", "", abs(exact(quantity)), payload.Price.discounted(exact(price), exact(discount)),
            tax.bonopay_group, tax._bonopay_rate(),
            payload.SpecificTax(specific.bonopay_specific, exact(specific.amount)) if specific else None,
        )  # fmt: skip

    def _legal_totals(self, mode, lines):
        """Net of all taxes, all taxes, and total of what is sold less what comes back."""
        sold, back = ([line for line in lines if (line[1] > 0) is is_sold] for is_sold in (True, False))
        both = (self._document_totals(mode, one) for one in (sold, back))
        return [income - returned for income, returned in zip(*both, strict=True)]

    def _document_totals(self, mode, lines):
        """Net of all taxes, all taxes, and total of a document, by the payload's arithmetic."""
        legal = [self._legal_line(*line) for line in lines]
        groups = [amounts for _rate, amounts in payload.sum_groups(legal, mode).values()]
        specific = sum((line.specific_tax_amount for line in legal), Decimal(0))
        base, tax, total = (sum((group[place] for group in groups), Decimal(0)) for place in range(3))
        return [centimes(amount) for amount in (base - specific, tax + specific, total)]

    def _server_lines(self, lines, sign):
        """Net amount, what rounding adds to it, specific tax, tax and total of each line, as Odoo comes to them."""
        taxes_api = self.env["account.tax"]
        base_lines = [
            taxes_api._prepare_base_line_for_taxes_computation(
                None, price_unit=price, quantity=sign * quantity, discount=discount, tax_ids=tax | specific,
                currency_id=self.company.currency_id, is_refund=sign * quantity < 0,
            )
            for price, quantity, discount, tax, specific in lines
        ]  # fmt: skip
        taxes_api._add_tax_details_in_base_lines(base_lines, self.company)
        taxes_api._round_base_lines_tax_details(base_lines, self.company)
        return [self._server_line(base_line["tax_details"]) for base_line in base_lines]

    def _server_line(self, details):
        *of_specific, of_group = (tax_data["tax_amount"] for tax_data in details["taxes_data"])
        amounts = (details["total_excluded"], details["delta_total_excluded"], sum(of_specific), of_group)
        return [round(amount * 100) for amount in (*amounts, details["total_included"])]

    def _orders(self):
        dice = random.Random(legal_vectors.SEED)
        for _number in range(ORDERS):
            mode, lines = self._random_order(dice)
            yield {
                "lines": [[*line[:3], *map(self._number, line[3:])] for line in lines],
                "totals": self._legal_totals(mode, lines),
                "shares": self._server_lines(lines, 1),
                "returned": self._server_lines(lines, -1),
            }

    def test_sfe_1_5_server_comes_to_the_totals_of_the_law_for_sales_and_for_returns(self):
        for number, order in enumerate(self._orders()):
            shares = [sum(amounts) for amounts in zip(*order["shares"], strict=True)]
            with self.subTest(order=number):
                self.assertEqual([shares[0] + shares[1], shares[2] + shares[3], shares[4]], order["totals"])
                mirrored = [[-amount for amount in share] for share in order["returned"]]
                self.assertEqual(mirrored, order["shares"])

    def test_vectors_that_the_till_is_held_against_are_what_the_server_comes_to(self):
        orders = [{name: order[name] for name in ("lines", "totals", "shares")} for order in self._orders()]
        distribute = self.env["account.tax"]._distribute_delta_amount_smoothly
        made = legal_vectors.as_module(legal_vectors.vectors(distribute, self._loaded_taxes(), orders))
        if os.environ.get(WRITE):
            MODULE.write_text(made, encoding="utf-8")
        self.assertTrue(
            MODULE.read_text(encoding="utf-8") == made,
            f"The till is held against an arithmetic that is no longer the server's. If the change is meant, run this "
            f"test once with {WRITE}=1 and commit {MODULE.name}.",
        )

    def test_till_is_told_whether_its_company_is_fiscal(self):
        self.assertIs(self._loaded(self.company)[0]["bonopay_active"], True)
        self.outlet.active = False
        self.assertIs(self._loaded(self.company)[0]["bonopay_active"], False)

    def test_till_is_told_the_group_and_the_kind_of_a_tax(self):
        wanted = ("type_tax_use", "bonopay_group", "bonopay_specific")
        sold, specific = ([tax[name] for name in wanted] for tax in self._loaded(self.tax_b | self.specific[0]))
        self.assertEqual((sold, specific), (["sale", "B", False], ["sale", False, "amount"]))
