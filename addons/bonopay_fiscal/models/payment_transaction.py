from odoo import models


class PaymentTransaction(models.Model):
    _inherit = "payment.transaction"

    def _post_process(self):
        # EXTENDS 'payment': nobody reads an error here, and it would undo what was paid
        unattended = self.with_env(self.invoice_ids._bonopay_unattended().env)
        return super(PaymentTransaction, unattended)._post_process()

    def _create_payment(self, **extra_create_values):
        # EXTENDS 'account_payment': a payment is reconciled with invoices, and a draft is none. It stays linked, to be
        # found when the draft is corrected.
        drafts = self.invoice_ids.filtered(lambda move: move.state == "draft" and move.bonopay_required)
        drafts = drafts.filtered(lambda move: move._bonopay_faults())
        if not drafts:
            return super()._create_payment(**extra_create_values)
        linked = self.invoice_ids
        self.invoice_ids -= drafts
        payment = super()._create_payment(**extra_create_values)
        self.invoice_ids = linked
        return payment
