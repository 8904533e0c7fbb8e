"""``GET /api/v1/events``: nobody misses an event, and nobody reads another's."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.events.store import add_event

from ..support.processes import wait_until
from ..support.sandbox import OTHER_SELLER, SELLER
from ..support.stand import Outlet, Stand, document


def read(stand: Stand, key: str | None = None, **asked: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key or stand.key}"}
    response = stand.http.get("/api/v1/events", params=asked, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def pages(stand: Stand, key: str | None = None, **asked: Any) -> list[dict[str, Any]]:
    found, page = [], read(stand, key, **asked)
    while page["next_cursor"] is not None:
        found += page["events"]
        page = read(stand, key, **asked, cursor=page["next_cursor"])
    return found + page["events"]


def add(stand: Stand, outlet: Outlet | None, kind: str, code: str, nif: str = SELLER, **detail: Any) -> None:
    async def write() -> None:
        async with await psycopg.AsyncConnection.connect(stand.database.service, autocommit=True, **SYSTEM) as own:
            await add_event(own, nif, outlet and outlet.id, kind, code, None, detail)

    asyncio.run(write())


def marks(events: list[dict[str, Any]]) -> list[Any]:
    return [event["detail"]["mark"] for event in events]


@pytest.fixture
def outlets(stand: Stand) -> tuple[Outlet, Outlet]:
    """Two of one merchant, with five marked events in turns. Their codes are no alarm's: those the watch would end."""
    one, two = stand.outlet(), stand.outlet()
    add(stand, one, "alarm.began", "first", mark=1)
    add(stand, two, "alarm.began", "first", mark=2)
    add(stand, one, "alarm.ended", "first", mark=3)
    add(stand, one, "alarm.began", "second", mark=4)
    add(stand, two, "totals.differ", "dgi_totals_differ", mark=5)
    return one, two


def test_filters_combine_and_pages_follow_each_other(stand: Stand, outlets: tuple[Outlet, Outlet]) -> None:
    one, two = outlets
    key = stand.api_key(outlets=[one.id, two.id])
    everything = read(stand, key)["events"]
    assert marks(everything) == [1, 2, 3, 4, 5]
    assert [event["number"] for event in everything] == sorted(event["number"] for event in everything)
    assert set(everything[0]) == {"number", "at", "outlet_id", "kind", "code", "level", "detail"}
    assert marks(pages(stand, key, limit=2)) == [1, 2, 3, 4, 5]
    assert read(stand, key, limit=5)["next_cursor"] is None, "no empty page at the end"
    assert marks(read(stand, key, outlet_id=one.id)["events"]) == [1, 3, 4]
    assert marks(read(stand, key, kind="alarm.began")["events"]) == [1, 2, 4]
    assert marks(read(stand, key, code="first", kind="alarm.began")["events"]) == [1, 2]
    assert marks(pages(stand, key, code="first", outlet_id=one.id, limit=1)) == [1, 3]
    third = everything[2]["number"]
    assert marks(pages(stand, key, after=third, limit=1)) == [4, 5]
    assert read(stand, key, after=everything[-1]["number"]) == {"events": [], "next_cursor": None}


def test_cursor_is_of_its_filters(stand: Stand, outlets: tuple[Outlet, Outlet]) -> None:
    key = stand.api_key(outlets=[outlet.id for outlet in outlets])
    cursor = read(stand, key, limit=1)["next_cursor"]
    for other in (f"cursor={cursor}&after=1", f"cursor={cursor}&kind=alarm.began", "cursor=x"):
        response = stand.get(f"/api/v1/events?{other}", key)
        assert (response.status_code, response.json()["findings"][0]["pointer"]) == (400, "/cursor")


@pytest.mark.parametrize("asked", ["after=-1", "after=x", "after=1234567890123456789", "limit=0", "kind=alarm", "x=1"])
def test_what_is_no_value_is_named(stand: Stand, asked: str) -> None:
    response = stand.get(f"/api/v1/events?{asked}")
    assert (response.status_code, response.json()["code"]) == (400, "parameter_invalid")


def test_no_merchant_and_no_outlet_sees_another_s(stand: Stand, outlets: tuple[Outlet, Outlet]) -> None:
    one, two = outlets
    theirs = stand.outlet(OTHER_SELLER)
    add(stand, theirs, "alarm.began", "first", OTHER_SELLER, mark="theirs")
    add(stand, None, "reference.changed", "tax_groups", OTHER_SELLER, mark="theirs")
    add(stand, None, "reference.changed", "tax_groups", mark="ours")
    their_key, narrow = stand.api_key(OTHER_SELLER), stand.api_key(outlets=[two.id])
    assert marks(read(stand, narrow)["events"]) == [2, 5], "nothing of the other outlet, nor of none"
    assert {outlet_id for outlet_id in _outlets(pages(stand, their_key))} <= {theirs.id, None}
    ours = pages(stand)
    assert theirs.id not in _outlets(ours) and "theirs" not in [event["detail"].get("mark") for event in ours]
    assert "ours" in [event["detail"].get("mark") for event in ours if event["outlet_id"] is None]
    for key, hidden in ((narrow, one), (narrow, theirs), (stand.key, theirs), (their_key, one)):
        response = stand.get(f"/api/v1/events?outlet_id={hidden.id}", key)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def _outlets(events: list[dict[str, Any]]) -> list[str | None]:
    return [event["outlet_id"] for event in events]


def test_document_that_was_blocked_is_told_to_who_follows(stand: Stand) -> None:
    outlet = stand.outlet()
    key = stand.api_key(outlets=[outlet.id])
    stand.relay.change("prepare", lambda answer: {**answer, "total": answer["total"] + 1})
    payload = document(outlet, client={**document(outlet)["client"], "name": "Acheteur Discret"})
    stand.post(payload)
    (event,) = read(stand, key, kind="totals.differ")["events"]
    assert (event["level"], event["detail"]["document_id"]) == ("warning", payload["document_id"])
    assert event["detail"]["total"] == {"invoice": "104400.00", "dgi": "104401.00"}
    assert "Acheteur" not in str(event)


def test_who_follows_misses_no_event_that_is_committed_late(stand: Stand) -> None:
    """Numbers are drawn in the order in which they become visible: a smaller one never comes after a greater."""
    outlet = stand.outlet()
    key = stand.api_key(outlets=[outlet.id])

    async def two_at_once() -> None:
        connect = psycopg.AsyncConnection.connect
        event = (SELLER, outlet.id, "alarm.began", "first", None)
        async with (
            await connect(stand.database.service, autocommit=True, **SYSTEM) as slow,
            await connect(stand.database.service, autocommit=True, **SYSTEM) as fast,
        ):
            async with slow.transaction():
                await add_event(slow, *event, {"mark": "slow"})
                second = asyncio.create_task(add_event(fast, *event, {"mark": "fast"}))
                await asyncio.to_thread(wait_until, _waits(stand, fast.info.backend_pid), "the second waits")
                assert read(stand, key)["events"] == []
            await second

    asyncio.run(two_at_once())
    assert marks(read(stand, key)["events"]) == ["slow", "fast"]


def _waits(stand: Stand, backend: int) -> Callable[[], bool]:
    query = "SELECT count(*) FROM pg_locks WHERE pid = %s AND locktype = 'advisory' AND NOT granted"
    return lambda: stand.rows(query, backend) == [(1,)]
