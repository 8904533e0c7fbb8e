"""One key after the other: every chain is handed over, what was sealed verifies for ever, no key comes back."""

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg
import pytest

from bonopay_signer.fiscal.statement import ZERO_HASH, Statement, entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.rotation import read_rotation, verify_rotation

from ..support.processes import Process, python_environment, wait_until
from ..support.stand import Outlet, Stand
from ..support.tokens import Token

FIRST, SECOND, THIRD = "bonopay-seal", "bonopay-seal-2", "bonopay-seal-3"


@pytest.fixture
def own_token(tmp_path: Path) -> Token:
    return Token(tmp_path / "own-token")


def _with_key(stand: Stand, label: str) -> Stand:
    stand.environment["BONOPAY_SIGNER_KEY_LABEL"] = label
    return stand


def _refused(stand: Stand, *arguments: str) -> str:
    done = stand.command(*arguments)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stdout + done.stderr
    return done.stderr.splitlines()[-1]


def _rotate(stand: Stand, old: str, new: str) -> str:
    done = _with_key(stand, old).command("key", "rotate", "--to", new)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _next_key(stand: Stand) -> str:
    """The key id of the next key."""
    done = stand.command("key", "next")
    assert done.returncode == 0, done.stderr
    return re.search(r"\(([0-9a-f]{16})\)", done.stdout)[1]


def _assert_chain_holds(stand: Stand, outlet: Outlet) -> list[str]:
    """Every entry verifies under the key in force at its place; the kinds of the entries."""
    keys = {
        key.key_id: key for (der,) in stand.rows("SELECT public_der FROM signer.signing_key") for key in [_key(der)]
    }
    query = "SELECT kind, statement, previous_hash, entry_hash, signature, payload, position FROM signer.entry "
    rows = stand.rows(query + "WHERE outlet_id = %s ORDER BY index", outlet.id)
    in_force, last = None, ZERO_HASH
    for index, (kind, text, previous, digest, signature, payload, _position) in enumerate(rows, 1):
        statement = msgspec.json.decode(text, type=Statement)
        key = keys[statement.key_id]
        assert statement.index == index and previous == last and in_force in (None, key.key_id)
        assert entry_hash(previous, text) == digest and key.verifies(signature, digest)
        in_force, last = key.key_id, digest
        if kind == "key_rotation":
            new_key = read_rotation(payload).new_key
            verify_rotation(statement, previous, payload, key, keys[new_key.key_id])
            in_force = new_key.key_id
    return [kind for kind, *_ in rows]


def _key(der: bytes) -> PublicKey:
    return PublicKey(bytes(der))


def _assert_public_verification(stand: Stand, sealed: dict) -> None:
    number, code = sealed["fiscal_number"], sealed["short_code"]
    by_number = stand.http.get(f"/api/v1/verify/{number}", params={"code": code}).json()
    by_qr = stand.http.get("/api/v1/verify/qr/" + sealed["qr_payload"].rpartition("/V/")[2]).json()
    page = stand.http.get(f"/verify/{number}", params={"code": code})
    assert by_number["result"] == by_qr["result"] == "verified", (by_number, by_qr)
    assert page.status_code == 200 and "Facture authentique" in page.text and number in page.text


def _assert_published(stand: Stand, statuses: dict[str, str]) -> None:
    keys = stand.http.get("/.well-known/fiscal-keys.json").json()["keys"]
    assert {key["kid"]: key["status"] for key in keys} == statuses


def _assert_verifies(stand: Stand) -> None:
    """``bonopay-signer verify``, over everything."""
    done = stand.command("verify")
    assert done.returncode == 0, done.stdout + done.stderr


def _assert_logged(stand: Stand, *actions: tuple[str, str]) -> None:
    """In this order, each once, by somebody who is named."""
    records = json.loads(stand.command("action-log", "--json").stdout)
    found = [(record["action"], record["subject"]) for record in records if record["action"].startswith("key.")]
    assert found == list(actions)
    assert all(record["actor"] for record in records)


def test_every_chain_goes_over_to_the_new_key_and_old_receipts_verify_for_ever(
    new_stand: Callable[..., Stand], own_token: Token
) -> None:
    stand = new_stand(hsm=own_token, signing_processes=2)
    stand.start()
    outlets = [stand.outlet() for _ in range(3)]
    before = [stand.sealed(outlet) for outlet in outlets[:2]]
    first = before[0]["key_id"]
    second = _next_key(stand)
    assert "stop it first" in _refused(stand, "key", "rotate", "--to", SECOND)
    for told in ("is published now", "was published before"):
        assert told in stand.command("key", "publish", "--key", SECOND).stdout
    _assert_published(stand, {first: "active", second: "next"})
    assert stand.sealed(outlets[0])["key_id"] == first, "nothing changed under a service that runs"
    stand.process.stop()

    told = _rotate(stand, FIRST, SECOND)
    assert "2 of 2 chains" in told and f"BONOPAY_SIGNER_KEY_LABEL={SECOND}" in told and second in told
    words = _refused(_with_key(stand, FIRST), "serve")
    assert f"{first} was replaced by {second}" in words and "BONOPAY_SIGNER_KEY_LABEL" in words

    _with_key(stand, SECOND).start()
    after = [stand.sealed(outlet) for outlet in outlets]
    assert {sealed["key_id"] for sealed in after} == {second}
    for sealed in (*before, *after):
        _assert_public_verification(stand, sealed)
    _assert_published(stand, {first: "retired", second: "active"})
    replayed = stand.get(f"/api/v1/invoices/{before[0]['fiscal_number']}").json()
    assert {name: replayed[name] for name in before[0]} == before[0], "what was answered stays the answer"
    document_kinds = ["invoice", "dgi_certified"]
    assert _assert_chain_holds(stand, outlets[0]) == [*document_kinds * 2, "key_rotation", *document_kinds]
    assert _assert_chain_holds(stand, outlets[1]) == [*document_kinds, "key_rotation", *document_kinds]
    assert _assert_chain_holds(stand, outlets[2]) == document_kinds, "a chain that begins later needs no rotation"
    positions = [position for (position,) in stand.rows("SELECT position FROM signer.entry ORDER BY position")]
    assert positions == list(range(len(positions)))
    _assert_logged(stand, ("key.publish", f"key {first}"), ("key.publish", f"key {second}"), ("key.rotate", "shard 0"))
    stand.process.stop()
    _assert_verifies(stand)

    _next_key(_with_key(stand, SECOND))
    assert "3 of 3 chains" in _rotate(stand, SECOND, THIRD)
    _with_key(stand, THIRD).start()
    last = stand.sealed(outlets[1])
    for sealed in (before[0], after[0], last):
        _assert_public_verification(stand, sealed)
    _assert_chain_holds(stand, outlets[1])
    stand.process.stop()
    _assert_verifies(stand)


def test_a_key_that_no_chain_was_handed_over_to_does_not_start_and_publishes_nothing(
    new_stand: Callable[..., Stand], own_token: Token
) -> None:
    stand = new_stand(hsm=own_token)
    stand.start()
    sealed = stand.sealed(stand.outlet())
    second = _next_key(stand)
    stand.process.stop()
    words = _refused(_with_key(stand, SECOND), "serve")
    assert f"signed with {sealed['key_id']}, not with the token's key {second}" in words
    assert "bonopay-signer key rotate" in words and "BONOPAY_SIGNER_KEY_LABEL" in words
    assert stand.rows("SELECT key_id FROM signer.signing_key") == [(sealed["key_id"],)]
    _with_key(stand, FIRST).start()


def test_a_retired_key_never_comes_back(new_stand: Callable[..., Stand], own_token: Token) -> None:
    stand = new_stand(hsm=own_token)
    stand.start()
    stand.sealed(stand.outlet())
    second = _next_key(stand)
    stand.process.stop()
    _rotate(stand, FIRST, SECOND)
    entries = stand.rows("SELECT count(*) FROM signer.entry")
    words = _refused(_with_key(stand, SECOND), "key", "rotate", "--to", FIRST)
    assert "never comes back" in words and "bonopay-signer key next" in words
    assert "names the old key" in _refused(stand, "key", "rotate", "--to", SECOND)
    words = _refused(stand, "key", "rotate", "--to", "nowhere")
    assert "no key 'nowhere'" in words
    assert stand.rows("SELECT count(*) FROM signer.entry") == entries
    assert "0 chains handed over" in _rotate(stand, FIRST, SECOND), "again, it finds nothing left to do"
    _assert_verifies(stand)
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE signer.signing_key SET created_at = created_at - interval '1 day' WHERE key_id = %s", [second]
        )
    assert "1 of 1 chains" in _rotate(stand, SECOND, FIRST), "who changes the database may bring it back"
    done = stand.command("verify")
    assert done.returncode == 1 and "BAD at entry 4, key: the chain is handed back to" in done.stdout, done.stdout


def test_an_interrupted_rotation_refuses_both_keys_and_is_finished_by_the_same_command(
    new_stand: Callable[..., Stand], own_token: Token
) -> None:
    """Killed at a random place it may have done all or nothing: here the database stops it after the first chain."""
    stand = new_stand(hsm=own_token, batch_size=1)
    stand.start()
    outlets = [stand.outlet() for _ in range(3)]
    sealed = [stand.sealed(outlet) for outlet in outlets]
    first, second = sealed[0]["key_id"], _next_key(stand)
    stand.process.stop()
    _let_rotations_hang(stand, allowed=1)
    log = stand.database.name + ".log"
    command = [sys.executable, "-m", "bonopay_signer", "key", "rotate", "--to", SECOND]
    rotation = Process(command, python_environment(stand.environment), own_token.folder / log)
    wait_until(lambda: _rotated(stand) == 1 and _hanging(stand), "one chain is rotated, the next one hangs")
    rotation.send(signal.SIGKILL)
    rotation.wait()
    _let_rotations_pass(stand)
    assert _rotated(stand) == 1

    for label in (FIRST, SECOND):
        words = _refused(_with_key(stand, label), "serve")
        assert f"the rotation from {first} to {second} is not finished" in words, words
        assert "bonopay-signer key rotate" in words
    assert "2 of 2 chains" in _rotate(stand, FIRST, SECOND)
    _with_key(stand, SECOND).start()
    for outlet in outlets:
        assert stand.sealed(outlet)["key_id"] == second
        assert _assert_chain_holds(stand, outlet).count("key_rotation") == 1
    stand.process.stop()
    _assert_verifies(stand)


def _let_rotations_hang(stand: Stand, allowed: int) -> None:
    """From the second on, as a disk that does not answer: the append waits until its connection is ended."""
    with psycopg.connect(stand.database.owner, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION signer.hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NEW.kind = 'key_rotation' AND (SELECT count(*) FROM signer.entry WHERE kind = NEW.kind) >= {allowed} "
            "THEN PERFORM pg_sleep(15); RAISE 'hung'; END IF; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER hang BEFORE INSERT ON signer.entry FOR EACH ROW EXECUTE FUNCTION signer.hang()"
        )


def _let_rotations_pass(stand: Stand) -> None:
    with stand.database.as_admin() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        connection.execute("DROP TRIGGER hang ON signer.entry")


def _rotated(stand: Stand) -> int:
    return stand.rows("SELECT count(*) FROM signer.entry WHERE kind = 'key_rotation'")[0][0]


def _hanging(stand: Stand) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    return bool(stand.rows(query))
