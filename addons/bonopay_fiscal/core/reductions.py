"""Reductions as net unit prices: the law knows no negative and no zero line (SFE §1.21–22).

A discount on the whole sale, a reward or a gift lowers the unit prices of the articles of its tax group (mentions l and
m), so that the group's sum stays what it was, to the centime. Where no single price gives an article's amount, some
units are priced a centime lower, on a line of their own.

Pure: no database. All articles of one call are of one tax group, so nothing moves from one group to another.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from .arithmetic import CENT, line_amount, round2

_ZERO = Decimal(0)


class Undistributable(Exception):
    """A reduction that no net prices above zero express.

    :ivar reason: ``total`` (nothing would be left to pay), ``gift`` (nothing is sold in the gifts' tax group),
        ``worth`` (a gift without a price of its own) or ``centimes`` (prices would fall below a centime)
    :ivar article: position of the gift, for ``worth``
    """

    def __init__(self, reason: str, article: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.article = article


@dataclass(frozen=True)
class Article:
    """An article line of one tax group.

    :ivar quantity: above zero, three decimals at most
    :ivar price: its unit price as agreed so far, to the centime, of dollars unrounded; zero for a gift
    :ivar worth: its unit price without any reduction: the share that a gift gets of the price of the others
    :ivar kin: what tells articles of the same product; a gift lowers the price of its own product before others'
    :ivar may_be_free: it need not stay on the document (a delivery)
    """

    quantity: Decimal
    price: Decimal
    worth: Decimal
    kin: object = None
    may_be_free: bool = False

    @property
    def amount(self) -> Decimal:
        """Amount of the line as agreed so far."""
        return line_amount(self.price, self.quantity)


@dataclass(frozen=True)
class Reduction:
    """An amount off some articles.

    :ivar amount: above zero, to the centime, in the price mode of the document
    :ivar articles: positions of those it is meant for; all when empty
    """

    amount: Decimal
    articles: tuple[int, ...] = ()


class Part(NamedTuple):
    """Some of an article's units at one net price."""

    quantity: Decimal
    price: Decimal

    @property
    def amount(self) -> Decimal:
        """Amount of a line with these units."""
        return line_amount(self.price, self.quantity)


def net_prices(articles: Sequence[Article], reductions: Iterable[Reduction]) -> list[tuple[Part, ...]]:
    """The units of each article with their net prices; nothing for one that is free and need not stay.

    :raises Undistributable: no prices above zero give the sum

    >>> rice, oil = Article(Decimal(3), Decimal(100), Decimal(100)), Article(Decimal(1), Decimal(50), Decimal(50))
    >>> [*map(str, net_prices([rice], [Reduction(Decimal(100))])[0])]
    ["Part(quantity=Decimal('2'), price=Decimal('66.67'))", "Part(quantity=Decimal('1'), price=Decimal('66.66'))"]
    >>> [parts[0].price for parts in net_prices([rice, oil], [Reduction(Decimal(35))])]
    [Decimal('90.00'), Decimal('45.00')]
    """
    wanted = [article.amount for article in articles]
    for reduction in reductions:
        _take(wanted, reduction)
    if not any(wanted) and not all(article.may_be_free for article in articles):
        raise Undistributable("total" if any(article.price for article in articles) else "gift")
    for position, article in enumerate(articles):
        if not wanted[position] and not article.may_be_free:
            _pay_for_gift(wanted, articles, position)
    return _priced(articles, wanted)


def shares(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """A total in whole centimes, in the proportion of some weights; no share exceeds its weight unless the total does.

    >>> shares(Decimal("0.10"), [Decimal(1), Decimal(1), Decimal(1)])
    [Decimal('0.03'), Decimal('0.04'), Decimal('0.03')]
    """
    whole, reached, given, found = sum(weights, _ZERO), _ZERO, _ZERO, []
    for weight in weights:
        reached += weight
        up_to_here = round2(total * reached / whole)
        found.append(up_to_here - given)
        given = up_to_here
    return found


def meeting(amount: Decimal, total_less: Callable[[Decimal], Decimal], wanted: Decimal) -> Decimal:
    """The amount, or its neighbour by a centime, that brings a total to what is wanted; the amount when neither does.

    :param total_less: the total with tax when an amount before tax is taken off

    >>> meeting(Decimal("4.30"), lambda off: round2((100 - off) * Decimal("1.16")), Decimal("111.02"))
    Decimal('4.29')
    """
    near = (amount, amount - CENT, amount + CENT)
    return next((one for one in near if one > 0 and total_less(one) == wanted), amount)


def _take(wanted: list[Decimal], reduction: Reduction) -> None:
    """Lower the amounts of those that a reduction is meant for; of all, when it is more than these are."""
    meant = reduction.articles or range(len(wanted))
    if sum((wanted[position] for position in meant), _ZERO) < reduction.amount:
        meant = range(len(wanted))
    before = [wanted[position] for position in meant]
    left = sum(before, _ZERO) - reduction.amount
    if left < 0 or not any(before):
        raise Undistributable("total")
    for position, share in zip(meant, shares(left, before), strict=True):
        wanted[position] = share


def _pay_for_gift(wanted: list[Decimal], articles: Sequence[Article], gift: int) -> None:
    """What is sold with a gift is sold for less, and the gift for the rest."""
    sold = [position for position, amount in enumerate(wanted) if amount]
    kin = [position for position in sold if articles[gift].kin and articles[position].kin == articles[gift].kin]
    bearers = [*(kin or sold), gift]
    worth = line_amount(articles[gift].worth, articles[gift].quantity)
    if worth <= 0:
        raise Undistributable("worth", gift)
    total = sum((wanted[position] for position in bearers), _ZERO)
    weights = [*(wanted[position] for position in bearers[:-1]), worth]
    for position, share in zip(bearers, shares(total, weights), strict=True):
        wanted[position] = share


def _priced(articles: Sequence[Article], wanted: Sequence[Decimal]) -> list[tuple[Part, ...]]:
    found = [(Part(article.quantity, article.price),) for article in articles]
    goals = {}
    for position, (article, goal) in enumerate(zip(articles, wanted, strict=True)):
        if not goal and article.may_be_free:
            found[position] = ()
        elif not goal or goal != article.amount:
            goals[position] = (article.quantity, goal)
    for position, parts in (_carried(goals) or _separate(goals)).items():
        found[position] = parts
    return found


def _carried(goals: dict[int, tuple[Decimal, Decimal]]) -> dict[int, tuple[Part, ...]]:
    """One price for each but the last: what an article costs more than its share, the next ones cost less. Nothing when
    the last ones are too small for that."""
    found, carry = {}, _ZERO
    most_units_first = sorted(goals, key=lambda position: -goals[position][0])
    for position in most_units_first[:-1]:
        quantity, goal = goals[position]
        part = Part(quantity, _lowest_price(goal - carry, quantity))
        if part.price < CENT or part.amount < CENT:
            return {}
        found[position] = (part,)
        carry = part.amount - (goal - carry)
    for position in most_units_first[-1:]:
        quantity, goal = goals[position]
        found[position] = _exactly(goal - carry, quantity)
    return found if all(found.values()) else {}


def _separate(goals: dict[int, tuple[Decimal, Decimal]]) -> dict[int, tuple[Part, ...]]:
    """Each article at its own share."""
    found = {position: _exactly(goal, quantity) for position, (quantity, goal) in goals.items()}
    if not all(found.values()):
        raise Undistributable("centimes")
    return found


def _exactly(amount: Decimal, quantity: Decimal) -> tuple[Part, ...]:
    """The units at the prices that give an amount exactly; nothing when some would cost nothing.

    One price always does for a single unit or less of one: its steps are no longer than a centime.
    """
    price = _lowest_price(amount, quantity)
    whole = Part(quantity, price)
    parts = (whole,) if whole.amount == amount else _in_two(amount, quantity, price)
    return parts if all(part.price >= CENT and part.amount >= CENT for part in parts) else ()


def _in_two(amount: Decimal, quantity: Decimal, price: Decimal) -> tuple[Part, ...]:
    """Some units at a price that gives too much for all, the others lower."""
    if quantity == quantity.to_integral_value():
        lower = ((line_amount(price, quantity) - amount) / CENT).to_integral_value()
        return Part(quantity - lower, price), Part(lower, price - CENT)
    rest = Part(quantity - 1, price)
    return rest, Part(Decimal(1), amount - rest.amount)


def _lowest_price(amount: Decimal, quantity: Decimal) -> Decimal:
    """The lowest unit price whose product is, rounded, no less than an amount."""
    return ((amount - CENT / 2) / quantity).quantize(CENT, ROUND_CEILING)
