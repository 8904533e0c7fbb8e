from odoo import models


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    def session_info(self):
        # EXTENDS 'web': the screens of a test company say so, whatever they show
        info = super().session_info()
        if self.env.user._is_internal():
            companies = self.env.user.company_ids
            info["bonopay_test_companies"] = companies.filtered("bonopay_test_mode").ids
        return info
