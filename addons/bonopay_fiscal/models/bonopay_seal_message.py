import json

from odoo import api, models


class BonopaySeal(models.Model):
    """What a merchant reads when something went wrong: reason first, then the way out, in the reader's language."""

    _inherit = "bonopay.seal"

    @api.depends_context("lang")
    @api.depends("last_error_code", "last_error_document", "payload_hash", "state", "comparison")
    def _compute_last_error_message(self):
        for seal in self:
            seal.last_error_message = seal._error_message() if seal.last_error_code else False

    def _error_message(self):
        document = self._error_document()
        words = self._bilingual(document.get("message")) or self._own_words().get(self.last_error_code)
        lines = [words or document.get("detail") or self._unknown_words()]
        lines += self._conflict_lines(document)
        lines += self._dgi_lines(document)
        if not self.comparison:  # which says the same as the findings, and more
            lines += [f"• {self._finding_line(finding)}" for finding in self._findings(document)]
        return "\n".join(line for line in lines if line)

    @api.model
    def _findings(self, document):
        """The findings of a problem, as far as they can be read."""
        findings = document.get("findings")
        return [finding for finding in findings if isinstance(finding, dict)] if isinstance(findings, list) else []

    def _error_document(self):
        """The problem as an object; the signer's DGI error of a rejected document may be one too, or nothing."""
        try:
            document = json.loads(self.last_error_document or "{}")
        except ValueError:
            return {}
        if isinstance(document, dict):
            return document
        return {"detail": str(document)} if document else {}

    def _bilingual(self, message):
        """French for French readers, else English, else whichever there is."""
        if not isinstance(message, dict):
            return None
        language = "fr" if (self.env.lang or "").startswith("fr") else "en"
        return message.get(language) or message.get("en") or message.get("fr")

    def _unknown_words(self):
        return self.env._("The signer answered “%s”. Try again, or call support with this code.", self.last_error_code)

    def _own_words(self):
        return {
            "signer_unreachable": self.env._(
                "The signer cannot be reached. The document waits and is sent by itself; nothing is lost."
            ),
            "signer_timeout": self.env._(
                "The signer did not answer in time. The document is sent again by itself; it cannot be sealed twice."
            ),
            "signer_address": self.env._("The signer's address is not usable. Correct it in the settings."),
            "not_configured": self.env._(
                "The company is not connected to its signer. Enter address and API key in the settings."
            ),
            "secret_unreadable": self.env._(
                "The stored API key cannot be decrypted: the database was moved without its key file, or the file "
                "changed. Restore the file, or enter the API key again in the settings."
            ),
            "secret_key_unusable": self.env._("The key file of this server cannot be used. Call your administrator."),
            "answer_malformed": self.env._(
                "The signer's answer cannot be read, so it was not believed. Check the signer's address; the document "
                "is sent again by itself."
            ),
            "answer_mismatch": self.env._(
                "The signer's answer is about another document, so it was not believed. Call support."
            ),
            "unauthorized": self.env._("The signer does not know this API key. Enter a valid key in the settings."),
            "forbidden": self.env._(
                "The API key is not allowed to seal for this company or outlet. Ask the signer's operator."
            ),
            "document_conflict": self.env._(
                "This document is sealed already, with another content. Call support with the two hashes below."
            ),
            "dgi_rejected": self.env._(
                "The DGI rejected this document after it was sealed: it is no normalised invoice. “Replace” puts "
                "another in its place."
            ),
            "internal_error": self.env._(
                "An unexpected error occurred; it is in the server's log. The document is sent again."
            ),
        }

    def _conflict_lines(self, document):
        stored = document.get("stored_hash")
        if not stored:
            return []
        return [
            self.env._("Sealed: %s", stored),
            self.env._("Sent: %s", self.payload_hash),
        ]

    def _dgi_lines(self, document):
        """The DGI's own code and words, exactly as they came."""
        error = document.get("dgi_error") or (document if self.state == "rejected" else None)
        if not isinstance(error, dict):
            return []
        code = error.get("code") or error.get("errorCode")
        words = error.get("message") or error.get("errorDesc") or error.get("detail") or error.get("description")
        words = self._bilingual(words) or words
        return [self.env._("DGI: %s", " – ".join(str(part) for part in (code, words) if part))] if code or words else []

    def _finding_line(self, finding):
        words = self._bilingual(finding.get("message")) or finding.get("code") or ""
        place = self._place(str(finding.get("pointer") or ""))
        line = self.env._("%(place)s: %(words)s", place=place[0].upper() + place[1:], words=words) if place else words
        expected, actual = finding.get("expected"), finding.get("actual")
        if expected is not None:
            return self.env._(
                "%(line)s (expected %(expected)s, got %(actual)s)", line=line, expected=expected, actual=actual
            )
        return line

    def _place(self, pointer):
        """A JSON pointer into the payload, in the words of the invoice form."""
        parts = [part for part in pointer.split("/") if part]
        if not parts:
            return ""
        if parts[0] == "items" and len(parts) > 1 and parts[1].isdecimal():
            where = self.env._("Line %s", int(parts[1]) + 1)
            return f"{where}, {self._member(parts[2])}" if len(parts) > 2 else where
        return ", ".join(self._member(part) for part in parts if not part.isdecimal())

    def _member(self, name):
        """A member of the payload, as the invoice form calls it; an unknown one keeps its own name."""
        return {
            "amount": self.env._("amount"),
            "base": self.env._("base"),
            "cashier_name": self.env._("operator"),
            "client": self.env._("customer"),
            "code": self.env._("code"),
            "credit": self.env._("credit note"),
            "exemption_reference": self.env._("exemption reference"),
            "invoice_type": self.env._("invoice type"),
            "issued_at": self.env._("date"),
            "items": self.env._("lines"),
            "merchant_nif": self.env._("seller's NIF"),
            "name": self.env._("name"),
            "nature": self.env._("nature"),
            "nif": self.env._("NIF"),
            "original_dgi_code": self.env._("original DEF/DGI code"),
            "original_fiscal_number": self.env._("original fiscal number"),
            "outlet_id": self.env._("outlet"),
            "payments": self.env._("payments"),
            "price_mode": self.env._("price mode"),
            "quantity": self.env._("quantity"),
            "rate": self.env._("rate"),
            "tax": self.env._("tax"),
            "tax_group": self.env._("tax group"),
            "tax_groups": self.env._("tax groups"),
            "total": self.env._("total"),
            "totals": self.env._("totals"),
            "type": self.env._("type"),
            "unit": self.env._("unit"),
            "unit_price": self.env._("unit price"),
        }.get(name, name)
