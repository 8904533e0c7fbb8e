"""The same document on a roll of 80 mm: larger symbols, and the height of the paper that it takes.

Pure. A roll has no sheets, but wkhtmltopdf wants the height of the page before it draws it, so it is reckoned here from
heights that are estimated on the generous side: some blank paper may follow, nothing is cut. Where a sale is longer
than a page of a PDF can be, the roll goes on in another page, between two lines, under a head that says whose it is.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .document_parts import InvoiceDocument
from .invoice_sheets import PX_PER_MM, Row
from .line_pagination import paginate, text_lines
from .qr_symbol import QrSymbol

PAPER_MM, MARGIN_MM = 80, 4  # between the margins lie the 72 mm, 576 dots, that a printer of 80 mm can reach
WIDTH = 354.0  # px of the same 72 mm
LONGEST_MM = 5000  # of one page: a PDF has none above 5080

# A printer of 58 mm scales the 72 mm to its 384 dots: a module of 0.76 mm still has 4 of them.
MODULE_MM = 0.76
VERIFICATION_QR_MM, DGI_QR_MM = 57.0, 60.0  # at most; exactly

# Heights in CSS pixels; they follow the style sheet of the template, rounded up.
FONT, LINE = 13.0, 17.5
SMALL_FONT, SMALL_LINE = 11.0, 14.5
NAME_FONT, NAME_LINE = 18.0, 24.0
HEADING_FONT, HEADING_LINE = 17.0, 23.0
CODE_FONT, CODE_LINE = 16.0, 22.0
MARK, GAP, BOX = 42.0, 11.0, 26.0
CONTINUED = 120.0  # the head of a further page, and the line that announces it
AMOUNT_EM = 0.64


@dataclass(frozen=True, slots=True)
class Part:
    """The lines that one page of the roll holds."""

    rows: tuple[Row, ...]
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the roll adds to a document; `height_mm` is that of its longest page."""

    parts: tuple[Part, ...]
    dgi_qr: QrSymbol | None
    verification_qr: QrSymbol | None
    height_mm: int


def ticket(document: InvoiceDocument) -> Ticket:
    """Lay a document out on a roll."""
    rows = tuple(row for sheet in document.sheets for row in sheet.rows)
    dgi_qr = document.dgi and replace(document.dgi.qr, width_mm=DGI_QR_MM)
    verification_qr = document.verification and _scaled(document.verification.qr)
    head = sum(_head(document))
    tail = sum((*_sums(document), *_security(document, dgi_qr, verification_qr)))
    parts, height = _parts(rows, head, tail, MARK * len(document.marks))
    return Ticket(parts, dgi_qr, verification_qr, math.ceil(height / PX_PER_MM) + 2 * MARGIN_MM)


def _parts(rows: tuple[Row, ...], head: float, tail: float, marks: float) -> tuple[tuple[Part, ...], float]:
    """Share the lines out over the pages; also the height of the longest one in px, which no page exceeds."""
    room = (LONGEST_MM - 2 * MARGIN_MM) * PX_PER_MM - CONTINUED - marks
    heights = [_row(row) for row in rows]
    ranges = paginate(heights, first=room - head, following=room, tail=tail)
    last = len(ranges) - 1
    parts = tuple(
        Part(tuple(rows[index] for index in indices), is_first=number == 0, is_last=number == last)
        for number, indices in enumerate(ranges)
    )
    taken = [
        sum(heights[index] for index in indices)
        + (head if number == 0 else CONTINUED + marks)
        + (tail if number == last else 0)
        for number, indices in enumerate(ranges)
    ]
    return parts, max(taken)


def _scaled(qr: QrSymbol) -> QrSymbol:
    """Our symbol, legible yet smaller than the DGI's."""
    return replace(qr, width_mm=min(qr.side * MODULE_MM, VERIFICATION_QR_MM))


def _text(text: str, font: float = FONT, line: float = LINE, width: float = WIDTH) -> float:
    return text_lines(text, width / font) * line


def _entries(entries: Iterable[tuple[str | None, str]]) -> float:
    return sum(_text(f"{label or ''} : {text}") for label, text in entries)


def _head(document: InvoiceDocument) -> Iterator[float]:
    """Marks, seller, heading, client, price mode, operator and ISF, and the head of the lines."""
    yield 2 * MARK * len(document.marks)
    yield _text(document.seller[0][1], NAME_FONT, NAME_LINE) + _entries(document.seller[1:]) + GAP
    yield BOX + _text(document.heading, HEADING_FONT, HEADING_LINE, WIDTH - 24) + 2 * GAP
    yield _text(document.subheading or "", 14.0, 19.0, WIDTH - 24) + _entries(document.facts)
    yield LINE + GAP + _entries(document.client)
    yield 3 * LINE + GAP + _text(f"Opérateur : {document.operator}")
    yield LINE + 2 * GAP


def _row(row: Row) -> float:
    """One line: its words, then quantity and price beside the amount, then what changed the price."""
    words = _text(f"{row.type_mention} {row.name} ({row.tax_group})")
    beside = WIDTH - 12 - FONT * AMOUNT_EM * len(row.amount)
    figures = _text(f"{row.code} {row.quantity} {row.unit} × {row.unit_price}", width=max(beside, WIDTH / 4))
    return words + figures + sum(_text(note, 12.0, 16.0) for note in row.notes) + 8


def _sums(document: InvoiceDocument) -> Iterator[float]:
    """Groups, totals, words, payments, dollars and comments."""
    yield sum(_text(f"{group['code']} – {group['label']} 100 %") + 4 * LINE + 6 for group in document.groups)
    yield LINE * (len(document.totals) + 2) + 3 * GAP + 32
    yield _text(f"Arrêté à la somme de : {document.in_words}")
    yield 3 * LINE + sum(_text(" : ".join(payment)) for payment in document.payments)
    yield sum(map(_text, document.foreign_currency)) + sum(map(_text, document.comments)) + 2 * GAP


def _security(document: InvoiceDocument, dgi_qr: QrSymbol | None, verification_qr: QrSymbol | None) -> Iterator[float]:
    """The DGI's elements or what a slip lacks, our verification, the slogan and the foot."""
    if document.dgi and dgi_qr:
        yield dgi_qr.width_mm * PX_PER_MM + BOX + 2 * GAP
        yield 3 * LINE + _text(document.dgi.code, CODE_FONT, CODE_LINE) + _text(document.dgi.code_in_fours)
        yield sum(map(_text, (document.dgi.nim, document.dgi.counters, document.dgi.time))) + 3 * LINE
    if document.provisional:
        parts = (document.provisional.reason, document.provisional.way_out, document.provisional.missing)
        yield sum(_text(f"Il manque : {part}", width=WIDTH - 32) for part in parts) + 6 * LINE + BOX + 2 * GAP
    if document.verification and verification_qr:
        yield verification_qr.width_mm * PX_PER_MM + 8 * LINE + 2 * GAP
        yield _text(document.verification.url, SMALL_FONT, SMALL_LINE)
    yield 2 * LINE + GAP + _text(document.identity, SMALL_FONT, SMALL_LINE) + 2 * GAP
