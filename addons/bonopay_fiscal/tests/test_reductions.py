import json

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestReductions(FiscalCase):
    """A reduction on an invoice ends as net prices with original price and reason, or is refused with the way out."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.exempt = cls.tax("tva_exempt_0")
        cls.book = cls._product("Manuel", "LIVRE", "consu", 1000.0, cls.exempt)
        cls.included = cls.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})

    def off(self, amount, name="Remise fidélité", tax=None, **values):
        """A line below zero."""
        taxes = [Command.set((self.tax_b if tax is None else tax).ids)]
        return self.line(
            self.env["product.product"], name=name, quantity=1, price_unit=-amount, tax_ids=taxes, **values
        )

    def distributed(self, *lines, **values):
        move = self.draft(*lines, **values)
        move.action_bonopay_distribute_reductions()
        return move

    def items(self, move):
        """``code → (quantity, unit_price, original_unit_price, price_change)`` as sealed."""
        self.post(move)
        self.assertEqual(move.bonopay_state, "certified")
        members = ("code", "quantity", "unit_price", "original_unit_price", "price_change")
        # a gift is told in French where that is installed
        sealed = json.loads(move.bonopay_seal_id.payload.replace("Cadeau : ", "Gift: "))
        return [tuple(item[name] for name in members) for item in sealed["items"]]

    def refusal(self, *lines, **values):
        """Why the lines below price cannot be distributed: said by the button and, line by line, before posting."""
        move = self.draft(*lines, **values)
        with self.assertRaises(UserError) as caught:
            move.action_bonopay_distribute_reductions()
        faults = [fault for fault in move._bonopay_faults() if fault.code == "line.price"]
        self.assertTrue(faults)
        for fault in faults:
            self.assertIn(fault.message.split("): ")[1], str(caught.exception))
        return str(caught.exception)

    # ------------------------------------------------------------------------------------------------------------

    def test_sfe_1_2_l_original_price_and_reason(self):
        move = self.distributed(self.line(quantity=2), self.line(self.delivery, quantity=1), self.off(9750))
        self.assertEqual(
            self.items(move),
            [
                ("RIZ25", "2", "40500.00", "45000.00", "Remise fidélité"),
                ("LIVR", "1", "6750.00", "7500.00", "Remise fidélité"),
            ],
        )
        self.assertEqual(move.amount_untaxed, 87750)

    def test_sfe_1_22_no_negative_line(self):
        move = self.draft(self.line(quantity=3), self.off(100))
        total = move.amount_total
        with self.assertRaisesRegex(UserError, "Distribute reductions"):
            move.action_post()
        self.assertTrue(move.bonopay_has_reductions)
        move.action_bonopay_distribute_reductions()
        self.assertFalse(move.bonopay_has_reductions)
        self.assertEqual(move.amount_total, total)
        self.assertEqual(
            [item[:3] for item in self.items(move)], [("RIZ25", "2", "44966.67"), ("RIZ25", "1", "44966.66")]
        )

    def test_sfe_1_21_no_zero_line(self):
        move = self.draft(self.line(quantity=2), self.line(quantity=1, discount=100))
        with self.assertRaisesRegex(UserError, "Distribute reductions"):
            move.action_post()
        move.action_bonopay_distribute_reductions()
        self.assertEqual(
            self.items(move),
            [
                ("RIZ25", "2", "30000.00", "45000.00", "Gift: Riz 25 kg"),
                ("RIZ25", "1", "30000.00", "45000.00", "Gift: Riz 25 kg"),
            ],
        )

    def test_whoever_pays_for_a_gift_says_so_beside_the_discount(self):
        oil = self._product("Huile", "HUILE", "consu", 10000.0, self.tax_b)
        soap = self._product("Savon", "SAVON", "consu", 1000.0, self.tax_b)
        move = self.distributed(
            self.line(quantity=1),
            self.line(oil, quantity=1),
            self.line(oil, quantity=1, discount=100),
            self.off(5500),
        )
        reasons = dict(zip(["rice", "oil", "gift"], (item[4] for item in self.items(move)), strict=True))
        self.assertEqual(
            reasons,
            {
                "rice": "Remise fidélité",
                "oil": "Remise fidélité, Gift: Huile",
                "gift": "Remise fidélité, Gift: Huile",
            },
        )
        move = self.distributed(self.line(quantity=1), self.line(soap, quantity=1, discount=100))
        self.assertEqual([item[4] for item in self.items(move)], ["Gift: Savon", "Gift: Savon"])

    def test_a_reduction_stays_in_its_tax_group(self):
        move = self.distributed(self.line(quantity=1), self.line(self.book, quantity=1), self.off(5000))
        self.assertEqual(
            [item[2:] for item in self.items(move)],
            [("40000.00", "45000.00", "Remise fidélité"), ("1000.00", None, None)],
        )

    def test_a_discount_of_the_line_is_told_with_the_reduction(self):
        move = self.distributed(self.line(quantity=1, discount=10), self.off(500))
        self.assertEqual(self.items(move)[0][2:], ("40000.00", "45000.00", "Remise 10 %, Remise fidélité"))

    def test_a_second_reduction_keeps_the_first_original_price(self):
        move = self.distributed(self.line(quantity=1), self.off(5000))
        move.write({"invoice_line_ids": [self.off(1000, "Geste commercial")]})
        move.action_bonopay_distribute_reductions()
        self.assertEqual(self.items(move)[0][2:], ("39000.00", "45000.00", "Remise fidélité, Geste commercial"))

    def test_prices_with_tax_are_reduced_with_tax(self):
        included = [Command.set(self.included.ids)]
        move = self.distributed(
            self.line(quantity=7, price_unit=11.6, tax_ids=included), self.off(5, tax=self.included)
        )
        self.assertEqual(round(move.amount_total, 2), 76.2)
        self.assertEqual([item[1:3] for item in self.items(move)], [("4", "10.89"), ("3", "10.88")])

    def test_sfe_1_13_a_specific_tax_of_a_line_is_owed_once_when_the_line_is_split(self):
        taxes = [Command.set((self.tax_b | self.specific_tax("amount", 500)).ids)]
        move = self.distributed(self.line(quantity=3, tax_ids=taxes), self.off(10000))
        self.assertEqual([item[1] for item in self.items(move)], ["2", "1"])
        self.assertEqual(move.amount_total, 145580)
        sealed = json.loads(move.bonopay_seal_id.payload)
        self.assertEqual(sealed["totals"]["specific_tax"], "500.00")
        note = move._reverse_moves([{"bonopay_credit_nature": "RAN", "bonopay_credit_reason": "Erreur"}])
        self.items(note)
        self.assertEqual(json.loads(note.bonopay_seal_id.payload)["totals"], sealed["totals"])

    def test_the_reduction_is_left_as_a_note(self):
        move = self.distributed(self.line(quantity=2), self.off(9000))
        note = move.invoice_line_ids.filtered(lambda line: line.display_type == "line_note")
        self.assertEqual((note.name, note.quantity, note.balance), ("Remise fidélité", 1, 0))
        self.assertFalse(note.account_id)
        self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0)

    def test_a_credit_note_repeats_net_prices_and_reasons(self):
        sale = self.distributed(self.line(quantity=3), self.off(100))
        sold = self.items(sale)
        wizard = self.env["account.move.reversal"].create(
            {
                "move_ids": [Command.set(sale.ids)],
                "journal_id": self.journal.id,
                "bonopay_credit_nature": "RAM",
                "reason": "Retour",
            }
        )
        note = self.env["account.move"].browse(wizard.reverse_moves()["res_id"])
        self.assertFalse(note.bonopay_has_reductions)
        self.assertEqual(self.items(note), sold)

    def test_what_is_sealed_keeps_its_reasons(self):
        move = self.distributed(self.line(quantity=1), self.off(100))
        self.post(move)
        for name, value in (("bonopay_original_price", 1.0), ("bonopay_price_reason", "x")):
            with self.assertRaises(UserError):
                move.invoice_line_ids[0][name] = value

    # ------------------------------------------------------------------------------------------------------------

    def test_what_cannot_be_distributed_is_refused_with_the_way_out(self):
        levy = self.tax("bonopay_sale_l")
        levy.active = True
        untaxed = self.off(5, tax=self.env["account.tax"])
        rice = self.line(quantity=1)
        for lines, words in (
            ([rice, self.off(45000)], "takes all that is paid in its tax group"),
            ([rice, self.off(5, tax=self.exempt)], "credit note (RRR)"),
            ([rice, self.line(self.book, quantity=1, discount=100)], "nothing is sold in the tax group of this gift"),
            ([rice, untaxed], "needs the tax of the articles"),
            ([rice, self.off(5, tax=levy)], "owed in full"),
            ([self.line(quantity=1000, price_unit=0.02), self.off(19)], "below a centime"),
        ):
            with self.subTest(words):
                self.assertIn(words, self.refusal(*lines))

    def test_sfe_1_22_a_reduction_before_tax_is_not_taken_for_one_with_tax(self):
        included = self.line(quantity=1, tax_ids=[Command.set(self.included.ids)])
        self.assertIn("prices with tax: choose their tax", self.refusal(included, self.off(1160)))
        self.assertIn("before tax: choose their tax", self.refusal(self.line(), self.off(1160, tax=self.included)))

    def test_sfe_1_13_a_reduction_with_a_specific_tax_of_its_own_is_refused(self):
        percent = self.tax_b | self.specific_tax("percent", 10)
        beer = self.line(quantity=1, tax_ids=[Command.set(percent.ids)])
        words = self.refusal(beer, self.line(quantity=1), self.off(4500, tax=percent))
        self.assertIn("discount in percent on the lines", words)

    def test_one_refused_reduction_leaves_the_draft_as_it_is(self):
        move = self.draft(self.line(quantity=1), self.off(5), self.off(5, tax=self.exempt))
        move._bonopay_distribute_reductions()
        self.assertEqual(move.invoice_line_ids.mapped("price_unit"), [45000, -5, -5])

    def test_goods_taken_back_are_no_reduction(self):
        move = self.draft(self.line(quantity=2), self.line(quantity=-1))
        self.assertFalse(move.bonopay_has_reductions)
        with self.assertRaisesRegex(UserError, "has no reductions"):
            move.action_bonopay_distribute_reductions()

    def test_original_price_and_reason_go_together(self):
        move = self.draft(self.line(bonopay_original_price=50000))
        self.assertEqual([fault.code for fault in move._bonopay_faults()], ["line.price_change"])
        move.invoice_line_ids.bonopay_price_reason = "Prix d'ouverture"
        self.assertEqual(self.items(move)[0][2:], ("45000.00", "50000.00", "Prix d'ouverture"))

    def test_plain_invoices_have_nothing_to_distribute(self):
        self.assertFalse(self.draft().bonopay_has_reductions)
        self.outlet.active = False
        self.assertFalse(self.draft(self.line(), self.off(5)).bonopay_has_reductions)
