from odoo import api, models


class AccountTax(models.Model):
    _inherit = "account.tax"

    @api.model
    def _prepare_base_lines_for_down_payment(self, base_lines, company, exclude_function=None):
        # EXTENDS 'account': a specific tax is of an article sold (SFE §1.13), and only a part of what an advance is of
        def excluded(base_line, tax_data):
            return tax_data["tax"].bonopay_specific or (exclude_function and exclude_function(base_line, tax_data))

        chosen = excluded if company.bonopay_active else exclude_function
        return super()._prepare_base_lines_for_down_payment(base_lines, company, exclude_function=chosen)
