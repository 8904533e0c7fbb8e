"""The order and the limits in which sealed documents go to the DGI, up to an outage of the whole country."""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.sealing.agenda import Agenda, Due
from bonopay_signer.sealing.breakers import Breakers

START = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def due(number: int, outlet: str = "KIN001") -> Due:
    return Due(START + timedelta(seconds=number), number, outlet)


def taken(agenda: Agenda) -> list[Due]:
    return list(iter(agenda.take, None))


def always(_outlet: str) -> bool:
    return True


def test_the_oldest_goes_first_whoever_it_belongs_to() -> None:
    agenda = Agenda(always, parallel=3, per_outlet=2)
    agenda.offer([due(5), due(1, "KIN002"), due(3), due(2), due(4, "KIN002")])
    assert [one.id for one in taken(agenda)] == [1, 2, 3]


def test_an_outlet_takes_no_more_than_its_share_and_leaves_the_rest_to_the_others() -> None:
    agenda = Agenda(always, parallel=10, per_outlet=2)
    agenda.offer([due(number) for number in range(6)] + [due(9, "KIN002")])
    first = taken(agenda)
    assert [one.id for one in first] == [0, 1, 9]
    agenda.ended(first[0])
    assert [one.id for one in taken(agenda)] == [2]


def test_what_is_offered_twice_is_taken_once_and_again_after_its_end() -> None:
    agenda = Agenda(always)
    agenda.offer([due(1), due(1)])
    (only,) = taken(agenda)
    agenda.offer([due(1)])
    assert taken(agenda) == []
    agenda.ended(only)
    agenda.offer([due(1)])
    assert taken(agenda) == [only]


def test_an_older_one_that_comes_later_overtakes() -> None:
    agenda = Agenda(always, per_outlet=1)
    agenda.offer([due(1), due(7)])
    (first,) = taken(agenda)
    agenda.offer([due(4)])
    agenda.ended(first)
    assert [one.id for one in taken(agenda)] == [4]


def test_a_resting_outlet_is_forgotten_until_it_is_offered_again() -> None:
    resting = {"KIN001"}
    agenda = Agenda(lambda outlet: outlet not in resting)
    agenda.offer([due(1), due(2), due(3, "KIN002")])
    assert [one.id for one in taken(agenda)] == [3]
    assert agenda.waiting == 0
    resting.clear()
    agenda.offer([due(1), due(2)])
    assert [one.id for one in taken(agenda)] == [1, 2]


@given(st.data())
def test_whatever_comes_and_goes_the_limits_hold_and_nothing_is_lost(data: st.DataObject) -> None:
    parallel, per_outlet = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    agenda = Agenda(always, parallel, per_outlet)
    outlet_of = data.draw(st.lists(st.sampled_from(["A", "B", "C"]), max_size=30))
    offered, under_way, done = iter([due(n, outlet) for n, outlet in enumerate(outlet_of)]), [], []
    for step in data.draw(st.lists(st.sampled_from(["offer", "take", "end"]), max_size=120)):
        if step == "offer":
            agenda.offer([one for one in [next(offered, None)] if one])
        elif step == "take" and (one := agenda.take()):
            under_way.append(one)
        elif step == "end" and under_way:
            done.append(under_way.pop(data.draw(st.integers(0, len(under_way) - 1))))
            agenda.ended(done[-1])
        assert len(under_way) == agenda.under_way <= parallel
        assert all(count <= per_outlet for count in Counter(one.outlet_id for one in under_way).values())
    agenda.offer(offered)
    while under_way or agenda.waiting:
        under_way += taken(agenda)
        assert under_way, "something waits, there is room, and nothing goes"
        done.append(under_way.pop())
        agenda.ended(done[-1])
    assert sorted(one.id for one in done) == list(range(len(outlet_of)))


class Country:
    """Outlets with a backlog each, an e-MCF each, and one link: a simulated clock, no waiting.

    The DGI answers nothing until ``back_at``; then a certification takes 0.4 to 1.6 seconds. An attempt at the silent
    DGI takes 15 seconds. Every two seconds ten of each outlet are read ahead, as the service does.
    """

    REFILL, READ, MOST_PENDING = 2.0, 10, 10

    def __init__(self, outlets: int, documents: int, back_at: float, parallel: int) -> None:
        self.now = 0.0
        self.back_at = back_at
        self.breakers = Breakers(clock=lambda: self.now)
        self.agenda = Agenda(self.breakers.may_ask, parallel)
        self._random = random.Random(2026)
        self._backlog: dict[str, Iterator[int]] = {}
        self._ahead: dict[str, dict[int, Due]] = defaultdict(dict)
        per_outlet = documents // outlets
        for number in range(outlets):
            name = f"OUT{number:04d}"
            self._backlog[name] = iter(range(number, number + per_outlet * outlets, outlets))
        self._ends: list[tuple[float, Due, bool]] = []
        self.in_vain: list[float] = []
        self.certified: dict[str, list[int]] = defaultdict(list)
        self._under_way: Counter[str] = Counter()
        self.most_under_way: Counter[str] = Counter()
        self.per_minute: Counter[int] = Counter()

    def run(self) -> None:
        refill = 0.0
        while True:
            if self.now >= refill:
                refill = self.now + self.REFILL
                if not self._refill() and not self._ends and not self.agenda.waiting:
                    return
            while (one := self.agenda.take()) is not None:
                self._begin(one)
            if self._ends and self._ends[0][0] <= refill:
                self._end(*heapq.heappop(self._ends))
            else:
                self.now = refill

    def _refill(self) -> bool:
        resting = set(self.breakers.resting())
        left = False
        for outlet, backlog in self._backlog.items():
            ahead = self._ahead[outlet]
            while len(ahead) < self.READ and (following := next(backlog, None)) is not None:
                ahead[following] = Due(START, following, outlet)
            left = left or bool(ahead)
            if outlet not in resting:
                self.agenda.offer(ahead.values())
        return left

    def _begin(self, one: Due) -> None:
        answered = self.now >= self.back_at
        self._under_way[one.outlet_id] += 1
        pending = self._under_way[one.outlet_id]
        self.most_under_way[one.outlet_id] = max(self.most_under_way[one.outlet_id], pending)
        takes = self._random.uniform(0.4, 1.6) if answered else 15.0
        heapq.heappush(self._ends, (self.now + takes, one, answered))

    def _end(self, at: float, one: Due, answered: bool) -> None:
        self.now = at
        self._under_way[one.outlet_id] -= 1
        if answered:
            self.breakers.answered(one.outlet_id)
            self.certified[one.outlet_id].append(one.id)
            del self._ahead[one.outlet_id][one.id]
            self.per_minute[int(at // 60)] += 1
        else:
            self.breakers.unanswered(one.outlet_id)
            self.in_vain.append(at)
        self.agenda.ended(one)


@pytest.fixture(scope="module")
def country() -> Country:
    simulated = Country(outlets=500, documents=1_000_000, back_at=8 * 3600.0, parallel=40)
    simulated.run()
    return simulated


def test_after_an_outage_of_the_country_every_document_is_certified_once(country: Country) -> None:
    assert len(country.certified) == 500
    assert all(sorted(set(numbers)) == sorted(numbers) for numbers in country.certified.values())
    assert sum(map(len, country.certified.values())) == 1_000_000


def test_it_drains_in_order(country: Country) -> None:
    """Nobody is overtaken by more than what its outlet has under way at once."""
    for numbers in country.certified.values():
        ranks = {number: rank for rank, number in enumerate(sorted(numbers))}
        assert max(abs(ranks[number] - place) for place, number in enumerate(numbers)) <= 8
    everywhere = [max(numbers[: len(numbers) // 2]) for numbers in country.certified.values()]
    assert max(everywhere) - min(everywhere) < 500 * 20, "no outlet runs ahead of the others"


def test_it_stays_within_the_limits_of_the_api(country: Country) -> None:
    assert max(country.most_under_way.values()) <= 4 < Country.MOST_PENDING


def test_a_silent_dgi_is_asked_seldom(country: Country) -> None:
    """About once a minute for each outlet, after the five attempts that open its breaker."""
    hours = country.back_at / 3600
    assert 500 * 5 <= len(country.in_vain) < 500 * (5 + 66 * hours)


def test_its_return_starts_no_stampede(country: Country) -> None:
    """The first minutes are as busy as those that follow, and no busier than the service's own lines allow."""
    first = int(country.back_at // 60)
    usual = country.per_minute[first + 30]
    assert usual == pytest.approx(40 * 60, rel=0.1)  # 40 lines, a second each
    assert all(country.per_minute[minute] <= usual * 1.1 for minute in country.per_minute)
    assert country.per_minute[first + 2] > usual * 0.8, "and it is noticed soon"
