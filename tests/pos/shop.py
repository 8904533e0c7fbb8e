"""A Congolese shop in francs, made over the calls of an administrator, and what the server knows of its sales."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from launcher.odoo import Odoo, Session

LOGIN = ("admin", "admin")
CASH = "Espèces"
MOBILE = "M-Pesa"
RICE = "Riz 25 kg"
OIL = "Huile 5 l"
PRICES = {RICE: 52_000, OIL: 23_500}


@dataclass
class Server:
    """A running Odoo with one database; `shop()` opens one more shop in it."""

    odoo: Odoo
    database: str

    def __post_init__(self) -> None:
        self.administrator = Session(self.odoo.url, self.database, *LOGIN)
        self.company = self.administrator.reference("base", "demo_company_cd")
        self.administrator.use_company(self.company)
        self.administrator.call("res.users", "write", [self.administrator.user_id], {"lang": "en_US"})
        self._category = self._create("pos.category", name="Épicerie")
        self._other_category = self._create("pos.category", name="Boissons")
        for name, price in PRICES.items():
            self._create(
                "product.template",
                name=name,
                list_price=price,
                available_in_pos=True,
                pos_categ_ids=[[6, 0, [self._category]]],
                company_id=self.company,
            )

    def shop(self) -> Shop:
        """With cash, which no other till may take, and mobile money."""
        mark = secrets.token_hex(2).upper()
        methods = [
            self._create("pos.payment.method", name=CASH, journal_id=self._journal("cash", mark)),
            self._create("pos.payment.method", name=MOBILE, journal_id=self._journal("bank", mark)),
        ]
        config = self._create(
            "pos.config",
            name=f"Caisse {mark}",
            company_id=self.company,
            payment_method_ids=[[6, 0, methods]],
            limit_categories=True,
            iface_available_categ_ids=[[6, 0, [self._category]]],
            iface_print_skip_screen=False,
        )
        return Shop(self, config)

    def offer_more(self, config: int) -> None:
        values = {"iface_available_categ_ids": [[4, self._other_category]]}
        self.administrator.call("pos.config", "write", [config], values)

    def _journal(self, kind: str, mark: str) -> int:
        return self._create("account.journal", name=f"{kind} {mark}", type=kind, code=f"{kind[0]}{mark}".upper())

    def _create(self, model: str, **values: Any) -> int:
        created = self.administrator.call(model, "create", [values])
        return created[0] if isinstance(created, list) else created


@dataclass(frozen=True)
class Shop:
    """One point of sale."""

    server: Server
    config: int

    def orders(self) -> list[dict[str, Any]]:
        """What the server holds of it, oldest first."""
        domain = [["config_id", "=", self.config]]
        fields = ["uuid", "pos_reference", "state", "amount_total", "session_id"]
        return self.server.administrator.call("pos.order", "search_read", domain, fields, order="id")

    def paid(self) -> list[dict[str, Any]]:
        return [order for order in self.orders() if order["state"] in ("paid", "done", "invoiced")]

    def change(self) -> None:
        """One more category of articles, by a manager in the back office."""
        self.server.offer_more(self.config)

    def wait_until_closed(self) -> None:
        """Until its session is closed.

        :raises AssertionError: it stays open
        """
        domain = [["config_id", "=", self.config], ["state", "!=", "closed"]]
        ends = time.monotonic() + 20
        while self.server.administrator.call("pos.session", "search_count", domain):
            assert time.monotonic() < ends, "the session is not closed"
            time.sleep(0.5)
