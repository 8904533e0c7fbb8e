"""Told to stop in the middle: what is on its way arrives, also without its client, or is finished at the next start."""

import json
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest

from ..support.processes import wait_until
from ..support.stand import Stand, document, number_of


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
    assert 3 < time.monotonic() - started < 10, "grace for the connections, then grace for the documents"
    hold.release()
    client.join(20)
    assert '"defect"' not in own.log(), "stopping is no defect"
    own.start()
    wait_until(lambda: own.settled(outlet), "recovery finds the verdict")
    assert own.post(payload).json()["fiscal_number"] == number_of(outlet, 1)
    own.assert_sound(outlet, 1)


def _silently(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:  # the signer ends while it answers
        assert "disconnected" in str(error) or "reset" in str(error) or "closed" in str(error), error
