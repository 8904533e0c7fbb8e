"""One run: prepare, load, events, and the verdict."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.chaos.checker import Answer, Verdict, check
from tests.chaos.events import EVENTS, Violated
from tests.chaos.stack import NotHealed, Stack, wait_until
from tests.chaos.tills import AWAY, RETRYABLE, Address, Till, replay_fault

TILLS = 8
PROGRESS = 5.0  # seconds between two lines
RESUMING = 60.0  # seconds within which the tills seal again after an event


@dataclass(frozen=True)
class Plan:
    """``seals`` are reached, ``minutes`` have passed, and every kind of event has happened ``rounds`` times."""

    seed: int
    seals: int
    minutes: float
    rounds: int
    calm: tuple[float, float]  # seconds between two events, at least and at most
    pause: float  # seconds that a till takes between two sales, on average


@dataclass
class Happened:
    at: float
    name: str
    silence: float
    note: str


@dataclass
class Report:
    events: list[Happened] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    seals: int = 0

    @property
    def holds(self) -> bool:
        return self.verdict.holds and not self.faults

    def last_line(self) -> str:
        return f"chaos seals={self.seals} {self.verdict.counts()} events={len(self.events)}"


class Run:
    def __init__(self, stack: Stack, plan: Plan) -> None:
        self._stack = stack
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._report = Report()
        self._tills: list[Till] = []
        self._started = time.monotonic()

    def execute(self) -> Report:
        """The verdict on everything; a violation ends the events early, and the ledger is judged all the same."""
        self._open_tills()
        reporter = _Reporter(self._line)
        reporter.start()
        try:
            self._disturb()
        except (Violated, NotHealed) as error:
            self._report.faults.append(str(error))
            print(f"✗ {error}", flush=True)
        finally:
            reporter.end()
        self._close_tills()
        self._judge()
        return self._report

    # --- load

    def _open_tills(self) -> None:
        ports = [node.port for node in self._stack.nodes]
        key = self._stack.signer.api_key()
        outlets = self._stack.outlets
        self._tills = [
            Till(
                f"CAISSE{number}",
                outlets[number % len(outlets)],
                ports,
                key,
                f"{self._plan.seed}/{number}",
                self._plan.pause,
            )
            for number in range(TILLS)
        ]
        self._stack.answered = self._seals
        for till in self._tills:
            till.start()
        self._wait_for_seals()

    def _close_tills(self) -> None:
        for till in self._tills:
            till.end()
        for till in self._tills:
            till.join(RESUMING)
            if till.is_alive():
                self._report.faults.append(f"{till.name} was never answered")
        self._report.faults += [fault for till in self._tills for fault in till.book.faults]

    def _answers(self) -> list[Answer]:
        return [answer for till in self._tills for answer in till.book.answers]

    def _seals(self) -> int:
        return sum(len(till.book.answers) for till in self._tills)

    def _wait_for_seals(self) -> None:
        """Until every outlet has sealed again."""
        before = [len(till.book.answers) for till in self._tills]
        wait_until(
            lambda: all(len(till.book.answers) > count for till, count in zip(self._tills, before, strict=True)),
            "every till is answered again",
            RESUMING,
        )

    # --- events

    def _disturb(self) -> None:
        for name in self._schedule():
            time.sleep(self._random.uniform(*self._plan.calm))
            self._happen(name)

    def _schedule(self) -> Iterator[str]:
        """Every kind once in each round, in an order of its own, until the plan is fulfilled."""
        done = 0
        while done < self._plan.rounds or not self._enough():
            names = list(EVENTS)
            self._random.shuffle(names)
            for name in names:
                yield name
                if done >= self._plan.rounds and self._enough():
                    return
            done += 1

    def _enough(self) -> bool:
        return self._seals() >= self._plan.seals and time.monotonic() - self._started >= self._plan.minutes * 60

    def _happen(self, name: str) -> None:
        started = time.monotonic()
        chance = random.Random(self._random.random())
        note = EVENTS[name](self._stack, chance)
        healed = self._stack.heal()
        self._wait_for_seals()
        notes = ", ".join(part for part in (note, healed) if part)
        happened = Happened(started - self._started, name, time.monotonic() - started, notes)
        self._report.events.append(happened)
        print(f"{self._line()}  {name}: {notes}", flush=True)

    def _line(self) -> str:
        return f"{time.monotonic() - self._started:6.1f} s  seals={self._seals()} events={len(self._report.events)}"

    # --- verdict

    def _judge(self) -> None:
        report, stack = self._report, self._stack
        stack.heal()
        answers = self._answers()
        report.seals = len({answer.document_id for answer in answers})
        code, words = stack.verify()
        if code:
            report.faults.append(f"bonopay-signer verify: exit {code}\n{words}")
        report.verdict = check(answers, stack.ledger(), stack.keys())
        report.faults += self._replay_everything(answers)
        code, words = stack.verify()
        if code:
            report.faults.append(f"bonopay-signer verify, after the replays: exit {code}\n{words}")

    def _replay_everything(self, answers: Sequence[Answer]) -> list[str]:
        with ThreadPoolExecutor(TILLS) as pool:
            parts = pool.map(self._replay, (answers[number::TILLS] for number in range(TILLS)))
            return [fault for part in parts for fault in part]

    def _replay(self, answers: Sequence[Answer]) -> list[str]:
        address = Address(self._stack.leader.port, self._stack.signer.api_key())
        faults = (replay_fault(known, *_insist(address, known.payload)) for known in answers)
        return [fault for fault in faults if fault]


def _insist(address: Address, payload: bytes):
    for _ in range(20):
        try:
            reply = address.post(payload)
        except AWAY:
            time.sleep(0.2)
            continue
        if reply[0] not in RETRYABLE:
            return reply
        time.sleep(0.2)
    raise NotHealed("the signer does not answer although nothing disturbs it any more")


class _Reporter(threading.Thread):
    """A line of progress every few seconds."""

    def __init__(self, line) -> None:
        super().__init__(daemon=True)
        self._line = line
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(PROGRESS):
            print(self._line(), flush=True)

    def end(self) -> None:
        self._ended.set()
        self.join()
