"""Rules on tax groups and totals (SFE §1.2 mentions m–p, §1.5, §1.12, §1.21)."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from .. import tables, taxes
from ..findings import Finding, finding, pointer_to
from ..schema import Invoice, TaxGroup


def groups_used_are_listed(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.2 mentions m–o: the sales, rate and tax of every group that the lines use are shown."""
    listed = {group.code for group in invoice.tax_groups}
    for code in taxes.used_groups(invoice):
        if code not in listed:
            yield finding("/tax_groups", "tax_groups.missing", expected=code)


def groups_listed_are_used_once(invoice: Invoice) -> Iterator[Finding]:
    """docs/contracts.md §2: no group without lines, none twice."""
    used = taxes.used_groups(invoice)
    seen: set[str] = set()
    for position, group in enumerate(invoice.tax_groups):
        if group.code in seen:
            yield finding(pointer_to("tax_groups", position), "tax_groups.duplicate", actual=group.code)
        elif group.code not in used:
            yield finding(pointer_to("tax_groups", position), "tax_groups.unused", actual=group.code)
        seen.add(group.code)


def groups_ascend(invoice: Invoice) -> Iterator[Finding]:
    """docs/contracts.md §2: groups by ascending code, so that one invoice has one spelling."""
    codes = [group.code for group in invoice.tax_groups]
    if codes != sorted(codes):
        yield finding("/tax_groups", "tax_groups.order", expected=", ".join(sorted(codes)), actual=", ".join(codes))


def rates_are_those_in_force(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.12, §1.31: the rate of each group is the table's, on the day of issue."""
    on = taxes.fiscal_date(invoice)
    for position, group in enumerate(invoice.tax_groups):
        rate = tables.rate_of(group.code, on)
        if rate is not None and Decimal(group.rate) != rate:
            pointer = pointer_to("tax_groups", position, "rate")
            yield finding(pointer, "tax_group.rate", expected=str(rate), actual=group.rate, name=group.code)


def group_amounts_are_computed(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.5.2, §1.5.6–1.5.10: base, tax and total of each group are what its lines give."""
    on = taxes.fiscal_date(invoice)
    listed_once = _listed_once(invoice)
    for position, group in enumerate(invoice.tax_groups):
        rate = tables.rate_of(group.code, on)
        if group.code not in listed_once or rate is None or Decimal(group.rate) != rate:
            continue
        computed = taxes.group_amounts(group.code, rate, invoice.price_mode, invoice.items)
        for member in ("base", "tax", "total"):
            declared, expected = getattr(group, member), getattr(computed, member)
            if declared != expected:
                pointer = pointer_to("tax_groups", position, member)
                yield finding(pointer, f"tax_group.{member}", expected=expected, actual=declared, name=group.code)


def totals_are_sums_of_groups(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.5.7, §1.2 mention p: the totals are the sums over the groups; §1.21: the total is not zero."""
    groups = _groups_to_sum(invoice)
    if groups is None or not invoice.items:
        return
    expected = taxes.sum_of(invoice, groups)
    for member in ("base", "tax", "specific_tax", "total"):
        declared, sum_of_groups = getattr(invoice.totals, member), getattr(expected, member)
        is_zero_total = member == "total" and not Decimal(declared)
        if declared != sum_of_groups or is_zero_total:
            code = "totals.zero" if is_zero_total else f"totals.{member}"
            yield finding(pointer_to("totals", member), code, expected=sum_of_groups, actual=declared)


def _listed_once(invoice: Invoice) -> dict[str, TaxGroup]:
    """The declared rows of the groups in use, without those listed several times."""
    times = Counter(group.code for group in invoice.tax_groups)
    used = taxes.used_groups(invoice)
    return {group.code: group for group in invoice.tax_groups if times[group.code] == 1 and group.code in used}


def _groups_to_sum(invoice: Invoice) -> list[TaxGroup] | None:
    """The group rows that the totals must add up: those declared, and computed ones for missing or repeated ones.

    So a fault in the list of groups, or in a row of it, is not reported a second time at the totals. None when a
    row cannot be computed because its group was not in force.
    """
    on = taxes.fiscal_date(invoice)
    declared = _listed_once(invoice)
    groups = []
    for code in taxes.used_groups(invoice):
        group, rate = declared.get(code), tables.rate_of(code, on)
        if group is None and rate is None:
            return None
        groups.append(group or taxes.group_amounts(code, rate, invoice.price_mode, invoice.items))
    return groups


RULES = (
    groups_used_are_listed,
    groups_listed_are_used_once,
    groups_ascend,
    rates_are_those_in_force,
    group_amounts_are_computed,
    totals_are_sums_of_groups,
)
