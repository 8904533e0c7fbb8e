"""Tax by group. The oracle counts in whole hundredths with integers and fractions, not with the code's decimals."""

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_dgi_sandbox.documents import Item
from bonopay_dgi_sandbox.tables import load_tables
from bonopay_dgi_sandbox.taxes import GroupTotals, answer_totals, compute_totals

RATES = load_tables().rates
LEVIES = "LN"


def item(price: str, quantity: str = "1", group: str = "B", specific: str = "0") -> Item:
    kind = "TAX" if group in LEVIES else "BIE"
    return Item("X", kind, "X", Decimal(price), Decimal(quantity), group, Decimal(specific))


def group_of(items: list[Item], mode: str, group: str = "B") -> tuple[str, str, str]:
    totals = compute_totals(items, mode, RATES).groups[group]
    return str(totals.base), str(totals.tax), str(totals.total)


@pytest.mark.parametrize(
    ("mode", "items", "expected"),
    [
        ("ttc", [item("100.00")], ("86.21", "13.79", "100.00")),
        ("ttc", [item("99.99")], ("86.20", "13.79", "99.99")),
        ("ttc", [item("33333.33")], ("28735.63", "4597.70", "33333.33")),
        ("ttc", [item("9.99")] * 3, ("25.84", "4.13", "29.97")),
        ("ht", [item("33.33")], ("33.33", "5.33", "38.66")),
        ("ht", [item("0.33")] * 7, ("2.31", "0.37", "2.68")),
    ],
)
def test_published_vectors(mode: str, items: list[Item], expected: tuple[str, str, str]) -> None:
    assert group_of(items, mode) == expected


def test_tie_at_5_percent_raises_the_tax() -> None:
    assert group_of([item("0.10", group="C")], "ht", "C") == ("0.10", "0.01", "0.11")


def test_line_is_rounded_half_up_before_the_group_is_summed() -> None:
    assert group_of([item("0.05", "0.300", "A")] * 2, "ht", "A") == ("0.04", "0.00", "0.04")


def test_sfe_1_5_10_specific_tax_enters_the_base_in_ht() -> None:
    assert group_of([item("100", specific="10")], "ht") == ("110.00", "17.60", "127.60")


def test_specific_tax_is_added_with_its_own_vat_in_ttc() -> None:
    assert group_of([item("116", specific="10")], "ttc") == ("110.00", "17.60", "127.60")


def test_sfe_1_14_group_n_is_wholly_vat_and_group_l_bears_none() -> None:
    totals = compute_totals([item("50", group="N"), item("20", group="L"), item("116")], "ttc", RATES)
    assert totals.groups["N"] == GroupTotals(Decimal("0.00"), Decimal("50.00"), Decimal("50.00"))
    assert totals.groups["L"] == GroupTotals(Decimal("20.00"), Decimal("0.00"), Decimal("20.00"))
    assert (totals.total, totals.tax) == (Decimal("186.00"), Decimal("66.00"))


def test_answer_bears_every_key_with_two_decimals() -> None:
    answer = answer_totals(compute_totals([item("116", specific="1.5")], "ttc", RATES), RATES)
    letters = "abcdefghijklmnop"
    expected = {prefix + letter for prefix in ("t", "ta", "ha", "va") for letter in letters} | {"ts", "total", "vtotal"}
    assert set(answer) == expected
    assert all(value.as_tuple().exponent == -2 for value in answer.values())
    assert answer["ts"] == Decimal("1.50")


PRICES = st.integers(1, 10**9).map(lambda cents: Decimal(cents).scaleb(-2))
QUANTITIES = st.integers(1, 10**6).map(lambda thousandths: Decimal(thousandths).scaleb(-3))
SPECIFICS = st.one_of(st.just(Decimal(0)), st.integers(1, 10**7).map(lambda cents: Decimal(cents).scaleb(-2)))
GROUPS = st.sampled_from(sorted(RATES))


@st.composite
def items_of_any_group(draw: st.DrawFn) -> Item:
    group = draw(GROUPS)
    kind, specific = ("TAX", Decimal(0)) if group in LEVIES else ("BIE", draw(SPECIFICS))
    return Item("X", kind, "X", draw(PRICES), draw(QUANTITIES), group, specific)


def half_up_cents(amount: Fraction) -> int:
    """Hundredths, half up, of a positive amount."""
    return (2 * (100 * amount).numerator + (100 * amount).denominator) // (2 * (100 * amount).denominator)


def oracle(items: list[Item], mode: str, group: str) -> tuple[int, int, int]:
    """Base, tax and total of a group in hundredths, from the text of SFE §1.5."""
    mine = [one for one in items if one.tax_group == group]
    lines = sum(half_up_cents(Fraction(one.price) * Fraction(one.quantity)) for one in mine)
    specific = sum(int(100 * one.specific_tax) for one in mine)
    factor = 1 + Fraction(RATES[group]) / 100
    if group == "N":
        return 0, lines, lines
    if mode == "ht":
        base = lines + specific
        total = half_up_cents(Fraction(base, 100) * factor)
    else:
        base = half_up_cents(Fraction(lines, 100) / factor) + specific
        total = lines + half_up_cents(Fraction(specific, 100) * factor)
    return base, total - base, total


@given(st.lists(items_of_any_group(), min_size=1, max_size=12), st.sampled_from(["ht", "ttc"]))
def test_groups_agree_with_the_integer_oracle(items: list[Item], mode: str) -> None:
    totals = compute_totals(items, mode, RATES)
    for group, found in totals.groups.items():
        assert tuple(int(100 * part) for part in (found.base, found.tax, found.total)) == oracle(items, mode, group)


@given(st.lists(items_of_any_group(), min_size=1, max_size=12), st.sampled_from(["ht", "ttc"]), st.randoms())
def test_base_and_tax_make_the_total_in_any_order(items: list[Item], mode: str, random: Random) -> None:
    totals = compute_totals(items, mode, RATES)
    assert all(group.base + group.tax == group.total for group in totals.groups.values())
    assert all(group.tax >= 0 for group in totals.groups.values())
    assert totals.total == sum(group.total for group in totals.groups.values())
    shuffled = random.sample(items, len(items))
    assert compute_totals(shuffled, mode, RATES) == totals
