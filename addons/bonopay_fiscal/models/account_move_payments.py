from decimal import Decimal

from odoo import Command, api, fields, models
from odoo.tools import formatLang

from ..core import dgi, payments
from ..core.arithmetic import exact, round2
from ..core.document import Payment
from .account_move_checks import Fault

#: Who reads how an invoice is paid.
READERS = "account.group_account_invoice,account.group_account_readonly"
#: States of a payment in which the money is there, or on its way.
_PAID = ("in_process", "paid")


class AccountMove(models.Model):
    """How an invoice is paid, as the DGI is told it (SFE §1.18–1.19, §1.30).

    Nobody has to state it: a draft that states nothing is sealed with what the books know of it, and the rest is on
    credit. What was sealed is kept on the invoice.
    """

    _inherit = "account.move"

    # people of sales, purchases and expenses read invoices too, without rights to these rows
    bonopay_payment_ids = fields.One2many(
        "bonopay.payment", "move_id", "Payments stated to the DGI", copy=False, groups=READERS
    )
    bonopay_payment_rest = fields.Monetary(
        "Left, on credit",
        currency_field="company_currency_id",
        compute="_compute_bonopay_payment_rest",
        groups=READERS,
    )
    bonopay_payment_words = fields.Char("Stated as", compute="_compute_bonopay_payment_words", compute_sudo=True)

    @api.depends("amount_total", "amount_total_signed", "bonopay_payment_ids.francs")
    def _compute_bonopay_payment_rest(self):
        for move in self:
            paid = sum((one.in_francs for one in move._bonopay_stated_payments()), Decimal(0))
            move.bonopay_payment_rest = float(move._bonopay_total_in_francs() - paid)

    @api.depends_context("lang")
    @api.depends("state", "amount_total_signed", "bonopay_payment_ids.francs", "invoice_date_due", "invoice_date")
    @api.depends("preferred_payment_method_line_id", "transaction_ids.state", "matched_payment_ids.state")
    def _compute_bonopay_payment_words(self):
        for move in self:
            given = move._bonopay_payments() if move.bonopay_required and move.state == "draft" else ()
            move.bonopay_payment_words = " + ".join(map(move._bonopay_payment_in_words, given))

    def _bonopay_payment_in_words(self, one):
        amount = formatLang(self.env, float(one.amount), currency_obj=self._bonopay_currency_of(one))
        return f"{payments.METHODS[one.method]} {amount}"

    def _bonopay_currency_of(self, one):
        return self.env.ref("base.USD") if one.currency == payments.DOLLARS else self.company_currency_id

    # ------------------------------------------------------------------------------------------------------------
    # From the invoice to its payload
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_payments(self):
        """What was stated, else what is proposed; what is left of the total is on credit (SFE §1.19).

        :rtype: tuple[core.document.Payment, ...]
        """
        self.ensure_one()
        total = self._bonopay_total_in_francs()
        given = self._bonopay_stated_payments()
        if not given:
            proposed, owed = tuple(self._bonopay_proposed_payments()), self._bonopay_owed_dollars()
            if owed:
                proposed = tuple(payments.dollars_within(proposed, owed[0]))
            given = payments.within(payments.paid_in_dollars(proposed, total, owed), total)
        return payments.settled(given, total)

    def _bonopay_stated_payments(self):
        stated = [payment._value() for payment in self.sudo().bonopay_payment_ids]
        return payments.paid_in_dollars(stated, self._bonopay_total_in_francs(), self._bonopay_owed_dollars())

    def _bonopay_owed_dollars(self):
        """The total of a document in dollars, as Odoo has it and as it is printed; nothing for one in francs.

        :rtype: tuple[Decimal, ...]
        """
        return ()

    def _bonopay_total_in_francs(self):
        return abs(round2(exact(self.amount_total_signed)))

    def _bonopay_proposed_payments(self):
        """How the invoice was paid as far as the books know, best known first; they may exceed its total. Hook.

        Override it to add what another module knows, such as a gift card (AUTRE): it must not raise, since it runs
        after a customer has paid.

        :rtype: Iterator[core.document.Payment]
        """
        yield from self._bonopay_paid_online()
        yield from self._bonopay_paid_on_draft()
        if method := self._bonopay_method_at_once():
            yield Payment(method, self._bonopay_due_at_once())

    def _bonopay_due_at_once(self):
        """Francs that the customer still owes of an invoice that is due on its own day."""
        return self._bonopay_total_in_francs()

    def _bonopay_paid_online(self):
        for transaction in self._bonopay_done_transactions():
            provider = transaction.provider_id
            yield from self._bonopay_payment_of(
                transaction.payment_method_id._bonopay_method(provider),
                transaction.amount,
                transaction.currency_id,
                (transaction.source_transaction_id or transaction).invoice_ids,
                transaction.provider_reference or transaction.reference,
            )

    def _bonopay_done_transactions(self):
        """The transactions that brought money: of one that was captured in parts, its parts."""
        sources = self.sudo().transaction_ids.filtered(lambda one: one.operation not in ("validation", "refund"))
        parts = sources.child_transaction_ids.filtered(lambda one: one.operation == one.source_transaction_id.operation)
        return (sources - parts.source_transaction_id + parts).filtered(lambda one: one.state == "done")

    def _bonopay_paid_on_draft(self):
        """Payments that were registered for this very invoice, but not those of its transactions."""
        kind = "outbound" if self.move_type == "out_refund" else "inbound"
        found = self.sudo().matched_payment_ids.filtered(
            lambda payment: (
                payment.state in _PAID and payment.payment_type == kind and not payment.payment_transaction_id
            )
        )
        own_names = {self.name, self.payment_reference, self.ref}
        for payment in found.sorted("id"):
            reference = payment.payment_reference or payment.memo
            yield from self._bonopay_payment_of(
                payment.payment_method_line_id.bonopay_method or payments.OTHER,
                payment.amount,
                payment.currency_id,
                payment.invoice_ids,
                None if reference in own_names else reference,
            )

    def _bonopay_method_at_once(self):
        """What is chosen for an invoice that is due on its own day."""
        day = self.invoice_date or fields.Date.context_today(self)
        if self.move_type == "out_refund" or (self.invoice_date_due or day) > day:
            return None
        return self.preferred_payment_method_line_id.bonopay_method

    def _bonopay_dollar(self):
        """What a dollar counts in which this invoice is paid today.

        :rtype: Dollar | None
        """
        return self.company_id._bonopay_dollar()

    def _bonopay_payment_of(self, method, amount, currency, invoices, reference):
        """The part of a payment that is this invoice's: one for several pays them in the order of their making.

        :return: one payment, or none when the others take all of it, or when nobody knows what its currency is worth
        """
        day, francs, company = fields.Date.context_today(self), self.company_currency_id, self.company_id
        for earlier in invoices.filtered(lambda move: move.id < self._origin.id and move.state != "cancel"):
            amount -= earlier.currency_id._convert(earlier.amount_total, currency, company, day)
        dollar = self._bonopay_dollar() if currency.name == payments.DOLLARS else None
        if currency.name != payments.DOLLARS:
            amount = currency._convert(amount, francs, company, day)
        elif not dollar:
            return
        amount = round2(exact(amount))
        if amount > 0 and not dollar:
            yield Payment(method, amount, reference=reference)
        elif amount > 0:
            yield Payment(method, amount, reference, payments.DOLLARS, dollar.rate)

    # ------------------------------------------------------------------------------------------------------------
    # The rules
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_faults(self):
        # EXTENDS: they are counted against a total that is right
        return super()._bonopay_faults() or list(self._bonopay_check_payments())

    def _bonopay_check_payments(self):
        faults = [
            fault for payment in self.sudo().bonopay_payment_ids for fault in self._bonopay_payment_faults(payment)
        ]
        yield from faults
        if not faults:
            yield from self._bonopay_sum_faults()

    def _bonopay_payment_faults(self, payment):
        words = f"{payments.METHODS[payment.method]}: "
        if payment.amount <= 0:
            yield Fault(
                "payment.amount",
                self,
                words + self.env._("the amount of a payment must be above zero. Correct or remove it."),
            )
        if payment._is_in_dollars():
            yield from self._bonopay_rate_faults(payment, words)
        elif payment.currency_id.name != dgi.CURRENCY:
            yield Fault(
                "payment.currency",
                self,
                words
                + self.env._(
                    "a payment is in CDF or USD, not in %s: state what it counted in francs.", payment.currency_id.name
                ),
            )

    def _bonopay_rate_faults(self, payment, words):
        rate, dollar = payments.rate_of(payment.rate), self._bonopay_dollar()
        rates = {payments.rate_of(one.rate) for one in self.sudo().bonopay_payment_ids if one._is_in_dollars()}
        if foreign := self._bonopay_foreign_currency():
            rates.add(foreign.rate)
        if rate <= 0:
            yield Fault(
                "payment.rate",
                self,
                words
                + self.env._(
                    "dollars need a rate. Enter today's under Invoicing ▸ Configuration ▸ Currencies, or on the "
                    "payment."
                ),
            )
        elif len(rates) > 1:
            yield Fault(
                "payment.rates",
                self,
                words + self.env._("all payments in dollars on one invoice have one rate (SFE §1.30). Use one."),
            )
        elif dollar and dollar.is_reference and not payments.is_near(rate, dollar.rate):
            yield Fault(
                "payment.rate_of_the_day",
                self,
                words
                + self.env._(
                    "the rate %(rate)s is more than 1 %% away from that of the day, %(reference)s (SFE §1.30). Choose "
                    "a rate between %(lowest)s and %(highest)s.",
                    rate=rate,
                    reference=dollar.rate,
                    lowest=round2(dollar.rate * (1 - payments.RATE_TOLERANCE)),
                    highest=round2(dollar.rate * (1 + payments.RATE_TOLERANCE)),
                ),
            )

    def _bonopay_sum_faults(self):
        """The payments add up to the total (SFE §1.19): less is on credit, more is not possible."""
        paid = sum((payment.in_francs for payment in self._bonopay_stated_payments()), Decimal(0))
        total = self._bonopay_total_in_francs()
        if paid > total:
            yield Fault(
                "payment.total",
                self,
                self.env._(
                    "The payments, %(paid)s CDF, are more than the total, %(total)s CDF (SFE §1.19): state what the "
                    "seller keeps, without the change that was given back. In dollars that may be some francs less, "
                    "which are another payment.",
                    paid=paid,
                    total=total,
                ),
            )

    # ------------------------------------------------------------------------------------------------------------
    # Keeping
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_keep_payments(self):
        """What the seal says of payments stands on the invoice too, also what nobody stated."""
        given = {move: move._bonopay_payments() for move in self}
        stated = {move: len(move.sudo().bonopay_payment_ids) for move in self}
        for move in self.sudo():
            for payment, one in zip(move.bonopay_payment_ids, given[move], strict=False):
                if payment._value() != one:
                    payment.write(move._bonopay_payment_values(one))
        rows = [
            {
                **move._bonopay_payment_values(one),
                "move_id": move.id,
                "sequence": 100 + position,
                "is_proposed": True,
            }
            for move in self
            for position, one in enumerate(given[move][stated[move] :])
        ]
        self.env["bonopay.payment"].sudo().create(rows)

    def _bonopay_payment_values(self, one):
        return {
            "method": one.method,
            "amount": float(one.amount),
            "currency_id": self._bonopay_currency_of(one).id,
            "rate": float(one.rate or 0),
            "reference": one.reference,
        }

    def button_draft(self):
        # EXTENDS: of an invoice that is corrected, only what somebody stated still stands
        res = super().button_draft()
        if not self._bonopay_is_annulling():
            for move in self.sudo():
                cut, cents = move._bonopay_cut_dollars()
                if cut:
                    cut.amount += float(cents)
                move.bonopay_payment_ids.filtered("is_proposed").unlink()
        return res

    def _bonopay_cut_dollars(self):
        """The payment in dollars that was cut to the francs of the total, and by how much: where francs had to complete
        the dollars that were stated, these were all.

        :return: the payment, or none, and dollars
        :rtype: tuple[bonopay.payment, Decimal]
        """
        rows = self.sudo().bonopay_payment_ids
        proposed = rows.filtered("is_proposed")
        dollars = (rows - proposed).filtered(lambda payment: payment._is_in_dollars())
        owed = self._bonopay_owed_dollars()
        paid = sum((payment._value().amount for payment in dollars), Decimal(0))
        completed = proposed.filtered(lambda one: one.method != payments.CREDIT)
        if owed and completed and dollars and paid < min(owed):
            return dollars[-1], owed[0] - paid
        return dollars.browse(), Decimal(0)

    def _bonopay_replacement_values(self):
        # EXTENDS: what somebody stated is stated again, dollars at the rate of the new document
        stated = self.sudo().bonopay_payment_ids.filtered(lambda payment: not payment.is_proposed)
        cut, cents = self._bonopay_cut_dollars()
        left_out = {"move_id", "rate"} if self._bonopay_usd_rate() else {"move_id"}
        values = []
        for payment in stated:
            kept = {name: value for name, value in payment.copy_data()[0].items() if name not in left_out}
            values.append({**kept, "amount": payment.amount + (float(cents) if payment == cut else 0.0)})
        return {
            **super()._bonopay_replacement_values(),
            "bonopay_payment_ids": [Command.create(one) for one in values],
        }

    def action_bonopay_propose_payments(self):
        """Write down what would be stated, for a person to change."""
        self.ensure_one()
        self.check_access("write")
        if self.state == "draft":
            self._bonopay_keep_payments()
            self.bonopay_payment_ids.is_proposed = False
