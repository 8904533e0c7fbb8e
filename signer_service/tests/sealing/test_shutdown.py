"""Told to stop in the middle: what is on its way arrives, also without its client, or is finished at the next start."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bonopay_signer.api.stopping import FORCED, LETTING_GO

from ..support.processes import wait_until
from ..support.stand import Stand, document, number_of

GRACE = 1.0


@pytest.fixture
def own(new_stand: Callable[..., Stand]) -> Stand:
    stand = new_stand()
    stand.start()
    return stand


def _post_and_leave(stand: Stand, payload: bytes, reached: threading.Event) -> None:
    """Send a document, and hang up as soon as it is at the DGI."""
    head = f"POST /api/v1/invoices HTTP/1.1\r\nHost: signer\r\nAuthorization: Bearer {stand.key}\r\n"
    with socket.create_connection(("127.0.0.1", stand.port), 20) as client:
        client.sendall(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
        assert reached.wait(20)


@pytest.mark.parametrize("step", ["prepare", "confirm"])
@pytest.mark.parametrize("times", [1, 2])
def test_document_whose_client_has_left_arrives_before_the_process_ends(own: Stand, step: str, times: int) -> None:
    outlet = own.outlet()
    hold = own.relay.hold(step, "after")
    _post_and_leave(own, json.dumps(document(outlet)).encode(), hold.reached)
    assert own.process is not None
    for _ in range(times):
        own.process.send(signal.SIGTERM)
        time.sleep(0.3)
    assert own.process.is_running(), "it waits for the document"
    hold.release()
    assert own.process.wait() == 0
    own.assert_sound(outlet, 1)


def test_grace_that_runs_out_leaves_the_rest_to_the_next_start(new_stand: Callable[..., Stand]) -> None:
    own = new_stand(dgi_timeout=30, shutdown_grace=2)
    own.start()
    outlet = own.outlet()
    payload = document(outlet)
    hold = own.relay.hold("confirm", "after")
    client = threading.Thread(target=lambda: _silently(lambda: own.post(payload)))
    client.start()
    assert hold.reached.wait(20)
    assert own.process is not None
    started = time.monotonic()
    own.process.send(signal.SIGTERM)
    own.process.wait()
    assert 2 <= time.monotonic() - started < 2 + LETTING_GO, "one grace for connections and documents"
    hold.release()
    client.join(20)
    assert '"defect"' not in own.log(), "stopping is no defect"
    own.start()
    wait_until(lambda: own.settled(outlet), "recovery finds the verdict")
    assert own.sealed_as(payload)["fiscal_number"] == number_of(outlet, 1)
    own.assert_sound(outlet, 1)


def _silently(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:  # the signer ends while it answers
        assert "disconnected" in str(error) or "reset" in str(error) or "closed" in str(error), error


# --- whatever hangs


def seconds_to_the_end(stand: Stand) -> float:
    """From SIGTERM on; it may take as long as it says, and a moment for the signal and the kernel."""
    assert stand.process is not None
    started = time.monotonic()
    stand.process.send(signal.SIGTERM)
    stand.process.wait(GRACE + FORCED + 5)
    return time.monotonic() - started


@contextmanager
def asleep(pids: list[int]) -> Iterator[None]:
    """Processes that neither answer nor end."""
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # killed meanwhile
                os.kill(pid, signal.SIGCONT)


def backends(stand: Stand) -> list[int]:
    """The server processes of PostgreSQL that serve the signer."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = %s"
    return [pid for (pid,) in stand.rows(query, stand.database.service_role)]


def signing_processes(stand: Stand) -> list[int]:
    assert stand.process is not None
    children = Path(f"/proc/{stand.process.pid}/task/{stand.process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


@pytest.mark.parametrize("hanging", [backends, signing_processes])
def test_service_ends_in_time_while_what_it_needs_hangs(
    new_stand: Callable[..., Stand], hanging: Callable[[Stand], list[int]]
) -> None:
    own = new_stand(shutdown_grace=GRACE)
    own.start()
    outlet = own.outlet()
    own.sealed(outlet)
    with asleep(hanging(own)):
        assert seconds_to_the_end(own) < GRACE + FORCED + 1
    wait_until(lambda: not backends(own), "PostgreSQL notices that the signer is gone")
    own.start()
    own.sealed(outlet)
    own.assert_sound(outlet, 2)


DEAD_DISK = """
import time
from bonopay_signer.ledger.headstore import HeadStore
HeadStore.close = lambda store: time.sleep(3600)
from bonopay_signer.cli import main
main(["serve"])
"""


def test_service_ends_by_force_and_says_where_it_was_when_its_disk_never_answers(
    new_stand: Callable[..., Stand],
) -> None:
    own = new_stand(shutdown_grace=GRACE)
    own.start("-c", DEAD_DISK)
    outlet = own.outlet()
    own.sealed(outlet)
    assert seconds_to_the_end(own) < GRACE + FORCED + 1
    assert "stopped without waiting for the ledger any longer" in own.log()
    assert "Timeout" in own.log() and "<string>" in own.log()
    own.start()
    own.sealed(outlet)
    own.assert_sound(outlet, 2)
