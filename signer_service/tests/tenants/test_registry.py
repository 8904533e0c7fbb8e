"""The registry in memory is the database's, or it is not used: what was revoked is refused, whatever breaks."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bonopay_signer.db.pool import make_pool
from bonopay_signer.tenants import admin, listener, registry
from bonopay_signer.tenants.registry import Held, Registry

from ..support.cable import Cable
from ..support.databases import Database
from ..support.processes import wait_until
from ..support.stand import Stand, document

NIF = "A1234567B"


@asynccontextmanager
async def _running(database: Database, listening: str | None = None) -> AsyncIterator[Registry]:
    pool = make_pool(database.service, 4)
    await pool.open(wait=True)
    held = Registry(listening or database.service, pool)
    held.start()
    try:
        yield held
    finally:
        await held.close()
        await pool.close()


async def _current(held: Registry, current: bool = True) -> None:
    async with asyncio.timeout(10):
        while held._listener.is_current != current:
            await asyncio.sleep(0.01)


def _key(database: Database) -> str:
    """The prefix of a new key."""
    with psycopg.connect(database.owner, autocommit=True) as connection:
        admin.add_merchant(connection, NIF, "Vendeur", if_missing=True)
        return admin.create_api_key(connection, NIF, None, ["seal"], None, "test").split("_")[1]


def _change(database: Database, statement: str, *parameters: object) -> None:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(statement, parameters)


def _revoke(database: Database, prefix: str) -> None:
    _change(database, "UPDATE signer.api_key SET revoked_at = now() WHERE prefix = %s", prefix)


async def _until_revoked(held: Registry, prefix: str) -> None:
    async with asyncio.timeout(5):
        while (await held.api_key(prefix)).revoked_at is None:
            await asyncio.sleep(0.005)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prefixes that were looked up in the database."""
    seen: list[str] = []
    find = registry.find_api_key

    async def counted(connection, prefix):
        seen.append(prefix)
        return await find(connection, prefix)

    monkeypatch.setattr(registry, "find_api_key", counted)
    return seen


@pytest.mark.anyio
async def test_key_is_read_once_until_it_changes(database: Database, reads: list[str]) -> None:
    prefix = _key(database)
    async with _running(database) as held:
        await _current(held)
        for _ in range(3):
            assert (await held.api_key(prefix)).prefix == prefix
        assert reads == [prefix]
        _revoke(database, prefix)
        await _until_revoked(held, prefix)
        assert reads == [prefix, prefix]


@pytest.mark.anyio
async def test_last_use_of_a_key_does_not_drop_it(database: Database, reads: list[str]) -> None:
    prefix = _key(database)
    async with _running(database) as held:
        await _current(held)
        await held.api_key(prefix)
        _change(database, "UPDATE signer.api_key SET last_used_at = now()")
        await asyncio.sleep(1)
        await held.api_key(prefix)
        assert reads == [prefix]


@pytest.mark.anyio
async def test_revocation_of_a_merchant_ends_its_keys(database: Database) -> None:
    prefix = _key(database)
    async with _running(database) as held:
        await _current(held)
        assert (await held.api_key(prefix)).is_current()
        _change(database, "UPDATE signer.merchant SET revoked_at = now()")
        await _until_revoked(held, prefix)


@pytest.mark.anyio
async def test_revocation_holds_at_once_while_the_listener_is_cut_off(database: Database) -> None:
    """As an attacker or a failover would: the connection is ended, and cannot be made again."""
    prefix = _key(database)
    async with _running(database) as held:
        await _current(held)
        assert (await held.api_key(prefix)).is_current()
        held._listener._dsn = make_conninfo(database.service, port=9)
        _change(
            database.__class__(**{**vars(database), "owner": database.admin}),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'bonopay-signer registry' AND datname = current_database()",
        )
        await _current(held, current=False)
        _revoke(database, prefix)
        assert (await held.api_key(prefix)).revoked_at is not None
        held._listener._dsn = database.service
        await _current(held)
        assert (await held.api_key(prefix)).revoked_at is not None


@pytest.fixture
def cable(database: Database) -> Iterator[Cable]:
    address = conninfo_to_dict(database.service)
    cable = Cable((address["host"], int(address["port"])))
    yield cable
    cable.close()


@pytest.mark.anyio
async def test_silent_listener_is_trusted_no_longer_than_its_lease(database: Database, cable: Cable) -> None:
    """The worst of outages: the connection is there, and nothing comes through."""
    prefix = _key(database)
    through = make_conninfo(database.service, host="127.0.0.1", port=cable.port)
    async with _running(database, listening=through) as held:
        await _current(held)
        assert (await held.api_key(prefix)).is_current()
        cable.silence()
        _revoke(database, prefix)
        started = time.monotonic()
        await _until_revoked(held, prefix)
        assert time.monotonic() - started <= listener.LEASE + 0.5
        cable.mend()
        await _current(held)
        assert (await held.api_key(prefix)).revoked_at is not None


@pytest.mark.anyio
async def test_what_changes_while_it_is_read_is_not_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = _key(database)
    async with _running(database) as held:
        await _current(held)
        find = registry.find_api_key

        async def overtaken(connection, wanted):
            found = await find(connection, wanted)
            before = held._changes
            await asyncio.to_thread(_revoke, database, prefix)
            async with asyncio.timeout(5):
                while held._changes == before:
                    await asyncio.sleep(0.01)
            return found

        monkeypatch.setattr(registry, "find_api_key", overtaken)
        assert (await held.api_key(prefix)).is_current(), "it was when the request came"
        monkeypatch.setattr(registry, "find_api_key", find)
        assert (await held.api_key(prefix)).revoked_at is not None


@pytest.mark.anyio
async def test_listener_that_hears_nothing_is_not_trusted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler of transactions takes LISTEN, and gives the session to somebody else."""

    async def deaf(_self, _connection, _seconds):
        await asyncio.sleep(0.01)

    monkeypatch.setattr(listener.RegistryListener, "_hear", deaf)
    async with _running(database) as held:
        await asyncio.sleep(1)
        assert not held._listener.is_current


@pytest.mark.anyio
async def test_random_keys_neither_fill_the_memory_nor_push_out_real_ones(
    database: Database, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    monkeypatch.setattr(registry, "_UNKNOWN_HELD", 50)
    prefix = _key(database)
    async with _running(database) as held:
        await _current(held)
        await held.api_key(prefix)
        for number in range(200):
            assert await held.api_key(f"{number:012d}") is None
        assert (len(held._unknown), len(held._keys)) == (50, 1)
        reads.clear()
        await held.api_key(prefix)
        assert await held.api_key("000000000199") is None
        assert reads == [], "neither the real one nor the last of the others is asked for again"
        new = _key(database)
        assert (await held.api_key(new)).prefix == new, "a key that did not exist a moment ago"


@pytest.mark.anyio
async def test_what_was_unknown_is_found_as_soon_as_it_exists(database: Database) -> None:
    async with _running(database) as held:
        await _current(held)
        assert await held.outlet("KIN001") is None
        with psycopg.connect(database.owner, autocommit=True) as connection:
            admin.add_merchant(connection, NIF, "Vendeur", if_missing=True)
        _change(
            database,
            "INSERT INTO signer.outlet (id, merchant_nif, name, address, nim, isf, dgi_mode, dgi_url, dgi_token) "
            "VALUES ('KIN001', %s, 'n', 'a', 'n', 'i', 'inline', 'http://dgi', '')",
            NIF,
        )
        async with asyncio.timeout(5):
            while await held.outlet("KIN001") is None:
                await asyncio.sleep(0.01)


def test_held_values_make_room_by_their_last_use() -> None:
    held: Held[str, int] = Held(2)
    held.put("a", 1)
    held.put("b", 2)
    assert held.get("a") == 1
    held.put("c", 3)
    assert "a" in held and "c" in held and "b" not in held


def test_document_is_sealed_without_reading_the_registry(new_stand: Callable[..., Stand]) -> None:
    """With the tables locked against every reader, what is in memory seals on."""
    stand = new_stand()
    stand.start()
    outlet = stand.outlet(mode="deferred")
    time.sleep(2)  # until the registration is heard, and the listener trusted
    assert stand.post(document(outlet)).status_code == 201
    with psycopg.connect(stand.database.admin) as locking:
        locking.execute("LOCK TABLE signer.api_key, signer.terminal, signer.operator IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        response = stand.post(document(outlet))
        assert response.status_code == 201, response.text
        assert time.monotonic() - started < 4


def test_revocation_of_a_key_in_use_holds_over_http_with_and_without_the_listener(
    new_stand: Callable[..., Stand],
) -> None:
    stand = new_stand()
    stand.start()
    outlet, payload = stand.outlet(mode="deferred"), None
    for cut in (False, True):
        key = stand.api_key()
        payload = document(outlet)
        assert stand.post(payload, key=key).status_code == 201
        if cut:
            with stand.database.as_admin() as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'bonopay-signer registry' AND datname = current_database()"
                )
        assert stand.command("api-key", "revoke", key.split("_")[1]).returncode == 0
        assert stand.post(payload, key=key).status_code == 401
    wait_until(lambda: "bonopay-signer registry" in _sessions(stand), "the listener is there again")


def _sessions(stand: Stand) -> set[str]:
    query = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
    return {name for (name,) in stand.rows(query)}
