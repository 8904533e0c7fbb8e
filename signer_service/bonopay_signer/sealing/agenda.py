"""Which sealed documents are brought to the DGI next: pure, no database, no network, no clock.

The oldest first, over all outlets: it is the nearest to its deadline of 48 hours (arrêté 033, art. 7 g), whoever's it
is. Of one device no more at once than an e-MCF bears, of all no more than the service has lines; a device whose
breaker is open leaves its place to the others.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from bonopay_signer.sealing.breakers import breaker_of


class Due(NamedTuple):
    """A document whose time for an attempt has come, and the device to attempt it with: an MCF by its NIM, or None, the
    e-MCF. The order is that of the attempts."""

    sealed_at: datetime
    id: int
    outlet_id: str
    mcf: str | None = None

    @property
    def device(self) -> str:
        return breaker_of(self.outlet_id, self.mcf)


class Agenda:
    """``offer`` what is due, ``take`` what is next, tell when it has ``ended``.

    ``may_ask`` tells of a device whether to make an attempt now; yes is taken as made.
    """

    def __init__(self, may_ask: Callable[[str], bool], parallel: int = 40, per_outlet: int = 4) -> None:
        self._may_ask = may_ask
        self._parallel = parallel
        self._per_outlet = per_outlet
        self._lines: dict[str, list[Due]] = {}  # a heap for each device
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
                line = self._lines.setdefault(due.device, [])
                heapq.heappush(line, due)
                self._show(due.device)

    def take(self) -> Due | None:
        """The next to attempt; None when there is none, or no room."""
        while self._fronts and self.under_way < self._parallel:
            front = heapq.heappop(self._fronts)
            line = self._lines.get(front.device)
            if not line or line[0] != front or self._under_way[front.device] >= self._per_outlet:
                continue  # overtaken, or shown again when one of the device has ended
            if not self._may_ask(front.device):
                self._forget(front.device)
                continue
            heapq.heappop(line)
            self._under_way[front.device] += 1
            self._show(front.device)
            return front
        return None

    def ended(self, due: Due) -> None:
        """The attempt is over, however. Should it be due again, it is to be offered again."""
        self._known.discard(due.id)
        self._under_way[due.device] -= 1
        if not self._under_way[due.device]:
            del self._under_way[due.device]
        self._show(due.device)

    def _show(self, device: str) -> None:
        line = self._lines.get(device)
        if line and self._under_way[device] < self._per_outlet:
            heapq.heappush(self._fronts, line[0])
        elif line is not None and not line:
            del self._lines[device]

    def _forget(self, device: str) -> None:
        """What is not to be asked for now; it stays due and is offered again when its time has come."""
        self._known -= {due.id for due in self._lines.pop(device)}
