from odoo import api, fields, models


class AccountMove(models.Model):
    """Advances that come to more than the sale: what was paid too much stays to the customer's credit.

    The final invoice is whole and each advance is taken back as a whole, so what is left open is on the credit note.
    """

    _inherit = "account.move"

    bonopay_advance_surplus = fields.Monetary(
        "Paid in advance beyond this invoice", compute="_compute_bonopay_advance_surplus", compute_sudo=True
    )

    @api.depends(
        "state",
        "amount_total",
        "bonopay_advance_credit_ids.amount_total",
        "bonopay_advance_credit_ids.reversed_entry_id.amount_residual",
    )
    def _compute_bonopay_advance_surplus(self):
        for move in self:
            notes = move.bonopay_advance_credit_ids.filtered(lambda note: note.state == "draft")
            paid = sum(note.amount_total - note.reversed_entry_id.amount_residual for note in notes)
            move.bonopay_advance_surplus = max(paid - move.amount_total, 0) if notes else 0

    def _compute_payment_state(self):
        # EXTENDS 'account': a final invoice that its advances paid is not one that was taken back
        res = super()._compute_payment_state()
        for move in self.filtered(lambda move: move.payment_state == "reversed"):
            given_back = sum(
                move.reversal_move_ids.filtered(lambda note: note.state == "posted").mapped("amount_total")
            )
            if move.bonopay_advance_credit_ids and move.currency_id.compare_amounts(given_back, move.amount_total) < 0:
                move.payment_state = "paid"
        return res

    def _bonopay_reconcile_settlement(self):
        # EXTENDS: what is left is told, since it is easily forgotten
        notes = (self | self.bonopay_advance_credit_ids).filtered("bonopay_final_invoice_id")
        fresh = notes.filtered(lambda note: note.state == "posted" and note.amount_residual)
        res = super()._bonopay_reconcile_settlement()
        for note in fresh.filtered(lambda note: not note.currency_id.is_zero(note.amount_residual)):
            left = note.currency_id.format(note.amount_residual)
            for move in note | note.bonopay_final_invoice_id:
                move.message_post(
                    body=move.env._(
                        "The customer paid %(left)s more in advance than the sale came to. Refund it with “Pay” on "
                        "credit note %(note)s; until then it is offered as a credit on the customer's next invoice.",
                        left=left,
                        note=note.name,
                    )
                )
        return res
