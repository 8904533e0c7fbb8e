"""The lines of an invoice as printed rows, shared out over the sheets."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..core.arithmetic import line_amount
from . import french_format as fmt
from .line_pagination import paginate, text_lines

# One sheet of A4 in CSS pixels, at the scale at which wkhtmltopdf prints 936 px over the 190 mm between the margins.
PX_PER_MM = 936 / 190
SHEET = 1330.0

# Heights in the same pixels; they follow the style sheet of the template, rounded up.
IDENTITY, IDENTITY_BASE = 21.0, 36.0
TITLE, TITLE_BASE = 20.5, 76.0
MARK = 54.0
CLIENT, CLIENT_BASE = 21.0, 54.0
SHORT_HEAD = 76.0
TABLE_HEAD, TABLE_FOOT = 34.0, 26.0
TEXT_LINE, ROW_PADDING = 18.0, 9.0
TAIL, GROUPS_HEAD, GROUP, SUM, NOTE = 425.0, 30.0, 40.0, 33.0, 21.0

# Widths of the columns in em, and the longest figure that the ordinary ones hold.
IDENTITY_WIDTH, TITLE_WIDTH, CLIENT_WIDTH, NOTE_WIDTH, WORDS_WIDTH = 31.0, 17.0, 34.0, 64.0, 54.0
CODE_WIDTH, NAME_WIDTH, UNIT_WIDTH = 7.0, 23.0, 5.0
NAME_WIDTH_BESIDE_WIDE_FIGURES = 17.0
LONGEST_FIGURE = 13


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the invoice (SFE §1.2 l, t)."""

    code: str
    name: str
    type_mention: str
    tax_group: str
    unit: str
    quantity: str
    unit_price: str
    amount: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of one printed sheet."""

    rows: tuple[Row, ...]
    is_first: bool
    is_last: bool


def head_height(heading: str, title_lines: int, seller: Iterable[str], client: Iterable[str], marks: int) -> float:
    """Height of what stands above the lines on the first sheet.

    :param title_lines: number of lines under the heading; `marks`: number of marks across the sheet
    """
    seller_lines = sum(text_lines(text, IDENTITY_WIDTH) for text in seller)
    client_lines = sum(text_lines(text, CLIENT_WIDTH) for text in client)
    title = TITLE_BASE + TITLE * (title_lines + 1.5 * (text_lines(heading, TITLE_WIDTH) - 1))
    return max(IDENTITY_BASE + IDENTITY * seller_lines, title) + CLIENT_BASE + CLIENT * client_lines + MARK * marks


def tail_height(groups: int, sums: int, notes: Iterable[str], words: str, wide: bool) -> float:
    """Height of what follows the lines: groups and totals, then payments and comments, then the QR symbols."""
    blocks = GROUPS_HEAD + GROUP * groups, SUM * sums
    note_lines = sum(text_lines(note, NOTE_WIDTH) for note in notes)
    return TAIL + (sum(blocks) if wide else max(blocks)) + NOTE * (note_lines + text_lines(words, WORDS_WIDTH))


def has_wide_figures(payload: dict[str, Any]) -> bool:
    """Whether some figure is too long for the ordinary columns."""
    return are_wide([payload["totals"]["total"], *(item["unit_price"] for item in payload["items"])])


def are_wide(figures: Iterable[str]) -> bool:
    """Whether one of these money strings is too long for the ordinary columns.

    >>> are_wide(["104400.00"]), are_wide(["104400.00", "123456789012.00"])
    (False, True)
    """
    return any(len(fmt.money(figure)) > LONGEST_FIGURE for figure in figures)


def sheet_rows(payload: dict[str, Any]) -> tuple[Row, ...]:
    """The lines of a payload as they are printed."""
    return tuple(_row(item) for item in payload["items"])


def cut_sheets(rows: tuple[Row, ...], wide: bool, head: float, tail: float) -> tuple[Sheet, ...]:
    """Share the lines out over the sheets.

    :param wide: some figure is too long for the ordinary columns
    :param head: height above the lines of the first sheet, in px; `tail`: below the last line
    """
    name_width = NAME_WIDTH_BESIDE_WIDE_FIGURES if wide else NAME_WIDTH
    room = SHEET - TABLE_HEAD - TABLE_FOOT
    heights = [_height(row, name_width) for row in rows]
    ranges = paginate(heights, first=room - head, following=room - SHORT_HEAD, tail=tail)
    last = len(ranges) - 1
    return tuple(
        Sheet(tuple(rows[index] for index in indices), is_first=number == 0, is_last=number == last)
        for number, indices in enumerate(ranges)
    )


def item_amount(item: dict[str, Any]) -> Decimal:
    """Amount of one line of the payload.

    >>> item_amount({"unit_price": "0.10", "quantity": "0.05"})
    Decimal('0.01')
    """
    return line_amount(Decimal(item["unit_price"]), Decimal(item["quantity"]))


def _row(item: dict[str, Any]) -> Row:
    return Row(
        code=item["code"],
        name=item["name"],
        type_mention=f"[{item['type']}]",
        tax_group=item["tax_group"],
        unit=item["unit"] or "",
        quantity=fmt.grouped(item["quantity"]),
        unit_price=fmt.money(item["unit_price"]),
        amount=fmt.money(str(item_amount(item))),
        notes=tuple(_notes(item)),
    )


def _notes(item: dict[str, Any]) -> list[str]:
    """What changed the price, and the specific tax: each printed under its line."""
    notes = []
    if item["original_unit_price"]:
        notes.append(f"Prix d'origine : {fmt.money(item['original_unit_price'])} – {item['price_change']}")
    tax = item["specific_tax"]
    if tax:
        notes.append(f"Taxe spécifique{_basis(tax, item)} : {fmt.money(tax['amount'])}")
    return notes


def _basis(tax: dict[str, str], item: dict[str, Any]) -> str:
    """How a specific tax was counted: percent of the line, by quantity, or as an amount (SFE §1.13)."""
    if tax["basis"] == "percent":
        return f" ({fmt.percent(tax['value'])})"
    if tax["basis"] == "quantity":
        return f" ({fmt.grouped(tax['value'])} × {fmt.grouped(item['quantity'])})"
    return ""


def _height(row: Row, name_width: float) -> float:
    name = text_lines(f"{row.type_mention} {row.name}", name_width)
    notes = sum(text_lines(note, name_width * 1.1) for note in row.notes)
    lines = max(name + notes, text_lines(row.code, CODE_WIDTH), text_lines(row.unit, UNIT_WIDTH))
    return lines * TEXT_LINE + ROW_PADDING
