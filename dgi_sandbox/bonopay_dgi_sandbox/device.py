"""The e-MCF: it computes, keeps what waits for confirmation and certifies.

pending ──confirm──▶ confirmed
   ├────cancel─────▶ cancelled
   └──120 s later──▶ expired
"""

import json
import secrets
import sqlite3
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Any

from . import __version__
from .accounts import Accounts, Outlet
from .credit_notes import Original, check_credit_note
from .documents import Document, read_document
from .errors import RefusalError
from .faults import Clock, Faults, from_timestamp, iso
from .rules import CODE_LENGTH, check_amounts, check_document
from .store import Pending, Store, Transaction
from .tables import CREDIT_NOTES, REBATE, Tables
from .taxes import Totals, answer_totals, compute_totals
from .wire import as_number, decode, encode, in_figures

MAX_PENDING = 10
CODE_PREFIX = "TEST"
CODE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
NO_ERROR: dict[str, Any] = {"errorCode": None, "errorDesc": None}


@dataclass(slots=True)
class Device:
    store: Store
    tables: Tables
    accounts: Accounts
    clock: Clock
    faults: Faults
    pending_seconds: int = 120

    def submit(self, outlet: Outlet, body: bytes) -> dict[str, Any]:
        """POST /api/invoice: checks, computes, keeps for `pending_seconds`. Raises RefusalError."""
        document = read_document(decode(body))
        with self.store.transaction() as transaction:
            now, rates = self.clock.now(outlet.nim), self.rates(outlet)
            self._expire(transaction, outlet, now)
            if len(transaction.pending(outlet.nim)) >= MAX_PENDING:
                raise RefusalError("too_many_pending", f"{MAX_PENDING} au plus")
            check_document(document, outlet, self.tables)
            totals = compute_totals(document.items, document.mode, rates)
            check_amounts(document, totals)
            _check_history(transaction, document)
            totals = self._skewed(totals, outlet)
            answer = answer_totals(totals, rates)
            uid = str(uuid.uuid4())
            transaction.insert(
                Pending(uid, outlet.nim, document, now.timestamp(), body, encode(answer), totals.total, totals.tax)
            )
        return {"uid": uid, **answer, **NO_ERROR}

    def _skewed(self, totals: Totals, outlet: Outlet) -> Totals:
        skew = self.faults.totals_skew(outlet.nim)
        return replace(totals, total=totals.total + skew, tax=totals.tax + skew)

    def confirm(self, outlet: Outlet, uid: str, body: bytes) -> dict[str, Any]:
        """PUT …/confirm: certifies once, when the caller's totals are ours. Raises RefusalError."""
        given = decode(body)
        with self.store.transaction() as transaction:
            now = self.clock.now(outlet.nim)
            invoice = self._pending(transaction, outlet, uid, now)
            _check_confirmed_totals(given, invoice)
            _check_history(transaction, read_document(decode(invoice["request"])))
            # The clock was read under the write lock: time and counters rise together.
            transaction.certify(invoice, _mint_code(), iso(now))
            certified = transaction.invoice(uid, outlet.nim)
            assert certified is not None
            return {**elements(certified), **NO_ERROR}

    def cancel(self, outlet: Outlet, uid: str) -> dict[str, Any]:
        """PUT …/cancel: forgets a pending invoice; the elements are empty. Raises RefusalError."""
        with self.store.transaction() as transaction:
            now = self.clock.now(outlet.nim)
            invoice = self._pending(transaction, outlet, uid, now)
            transaction.cancel(invoice["uid"])
            return {"dateTime": iso(now), "qrCode": "", "codeDEFDGI": "", "counters": "", "nim": outlet.nim, **NO_ERROR}

    def details(self, outlet: Outlet, uid: str) -> dict[str, Any]:
        """GET …/{uid}: the state of an invoice, its totals and, once certified, its elements. Raises RefusalError."""
        with self.store.transaction() as transaction:
            self._expire(transaction, outlet, self.clock.now(outlet.nim))
            invoice = transaction.invoice(uid, outlet.nim)
        if invoice is None:
            raise RefusalError("uid_unknown")
        totals = json.loads(invoice["answer"], parse_float=Decimal)
        known = {name: invoice[name] for name in ("uid", "state", "nif", "rn", "type")}
        proof = elements(invoice) if invoice["state"] == "confirmed" else {}
        return {**known, **totals, **proof, **NO_ERROR}

    def status(self, outlet: Outlet, token_expiry: float) -> dict[str, Any]:
        """GET /api/invoice."""
        now = self.clock.now(outlet.nim)
        with self.store.transaction() as transaction:
            self._expire(transaction, outlet, now)
            pending = transaction.pending(outlet.nim)
        return {
            **self._identity(outlet, token_expiry, now),
            "pendingRequestsCount": len(pending),
            "pendingRequestsList": [
                {"date": iso(from_timestamp(row["submitted_at"])), "uid": row["uid"]} for row in pending
            ],
        }

    def info(self, outlet: Outlet, token_expiry: float) -> dict[str, Any]:
        """GET /api/info/status."""
        devices = [_device(sibling) for sibling in self.accounts.of_nif(outlet.nif)]
        return {**self._identity(outlet, token_expiry, self.clock.now(outlet.nim)), "emcfList": devices}

    def rates(self, outlet: Outlet) -> dict[str, Decimal]:
        """Percents by group letter, as they hold now for this e-MCF."""
        today = self.clock.now(outlet.nim).date()
        changed = (change.at(today) for change in self.faults.rate_changes(outlet.nim))
        return reduce(lambda rates, change: {**rates, **change}, changed, self.tables.rates)

    def currency_rates(self, outlet: Outlet) -> list[dict[str, Any]]:
        today = iso(self.clock.now(outlet.nim).replace(hour=0, minute=0, second=0))
        return [{**row, "date": today} for row in self.tables.currency_rates]

    def _identity(self, outlet: Outlet, token_expiry: float, now: datetime) -> dict[str, Any]:
        return {
            "status": True,
            "version": __version__,
            "nif": outlet.nif,
            "nim": outlet.nim,
            "tokenValid": iso(from_timestamp(token_expiry)),
            "serverDateTime": iso(now),
        }

    def _expire(self, transaction: Transaction, outlet: Outlet, now: datetime) -> None:
        transaction.expire_pending(outlet.nim, now.timestamp() - self.pending_seconds)

    def _pending(self, transaction: Transaction, outlet: Outlet, uid: str, now: datetime) -> sqlite3.Row:
        invoice = transaction.invoice(uid, outlet.nim)
        if invoice is None or invoice["state"] != "pending":
            raise RefusalError("uid_unknown")
        if invoice["submitted_at"] <= now.timestamp() - self.pending_seconds:
            raise RefusalError("uid_unknown", f"délai de {self.pending_seconds} s dépassé")
        return invoice


def elements(invoice: sqlite3.Row) -> dict[str, str]:
    """The security elements of a certified invoice; QR content as in `RDCDEF01;NIM;code;NIF;yyyyMMddHHmmss`."""
    stamp = datetime.fromisoformat(invoice["date_time"]).strftime("%Y%m%d%H%M%S")
    return {
        "dateTime": invoice["date_time"],
        "qrCode": f"RDCDEF01;{invoice['nim']};{invoice['code']};{invoice['nif']};{stamp}",
        "codeDEFDGI": invoice["code"],
        "counters": counters(invoice),
        "nim": invoice["nim"],
    }


def counters(invoice: sqlite3.Row) -> str:
    return f"{invoice['type_counter']}/{invoice['total_counter']} {invoice['type']}"


def _check_history(transaction: Transaction, document: Document) -> None:
    """Against what is certified already; asked again at confirmation, since another may have come first."""
    if transaction.is_certified(document.nif, document.rn):
        raise RefusalError("rn_duplicate", document.rn)
    if document.type in CREDIT_NOTES and document.nature != REBATE:
        check_credit_note(document, _original(transaction, document))


def _original(transaction: Transaction, credit_note: Document) -> Original | None:
    request = transaction.certified(credit_note.nif, credit_note.reference)
    if request is None:
        return None
    credits = [read_document(decode(body)) for body in transaction.credits(credit_note.nif, credit_note.reference)]
    return Original(read_document(decode(request)), tuple(item for credit in credits for item in credit.items))


def _check_confirmed_totals(given: dict[str, Any], invoice: sqlite3.Row) -> None:
    for field in ("total", "vtotal"):
        if field not in given or as_number(given[field], field) != Decimal(invoice[field]):
            raise RefusalError("totals_differ", f"{field} calculé, {in_figures(Decimal(invoice[field]))}")


def _mint_code() -> str:
    random_part = (secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH - len(CODE_PREFIX)))
    return CODE_PREFIX + "".join(random_part)


def _device(outlet: Outlet) -> dict[str, str]:
    blank = {"address2": "", "address3": "", "contact1": "", "contact2": "", "contact3": ""}
    known = {"nim": outlet.nim, "status": "Actif", "shopName": outlet.shop_name, "address1": outlet.address}
    return {**known, **blank}
