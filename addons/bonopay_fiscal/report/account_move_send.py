from odoo import api, models


class AccountMoveSend(models.AbstractModel):
    _inherit = "account.move.send"

    @api.model
    def _get_move_constraints(self, move):
        # EXTENDS 'account': what is sent is stored for ever as the legal PDF, so it must be one (SFE §1.5)
        constraints = super()._get_move_constraints(move)
        seal = move.sudo().bonopay_seal_id
        if seal and not seal._is_normalised():
            constraints["bonopay_not_normalised"] = self.env._(
                "%(invoice)s is not normalised by the DGI yet and cannot be sent as an invoice. "
                "Wait for its normalisation, or print it: it comes out as a provisional slip.",
                invoice=move.name,
            )
        return constraints
