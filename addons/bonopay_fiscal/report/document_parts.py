"""What a printed document is made of, as plain values. Pure."""

from dataclasses import dataclass
from datetime import datetime

from .invoice_sheets import PX_PER_MM, Sheet
from .qr_symbol import QrSymbol


@dataclass(frozen=True, slots=True)
class Copy:
    """One print on its way: 0 for the original, n for the n-th duplicata."""

    number: int


class PayloadAlteredError(ValueError):
    """The payload no longer has the hash under which it was frozen: it must not be printed."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """The point of sale as it was when the document was frozen (SFE §1.2 a, c, d, v); `core`: the fiscal core then."""

    name: str
    outlet: str | None = None
    street: str | None = None
    city: str | None = None
    phone: str | None = None
    email: str | None = None
    isf: str | None = None
    zone: str = "Africa/Kinshasa"
    core: str | None = None


@dataclass(frozen=True, slots=True)
class SealFacts:
    """The columns of a seal that are printed.

    `payload` is the canonical text of docs/contracts.md §2; `response` the signer's answer, byte for byte (§5).
    """

    state: str
    payload: str
    payload_hash: str
    response: str | None = None
    test_mode: bool = False
    fiscal_number: str | None = None
    fiscal_authority_id: str | None = None
    short_code: str | None = None
    sealed_at: datetime | None = None
    qr_payload: str | None = None
    verification_url: str | None = None
    ledger_index: int | None = None
    ledger_entry_hash: str | None = None
    dgi_code: str | None = None
    dgi_nim: str | None = None
    dgi_isf: str | None = None
    dgi_counters: str | None = None
    dgi_time: str | None = None
    dgi_qr: str | None = None

    @property
    def is_normalised(self) -> bool:
        """Only with every security element of the DGI may the document be called an invoice (SFE §1.5)."""
        elements = (self.dgi_code, self.dgi_nim, self.dgi_counters, self.dgi_time, self.dgi_qr, self.fiscal_number)
        return self.state == "certified" and all(elements)


@dataclass(frozen=True, slots=True)
class DgiBlock:
    """The security elements, exactly as the device returned them (SFE §1.2 x)."""

    code: str
    code_in_fours: str
    nim: str
    counters: str
    time: str
    qr: QrSymbol


@dataclass(frozen=True, slots=True)
class VerificationBlock:
    """The seal of the signer: secondary, and shown as such."""

    fiscal_number: str
    short_code: str
    url: str
    authority: str
    sealed_at: str
    ledger: str
    qr: QrSymbol


@dataclass(frozen=True, slots=True)
class ProvisionalBlock:
    """Why a slip is not an invoice; what it lacks, unless it never will be one; until when a sale is put in order."""

    reason: str
    way_out: str
    missing: str | None
    deadline: str | None


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """Everything on the page, in the order of the page."""

    is_fiscal: bool
    heading: str
    subheading: str | None
    marks: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    seller: tuple[tuple[str | None, str], ...]
    client: tuple[tuple[str | None, str], ...]
    price_mode: str
    price_mode_code: str
    wide_figures: bool
    sheets: tuple[Sheet, ...]
    groups: tuple[dict[str, str], ...]
    totals: tuple[tuple[str, str], ...]
    total_due: str
    in_words: str
    payments: tuple[tuple[str, str], ...]
    foreign_currency: tuple[str, ...]
    comments: tuple[str, ...]
    operator: str
    isf: str | None
    dgi: DgiBlock | None
    verification: VerificationBlock | None
    provisional: ProvisionalBlock | None
    identity: str
    px_per_mm: float = PX_PER_MM
