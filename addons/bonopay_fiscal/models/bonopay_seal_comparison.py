from odoo import api, fields, models
from odoo.tools import formatLang

from ..core import comparison


class BonopaySeal(models.Model):
    """Both sides, row by row, of a document whose totals the DGI computes otherwise than we do."""

    _inherit = "bonopay.seal"

    comparison = fields.Json(
        readonly=True, copy=False, help="As the signer told it with the refusal, reduced to its known members."
    )
    comparison_table = fields.Html("Our totals and the DGI's", compute="_compute_comparison_table", sanitize=False)

    @api.depends_context("lang")
    @api.depends("comparison", "state")
    def _compute_comparison_table(self):
        # sanitize=False: the template escapes every value, and nothing else makes this field
        for seal in self:
            seal.comparison_table = seal.comparison and self.env["ir.qweb"]._render(
                "bonopay_fiscal.comparison_table",
                {"rows": [seal._comparison_row(row) for row in seal.comparison], "sealed": seal.state == "rejected"},
            )

    def _comparison_row(self, row):
        """One row in the reader's language: what it is, both amounts, and in words whether they differ."""
        gap = comparison.gap(row["invoice"], row["dgi"])
        words = self.env._("same")
        if row["differs"]:
            words = self.env._("differs")
            if gap:
                sign = "+" if gap > 0 else "−"
                words = self.env._("differs by %s", sign + self._amount_words(str(abs(gap))))
        return {
            "label": self._bilingual(row["label"]) or self._place(row["pointer"] or "") or "–",
            "invoice": self._amount_words(row["invoice"]),
            "dgi": self._amount_words(row["dgi"]),
            "differs": row["differs"],
            "words": words,
        }

    def _amount_words(self, text):
        """An amount in the reader's format; what is no amount stays as it came."""
        number = comparison.amount(text)
        # beyond this a float, which the formatter takes, would no longer be exact to the centime
        if number is None or abs(number) >= 10**13:
            return text or "–"
        digits = max(2, -int(number.as_tuple().exponent))
        return formatLang(self.env, float(number), digits=min(digits, 6))
