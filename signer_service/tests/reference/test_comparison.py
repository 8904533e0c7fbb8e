"""What is new in what was told, and what is not the core's."""

from datetime import date
from decimal import Decimal

from bonopay_signer.fiscal.tables import in_force
from bonopay_signer.reference.comparison import Difference, Held, changes, differences
from bonopay_signer.reference.told import CURRENCY_RATES, TAX_GROUPS, Told

TODAY, YESTERDAY = date(2026, 11, 21), date(2026, 11, 20)


def held(*rows: Held) -> dict:
    return {(row.table_name, row.code, row.valid_from if row.table_name == CURRENCY_RATES else None): row
            for row in rows}  # fmt: skip


def group(code: str, rate: int, withdrawn: bool = False, valid_from: date = YESTERDAY) -> Held:
    return Held(TAX_GROUPS, code, None, Decimal(rate), withdrawn, valid_from)


def told_groups(**rates: int) -> dict:
    return {TAX_GROUPS: {code: Told(code, None, Decimal(rate), TODAY) for code, rate in rates.items()}}


def test_the_same_again_is_no_change() -> None:
    assert changes(held(group("B", 16)), told_groups(B=16), TODAY) == []


def test_another_rate_holds_from_the_day_on_which_it_is_told() -> None:
    (change,) = changes(held(group("B", 16), group("A", 0)), told_groups(B=18, A=0), TODAY)
    assert change.before == group("B", 16) and change.row == group("B", 18, valid_from=TODAY)


def test_code_left_out_is_withdrawn_once_and_may_come_back() -> None:
    before = held(group("B", 16), group("C", 5))
    (change,) = changes(before, told_groups(B=16), TODAY)
    assert change.row == group("C", 5, withdrawn=True, valid_from=TODAY)
    after = held(group("B", 16), change.row)
    assert changes(after, told_groups(B=16), TODAY) == []
    (back,) = changes(after, told_groups(B=16, C=5), TODAY)
    assert back.row.withdrawn is False


def test_table_that_was_not_told_loses_nothing() -> None:
    assert changes(held(group("B", 16)), {}, TODAY) == []


def test_every_day_has_its_own_rate_of_a_currency_and_may_be_corrected() -> None:
    old = Held(CURRENCY_RATES, "USD", "Dollar", Decimal(2300), False, TODAY)
    told = {CURRENCY_RATES: {"USD": Told("USD", "US dollar", Decimal("2300.00"), TODAY)}}
    assert changes(held(old), told, TODAY) == [], "another label is no other rate"
    corrected = {CURRENCY_RATES: {"USD": Told("USD", "Dollar", Decimal(2310), TODAY)}}
    assert [change.before for change in changes(held(old), corrected, TODAY)] == [old]
    assert (
        changes(held(old), {CURRENCY_RATES: {"EUR": Told("EUR", None, Decimal(2650), TODAY)}}, TODAY)[0].row.code
        == "EUR"
    )


def test_differences_name_both_sides_and_tables_never_told_are_not_compared() -> None:
    core = in_force(TODAY).tax_groups
    same = [Held(TAX_GROUPS, code, None, row.rate, False, TODAY) for code, row in core.items()]
    assert differences(same, TODAY) == []
    others = [row for row in same if row.code not in "BCP"]
    others += [group("B", 18), group("P", 1, withdrawn=True), Held("item_types", "XYZ", None, None, False, TODAY)]
    assert differences(others, TODAY) == [
        Difference("item_types", "BIE", None, "in force"),
        Difference("item_types", "SER", None, "in force"),
        Difference("item_types", "TAX", None, "in force"),
        Difference("item_types", "XYZ", "in force", None),
        Difference(TAX_GROUPS, "B", "18 %", "16 %"),
        Difference(TAX_GROUPS, "C", None, "5 %"),
        Difference(TAX_GROUPS, "P", None, "1 %"),
    ]
