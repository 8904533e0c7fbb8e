"""Tax by group (SFE §1.5.6–1.5.10), in exact decimals, half up."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any

from .documents import Item
from .wire import round2

SPECIFIC_VAT_GROUP = "N"
ZERO = Decimal("0.00")
EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class GroupTotals:
    base: Decimal = ZERO
    tax: Decimal = ZERO
    total: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Totals:
    groups: dict[str, GroupTotals]
    specific_tax: Decimal
    total: Decimal
    tax: Decimal


def compute_totals(items: Iterable[Item], mode: str, rates: dict[str, Decimal]) -> Totals:
    """Totals of an invoice in CDF; `mode` is "ht" or "ttc", `rates` are percents by group letter."""
    lines: dict[str, Decimal] = defaultdict(lambda: ZERO)
    specific: dict[str, Decimal] = defaultdict(lambda: ZERO)
    with localcontext(EXACT):
        for item in items:
            lines[item.tax_group] += line_amount(item)
            specific[item.tax_group] += item.specific_tax
        groups = {
            group: _group_totals(group, amount, specific[group], mode, rates[group]) for group, amount in lines.items()
        }
        return Totals(
            groups=groups,
            specific_tax=round2(sum(specific.values(), ZERO)),
            total=sum((group.total for group in groups.values()), ZERO),
            tax=sum((group.tax for group in groups.values()), ZERO),
        )


def line_amount(item: Item) -> Decimal:
    with localcontext(EXACT):
        return round2(item.price * item.quantity)


def _group_totals(group: str, lines: Decimal, specific: Decimal, mode: str, rate: Decimal) -> GroupTotals:
    if group == SPECIFIC_VAT_GROUP:
        return GroupTotals(base=ZERO, tax=lines, total=lines)
    factor = 1 + rate / 100
    if mode == "ht":
        base = lines + specific
        total = round2(base * factor)
    else:
        base = round2(lines / factor) + specific
        total = lines + round2(specific * factor)
    return GroupTotals(base=round2(base), tax=round2(total - base), total=round2(total))


def answer_totals(totals: Totals, rates: dict[str, Decimal]) -> dict[str, Any]:
    """The keys of the e-MCF's answer: rates t*, totals ta*, bases ha*, VAT va*, for every group a–p."""
    letters = sorted(rates)
    groups = {letter: totals.groups.get(letter, GroupTotals()) for letter in letters}
    return {
        **{f"t{letter.lower()}": round2(rates[letter]) for letter in letters},
        **{f"ta{letter.lower()}": groups[letter].total for letter in letters},
        **{f"ha{letter.lower()}": groups[letter].base for letter in letters},
        **{f"va{letter.lower()}": groups[letter].tax for letter in letters},
        "ts": totals.specific_tax,
        "total": totals.total,
        "vtotal": totals.tax,
    }
