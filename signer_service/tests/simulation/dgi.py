"""The DGI as a model: it keeps what it was told, whatever becomes of the signer, and certifies a uid once."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bonopay_signer.dgi.device import (
    DeviceStatus,
    DeviceTotals,
    Document,
    Elements,
    Fate,
    GroupTotals,
    Pending,
    Refused,
    UnknownOutcome,
    Unreachable,
)
from bonopay_signer.dgi.emcf import UID_UNKNOWN
from bonopay_signer.tenants.rows import Outlet

from .faults import Fault, current


@dataclass
class Request:
    nim: str
    fiscal_number: str
    total: Decimal
    tax: Decimal
    state: str = "pending"  # then certified, or cancelled


@dataclass
class Dgi:
    """Every request ever made, by uid."""

    requests: dict[str, Request] = field(default_factory=dict)
    answered: dict[str, Elements] = field(default_factory=dict)
    """Elements that reached the signer: its journal of exchanges, written before they are used."""
    _uids: itertools.count = field(default_factory=lambda: itertools.count(1))

    def certified(self) -> list[str]:
        """The fiscal numbers that were certified, as often as they were."""
        return [request.fiscal_number for request in self.requests.values() if request.state == "certified"]

    def new_uid(self) -> str:
        return f"uid-{next(self._uids):06d}"


class ModelDevice:
    """The e-MCF of one outlet; see bonopay_signer.dgi.device.Device."""

    def __init__(self, dgi: Dgi, outlet: Outlet) -> None:
        self._dgi = dgi
        self._nim = outlet.nim

    async def prepare(self, document: Document) -> Pending:
        fault = await _begin("prepare")
        totals = document.invoice.totals
        uid = self._dgi.new_uid()
        request = Request(self._nim, document.fiscal_number, Decimal(totals.total), Decimal(totals.tax))
        self._dgi.requests[uid] = request
        await _end("prepare", fault)
        groups = {
            group.code: GroupTotals(Decimal(group.base), Decimal(group.tax), Decimal(group.total))
            for group in document.invoice.tax_groups
        }
        return Pending(uid, DeviceTotals(request.total, request.tax, groups))

    async def confirm(self, fiscal_number: str, uid: str, total: Decimal, tax: Decimal) -> Elements:
        fault = await _begin("confirm")
        request = self._pending(uid)
        assert (request.fiscal_number, request.total, request.tax) == (fiscal_number, total, tax)
        request.state = "certified"
        await _end("confirm", fault)
        return self._journaled(uid)

    async def cancel(self, fiscal_number: str | None, uid: str) -> None:
        fault = await _begin("cancel")
        self._pending(uid).state = "cancelled"
        await _end("cancel", fault)

    async def status(self) -> DeviceStatus:
        await _end("status", await _begin("status"))
        pending = {
            uid for uid, known in self._dgi.requests.items() if (known.nim, known.state) == (self._nim, "pending")
        }
        return DeviceStatus(True, self._nim, "", None, None, frozenset(pending))

    async def fate(self, fiscal_number: str, uid: str) -> Elements | Fate:
        await _end("fate", await _begin("fate"))
        state = self._dgi.requests[uid].state
        if state == "certified":
            return self._journaled(uid)
        return Fate.PENDING if state == "pending" else Fate.NOT_FINALISED

    async def recall(self, fiscal_number: str, uid: str) -> Elements | None:
        return self._dgi.answered.get(uid)

    async def reference_tables(self) -> Mapping[str, Any]:
        return {}

    def _pending(self, uid: str) -> Request:
        request = self._dgi.requests.get(uid)
        if request is None or request.state != "pending":
            raise Refused(UID_UNKNOWN, "no such request waits")
        return request

    def _journaled(self, uid: str) -> Elements:
        elements = Elements(f"CODE-{uid}", self._nim, "1/1 FV", "21/11/2026 09:30:00", f"RDCDEF01;{uid}")
        self._dgi.answered[uid] = elements
        return elements


async def _begin(call: str) -> Fault | None:
    effects = current.get()
    assert effects is not None
    fault = effects.begin(f"DGI {call}")
    if fault is Fault.STALL_BEFORE:
        await effects.stall()
    if fault in (Fault.ERROR_BEFORE, Fault.LATE):
        raise Unreachable("simulated: no connection to the DGI")
    return fault


async def _end(call: str, fault: Fault | None) -> None:
    effects = current.get()
    assert effects is not None
    effects.end(f"DGI {call}", fault)
    if fault is Fault.STALL_AFTER:
        await effects.stall()
    if fault is Fault.ERROR_AFTER:
        raise UnknownOutcome("simulated: the DGI's answer was lost")
