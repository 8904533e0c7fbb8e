from odoo import api, fields, models


class BonopaySettings(models.TransientModel):
    """What an owner sets for a company of theirs without being an administrator of the server."""

    _name = "bonopay.settings"
    _inherit = ["bonopay.connection.form"]
    _description = "Settings of Bono Pay"

    is_root_company = fields.Boolean(compute="_compute_is_root_company")
    take_rate = fields.Boolean(
        "Take the dollar's rate of the day", default=lambda self: self.env.company.bonopay_take_rate
    )
    shown_take_rate = fields.Boolean(default=lambda self: self.env.company.bonopay_take_rate)

    @api.depends("company_id")
    def _compute_is_root_company(self):
        for settings in self:
            settings.is_root_company = not settings.company_id.sudo().parent_id

    def action_save(self):
        """Write what the person changed to the company.

        :raises AccessError: the caller manages neither the company nor, for the rate, its main company
        """
        self._save_connection()
        if self.is_root_company and self.take_rate != self.shown_take_rate:
            self.company_id.sudo().bonopay_take_rate = self.shown_take_rate = self.take_rate
        return {"type": "ir.actions.act_window_close"}

    def action_test_connection(self):
        """Save, and open the onboarding at its checks."""
        self.action_save()
        return self.env["bonopay.onboarding"]._open(self.company_id)
