"""Two devices at one outlet, each standing in for the other: whatever fails and when, a document is certified once over
both together, in both directions and in both modes (arrêté 033, art. 7 e, 9 and 11).

The e-MCF is the sandbox's, behind a relay; the MCF is the twin behind a pseudo-terminal. All cases share a signer and
run at once.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from ..dgi.mcf.twin import McfTwin
from ..support.databases import throw_away_database
from ..support.processes import wait_until
from ..support.relay import Relay
from ..support.sandbox import Sandbox
from ..support.stand import Outlet, Stand, document, number_of
from ..support.tokens import Token

LONG = 10_000
PATIENCE = 120  # seconds; a case takes about 20 beside nine others
STATUS, SUBTOTAL, FINALISE = 0xC1, 0x33, 0x38
MAINS, MODES = ("emcf", "mcf"), ("inline", "deferred")
OTHER = {"emcf": "mcf", "mcf": "emcf"}
_numbers = itertools.count(1)


@dataclass
class Case:
    """An outlet with both devices. ``main`` and ``spare`` are kinds."""

    stand: Stand
    outlet: Outlet
    relay: Relay
    twin: McfTwin
    main: str
    numbers: list[str] = field(default_factory=list)
    ends: float = field(default_factory=lambda: time.monotonic() + PATIENCE)

    @property
    def spare(self) -> str:
        return OTHER[self.main]

    def nim(self, kind: str) -> str:
        return self.outlet.nim if kind == "emcf" else self.twin.mid

    # --- what fails

    def down(self, kind: str) -> None:
        if kind == "mcf":
            self.twin.kill()
        else:
            for step in ("prepare", "confirm", "status", "details", "cancel"):
                self.relay.fail_on_the_way(step, *[404] * LONG)

    def up(self, kind: str) -> None:
        if kind == "mcf":
            self.twin.restart()
        else:
            self.relay.calm()

    def lose_prepare(self) -> None:
        """The main device takes the next document, and nobody hears of it."""
        if self.main == "emcf":
            self.relay.drop("prepare", "after")
        else:
            self.twin.fault(SUBTOTAL, "silence_after")
            self.twin.fault(FINALISE, "silence_before")  # nor of the cancellation

    def lose_confirm(self, number: str) -> None:
        """The main device certifies the number, nobody hears of it, and it tells nothing afterwards."""
        if self.main == "emcf":
            self.relay.drop("confirm", "after")
            self.relay.drop("status", "before", LONG)
            self.relay.drop("details", "before", LONG)
        else:
            self.twin.fault(FINALISE, "silence_after")
            self.twin.fault_once_certified(number, STATUS, "silence_before", LONG)

    def calm(self) -> None:
        self.relay.calm()
        self.twin.calm()

    # --- what is sent, and what became of it

    def send(self) -> str:
        """As a till: the same document again after a 503 or a connection that broke. Its number."""
        payload = document(self.outlet)
        self.until(lambda: self._is_sealed(payload), "the document is sealed")
        return self.numbers[-1]

    def _is_sealed(self, payload: dict) -> bool:
        try:
            response = self.stand.post(payload)
        except httpx.TransportError:  # the signer was killed
            return False
        if response.status_code not in (200, 201):
            assert response.status_code == 503, response.text
            return False
        self.numbers.append(response.json()["fiscal_number"])
        return True

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Asked seldom: many cases wait at once. All waits of a case share its patience: one that fails, fails soon."""
        wait_until(condition, what, max(0.0, self.ends - time.monotonic()), pause=0.25)

    def verdict(self, number: str) -> tuple[str, str]:
        """(status, NIM)"""
        dgi = self.stand.get(f"/api/v1/invoices/{number}").json()["dgi"]
        return dgi["status"], dgi["nim"]

    def certified_by(self, number: str) -> str:
        """The kind of the device that certified a number, once that is chained."""
        self.until(lambda: self.verdict(number)[0] == "certified", f"{number} is certified")
        return next(kind for kind in MAINS if self.nim(kind) == self.verdict(number)[1])

    def at_the_devices(self, number: str) -> list[str]:
        """Each certification of a number, by the devices' own word."""
        uids = [uid for rn, uid in self.relay.prepared if rn == number]
        codes = [self.stand.sandbox.details(self.outlet.nim, uid).get("codeDEFDGI") for uid in uids]
        return ["emcf" for code in codes if code] + ["mcf" for _ in self.twin.certified(number)]

    def all_certified(self, by: list[str]) -> None:
        """Every document by the device of its place in the list, once over both devices together."""
        assert [self.certified_by(number) for number in self.numbers] == by
        assert [self.at_the_devices(number) for number in self.numbers] == [[kind] for kind in by]
        kinds = [kind for _, kind, _ in self.stand.entries(self.outlet)]
        assert sorted(kinds) == sorted(["invoice", "dgi_certified"] * len(by))


def _main_is_down(case: Case) -> None:
    case.down(case.main)
    case.send()
    case.all_certified([case.main, case.spare])


def _reply_of_prepare_lost(case: Case) -> None:
    case.lose_prepare()
    case.send()
    case.certified_by(case.numbers[1])
    case.all_certified([case.main, case.main])


def _reply_of_confirm_lost_and_main_silent_then(case: Case) -> None:
    """What the main device may have certified is given to no other; what comes after it is."""
    case.lose_confirm(number_of(case.outlet, 2))
    lost = case.send()
    case.until(lambda: case.verdict(lost)[0] == "unknown", "nobody knows")
    if case.main == "emcf":
        case.relay.drop("prepare", "before", LONG)
    later = case.send()
    assert case.certified_by(later) == case.spare
    assert case.verdict(lost) == ("unknown", case.nim(case.main))
    case.calm()
    case.all_certified([case.main, case.main, case.spare])


def _spare_is_down_too(case: Case) -> None:
    case.down(case.main)
    case.down(case.spare)
    with ThreadPoolExecutor(1) as till:
        sending = till.submit(case.send)
        case.until(lambda: len(_failures(case)) >= 2, "neither device was reached")
        case.up(case.spare)
        sending.result()
    case.all_certified([case.main, case.spare])


def _failures(case: Case) -> list[tuple]:
    query = (
        "SELECT DISTINCT method = 'MCF' FROM signer.dgi_exchange "
        "WHERE outlet_id = %s AND direction = 'answer' AND (error IS NOT NULL OR http_status = 404)"
    )
    return case.stand.rows(query, case.outlet.id)


def _main_is_back(case: Case) -> None:
    case.down(case.main)
    for _ in range(6):  # more than open its breaker
        assert case.certified_by(case.send()) == case.spare
    case.up(case.main)
    by = [case.main] + [case.spare] * 6
    while by[-1] != case.main:
        by.append(case.certified_by(case.send()))
        assert len(by) < 200, "the main device is never asked again"
    case.all_certified(by)


SCENARIOS: dict[str, Callable[[Case], None]] = {
    "main_is_down": _main_is_down,
    "reply_of_prepare_lost": _reply_of_prepare_lost,
    "reply_of_confirm_lost": _reply_of_confirm_lost_and_main_silent_then,
    "spare_is_down_too": _spare_is_down_too,
    "main_is_back": _main_is_back,
}
_CASES = list(itertools.product(MAINS, MODES, SCENARIOS))


def _make(stand: Stand, folder: Path, main: str, mode: str) -> Case:
    relay = Relay(stand.sandbox.root)
    outlet = stand.outlet(mode=mode, dgi_url=relay.url)
    twin = McfTwin(folder / outlet.id, f"CD09{next(_numbers):06d}-9")
    stand.set_mcf(outlet, twin.mid, twin.port, main == "mcf")
    return Case(stand, outlet, relay, twin, main)


def _play(case: Case, scenario: str) -> None:
    case.ends = time.monotonic() + PATIENCE  # it may have waited for its turn
    assert case.certified_by(case.send()) == case.main, "while both answer"
    SCENARIOS[scenario](case)


def _close(case: Case) -> None:
    case.relay.close()
    case.twin.kill()


@pytest.fixture(scope="module")
def running(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with throw_away_database(cluster) as database:
        stand = Stand(tmp_path_factory.mktemp("fallback") / "signer", database, token, sandbox, mcf_answer_timeout=1)
        stand.start()
        yield stand
        stand.close()


@pytest.fixture(scope="module")
def played(running: Stand, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str, str], object]]:
    """What came of each case: None, or why it failed."""
    folder = tmp_path_factory.mktemp("twins")
    with ThreadPoolExecutor(10) as tills:
        cases = {key: _make(running, folder, key[0], key[1]) for key in _CASES}
        playing = {key: tills.submit(_play, case, key[2]) for key, case in cases.items()}
        outcomes: dict[tuple[str, str, str], object] = {key: one.exception() for key, one in playing.items()}
    done = running.verify(*(case.outlet for case in cases.values()))
    outcomes["", "", "chains"] = None if done.returncode == 0 else done.stdout[-2000:]
    yield outcomes
    for case in cases.values():
        _close(case)


@pytest.mark.parametrize(("main", "mode", "scenario"), _CASES, ids=["-".join(case) for case in _CASES])
def test_fallback_certifies_once(
    played: dict[tuple[str, str, str], object], main: str, mode: str, scenario: str
) -> None:
    failure = played[main, mode, scenario]
    if isinstance(failure, BaseException):
        raise failure


def test_fallback_leaves_sound_chains(played: dict[tuple[str, str, str], object]) -> None:
    assert played["", "", "chains"] is None


def test_fallback_killed_while_the_spare_certifies_asks_the_spare_and_not_the_main(
    new_stand: Callable[..., Stand], tmp_path: Path
) -> None:
    """The main device is back when the signer is; still the document belongs to the one that gave its uid."""
    stand = new_stand(mcf_answer_timeout=1)
    stand.start()
    cases = [_make(stand, tmp_path, main, mode) for main, mode in itertools.product(MAINS, MODES)]
    try:
        holds = [_await_spare(case) for case in cases]
        with ThreadPoolExecutor(len(cases)) as tills:
            sending = [tills.submit(case.send) for case in cases]
            for case, reached in zip(cases, holds, strict=True):
                case.until(reached, f"the spare of {case.outlet} certifies")
            stand.kill()
            for case in cases:
                case.calm()
                case.up(case.main)
            stand.start()
            for one in sending:
                one.result()
        for case in cases:
            case.all_certified([case.spare, case.spare])
        done = stand.verify(*(case.outlet for case in cases))
        assert done.returncode == 0, done.stdout[-2000:]
    finally:
        for case in cases:
            _close(case)


def _await_spare(case: Case) -> Callable[[], object]:
    """The main device is down, and the spare one certifies the second document without being heard. Whether it has."""
    case.down(case.main)
    assert case.certified_by(case.send()) == case.spare
    number = number_of(case.outlet, 2)
    if case.spare == "emcf":
        return case.relay.hold("confirm", "after").reached.is_set
    case.twin.fault_once_certified(number, STATUS, "silence_before", LONG)
    case.twin.fault(FINALISE, "silence_after")
    return lambda: case.twin.certified(number)
