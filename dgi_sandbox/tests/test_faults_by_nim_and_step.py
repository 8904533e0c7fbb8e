"""Faults of one NIM or one step strike there and nowhere else."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from .sandbox import NIM, OTHER_NIM, SECOND_NIM, Client, Sandbox, sale

CALLS: dict[str, Callable[[Client, dict[str, Any]], httpx.Response]] = {
    "status": lambda client, _: client.http.get("/api/invoice"),
    "prepare": lambda client, _: client.http.post("/api/invoice", json=sale("FV-NEW")),
    "details": lambda client, known: client.http.get(f"/api/invoice/{known['uid']}"),
    "tables": lambda client, _: client.http.get("/api/info/taxGroups"),
    "confirm": lambda client, known: client.http.put(
        f"/api/invoice/{known['uid']}/CONFIRM", json={"total": "29.97", "vtotal": "4.13"}
    ),
    "cancel": lambda client, known: client.http.put(f"/api/invoice/{known['uid']}/cancel"),
}
STATE_AFTER = {"confirm": "confirmed", "cancel": "cancelled"}


@pytest.fixture
def pending(client: Client) -> dict[str, Any]:
    return client.submit(sale("FV-1"))


@pytest.mark.parametrize("step", CALLS)
def test_cut_before_a_step_changes_nothing(
    client: Client, service: Sandbox, pending: dict[str, Any], step: str
) -> None:
    service.faults(drop_before={"step": step, "count": 1})
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        CALLS[step](client, pending)
    assert client.status()["pendingRequestsCount"] == 1
    assert client.details(pending)["state"] == "pending"
    assert CALLS[step](client, pending).json().get("errorCode") is None


@pytest.mark.parametrize("step", CALLS)
def test_cut_after_a_step_leaves_its_effect(
    client: Client, service: Sandbox, pending: dict[str, Any], step: str
) -> None:
    service.faults(drop_after={"step": step, "count": 1})
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        CALLS[step](client, pending)
    assert service.exchanges()[-1]["fault"] == "drop_after"
    waiting = client.status()["pendingRequestsCount"]
    assert waiting == {"prepare": 2, "confirm": 0, "cancel": 0}.get(step, 1)
    assert client.details(pending)["state"] == STATE_AFTER.get(step, "pending")


@pytest.mark.parametrize("step", CALLS)
def test_a_fault_of_one_step_spares_the_others(
    client: Client, service: Sandbox, pending: dict[str, Any], step: str
) -> None:
    service.faults(status_next={"step": step, "count": 1, "status": 502})
    for name in [name for name in CALLS if name not in (step, "confirm", "cancel")]:
        assert CALLS[name](client, pending).status_code == 200, name
    assert CALLS[step](client, pending).status_code == 502
    assert client.details(pending)["state"] == "pending"
    assert CALLS[step](client, pending).status_code == 200


@pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 504])
def test_any_failing_status_can_be_asked_for(client: Client, service: Sandbox, status: int) -> None:
    service.faults(status_next={"count": 2, "status": status})
    got = [client.http.post("/api/invoice", json=sale()).status_code for _ in range(3)]
    assert got == [status, status, 200]


@pytest.mark.parametrize(("code", "given"), [("99", 99), ("12", "12"), ("150", "150")])
def test_any_code_of_the_table_can_be_answered(client: Client, service: Sandbox, code: str, given: Any) -> None:
    service.faults(refuse_next={"step": "prepare", "count": 1, "code": given})
    refused = client.submit(sale())
    assert refused["errorCode"] == code and refused["errorDesc"] and "uid" not in refused
    assert client.status()["pendingRequestsCount"] == 0
    assert client.submit(sale())["errorCode"] is None


def test_refused_confirmation_certifies_nothing(client: Client, service: Sandbox, pending: dict[str, Any]) -> None:
    service.faults(refuse_next={"step": "confirm", "count": 1, "code": 99})
    assert client.confirm(pending)["errorCode"] == "99"
    assert client.confirm(pending)["counters"] == "1/1 FV"


def test_token_held_for_expired(client: Client, service: Sandbox) -> None:
    service.faults(expired_token=2)
    answers = [client.http.get("/api/invoice") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 200]
    assert 'error="expired_token"' in answers[0].headers["www-authenticate"]
    assert answers[0].text == expired_for_good(client, service).text


def expired_for_good(client: Client, service: Sandbox) -> httpx.Response:
    service.faults(clock_offset_s=366 * 86_400)
    return client.http.get("/api/invoice")


def test_duplicate_number_is_answered_to_prepare_alone(client: Client, service: Sandbox) -> None:
    service.faults(duplicate_rn=1)
    assert client.status()["status"] is True
    assert client.submit(sale())["errorCode"] == "105"
    assert client.certify(sale())["counters"] == "1/1 FV"


def test_new_rate_is_served_and_used(client: Client, service: Sandbox) -> None:
    before = client.submit(sale("FV-0"))
    service.faults(rate_change={"B": "17"})
    assert client.http.get("/api/info/taxGroups").json()["b"] == 17
    pending = client.submit(sale("FV-1"))
    # 29.97 / 1.17 = 25.615…
    assert (pending["tb"], pending["hab"], pending["vab"], pending["vtotal"]) == (17, 25.62, 4.35, 4.35)
    assert client.confirm(before)["errorCode"] is None, "what was prepared keeps its rate"
    service.faults(rate_change={})
    assert client.submit(sale("FV-2"))["tb"] == 16


def test_new_rate_waits_for_its_day(client: Client, service: Sandbox) -> None:
    today = datetime.fromisoformat(client.status()["serverDateTime"]).date()
    service.faults(rate_change={"B": "17", "from": str(today + timedelta(days=2))})
    assert client.submit(sale("FV-1"))["tb"] == 16
    service.faults(clock_offset_s=2 * 86_400)
    assert client.http.get("/api/info/taxGroups").json()["b"] == 17
    assert client.submit(sale("FV-2"))["tb"] == 17


@pytest.mark.parametrize("answer", ["503", "cut"])
def test_outage_ends_by_the_clock_of_the_service(client: Client, service: Sandbox, answer: str) -> None:
    service.faults(outage_s=7200, outage_answer=answer)
    for call in (client.http.get, client.http.post):
        if answer == "503":
            assert call("/api/invoice").status_code == 503
        else:
            with pytest.raises(httpx.TransportError):
                call("/api/invoice")
    service.faults(clock_offset_s=7000)
    with service.admin as admin:
        assert 0 < admin.get("/faults").json()["outage_s"] <= 200
    service.faults(clock_offset_s=7201)
    assert client.certify(sale())["counters"] == "1/1 FV"


def test_outage_strikes_strangers_too(service: Sandbox) -> None:
    service.faults(outage_s=60)
    assert httpx.get(f"{service.url}/edef/api/invoice").status_code == 503


def test_faults_of_one_nim_leave_the_others_alone(service: Sandbox) -> None:
    mine, sibling, other = (service.client(nim) for nim in (NIM, SECOND_NIM, OTHER_NIM))
    service.faults(nim=NIM, fail_next=1, clock_offset_s=3600, totals_skew="0.01", rate_change={"B": "17"})
    for client in (sibling, other):
        assert client.http.get("/api/invoice").status_code == 200
        assert client.http.get("/api/info/taxGroups").json()["b"] == 16
    assert sibling.submit(sale("FV-S"))["total"] == 29.97
    assert mine.http.get("/api/invoice").status_code == 503
    pending = mine.submit(sale("FV-M"))
    assert (pending["total"], pending["tb"]) == (29.98, 17)
    clocks = [datetime.fromisoformat(client.status()["serverDateTime"]) for client in (mine, sibling)]
    assert abs((clocks[0] - clocks[1]).total_seconds() - 3600) < 30


def test_clock_of_one_nim_expires_its_invoices_and_its_token_alone(service: Sandbox) -> None:
    mine, sibling = service.client(), service.client(SECOND_NIM)
    pending = [client.submit(sale(rn)) for client, rn in ((mine, "FV-M"), (sibling, "FV-S"))]
    service.faults(nim=NIM, clock_offset_s=121)
    assert mine.confirm(pending[0])["errorCode"] == "20"
    assert sibling.confirm(pending[1])["errorCode"] is None
    service.faults(nim=NIM, clock_offset_s=366 * 86_400)
    assert [client.http.get("/api/invoice").status_code for client in (mine, sibling)] == [401, 200]


def test_narrower_fault_strikes_first(client: Client, service: Sandbox) -> None:
    service.faults(status_next={"count": 1, "status": 500})
    service.faults(nim=NIM, status_next={"step": "status", "count": 1, "status": 504})
    assert [client.http.get("/api/invoice").status_code for _ in range(3)] == [504, 500, 200]


def test_body_may_limit_every_fault_to_a_step(client: Client, service: Sandbox) -> None:
    service.faults(step="confirm", fail_next=1, drop_after=1)
    pending = client.submit(sale())
    assert client.http.put(f"/api/invoice/{pending['uid']}/confirm", json={}).status_code == 503
    with pytest.raises(httpx.TransportError):
        client.confirm(pending)


def test_faults_are_shown_as_they_are_set(service: Sandbox) -> None:
    service.faults(nim=NIM, status_next={"step": "prepare", "count": 2, "status": 500}, rate_change={"B": "17"})
    service.faults(refuse_next={"count": 3, "code": 99})
    with service.admin as admin:
        shown = admin.get("/faults").json()
    assert shown["refuse_next"] == {"count": 3, "code": "99"}
    assert shown["scoped"] == [
        {"nim": NIM, "step": "prepare", "status_next": {"count": 2, "status": 500}},
        {"nim": NIM, "step": None, "rate_change": {"B": "17"}},
    ]


def lost(client: Client, calls: int) -> list[bool]:
    outcomes = []
    for _ in range(calls):
        try:
            client.http.get("/api/invoice")
            outcomes.append(False)
        except httpx.TransportError:
            outcomes.append(True)
    return outcomes


def test_chance_repeats_with_its_seed(client: Client, service: Sandbox) -> None:
    runs = []
    for seed in (7, 7, 8):
        service.faults(lose_request_percent=30, lose_reply_percent=20, seed=seed)
        runs.append(lost(client, 30))
    assert runs[0] == runs[1] != runs[2]
    assert 5 < sum(runs[0]) < 25


@pytest.mark.parametrize(
    "faults",
    [
        {"nim": "CD99999999-9", "fail_next": 1},
        {"nim": ["CD01000001-1"], "fail_next": 1},
        {"step": "refund", "fail_next": 1},
        {"step": ["confirm"], "fail_next": 1},
        {"drop_before": {"step": "refund", "count": 1}},
        {"drop_before": {"step": "confirm"}},
        {"drop_after": {"count": 1, "status": 500}},
        {"status_next": {"count": 1, "status": 200}},
        {"refuse_next": {"count": 1, "code": 4711}},
        {"step": "confirm", "clock_offset_s": 5},
        {"rate_change": {"Z": "17"}},
        {"rate_change": {"B": "dix-sept"}},
        {"rate_change": {"B": "NaN"}},
        {"rate_change": {"B": "101"}},
        {"rate_change": {"B": "17", "from": "demain"}},
        {"outage_answer": "404"},
        {"lose_reply_percent": 101},
        {"latency_ms": [1]},
    ],
)
def test_senseless_scope_changes_nothing(service: Sandbox, faults: dict[str, Any]) -> None:
    with service.admin as admin:
        before = admin.get("/faults").json()
        assert admin.post("/faults", json={"duplicate_rn": 1, **faults}).status_code == 400
        assert admin.get("/faults").json() == before


def test_lost_reply_waits_for_a_call_that_succeeds(client: Client, service: Sandbox) -> None:
    service.faults(drop_after={"step": "prepare", "count": 1})
    assert client.submit(sale(type="FX"))["errorCode"] == "3"
    assert client.http.post("/api/invoice", content=b"").status_code == 400
    with pytest.raises(httpx.TransportError):
        client.submit(sale())


def test_latency_of_one_step(client: Client, service: Sandbox) -> None:
    service.faults(step="confirm", latency_ms=600)
    pending = client.submit(sale())
    assert client.http.get("/api/invoice").elapsed < timedelta(seconds=0.5)
    confirmed = client.http.put(f"/api/invoice/{pending['uid']}/confirm", json={"total": 29.97, "vtotal": 4.13})
    assert confirmed.elapsed >= timedelta(seconds=0.6)


def test_jitter_varies_and_repeats_with_its_seed(client: Client, service: Sandbox) -> None:
    runs = []
    for _ in range(2):
        service.faults(latency_jitter_ms=400, seed=3)
        runs.append([client.http.get("/api/invoice").elapsed.total_seconds() for _ in range(4)])
    # Random(3) draws 0.24, 0.54, 0.37, 0.60: delays of 95, 218, 148 and 242 ms at least.
    for times in runs:
        assert [took >= least for took, least in zip(times, (0.095, 0.217, 0.147, 0.241), strict=True)] == [True] * 4
        assert sum(times) < 1.5, "four full jitters take 1.6 s"
