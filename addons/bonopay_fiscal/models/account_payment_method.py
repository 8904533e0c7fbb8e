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

    bonopay_method_chosen = fields.Boolean("Chosen by a person", readonly=True, help="Another means than is proposed.")

    @api.depends("name", "payment_method_id.code", "journal_id.type")
    def _compute_bonopay_method(self):
        for line in self:
            if not line.bonopay_method_chosen:
                line.bonopay_method = line._bonopay_guess()

    def _bonopay_guess(self):
        names = self.name, self.payment_method_id.code, self.journal_id.name
        return payments.guess(*names, journal=self.journal_id.type) or payments.OTHER

    @api.model_create_multi
    def create(self, vals_list):
        # EXTENDS 'account'
        lines = super().create(vals_list)
        lines._bonopay_keep_choices()
        return lines

    def write(self, vals):
        # EXTENDS 'account': a new name changes no choice
        res = super().write(vals)
        if "bonopay_method" in vals:
            self._bonopay_keep_choices()
        return res

    def _bonopay_keep_choices(self):
        for line in self:
            line.bonopay_method_chosen = line.bonopay_method != line._bonopay_guess()


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
