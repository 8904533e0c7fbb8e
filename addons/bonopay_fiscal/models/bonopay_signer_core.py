import re

from odoo import fields, models

from ..core.connection import SignerError
from .res_company import connect

#: Minutes after which the signer is asked again which core it has: paper names it, so it is read with every status.
_FRESH_MINUTES = 4


class BonopayOutlet(models.Model):
    """Which fiscal core seals for an outlet (arrêté 034 art. 15-16: what was homologated must be recognisable).

    It is frozen with each document when that is sealed, and printed at its foot; a change is on record in the outlet's
    chatter.
    """

    _inherit = "bonopay.outlet"

    core_version = fields.Char(
        "Fiscal core", readonly=True, copy=False, guarded=True, help="Version of what the DGI homologated."
    )
    core_fingerprint = fields.Char(
        "Fingerprint",
        readonly=True,
        copy=False,
        guarded=True,
        help="SHA-256 of the fiscal core's own files, as the signer tells it.",
    )
    core_read_at = fields.Datetime("Core read on", readonly=True, copy=False, guarded=True)

    def _read_status(self):
        # EXTENDS: who asks how an outlet stands also learns which core seals for it. Asked before anything is written:
        # no lock is held while the network is waited for
        core = self._ask_core()
        error = super()._read_status()
        if core and not error:
            for outlet in self._free_to_write():
                outlet._take_core(*core)
        return error

    def _ask_core(self):
        """Ask the signer of one company for its fiscal core, unless that is known of all these outlets since a while.

        :return: its version and fingerprint; `None` where it tells none, which changes nothing
        """
        due = fields.Datetime.subtract(fields.Datetime.now(), minutes=_FRESH_MINUTES)
        if all(outlet.core_read_at and outlet.core_read_at > due for outlet in self):
            return None
        try:
            with connect(self.company_id) as connection:
                core = connection.health().body.get("fiscal_core")
        except SignerError:
            return None
        core = core if isinstance(core, dict) else {}
        version, fingerprint = core.get("version"), core.get("fingerprint")
        is_told = isinstance(version, str) and re.fullmatch(r"[0-9a-f]{64}", str(fingerprint))
        return (version, fingerprint) if is_told else None

    def _take_core(self, version, fingerprint):
        before = self.core_fingerprint
        self.write({"core_version": version, "core_fingerprint": fingerprint, "core_read_at": fields.Datetime.now()})
        if before and before != fingerprint:
            self.message_post(
                body=self.env._(
                    "The signer's fiscal core changed: version %(version)s, fingerprint %(now)s (before: %(before)s).",
                    version=version,
                    now=fingerprint,
                    before=before,
                )
            )

    def _core_words(self):
        """Version and the head of the fingerprint, as paper shows them; `None` when the signer did not tell yet."""
        return f"{self.core_version} / {self.core_fingerprint[:16]}" if self.core_fingerprint else None
