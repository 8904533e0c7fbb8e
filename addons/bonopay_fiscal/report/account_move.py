from odoo import models
from odoo.exceptions import UserError

from ..core import payload, payments
from .document_parts import Copy, Issuer, PayloadAlteredError
from .draft_slip import DraftFacts, draft_slip
from .invoice_document import invoice_document
from .ticket import ticket


class AccountMove(models.Model):
    _inherit = "account.move"

    def _bonopay_has_own_paper(self):
        """Whether this is ours to print: it has a seal, or it is a draft that will not be posted without one.

        What was posted before the company had an outlet is neither, and stays Odoo's.
        """
        self.ensure_one()
        move = self.sudo()
        return bool(move.bonopay_seal_id) or (move.bonopay_required and move.state != "posted")

    def _get_name_invoice_report(self):
        # EXTENDS 'account'
        if self._bonopay_has_own_paper():
            return "bonopay_fiscal.report_invoice_document"
        return super()._get_name_invoice_report()

    def _bonopay_invoice_document(self):
        """The page to print, from the frozen payload and its seal alone; of a draft, a slip.

        Without a `Copy` under the context key `bonopay_copy` this is a preview. A remote call can put a number there,
        never a `Copy`: only the printing code makes an original.

        :raises AccessError: the caller may not read the invoice
        :raises UserError: when the payload was changed after it was frozen
        """
        self.ensure_one()
        self.check_access("read")
        seal = self.sudo().bonopay_seal_id
        if not seal:
            return draft_slip(self.sudo()._bonopay_draft_facts(), self.sudo()._bonopay_draft_issuer())
        copy = self.env.context.get("bonopay_copy")
        facts, issuer = seal._print_facts()
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

    def _bonopay_ticket(self, document):
        """How the document lies on a roll of 80 mm."""
        return ticket(document)

    # ------------------------------------------------------------------------------------------------------------
    # What is not posted
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_draft_issuer(self):
        outlet = self.journal_id.bonopay_outlet_id
        if outlet:
            return Issuer(**self.env["bonopay.seal"]._issuer_values(outlet))
        company = self.company_id
        return Issuer(company.name, street=company.street, city=company.city, phone=company.phone, email=company.email)

    def _bonopay_draft_facts(self):
        lines = self.invoice_line_ids.filtered(lambda line: line.display_type == "product")
        taxes = lines.tax_ids._bonopay_split_taxes()[0].filtered("amount")
        price_mode = "ttc" if taxes and all(tax.price_include for tax in taxes) else "ht"
        outlet = self.journal_id.bonopay_outlet_id
        return DraftFacts(
            operation=self.bonopay_invoice_type or ("FA" if self.move_type == "out_refund" else "FV"),
            reference=self._bonopay_draft_reference(),
            date=self.invoice_date.isoformat() if self.invoice_date else None,
            is_cancelled=self.state == "cancel",
            test_mode=outlet.test_mode,
            price_mode=price_mode,
            currency=self.currency_id.name,
            merchant_nif=self.company_id.vat or None,
            outlet_id=outlet.code or None,
            operator=self.invoice_user_id.name or self.env.user.name,
            client=self._bonopay_draft_client(),
            lines=tuple(line._bonopay_draft_line(price_mode) for line in lines),
            base=f"{self.amount_untaxed:.2f}",
            tax=f"{self.amount_tax:.2f}",
            total=f"{self.amount_total:.2f}",
            payments=self._bonopay_draft_payments(),
        )

    def _bonopay_draft_payments(self):
        """How it is paid as far as somebody stated it or the books know it, in the form of the canonical payload."""
        if self.state == "cancel" or self.amount_total <= 0 or self.company_currency_id.name != payload.CURRENCY:
            return ()
        known = self._bonopay_payments()
        if not self.bonopay_payment_ids and all(one.method == payments.CREDIT for one in known):
            return ()
        return tuple(map(payload.payment_member, known))

    def _bonopay_draft_reference(self):
        return self.name if self.name and self.name != "/" else f"n° {self.id or self._origin.id or 'nouveau'}"

    def _bonopay_draft_client(self):
        party = self.commercial_partner_id
        return {
            "type": self.bonopay_client_type or (None if party else "PP"),
            "name": party.name or None,
            "nif": party.vat or None,
            "exemption_reference": None,
            "address": None,
            "contact": None,
        }

    # ------------------------------------------------------------------------------------------------------------
    # File names: they must not promise an invoice either
    # ------------------------------------------------------------------------------------------------------------

    def _get_invoice_pdf_proforma(self):
        # EXTENDS 'account': nothing of ours is a proforma; it is the original, a copy, or a provisional slip
        if not self._bonopay_has_own_paper():
            return super()._get_invoice_pdf_proforma()
        content = self.env["ir.actions.report"]._render_qweb_pdf("account.account_invoices", self.ids)[0]
        return {"filename": self._get_invoice_report_filename(), "filetype": "pdf", "content": content}

    def _get_invoice_proforma_pdf_report_filename(self):
        # EXTENDS 'account'
        if not self._bonopay_has_own_paper():
            return super()._get_invoice_proforma_pdf_report_filename()
        return self._get_invoice_report_filename()

    def _get_invoice_report_filename(self, extension="pdf", report=None):
        # EXTENDS 'account': another report's own way to name its file is not for what we print in its place
        if not self._bonopay_has_own_paper():
            return super()._get_invoice_report_filename(extension, report)
        return f"{self._get_report_base_filename().replace('/', '_')}.{extension}"

    def _get_report_base_filename(self):
        # EXTENDS 'account'
        if len(self) != 1 or not self._bonopay_has_own_paper():
            return super()._get_report_base_filename()
        seal = self.sudo().bonopay_seal_id
        if seal and seal._is_normalised():
            return seal.fiscal_number
        return f"Bon provisoire {self._bonopay_draft_reference()}"

    def _bonopay_file_name(self, extension):
        """Name of the file that these are printed into; `None` when none of them is ours to print."""
        self.check_access("read")
        if not any(move._bonopay_has_own_paper() for move in self):
            return None
        return self._get_invoice_report_filename(extension) if len(self) == 1 else f"Documents de vente.{extension}"


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    def _bonopay_draft_line(self, price_mode):
        """This line as a slip shows it; amounts are Odoo's own."""
        amount = self.price_total if price_mode == "ttc" else self.price_subtotal
        reason = payload.clean_text(self.bonopay_price_reason)
        is_net = reason and self.bonopay_original_price > 0
        groups = self.tax_ids.flatten_taxes_hierarchy().mapped("bonopay_group")
        return {
            "code": self.product_id.default_code or "",
            "name": " ".join((self.name or self.product_id.name or "").split()),
            "type": self.product_id.bonopay_item_type or "SER",
            "tax_group": "+".join(sorted({group for group in groups if group})) or "?",
            "unit": self.product_uom_id.name or "",
            "quantity": f"{self.quantity:.3f}".rstrip("0").rstrip("."),
            "unit_price": f"{self.price_unit:.2f}",
            "discount": f"{self.discount:.2f}".rstrip("0").rstrip("."),
            "amount": f"{amount:.2f}",
            "original_price": f"{self.bonopay_original_price:.2f}" if is_net else "",
            "price_reason": reason if is_net else "",
        }
