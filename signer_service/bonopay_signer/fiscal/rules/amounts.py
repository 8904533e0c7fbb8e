"""Rules on tax groups and totals (SFE §1.2 mentions m–p, §1.5, §1.12, §1.21)."""

from collections.abc import Iterator
from decimal import Decimal

from .. import taxes
from ..findings import Finding, finding, pointer_to
from ..forms import ZERO_MONEY
from ..schema import TaxGroup
from .facts import Facts


def groups_used_are_listed(facts: Facts) -> Iterator[Finding]:
    """SFE §1.2 mentions m–o: the sales, rate and tax of every group that the lines use are shown."""
    listed = {group.code for group in facts.invoice.tax_groups}
    for code in facts.computed:
        if code not in listed:
            yield finding("/tax_groups", "tax_groups.missing", expected=code)


def groups_listed_are_used_once(facts: Facts) -> Iterator[Finding]:
    """SFE §1.2 mentions m–o, docs/contracts.md §2: no group without sales, and one row for each."""
    seen: set[str] = set()
    for position, group in enumerate(facts.invoice.tax_groups):
        if group.code in seen:
            yield finding(pointer_to("tax_groups", position), "tax_groups.duplicate", actual=group.code)
        elif group.code not in facts.computed:
            yield finding(pointer_to("tax_groups", position), "tax_groups.unused", actual=group.code)
        seen.add(group.code)


def groups_ascend(facts: Facts) -> Iterator[Finding]:
    """docs/contracts.md §2: groups by ascending code, so that one invoice has one spelling."""
    codes = [group.code for group in facts.invoice.tax_groups]
    ascending = sorted(codes)
    if codes != ascending:
        yield finding("/tax_groups", "tax_groups.order", expected=", ".join(ascending), actual=", ".join(codes))


def rates_are_those_in_force(facts: Facts) -> Iterator[Finding]:
    """SFE §1.12, §1.31: the rate of each group is the table's, on the day of issue."""
    for position, group in enumerate(facts.invoice.tax_groups):
        row = facts.tables.tax_groups.get(group.code)
        if row is not None and Decimal(group.rate) != row.rate:
            pointer = pointer_to("tax_groups", position, "rate")
            yield finding(pointer, "tax_group.rate", expected=str(row.rate), actual=group.rate, name=group.code)


def group_amounts_are_computed(facts: Facts) -> Iterator[Finding]:
    """SFE §1.5.2, §1.5.6–1.5.10: base, tax and total of each group are what its lines give."""
    for code, position in facts.listed.items():
        declared, computed = facts.invoice.tax_groups[position], facts.computed[code]
        if computed is None or declared == computed or declared.rate != computed.rate:
            continue
        for member in ("base", "tax", "total"):
            actual, expected = getattr(declared, member), getattr(computed, member)
            if actual != expected:
                pointer = pointer_to("tax_groups", position, member)
                yield finding(pointer, f"tax_group.{member}", expected=expected, actual=actual, name=code)


def totals_are_sums_of_groups(facts: Facts) -> Iterator[Finding]:
    """SFE §1.5.7, §1.2 mention p: the totals are the sums over the groups; §1.21: the total is not zero."""
    groups = _groups_to_sum(facts)
    if groups is None or not facts.invoice.items:
        return
    declared, expected = facts.invoice.totals, taxes.sum_of(facts.invoice, groups)
    if declared == expected and declared.total != ZERO_MONEY:
        return
    for member in ("base", "tax", "specific_tax", "total"):
        amount, sum_of_groups = getattr(declared, member), getattr(expected, member)
        is_zero_total = member == "total" and amount == ZERO_MONEY
        if amount != sum_of_groups or is_zero_total:
            code = "totals.zero" if is_zero_total else f"totals.{member}"
            yield finding(pointer_to("totals", member), code, expected=sum_of_groups, actual=amount)


def _groups_to_sum(facts: Facts) -> list[TaxGroup] | None:
    """The group rows that the totals must add up: those declared, and computed ones for missing or repeated ones.

    So a fault in the list of groups, or in a row of it, is not reported a second time at the totals. None when a
    row cannot be computed because its group was not in force.
    """
    groups = []
    for code, computed in facts.computed.items():
        group = facts.invoice.tax_groups[facts.listed[code]] if code in facts.listed else computed
        if group is None:
            return None
        groups.append(group)
    return groups


RULES = (
    groups_used_are_listed,
    groups_listed_are_used_once,
    groups_ascend,
    rates_are_those_in_force,
    group_amounts_are_computed,
    totals_are_sums_of_groups,
)
