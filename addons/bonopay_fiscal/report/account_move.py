from odoo import models
from odoo.exceptions import UserError

from .invoice_document import Copy, PayloadAlteredError, invoice_document


class AccountMove(models.Model):
    _inherit = "account.move"

    def _get_name_invoice_report(self):
        # EXTENDS 'account'
        if self.sudo().bonopay_seal_id:
            return "bonopay_fiscal.report_invoice_document"
        return super()._get_name_invoice_report()

    def _bonopay_invoice_document(self):
        """The page to print, from the frozen payload and its seal alone.

        Without a `Copy` under the context key `bonopay_copy` this is a preview. A remote call can put a number there,
        never a `Copy`: only the printing code makes an original.

        :raises UserError: when the payload was changed after it was frozen
        """
        self.ensure_one()
        copy = self.env.context.get("bonopay_copy")
        facts, issuer = self.sudo().bonopay_seal_id._print_facts()
        try:
            return invoice_document(facts, issuer, copy if isinstance(copy, Copy) else None)
        except PayloadAlteredError as error:
            raise UserError(
                self.env._(
                    "%(invoice)s is not printed: its frozen content no longer has the fingerprint that was sealed. "
                    "Warn your administrator; the signer's journal holds the original.",
                    invoice=self.display_name,
                )
            ) from error

    def _get_invoice_pdf_proforma(self):
        # EXTENDS 'account': nothing of ours is a proforma; it is the original, a copy, or a provisional slip
        if not self.sudo().bonopay_seal_id:
            return super()._get_invoice_pdf_proforma()
        content = self.env["ir.actions.report"]._render_qweb_pdf("account.account_invoices", self.ids)[0]
        return {"filename": self._get_invoice_report_filename(), "filetype": "pdf", "content": content}

    def _get_report_base_filename(self):
        # EXTENDS 'account': a file name must not promise an invoice either
        seal = self.sudo().bonopay_seal_id if len(self) == 1 else self.env["bonopay.seal"]
        if not seal:
            return super()._get_report_base_filename()
        if seal._is_normalised():
            return seal.fiscal_number
        return f"Bon provisoire {self.name}"
