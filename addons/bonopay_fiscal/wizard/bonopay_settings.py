from odoo import api, fields, models


class BonopaySettings(models.TransientModel):
    """What an owner sets for a company of theirs without being an administrator of the server."""

    _name = "bonopay.settings"
    _inherit = ["bonopay.role.guard"]
    _description = "Settings of Bono Pay"

    company_id = fields.Many2one("res.company", required=True, readonly=True, default=lambda self: self.env.company)
    key_set = fields.Boolean(related="company_id.bonopay_key_set")
    is_root_company = fields.Boolean(compute="_compute_is_root_company")
    signer_url = fields.Char(
        "Signer address",
        # as the caller: asking for defaults needs no right on this model
        default=lambda self: self.env.company.bonopay_signer_url,
        help="The API key belongs to this address: after a change it has to be entered again.",
    )
    # never stored, not even in the transient table, and always read as empty
    new_api_key = fields.Char("API key", compute="_compute_new_api_key", inverse="_inverse_new_api_key")
    take_rate = fields.Boolean(
        "Take the dollar's rate of the day", default=lambda self: self.env.company.bonopay_take_rate
    )

    @api.depends("company_id")
    def _compute_is_root_company(self):
        for settings in self:
            settings.is_root_company = not settings.company_id.sudo().parent_id

    @api.depends("company_id")
    def _compute_new_api_key(self):
        self.new_api_key = False

    def _inverse_new_api_key(self):
        for settings in self.filtered("new_api_key"):
            settings.company_id.bonopay_configure(settings.signer_url, settings.new_api_key)

    def action_save(self):
        """Write what changed to the company.

        :raises AccessError: the caller manages neither the company nor, for the rate, its main company
        """
        self.ensure_one()
        company = self.company_id
        company._bonopay_demand_manager()
        if (self.signer_url or False) != company.sudo().bonopay_signer_url:
            company.sudo().bonopay_signer_url = self.signer_url
        if self.is_root_company and self.take_rate != company.sudo().bonopay_take_rate:
            company.sudo().bonopay_take_rate = self.take_rate
        return {"type": "ir.actions.act_window_close"}

    def action_test_connection(self):
        """Save, and open the list of checks."""
        self.action_save()
        return self.env["bonopay.connection.test"]._open(self.company_id)
