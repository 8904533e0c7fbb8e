"""A merchant's key starts the sending again as often as it likes, and what it takes from the others is bounded."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.pool import make_pool
from bonopay_signer.dgi.journal import Journal
from bonopay_signer.events.store import LOCK_FOR_OUTLET
from bonopay_signer.sealing.devices import Devices
from bonopay_signer.sync.mcfs import McfWatch
from bonopay_signer.sync.restarts import PAUSE, Restarts
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.secrets import SecretBox, new_key

from ..dgi.mcf.twin import McfTwin
from ..support.databases import Database, throw_away_database

NIF, MID = "A1234567B", "CD09900003-9"
_outlets, _documents = count(1), count(1)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def shared(cluster: str) -> Iterator[Database]:
    with throw_away_database(cluster) as database:
        with psycopg.connect(database.owner) as connection:
            admin.add_merchant(connection, NIF, "Vendeur", False)
        yield database


@pytest.fixture
async def pool(shared: Database) -> AsyncIterator[AsyncConnectionPool]:
    async with make_pool(shared.service, 3) as pool:
        yield pool


def _outlet(database: Database, waits: int = 0, is_due: int = 0) -> str:
    """An outlet, so many of whose sealed documents wait for an hour, and are due since an hour."""
    name = f"KIN{next(_outlets):03d}"
    box = SecretBox.from_text(new_key())
    with psycopg.connect(database.owner) as connection:
        new = admin.NewOutlet(name, NIF, name, "1 av.", f"CD01{name}", "ISF-1", "deferred", "http://dgi")
        admin.add_outlet(connection, new, "token", box, False)
        for hours in [1] * waits + [-1] * is_due:
            connection.execute(
                "INSERT INTO signer.submission (outlet_id, merchant_nif, document_id, fiscal_number, state, "
                "next_attempt_at) VALUES (%s, %s, gen_random_uuid(), %s, 'queued', now() + make_interval(hours => %s))",
                [name, NIF, f"BONO-{name}-01-{next(_documents):09d}", hours],
            )
    return name


def _rows(database: Database, query: str, *parameters: object) -> list[tuple]:
    with database.as_admin() as connection:
        return connection.execute(query, parameters).fetchall()


def _later(database: Database, outlet: str) -> int:
    query = "SELECT count(*) FROM signer.submission WHERE outlet_id = %s AND next_attempt_at > now()"
    return _rows(database, query, outlet)[0][0]


def _told(database: Database, outlet: str) -> list[int]:
    query = "SELECT (detail ->> 'documents')::int FROM signer.dgi_event WHERE outlet_id = %s ORDER BY number"
    return [documents for (documents,) in _rows(database, query, outlet)]


async def test_restart_counts_all_that_wait_and_leaves_alone_what_is_due(
    shared: Database, pool: AsyncConnectionPool
) -> None:
    outlet, asked = _outlet(shared, waits=2, is_due=3), []
    due = "SELECT id, xmin::text FROM signer.submission WHERE outlet_id = %s AND fiscal_number = ANY(%s)"
    numbers = [
        number
        for (number,) in _rows(
            shared,
            "SELECT fiscal_number FROM signer.submission WHERE outlet_id = %s AND next_attempt_at <= now()",
            outlet,
        )
    ]
    before = _rows(shared, due, outlet, numbers)
    assert await Restarts(pool, asked.append).restart(outlet, "test") == 5
    assert _later(shared, outlet) == 0 and asked == [outlet] and _told(shared, outlet) == [5]
    assert len(before) == 3 and _rows(shared, due, outlet, numbers) == before, "rows are not written for nothing"


async def test_restart_again_within_the_pause_does_nothing_and_after_it_does(
    shared: Database, pool: AsyncConnectionPool
) -> None:
    outlet, other, asked, now = _outlet(shared, waits=1), _outlet(shared, waits=1), [], [1000.0]
    restarts = Restarts(pool, asked.append, lambda: now[0])
    together = await asyncio.gather(*(restarts.restart(outlet, "test") for _ in range(20)))
    assert sorted(map(str, together)) == ["1"] + ["None"] * 19, "also those that come before it is done"
    with shared.as_admin() as connection:
        connection.execute("UPDATE signer.submission SET next_attempt_at = now() + interval '1 hour'")
    now[0] += PAUSE - 0.1
    assert await restarts.restart(outlet, "test") is None
    assert _later(shared, outlet) == 1 and asked == [outlet] and _told(shared, outlet) == [1]
    assert await restarts.restart(other, "test") == 1, "each outlet for itself"
    now[0] += 0.2
    assert await restarts.restart(outlet, "test") == 1
    assert _later(shared, outlet) == 0 and asked == [outlet, other, outlet] and _told(shared, outlet) == [1, 1]


async def test_restart_that_failed_may_be_tried_again_at_once(shared: Database, pool: AsyncConnectionPool) -> None:
    outlet = _outlet(shared, waits=1)
    unopened = make_pool(shared.service, 2)
    restarts = Restarts(unopened, lambda _outlet: None)
    with pytest.raises(psycopg.OperationalError):
        await restarts.restart(outlet, "test")
    await unopened.open()
    try:
        assert await restarts.restart(outlet, "test") == 1
    finally:
        await unopened.close()


async def test_restarts_that_wait_for_a_lock_leave_the_connections_to_others(
    shared: Database, pool: AsyncConnectionPool
) -> None:
    outlets = [_outlet(shared) for _ in range(8)]
    restarts = Restarts(pool, lambda _outlet: None)
    async with await psycopg.AsyncConnection.connect(shared.owner) as holder:
        await holder.execute("SELECT set_config('bonopay.merchant', '*', false)")
        await holder.execute(LOCK_FOR_OUTLET, {"outlet": outlets[0]})
        waiting = [asyncio.create_task(restarts.restart(outlet, "test")) for outlet in outlets]
        while not _rows(shared, "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            await asyncio.sleep(0.02)
        for _ in range(2):
            async with pool.connection() as one, pool.connection() as two:
                await one.execute("SELECT 1")
                await two.execute("SELECT 1")
    assert await asyncio.gather(*waiting) == [0] * 8


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[McfTwin]:
    twin = McfTwin(tmp_path / "twin", MID)
    yield twin
    twin.kill()


@pytest.fixture
def with_mcf(shared: Database, twin: McfTwin) -> Iterator[str]:
    outlet = _outlet(shared)
    with psycopg.connect(shared.owner) as connection:
        admin.set_mcf(connection, outlet, admin.NewMcf(MID, str(twin.port)), False)
    yield outlet
    with psycopg.connect(shared.owner) as connection:
        admin.remove_mcf(connection, outlet)


def _watch(pool: AsyncConnectionPool, shard: int = 0) -> tuple[McfWatch, Devices]:
    devices = Devices(None, None, Journal(pool))  # type: ignore[arg-type]  # an MCF's driver needs neither
    return McfWatch(pool, devices, shard, 3600), devices


async def _asked_for(watch: McfWatch) -> None:
    while watch._asked_for:
        await asyncio.sleep(0.02)


def _frames(database: Database, outlet: str) -> list[str]:
    query = "SELECT step FROM signer.dgi_exchange WHERE outlet_id = %s AND direction = 'request' ORDER BY id"
    return [step for (step,) in _rows(database, query, outlet)]


async def test_mcf_that_is_being_asked_is_not_asked_once_more_for_each_restart(
    shared: Database, pool: AsyncConnectionPool, with_mcf: str
) -> None:
    watch, devices = _watch(pool)
    before = len(asyncio.all_tasks())
    for _ in range(100):
        watch.ask_soon(with_mcf)
    assert len(asyncio.all_tasks()) == before + 1
    await _asked_for(watch)
    assert _frames(shared, with_mcf) == ["C1h", "C2h"], "and who it is was asked before its word was believed"
    watch.ask_soon(with_mcf)
    await _asked_for(watch)
    assert _frames(shared, with_mcf) == ["C1h", "C2h"] * 2
    devices.close()


async def test_signer_of_another_shard_leaves_the_port_of_that_name_alone(
    shared: Database, pool: AsyncConnectionPool, with_mcf: str
) -> None:
    """Every signer hears the command; the port of its own machine may be anybody's."""
    watch, devices = _watch(pool, shard=1)
    watch.ask_soon(with_mcf)
    await _asked_for(watch)
    assert _frames(shared, with_mcf) == []
    assert _rows(shared, "SELECT FROM signer.mcf_state WHERE outlet_id = %s", with_mcf) == []
    devices.close()
