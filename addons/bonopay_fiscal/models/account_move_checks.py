import re
from decimal import Decimal
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..core import dgi, payload
from ..core.arithmetic import CENT, exact, round2

NIF = re.compile(r"[A-Z0-9]{5,20}")
_MANAGER = "bonopay_fiscal.group_fiscal_manager"
#: Proof that a document is the onboarding's test sale. No remote call can put it into a context.
_TEST_SALE = object()
_TEST_SALE_KEY = "bonopay_test_sale"


class Fault(NamedTuple):
    """One reason why an invoice cannot be posted.

    :ivar code: stable name of the rule
    :ivar record: what has to be corrected
    :ivar message: rule and way out, in the user's language
    """

    code: str
    record: models.Model
    message: str


class AccountMove(models.Model):
    """What the law refuses is refused before posting, all of it at once."""

    _inherit = "account.move"

    def _post(self, soft=True):
        # EXTENDS 'account'
        checked = self._bonopay_to_post(soft)
        checked._bonopay_date_dollars()
        checked._bonopay_demand_no_fault()
        posted = super(AccountMove, self._bonopay_issuing())._post(soft).with_env(self.env)
        fiscal = posted._bonopay_to_seal()
        # an invoice without date gets today's: it may be posted although its accounting date seemed to lie ahead
        # and what is in dollars is reckoned anew with its date
        fiscal.filtered(lambda move: move not in checked or move._bonopay_usd_rate())._bonopay_demand_no_fault()
        fiscal._bonopay_keep_client_types()
        fiscal._bonopay_keep_payments()
        fiscal._detach_attachments()  # what was stored as the PDF of a draft is not the invoice
        seals = self.env["bonopay.seal"]._freeze(fiscal)
        seals._send_after_commit()
        return posted

    def _bonopay_to_post(self, soft):
        """Those that the coming posting concerns: a soft one leaves future documents alone."""
        today = fields.Date.context_today(self)
        return self._bonopay_to_seal().filtered(
            lambda move: move.state == "draft" and not (soft and (move.date or move.invoice_date or today) > today)
        )

    def _bonopay_demand_no_fault(self):
        if not self.env.lang:
            # integrators often send no context: the message is for the person all the same
            self = self.with_context(lang=self.env.user.lang)  # noqa: PLW0642
        faults = {move: move._bonopay_faults() for move in self}
        blocks = [
            "\n".join([move._bonopay_label(), *(f"• {fault.message}" for fault in found)])
            for move, found in faults.items()
            if found
        ]
        if blocks:
            title = self.env._("The law does not let this document be issued as it is:")
            raise UserError("\n\n".join([title, *blocks]))

    def _bonopay_label(self):
        name = self.name if self.name and self.name != "/" else self.env._("Draft")
        return f"{name} – {self.partner_id.display_name or self.env._('no customer')}"

    def _bonopay_faults(self):
        """Every reason against posting this invoice.

        :rtype: list[Fault]
        """
        self.ensure_one()
        groups = (
            self._bonopay_check_outlet,
            self._bonopay_check_company,
            self._bonopay_check_operator,
            self._bonopay_check_client,
            self._bonopay_check_currency,
            self._bonopay_check_document,
            self._bonopay_check_credit,
            self._bonopay_check_lines,
        )
        faults = [fault for group in groups for fault in group()]
        # totals and comparisons mean something only when every line can be counted
        return faults or [*self._bonopay_check_totals(), *self._bonopay_check_against_original()]

    # ------------------------------------------------------------------------------------------------------------
    # The rules
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_check_outlet(self):
        journal, company = self.journal_id, self.company_id.sudo()
        if not journal.bonopay_outlet_id:
            yield Fault(
                "outlet.missing",
                journal,
                self.env._(
                    "Journal “%s” belongs to no outlet. Choose its outlet under Bono Pay ▸ Outlets.", journal.name
                ),
            )
        elif not journal.bonopay_outlet_id.active:
            yield Fault(
                "outlet.archived",
                journal,
                self.env._("The outlet of journal “%s” is archived. Choose another journal or outlet.", journal.name),
            )
        elif words := journal.bonopay_outlet_id._no_sale_words():
            yield Fault(f"outlet.{journal.bonopay_outlet_id.state}", journal.bonopay_outlet_id, words)
        elif journal.bonopay_outlet_id.company_id != company:
            yield Fault(
                "outlet.company",
                journal,
                self.env._(
                    "The outlet of journal “%(journal)s” is not one of “%(company)s”. A branch sells under an outlet "
                    "and a sales journal of its own.",
                    journal=journal.name,
                    company=company.name,
                ),
            )
        elif journal.bonopay_outlet_id.state == "test" and not self._bonopay_may_test():
            yield Fault(
                "outlet.test",
                journal,
                self.env._(
                    "Outlet %(outlet)s is for tests, and “%(company)s” sells in earnest: choose a journal of a live "
                    "outlet. Only a fiscal manager posts test documents now.",
                    outlet=journal.bonopay_outlet_id.display_name,
                    company=company.name,
                ),
            )

    def _bonopay_check_company(self):
        company = self.company_id.sudo()
        if not company.bonopay_signer_url:
            yield Fault(
                "signer.missing",
                company,
                self.env._(
                    "Company “%s” is not connected to its signer. Enter its address and API key in the settings.",
                    company.name,
                ),
            )
        if not NIF.fullmatch(self._bonopay_nif(company.vat)):
            yield Fault(
                "seller.nif",
                company,
                self.env._(
                    "The NIF of company “%s” is missing or malformed. Enter it on the company (5 to 20 letters and "
                    "digits).",
                    company.name,
                ),
            )

    def _bonopay_may_test(self):
        """Whether a test document may be issued: by anybody until the company is live, and by its managers after."""
        live = "live" in self.company_id.sudo().bonopay_outlet_ids.mapped("state")
        onboarding = self.env.context.get(_TEST_SALE_KEY) is _TEST_SALE
        user = self.env.user
        return not live or onboarding or user._is_superuser() or user.has_group(_MANAGER)

    @api.private
    def _bonopay_as_test_sale(self):
        """These moves, as the onboarding's test sale."""
        return self.with_context(**{_TEST_SALE_KEY: _TEST_SALE})

    def _bonopay_check_operator(self):
        if not self._bonopay_cashier():
            yield Fault(
                "operator.missing",
                self,
                self.env._(
                    "Nobody is in charge of this sale, and the law wants an operator's name: choose the salesperson of "
                    "the document, or the person responsible for its outlet."
                ),
            )

    def _bonopay_check_currency(self):
        own = self.company_id.currency_id
        if own.name != payload.CURRENCY:
            yield Fault(
                "company.currency",
                self.company_id,
                self.env._(
                    "Company “%(company)s” keeps its accounts in %(currency)s: this version normalises the sales of "
                    "companies that keep them in CDF.",
                    company=self.company_id.name,
                    currency=own.name,
                ),
            )
        elif exact(own.rounding) != CENT:
            yield Fault(
                "company.decimals",
                own,
                self.env._(
                    "Currency %s must be rounded to 0.01: the DGI counts in centimes. Correct its rounding factor "
                    "under Invoicing ▸ Configuration ▸ Currencies.",
                    own.name,
                ),
            )
        elif self.currency_id != own and not self._bonopay_usd_rate():
            yield Fault(
                "currency",
                self,
                self.env._(
                    "The document is in %s: documents are normalised in CDF or USD. Change the currency.",
                    self.currency_id.name,
                ),
            )

    def _bonopay_check_document(self):
        if (self.bonopay_invoice_type in dgi.CREDIT_TYPES) != (self.move_type == "out_refund"):
            yield Fault(
                "type",
                self,
                self.env._(
                    "Invoice type %s does not suit this document: FA and EA are for credit notes only, and credit "
                    "notes are FA or EA.",
                    self.bonopay_invoice_type or "–",
                ),
            )
        groups = set(self._bonopay_lines().tax_ids._bonopay_split_taxes()[0].mapped("bonopay_group"))
        if self.bonopay_invoice_type in dgi.EXPORT_TYPES and groups & dgi.VAT_GROUPS:
            yield Fault(
                "type.export",
                self,
                self.env._(
                    "An export (%s) bears no VAT: choose the tax for exports on every line, or another invoice type.",
                    self.bonopay_invoice_type,
                ),
            )
        if self.line_ids.filtered(lambda line: line.display_type in ("rounding", "epd")):
            yield Fault(
                "rounding",
                self,
                self.env._(
                    "Cash rounding and early payment discounts add amounts that belong to no article. Remove the "
                    "rounding method or choose another payment term."
                ),
            )
        if any(seal.state not in ("invalid",) for seal in self._bonopay_live_seals()):
            yield Fault("sealed", self, self.env._("This document was sent to be sealed already."))

    def _bonopay_check_totals(self):
        """Odoo's totals are the law's, to the centime; a tax amount changed by hand would differ."""
        lines = [self._bonopay_line(line) for line in self._bonopay_lines()]
        groups = payload.sum_groups(lines, self._bonopay_price_mode())
        base = sum((amounts.base for _rate, amounts in groups.values()), Decimal(0))
        tax = sum((amounts.tax for _rate, amounts in groups.values()), Decimal(0))
        # to Odoo a specific tax is a tax, to the law it is part of the base
        specific = sum((line.specific_tax_amount for line in lines), Decimal(0))
        ours = (  # in francs, whatever the currency of the document
            round2(exact(abs(self.amount_untaxed_signed))) + specific,
            round2(exact(abs(self.amount_tax_signed))) - specific,
        )
        if ours != (base, tax):
            yield Fault(
                "totals",
                self,
                self.env._(
                    "The amounts differ from the law's calculation: %(base)s + %(tax)s instead of %(legal_base)s + "
                    "%(legal_tax)s. Set the tax amount back: remove and add the tax of a line.",
                    base=ours[0],
                    tax=ours[1],
                    legal_base=base,
                    legal_tax=tax,
                ),
            )
