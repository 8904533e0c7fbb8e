"""The core against the stand-alone checker: two implementations of one contract judge alike, whatever is sent."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonopay_signer.fiscal.rules.against_original import Original, check_credit
from bonopay_signer.fiscal.rules.against_rate import check_rate

from .builders import REMOVED, accepted, as_bytes, credit_note, decimals, findings_of, invoices, parsed
from .published import cases, check_vectors, generate

item, specific = cases.item, cases.specific
RICH = accepted(
    client=cases.COMPANY,
    items=[
        item("1500.00", "12", specific_tax=specific("quantity", "35.125", "421.50")),
        item("800.00", "3", "C", original_unit_price="900.00", price_change="Remise"),
        item("16.00", "1", "N"),
    ],
    foreign_currency={"code": "USD", "rate": "2300", "date": "2026-11-21"},
    payments=[cases.CASH, cases.CASH | {"currency": "USD", "rate": "2300"}],
    credit=cases.original("RAM"),
    invoice_type="FA",
)


def places(value: Any, pointer: str = "") -> list[str]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [pointer, *(place for name, member in members for place in places(member, f"{pointer}/{name}"))]


PLACES = [place for place in places(RICH) if place]
VALUES = st.one_of(
    st.sampled_from(
        [None, "", " ", "0", "0.00", "-1", "-1.00", "1.00", "1", "2300", "2300.5", "0.001", "1e3", "01", "1."]
    ),
    st.sampled_from([True, 0, -1, 1.5, [], {}, [{}], {"basis": "percent", "value": "5", "amount": "0.01"}, REMOVED]),
    st.sampled_from(
        ["FV", "FT", "FA", "EV", "ET", "EA", "PP", "PM", "AO", "BIE", "SER", "TAX", "COR", "RRR", "CDF", "USD"]
    ),
    st.sampled_from([*"ABCDEFGHIJKLMNOPQ", "ht", "ttc", "amount", "quantity", "percent", "2026-11-22", "2026-02-30"]),
    st.sampled_from(["2026-05-31T22:59:59Z", "2026-05-31T23:00:00Z", "2021-12-31T22:59:59Z", "2100-01-01T00:00:00Z"]),
    st.sampled_from(
        ["x" * 200, "x" * 201, "a\u0085", "\ufffe", "\U0001ffff", " a", "Réf. Exo. : EXO/2026/117", "E" * 189]
    ),
    st.text(max_size=5),
    decimals(3, 6),
    decimals(6, 9),
)


def with_changes(payload: dict, changes: dict) -> dict:
    for pointer, value in changes.items():
        try:
            payload = cases.changed(payload, {pointer: value})
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # an earlier change took the place away
    return payload


def judged_alike(data: bytes) -> None:
    assert [(found.pointer, found.code) for found in findings_of(data)] == check_vectors.judge(data)


@given(st.dictionaries(st.sampled_from(PLACES), VALUES, min_size=1, max_size=4))
@settings(max_examples=1000)
def test_any_changes_are_judged_alike(changes):
    judged_alike(as_bytes(with_changes(RICH, changes)))


@given(st.dictionaries(st.sampled_from(PLACES), VALUES, max_size=3), st.sampled_from(["FV", "FT", "EV", "ET"]))
@settings(max_examples=300)
def test_any_changes_of_a_sale_are_judged_alike(changes, invoice_type):
    sale = RICH | {"credit": None, "invoice_type": invoice_type, "foreign_currency": None}
    judged_alike(as_bytes(with_changes(generate.completed(sale), changes)))


@given(invoices(), st.data())
def test_repeated_swapped_and_lost_rows_are_judged_alike(payload, data):
    for name in ("items", "tax_groups", "payments"):
        payload = payload | {name: data.draw(st.lists(st.sampled_from(payload[name]), max_size=6))}
    judged_alike(as_bytes(payload))


@given(st.data())
@settings(max_examples=500)
def test_any_damage_to_the_bytes_is_judged_alike(data):
    original = as_bytes(RICH)
    start, length = data.draw(st.integers(0, len(original))), data.draw(st.integers(0, 20))
    judged_alike(original[:start] + data.draw(st.binary(max_size=5)) + original[start + length :])


@given(st.sampled_from(PLACES), st.booleans(), st.integers(0, 4))
def test_a_member_given_twice_is_judged_alike(place, escaped, indent):
    """Whatever its place, value, spelling and layout: a repeated name has nothing to do with lengths."""
    name = place.rpartition("/")[2]
    if name.isdigit():
        return
    spelt = "".join(f"\\u{ord(letter):04x}" for letter in name) if escaped else name
    text = json.dumps(RICH, indent=indent or None, ensure_ascii=escaped)
    judged_alike(text.replace(f'"{name}":', f'"{spelt}": null, "{name}":').encode())
    judged_alike(text.replace(f'"{name}":', f'"{name}" : "\\\\", "{spelt}":', 1).encode())


LINES = st.lists(
    st.builds(
        lambda code, price, quantity, group, kind, tax: item(
            price,
            quantity,
            group,
            code=code,
            type="TAX" if group in "LN" else kind,
            specific_tax=group in "AB" and tax or None,
        ),
        st.sampled_from("XY"),
        st.sampled_from(["10.00", "20.00"]),
        st.sampled_from(["1", "2", "3.5"]),
        st.sampled_from("ABL"),
        st.sampled_from(["BIE", "SER"]),
        st.sampled_from(
            [
                None,
                None,
                specific("amount", "5", "5.00"),
                specific("amount", "1", "1.00"),
                specific("quantity", "1", "1.00"),
                specific("quantity", "0.005", "0.01"),
                specific("percent", "0.05", "0.01"),
            ]
        ),
    ),
    min_size=1,
    max_size=4,
)
USD = {"code": "USD", "rate": "2300", "date": "2026-11-21"}
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "invoice_type": st.sampled_from(["FA", "EA"]),
        "price_mode": st.sampled_from(["ht", "ttc"]),
        "issued_at": st.sampled_from(["2026-11-20T22:59:59Z", "2026-11-20T23:00:00Z"]),
        "foreign_currency": st.sampled_from([None, USD, USD | {"rate": "2400"}]),
    },
)


@given(
    LINES,
    st.sampled_from(["FV", "FT", "FA", "EV", "EA"]),
    st.sampled_from([None, USD]),
    st.sampled_from([None, "TESTABCDEFGHIJKLMNOP2345", "OTHER"]),
    st.lists(LINES, max_size=3),
    LINES,
    HEADERS,
)
@settings(max_examples=500)
def test_credit_notes_are_judged_alike(sold, sale_type, currency, dgi_code, earlier, lines, members):
    credit = cases.original("RAM") if sale_type in ("FA", "EA") else None
    sale = accepted(items=sold, invoice_type=sale_type, foreign_currency=currency, credit=credit)
    notes = [credit_note(sale, credited) for credited in earlier]
    note = credit_note(sale, lines, **members)
    found = check_credit(parsed(note), Original(parsed(sale), dgi_code), [parsed(other) for other in notes])
    derived = check_vectors.judge_credit(sale, dgi_code, notes, note)
    assert [(one.pointer, one.code, one.expected, one.actual) for one in found] == derived


RATES = st.sampled_from(["2277", "2276.99", "2323", "2323.000001", "2300", "0", "1"])


@given(st.none() | RATES, st.lists(st.none() | RATES, max_size=3), st.none() | decimals(6, 10), st.booleans())
def test_rates_are_judged_alike(stated, paid, reference, credited):
    payments = [cases.CASH | {"currency": "USD" if rate else "CDF", "rate": rate} for rate in paid]
    payload = accepted(
        foreign_currency=stated and USD | {"rate": stated},
        payments=payments,
        invoice_type="FA" if credited else "FV",
        credit=cases.original("RAM") if credited else None,
    )
    found = check_rate(parsed(payload), reference and Decimal(reference))
    derived = check_vectors.judge_rates(payload, reference)
    assert [(one.pointer, one.code, one.expected, one.actual) for one in found] == derived


@pytest.mark.parametrize("place", PLACES)
def test_every_member_taken_away_is_judged_alike(place):
    judged_alike(as_bytes(with_changes(RICH, {place: REMOVED})))
    judged_alike(as_bytes(with_changes(RICH, {place: None})))
