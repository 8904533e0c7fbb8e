"""What a client's behaviour shows, read from its exchanges in their order.

A trace is a trouble that waits for its good or bad end:

lost ──the uid is asked for──▶ passed ──the invoice is sent again──▶ taken back
  └────the invoice is sent again──▶ spoiled
cut ───the uid is confirmed or cancelled──▶ passed
  └────the invoice is sent again──▶ spoiled
refused, outage, token ──an invoice is certified (the refused one, changed)──▶ passed
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from .disturbance import REPLY_LOST, REQUEST_LOST
from .documents import Document, read_document
from .errors import RefusalError
from .steps import CANCEL, CONFIRM, DETAILS, PREPARE, STATUS, TABLES, step_of, uid_of
from .store import Transaction
from .tables import load_tables
from .wire import decode, encode

CONDUCTS = frozenset(
    {
        "status",
        "tax_groups",
        "currency_rates",
        "after_token",
        "new_rate",
        "cancelled",
        "corrected",
        "after_expiry",
        "lost_reply",
        "cut_confirm",
        "totals_differ",
        "after_outage",
    }
)
TABLE_CONDUCTS = {"taxGroups": "tax_groups", "currencyRates": "currency_rates"}
AFTER_TROUBLE = {"outage": "after_outage", "token": "after_token"}


@dataclass(frozen=True, slots=True)
class Proof:
    """Either a conduct shown or a document certified; `rn` and `uid` name the invoice concerned, if there is one."""

    conduct: str = ""
    document: Document | None = None
    rn: str = ""
    uid: str = ""


class Observer:
    """Looks at the exchanges of one NIM, oldest first."""

    def __init__(self, transaction: Transaction, nim: str) -> None:
        self._transaction = transaction
        self._traces = transaction.checklist
        self._nim = nim

    def see(self, exchange: sqlite3.Row) -> Iterator[Proof]:
        step = step_of(exchange["method"], exchange["path"])
        if exchange["fault"] == "outage_s":
            self._trace("outage")
        elif exchange["status"] == 401:
            self._trace("token")
        elif step in SIGHTS:
            yield from SIGHTS[step](self, exchange)

    def _see_status(self, exchange: sqlite3.Row) -> Iterator[Proof]:
        if _is_answered(exchange):
            yield Proof("status")

    def _see_table(self, exchange: sqlite3.Row) -> Iterator[Proof]:
        conduct = TABLE_CONDUCTS.get(exchange["path"].rpartition("/")[2])
        if conduct and _is_answered(exchange):
            yield Proof(conduct)

    def _see_prepare(self, exchange: sqlite3.Row) -> Iterator[Proof]:
        sent = _sent(exchange["request"])
        if sent is None:
            return
        rn, content = sent
        self._traces.spoil(self._nim, rn, content)
        if exchange["error_code"] and not exchange["fault"]:
            self._trace("refused", rn=rn, content=content)
        yield from ()

    def _see_confirm(self, exchange: sqlite3.Row) -> Iterator[Proof]:
        invoice = self._transaction.invoice(uid_of(exchange["path"]), self._nim)
        if invoice is None:
            return
        sent = _sent(invoice["request"])
        assert sent is not None, "a prepared invoice was readable"
        if exchange["fault"] in REQUEST_LOST:
            self._trace("cut", invoice["uid"], *sent)
        if not _is_done(exchange):
            return
        if exchange["fault"] in REPLY_LOST:
            self._trace("lost", invoice["uid"], *sent)
        yield from self._certified(invoice, *sent)

    def _certified(self, invoice: sqlite3.Row, rn: str, content: str) -> Iterator[Proof]:
        uid = invoice["uid"]
        yield Proof(document=read_document(decode(invoice["request"])), rn=rn, uid=uid)
        for kind, conduct in AFTER_TROUBLE.items():
            if self._traces.has(self._nim, kind):
                yield Proof(conduct, rn=rn, uid=uid)
        if self._traces.was_refused_otherwise(self._nim, rn, content):
            yield Proof("corrected", rn=rn, uid=uid)
        if self._traces.had_expired(self._nim, rn, invoice["submitted_at"]):
            yield Proof("after_expiry", rn=rn, uid=uid)
        if _has_new_rate(invoice):
            yield Proof("new_rate", rn=rn, uid=uid)
        yield from self._finished(invoice)

    def _finished(self, invoice: sqlite3.Row) -> Iterator[Proof]:
        if self._traces.has(self._nim, "cut", invoice["uid"]):
            yield Proof("cut_confirm", rn=invoice["rn"], uid=invoice["uid"])

    def _see_cancel(self, exchange: sqlite3.Row) -> Iterator[Proof]:
        invoice = self._transaction.invoice(uid_of(exchange["path"]), self._nim)
        if invoice is None or not _is_done(exchange):
            return
        yield Proof("cancelled", rn=invoice["rn"], uid=invoice["uid"])
        if _has_false_total(invoice):
            yield Proof("totals_differ", rn=invoice["rn"], uid=invoice["uid"])
        yield from self._finished(invoice)

    def _see_details(self, exchange: sqlite3.Row) -> Iterator[Proof]:
        invoice = self._transaction.invoice(uid_of(exchange["path"]), self._nim)
        if invoice is None or not _is_answered(exchange):
            return
        if self._traces.ask(self._nim, invoice["uid"]):
            yield Proof("lost_reply", rn=invoice["rn"], uid=invoice["uid"])

    def _trace(self, kind: str, uid: str = "", rn: str = "", content: str = "") -> None:
        self._traces.trace(self._nim, kind, uid, rn, content)


SIGHTS: dict[str, Callable[[Observer, sqlite3.Row], Iterator[Proof]]] = {
    STATUS: Observer._see_status,
    TABLES: Observer._see_table,
    PREPARE: Observer._see_prepare,
    CONFIRM: Observer._see_confirm,
    CANCEL: Observer._see_cancel,
    DETAILS: Observer._see_details,
}


def _is_done(exchange: sqlite3.Row) -> bool:
    return exchange["error_code"] is None and exchange["status"] < 400


def _is_answered(exchange: sqlite3.Row) -> bool:
    return _is_done(exchange) and exchange["fault"] not in REPLY_LOST


def _sent(request: bytes) -> tuple[str, str] | None:
    """The number, and a digest of all the rest, of an invoice as received; None when it cannot be read."""
    try:
        body = decode(request)
    except RefusalError:
        return None
    rest = encode({name: body[name] for name in sorted(body) if name != "rn"})
    return str(body.get("rn") or "").strip(), hashlib.sha256(rest).hexdigest()


def _amounts(invoice: sqlite3.Row) -> dict[str, Decimal]:
    amounts: dict[str, Decimal] = json.loads(invoice["answer"], parse_float=Decimal, parse_int=Decimal)
    return amounts


def _has_false_total(invoice: sqlite3.Row) -> bool:
    """Whether the total told is not the sum of the groups, as an injected fault makes it."""
    amounts = _amounts(invoice)
    return amounts["total"] != sum(amounts[f"ta{group.lower()}"] for group in load_tables().rates)


def _has_new_rate(invoice: sqlite3.Row) -> bool:
    """Whether a group of the invoice bore another rate than the published one."""
    amounts = _amounts(invoice)
    return any(
        amounts[f"ta{group.lower()}"] and amounts[f"t{group.lower()}"] != rate
        for group, rate in load_tables().rates.items()
    )
