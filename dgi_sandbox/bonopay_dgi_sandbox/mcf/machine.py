"""The MCF itself: its commands, one open invoice at a time, its counters and its codes."""

import json
import secrets
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ..accounts import Outlet
from ..credit_notes import Original, check_credit_note
from ..documents import Document
from ..errors import RefusalError
from ..rules import check_amounts, check_document
from ..tables import REBATE, Tables
from ..taxes import GroupTotals, Totals, compute_totals
from .invoice import OpenInvoice, open_invoice, read_again
from .memory import Certified, Memory
from .wire import escaped

KINSHASA = timedelta(hours=1)
LETTERS = "ABCDEFGHIJKLMNOP"
CODE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
CANNOT_CHECK_NOW = "E:10,Vérification impossible sans réseau"
NOT_KNOWN = "E:100,Commande inconnue"
TAXPAYER = ("I0", "I1", "I2", "I3", "I4", "D0", "D1", "D2")


class Machine:
    def __init__(self, outlet: Outlet, memory: Memory, tables: Tables, city: str = "Kinshasa") -> None:
        self._outlet = outlet
        self._memory = memory
        self._tables = tables
        contact = ("", "")
        self._taxpayer = (outlet.company, outlet.address, city, *contact, "CDF", "Franc congolais", "2")
        self._client: str | None = None
        self._open: OpenInvoice | None = None
        self._commands: dict[int, Callable[[str], str]] = {
            0xC1: self._status,
            0xC2: self._link,
            0x2B: self._about,
            0xC3: self._set_client,
            0xC0: self._open_invoice,
            0x31: self._enter(0x31),
            0x36: self._enter(0x36),
            0x33: self._subtotal,
            0x35: self._enter(0x35),
            0x38: self._finish,
        }

    def execute(self, command: int, data: bytes) -> bytes:
        """The data of the answer; refusals are answered as `E:code,words`."""
        handler = self._commands.get(command)
        if handler is None:
            return NOT_KNOWN.encode()
        try:
            return handler(data.decode()).encode()
        except UnicodeDecodeError:
            return _told(RefusalError("unreadable", "UTF-8"))
        except RefusalError as refusal:
            return _told(refusal)

    def cut_power(self) -> None:
        """Everything that was not certified is forgotten."""
        self._client = self._open = None

    def _status(self, _: str) -> str:
        counters, last = self._memory.counters(), self._memory.last()
        told = ["", "", "", "", ""]
        if last is not None:
            told = [last["time"], last["type"], last["code"], escaped(last["number"]), last["total"]]
        rates = [f"{self._tables.rates[letter].normalize():f}" for letter in LETTERS]
        dollar = next(row for row in self._tables.currency_rates if row["type"] == "USD")
        now = _now()
        counts = [str(counters[name]) for name in ("all", "sale", "credit")]
        currency = ["USD", f"{dollar['rate']:f}", now[:8]]
        return ",".join([self._outlet.nim, self._outlet.nif, now, *counts, *told, *rates, *currency])

    def _link(self, _: str) -> str:
        if self._memory.network_is_there():
            self._memory.send_to_the_dgi(_now())
        sent, contact = self._memory.contact()
        return f"{sent},{self._memory.counters()['all']},{contact},DIS,"

    def _about(self, data: str) -> str:
        if data not in TAXPAYER:
            raise RefusalError("unreadable", data)
        return escaped(self._taxpayer[TAXPAYER.index(data)])

    def _set_client(self, data: str) -> str:
        if self._open is not None:
            raise RefusalError("too_many_pending", "une facture est ouverte")
        self._client = data
        return ""

    def _open_invoice(self, data: str) -> str:
        if self._open is not None:
            raise RefusalError("too_many_pending", "une facture est ouverte")
        if self._client is None:
            raise RefusalError("client_type")
        self._open = open_invoice(self._client, data, self._tables.rates)
        return ""

    def _enter(self, command: int) -> Callable[[str], str]:
        def enter(data: str) -> str:
            self._current().enter(command, data)
            return ""

        return enter

    def _subtotal(self, _: str) -> str:
        current = self._current()
        totals = self._checked_totals(current.document())
        current.subtotal_asked = True
        groups = [totals.groups.get(letter, GroupTotals()) for letter in LETTERS]
        amounts = [totals.total, *(one.total for one in groups), *(one.tax for one in groups), totals.specific_tax]
        # An amount of zero is left out: with thirty-five fields the answer would not fit its frame.
        return ",".join(
            [f"{amount:.2f}" if amount else "" for amount in amounts] + [self._in_currency(current, totals)]
        )

    def _in_currency(self, current: OpenInvoice, totals: Totals) -> str:
        document = current.document()
        return f"{totals.total / document.rate:.2f}" if document.rate else ""

    def _finish(self, data: str) -> str:
        if data == "C":
            self._current()
            self.cut_power()
            return ""
        current = self._current()
        document = current.document()
        totals = self._checked_totals(document)
        check_amounts(document, totals)
        if data != f"{totals.total:.2f},{totals.tax:.2f}":
            raise RefusalError("totals_differ", data)
        if current.is_credit:
            waiting = self._verify(current, document)
            if waiting is not None:
                return waiting
        row = self._certify(current, document, totals)
        self.cut_power()
        return self._elements(row)

    def _verify(self, current: OpenInvoice, document: Document) -> str | None:
        """The DGI's check of a credit note: `P:` until it has come, an error without network."""
        if not self._memory.network_is_there():
            return CANNOT_CHECK_NOW
        if current.checks_left == 0:
            current.checks_left = self._memory.credit_checks() + 1
        current.checks_left -= 1
        if current.checks_left > 0:
            return f"P:{current.checks_left}"
        if document.nature != REBATE:
            check_credit_note(document, self._original(document))
        return None

    def _original(self, document: Document) -> Original | None:
        row = self._memory.by_code(document.reference)
        if row is None:
            return None
        credited = [item for credit in self._memory.credits_of(document.reference) for item in self._read(credit).items]
        return Original(self._read(row), tuple(credited))

    def _read(self, row: sqlite3.Row) -> Document:
        return read_again([(command, text) for command, text in json.loads(row["entries"])], self._tables.rates)

    def _checked_totals(self, document: Document) -> Totals:
        check_document(document, self._outlet, self._tables)
        if self._memory.by_number(document.rn) is not None:
            raise RefusalError("rn_duplicate", document.rn)
        return compute_totals(document.items, document.mode, self._tables.rates)

    def _certify(self, current: OpenInvoice, document: Document, totals: Totals) -> sqlite3.Row:
        certified = Certified(
            number=document.rn,
            code="TEST" + "".join(secrets.choice(CODE_ALPHABET) for _ in range(20)),
            type=document.type,
            time=_now(),
            total=totals.total.quantize(Decimal("0.01")),
            tax=totals.tax.quantize(Decimal("0.01")),
            reference=document.reference,
            entries=current.entries,
        )
        return self._memory.certify(certified, "credit" if current.is_credit else "sale")

    def _elements(self, row: sqlite3.Row) -> str:
        counters = [str(row["side_counter"]), str(row["total_counter"]), row["type"], row["time"]]
        return "R:" + ",".join([*counters, self._outlet.nim, self._outlet.nif, escaped(row["number"]), row["code"]])

    def _current(self) -> OpenInvoice:
        if self._open is None:
            raise RefusalError("uid_unknown", "aucune facture ouverte")
        return self._open


def _told(refusal: RefusalError) -> bytes:
    """Cut to what fits an answer."""
    return f"E:{refusal.code},{escaped(refusal.description[:80])}".encode()


def _now() -> str:
    return (datetime.now(UTC) + KINSHASA).strftime("%Y%m%d%H%M%S")
