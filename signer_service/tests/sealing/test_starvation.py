"""Outlets whose DGI hangs, many at once: everybody else is answered as ever."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ..support.processes import wait_until
from ..support.stand import Outlet, Stand, document


@contextmanager
def _silence() -> Iterator[str]:
    """The address of a DGI that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/edef"


@pytest.fixture
def silence() -> Iterator[str]:
    with _silence() as url:
        yield url


@pytest.fixture
def own(new_stand: Callable[..., Stand]) -> Stand:
    stand = new_stand(dgi_timeout=6, recovery_interval=0.5)
    stand.start()
    return stand


def _seconds(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def _move(stand: Stand, outlet: Outlet, url: str) -> None:
    with stand.database.as_admin() as connection:
        connection.execute("UPDATE signer.outlet SET dgi_url = %s WHERE id = %s", [url, outlet.id])


def test_fifty_hanging_outlets_starve_nobody(own: Stand, silence: str) -> None:
    healthy = own.outlet()
    invoice = own.sealed(healthy)
    hanging = [own.outlet(dgi_url=silence) for _ in range(50)]
    with ThreadPoolExecutor(50) as clients:
        waiting = [clients.submit(own.post, document(outlet)) for outlet in hanging]
        time.sleep(1)
        assert not any(future.done() for future in waiting)
        for _ in range(10):
            assert _seconds(lambda: own.http.get("/ready").raise_for_status()) < 2
            assert _seconds(lambda: own.http.get(invoice["verification_url"]).raise_for_status()) < 2
            assert _seconds(lambda: own.sealed(healthy)) < 2
        assert {future.result().status_code for future in waiting} == {503}


def test_long_list_of_unknown_documents_of_one_outlet_keeps_no_connection_from_others(own: Stand, silence: str) -> None:
    stuck, healthy = own.outlet(), own.outlet()
    own.relay.drop("confirm", "after", times=9999)
    own.relay.drop("status", "before", times=9999)
    own.relay.drop("details", "before", times=9999)
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(own.post, [document(stuck) for _ in range(130)]))
    _move(own, stuck, silence)
    own.relay.calm()
    time.sleep(2.5)  # recovery is asking, and is not answered
    for _ in range(5):
        assert _seconds(lambda: own.sealed(healthy)) < 3


def test_outlets_that_cannot_be_tidied_do_not_hold_up_the_recovery_of_others(own: Stand, silence: str) -> None:
    hanging = [own.outlet(dgi_url=silence) for _ in range(10)]
    healthy = own.outlet()
    with ThreadPoolExecutor(10) as clients:
        list(clients.map(own.post, [document(outlet) for outlet in hanging]))
    own.relay.drop("confirm", "after")
    own.relay.drop("status", "before")
    own.post(document(healthy))
    assert _seconds(lambda: wait_until(lambda: own.settled(healthy), "it is found out")) < 10
    assert {state for outlet in hanging for state in own.states(outlet)} == {"cancelling"}
