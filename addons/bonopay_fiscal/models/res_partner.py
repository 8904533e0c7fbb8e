from odoo import fields, models

from ..core import dgi


class ResPartner(models.Model):
    _inherit = "res.partner"

    bonopay_client_type = fields.Selection(
        list(dgi.CLIENT_TYPES.items()),
        "Client type (DGI)",
        help="Printed on the invoice. Left empty: a person is PP; for a company it is asked on the first invoice.",
    )
    bonopay_exemption_reference = fields.Char(
        "Exemption reference",
        help="Number of the exemption certificate of an embassy or international organisation (AO).",
    )

    def _commercial_fields(self):
        # EXTENDS base: contacts are invoiced under the identity of their company
        return [*super()._commercial_fields(), "bonopay_client_type", "bonopay_exemption_reference"]

    def _bonopay_client_type(self):
        """Legal client type of the invoiced party (SFE annex I), ``False`` where somebody has to state it (§1.11).

        Who is no company and asked for nothing is a walk-in, a private person; what a company is cannot be guessed.
        """
        party = self.commercial_partner_id
        return party.bonopay_client_type or (False if party.is_company else "PP")
