from datetime import timedelta

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestDueDate(FiscalCase):
    """When a customer pays is not sealed: an accountant grants an extension on the invoice itself."""

    def test_a_sealed_invoice_is_given_more_time(self):
        move = self.post()
        seal, before = move.bonopay_seal_id, move.amount_residual
        later = move.invoice_date + timedelta(days=45)
        move.invoice_date_due = later
        self.env.flush_all()
        term = move.line_ids.filtered(lambda line: line.display_type == "payment_term")
        self.assertEqual((move.invoice_date_due, term.date_maturity), (later, later))
        self.assertEqual((move.amount_residual, move.state, move.bonopay_state), (before, "posted", "certified"))
        self.assertTrue(move.bonopay_locked)
        self.assertEqual(move.bonopay_seal_id.payload, seal.payload)

    def test_dates_that_are_sealed_stay(self):
        move = self.post()
        for name in ("invoice_date", "date"):
            with self.assertRaises(UserError):
                move[name] = move[name] - timedelta(days=1)
