from datetime import timedelta

from odoo import fields, models
from odoo.tools import str2bool

#: How far back core looks for paid orders whose invoices are still to be sent.
LOOK_BACK = timedelta(days=2)


class PaymentTransaction(models.Model):
    _inherit = "payment.transaction"

    def _cron_send_invoice(self):
        # EXTENDS 'sale': what was paid longer ago than core looks back, and was normalised since, is sent all the same
        res = super()._cron_send_invoice()
        if str2bool(self.env["ir.config_parameter"].sudo().get_param("sale.automatic_invoice")):
            self._bonopay_normalised_late()._send_invoice()
        return res

    def _bonopay_normalised_late(self):
        since = fields.Datetime.now() - LOOK_BACK
        sealed = [("superseded", "=", False), ("state", "=", "certified"), ("certified_at", ">=", since)]
        unsent = [("is_move_sent", "=", False), ("state", "=", "posted"), ("bonopay_seal_ids", "any", sealed)]
        return self.search(
            [
                ("state", "=", "done"),
                ("is_post_processed", "=", True),
                ("last_state_change", "<", since),
                ("sale_order_ids.state", "=", "sale"),
                ("invoice_ids", "any", unsent),
            ]
        )
