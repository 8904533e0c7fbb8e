"""Exchange rates against the central bank's average of the day (SFE §1.30)."""

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal.rules.against_rate import check_rate

from .builders import accepted, parsed
from .published import cases, counting

item, CASH = cases.item, cases.CASH


def in_dollars(rate: str, paid_at: str | None = None, **members) -> dict:
    """A sale made out in dollars at `rate` and, unless in francs, paid in dollars."""
    paid = CASH | {"amount": "1.00", "currency": "USD", "rate": paid_at} if paid_at else CASH
    return accepted(
        **{"foreign_currency": rate and {"code": "USD", "rate": rate, "date": "2026-11-21"}, "payments": [paid]}
        | members
    )


def faults(payload: dict, reference: str | None) -> list[tuple[str, str, str]]:
    found = check_rate(parsed(payload), reference and Decimal(reference))
    assert all(one.code == "rate.not_of_the_day" for one in found)
    return [(one.pointer, one.actual, one.expected) for one in found]


RANGE = "2277 – 2323"


@pytest.mark.parametrize(
    ("rate", "is_near"),
    [("2276.999999", False), ("2277", True), ("2300", True), ("2323", True), ("2323.000001", False)],
)
def test_sfe_1_30_rates_are_near_the_reference(rate, is_near):
    expected = [] if is_near else [("/foreign_currency/rate", rate, RANGE)]
    assert faults(in_dollars(rate), "2300") == expected
    expected = [] if is_near else [("/payments/0/rate", rate, RANGE)]
    assert faults(in_dollars(None, rate), "2300") == expected


def test_without_a_reference_nothing_is_found():
    assert faults(in_dollars("1", "1"), None) == []


def test_francs_have_no_rate():
    assert faults(accepted(), "2300") == []


def test_one_wrong_rate_is_one_finding():
    dollar = CASH | {"amount": "1.00", "currency": "USD", "rate": "2400"}
    payload = in_dollars("2400", payments=[CASH, dollar, dollar])
    assert faults(payload, "2300") == [("/foreign_currency/rate", "2400", RANGE)]
    assert faults(payload | {"foreign_currency": None}, "2300") == [("/payments/1/rate", "2400", RANGE)]
    payload = in_dollars("2300", payments=[dollar, dollar, dollar | {"rate": "2500"}])
    assert faults(payload, "2300") == [("/payments/0/rate", "2400", RANGE), ("/payments/2/rate", "2500", RANGE)]


def test_a_rate_of_zero_is_another_rules_finding():
    assert faults(in_dollars("0", "0"), "2300") == []


@pytest.mark.parametrize("nature", ["COR", "RAN", "RAM"])
def test_a_credit_note_keeps_the_rate_of_its_sale_but_pays_at_that_of_the_day(nature):
    members = {"invoice_type": "FA", "credit": cases.original(nature)}
    assert faults(in_dollars("2300", "2300", **members), "2500") == []
    assert faults(in_dollars(None, "2300", **members), "2500") == [("/payments/0/rate", "2300", "2475 – 2525")]
    assert faults(in_dollars("2300", "2400", **members), "2500") == [("/payments/0/rate", "2400", "2475 – 2525")]


def test_a_rebate_has_no_sale_whose_rate_it_could_keep():
    nothing = {"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}
    payload = in_dollars("2300", "2300", invoice_type="FA", credit=nothing)
    assert faults(payload, "2500") == [("/foreign_currency/rate", "2300", "2475 – 2525")]


@pytest.mark.parametrize("reference", ["0", "-2300", "NaN", "Infinity"])
def test_what_is_no_rate_is_no_reference(reference):
    with pytest.raises(ValueError, match="no exchange rate"):
        check_rate(parsed(in_dollars("2300")), Decimal(reference))


def test_the_callers_decimal_context_changes_nothing():
    invoice = parsed(in_dollars("2323.000001"))
    with decimal.localcontext(prec=3, rounding=decimal.ROUND_DOWN):
        (found,) = check_rate(invoice, Decimal("2300.000000"))
    assert found.expected == RANGE


RATES = st.integers(1, 10**10).map(lambda millionths: counting.plain(f"{millionths // 10**6}.{millionths % 10**6:06}"))


@given(RATES, RATES)
def test_near_is_one_percent_in_whole_millionths(rate, reference):
    given_, day = counting.scaled(rate, 6), counting.scaled(reference, 6)
    assert (faults(in_dollars(rate), reference) == []) == (100 * abs(given_ - day) <= day)


@given(RATES, st.integers(-100, 100))
def test_near_is_decided_exactly_at_the_limit(reference, offset):
    """Rates within a few millionths of the limit, where a rounded limit would be wrong."""
    day = counting.scaled(reference, 6)
    rate = max(day + day // 100 + offset, 1)
    text = counting.plain(f"{rate // 10**6}.{rate % 10**6:06}")
    assert (faults(in_dollars(text), reference) == []) == (100 * abs(rate - day) <= day)
