import json
from decimal import Decimal

from odoo import Command
from odoo.exceptions import ValidationError
from odoo.tests import Form, tagged

from .common import FiscalCase

INVOICE_REPORT = "account.account_invoices"


class SpecificTaxCase(FiscalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.included = cls.tax_b.copy({"name": "16 % TTC", "price_include_override": "tax_included"})
        cls.by_line, cls.by_unit, cls.by_percent = (
            cls.specific_tax(*kind) for kind in (("amount", 50), ("quantity", 35.125), ("percent", 2.5))
        )

    def taxed(self, *taxes, price=1000.0, quantity=1.0, **values):
        """Values of an invoice line with these taxes."""
        ids = self.env["account.tax"].concat(*taxes).ids
        return self.line(price_unit=price, quantity=quantity, tax_ids=[Command.set(ids)], **values)

    def sent(self, move):
        return json.loads(move.bonopay_seal_id.payload)

    def faults(self, *lines):
        return [fault.code for fault in self.draft(*lines)._bonopay_faults()]


@tagged("post_install", "-at_install")
class TestSpecificTaxes(SpecificTaxCase):
    """A specific tax of an article, from the tax to the paper."""

    def test_sfe_1_13_a_specific_tax_is_an_amount_or_by_quantity_or_a_percentage(self):
        move = self.post(self.draft(*[self.taxed(self.tax_b, tax, quantity=12) for tax in
                                      (self.by_line, self.by_unit, self.by_percent)]))  # fmt: skip
        self.assertEqual(
            [item["specific_tax"] for item in self.sent(move)["items"]],
            [
                {"basis": "amount", "value": "50", "amount": "50.00"},
                {"basis": "quantity", "value": "35.125", "amount": "421.50"},
                {"basis": "percent", "value": "2.5", "amount": "300.00"},
            ],
        )
        self.assertEqual(self.sent(move)["totals"]["specific_tax"], "771.50")

    def test_sfe_1_5_10_a_price_without_tax_excludes_it_and_vat_is_on_both(self):
        move = self.post(self.draft(self.taxed(self.tax_b, self.specific_tax("amount", 100))))
        group = {"code": "B", "rate": "16", "base": "1100.00", "tax": "176.00", "total": "1276.00"}
        self.assertEqual(self.sent(move)["tax_groups"], [group])
        self.assertEqual((move.amount_untaxed, move.amount_tax, move.amount_total), (1000, 276, 1276))

    def test_sfe_1_5_10_a_price_with_tax_excludes_it_as_well(self):
        move = self.post(self.draft(self.taxed(self.included, self.specific_tax("amount", 100), price=1160)))
        group = {"code": "B", "rate": "16", "base": "1100.00", "tax": "176.00", "total": "1276.00"}
        self.assertEqual(self.sent(move)["tax_groups"], [group])
        self.assertEqual((move.amount_untaxed, move.amount_tax, move.amount_total), (1000, 276, 1276))
        self.assertEqual(self.sent(move)["price_mode"], "ttc")

    def test_sfe_1_5_9_it_is_shown_under_its_line_and_in_the_totals(self):
        move = self.post(self.draft(self.taxed(self.tax_b, self.by_unit, quantity=12), self.line()))
        html = self.env["ir.actions.report"]._render_qweb_html(INVOICE_REPORT, move.ids)[0].decode()
        text = " ".join(html.replace("\u202f", " ").replace("\xa0", " ").split())
        self.assertIn("Taxe spécifique (35,125 × 12) : 421,50", text)
        self.assertEqual(text.count("Taxe spécifique"), 1)
        self.assertIn("dont taxe spécifique", text)

    def test_each_tax_goes_to_its_own_account(self):
        example = self.tax("bonopay_specific_amount")
        example.active = True
        move = self.post(self.draft(self.taxed(self.tax_b, example)))
        booked = {line.tax_line_id: line for line in move.line_ids.filtered("tax_line_id")}
        self.assertEqual((-booked[example].balance, -booked[self.tax_b].balance), (100, 176))
        self.assertEqual(booked[self.tax_b].tax_base_amount, -1100, "what it bears VAT with is in its base")
        self.assertEqual((booked[example].account_id.code[:3], booked[self.tax_b].account_id.code[:4]), ("446", "4431"))
        self.assertEqual(booked[example].tax_ids, self.tax_b, "VAT is reported on it")
        self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0, places=4)

    def test_both_taxes_may_come_as_one_group_of_taxes(self):
        children = [Command.set((self.by_unit | self.tax_b).ids)]
        both = self.env["account.tax"].create(
            {"name": "Bière", "amount_type": "group", "type_tax_use": "sale", "children_tax_ids": children}
        )
        move = self.post(self.draft(self.taxed(both, quantity=2)))
        self.assertEqual(self.sent(move)["totals"]["specific_tax"], "70.25")
        self.assertEqual(move.amount_total, float(self.sent(move)["totals"]["total"]))

    def test_an_export_with_a_specific_tax_stays_an_export(self):
        move = self.post(self.draft(self.taxed(self.tax("tva_export_0"), self.by_line)))
        self.assertEqual((move.bonopay_invoice_type, self.sent(move)["totals"]["base"]), ("EV", "1050.00"))

    def test_an_amount_for_the_line_is_not_multiplied_where_the_law_is_not_asked_either(self):
        self.outlet.active = False
        move = self.draft(self.taxed(self.tax_b, self.by_line, price=100, quantity=4))
        self.assertEqual((move.amount_untaxed, move.amount_tax), (400, 50 + 72))
        self.assertEqual(self.by_line.compute_all(100.0, quantity=4)["total_included"], 450)

    def test_what_comes_back_brings_its_tax_back_also_when_it_was_given_away(self):
        for quantity, amount, sign in ((2, 100, 1), (-2, -100, -1), (2, 0, 1), (-2, 0, -1)):
            tax = self.by_unit._bonopay_specific_amount(Decimal(quantity), Decimal(amount))
            self.assertEqual(tax, sign * Decimal("70.25"), (quantity, amount))

    # ------------------------------------------------------------------------------------------------------------
    # Before posting
    # ------------------------------------------------------------------------------------------------------------

    def test_sfe_1_13_a_line_has_one_tax_of_a_group_and_at_most_one_specific_tax(self):
        self.assertEqual(self.faults(self.taxed(self.tax_b, self.by_line)), [])
        self.assertEqual(self.faults(self.taxed(self.by_line)), ["tax.one"])
        self.assertEqual(self.faults(self.taxed(self.tax_b, self.by_line, self.by_unit)), ["tax.one_specific"])

    def test_sfe_1_14_a_levy_bears_no_specific_tax(self):
        levy = self._product("Prélèvement", "PREL", "service", 100, self.tax("bonopay_sale_l"))
        levy.bonopay_item_type = "TAX"
        for letter in "ln":
            tax = self.tax(f"bonopay_sale_{letter}")
            tax.active = True
            line = self.line(levy, tax_ids=[Command.set((tax | self.by_line).ids)])
            self.assertEqual(self.faults(line), ["tax.specific_levy"])

    def test_sfe_1_13_a_specific_tax_of_nothing_is_refused(self):
        line = self.taxed(self.tax_b, self.by_percent, price=0.15)
        self.assertEqual(self.faults(line), ["tax.specific_zero"])

    def test_a_specific_tax_changed_by_hand_is_refused(self):
        move = self.draft(self.taxed(self.tax_b, self.by_line))
        of_specific = move.line_ids.filtered(lambda line: line.tax_line_id == self.by_line)
        term = move.line_ids.filtered(lambda line: line.display_type == "payment_term")
        move.write({"line_ids": [Command.update(of_specific.id, {"balance": of_specific.balance - 7}),
                                 Command.update(term.id, {"balance": term.balance + 7})]})  # fmt: skip
        self.assertEqual([fault.code for fault in move._bonopay_faults()], ["totals"])

    def test_a_finding_about_a_specific_tax_opens_it(self):
        move = self.draft(self.taxed(self.tax_b, self.by_percent, price=0.15))
        [found] = move._bonopay_found()
        self.assertEqual(found.record, self.by_percent)

    def test_an_amount_that_was_worked_out_for_an_advance_gives_way_to_the_law(self):
        """Odoo keeps what it split an order's amount into; the law knows the price of the line and its group."""
        manual = {"tax_amount_currency": 7.0, "tax_amount": 7.0, "base_amount_currency": 93.0, "base_amount": 93.0}
        worked_out = {
            "computation_key": "down_payment,7", "currency_id": self.company.currency_id.id, "rate": 1.0,
            "price_unit": 99.994, "quantity": 1.0, "discount": 25.0, "manual_total_excluded_currency": 93.0,
            "manual_total_excluded": 93.0, "manual_tax_amounts": {str(self.tax_b.id): manual},
        }  # fmt: skip
        move = self.post(self.draft(self.taxed(self.tax_b, price=99.99, discount=25, extra_tax_data=worked_out),
                                    self.taxed(self.tax_b, price=0.03)))  # fmt: skip
        self.assertEqual(move.invoice_line_ids.mapped("price_subtotal"), [74.99, 0.03])
        self.assertEqual((move.amount_untaxed, move.amount_tax), (75.02, 12))
        self.assertEqual(self.sent(move)["totals"]["total"], "87.02")


@tagged("post_install", "-at_install")
class TestSpecificTaxesTakenBack(SpecificTaxCase):
    def reverse(self, original):
        refund = original._reverse_moves([{"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Retour"}])
        refund._bonopay_propose_what_is_left()
        return refund

    def test_sfe_1_27_a_credit_note_takes_specific_taxes_back(self):
        original = self.post(self.draft(*[self.taxed(self.tax_b, tax, quantity=2) for tax in
                                          (self.by_line, self.by_unit, self.by_percent)]))  # fmt: skip
        refund = self.post(self.reverse(original))
        self.assertEqual(self.sent(refund)["totals"], self.sent(original)["totals"])
        self.assertAlmostEqual(sum(refund.line_ids.mapped("balance")), 0, places=4)

    def test_sfe_1_27_an_amount_for_the_line_is_taken_back_once(self):
        original = self.post(self.draft(self.taxed(self.tax_b, self.by_line, quantity=2)))
        first = self.reverse(original)
        first.invoice_line_ids.quantity = 1
        self.post(first)
        second = self.reverse(original)
        self.assertEqual((second.invoice_line_ids.quantity, second.invoice_line_ids.tax_ids), (1, self.tax_b))
        self.assertEqual(second._bonopay_faults(), [])
        second.invoice_line_ids.tax_ids |= self.by_line
        [fault] = second._bonopay_faults()
        self.assertEqual(fault.code, "credit.specific_tax_amount")
        self.assertIn("only 0.00 of its specific tax is left", fault.message)

    def test_sfe_1_27_another_specific_tax_is_not_that_of_the_sale(self):
        refund = self.reverse(self.post(self.draft(self.taxed(self.tax_b, self.by_unit))))
        refund.invoice_line_ids.tax_ids = self.tax_b
        self.assertEqual([fault.code for fault in refund._bonopay_faults()], ["credit.specific_tax"])


@tagged("post_install", "-at_install")
class TestSpecificTaxSetup(SpecificTaxCase):
    def test_choosing_a_kind_sets_the_tax_up(self):
        with Form(self.env["account.tax"]) as form:
            form.name = "Droits d'accises"
            form.bonopay_specific = "quantity"
            form.amount = 12.5
        tax = form.record
        setup = (tax.amount_type, tax.type_tax_use, tax.price_include_override, tax.include_base_amount)
        self.assertEqual(setup, ("fixed", "sale", "tax_excluded", True))

    def test_a_specific_tax_that_would_count_wrongly_is_refused(self):
        wrong = {
            "type_tax_use": "purchase", "amount_type": "percent", "price_include_override": "tax_included",
            "include_base_amount": False, "bonopay_group": "B", "amount": 0,
        }  # fmt: skip
        for name, value in wrong.items():
            label = self.by_unit.fields_get([name])[name]["string"]
            with self.subTest(name), self.assertRaises(ValidationError) as refused, self.env.cr.savepoint():
                self.by_unit.copy({"name": f"TS {name}", name: value})
            self.assertIn(label, str(refused.exception))

    def test_a_product_bears_the_specific_tax_that_is_chosen_on_it(self):
        with Form(self.rice.product_tmpl_id) as form:
            form.bonopay_specific_tax_id = self.by_unit
        self.assertEqual(self.rice.taxes_id, self.tax_b | self.by_unit)
        move = self.draft(self.line(quantity=2))
        self.assertEqual(move.invoice_line_ids.tax_ids, self.tax_b | self.by_unit)
        with Form(self.rice.product_tmpl_id) as form:
            form.bonopay_specific_tax_id = self.by_line
        self.assertEqual(self.rice.taxes_id, self.tax_b | self.by_line)
        self.assertEqual(self.rice.bonopay_specific_tax_id, self.by_line)
