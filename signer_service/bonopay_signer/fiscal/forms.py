"""How each kind of value is spelt: one fact has one spelling (docs/contracts.md §2).

Each form is a `str` with a pattern, an example and a name; the name is the key of its message in `findings`.
`$(?!\\n)` is the end of the text in Python, where `$` alone also stands before a last line feed, and in ECMAScript.
"""

from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta

MAX_TEXT = 200
ZERO_MONEY, ZERO = "0.00", "0"
"""How zero is spelt: as money, and as a quantity, rate or factor."""


def _form(name: str, pattern: str, example: str, **constraints: Any) -> Meta:
    return Meta(pattern=rf"^(?:{pattern})$(?!\n)", examples=[example], extra={"form": name}, **constraints)


# Months by their length, and 29 February of the leap years of 2000–2099, which are those divisible by four.
_MONTH_DAY = (
    r"(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8])"
)
_DATE = rf"(?:20[0-9]{{2}}-(?:{_MONTH_DAY})|20(?:[02468][048]|[13579][26])-02-29)"
_TIME_OF_DAY = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_UP_TO_15_DIGITS = r"(?:0|[1-9][0-9]{0,14})"

# Control characters, and the code points that RFC 7493 §2.1 calls noncharacters. What is left is spelt out too:
# matching a set of what is allowed, ASCII first, is several times faster than matching the complement of this one.
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(f"{chr(last - 1)}{chr(last)}" for last in range(0xFFFF, 0x110000, 0x10000))
FORBIDDEN_IN_TEXT = rf"\x00-\x1f\x7f-\x9f{_NONCHARACTERS}"
_OTHER_PLANES = "".join(f"{chr(first)}-{chr(first + 0xFFFD)}" for first in range(0x10000, 0x110000, 0x10000))
ALLOWED_IN_TEXT = rf"\x20-\x7e\xa0-\ufdcf\ufdf0-\ufffd{_OTHER_PLANES}"


def _decimal(places: int) -> str:
    return rf"{_UP_TO_15_DIGITS}(?:\.[0-9]{{0,{places - 1}}}[1-9])?"


Money = Annotated[str, _form("money", rf"{_UP_TO_15_DIGITS}\.[0-9]{{2}}", "33333.33")]
Quantity = Annotated[str, _form("quantity", _decimal(3), "2.125")]
Percent = Annotated[str, _form("percent", _decimal(2), "16")]
Rate = Annotated[str, _form("rate", _decimal(6), "2300")]
Factor = Annotated[str, _form("factor", _decimal(6), "12.5")]
Time = Annotated[str, _form("time", rf"{_DATE}T{_TIME_OF_DAY}Z", "2026-11-21T08:30:00Z")]
TimeMs = Annotated[str, _form("time_ms", rf"{_DATE}T{_TIME_OF_DAY}\.[0-9]{{3}}Z", "2026-11-21T08:30:00.123Z")]
Date = Annotated[str, _form("date", _DATE, "2026-11-21")]
Text = Annotated[
    str,
    _form("text", rf"(?!\s)[{ALLOWED_IN_TEXT}]+(?<!\s)", "Riz 25 kg", min_length=1, max_length=MAX_TEXT),
]

DocumentId = Annotated[
    str,
    _form("document_id", r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11"),
]
MerchantNif = Annotated[str, _form("merchant_nif", r"[A-Z0-9]{5,20}", "A1234567B")]
OutletId = Annotated[str, _form("outlet_id", r"[A-Z0-9]{3,12}", "KIN001")]
Authority = Annotated[str, _form("authority", r"[A-Z0-9-]{3,24}", "BONO-CD-DEMO")]
_FISCAL_NUMBER = r"BONO-[A-Z0-9]{3,12}-(?!00)[0-9]{2}-(?!0{9})[0-9]{9}"
FiscalNumberText = Annotated[str, _form("fiscal_number", _FISCAL_NUMBER, "BONO-KIN001-01-000000001")]
FiscalNumberOrNone = Annotated[str, _form("fiscal_number", rf"(?:{_FISCAL_NUMBER})?", "BONO-KIN001-01-000000001")]
Sha256Hex = Annotated[str, _form("sha256", r"[0-9a-f]{64}", "0" * 64)]
KeyId = Annotated[str, _form("key_id", r"[0-9a-f]{16}", "0" * 16)]


def spelt(number: Decimal) -> str:
    """Return a quantity, percent, rate or factor as these forms spell it: without trailing zeros or exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
