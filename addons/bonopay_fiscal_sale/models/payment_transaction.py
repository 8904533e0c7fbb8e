from odoo import models


class PaymentTransaction(models.Model):
    _inherit = "payment.transaction"

    def _post_process(self):
        # EXTENDS 'sale': orders are confirmed and invoiced here, before invoices are posted, and nobody reads an error
        unattended = self.with_env(self.invoice_ids._bonopay_unattended().env)
        return super(PaymentTransaction, unattended)._post_process()
