"""``/ready`` means "can seal now": each part is made to fail for real, told by name, and found again."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bonopay_signer.db import instance

from ..support.databases import throw_away_database
from ..support.plain import ONE_EACH, plain_client
from ..support.processes import wait_until
from ..support.sandbox import Sandbox
from ..support.stand import Stand, document, looks_like_a_secret
from ..support.tokens import Token

PARTS = {"database", "lock", "hsm", "ledger", "head_store", "clock", "queue"}


@pytest.fixture(scope="module")
def signer(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A signer that these tests maltreat; each leaves it ready."""
    with throw_away_database(cluster) as database:
        folder = tmp_path_factory.mktemp("ready") / "signer"
        signer = Stand(folder, database, token, sandbox, queue_total=3, seal_patience=8)
        signer.start()
        yield signer
        signer.close()


def _ready(stand: Stand) -> dict[str, Any]:
    response = stand.http.get("/ready")
    body = response.json()
    assert response.status_code == (200 if body["ready"] else 503)
    assert ("retry-after" in response.headers) == (not body["ready"])
    assert set(body["checks"]) == PARTS
    assert set(body["reasons"]) == {name for name, holds in body["checks"].items() if not holds}
    assert body["ready"] == all(body["checks"].values())
    return body


def _becomes_unready(stand: Stand, part: str) -> str:
    """The reason that ``part`` gives."""
    wait_until(lambda: not _ready(stand)["checks"][part], f"{part} is not ready")
    assert stand.http.get("/health").status_code == 200, "the process lives"
    wait_until(lambda: part in _ready(stand)["reasons"], "it still is not")
    return _ready(stand)["reasons"].get(part, "")


def _becomes_ready(stand: Stand) -> None:
    wait_until(lambda: stand.http.get("/ready").status_code == 200, "it is ready again")


def test_signing_processes_that_hang(signer: Stand) -> None:
    assert _ready(signer)["ready"]
    signers = _children(signer)
    assert signers
    for process in signers:
        os.kill(process, signal.SIGSTOP)
    try:
        assert "no answer within" in _becomes_unready(signer, "hsm")
    finally:
        for process in signers:
            os.kill(process, signal.SIGCONT)
    _becomes_ready(signer)


def _children(stand: Stand) -> list[int]:
    assert stand.process is not None
    pid = stand.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_head_store_that_cannot_be_written(signer: Stand) -> None:
    with _read_only(signer.head_store):
        assert "cannot be written" in _becomes_unready(signer, "head_store")
    _becomes_ready(signer)
    away = signer.head_store.with_name("elsewhere")
    signer.head_store.rename(away)
    _becomes_unready(signer, "head_store")
    away.rename(signer.head_store)
    _becomes_ready(signer)


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """For root too, whom a mode does not stop: by a mount."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own to fill is mounted, which takes root")
def test_head_store_whose_disk_is_full(new_stand: Callable[..., Stand], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
    try:
        stand = new_stand(head_store=disk / "heads")
        stand.start()
        filler = disk / "filler"
        filler.write_bytes(bytes(13 * 1024 * 1024))
        assert "KiB left" in _becomes_unready(stand, "head_store")
        stand.sealed(stand.outlet())  # what is reserved already still takes records
        filler.unlink()
        _becomes_ready(stand)
        stand.process.stop()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_lock_that_another_holds(signer: Stand) -> None:
    with signer.database.as_admin() as thief, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(thief.execute, "SELECT pg_advisory_lock(%s)", [instance._LOCK])
        _terminate(signer, "bonopay-signer lock")
        waiting.result(timeout=20)
        assert _becomes_unready(signer, "lock")
    _becomes_ready(signer)


def test_fence_that_another_moved(signer: Stand) -> None:
    with signer.database.as_admin() as connection:
        connection.execute("UPDATE signer.shard SET generation = generation + 1")
    assert "another signer took shard 0" in _becomes_unready(signer, "lock")
    _set_back(signer, "generation = generation - 1")
    _becomes_ready(signer)


def _set_back(stand: Stand, assignment: str) -> None:
    """Against the trigger that lets a shard move forward only."""
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"UPDATE signer.shard SET {assignment}")


def test_database_that_takes_nothing_or_lets_nobody_in(signer: Stand) -> None:
    name = signer.database.name
    with psycopg.connect(signer.database.admin, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        _terminate(signer, "")
        assert _becomes_unready(signer, "database") == "the database is read-only"
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        _terminate(signer, "")
        _becomes_ready(signer)
    signer.database.admit(False)
    reason = _becomes_unready(signer, "database")
    assert "the database does not answer" in reason or "no answer within" in reason
    assert name not in reason and looks_like_a_secret(reason) == []
    signer.database.admit(True)
    _becomes_ready(signer)


def _terminate(stand: Stand, application: str) -> None:
    """End the service's connections, or those with this name."""
    with psycopg.connect(stand.database.admin, dbname="postgres", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND datname = %s "
            "AND %s IN ('', application_name)",
            [stand.database.service_role, stand.database.name, application],
        )


def test_clock_behind_the_last_entry(signer: Stand) -> None:
    outlet = signer.outlet(mode="deferred")
    with signer.database.as_admin() as connection:
        connection.execute("UPDATE signer.shard SET sealed_at = now() + interval '1 hour'")
    _terminate(signer, "bonopay-signer writer")  # the writer knows the time of its own last entry
    assert "the last entry was sealed at" in _becomes_unready(signer, "clock")
    response = signer.post(document(outlet))
    assert (response.status_code, response.json()["code"]) == (503, "clock_behind")
    _set_back(signer, "sealed_at = now() - interval '1 hour'")
    _terminate(signer, "bonopay-signer writer")
    _becomes_ready(signer)


def test_queue_that_is_full(signer: Stand) -> None:
    outlet = signer.outlet(mode="deferred")
    signers = _children(signer)
    for process in signers:
        os.kill(process, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(8) as threads:
            posts = [threads.submit(signer.post, document(outlet)) for _ in range(8)]
            assert "documents wait" in _becomes_unready(signer, "queue")
            wait_until(lambda: any(post.done() for post in posts), "what finds it full is answered at once")
            for process in signers:
                os.kill(process, signal.SIGCONT)
            answers = [post.result() for post in posts]
    finally:
        for process in signers:
            os.kill(process, signal.SIGCONT)
    refused = [answer for answer in answers if answer.status_code == 503]
    assert "overloaded" in {answer.json()["code"] for answer in refused}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert {answer.status_code for answer in answers} == {201, 503}
    _becomes_ready(signer)


def test_many_who_ask_cost_the_token_one_question(signer: Stand) -> None:
    with ThreadPoolExecutor(16) as threads, plain_client(base_url=signer.url, timeout=30, limits=ONE_EACH) as client:
        answers = list(threads.map(lambda _: client.get("/ready").status_code, range(200)))
    assert set(answers) == {200}
    own = psycopg.connect(signer.database.admin, autocommit=True)
    ((asked,),) = own.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [signer.database.service_role]
    ).fetchall()
    own.close()
    assert asked < 12, "no herd on the database"
