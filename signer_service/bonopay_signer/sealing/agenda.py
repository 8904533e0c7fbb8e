"""Which sealed documents are brought to the DGI next: pure, no database, no network, no clock.

The oldest first, over all outlets: it is the nearest to its deadline of 48 hours (arrêté 033, art. 7 g), whoever's it
is. Of one outlet no more at once than an e-MCF bears, of all no more than the service has lines; an outlet whose
breaker is open leaves its place to the others.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple


class Due(NamedTuple):
    """A document whose time for an attempt has come. The order is that of the attempts."""

    sealed_at: datetime
    id: int
    outlet_id: str


class Agenda:
    """``offer`` what is due, ``take`` what is next, tell when it has ``ended``.

    ``may_ask`` tells of an outlet whether to make an attempt now; yes is taken as made.
    """

    def __init__(self, may_ask: Callable[[str], bool], parallel: int = 40, per_outlet: int = 4) -> None:
        self._may_ask = may_ask
        self._parallel = parallel
        self._per_outlet = per_outlet
        self._lines: dict[str, list[Due]] = {}  # a heap for each outlet
        self._fronts: list[Due] = []  # a heap of fronts of lines; those that were overtaken are passed over
        self._known: set[int] = set()
        self._under_way: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many were offered and not taken yet."""
        return sum(map(len, self._lines.values()))

    @property
    def under_way(self) -> int:
        return self._under_way.total()

    def offer(self, documents: Iterable[Due]) -> None:
        """Add what is not known yet."""
        for due in documents:
            if due.id not in self._known:
                self._known.add(due.id)
                line = self._lines.setdefault(due.outlet_id, [])
                heapq.heappush(line, due)
                self._show(due.outlet_id)

    def take(self) -> Due | None:
        """The next to attempt; None when there is none, or no room."""
        while self._fronts and self.under_way < self._parallel:
            front = heapq.heappop(self._fronts)
            line = self._lines.get(front.outlet_id)
            if not line or line[0] != front or self._under_way[front.outlet_id] >= self._per_outlet:
                continue  # overtaken, or shown again when one of the outlet has ended
            if not self._may_ask(front.outlet_id):
                self._forget(front.outlet_id)
                continue
            heapq.heappop(line)
            self._under_way[front.outlet_id] += 1
            self._show(front.outlet_id)
            return front
        return None

    def ended(self, due: Due) -> None:
        """The attempt is over, however. Should it be due again, it is to be offered again."""
        self._known.discard(due.id)
        self._under_way[due.outlet_id] -= 1
        if not self._under_way[due.outlet_id]:
            del self._under_way[due.outlet_id]
        self._show(due.outlet_id)

    def _show(self, outlet_id: str) -> None:
        line = self._lines.get(outlet_id)
        if line and self._under_way[outlet_id] < self._per_outlet:
            heapq.heappush(self._fronts, line[0])
        elif line is not None and not line:
            del self._lines[outlet_id]

    def _forget(self, outlet_id: str) -> None:
        """What is not to be asked for now; it stays due and is offered again when its time has come."""
        self._known -= {due.id for due in self._lines.pop(outlet_id)}
