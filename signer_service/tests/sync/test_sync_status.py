"""``GET /api/v1/sync/status``, the events and the gauges of a running signer with a DGI that fails."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ..support.databases import throw_away_database
from ..support.processes import free_port, wait_until
from ..support.sandbox import OTHER_SELLER
from ..support.stand import Outlet, Stand, document, looks_like_a_secret, number_of
from .test_tokens import jwt

NOBODY = "http://127.0.0.1:9/edef"


@pytest.fixture(scope="module")
def signer(cluster, token, sandbox, tmp_path_factory) -> Iterator[Stand]:
    """It looks for alarms all the time."""
    with throw_away_database(cluster) as database:
        folder = tmp_path_factory.mktemp("sync") / "signer"
        signer = Stand(folder, database, token, sandbox, alarm_interval=0.2, metrics_port=free_port())
        signer.start()
        yield signer
        signer.close()


def status(signer: Stand, outlet: Outlet) -> dict:
    response = signer.get(f"/api/v1/sync/status?outlet_id={outlet.id}")
    assert response.status_code == 200, response.text
    (found,) = response.json()["outlets"]
    return found


def alarms(signer: Stand, outlet: Outlet) -> dict[str, str]:
    return {alarm["code"]: alarm["level"] for alarm in status(signer, outlet)["alarms"]}


def events(signer: Stand, outlet: Outlet, code: str) -> list[tuple[str, str | None]]:
    query = "SELECT kind, level FROM signer.dgi_event WHERE outlet_id = %s AND code = %s ORDER BY number"
    return signer.rows(query, outlet.id, code)


def gauge(signer: Stand, code: str, level: str) -> float:
    url = f"http://127.0.0.1:{signer.environment['BONOPAY_SIGNER_METRICS_PORT']}/metrics"
    for family in text_string_to_metric_families(httpx.get(url).text):
        for sample in family.samples:
            if sample.name == "bonopay_signer_outlet_alarms" and sample.labels == {"code": code, "level": level}:
                return sample.value
    raise AssertionError(f"no gauge {code} {level}")


def age(signer: Stand, outlet: Outlet, hours: float) -> None:
    """As if the outlet's documents had been sealed so long ago."""
    with signer.database.as_admin() as connection:
        connection.execute(
            "UPDATE signer.submission SET created_at = now() - make_interval(secs => %s) WHERE outlet_id = %s",
            [hours * 3600, outlet.id],
        )


def logged(signer: Stand, words: str) -> list[dict]:
    return [line for line in map(json.loads, signer.log().splitlines()) if words in line.get("event", "")]


def test_quiet_outlet(signer: Stand) -> None:
    outlet = signer.outlet()
    signer.sealed(outlet)
    found = status(signer, outlet)
    assert (found["mode"], found["closed"], found["counts"], found["oldest_waiting"]) == ("inline", False, {}, None)
    assert found["alarms"] == [] and found["rejected"] == {"count": 0, "days": 7}
    assert found["pending"] == {"count": 0, "limit": 10}
    assert found["contact"]["silent_since"] is None and found["contact"]["answered_at"] is not None
    assert datetime.fromisoformat(found["token_expires_at"]) > datetime.now(UTC) + timedelta(days=7)


def test_waiting_document_steps_up_to_overdue_and_each_step_is_told_once(signer: Stand) -> None:
    outlet = signer.outlet(mode="deferred", dgi_url=NOBODY)
    for _ in range(2):
        assert signer.post(document(outlet)).status_code == 201
    found = status(signer, outlet)
    assert sum(found["counts"].values()) == 2 and found["alarms"] == []
    oldest = found["oldest_waiting"]
    assert oldest["fiscal_number"] == number_of(outlet, 1)
    begin, end = (datetime.fromisoformat(oldest[name]) for name in ("sealed_at", "deadline"))
    assert end - begin == timedelta(hours=48) and 0 <= oldest["age_seconds"] < 60
    before = gauge(signer, "regularisation_due", "overdue")
    told = []
    for hours, level in ((25, "notice"), (37, "warning"), (47.5, "critical"), (49, "overdue")):
        age(signer, outlet, hours)
        assert alarms(signer, outlet)["regularisation_due"] == level
        told.append(("alarm.changed" if told else "alarm.began", level))
        wait_until(lambda: events(signer, outlet, "regularisation_due") == told, f"{level} is told")  # noqa: B023
    wait_until(lambda: gauge(signer, "regularisation_due", "overdue") == before + 1, "it is counted")
    signer.change_outlet(outlet, dgi_url=signer.relay.url)
    wait_until(lambda: signer.settled(outlet), "the DGI is back", 60)
    assert "regularisation_due" not in alarms(signer, outlet)
    told.append(("alarm.ended", None))
    wait_until(lambda: events(signer, outlet, "regularisation_due") == told, "and its end")
    wait_until(lambda: gauge(signer, "regularisation_due", "overdue") == before, "it is not counted any more")
    lines = [line for line in logged(signer, "regularisation_due") if outlet.id in line["event"]]
    assert [line["level"] for line in lines] == ["warning", "warning", "error", "error", "info"]


def test_restart_tells_nothing_twice_and_forgets_nothing(signer: Stand) -> None:
    outlet = signer.outlet(mode="deferred", dgi_url=NOBODY)
    signer.post(document(outlet))
    age(signer, outlet, 30)
    began = [("alarm.began", "notice")]
    wait_until(lambda: events(signer, outlet, "regularisation_due") == began, "it began")
    signer.restart()
    age(signer, outlet, 40)
    both = [*began, ("alarm.changed", "warning")]
    wait_until(lambda: len(events(signer, outlet, "regularisation_due")) > 1, "the watch runs again")
    assert events(signer, outlet, "regularisation_due") == both


def test_silence_is_told_with_its_beginning_and_ends_with_an_answer(signer: Stand) -> None:
    outlet = signer.outlet(mode="deferred", dgi_url=NOBODY)
    signer.post(document(outlet))
    wait_until(lambda: status(signer, outlet)["contact"]["silent_since"], "a request failed")
    assert alarms(signer, outlet) == {}, "not for a moment's silence"
    with signer.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE signer.dgi_exchange SET recorded_at = recorded_at - interval '1 hour' WHERE outlet_id = %s",
            [outlet.id],
        )
    assert alarms(signer, outlet) == {"dgi_silent": "notice"}
    signer.change_outlet(outlet, dgi_url=signer.relay.url)
    wait_until(lambda: signer.settled(outlet), "the DGI is back", 60)
    contact = status(signer, outlet)["contact"]
    assert contact["silent_since"] is None and contact["answered_at"] is not None and alarms(signer, outlet) == {}


def test_rejected_document_is_an_alarm(signer: Stand) -> None:
    signer.relay.change("prepare", lambda answer: {**answer, "total": answer["total"] + 1})
    outlet = signer.outlet(mode="deferred")
    signer.post(document(outlet))
    wait_until(lambda: signer.settled(outlet), "it is judged")
    signer.relay.calm()
    assert status(signer, outlet)["rejected"]["count"] == 1
    assert alarms(signer, outlet) == {"documents_rejected": "warning"}


@pytest.mark.parametrize(
    ("days", "expected"), [(8, {}), (6, {"token_expiring": "warning"}), (-1, {"token_expired": "critical"})]
)
def test_token_s_own_expiry_is_watched(signer: Stand, days: int, expected: dict[str, str]) -> None:
    outlet = signer.outlet()
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    signer.change_outlet(outlet, dgi_token=signer.box.encrypt(outlet.id, jwt({"exp": int(ends.timestamp())})))
    assert alarms(signer, outlet) == expected
    assert datetime.fromisoformat(status(signer, outlet)["token_expires_at"]) == ends


def test_token_of_another_outlet_is_unreadable_and_no_token_is_shown_anywhere(signer: Stand) -> None:
    outlet, other = signer.outlet(), signer.outlet()
    signer.change_outlet(outlet, dgi_token=signer.box.encrypt(other.id, signer.sandbox.token(other.nim)))
    assert alarms(signer, outlet) == {"token_unreadable": "critical"}
    wait_until(lambda: events(signer, outlet, "token_unreadable") == [("alarm.began", "critical")], "it is told")
    answers = signer.get("/api/v1/sync/status").text + signer.log()
    details = signer.rows("SELECT detail::text FROM signer.dgi_event")
    assert looks_like_a_secret(answers + "".join(text for (text,) in details)) == []


def test_uids_that_the_e_mcf_may_hold_are_counted_until_they_expire(signer: Stand) -> None:
    signer.relay.drop("confirm", "before", times=1000)
    signer.relay.drop("status", "before", times=1000)
    outlet = signer.outlet(mode="deferred")
    for _ in range(9):
        assert signer.post(document(outlet)).status_code == 201
    wait_until(lambda: status(signer, outlet)["pending"]["count"] >= 8, "the DGI has given uids", 60)
    assert "pending_near_limit" in alarms(signer, outlet)
    signer.relay.calm()
    wait_until(lambda: signer.settled(outlet), "all are settled", 60)
    assert status(signer, outlet)["pending"]["count"] == 0


def test_scope_pages_and_refusals(signer: Stand) -> None:
    mine, other, foreign = signer.outlet(), signer.outlet(), signer.outlet(OTHER_SELLER)
    scoped = signer.api_key(outlets=[mine.id])
    found = signer.get("/api/v1/sync/status", scoped).json()
    assert [row["outlet_id"] for row in found["outlets"]] == [mine.id]
    for hidden in (other, foreign):
        assert signer.get(f"/api/v1/sync/status?outlet_id={hidden.id}", scoped).status_code == 404
    theirs = signer.get("/api/v1/sync/status", signer.api_key(OTHER_SELLER)).json()["outlets"]
    assert [row["outlet_id"] for row in theirs] == [foreign.id]
    seen, cursor = [], ""
    while cursor is not None:
        page = signer.get(f"/api/v1/sync/status?limit=3{cursor and '&cursor=' + cursor}").json()
        seen += [row["outlet_id"] for row in page["outlets"]]
        cursor = page["next_cursor"]
    every = signer.rows("SELECT id FROM signer.outlet WHERE merchant_nif = %s ORDER BY id", mine.nif)
    assert seen == [outlet_id for (outlet_id,) in every] and len(seen) > 3
    assert signer.get("/api/v1/sync/status?outlet_id=kin").status_code == 400
    assert signer.http.get("/api/v1/sync/status").status_code == 401
