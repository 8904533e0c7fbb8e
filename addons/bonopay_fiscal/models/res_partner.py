from odoo import fields, models

from ..core import dgi


class ResPartner(models.Model):
    _inherit = "res.partner"

    bonopay_client_type = fields.Selection(
        list(dgi.CLIENT_TYPES.items()),
        "Client type (DGI)",
        help="Printed on the invoice. Left empty: PM (legal person) for a company, PP (private person) otherwise.",
    )
    bonopay_exemption_reference = fields.Char(
        "Exemption reference",
        help="Number of the exemption certificate of an embassy or international organisation (AO).",
    )

    def _commercial_fields(self):
        # EXTENDS base: contacts are invoiced under the identity of their company
        return [*super()._commercial_fields(), "bonopay_client_type", "bonopay_exemption_reference"]

    def _bonopay_client_type(self):
        """Legal client type of the invoiced party (SFE annex I); a walk-in is a private person."""
        party = self.commercial_partner_id
        return party.bonopay_client_type or ("PM" if party.is_company else "PP")
