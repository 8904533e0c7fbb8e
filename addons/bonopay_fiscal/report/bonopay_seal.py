import json
from datetime import UTC

from odoo import api, fields, models
from odoo.exceptions import UserError

from .document_parts import Copy, Issuer, PayloadAlteredError, SealFacts
from .invoice_document import invoice_document


class BonopaySeal(models.Model):
    _inherit = "bonopay.seal"

    issuer = fields.Text(
        readonly=True, help="Name, address and contacts of the point of sale when the document was frozen."
    )

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            outlet = self.env["bonopay.outlet"].sudo().browse(vals["outlet_id"])
            vals["issuer"] = self._issuer_text(self._issuer_values(outlet))
        return super().create(vals_list)

    @api.model
    def _issuer_values(self, outlet):
        """Identity of a point of sale (SFE §1.2 a, c, d, v): moving house must not move the sales already made."""
        company = outlet.company_id
        address = (outlet.street, outlet.street2)
        town = (outlet.city, outlet.state_id.name or outlet.province)
        return {
            "name": company.name,
            "outlet": outlet.name,
            "street": ", ".join(part for part in address if part) or company.street or None,
            "city": ", ".join(part for part in town if part) or company.city or None,
            "phone": outlet.phone or company.phone or None,
            "email": outlet.email or company.email or None,
            "isf": outlet.isf or None,
            "zone": outlet.tz,
            "core": outlet._core_words(),
        }

    def _with_core(self):
        """Values that freeze which fiscal core seals, for when it does: it may have changed while a document waited."""
        return {"issuer": self._issuer_text({**json.loads(self.issuer), "core": self.outlet_id._core_words()})}

    @api.model
    def _issuer_text(self, values):
        return json.dumps(values, ensure_ascii=False, sort_keys=True)

    def _print_facts(self):
        """This seal and its issuer as plain values, for the presenter."""
        self.ensure_one()
        names = set(SealFacts.__dataclass_fields__) - {"sealed_at"}
        values = {name: self[name] or None for name in names}
        sealed_at = self.sealed_at and self.sealed_at.replace(tzinfo=UTC)
        facts = SealFacts(**{**values, "test_mode": self.test_mode, "sealed_at": sealed_at or None})
        return facts, Issuer(**json.loads(self.issuer))

    def _printed_document(self):
        """The page to print, from the frozen payload and this seal alone.

        Without a `Copy` under the context key `bonopay_copy` this is a preview. A remote call can put a number there,
        never a `Copy`: only the printing code makes an original.

        :rtype: report.document_parts.InvoiceDocument
        :raises UserError: when the payload was changed after it was frozen
        """
        copy = self.env.context.get("bonopay_copy")
        facts, issuer = self._print_facts()
        try:
            return invoice_document(facts, issuer, copy if isinstance(copy, Copy) else None)
        except PayloadAlteredError as error:
            raise UserError(
                self.env._(
                    "%(invoice)s is not printed: its frozen content no longer has the fingerprint that was sealed. "
                    "Warn your administrator; the signer's journal holds the original.",
                    invoice=self._source().display_name,
                )
            ) from error

    def _is_normalised(self):
        """Whether the document may be called an invoice."""
        return self._print_facts()[0].is_normalised

    def _print_attachments(self):
        """The evidence that a PDF carries: what was sealed and what the signer answered, byte for byte."""
        self.ensure_one()
        if not self.response:
            return {}
        return {"facture.json": self.payload.encode(), "scellement.json": self.response.encode()}
