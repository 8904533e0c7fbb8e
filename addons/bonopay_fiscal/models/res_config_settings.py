from odoo import api, fields, models
from odoo.exceptions import UserError

#: What the screen writes back whether a person changed it or not → how it was when the screen was opened.
_SHOWN = {"bonopay_signer_url": "bonopay_shown_signer_url", "bonopay_take_rate": "bonopay_shown_take_rate"}


def _key_in(vals):
    return (vals.get("bonopay_new_api_key") or "").strip()


class ResConfigSettings(models.TransientModel):
    """Only what the person changed is written: the screen may have been open while somebody else changed the rest."""

    _inherit = "res.config.settings"

    bonopay_signer_url = fields.Char(related="company_id.bonopay_signer_url", readonly=False)
    bonopay_shown_signer_url = fields.Char(default=lambda self: self.env.company.bonopay_signer_url)
    bonopay_shown_take_rate = fields.Boolean(default=lambda self: self.env.company.bonopay_take_rate)
    bonopay_key_set = fields.Boolean(related="company_id.bonopay_key_set")
    bonopay_outlet_ids = fields.One2many(related="company_id.bonopay_outlet_ids")
    bonopay_take_rate = fields.Boolean(related="company_id.bonopay_take_rate", readonly=False)
    bonopay_rate_words = fields.Char(related="company_id.bonopay_rate_words")
    bonopay_reference_words = fields.Char(related="company_id.bonopay_reference_words")
    # never stored, not even in the transient table, and always read as empty
    bonopay_new_api_key = fields.Char("API key", compute="_compute_bonopay_new_api_key", readonly=False)

    @api.model_create_multi
    def create(self, vals_list):
        # EXTENDS base: a key is stored after everything else, with the address that it is for
        changed = [self._bonopay_changed(vals) for vals in vals_list]
        settings = super().create([self._bonopay_without_key(vals) for vals in changed])
        for one, vals in zip(settings, changed, strict=True):
            one._bonopay_store_new_key(vals)
        return settings

    def write(self, vals):
        # EXTENDS base: as above; the record may be a page that was left open since it was saved for the first time
        for settings in self:
            company = settings.company_id
            settings._bonopay_demand_unchanged(vals, vals, settings.bonopay_shown_signer_url, company)
        res = super().write(self._bonopay_without_key(vals))
        for settings in self:
            settings._bonopay_store_new_key(vals)
        return res

    @api.model
    def _bonopay_without_key(self, vals):
        if not _key_in(vals):
            return vals
        return {
            name: value for name, value in vals.items() if name not in ("bonopay_new_api_key", "bonopay_signer_url")
        }

    def _bonopay_store_new_key(self, vals):
        company = self.company_id
        if key := _key_in(vals):
            company.bonopay_configure(vals.get("bonopay_signer_url", company.bonopay_signer_url), key)
        if key or "bonopay_signer_url" in vals:
            self.bonopay_shown_signer_url = company.sudo().bonopay_signer_url

    @api.model
    def _bonopay_changed(self, vals):
        """Values without those that are as the screen showed them.

        :raises UserError: a key or address would go over another that the person never saw
        """
        if not any(shown in vals for shown in _SHOWN.values()):
            return vals  # a program's values: it says what it wants
        changed = {name: value for name, value in vals.items() if name not in _SHOWN or value != vals.get(_SHOWN[name])}
        self._bonopay_demand_unchanged(vals, changed, vals.get("bonopay_shown_signer_url"), self.env.company)
        return changed

    @api.model
    def _bonopay_demand_unchanged(self, vals, changed, shown, company):
        """:raises UserError: a key or address would go over another than the one that was shown"""
        current = company.sudo().bonopay_signer_url or False
        known = {shown or False, vals.get("bonopay_signer_url") or False}
        if ("bonopay_signer_url" in changed or _key_in(vals)) and current not in known:
            raise UserError(
                self.env._(
                    "Somebody else changed the signer's address to %s meanwhile. Load this screen again, and enter "
                    "what is still to be changed.",
                    current or "–",
                )
            )

    @api.depends("company_id")
    def _compute_bonopay_new_api_key(self):
        self.bonopay_new_api_key = False

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
