from odoo import models

from ..core import dgi, payload
from .account_move_checks import NIF, Fault


class AccountMove(models.Model):
    """What the law wants of the invoiced party (SFE §1.11, annex I)."""

    _inherit = "account.move"

    def _bonopay_check_client(self):
        party = self.commercial_partner_id
        if not party:
            return  # core asks for the customer
        kind, nif = party._bonopay_client_type(), self._bonopay_nif(party.vat)
        if kind != "PP" and not payload.clean_text(party.name):
            yield Fault("client.name", party, self.env._("A customer of type %s must have a name.", kind))
        if kind in dgi.NIF_CLIENT_TYPES and not nif:
            yield Fault(
                "client.nif",
                party,
                self.env._(
                    "Customer “%(name)s” is of type %(kind)s: its NIF is compulsory. Enter it, or change the client "
                    "type.",
                    name=party.name,
                    kind=kind,
                ),
            )
        if nif and not NIF.fullmatch(nif):
            yield Fault(
                "client.nif_form",
                party,
                self.env._("The NIF of customer “%s” must have 5 to 20 letters and digits.", party.name),
            )
        if kind == dgi.EXEMPT_CLIENT_TYPE and not payload.clean_text(party.bonopay_exemption_reference):
            yield Fault(
                "client.exemption",
                party,
                self.env._(
                    "Customer “%s” is an embassy or international organisation: enter the reference of its exemption "
                    "certificate.",
                    party.name,
                ),
            )
