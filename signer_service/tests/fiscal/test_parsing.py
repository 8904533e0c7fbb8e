"""Bytes to invoice: every fault of form at once, and nothing but PayloadMalformed whatever the bytes."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bonopay_signer.fiscal import canonical, parsing, rules
from bonopay_signer.fiscal.findings import MAX_FINDINGS, MAX_QUOTED
from bonopay_signer.fiscal.schema import Invoice

from .builders import REMOVED, accepted, as_bytes, invoices, malformed
from .published import cases

VALID = accepted(foreign_currency={"code": "USD", "rate": "2300", "date": "2026-11-21"})
CONTRACT = Path(__file__).resolve().parents[3] / "docs" / "contracts.md"


def faults_after(changes: dict) -> list[tuple[str, str]]:
    return malformed(as_bytes(cases.changed(VALID, changes)))


def test_the_example_of_the_contract_is_accepted():
    example_of_contract = re.search(r"```json\n(.*?)```", CONTRACT.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert rules.check(parsing.parse(example_of_contract.encode("utf-8"))) == ()


def test_all_faults_are_reported_at_once():
    changes = {
        "/schema": "bonopay.invoice/2",
        "/cashier_name": REMOVED,
        "/vat": "16",
        "/items/0/quantity": 2,
        "/items/0/unit_price": "1",
        "/client/type": "XX",
        "/totals": None,
        "/comments/A": " ",
    }
    assert sorted(faults_after(changes)) == [
        ("/cashier_name", "member.missing"),
        ("/client/type", "code.unknown"),
        ("/comments/A", "text.untrimmed"),
        ("/items/0/quantity", "type.number"),
        ("/items/0/unit_price", "form.money"),
        ("/schema", "code.unknown"),
        ("/totals", "type.null"),
        ("/vat", "member.unknown"),
    ]


@pytest.mark.parametrize("name", Invoice.__struct_fields__)
def test_every_member_is_required(name):
    assert faults_after({f"/{name}": REMOVED}) == [(f"/{name}", "member.missing")]


@pytest.mark.parametrize("parent", ["", "/client", "/items/0", "/tax_groups/0", "/totals", "/payments/0", "/comments"])
def test_unknown_members_are_refused_everywhere(parent):
    assert faults_after({f"{parent}/a~1b~0c": None}) == [(f"{parent}/a~1b~0c", "member.unknown")]


@pytest.mark.parametrize("place", ["", ', "x": 1'])
def test_i_json_a_member_given_twice_is_refused(place):
    text = as_bytes(VALID).decode().replace('"name": null', '"name": null, "name": "B"' + place)
    expected = [("/client/name", "json.duplicate")]
    assert malformed(text.encode()) == (expected if not place else sorted([*expected, ("/client/x", "member.unknown")]))


def test_a_member_given_twice_under_another_spelling_is_refused():
    text = as_bytes(VALID).decode().replace('"schema":', '"schem\\u0061": "bonopay.invoice/1", "schema":')
    assert malformed(text.encode()) == [("/schema", "json.duplicate")]


MONEY_PLACES = ["/items/0/unit_price", "/tax_groups/0/base", "/totals/total", "/payments/0/amount"]


@pytest.mark.parametrize("pointer", MONEY_PLACES)
@pytest.mark.parametrize(
    "spelling",
    [
        "1",
        "1.0",
        "1.000",
        "01.00",
        "+1.00",
        ".50",
        "1,00",
        "1e2",
        "1.00 ",
        "1.00\n",
        "١.٠٠",
        "NaN",
        "",
        "1" * 16 + ".00",
    ],
)
def test_money_has_one_spelling(pointer, spelling):
    assert faults_after({pointer: spelling}) == [(pointer, "form.money")]


@pytest.mark.parametrize("spelling", ["1.0", "1.2345", "01", "1.", ".5", "1e2", "1\n", "0.50", "-", "1" * 16])
def test_a_quantity_has_one_spelling(spelling):
    assert faults_after({"/items/0/quantity": spelling}) == [("/items/0/quantity", "form.quantity")]


@pytest.mark.parametrize("spelling", ["16.0", "16.125", "016", "16%"])
def test_a_percent_has_one_spelling(spelling):
    assert faults_after({"/tax_groups/0/rate": spelling}) == [("/tax_groups/0/rate", "form.percent")]


@pytest.mark.parametrize("spelling", ["16", "0", "5.5", "5.25"])
def test_percents_of_the_contract_are_accepted(spelling):
    assert faults_after({"/tax_groups/0/rate": spelling}) == []


@pytest.mark.parametrize("spelling", ["50.00", "0.1234567", "050"])
def test_the_value_of_a_specific_tax_has_one_spelling(spelling):
    changes = {"/items/0/specific_tax": cases.specific("amount", spelling, "50.00")}
    assert faults_after(changes) == [("/items/0/specific_tax/value", "form.factor")]


@pytest.mark.parametrize("spelling", ["0", "0.5", "2.125", "10", "9" * 15])
def test_quantities_of_the_contract_are_accepted(spelling):
    assert faults_after({"/items/0/quantity": spelling}) == []


@pytest.mark.parametrize("spelling", ["2300.0", "2300.1234567", "02300"])
def test_a_rate_has_one_spelling(spelling):
    assert faults_after({"/foreign_currency/rate": spelling}) == [("/foreign_currency/rate", "form.rate")]


@pytest.mark.parametrize("pointer", ["/items/0/quantity", "/items/0/unit_price", "/foreign_currency/rate"])
def test_sfe_1_21_a_negative_value_is_pointed_to_the_credit_note(pointer):
    negative = "-1.00" if pointer.endswith("price") else "-1"
    assert faults_after({pointer: negative}) == [(pointer, "form.negative")]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-29T00:00:00Z",
        "2100-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T08:60:00Z",
        "2026-11-21T08:30:60Z",
        "2026-11-21T08:30:00.000Z",
        "2026-11-21T08:30:00+00:00",
        "2026-11-21 08:30:00Z",
        "2026-11-21T08:30:00z",
        "2026-11-21T08:30:00Z\n",
    ],
)
def test_a_time_is_utc_whole_seconds_and_exists(moment):
    assert faults_after({"/issued_at": moment}) == [("/issued_at", "form.time")]


@given(st.dates(), st.integers(1, 31))
def test_a_date_is_accepted_when_the_calendar_has_it(day, number):
    text = f"{day.year:04d}-{day.month:02d}-{number:02d}"
    try:
        exists = 2000 <= day.replace(day=number).year <= 2099
    except ValueError:
        exists = False
    assert (faults_after({"/foreign_currency/date": text}) == []) == exists


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "text.empty"),
        (" ", "text.untrimmed"),
        ("a ", "text.untrimmed"),
        ("\u00a0a", "text.untrimmed"),
        ("a\u2028", "text.untrimmed"),
        ("a\nb", "text.control"),
        ("a\tb", "text.control"),
        ("\x00", "text.control"),
        ("a\x7fb", "text.control"),
        ("a\x85b", "text.control"),
        ("a\ufdd0b", "text.control"),
        ("a\ufdefb", "text.control"),
        ("a\ufffeb", "text.control"),
        ("a\uffffb", "text.control"),
        ("a\U0001fffeb", "text.control"),
        ("a\U0010ffffb", "text.control"),
        ("x" * 201, "text.too_long"),
        ("😀" * 201, "text.too_long"),
    ],
)
def test_texts_are_filled_trimmed_and_printable(text, code):
    assert faults_after({"/items/0/name": text}) == [("/items/0/name", code)]


@pytest.mark.parametrize(
    "text",
    ["x" * 200, "😀" * 200, "é", "a b", "a\u2028b", "\\", '"', "日本", "\ufdcf", "\ufdf0", "\ufffd", "\U0001fffd"],
)
def test_texts_of_any_script_are_accepted(text):
    assert faults_after({"/items/0/name": text}) == []
    elsewhere = {"/items/0/name": text, "/items/0/quantity": "x"}
    assert faults_after(elsewhere) == [("/items/0/quantity", "form.quantity")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json.syntax"),
        (b" ", "json.syntax"),
        (b"{", "json.syntax"),
        (b"{},", "json.syntax"),
        (b"\xef\xbb\xbf{}", "json.syntax"),
        (b"{'a': 1}", "json.syntax"),
        (b'{"a": "\x01"}', "json.syntax"),
        (b'{"a": NaN}', "json.constant"),
        (b'{"a": -Infinity}', "json.constant"),
        (b'{"a": "\xff"}', "json.encoding"),
        (b'"\xed\xa0\x80"', "json.encoding"),
        ("{}".encode("utf-16"), "json.encoding"),
        (b"[]", "type.wrong"),
        (b"null", "type.null"),
        (b"1" * 10000, "type.wrong"),
        (b"[" * 200000, "json.too_deep"),
        (b'{"a":' * 200000, "json.too_deep"),
        (b'{"a\\"":"\\\\",' + b'"b":[' * 33, "json.too_deep"),
        (b"[" * 33 + b"]" * 33, "json.too_deep"),
        (b"[" + b"[]," * 99 + b"[" * 32 + b"]" * 33, "json.too_deep"),
        (b"[" + b"[]," * 99 + b"[]]", "type.wrong"),
        (b"[" * 32 + b"]" * 32, "type.wrong"),
        (b'"' + b"[" * 33 + b'"', "type.wrong"),
    ],
)
def test_what_is_no_object_of_the_schema_is_one_finding(data, code):
    assert malformed(data) == [("", code)]


def test_a_lone_surrogate_is_refused_and_the_finding_can_be_sent():
    text = as_bytes(VALID).decode().replace('"Riz 25 kg"', '"\\ud800"').replace('"unit"', '"\\udfff"')
    with pytest.raises(parsing.PayloadMalformed) as caught:
        parsing.parse(text.encode())
    assert [(found.pointer, found.code) for found in caught.value.findings] == [
        ("/items/0/unit", "member.missing"),
        ("/items/0/\ufffd", "member.unknown"),
        ("/items/0/name", "text.control"),
    ]
    msgspec.json.encode(caught.value.findings)


def test_a_finding_says_what_is_expected_what_came_and_the_way_out():
    with pytest.raises(parsing.PayloadMalformed) as caught:
        parsing.parse(as_bytes(cases.changed(VALID, {"/client/type": "XX"})))
    (found,) = caught.value.findings
    assert (found.expected, found.actual) == ("AO, PC, PL, PM, PP", "XX")
    assert found.message == {
        "fr": "« XX » n'est pas un code admis. Choisir parmi : AO, PC, PL, PM, PP.",
        "en": "“XX” is not an accepted code. Choose among: AO, PC, PL, PM, PP.",
    }


def test_an_answer_stays_short_whatever_is_sent():
    endless = {f"{number}-{'x' * 5000}": None for number in range(2000)}
    with pytest.raises(parsing.PayloadMalformed) as caught:
        parsing.parse(as_bytes(VALID | endless | {"schema": "y" * 10000}))
    findings = caught.value.findings
    assert len(findings) == MAX_FINDINGS + 1
    assert findings[-1].code == "findings.truncated"
    assert max(len(found.pointer) for found in findings) <= MAX_QUOTED + 2
    assert max(len(found.actual or "") for found in findings) <= MAX_QUOTED + 1


def test_the_error_names_its_first_finding():
    with pytest.raises(parsing.PayloadMalformed, match=r"1 finding\(s\), first json.syntax at /"):
        parsing.parse(b"")


@given(st.binary(max_size=200))
@settings(max_examples=500)
@example(b"\xf4\x90\x80\x80")
@example(b'{"a":1e999999999}')
def test_any_bytes_give_an_invoice_or_findings(data):
    parsing_never_fails_otherwise(data)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None, categories=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
PLACES = [
    pointer
    for pointer in (
        *(f"/{name}" for name in Invoice.__struct_fields__),
        *(f"/items/0/{name}" for name in VALID["items"][0]),
        *(f"/totals/{name}" for name in VALID["totals"]),
        *(f"/tax_groups/0/{name}" for name in VALID["tax_groups"][0]),
        *(f"/payments/0/{name}" for name in VALID["payments"][0]),
        "/items/-",
        "/items/0/new",
        "/comments/A",
    )
]


@given(st.dictionaries(st.sampled_from(PLACES), JSON_VALUES | st.just(REMOVED), min_size=1, max_size=4))
@settings(max_examples=400)
def test_any_values_anywhere_give_an_invoice_or_findings(changes):
    payload = VALID
    for pointer, value in changes.items():
        try:
            payload = cases.changed(payload, {pointer: value})
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # an earlier change took the place away
    parsing_never_fails_otherwise(as_bytes(payload))


@given(st.data())
@settings(max_examples=400)
def test_any_damage_to_the_bytes_gives_an_invoice_or_findings(data):
    original = as_bytes(VALID)
    start = data.draw(st.integers(0, len(original)))
    length = data.draw(st.integers(0, 20))
    parsing_never_fails_otherwise(original[:start] + data.draw(st.binary(max_size=5)) + original[start + length :])


def parsing_never_fails_otherwise(data: bytes) -> None:
    """`parse` accepts, and then what it accepted is stable, or it explains: never with the fallback code."""
    try:
        invoice = parsing.parse(data)
    except parsing.PayloadMalformed as error:
        assert error.findings
        assert "json.not_canonical" not in [found.code for found in error.findings]
        msgspec.json.encode(error.findings)
        return
    rules.check(invoice)
    assert parsing.parse(canonical.encode(invoice)) == invoice


@given(invoices())
def test_what_is_accepted_is_all_that_was_sent(payload):
    assert json.loads(canonical.encode(parsing.parse(as_bytes(payload)))) == payload
