from contextlib import contextmanager, nullcontext
from datetime import date
from decimal import Decimal

from odoo import api, fields, models

from ..core import dgi, payments
from ..core.arithmetic import CENT, exact, round2
from ..core.document import ForeignCurrency
from .account_move_checks import Fault


class AccountMove(models.Model):
    """Invoices in dollars of a company that counts in francs (SFE §1.30): francs are sealed, and the rate."""

    _inherit = "account.move"

    def _bonopay_usd_rate(self):
        """Francs for a dollar of an invoice in dollars, else ``None``."""
        in_dollars = (self.currency_id.name, self.company_currency_id.name) == (payments.DOLLARS, dgi.CURRENCY)
        return payments.rate_of(1 / self.invoice_currency_rate) if in_dollars and self.invoice_currency_rate else None

    def _bonopay_dollar(self):
        # EXTENDS: one invoice has one rate
        rate, today = self._bonopay_usd_rate(), super()._bonopay_dollar()
        return today._replace(rate=rate, is_reference=False) if rate and today else today

    def _bonopay_owed_dollars(self):
        # EXTENDS
        rate = self._bonopay_usd_rate()
        if rate is None:
            return super()._bonopay_owed_dollars()
        return round2(exact(self.amount_total)), round2(self._bonopay_total_in_francs() / rate)

    @api.depends("reversed_entry_id", "bonopay_credit_nature")
    def _compute_invoice_currency_rate(self):
        # EXTENDS 'account': what was sold in dollars is credited at the rate of the sale, and what is sealed keeps its
        locked = self._bonopay_locked_moves()
        kept = self.filtered(lambda move: move._origin in locked)
        for move in kept:
            move.invoice_currency_rate = move._origin.invoice_currency_rate
        res = super(AccountMove, self - kept)._compute_invoice_currency_rate()
        for move in (self - kept).filtered("bonopay_required"):
            original = move.reversed_entry_id
            if move._bonopay_keeps_rate() and original.currency_id == move.currency_id:
                sale = move._bonopay_credited_sale()
                sold = sale and sale["foreign_currency"]
                move.invoice_currency_rate = 1 / float(sold["rate"]) if sold else original.invoice_currency_rate
        return res

    def _bonopay_keeps_rate(self):
        return bool(self.reversed_entry_id) and self.bonopay_credit_nature != dgi.REBATE_NATURE

    def _bonopay_in_francs(self, price):
        # EXTENDS
        return super()._bonopay_in_francs(price) * (self._bonopay_usd_rate() or 1)

    def _bonopay_date_dollars(self):
        """Date the drafts in dollars that have no date, as posting would: the rate is that of the date, and what is
        checked has to be what is posted."""
        for move in self.filtered(lambda move: move._bonopay_usd_rate() and not move.invoice_date):
            # as core does: a rate that a person chose stays
            chosen = move.invoice_currency_rate != move._get_expected_currency_rate_at(move.create_date.date())
            rate = self._fields["invoice_currency_rate"]
            with self.env.protecting([rate], move) if chosen else nullcontext():
                move.invoice_date = fields.Date.context_today(self)

    @contextmanager
    def _sync_tax_lines(self, container):
        # EXTENDS 'account': at another rate, core only converts the dollars of each line
        before = {move: move.invoice_currency_rate for move in container["records"]}
        with super()._sync_tax_lines(container):
            yield
        for move in container["records"]:
            if move.state == "draft" and move.bonopay_required and move._bonopay_usd_rate():
                if before.get(move, move.invoice_currency_rate) != move.invoice_currency_rate:
                    move._bonopay_reckon_francs()

    def _bonopay_reckon_francs(self):
        """Bring the journal items of a draft in dollars to the law's francs at its rate."""
        taxes = self.env["account.tax"]
        base_lines, tax_lines = self._get_rounded_base_and_tax_lines(round_from_tax_lines=False)
        taxes._add_accounting_data_in_base_lines_tax_details(
            base_lines, self.company_id, include_caba_tags=self.always_tax_exigible
        )
        found = taxes._prepare_tax_lines(base_lines, self.company_id, tax_lines=tax_lines)
        for base_line, values in found["base_lines_to_update"]:
            base_line["record"].write(values)
        for tax_line, _key, values in found["tax_lines_to_update"]:
            tax_line["record"].write(values)

    def _bonopay_reckon_draft(self):
        """:meth:`_bonopay_reckon_francs`, with the terms of payment and the totals of the lines that follow from it."""
        container, lines = {"records": self}, self._bonopay_lines()
        for name in ("price_subtotal", "price_total"):
            self.env.add_to_compute(lines._fields[name], lines)
        with self._check_balanced(container), self._sync_dynamic_lines(container):
            self._bonopay_reckon_francs()

    def _bonopay_foreign_currency(self):
        # EXTENDS
        rate = self._bonopay_usd_rate()
        if rate is None:
            return super()._bonopay_foreign_currency()
        sale = self._bonopay_credited_sale() if self._bonopay_keeps_rate() else None
        if sold := sale and sale["foreign_currency"]:
            return ForeignCurrency(sold["code"], Decimal(sold["rate"]), date.fromisoformat(sold["date"]))
        today = fields.Date.context_today(self.with_context(tz="Africa/Kinshasa"))
        return ForeignCurrency(payments.DOLLARS, rate, min(self._get_invoice_currency_rate_date(), today))

    # ------------------------------------------------------------------------------------------------------------
    # The rules
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_check_currency(self):
        # EXTENDS
        yield from super()._bonopay_check_currency()
        if rate := self._bonopay_usd_rate():
            yield from self._bonopay_usd_faults(rate)

    def _bonopay_usd_faults(self, rate):
        dollar = self.company_id._bonopay_dollar()
        if not dollar:
            yield Fault(
                "currency.rate",
                self,
                self.env._(
                    "The dollar has no rate. Enter today's under Invoicing ▸ Configuration ▸ Currencies, or take it "
                    "from the signer in the settings."
                ),
            )
        elif dollar.is_reference and not self._bonopay_keeps_rate() and not payments.is_near(rate, dollar.rate):
            yield Fault(
                "currency.rate_of_the_day",
                self,
                self.env._(
                    "The rate of the invoice, %(rate)s, is more than 1 %% away from that of the day, %(reference)s "
                    "(SFE §1.30). Choose the invoice date or the rate of today.",
                    rate=rate,
                    reference=dollar.rate,
                ),
            )

    def _bonopay_check_totals(self):
        # EXTENDS: the dollars that are owed are those that are printed, which the francs and the rate give
        faults = list(super()._bonopay_check_totals())
        yield from faults
        rate = self._bonopay_usd_rate()
        if not faults and rate is not None:
            yield from self._bonopay_dollar_faults(rate, round2(self._bonopay_total_in_francs() / rate))

    def _bonopay_dollar_faults(self, rate, printed):
        lines = self._bonopay_lines()
        expected = (
            round2(exact(self.amount_total)),
            sum((self._bonopay_at_price(one, rate) for one in lines), Decimal(0)),
        )
        far = [total for total in expected if abs(printed - total) > CENT * len(lines)]
        if far:
            yield Fault(
                "currency.total",
                self,
                self.env._(
                    "The total would be printed as %(printed)s USD, which is what its francs are worth, and is "
                    "%(ours)s USD here. Sell in a larger unit, or make out this invoice in CDF.",
                    printed=printed,
                    ours=round2(far[0]),
                ),
            )
        elif not printed:
            yield Fault(
                "currency.cent",
                self,
                self.env._("The total is worth less than a cent of a dollar: make out this invoice in CDF."),
            )

    def _bonopay_at_price(self, line, rate):
        """Dollars that a line comes to with its taxes when nothing is rounded.

        :rtype: Decimal
        """
        tax = line.tax_ids._bonopay_split_taxes()[0]
        factor = 1 + tax._bonopay_rate() / 100
        amount = exact(line.price_unit) * (1 - exact(line.discount or 0.0) / 100) * exact(line.quantity)
        specific = self._bonopay_line(line).specific_tax_amount / rate
        return amount * (1 if tax.price_include else factor) + specific * factor


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    @api.depends("move_id.invoice_currency_rate")
    def _compute_totals(self):
        # EXTENDS 'account': francs are worth other dollars at another rate; what is sealed keeps its own
        in_dollars = self.move_id.filtered(lambda move: move._bonopay_usd_rate())
        locked = in_dollars._bonopay_locked_moves()
        kept = self.filtered(lambda line: line._origin and line.move_id._origin in locked)
        for line in kept:
            line.price_subtotal, line.price_total = line._origin.price_subtotal, line._origin.price_total
        return super(AccountMoveLine, self - kept)._compute_totals()
