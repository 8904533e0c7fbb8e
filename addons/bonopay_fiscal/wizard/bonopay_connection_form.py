from odoo import api, fields, models
from odoo.exceptions import UserError


class BonopayConnectionForm(models.AbstractModel):
    """Address and key of a company's signer, on a screen that its manager or owner fills in.

    Only what the person changed is written: the screen may have been open while somebody else changed the rest.
    """

    _name = "bonopay.connection.form"
    _inherit = ["bonopay.role.guard"]
    _description = "Connection to the signer, to be filled in"

    company_id = fields.Many2one("res.company", required=True, readonly=True, default=lambda self: self.env.company)
    key_set = fields.Boolean(related="company_id.bonopay_key_set")
    signer_url = fields.Char(
        "Signer address",
        # as the caller: asking for defaults needs no right on this model
        default=lambda self: self.env.company.bonopay_signer_url,
        help="The API key belongs to this address: after a change it has to be entered again.",
    )
    shown_signer_url = fields.Char(default=lambda self: self.env.company.bonopay_signer_url)
    # never stored, not even in the transient table, and always read as empty
    new_api_key = fields.Char("API key", compute="_compute_new_api_key", inverse="_inverse_new_api_key")

    @api.depends("company_id")
    def _compute_new_api_key(self):
        self.new_api_key = False

    def _inverse_new_api_key(self):
        for form in self.filtered("new_api_key"):
            form._demand_still_as_shown()
            form.company_id.bonopay_configure(form.signer_url, form.new_api_key)
            form.shown_signer_url = form.signer_url

    def _save_connection(self):
        """Write the address if the person changed it; a key was written when the screen was saved.

        :raises AccessError: the caller does not manage the company
        """
        self.ensure_one()
        self.company_id._bonopay_demand_manager()
        if (self.signer_url or False) != (self.shown_signer_url or False):
            self._demand_still_as_shown()
            self.company_id.sudo().bonopay_signer_url = self.signer_url
            self.shown_signer_url = self.signer_url

    def _demand_still_as_shown(self):
        """:raises UserError: a key or address would go over another that the person never saw"""
        current = self.company_id.sudo().bonopay_signer_url or False
        if current not in (self.shown_signer_url or False, self.signer_url or False):
            raise UserError(
                self.env._(
                    "Somebody else changed the signer's address to %s meanwhile. Close this screen, open it again, and "
                    "enter what is still to be changed.",
                    current or "–",
                )
            )
