from odoo import api, models


class AccountTax(models.Model):
    _inherit = "account.tax"

    @api.model
    def _load_pos_data_fields(self, config):
        # EXTENDS 'point_of_sale': what the law's arithmetic at the till asks of a tax (SFE §1.5)
        return [*super()._load_pos_data_fields(config), "type_tax_use", "bonopay_group", "bonopay_specific"]
