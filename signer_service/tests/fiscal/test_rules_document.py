"""The rules on the day and the codes, and that a changed table judges nothing made before the change."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bonopay_signer.fiscal import rules, tables
from bonopay_signer.fiscal.rules.against_original import Original, check_credit
from bonopay_signer.fiscal.tables import Table

from .builders import accepted, credit_note, faults, parsed
from .published import cases

item, CASH, COMPANY, EMBASSY = cases.item, cases.CASH, cases.COMPANY, cases.EMBASSY
CHANGE = date(2027, 1, 1)
LAST_SECOND, FIRST_SECOND = "2026-12-31T22:59:59Z", "2026-12-31T23:00:00Z"
"""Around the midnight in Kinshasa on which the tables change."""


@pytest.fixture
def change(monkeypatch):
    """Ends the row of a code before CHANGE; with other members, another row follows it."""

    def changed(name: str, code: str, **members) -> None:
        row = getattr(tables, name).on(CHANGE)[code]
        ended = row._replace(valid_to=CHANGE - timedelta(days=1))
        new = [row._replace(valid_from=CHANGE, **members)] if members else []
        others = [other for other in getattr(tables, name).rows if other != row]
        monkeypatch.setattr(tables, name, Table(*others, ended, *new))
        tables.in_force.cache_clear()

    yield changed
    monkeypatch.undo()
    tables.in_force.cache_clear()


def around(payload: dict) -> tuple[list, list]:
    """The faults of a payload in the last second of the old tables, and in the first of the new."""
    return faults(payload, {"/issued_at": LAST_SECOND}), faults(payload, {"/issued_at": FIRST_SECOND})


@pytest.mark.parametrize("invoice_type", ["FV", "FA", "EV"])
def test_sfe_1_31_issued_when_tables_are_known(invoice_type):
    """One fault, whatever else cannot be judged without tables."""
    payload = accepted(invoice_type=invoice_type, items=[item(tax_group="E"), item(tax_group="L")])
    payload["credit"] = cases.original("COR") if invoice_type == "FA" else None
    assert faults(payload, {"/issued_at": "2021-12-31T22:59:59Z"}) == [("/issued_at", "issued_at.before_tables")]
    assert faults(payload, {"/issued_at": "2021-12-31T23:00:00Z"}) == []


DOLLAR = CASH | {"currency": "USD", "rate": "2300", "amount": "1.00"}
COST_OF_A_DOLLAR = {"items": [item("2300.00", "1", "A")], "payments": [DOLLAR]}
IN_DOLLARS = {"foreign_currency": {"code": "USD", "rate": "2300", "date": "2026-11-21"}}


@pytest.mark.parametrize(
    ("table", "code", "payload", "pointers"),
    [
        ("INVOICE_TYPES", "FT", accepted(invoice_type="FT"), ["/invoice_type"]),
        ("INVOICE_TYPES", "FA", accepted(invoice_type="FA", credit=cases.original("COR")), ["/invoice_type"]),
        ("CLIENT_TYPES", "PM", accepted(client=COMPANY), ["/client/type"]),
        ("ITEM_TYPES", "SER", accepted(items=[item(), item(type="SER")]), ["/items/1/type"]),
        ("PAYMENT_METHODS", "ESPECES", accepted(), ["/payments/0/method"]),
        ("CURRENCIES", "USD", accepted(**COST_OF_A_DOLLAR), ["/payments/0/currency"]),
        ("CURRENCIES", "USD", accepted(**IN_DOLLARS), ["/foreign_currency/code"]),
        ("CREDIT_NATURES", "RAN", accepted(invoice_type="FA", credit=cases.original("RAN")), ["/credit/nature"]),
    ],
)
def test_sfe_1_31_codes_are_in_force(change, table, code, payload, pointers):
    change(table, code)
    before, after = around(payload)
    assert before == []
    assert after == [(pointer, "code.not_in_force") for pointer in pointers]


def test_sfe_1_31_codes_are_in_force_and_the_finding_names_those_that_are(change):
    change("CREDIT_NATURES", "RAN")
    payload = cases.changed(accepted(invoice_type="FA", credit=cases.original("RAN")), {"/issued_at": FIRST_SECOND})
    (found,) = rules.check(parsed(payload))
    assert (found.expected, found.actual) == ("COR, RAM, RRR", "RAN")
    assert "2027-01-01" in found.message["fr"] and "2027-01-01" in found.message["en"]


def test_sfe_1_12_tax_group_is_in_force_until_its_last_day(change):
    change("TAX_GROUPS", "D")
    before, after = around(accepted(items=[item(tax_group="D")]))
    assert (before, after) == ([], [("/items/0/tax_group", "item.tax_group.not_in_force")])


def test_sfe_1_31_a_payload_is_judged_by_the_rate_of_its_own_day(change):
    change("TAX_GROUPS", "B", rate=Decimal(18))
    old, new = accepted(issued_at=LAST_SECOND), accepted(issued_at=FIRST_SECOND)
    assert [payload["tax_groups"][0]["rate"] for payload in (old, new)] == ["16", "18"]
    assert faults(old) == faults(new) == []
    wrong_rate = [("/tax_groups/0/rate", "tax_group.rate")]
    assert around(old) == ([], wrong_rate)
    assert around(new) == (wrong_rate, [])


def test_annex_ii_item_types_of_a_group_are_those_of_the_day(change):
    change("TAX_GROUPS", "L", item_types=("TAX", "SER"))
    payload = accepted(items=[item(tax_group="L", type="SER")])
    assert around(payload) == ([("/items/0/tax_group", "item.tax_group.not_allowed")], [])


def test_annex_i_compulsory_fields_are_those_of_the_day(change):
    change("CLIENT_TYPES", "PP", compulsory=("name",))
    assert around(accepted()) == ([], [("/client/name", "client.name.missing")])


def test_annex_iv_comment_lines_are_those_of_the_day(change):
    change("COMMENT_LINES", "A", label_fr="Exonération : ")
    old = accepted(client=EMBASSY, comments=cases.COMMENTS | {"A": "Réf. Exo. : EXO/2026/117"})
    new = accepted(client=EMBASSY, comments=cases.COMMENTS | {"A": "Exonération : EXO/2026/117"})
    fault = [("/comments/A", "comments.A.exemption")]
    assert around(old) == ([], fault)
    assert around(new) == (fault, [])


def test_sfe_1_7_exports_are_those_of_the_day(change):
    change("INVOICE_TYPES", "FT", is_export=True)
    assert around(accepted(invoice_type="FT")) == ([], [("/items/0/tax_group", "item.tax_group.export")])


def test_sfe_1_26_what_a_credit_note_corrects_is_that_of_its_day(change):
    change("INVOICE_TYPES", "FA", corrects=("FV",))
    advance = accepted(invoice_type="FT")
    original = Original(parsed(advance), None)
    for issued_at, codes in ((LAST_SECOND, []), (FIRST_SECOND, ["credit.original.family"])):
        credit = parsed(credit_note(advance, issued_at=issued_at))
        assert [found.code for found in check_credit(credit, original, [])] == codes


@pytest.mark.parametrize("invoice_type", ["FT", "ET"])
def test_sfe_1_7_an_advance_obeys_the_rules_of_a_sale_and_no_other(invoice_type):
    """The law names the advance and its mention (i), and asks nothing more of it."""
    payload = accepted(invoice_type=invoice_type, items=[item(tax_group="E", type="SER")])
    assert faults(payload) == []
    assert faults(payload, {"/credit": cases.original("COR")}) == [("/credit", "credit.unexpected")]
    assert faults(payload, {"/items/0/quantity": "0"})[0] == ("/items/0/quantity", "item.quantity.zero")
