from odoo import api, fields, models

from ..core import dgi, payments
from ..core.arithmetic import exact, round2
from ..core.document import Payment


class BonopayPayment(models.Model):
    """One means by which an invoice is paid, as the DGI is told it; the books have `account.payment`."""

    _name = "bonopay.payment"
    _description = "Payment stated on an invoice"
    _order = "move_id, sequence, id"

    move_id = fields.Many2one("account.move", "Invoice", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="move_id.company_id")
    company_currency_id = fields.Many2one(related="move_id.company_currency_id")
    sequence = fields.Integer(default=10)
    method = fields.Selection(list(payments.METHODS.items()), "Means of payment", required=True, default="ESPECES")
    currency_id = fields.Many2one(
        "res.currency", required=True, compute="_compute_currency_id", store=True, readonly=False, precompute=True
    )
    amount = fields.Monetary(required=True)
    rate = fields.Float(
        "Rate (CDF for 1 USD)",
        digits=(15, 6),
        compute="_compute_rate",
        store=True,
        readonly=False,
        precompute=True,
        help="For dollars: the rate of the day, unless you choose another within 1 % of it (SFE §1.30).",
    )
    francs = fields.Monetary("Counts for", currency_field="company_currency_id", compute="_compute_francs")
    reference = fields.Char(
        help="Of the mobile money transfer, the cheque, the gift card… Printed and sent to the DGI."
    )
    is_proposed = fields.Boolean(
        readonly=True, help="Nobody stated it: it was taken from the books when the invoice was posted."
    )

    @api.depends("move_id")
    def _compute_currency_id(self):
        for payment in self:
            payment.currency_id = payment.currency_id or payment.move_id.company_currency_id

    @api.depends("currency_id", "move_id.invoice_currency_rate")
    def _compute_rate(self):
        locked = self.move_id._bonopay_locked_moves()
        for payment in self:
            if payment.move_id._origin in locked or payment._has_own_rate():
                payment.rate = payment.rate
            else:
                dollar = payment._is_in_dollars() and payment.move_id._bonopay_dollar()
                payment.rate = float(dollar.rate) if dollar else 0.0

    def _has_own_rate(self):
        """Whether a rate stays when that of the invoice changes: one in francs has none that concerns dollars."""
        return self._is_in_dollars() and bool(self.rate) and not self.move_id._bonopay_usd_rate()

    @api.depends("amount", "rate")
    def _compute_francs(self):
        for payment in self:
            payment.francs = float(payment._value().in_francs)

    @api.onchange("currency_id")
    def _onchange_currency_id(self):
        """What is left to pay, which is proposed in francs, in dollars; what somebody typed stays."""
        if self._is_in_dollars() and self.rate and self.amount == self.env.context.get("default_amount"):
            self.amount = float(payments.most_of(exact(self.amount), payments.rate_of(self.rate)))

    def _is_in_dollars(self):
        return self.currency_id.name == payments.DOLLARS

    def _value(self):
        """What the payload says of it.

        :rtype: core.document.Payment
        """
        rate = payments.rate_of(self.rate) if self._is_in_dollars() else None
        currency = self.currency_id.name or dgi.CURRENCY
        return Payment(self.method, round2(exact(self.amount)), self.reference or None, currency, rate)

    # ------------------------------------------------------------------------------------------------------------
    # What was handed to the signer stays
    # ------------------------------------------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        created = super().create(vals_list)
        created._demand_unlocked()
        return created

    def write(self, vals):
        self._demand_unlocked()
        res = super().write(vals)
        self._demand_unlocked()  # it may have come to another invoice
        return res

    def unlink(self):
        self._demand_unlocked()
        return super().unlink()

    def _demand_unlocked(self):
        for move in self.move_id._bonopay_locked_moves():
            move._bonopay_refuse_change(["bonopay_payment_ids"])
