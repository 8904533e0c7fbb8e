"""The two sides of totals that differ, as the signer lists them (contracts §5): our row, the DGI's row."""

from decimal import Decimal, InvalidOperation

from . import told

_MOST_ROWS = 200
_LONGEST_TEXT = 200


def rows_of(document: object) -> list[dict] | None:
    """The comparison of a problem or of a rejection, made of nothing but its known members.

    :param document: problem (RFC 9457) of ``dgi_totals_differ``, or ``dgi.error`` of a deferred outlet
    :return: ``[{"pointer", "label": {"fr", "en"}, "invoice", "dgi", "differs"}]``, or ``None`` when there is none

    >>> rows_of({"comparison": [{"label": {"fr": "Total"}, "invoice": "12.00", "dgi": "12.01", "differs": True}]})
    [{'pointer': None, 'label': {'fr': 'Total', 'en': None}, 'invoice': '12.00', 'dgi': '12.01', 'differs': True}]
    >>> rows_of({"comparison": "none"}), rows_of(None)
    (None, None)
    """
    rows = document.get("comparison") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        return None
    return [_row(row) for row in rows[:_MOST_ROWS] if isinstance(row, dict)] or None


def gap(invoice: str | None, dgi: str | None) -> Decimal | None:
    """By how much the DGI's amount is above ours, ``None`` when one of them is no amount.

    >>> gap("12.00", "12.01"), gap("12.00", None), gap("A", "B")
    (Decimal('0.01'), None, None)
    """
    ours, theirs = amount(invoice), amount(dgi)
    return None if ours is None or theirs is None else theirs - ours


def amount(text: str | None) -> Decimal | None:
    """The number that a text is, ``None`` when it is none."""
    try:
        number = Decimal(text or "")
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _row(row: dict) -> dict:
    label = row.get("label")
    label = label if isinstance(label, dict) else {}
    return {
        "pointer": _text(row.get("pointer")),
        "label": {language: _text(label.get(language)) for language in ("fr", "en")},
        "invoice": _text(row.get("invoice")),
        "dgi": _text(row.get("dgi")),
        "differs": row.get("differs") is True,
    }


def _text(value: object) -> str | None:
    return told.text(value, _LONGEST_TEXT)
