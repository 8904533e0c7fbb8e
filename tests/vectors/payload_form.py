"""The form of a payload (docs/contracts.md §2): `read` and `form_faults`.

Findings are (pointer, code), in the order in which the signer lists them.
"""

import json
import re
from collections import Counter
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

MAX_DEPTH, MAX_TEXT = 32, 200

# --- the schema: a form ("?" where null is allowed), a tuple of codes, an object, a list of objects ------------------

GROUPS = tuple("ABCDEFGHIJKLMNOP")
SCHEMA = {
    "schema": ("bonopay.invoice/1",),
    "document_id": "document_id",
    "merchant_nif": "merchant_nif",
    "outlet_id": "outlet_id",
    "pos_terminal_id": "text?",
    "cashier_id": "text",
    "cashier_name": "text",
    "invoice_type": ("FV", "FT", "FA", "EV", "ET", "EA"),
    "price_mode": ("ht", "ttc"),
    "reference_number": "text",
    "issued_at": "time",
    "client": {
        "type": ("PP", "PM", "PC", "PL", "AO"),
        **dict.fromkeys(("name", "nif", "contact", "address", "exemption_reference"), "text?"),
    },
    "items": [
        {
            "code": "text",
            "name": "text",
            "type": ("BIE", "SER", "TAX"),
            "unit": "text",
            "quantity": "quantity",
            "unit_price": "money",
            "original_unit_price": "money?",
            "price_change": "text?",
            "tax_group": GROUPS,
            "specific_tax": {
                "?": True,
                "basis": ("amount", "quantity", "percent"),
                "value": "factor",
                "amount": "money",
            },
        }
    ],
    "tax_groups": [{"code": GROUPS, "rate": "percent", "base": "money", "tax": "money", "total": "money"}],
    "totals": {**dict.fromkeys(("base", "tax", "specific_tax", "total"), "money"), "currency": ("CDF",)},
    "payments": [
        {
            "method": ("ESPECES", "VIREMENT", "CARTEBANCAIRE", "MOBILEMONEY", "CHEQUES", "CREDIT", "AUTRE"),
            "amount": "money",
            "currency": ("CDF", "USD"),
            "rate": "rate?",
            "reference": "text?",
        }
    ],
    "foreign_currency": {"?": True, "code": ("USD",), "rate": "rate", "date": "date"},
    "credit": {
        "?": True,
        "nature": ("COR", "RAN", "RAM", "RRR"),
        "original_fiscal_number": "fiscal_number?",
        "original_dgi_code": "text?",
    },
    "comments": dict.fromkeys("ABCDEFGH", "text?"),
}


# --- forms ------------------------------------------------------------------------------------------------------------


def only(alphabet, text):
    return bool(text) and all(character in alphabet for character in text)


DIGITS = "0123456789"
HEX = DIGITS + "abcdef"
CAPITALS = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def is_whole(text):
    return only(DIGITS, text) and len(text) <= 15 and (text == "0" or text[0] != "0")


def is_money(text):
    whole, _, cents = text.partition(".")
    return is_whole(whole) and only(DIGITS, cents) and len(cents) == 2


def is_decimal(places):
    def check(text):
        whole, point, decimals = text.partition(".")
        return is_whole(whole) and (
            not point or only(DIGITS, decimals) and len(decimals) <= places and decimals[-1] != "0"
        )

    return check


def is_moment(layout, length):
    def check(text):
        try:
            return len(text) == length and text.isascii() and 2000 <= datetime.strptime(text, layout).year <= 2099
        except ValueError:
            return False

    return check


def is_document_id(text):
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and all(only(HEX, part) for part in parts)


def is_fiscal_number(text):
    prefix, *parts = text.split("-")
    if prefix != "BONO" or len(parts) != 3:
        return False
    outlet, epoch, sequence = parts
    numbers = only(DIGITS, epoch + sequence) and len(epoch) == 2 and len(sequence) == 9
    return only(CAPITALS, outlet) and 3 <= len(outlet) <= 12 and numbers and int(epoch) > 0 and int(sequence) > 0


NUMBERS = {
    "money": is_money,
    "quantity": is_decimal(3),
    "percent": is_decimal(2),
    "rate": is_decimal(6),
    "factor": is_decimal(6),
}
FORMS = NUMBERS | {
    "time": is_moment("%Y-%m-%dT%H:%M:%SZ", 20),
    "date": is_moment("%Y-%m-%d", 10),
    "document_id": is_document_id,
    "merchant_nif": lambda text: only(CAPITALS, text) and 5 <= len(text) <= 20,
    "outlet_id": lambda text: only(CAPITALS, text) and 3 <= len(text) <= 12,
    "fiscal_number": is_fiscal_number,
}


def is_unprintable(character):
    point = ord(character)
    control = point < 0x20 or 0x7F <= point < 0xA0
    return control or 0xFDD0 <= point <= 0xFDEF or point & 0xFFFE == 0xFFFE or 0xD800 <= point <= 0xDFFF


def text_faults(text):
    if not text:
        return ["text.empty"]
    faults = ["text.too_long"] if len(text) > MAX_TEXT else []
    if any(map(is_unprintable, text)):
        return [*faults, "text.control"]
    return [*faults, "text.untrimmed"] if text != text.strip() else faults


# --- bytes to findings ------------------------------------------------------------------------------------------------


class Object(NamedTuple):
    """A JSON object as it is written: members given twice stand twice."""

    pairs: list


class Number(NamedTuple):
    text: str


class Constant(ValueError):
    """NaN or Infinity, which Python reads and JSON does not know."""


def refuse_constant(name):
    raise Constant(name)


def depth(text):
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    steps = (1 if bracket in "[{" else -1 for bracket in outside if bracket in "[]{}")
    return max(accumulate(steps), default=0)


def read(data):
    """(value, None), or (None, code of why the bytes are no JSON)."""
    try:
        text = data.decode("utf-8")
        if depth(text) > MAX_DEPTH:
            return None, "json.too_deep"
        hooks = {"object_pairs_hook": Object, "parse_int": Number, "parse_float": Number}
        return json.loads(text, parse_constant=refuse_constant, **hooks), None
    except UnicodeDecodeError:
        return None, "json.encoding"
    except json.JSONDecodeError:
        return None, "json.syntax"
    except Constant:
        return None, "json.constant"


def escaped(name):
    """A member's name in an RFC 6901 pointer, short enough to be shown."""
    shown = re.sub("[\ud800-\udfff]", "\ufffd", name[: MAX_TEXT + 1])
    shown = shown if len(shown) <= MAX_TEXT else shown[:MAX_TEXT] + "…"
    return shown.replace("~", "~0").replace("/", "~1")


def form_faults(expected, value, pointer):
    if isinstance(expected, dict):
        yield from object_faults(expected, value, pointer)
    elif isinstance(expected, list):
        if not isinstance(value, list):
            yield pointer, wrong_type(value)
            return
        for position, element in enumerate(value):
            yield from form_faults(expected[0], element, f"{pointer}/{position}")
    elif isinstance(expected, tuple):
        if not isinstance(value, str):
            yield pointer, wrong_type(value)
        elif value not in expected:
            yield pointer, "code.unknown"
    elif value is not None or not expected.endswith("?"):
        yield from string_faults(expected.rstrip("?"), value, pointer)


def object_faults(expected, value, pointer):
    expected = dict(expected)
    if value is None and expected.pop("?", False):
        return
    expected.pop("?", None)
    if not isinstance(value, Object):
        yield pointer, wrong_type(value)
        return
    given = Counter(name for name, _ in value.pairs)
    for name in expected:
        if name not in given:
            yield f"{pointer}/{name}", "member.missing"
    for name, count in given.items():
        if name not in expected:
            yield f"{pointer}/{escaped(name)}", "member.unknown"
        elif count > 1:
            yield f"{pointer}/{name}", "json.duplicate"
    for name, member in value.pairs:
        if name in expected:
            yield from form_faults(expected[name], member, f"{pointer}/{name}")


def string_faults(form, value, pointer):
    if isinstance(value, Number) and form in NUMBERS:
        yield pointer, "type.number"
    elif not isinstance(value, str):
        yield pointer, wrong_type(value)
    elif form == "text":
        yield from ((pointer, code) for code in text_faults(value))
    elif not FORMS[form](value):
        negative = form in NUMBERS and value.startswith("-") and FORMS[form](value[1:])
        yield pointer, "form.negative" if negative else f"form.{form}"


def wrong_type(value):
    return "type.null" if value is None else "type.wrong"
