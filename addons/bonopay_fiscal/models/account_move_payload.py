import hashlib
import re
import uuid
from datetime import UTC, datetime

from odoo import SUPERUSER_ID, models

from ..core import dgi, payload
from ..core.arithmetic import exact

_NOT_IN_A_NIF = re.compile(r"[^A-Z0-9]")


class AccountMove(models.Model):
    """From an invoice to the plain values of :class:`core.document.Document`."""

    _inherit = "account.move"

    def _bonopay_document(self):
        """The invoice as it is now, under a new document id."""
        self.ensure_one()
        company = self.company_id
        cashier = self._bonopay_cashier()
        return payload.Document(
            document_id=str(uuid.uuid4()),
            merchant_nif=self._bonopay_nif(company.vat),
            outlet_id=self._bonopay_outlet().code,
            cashier_id=str(cashier.id),
            cashier_name=cashier.name,
            invoice_type=self.bonopay_invoice_type,
            price_mode=self._bonopay_price_mode(),
            reference_number=self.name or str(self.id),
            issued_at=datetime.now(UTC),
            client=self._bonopay_client(),
            lines=tuple(self._bonopay_line(line) for line in self._bonopay_lines()),
            credit=self._bonopay_credit(),
            payments=self._bonopay_payments(),
            foreign_currency=self._bonopay_foreign_currency(),
            comments=tuple(payload.comment_lines(self.bonopay_comments)),
        )

    def _bonopay_outlet(self):
        """The outlet of its journal."""
        return self.journal_id.bonopay_outlet_id

    def _bonopay_credited_sources(self):
        # EXTENDS 'bonopay.source'
        seal = self.sudo().reversed_entry_id._bonopay_foreign_seal()
        return seal._source() if seal else self.reversed_entry_id

    def _bonopay_lines(self):
        """The article lines: sections and notes say nothing to the DGI."""
        return self.invoice_line_ids.filtered(lambda line: line.display_type == "product")

    def _bonopay_cashier(self):
        """The operator (SFE §1.2 w): who posts; for what the server posts by itself, or a customer on the website, who
        is in charge of the sale, else of the outlet. Empty when there is nobody."""
        return next(filter(self._bonopay_is_operator, self._bonopay_known_operators()), self.env["res.users"])

    def _bonopay_known_operators(self):
        yield self.env.user
        yield self.invoice_user_id
        yield self.reversed_entry_id.invoice_user_id
        yield self.create_uid
        if outlet := self._bonopay_outlet().sudo():
            yield outlet._responsible()

    def _bonopay_is_operator(self, user):
        """Whether a user is a person of the merchant's: neither the server nor a customer, nor another company's."""
        user = user.sudo()
        return user and user.id != SUPERUSER_ID and user._is_internal() and self.company_id in user.company_ids

    def _bonopay_nif(self, vat):
        """A NIF without the spaces and hyphens that people type."""
        return _NOT_IN_A_NIF.sub("", (vat or "").upper())

    def _bonopay_price_mode(self):
        """``ht`` or ``ttc``: what the taxed prices are; when nothing is taxed, the mode of the sale that a credit note
        corrects, else the outlet's custom."""
        modes = self._bonopay_price_modes()
        if len(modes) == 1:
            return modes.pop()
        sale = self._bonopay_credited_sale()
        return sale["price_mode"] if sale else self._bonopay_outlet().price_mode

    def _bonopay_price_modes(self):
        taxes, _specific = self._bonopay_lines().tax_ids._bonopay_split_taxes()
        rated = taxes.filtered(lambda tax: tax.amount and tax.bonopay_group != dgi.SPECIFIC_VAT_GROUP)
        return {"ttc" if tax.price_include else "ht" for tax in rated}

    def _bonopay_client(self):
        party = self.commercial_partner_id
        contact = self.partner_id
        return payload.Client(
            type=self.bonopay_client_type,
            name=party.name,
            nif=self._bonopay_nif(party.vat) or None,
            contact=" / ".join(filter(None, (contact.phone or party.phone, contact.email or party.email))),
            address=self._bonopay_address(contact),
            exemption_reference=party.bonopay_exemption_reference
            if self.bonopay_client_type == dgi.EXEMPT_CLIENT_TYPE
            else None,
        )

    def _bonopay_address(self, contact):
        """The address in one line, without the gaps that its country's format leaves for what is not filled in."""
        contact = contact.with_context(lang=self._bonopay_legal_language())
        parts = contact._display_address(without_company=True).split("\n")
        return ", ".join(filter(None, (payload.clean_text(part) for part in parts)))

    def _bonopay_line(self, line):
        tax, _specific = line.tax_ids._bonopay_split_taxes()
        return payload.Line(
            code=self._bonopay_item_code(line),
            name=self._bonopay_item_name(line),
            type=self._bonopay_item_type(line),
            unit=line.product_uom_id.with_context(lang=self._bonopay_legal_language()).name or "Unité",
            quantity=exact(line.quantity),
            price=self._bonopay_line_price(line),
            tax_group=tax.bonopay_group,
            rate=tax._bonopay_rate(),
            specific_tax=self._bonopay_specific_tax(line),
        )

    def _bonopay_line_price(self, line):
        """The unit price of a line, and its change (mention l). Hook.

        :rtype: core.document.Price
        """
        return payload.Price.discounted(self._bonopay_in_francs(line.price_unit), exact(line.discount or 0.0))

    def _bonopay_in_francs(self, price):
        """A unit price of the document in francs, not rounded.

        :rtype: Decimal
        """
        return exact(price)

    def _bonopay_specific_tax(self, line):
        """The specific tax of a line (SFE §1.13), if it has one. Hook.

        :rtype: core.document.SpecificTax | None
        """
        _tax, specific = line.tax_ids._bonopay_split_taxes()
        return payload.SpecificTax(specific.bonopay_specific, exact(specific.amount)) if specific else None

    def _bonopay_payments(self):
        """How the document is paid (SFE §1.18); the sum is its total. Nothing means on credit. Hook.

        :rtype: tuple[core.document.Payment, ...]
        """
        return ()

    def _bonopay_foreign_currency(self):
        """The foreign currency that the document is made out in (SFE §1.30). Hook.

        :rtype: core.document.ForeignCurrency | None
        """
        return None

    def _bonopay_legal_language(self):
        """French when it is installed, whoever posts: what is sealed is what is printed, and that is French."""
        installed = [code for code, _name in self.env["res.lang"].get_installed()]
        return next((code for code in installed if code.startswith("fr")), self.env.lang)

    def _bonopay_item_code(self, line):
        """The article's code; the law wants one on every line (SFE §1.16).

        A product without internal reference is known by its number, a line without product by its words: the same
        line of a credit note then has the same code as the original.
        """
        if line.product_id:
            return line.product_id.default_code or f"ART{line.product_id.id:06d}"
        digest = hashlib.sha256((payload.clean_text(line.name) or "").encode()).hexdigest()
        return f"LIBRE-{digest[:8].upper()}"

    def _bonopay_item_name(self, line):
        name = payload.clean_text(line.name) or payload.clean_text(line.product_id.name) or ""
        return name.removeprefix(f"[{line.product_id.default_code}] ")

    def _bonopay_item_type(self, line):
        if line.product_id:
            return line.product_id.bonopay_item_type
        levy = line.tax_ids._bonopay_split_taxes()[0].bonopay_group in dgi.LEVY_GROUPS
        return dgi.LEVY_ITEM_TYPE if levy else "SER"

    def _bonopay_credit(self):
        if self.bonopay_invoice_type not in dgi.CREDIT_TYPES:
            return None
        if self.bonopay_credit_nature == dgi.REBATE_NATURE:
            return payload.Credit(self.bonopay_credit_nature)
        original = self.reversed_entry_id._bonopay_live_seals()
        return payload.Credit(self.bonopay_credit_nature, original.fiscal_number or None, original.dgi_code or None)
