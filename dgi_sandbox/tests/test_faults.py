"""Each fault strikes as it says, and no more often."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from .sandbox import NIM, Client, Sandbox, sale


def seconds_to(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


def test_latency_delays_the_answers_until_taken_away(client: Client, service: Sandbox) -> None:
    service.faults(latency_ms=1000)
    assert seconds_to(client.status) >= 1
    service.faults(latency_ms=0)
    assert seconds_to(client.status) < 1


def test_latency_does_not_hold_up_other_callers(client: Client, service: Sandbox) -> None:
    service.faults(latency_ms=1000)
    with ThreadPoolExecutor(5) as pool:
        assert seconds_to(lambda: list(pool.map(lambda _: client.status(), range(5)))) < 4


def test_fail_next_refuses_that_many_requests(client: Client, service: Sandbox) -> None:
    service.faults(fail_next=2)
    assert [client.http.post("/api/invoice", json=sale()).status_code for _ in range(3)] == [503, 503, 200]
    assert client.status()["pendingRequestsCount"] == 1


def test_dropped_reply_leaves_a_certified_invoice(client: Client, service: Sandbox) -> None:
    pending = client.submit(sale())
    service.faults(drop_confirm_reply=1)
    with pytest.raises(httpx.TransportError):
        client.confirm(pending)
    lost = service.exchanges()[-1]
    details = client.details(pending)
    assert (details["state"], details["counters"]) == ("confirmed", "1/1 FV")
    assert lost["fault"] == "drop_confirm_reply" and details["codeDEFDGI"] in lost["response"]
    assert client.confirm(pending)["errorCode"] == "20"
    assert client.certify(sale("FV-2"))["counters"] == "2/2 FV"


def test_dropped_reply_is_not_used_up_by_a_refused_confirmation(client: Client, service: Sandbox) -> None:
    service.faults(drop_confirm_reply=1)
    pending = client.submit(sale())
    assert client.confirm({**pending, "total": "1"})["errorCode"] == "150"
    with pytest.raises(httpx.TransportError):
        client.confirm(pending)


def test_drop_before_commit_leaves_the_invoice_pending(client: Client, service: Sandbox) -> None:
    pending = client.submit(sale())
    service.faults(drop_confirm_before_commit=2)
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            client.confirm(pending)
    assert client.details(pending)["state"] == "pending"
    assert service.exchanges()[-2]["fault"] == "drop_confirm_before_commit"
    assert client.confirm(pending)["counters"] == "1/1 FV"


def test_drop_sends_not_one_byte(client: Client, service: Sandbox) -> None:
    pending = client.submit(sale())
    service.faults(drop_confirm_reply=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.confirm(pending)


@pytest.mark.parametrize("offset", [7200, -7200])
def test_clock_offset_shifts_every_time_told(client: Client, service: Sandbox, offset: int) -> None:
    service.faults(clock_offset_s=offset)
    told = [client.certify(sale())["dateTime"], client.status()["serverDateTime"]]
    for moment in told:
        shift = (datetime.fromisoformat(moment) - datetime.now().astimezone()).total_seconds()
        assert abs(shift - offset) < 30


def test_clock_offset_makes_pending_invoices_expire(client: Client, service: Sandbox) -> None:
    pending = client.submit(sale())
    service.faults(clock_offset_s=121)
    assert client.confirm(pending)["errorCode"] == "20"


def test_skewed_totals_are_wrong_and_held_to(client: Client, service: Sandbox) -> None:
    service.faults(totals_skew="0.01")
    pending = client.submit(sale())
    assert (pending["errorCode"], pending["total"], pending["vtotal"]) == (None, 29.98, 4.14)
    assert client.confirm({**pending, "total": "29.97", "vtotal": "4.13"})["errorCode"] == "150"
    service.faults(totals_skew="0")
    assert client.submit(sale())["total"] == 29.97


@pytest.mark.parametrize(
    "faults",
    [
        {"unknown": 1},
        {"fail_next": -1},
        {"fail_next": 1.5},
        {"fail_next": True},
        {"fail_next": "2"},
        {"latency_ms": 10**9},
        {"totals_skew": "0.001"},
        {"totals_skew": "beaucoup"},
        {"totals_skew": "NaN"},
    ],
)
def test_senseless_fault_changes_nothing(service: Sandbox, faults: dict[str, Any]) -> None:
    with service.admin as admin:
        before = admin.get("/faults").json()
        assert admin.post("/faults", json={"clock_offset_s": 5, **faults}).status_code == 400
        assert admin.get("/faults").json() == before


def test_reset_clears_the_faults(service: Sandbox) -> None:
    with service.admin as admin:
        before = admin.get("/faults").json()
        service.faults(fail_next=3, totals_skew="0.01", clock_offset_s=9)
        service.faults(nim=NIM, drop_before={"step": "confirm", "count": 2})
        assert admin.get("/faults").json() != before
        service.reset()
        assert admin.get("/faults").json() == before
