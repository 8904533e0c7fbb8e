from odoo import models


class AccountMoveReversal(models.TransientModel):
    _inherit = "account.move.reversal"

    def reverse_moves(self, is_modify=False):
        # EXTENDS 'account': the corrected copy of a sale sells again what its credit note has just taken back
        res = super().reverse_moves(is_modify)
        if is_modify:
            lines = self.new_move_ids.filtered(lambda move: move.move_type == "out_invoice").invoice_line_ids
            lines.filtered(lambda line: line.bonopay_original_price and line.sale_line_ids).bonopay_is_resold = True
        return res
