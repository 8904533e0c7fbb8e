from odoo import api, fields, models

from ..core import payments


class AccountPaymentMethodLine(models.Model):
    _inherit = "account.payment.method.line"

    bonopay_method = fields.Selection(
        list(payments.METHODS.items()),
        "Means of payment (DGI)",
        compute="_compute_bonopay_method",
        store=True,
        readonly=False,
        help="What the DGI is told of money that comes this way (SFE §1.18).",
    )

    @api.depends("name", "payment_method_id.code", "journal_id.type")
    def _compute_bonopay_method(self):
        for line in self:
            names = line.name, line.payment_method_id.code, line.journal_id.name
            line.bonopay_method = payments.guess(*names, journal=line.journal_id.type) or payments.OTHER


class PaymentMethod(models.Model):
    _inherit = "payment.method"

    bonopay_method = fields.Selection(
        list(payments.METHODS.items()),
        "Means of payment (DGI)",
        compute="_compute_bonopay_method",
        store=True,
        readonly=False,
        help="What the DGI is told of an online payment by this method. Left empty: that of the provider's journal.",
    )

    @api.depends("code")
    def _compute_bonopay_method(self):
        for method in self:
            method.bonopay_method = payments.guess(method.code)

    def _bonopay_method(self, provider):
        """The DGI's code for a payment by this method through a provider."""
        own = self.bonopay_method or self.primary_payment_method_id.bonopay_method
        journal = provider.journal_id
        line = journal.inbound_payment_method_line_ids.filtered(lambda line: line.payment_provider_id == provider)
        return own or line[:1].bonopay_method or payments.OTHER
