"""What a fiscal device can do, and how it can fail. Drivers: emcf.py (HTTP), mcf/device.py (a line).

Three failures are told apart, because what may be done next differs:

- ``Refused``: the device answered no. Sending the same again will not help.
- ``Unreachable``: the request had no effect. Sending the same again is safe.
- ``UnknownOutcome``: the request may have had its effect. Ask; never repeat blindly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol

from bonopay_signer.fiscal.schema import Invoice


class DeviceError(Exception):
    """The device did not do what it was asked."""


class Refused(DeviceError):
    """The request was refused.

    ``is_verdict``: in the device's own words. Otherwise something on the way refused it (a gateway), which says
    nothing about the document.
    """

    def __init__(self, code: str, words: str, is_verdict: bool = True) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words
        self.is_verdict = is_verdict


class Unreachable(DeviceError):
    """Nothing happened at the device."""


class Busy(Unreachable):
    """The device answered that it cannot now, and did nothing."""


class UnknownOutcome(DeviceError):
    """The request was, or may have been, received, and what became of it is not known."""


class NoUsableAnswer(UnknownOutcome):
    """… because the device said nothing, or nothing that can be read."""


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice under the number that the signer reserved for it (``rn``) and the outlet's ISF."""

    fiscal_number: str
    isf: str
    invoice: Invoice


@dataclass(frozen=True, slots=True)
class GroupTotals:
    base: Decimal
    tax: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class DeviceTotals:
    """What the device computed, CDF; ``groups`` holds each tax group that the answer names with an amount, ``rates``
    the percent of each whose rate it tells."""

    total: Decimal
    tax: Decimal
    groups: Mapping[str, GroupTotals]
    rates: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """A prepared document: nothing is certified until it is confirmed; it expires by itself after about 2 minutes."""

    uid: str
    totals: DeviceTotals


@dataclass(frozen=True, slots=True)
class Elements:
    """The legal security elements, exactly as returned (SFE §1.4)."""

    code: str
    nim: str
    counters: str
    time: str
    qr: str


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    operational: bool
    nim: str
    nif: str
    token_valid_until: str | None
    server_time: str | None
    pending_uids: frozenset[str]


class Fate(Enum):
    """What the device says of a uid when it shows no security elements."""

    PENDING = "pending"
    NOT_FINALISED = "not_finalised"
    NOT_TOLD = "not_told"


class Device(Protocol):
    async def prepare(self, document: Document) -> Pending:
        """Have the document computed and kept for confirmation."""

    async def confirm(self, fiscal_number: str, uid: str, total: Decimal, tax: Decimal) -> Elements:
        """Certify a prepared document, once."""

    async def cancel(self, fiscal_number: str | None, uid: str) -> None:
        """Forget a prepared document. Refused when the uid is not pending (any more)."""

    async def status(self) -> DeviceStatus:
        """The device's state and the uids that wait for confirmation."""

    async def fate(self, fiscal_number: str, uid: str) -> Elements | Fate:
        """What became of a uid; the elements when it was certified."""

    async def recall(self, fiscal_number: str, uid: str) -> Elements | Fate | None:
        """What the device has told before and is on record, without asking it: the elements, or that the uid was not
        finalised and cannot be any more; None tells nothing."""

    async def reference_tables(self) -> Mapping[str, Any]:
        """The device's own tables: rates of tax groups, types, currency rates."""
