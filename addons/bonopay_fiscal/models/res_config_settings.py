from odoo import api, fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    bonopay_signer_url = fields.Char(related="company_id.bonopay_signer_url", readonly=False)
    bonopay_key_set = fields.Boolean(related="company_id.bonopay_key_set")
    bonopay_outlet_ids = fields.One2many(related="company_id.bonopay_outlet_ids")
    bonopay_take_rate = fields.Boolean(related="company_id.bonopay_take_rate", readonly=False)
    bonopay_rate_words = fields.Char(related="company_id.bonopay_rate_words")
    bonopay_reference_words = fields.Char(related="company_id.bonopay_reference_words")
    # never stored, not even in the transient table, and always read as empty
    bonopay_new_api_key = fields.Char(
        "API key", compute="_compute_bonopay_new_api_key", inverse="_inverse_bonopay_new_api_key"
    )

    @api.depends("company_id")
    def _compute_bonopay_new_api_key(self):
        self.bonopay_new_api_key = False

    def _inverse_bonopay_new_api_key(self):
        for settings in self.filtered("bonopay_new_api_key"):
            settings.company_id.bonopay_configure(settings.bonopay_signer_url, settings.bonopay_new_api_key)

    def bonopay_forget_key(self):
        """Forget the stored API key of the current company."""
        self.company_id._bonopay_demand_manager()
        self.company_id._bonopay_store_key(False)
        return {"type": "ir.actions.client", "tag": "reload"}

    def bonopay_take_rate_now(self):
        """Take the dollar's rate of the day for the current company and its branches."""
        return self.company_id.bonopay_take_rate_now()

    def bonopay_test_connection(self):
        """Open the onboarding of the current company at its checks."""
        return self.env["bonopay.onboarding"]._open(self.company_id)
