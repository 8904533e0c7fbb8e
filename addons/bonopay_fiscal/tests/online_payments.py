"""Payments of customers on the website, without a service behind them."""

from unittest.mock import patch

from odoo import Command


class OnlinePayments:
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
