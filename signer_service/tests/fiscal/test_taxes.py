"""The arithmetic of SFE §1.5, against hand-made figures and against a second implementation in integers."""

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal import taxes
from bonopay_signer.fiscal.schema import Item

from .builders import accepted, decimals, invoices, items, money, parsed
from .published import cases, counting

item, specific = cases.item, cases.specific
BEFORE_JUNE = "2026-05-31T22:59:59Z"


def one_group(price_mode: str, lines: list[dict], issued_at: str = "2026-11-21T08:30:00Z") -> tuple[str, str, str]:
    invoice = parsed(cases.invoice(price_mode=price_mode, issued_at=issued_at, items=lines))
    (group,), _ = taxes.compute(invoice)
    return group.base, group.tax, group.total


@pytest.mark.parametrize(
    ("price_mode", "lines", "base", "tax", "total"),
    [
        ("ttc", [item("100.00", "1")], "86.21", "13.79", "100.00"),
        ("ttc", [item("99.99", "1")], "86.20", "13.79", "99.99"),
        ("ttc", [item("33333.33", "1")], "28735.63", "4597.70", "33333.33"),
        ("ttc", [item("9.99", "1")] * 3, "25.84", "4.13", "29.97"),
        ("ht", [item("33.33", "1")], "33.33", "5.33", "38.66"),
        ("ht", [item("0.33", "1")] * 7, "2.31", "0.37", "2.68"),
    ],
)
def test_sfe_1_5_tax_is_per_group_not_per_line(price_mode, lines, base, tax, total):
    assert one_group(price_mode, lines) == (base, tax, total)


def test_sfe_1_5_7_a_tie_rounds_the_tax_up():
    assert one_group("ht", [item("0.10", "1", "C")]) == ("0.10", "0.01", "0.11")
    assert one_group("ht", [item("0.50", "1", "O")]) == ("0.50", "0.01", "0.51")


def test_sfe_1_12_the_rate_of_the_day_applies():
    assert one_group("ht", [item("100.00", "1", "C")], BEFORE_JUNE) == ("100.00", "8.00", "108.00")
    assert one_group("ht", [item("100.00", "1", "C")]) == ("100.00", "5.00", "105.00")


def test_sfe_1_5_10_specific_tax_increases_the_base():
    taxed = [item("100.00", "1", specific_tax=specific("amount", "10", "10.00"))]
    assert one_group("ht", taxed) == ("110.00", "17.60", "127.60")
    # 100.00 TTC is 86.21 + 13.79; the specific tax comes on top, with its own VAT.
    assert one_group("ttc", taxed) == ("96.21", "15.39", "111.60")


def test_sfe_1_14_group_n_is_all_vat():
    assert one_group("ht", [item("16.00", "1", "N")]) == ("0.00", "16.00", "16.00")
    assert one_group("ttc", [item("16.00", "1", "N")]) == ("0.00", "16.00", "16.00")


@pytest.mark.parametrize("group", "ADEHIJKLM")
def test_groups_at_zero_carry_no_tax(group):
    assert one_group("ttc", [item("99.99", "1", group)]) == ("99.99", "0.00", "99.99")


@pytest.mark.parametrize(
    ("price", "quantity", "amount"),
    [
        ("0.01", "0.5", "0.01"),
        ("0.01", "0.499", "0.00"),
        ("0.03", "0.5", "0.02"),
        ("999999999999999.99", "999999999999999.999", "999999999999999989000000000000.00"),
        ("123456789012345.67", "1.005", "124074072957407.40"),
    ],
)
def test_sfe_1_5_2_a_line_rounds_halves_up_and_exactly(price, quantity, amount):
    line = parsed(cases.invoice(items=[item(price, quantity)])).items[0]
    assert taxes.line_amount(line) == Decimal(amount)


def test_the_callers_decimal_context_changes_nothing():
    """A context of low precision, or another rounding, must not leak into the amounts."""
    invoice = parsed(accepted(items=[item("123456789012345.67", "3.333")], price_mode="ttc"))
    with decimal.localcontext(prec=6, rounding=decimal.ROUND_DOWN):
        computed = taxes.compute(invoice)
    assert computed == (invoice.tax_groups, invoice.totals)


def test_a_group_that_is_not_in_force_has_no_rate():
    with pytest.raises(taxes.RateUnknownError, match="tax group O was not in force on 2026-05-31"):
        taxes.compute(parsed(cases.invoice(items=[item(tax_group="O")], issued_at=BEFORE_JUNE)))


def test_an_invoice_without_lines_adds_up_to_zero():
    groups, totals = taxes.compute(parsed(cases.invoice(items=[])))
    assert groups == ()
    assert (totals.base, totals.tax, totals.specific_tax, totals.total) == ("0.00",) * 4


@pytest.mark.parametrize(
    ("issued_at", "day"),
    [
        ("2026-11-20T22:59:59Z", "2026-11-20"),
        ("2026-11-20T23:00:00Z", "2026-11-21"),
        ("2026-12-31T23:00:00Z", "2027-01-01"),
    ],
)
def test_the_fiscal_day_is_kinshasas(issued_at, day):
    assert taxes.fiscal_date(parsed(cases.invoice(issued_at=issued_at))).isoformat() == day


@given(invoices())
def test_base_and_tax_make_the_total(payload):
    groups, totals = taxes.compute(parsed(payload))
    for row in (*groups, totals):
        assert Decimal(row.base) + Decimal(row.tax) == Decimal(row.total)
        assert Decimal(row.tax) >= 0


@given(invoices(digits=17))
def test_decimals_and_integers_agree(payload):
    """The core against the stand-alone checker, which counts in integers, up to the largest prices."""
    rows, totals = counting.derive_amounts(payload)
    assert (rows, totals) == (payload["tax_groups"], payload["totals"])


@given(st.lists(items(groups="BCFGO"), min_size=1, max_size=4))
def test_lines_including_vat_keep_their_total(lines):
    """What the shelf says is what is paid: in TTC mode, without specific tax, the total is the sum of the lines."""
    lines = [line | {"specific_tax": None} for line in lines]
    invoice = parsed(cases.invoice(price_mode="ttc", items=lines))
    _, totals = taxes.compute(invoice)
    assert Decimal(totals.total) == sum(map(taxes.line_amount, invoice.items))


@given(money(17), decimals(3, 18), st.sampled_from(["amount", "quantity", "percent"]), decimals(6, 21))
def test_specific_taxes_agree_with_integers(price, quantity, basis, value):
    line = item(price, quantity)
    tax = specific(basis, value, "0.00")
    struct: Item = parsed(cases.invoice(items=[line | {"specific_tax": tax}])).items[0]
    assert str(taxes.specific_tax_amount(struct)) == counting.money(counting.specific_amount(line, tax))
