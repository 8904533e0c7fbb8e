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
        kind, nif = self.bonopay_client_type, self._bonopay_nif(party.vat)
        if not kind:
            yield Fault(
                "client.type",
                self,
                self.env._(
                    "State what customer “%s” is: choose the client type on the document (PM, PC, PL, AO or PP).",
                    party.name,
                ),
            )
            return
        yield from self._bonopay_identity_faults(party, kind, nif)
        yield from self._bonopay_comment_faults(party, kind)

    def _bonopay_identity_faults(self, party, kind, nif):
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

    def _bonopay_comment_faults(self, party, kind):
        """Annex IV and SFE §1.24: line A of an embassy is its exemption reference; eight lines in all."""
        exempt = kind == dgi.EXEMPT_CLIENT_TYPE
        if exempt:
            yield from self._bonopay_exemption_faults(party)
        lines, most = payload.comment_lines(self.bonopay_comments), payload.COMMENT_LIMIT - exempt
        if len(lines) > most:
            yield Fault(
                "comments.count",
                self,
                self.env._(
                    "The document has %(count)s comment lines: the law knows %(most)s. Join or remove some.",
                    count=len(lines),
                    most=most,
                ),
            )
        for line in lines:
            if len(line) > payload.TEXT_LIMIT:
                yield Fault(
                    "comments.length",
                    self,
                    self.env._(
                        "Comment line “%(start)s…” has more than %(limit)s characters: split it in two.",
                        start=line[:40],
                        limit=payload.TEXT_LIMIT,
                    ),
                )

    def _bonopay_exemption_faults(self, party):
        reference = party.bonopay_exemption_reference
        if not payload.clean_text(reference):
            yield Fault(
                "client.exemption",
                party,
                self.env._(
                    "Customer “%s” is an embassy or international organisation: enter the reference of its exemption "
                    "certificate.",
                    party.name,
                ),
            )
        elif len(reference.strip()) > payload.EXEMPTION_LIMIT:
            yield Fault(
                "client.exemption_length",
                party,
                self.env._(
                    "The exemption reference of customer “%(name)s” has more than %(limit)s characters: shorten it.",
                    name=party.name,
                    limit=payload.EXEMPTION_LIMIT,
                ),
            )
