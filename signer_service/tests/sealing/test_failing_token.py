"""A token that dies, hangs or is taken away under load: documents wait or are told to come back, none goes unsigned."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bonopay_signer.fiscal.statement import entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey

from ..support.processes import wait_until
from ..support.stand import Outlet, Stand, document
from ..support.tokens import Token

PATIENCE = 60.0


class Tills:
    """Clients that each send one document after the other, every one again and again until it is sealed."""

    def __init__(self, stand: Stand, outlets: list[Outlet]) -> None:
        self._stand = stand
        self._outlets = outlets
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.answers: dict[str, dict] = {}
        self.refusals: list[httpx.Response] = []
        self.unsealed = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with ThreadPoolExecutor(len(self._outlets)) as threads:
            working = [threads.submit(self._work, outlet) for outlet in self._outlets]
            try:
                yield
            finally:
                self._stop.set()
            for till in working:
                till.result(PATIENCE)

    def sealed(self) -> int:
        with self._lock:
            return len(self.answers)

    def _work(self, outlet: Outlet) -> None:
        while not self._stop.is_set():
            self._sell(document(outlet))

    def _sell(self, payload: dict) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            response = self._stand.post(payload)
            with self._lock:
                if response.status_code in (200, 201):
                    self.answers[payload["document_id"]] = response.json()
                    return
                self.refusals.append(response)
            time.sleep(0.05)
        with self._lock:
            self.unsealed += 1


@pytest.fixture
def own_token(tmp_path: Path) -> Token:
    return Token(tmp_path / "own-token")


@pytest.fixture
def own(new_stand: Callable[..., Stand], own_token: Token, patience: int) -> Stand:
    """``patience``: the seconds that a document waits for the ledger before its client is told to come back."""
    stand = new_stand(hsm=own_token, signing_processes=2, signing_timeout=1, seal_patience=patience)
    stand.start()
    return stand


def _signing_processes(stand: Stand) -> list[int]:
    pid = stand.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"hsm.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _send(stand: Stand, number: signal.Signals) -> int:
    """To every signing process; how many there were."""
    sent = 0
    for pid in _signing_processes(stand):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it ended since
        sent += 1
    return sent


def _killed(stand: Stand, _token: Token) -> None:
    for _ in range(4):
        wait_until(lambda: _send(stand, signal.SIGKILL), "there is somebody to kill")
        time.sleep(0.5)


def _stopped(stand: Stand, _token: Token) -> None:
    for _ in range(2):
        wait_until(lambda: len(_signing_processes(stand)) == 2, "both signing processes live")
        assert _send(stand, signal.SIGSTOP) == 2
        time.sleep(1.5)


def _taken_away(_stand: Stand, token: Token) -> None:
    away = token.objects.with_name("away")
    token.objects.rename(away)
    time.sleep(6)
    away.rename(token.objects)


@pytest.mark.parametrize(
    ("trouble", "patience", "told"), [(_killed, 45, False), (_stopped, 45, False), (_taken_away, 2, True)]
)
def test_under_load_documents_wait_or_are_told_to_come_back_and_every_answer_is_signed(
    own: Stand, own_token: Token, trouble: Callable[[Stand, Token], None], told: bool
) -> None:
    stand = own
    outlets = [stand.outlet(mode="deferred") for _ in range(3)]
    tills = Tills(stand, outlets)
    with tills.at_work():
        wait_until(lambda: tills.sealed() > 10, "the tills sell")
        trouble(stand, own_token)
        before = tills.sealed()
        wait_until(lambda: tills.sealed() > before + 10, "the tills sell again", PATIENCE)
    assert tills.unsealed == 0
    for refusal in tills.refusals:
        assert (refusal.status_code, refusal.json()["code"]) == (503, "hsm_unavailable"), refusal.text
        assert int(refusal.headers["Retry-After"]) > 0
    assert bool(tills.refusals) == told, "what is over within the patience is waited out"
    for outlet in outlets:
        _assert_all_signed(stand, outlet, tills)
    sealed = stand.rows("SELECT count(*) FROM signer.entry WHERE kind = 'invoice'")
    assert sealed == [(len(tills.answers),)], "what was answered is what is in the ledger"


def _assert_all_signed(stand: Stand, outlet: Outlet, tills: Tills) -> None:
    """Numbers without a gap, every signature good, the answers those of the ledger."""
    (der,) = stand.rows("SELECT public_der FROM signer.signing_key")[0]
    key = PublicKey(bytes(der))
    columns = "kind, document_id, fiscal_number, statement, previous_hash, entry_hash, signature"
    rows = stand.rows(f"SELECT {columns} FROM signer.entry WHERE outlet_id = %s ORDER BY index", outlet.id)
    last = bytes(32)
    numbers = []
    for kind, document_id, number, statement, previous, digest, signature in rows:
        assert previous == last and digest == entry_hash(previous, statement) and key.verifies(signature, digest)
        last = digest
        if kind == "invoice":
            numbers.append(int(number[-9:]))
            answer = tills.answers[str(document_id)]
            assert (answer["fiscal_number"], answer["ledger"]["entry_hash"]) == (number, digest.hex())
    assert numbers == list(range(1, len(numbers) + 1)) and numbers


@pytest.mark.parametrize("patience", [45])
def test_a_document_waits_for_a_token_that_hangs_and_is_sealed_when_it_is_replaced(own: Stand) -> None:
    stand = own
    outlet = stand.outlet(mode="deferred")
    assert stand.post(document(outlet)).status_code == 201
    wait_until(lambda: len(_signing_processes(stand)) == 2, "both signing processes live")
    assert _send(stand, signal.SIGSTOP) == 2
    started = time.monotonic()
    response = stand.post(document(outlet))
    assert response.status_code == 201, response.text
    assert time.monotonic() - started > 0.9, "it waited: the hanging processes had their second"
    assert [number[-9:] for _, kind, number in stand.entries(outlet) if kind == "invoice"] == ["000000001", "000000002"]


@pytest.mark.parametrize("patience", [5])
def test_while_the_token_is_away_the_service_lives_is_not_ready_and_still_verifies(
    own: Stand, own_token: Token
) -> None:
    stand = own
    outlet = stand.outlet()
    sealed = stand.sealed(outlet)
    away = own_token.objects.with_name("away")
    own_token.objects.rename(away)
    wait_until(lambda: stand.http.get("/ready").status_code == 503, "the signer notices")
    refused = stand.post(document(outlet))
    assert (refused.status_code, refused.json()["code"]) == (503, "hsm_unavailable")
    assert "Retry-After" in refused.headers and len(stand.entries(outlet)) == 2
    assert stand.http.get("/health").status_code == 200
    verified = stand.http.get(f"/api/v1/verify/{sealed['fiscal_number']}", params={"code": sealed["short_code"]})
    assert verified.json()["result"] == "verified"
    away.rename(own_token.objects)
    wait_until(lambda: stand.http.get("/ready").status_code == 200, "the token is found again")
    assert stand.sealed(outlet)["ledger"]["index"] == 3
