from odoo.exceptions import AccessError
from odoo.tests import tagged

from .common import FiscalCase, fiscal_user

MARKUP = "<img src=x onerror=alert(1)>"


def _row(label, invoice, dgi, **members):
    labels = {"fr": f"fr {label}", "en": f"en {label}"}
    return {"pointer": None, "label": labels, "invoice": invoice, "dgi": dgi, "differs": invoice != dgi, **members}


@tagged("post_install", "-at_install")
class TestComparisonOfTotals(FiscalCase):
    """Whoever has to correct totals that differ sees both sides, and nothing that somebody smuggled in."""

    def _refuse(self, rows, **members):
        self.twin.problem_next(422, "dgi_totals_differ", comparison=rows, **members)
        return self.post()

    def test_row_30_both_sides_are_shown_with_the_difference_in_words_and_the_way_out(self):
        finding = {"pointer": "/totals/total", "code": "total", "message": {"en": "differs", "fr": "diffère"},
                   "expected": "12.01", "actual": "12.00"}  # fmt: skip
        rows = [_row("Group A", "1500.00", "1500.00"), _row("Total", "12.00", "12.01"), _row("VAT", "2.00", "1.50")]
        move = self._refuse(rows, findings=[finding])
        self.assertEqual(move.bonopay_state, "invalid")
        table = str(move.bonopay_comparison)
        for words in ("en Group A", "1,500.00", "same", "en Total", "12.01", "differs by +0.01", "differs by −0.50"):
            self.assertIn(words, table)
        self.assertEqual(table.count("fw-bold"), 3, "title and the two rows that differ")
        self.assertIn("nothing was sealed", table)
        self.assertNotIn("12.01", move.bonopay_message, "not told twice")
        self.assertEqual(move.bonopay_seal_id.comparison_table, move.bonopay_comparison)
        french = move.with_context(lang=self._french())
        self.assertIn("fr Total", french.bonopay_comparison)
        self.assertIn("12,01", french.bonopay_comparison)
        self.assertIn("rien n'a été scellé", french.bonopay_comparison.replace("’", "'").replace("&#39;", "'"))

    def _french(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        return "fr_FR"

    def test_row_30_a_deferred_rejection_shows_it_too_and_asks_for_a_credit_note(self):
        rows = [_row("Total", "12.00", "12.01")]

        def rejected(own):
            error = {"code": "dgi_totals_differ", "message": "Totaux", "comparison": rows}
            return {**own, "dgi": {**own["dgi"], "mode": "deferred", "status": "rejected", "error": error}}

        self.twin.answer_next(201, rejected)
        move = self.post()
        self.assertEqual(move.bonopay_state, "rejected")
        self.assertIn("differs by +0.01", move.bonopay_comparison)
        self.assertIn("credit note", move.bonopay_comparison)

    def test_markup_of_the_answer_stays_text(self):
        row = _row(MARKUP, MARKUP, MARKUP, pointer=f"/{MARKUP}")
        for rows in ([row], [{**row, "label": None}], [{**row, "label": MARKUP}]):
            table = str(self._refuse(rows).bonopay_comparison)
            self.assertNotIn("<img", table)
            self.assertIn("&lt;img", table)

    def test_strange_comparisons_are_left_out_and_the_refusal_is_still_told(self):
        for rows in (None, [], "rows", {"a": 1}, ["row", None]):
            move = self._refuse(rows)
            self.assertEqual((move.bonopay_state, bool(move.bonopay_comparison)), ("invalid", False))
            self.assertTrue(move.bonopay_message)
        strange = {"pointer": "/items/0/quantity", "invoice": 7, "dgi": "Infinity", "differs": 1}
        table = str(self._refuse([strange] * 300).bonopay_comparison)
        self.assertIn("Line 1, quantity", table)
        self.assertEqual(table.count("Infinity"), 200, "as many rows as anybody reads")

    def test_a_table_belongs_to_its_refusal(self):
        move = self._refuse([_row("Total", "12.00", "12.01")])
        move.action_bonopay_correct()
        self.assertFalse(move.bonopay_comparison)
        self.post(move)
        self.assertEqual((move.bonopay_state, bool(move.bonopay_comparison)), ("certified", False))
        [old] = move.bonopay_seal_ids.filtered("superseded")
        self.assertIn("12.01", old.comparison_table, "history keeps it")

    def test_nobody_writes_or_forges_it(self):
        move = self._refuse([_row("Total", "12.00", "12.01")])
        seal = move.bonopay_seal_id
        before = seal.comparison
        admin = fiscal_user(self.env, "bp_admin", "base.group_system,bonopay_fiscal.group_fiscal_manager", self.company)
        with self.assertRaises(AccessError):
            seal.with_user(admin).write({"comparison": []})
        with self.assertRaises(AccessError):
            seal.sudo().write({"comparison": []})
        move.write({"bonopay_comparison": "<b>forged</b>"})
        self.env.invalidate_all()
        self.assertEqual(seal.comparison, before)
        self.assertNotIn("forged", move.bonopay_comparison)
