"""Cut the lines of an invoice into sheets.

wkhtmltopdf on unpatched Qt neither repeats the head of a table nor keeps a row in one piece, so the sheets are cut
here, from heights that are estimated on the generous side: a sheet may end early, it never overflows.
"""

from collections.abc import Sequence

WIDE = frozenset("MWmw@%—…ŒÆ")
NARROW = frozenset(" .,;:!'|()[]iIjlftr\u202f\u00a0")


def text_width(text: str) -> float:
    """Estimate the width of a text, in em, for the widest of the fonts that may be found (DejaVu Sans).

    >>> text_width("il") < text_width("ab") < text_width("MW")
    True
    """
    return sum(_glyph_width(glyph) for glyph in text)


def _glyph_width(glyph: str) -> float:
    if glyph in WIDE:
        return 0.98
    if glyph in NARROW:
        return 0.41
    return 0.72 if glyph.isupper() else 0.64


def text_lines(text: str, width: float) -> int:
    """Count the lines that a text takes in a column of `width` em, breaking inside words longer than the column.

    >>> text_lines("Riz parfumé", 20), text_lines("Riz parfumé " * 4, 20), text_lines("x" * 100, 20)
    (1, 2, 4)
    """
    lines, used = 1, 0.0
    for word in text.split():
        needed = text_width(word)
        if used and used + 0.41 + needed > width:
            lines, used = lines + 1, 0.0
        elif used:
            used += 0.41
        overflow = int(needed // width) if needed > width else 0
        lines, used = lines + overflow, used + needed - overflow * width
    return lines


def paginate(heights: Sequence[float], first: float, following: float, tail: float) -> list[range]:
    """Share rows out over sheets, the last of which must also hold the tail (totals and security elements).

    >>> paginate([10, 10, 10], first=40, following=60, tail=10)
    [range(0, 3)]
    >>> paginate([10, 10, 10, 10], first=40, following=60, tail=10)
    [range(0, 3), range(3, 4)]

    :param heights: height of each row
    :param first: room for rows on the first sheet; `following`: on each other one
    :param tail: height of what follows the rows
    """
    sheets, start, used, room = [], 0, 0.0, first
    for index, height in enumerate(heights):
        if used + height > room and index > start:
            sheets.append(range(start, index))
            start, used, room = index, 0.0, following
        used += height
    return [*sheets, *_with_tail(heights, range(start, len(heights)), room - tail, following - tail)]


def _with_tail(heights: Sequence[float], rows: range, room: float, following: float) -> list[range]:
    """Place the tail after the last rows, on a new sheet with the last of them, or on a sheet of its own.

    >>> _with_tail([10, 10, 30], range(0, 3), room=40, following=20)
    [range(0, 3), range(3, 3)]
    """
    if not rows or sum(heights[index] for index in rows) <= room:
        return [rows]
    last = rows[-1]
    if last > rows.start and heights[last] <= following:
        return [range(rows.start, last), range(last, last + 1)]
    return [rows, range(last + 1, last + 1)]
