"""Every fault × every step of the exchange × a kill -9 there: each document is certified exactly once, or not at all.

All cases of one kind of kill share a signer and die together; each has an outlet, an e-MCF and a relay of its own.
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
from ..support.stand import Outlet, Stand, document, running_stand
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
STEPS = ("prepare", "confirm", "status", "details")
MODES = ("inline", "deferred")
KILLS = ("no_kill", "kill_before", "kill_after")
_CASES = [(mode, step, fault) for mode in MODES for step in STEPS for fault in FAULTS]


@dataclass
class Case:
    stand: Stand
    outlet: Outlet
    relay: Relay
    payload: dict
    hold: Hold | None
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
            if response.status_code in (200, 201):
                break
            self.done.wait(0.3)
        self.done.set()

    def certified(self) -> int:
        """How often the DGI certified this document, by its own word on every uid that it gave out."""
        uids = [uid for _, uid in self.relay.prepared]
        return sum(bool(self.stand.sandbox.details(self.outlet.nim, uid).get("codeDEFDGI")) for uid in uids)


def _make(stand: Stand, target: str, mode: str, step: str, fault: str, kill: str) -> Case:
    relay = Relay(target)
    if step in ("status", "details"):
        relay.drop("confirm", "after")  # only then is the DGI asked what became of a uid
    FAULTS[fault](relay, step)
    hold = None if kill == "no_kill" else relay.hold(step, kill.removeprefix("kill_"))
    outlet = stand.outlet(mode=mode, dgi_url=relay.url)
    return Case(stand, outlet, relay, document(outlet), hold)


def _play(stand: Stand, cases: list[Case], kill: str) -> None:
    with ThreadPoolExecutor(len(cases)) as tills:
        sending = [tills.submit(case.send) for case in cases]
        if kill != "no_kill":
            for case in cases:
                assert case.hold is not None
                assert case.hold.reached.wait(30), f"{case.outlet}: the flow never came to the step"
            stand.kill()
            for case in cases:
                case.hold.release()
            stand.start()
        for one in sending:
            one.result(120)
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


@pytest.mark.parametrize(("mode", "step", "fault"), _CASES, ids=["-".join(case) for case in _CASES])
def test_dgi_matrix(played: dict[tuple[str, str, str], Case], mode: str, step: str, fault: str) -> None:
    case = played[mode, step, fault]
    assert case.answers and case.answers[-1] in (200, 201), case.answers
    assert set(case.answers) <= {200, 201, 503}
    kinds = [kind for _, kind, _ in case.stand.entries(case.outlet)]
    assert kinds == ["invoice", "dgi_certified"], "sealed once, and one verdict"
    assert case.certified() == 1, "certified once at the DGI"
    replay = case.stand.post(case.payload)
    assert (replay.status_code, replay.json()["dgi"]["status"]) == (200, "certified")


def test_dgi_matrix_leaves_sound_chains(played: dict[tuple[str, str, str], Case]) -> None:
    cases = list(played.values())
    done = cases[0].stand.verify(*(case.outlet for case in cases))
    assert done.returncode == 0, done.stdout[-2000:]
