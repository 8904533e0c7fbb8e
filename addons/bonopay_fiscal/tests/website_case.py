"""A customer who pays on the website, without a service behind the provider."""

from odoo import Command

from .common import FiscalCase, trap_seals
from .online_payments import OnlinePayments


class WebsiteCase(OnlinePayments, FiscalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._offer_a_provider()

    def _paid(self, move):
        """A transaction of the public user that is done and was post-processed."""
        transaction = self.env["payment.transaction"].create(
            {
                "provider_id": self.provider.id,
                "payment_method_id": self.method.id,
                "amount": move.amount_total,
                "currency_id": move.currency_id.id,
                "partner_id": move.partner_id.id,
                "reference": move.name or "WEB-1",
                "operation": "online_direct",
                "invoice_ids": [Command.set(move.ids)],
            }
        )
        transaction.state = "done"
        with trap_seals(self.env) as trapped:
            transaction.with_user(self.env.ref("base.public_user")).sudo()._post_process()
        return transaction, trapped
