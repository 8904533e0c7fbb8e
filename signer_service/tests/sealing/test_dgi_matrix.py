"""Every fault × every step of the exchange × a kill -9 there: each document is certified exactly once, or not at all.

All cases of one kind of kill share a signer and die together; each has an outlet, an e-MCF and a relay of its own. A
document comes to a cancel when the DGI's totals are not its own: there the base of a tax group alone, so that the DGI
would certify it if it were confirmed by mistake. Its till then sends a corrected one.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from ..support.processes import wait_until
from ..support.relay import Hold, Relay
from ..support.sandbox import Sandbox
from ..support.stand import Outlet, Stand, document, number_of, running_stand
from ..support.tokens import Token

Fault = Callable[[Relay, str], None]


def _once(relay: Relay, step: str, answer: dict) -> None:
    """The next answer of a step, whatever the DGI did, is another one."""
    spent: list[bool] = []

    def change(true_one: dict) -> dict:
        if spent:
            return true_one
        spent.append(True)
        return answer

    relay.change(step, change)


FAULTS: dict[str, Fault] = {
    "none": lambda relay, step: None,
    "cut_before": lambda relay, step: relay.drop(step, "before"),
    "cut_after": lambda relay, step: relay.drop(step, "after"),
    "cut_thrice": lambda relay, step: relay.drop(step, "after", 3),
    "http_503": lambda relay, step: relay.fail_on_the_way(step, 503),
    "http_401": lambda relay, step: relay.fail_on_the_way(step, 401),
    "http_429": lambda relay, step: relay.fail_on_the_way(step, 429, 429),
    "processing_error": lambda relay, step: _once(relay, step, {"errorCode": "99", "errorDesc": "Erreur"}),
    "empty_answer": lambda relay, step: _once(relay, step, {}),
}
STEPS = ("prepare", "confirm", "status", "details", "cancel")
MODES = ("inline", "deferred")
KILLS = ("no_kill", "kill_before", "kill_after")
_CASES = [(mode, step, fault) for mode in MODES for step in STEPS for fault in FAULTS]
_CERTIFIED = [case for case in _CASES if case[1] != "cancel"]
_BLOCKED = [(mode, fault) for mode, step, fault in _CASES if step == "cancel"]
_NEVER_ARRIVES = ("cut_before", "http_503", "http_401", "http_429")
_HAS_NO_ANSWER = {("deferred", "cancel", "kill_after", fault) for fault in _NEVER_ARRIVES}


@dataclass
class Case:
    stand: Stand
    outlet: Outlet
    relay: Relay
    payload: dict
    hold: Hold | None
    is_blocked: bool
    answers: list[int] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def send(self) -> None:
        """As a till: again after a 503 or a connection that broke."""
        for _ in range(60):
            try:
                response = self.stand.post(self.payload)
            except httpx.TransportError:  # the signer was killed
                self.done.wait(0.3)
                continue
            self.answers.append(response.status_code)
            if response.status_code in (200, 201, 422):
                break
            self.done.wait(0.3)
        self.done.set()

    def correct(self) -> None:
        """The totals are the same again, and the till sends what it corrected, under a new id."""
        self.relay.calm()
        self.payload, self.done = document(self.outlet), threading.Event()
        self.send()

    def certified(self) -> list[str]:
        """The numbers that the DGI certified, as often as it did, by its own word on every uid that it gave out."""
        details = self.stand.sandbox.details
        return [rn for rn, uid in self.relay.prepared if details(self.outlet.nim, uid).get("codeDEFDGI")]


def _make(stand: Stand, target: str, mode: str, step: str, fault: str, kill: str) -> Case:
    relay = Relay(target)
    if step in ("status", "details"):
        relay.drop("confirm", "after")  # only then is the DGI asked what became of a uid
    if step == "cancel":
        relay.change("prepare", lambda answer: {**answer, "hab": (answer.get("hab") or 0) + 1})
    FAULTS[fault](relay, step)
    hold = None
    # A sealed document's uid is cancelled once: when that never arrives, there is no answer to be killed before.
    if kill != "no_kill" and (mode, step, kill, fault) not in _HAS_NO_ANSWER:
        hold = relay.hold(step, kill.removeprefix("kill_"))
    outlet = stand.outlet(mode=mode, dgi_url=relay.url)
    return Case(stand, outlet, relay, document(outlet), hold, is_blocked=step == "cancel")


def _play(stand: Stand, cases: list[Case], kill: str) -> None:
    with ThreadPoolExecutor(len(cases)) as tills:
        sending = [tills.submit(case.send) for case in cases]
        if kill != "no_kill":
            holds = [(case.outlet, case.hold) for case in cases if case.hold is not None]
            for outlet, hold in holds:
                assert hold.reached.wait(60), f"{outlet}: the flow never came to the step"
            stand.kill()
            for _outlet, hold in holds:
                hold.release()
            stand.start()
        for one in sending:
            one.result(120)
        _wait_for_verdicts(stand, cases)
        for one in [tills.submit(case.correct) for case in cases if case.is_blocked]:
            one.result(120)
    _wait_for_verdicts(stand, cases)


def _wait_for_verdicts(stand: Stand, cases: list[Case]) -> None:
    wait_until(lambda: all(stand.settled(case.outlet) for case in cases), "every document has its verdict", 120)


@pytest.fixture(scope="module", params=KILLS)
def played(
    request: pytest.FixtureRequest,
    cluster: str,
    token: Token,
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[tuple[str, str, str], Case]]:
    with running_stand(cluster, token, sandbox, tmp_path_factory.mktemp("matrix")) as stand:
        cases = {key: _make(stand, f"{sandbox.root}", *key, request.param) for key in _CASES}
        try:
            _play(stand, list(cases.values()), request.param)
            yield cases
        finally:
            for case in cases.values():
                case.relay.close()


@pytest.mark.parametrize(("mode", "step", "fault"), _CERTIFIED, ids=["-".join(case) for case in _CERTIFIED])
def test_dgi_matrix(played: dict[tuple[str, str, str], Case], mode: str, step: str, fault: str) -> None:
    case = played[mode, step, fault]
    assert case.answers and case.answers[-1] in (200, 201), case.answers
    assert set(case.answers) <= {200, 201, 503}
    kinds = [kind for _, kind, _ in case.stand.entries(case.outlet)]
    assert kinds == ["invoice", "dgi_certified"], "sealed once, and one verdict"
    assert len(case.certified()) == 1, "certified once at the DGI"
    replay = case.stand.post(case.payload)
    assert (replay.status_code, replay.json()["dgi"]["status"]) == (200, "certified")


@pytest.mark.parametrize(("mode", "fault"), _BLOCKED, ids=["-".join(case) for case in _BLOCKED])
def test_dgi_matrix_of_blocked(played: dict[tuple[str, str, str], Case], mode: str, fault: str) -> None:
    case = played[mode, "cancel", fault]
    first, corrected = number_of(case.outlet, 1), number_of(case.outlet, 1 if mode == "inline" else 2)
    assert set(case.answers) <= {200, 201, 422, 503}
    assert (422 in case.answers) == (mode == "inline")
    rejected = [] if mode == "inline" else [("invoice", first), ("dgi_rejected", first)]
    entries = [(kind, number) for _, kind, number in case.stand.entries(case.outlet)]
    assert entries == [*rejected, ("invoice", corrected), ("dgi_certified", corrected)], "no number is left out"
    assert case.certified() == [corrected], "what was blocked is never certified, what was corrected once"
    _assert_no_stale_uid(case, mode, fault)


def _assert_no_stale_uid(case: Case, mode: str, fault: str) -> None:
    """A sealed document is rejected whether its uid could be cancelled or not: then the uid expires by itself."""
    held = case.stand.sandbox.status(case.outlet.nim)["pendingRequestsCount"]
    assert held == 0 or (mode == "deferred" and fault in _NEVER_ARRIVES and held == 1)
    case.stand.sandbox.faults(nim=case.outlet.nim, clock_offset_s=150)
    assert case.stand.sandbox.status(case.outlet.nim)["pendingRequestsCount"] == 0


def test_dgi_matrix_leaves_sound_chains(played: dict[tuple[str, str, str], Case]) -> None:
    cases = list(played.values())
    done = cases[0].stand.verify(*(case.outlet for case in cases))
    assert done.returncode == 0, done.stdout[-2000:]
