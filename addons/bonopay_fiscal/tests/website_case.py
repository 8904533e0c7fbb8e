"""A customer who pays on the website, without a service behind the provider."""

from unittest.mock import patch

from odoo import Command

from .common import FiscalCase, trap_seals


class WebsiteCase(FiscalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._offer_a_provider()

    @classmethod
    def _offer_a_provider(cls):
        """A provider without a service behind it, with a journal that takes its payments."""
        methods = type(cls.env["account.payment.method"])
        known = methods._get_payment_method_information(cls.env["account.payment.method"])
        information = {**known, "none": {"mode": "multi", "type": ("bank",)}}
        cls.startClassPatcher(patch.object(methods, "_get_payment_method_information", lambda _self: information))
        cls.env["account.payment.method"].sudo().create({"name": "Web", "code": "none", "payment_type": "inbound"})
        cls.method = cls.env.ref("payment.payment_method_unknown")
        cls.provider = cls.env["payment.provider"].create(
            {
                "name": "Web",
                "code": "none",
                "state": "test",
                "company_id": cls.company.id,
                "payment_method_ids": [Command.set(cls.method.ids)],
            }
        )
        cls.method.active = True
        bank = [("type", "=", "bank"), ("company_id", "=", cls.company.id)]
        cls.provider.journal_id = cls.env["account.journal"].search(bank, limit=1)

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
