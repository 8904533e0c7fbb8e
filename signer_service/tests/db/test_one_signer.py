"""One signer per database: a second is refused, and one that lost its lock stops sealing until it has it again."""

import sys
from collections.abc import Callable

import psycopg

from ..support.processes import Process, python_environment, wait_until
from ..support.stand import Stand, document, number_of


def test_second_signer_on_the_same_database_is_refused_at_start(new_stand: Callable[..., Stand], tmp_path) -> None:
    stand = new_stand()
    stand.start()
    environment = {**stand.environment, "BONOPAY_SIGNER_PORT": "0"}
    second = Process([sys.executable, "-m", "bonopay_signer", "serve"], python_environment(environment), tmp_path / "2")
    assert second.wait() == 1
    assert "another signer is running on this shard of the database" in second.text()
    stand.sealed(stand.outlet())


def test_first_signer_gone_the_second_may_start(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand()
    stand.start()
    stand.restart()
    stand.sealed(stand.outlet())


def _steal_lock(stand: Stand) -> psycopg.Connection:
    """End the connection that holds the lock and take it, as a second signer on another machine would."""
    thief = stand.database.as_admin()
    query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
    query += "(SELECT oid FROM pg_database WHERE datname = current_database())"
    assert thief.execute(query).fetchone() == (True,)
    wait_until(lambda: thief.execute("SELECT pg_try_advisory_lock(%s)", [_lock_key()]).fetchone() == (True,), "stolen")
    return thief


def _lock_key() -> int:
    from bonopay_signer.db import instance

    return instance._LOCK


def test_signer_that_lost_its_lock_does_not_seal_until_it_holds_it_again(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand(recovery_interval=0.5)
    stand.start()
    outlet = stand.outlet()
    stand.sealed(outlet)
    thief = _steal_lock(stand)
    wait_until(lambda: stand.http.get("/ready").status_code == 503, "the signer notices")
    response = stand.post(document(outlet))
    assert (response.status_code, response.json()["code"]) == (503, "ledger_unavailable")
    assert len(stand.entries(outlet)) == 2
    thief.close()
    wait_until(lambda: stand.http.get("/ready").status_code == 200, "the signer has its lock again")
    assert stand.sealed(outlet)["fiscal_number"] == number_of(outlet, 2)
    stand.assert_sound(outlet, 2)


def test_late_writer_of_an_older_generation_is_fenced_out(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand(recovery_interval=3600)
    stand.start()
    outlet = stand.outlet()
    with stand.database.as_admin() as connection:
        connection.execute("UPDATE signer.shard SET generation = generation + 1")
    response = stand.post(document(outlet))
    assert (response.status_code, response.json()["code"]) == (503, "ledger_unavailable")
    assert stand.entries(outlet) == []
    assert stand.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0


def test_database_connections_that_die_cost_no_seal_and_no_gap(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand()
    stand.start()
    outlet = stand.outlet()
    stand.sealed(outlet)
    with stand.database.as_admin() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    payload = document(outlet)
    wait_until(lambda: stand.post(payload).status_code in (200, 201), "the signer seals again")
    stand.assert_sound(outlet, 2)


def test_database_that_is_not_migrated_is_a_clear_refusal_to_start(new_stand: Callable[..., Stand], tmp_path) -> None:
    stand = new_stand()
    with stand.database.as_admin() as connection:
        connection.execute("DELETE FROM signer.migration WHERE number = 3")
    process = Process(
        [sys.executable, "-m", "bonopay_signer", "serve"], python_environment(stand.environment), tmp_path / "log"
    )
    assert process.wait() == 1
    assert "bonopay-signer migrate" in process.text()
