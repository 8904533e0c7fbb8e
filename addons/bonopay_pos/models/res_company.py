from odoo import api, models


class ResCompany(models.Model):
    _inherit = "res.company"

    @api.model
    def _load_pos_data_fields(self, config):
        # EXTENDS 'point_of_sale': whether the till computes as the law does (SFE §1.5)
        return [*super()._load_pos_data_fields(config), "bonopay_active"]
