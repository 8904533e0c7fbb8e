from odoo import api, fields, models

from ..core import dgi


class AccountMoveReversal(models.TransientModel):
    _name = "account.move.reversal"
    _inherit = ["bonopay.role.guard", "account.move.reversal"]

    bonopay_required = fields.Boolean("Sealed on posting", compute="_compute_bonopay_required")
    bonopay_credit_nature = fields.Selection(list(dgi.CREDIT_NATURES.items()), "Nature of the credit note")

    @api.depends("move_ids")
    def _compute_bonopay_required(self):
        for wizard in self:
            wizard.bonopay_required = any(wizard.move_ids.mapped("bonopay_required"))

    def _prepare_default_reversal(self, move):
        # EXTENDS 'account'
        values = super()._prepare_default_reversal(move)
        return {
            **values,
            "bonopay_credit_nature": self.bonopay_credit_nature,
            "bonopay_credit_reason": self.reason,
        }

    def reverse_moves(self, is_modify=False):
        # EXTENDS 'account': several partial credit notes of one sale take no more than was sold
        res = super().reverse_moves(is_modify)
        for move in self.new_move_ids.filtered(lambda new: new.bonopay_required and new.state == "draft"):
            move._bonopay_propose_what_is_left()
        return res
