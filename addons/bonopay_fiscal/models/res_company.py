from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..core.connection import DEFAULT_TIMEOUTS, HURRIED_TIMEOUTS, SignerConnection, SignerError
from ..core.secret import SecretError
from .bonopay_credential import reveal
from .bonopay_outlet_life import BINDING_STATES


class ResCompany(models.Model):
    _inherit = "res.company"

    bonopay_outlet_ids = fields.One2many("bonopay.outlet", "company_id", "Fiscal outlets")
    bonopay_active = fields.Boolean(
        "Fiscal invoicing",
        compute="_compute_bonopay_active",
        recursive=True,
        help="The company, or the one that it is a branch of, has an outlet or has issued normalised invoices: its "
        "sales are sealed.",
    )
    bonopay_signer_url = fields.Char(
        "Signer address",
        groups="base.group_system,bonopay_fiscal.group_fiscal_manager",
        help="The API key belongs to this address: after a change it has to be entered again.",
    )
    bonopay_key_set = fields.Boolean("API key is set", compute="_compute_bonopay_key_set")
    bonopay_test_mode = fields.Boolean(
        "Test company",
        compute="_compute_bonopay_test_mode",
        help="It has an outlet in test and none that is live: nothing that it sells has fiscal value.",
    )

    @api.depends("bonopay_outlet_ids.active", "bonopay_outlet_ids.state", "parent_id.bonopay_active")
    def _compute_bonopay_active(self):
        for company in self:
            own = company.sudo().with_context(active_test=False).bonopay_outlet_ids
            # who has issued normalised invoices goes on doing so: to archive the outlet is no way around the seal,
            # and a branch is the same taxpayer; while its first outlet is prepared, a company sells as before
            binding = own.filtered(lambda outlet: outlet.active and outlet.state in BINDING_STATES)
            bound = binding or own._used_in_earnest()
            company.bonopay_active = bool(bound) or company.sudo().parent_id.bonopay_active

    @api.depends("bonopay_outlet_ids.active", "bonopay_outlet_ids.state")
    def _compute_bonopay_test_mode(self):
        for company in self:
            states = set(company.sudo().bonopay_outlet_ids.mapped("state"))
            company.bonopay_test_mode = "test" in states and "live" not in states

    def _compute_bonopay_key_set(self):
        owners = self.env["bonopay.credential"].sudo().search([("company_id", "in", self.ids)]).company_id
        for company in self:
            company.bonopay_key_set = company in owners

    @api.constrains("bonopay_signer_url")
    def _check_bonopay_signer_url(self):
        for company in self.filtered("bonopay_signer_url"):
            if not company.bonopay_signer_url.startswith(("https://", "http://")):
                raise ValidationError(self.env._("The signer's address must start with https:// (or http://)."))

    def write(self, vals):
        # EXTENDS base: the key goes to the signer that it was entered for, and to no other address
        moved = self.browse()
        if "bonopay_signer_url" in vals:
            moved = self.filtered(lambda company: company.bonopay_signer_url != (vals["bonopay_signer_url"] or False))
        old = {company: company.bonopay_signer_url for company in moved}
        res = super().write(vals)
        for company in moved:
            company._bonopay_store_key(False)
            change = self.env._(
                "Signer address: %(old)s → %(new)s", old=old[company] or "–", new=vals["bonopay_signer_url"] or "–"
            )
            company._bonopay_log(change)
        return res

    def _bonopay_log(self, text):
        """Put what happened to the connection on record, beside the company's own data."""
        self.sudo().partner_id.message_post(body=text, author_id=self.env.user.partner_id.id)

    def bonopay_configure(self, url, api_key):
        """Connect a company to its signer; for administrators and for whatever sets a server up.

        :param str url: address of the signer, ``https://…``
        :param str api_key: the signer's API key of this merchant; an empty one forgets the stored key
        :raises AccessError: the caller is no administrator and no fiscal manager
        :raises UserError: the key cannot be stored encrypted
        """
        self.ensure_one()
        self._bonopay_demand_manager()
        self.sudo().bonopay_signer_url = url
        self._bonopay_store_key(api_key)
        return True

    def _bonopay_demand_manager(self):
        user = self.env.user
        allowed = user.has_group("base.group_system") or user.has_group("bonopay_fiscal.group_fiscal_manager")
        if not (self.env.su or allowed) or (not self.env.su and self not in user.company_ids):
            raise AccessError(self.env._("Only a fiscal manager or an administrator connects a company to its signer."))

    def _bonopay_store_key(self, api_key):
        api_key = (api_key or "").strip()
        try:
            changed = self.env["bonopay.credential"]._store(self, api_key)
        except SecretError as error:
            raise UserError(self._bonopay_secret_message(error)) from error
        self.invalidate_recordset(["bonopay_key_set"])
        if not api_key:
            self.sudo().with_context(active_test=False).bonopay_outlet_ids._disconnect()
        if changed:
            self._bonopay_log(
                self.env._("Signer: an API key was stored.")
                if api_key
                else self.env._("Signer: the API key was forgotten.")
            )

    def _bonopay_secret_message(self, error):
        if error.code == "secret_unreadable":
            return self.env._(
                "The stored API key cannot be decrypted: the database was moved without its key file, or the file "
                "changed. Restore the file, or enter the API key again in the settings."
            )
        return self.env._("The key file of this server cannot be used (%(detail)s).", detail=error.detail)

    @api.model
    def _bonopay_live_companies(self):
        """The companies that are live: those with the address of a signer and a key for it."""
        return self.sudo().search([("bonopay_signer_url", "!=", False)]).filtered("bonopay_key_set")

    @api.model
    def _bonopay_timeouts(self):
        parameters = self.env["ir.config_parameter"].sudo()
        names = ("bonopay_fiscal.connect_timeout", "bonopay_fiscal.read_timeout")
        return tuple(
            float(parameters.get_param(name) or default) for name, default in zip(names, DEFAULT_TIMEOUTS, strict=True)
        )


def connect(company, patience=None):
    """A connection to the signer of a company; a function for the reason that `reveal` is one.

    :param float patience: seconds that somebody waits for each call, at most
    :raises SignerError: ``not_configured``, ``secret_unreadable`` or ``secret_key_unusable``
    """
    company = company.sudo().ensure_one()
    try:
        api_key = reveal(company)
    except SecretError as error:
        raise SignerError(error.code) from error
    if not company.bonopay_signer_url or not api_key:
        raise SignerError("not_configured")
    timeouts = company._bonopay_timeouts()
    if patience is not None:
        timeouts = tuple(map(min, timeouts, HURRIED_TIMEOUTS))
    return SignerConnection(company.bonopay_signer_url, api_key, timeouts, patience)
