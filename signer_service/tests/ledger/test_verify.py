"""``bonopay-signer verify`` finds what an administrator of the database changed by hand, and names the entry."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rfc8785

from bonopay_signer.ledger.entries import ENTRY_COLUMNS

from ..support.processes import run_signer_command, wait_until
from ..support.sandbox import Sandbox
from ..support.stand import Outlet, Stand, running_stand
from ..support.tokens import Token

TRIGGERS = "ALTER TABLE signer.{} {} TRIGGER USER"


@pytest.fixture(scope="module")
def stand(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A ledger that nobody else writes, for its entries are counted and changed."""
    with running_stand(cluster, token, sandbox, tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture(scope="module")
def chain(stand: Stand) -> tuple[Stand, Outlet]:
    outlet = stand.outlet()
    for _ in range(3):
        stand.sealed(outlet)
    return stand, outlet


@pytest.fixture
def by_hand(chain: tuple[Stand, Outlet]):
    """Runs SQL with the triggers off, verifies, and puts the rows back."""
    stand, outlet = chain

    def tamper(*statements: str, before: str = "SELECT 1", after: str = "SELECT 1") -> str:
        with stand.database.as_admin() as connection:
            connection.execute(before)
            connection.execute(
                "CREATE TABLE saved_entry AS SELECT * FROM signer.entry WHERE outlet_id = %s", [outlet.id]
            )
            connection.execute(
                "CREATE TABLE saved_head AS SELECT * FROM signer.outlet_head WHERE outlet_id = %s", [outlet.id]
            )
            for table in ("entry", "outlet_head"):
                connection.execute(TRIGGERS.format(table, "DISABLE"))
            try:
                for statement in statements:
                    assert connection.execute(statement.replace("$O", f"outlet_id = '{outlet.id}'")).rowcount > 0
                done = stand.verify(outlet)
            finally:
                connection.execute("DELETE FROM signer.entry WHERE outlet_id = %s", [outlet.id])
                connection.execute("DELETE FROM signer.outlet_head WHERE outlet_id = %s", [outlet.id])
                connection.execute("INSERT INTO signer.outlet_head SELECT * FROM saved_head")
                names = ENTRY_COLUMNS  # without those that PostgreSQL derives
                connection.execute(f"INSERT INTO signer.entry ({names}) SELECT {names} FROM saved_entry")
                for table in ("entry", "outlet_head"):
                    connection.execute(TRIGGERS.format(table, "ENABLE"))
                connection.execute("DROP TABLE saved_entry, saved_head")
                connection.execute(after)
        assert done.returncode == 1, done.stdout
        return done.stdout

    return tamper


def test_untouched_chain_is_good(chain: tuple[Stand, Outlet]) -> None:
    stand, outlet = chain
    done = stand.verify(outlet)
    assert done.returncode == 0
    assert f"{outlet.id}: good, 6 entries, 3 invoices" in done.stdout


_FLIP = "set_byte({0}, 0, get_byte({0}, 0) # 1)"


@pytest.mark.parametrize(
    ("assignment", "check"),
    [
        ("payload = convert_to(replace(convert_from(payload, 'UTF8'), '104400.00', '104400.01'), 'UTF8')", "hash"),
        ("payload = payload || convert_to(' ', 'UTF8')", "canonical"),
        ("statement = convert_to(replace(convert_from(statement, 'UTF8'), '104400.00', '10.00'), 'UTF8')", "hash"),
        ("statement = convert_to('{}', 'UTF8')", "statement"),
        (f"payload_hash = {_FLIP.format('payload_hash')}", "hash"),
        (f"previous_hash = {_FLIP.format('previous_hash')}", "hash"),
        (f"entry_hash = {_FLIP.format('entry_hash')}", "hash"),
        (f"signature = {_FLIP.format('signature')}", "signature"),
        ("fiscal_number = 'BONO-XXX-01-000000009'", "columns"),
        ("document_id = gen_random_uuid()", "columns"),
        ("merchant_nif = 'B7654321C'", "columns"),
        ("sealed_at = sealed_at + interval '1 millisecond'", "columns"),
        ("epoch = 2", "columns"),
        ("statement = convert_to(' ', 'UTF8') || statement", "canonical"),
        ("payload = convert_to('{\"a\":' || repeat('[', 90000), 'UTF8')", "canonical"),
    ],
)
def test_changed_row_is_named(by_hand: Callable[..., str], assignment: str, check: str) -> None:
    output = by_hand(f"UPDATE signer.entry SET {assignment} WHERE $O AND index = 3")
    assert "BAD at entry 3" in output and f", {check}:" in output


def test_time_that_no_calendar_has_is_named_and_hides_no_other_outlet(by_hand: Callable[..., str]) -> None:
    output = by_hand(
        "UPDATE signer.entry SET sealed_at = 'infinity' WHERE $O AND index = 3",
        before="CREATE TABLE signer.entry_evil PARTITION OF signer.entry DEFAULT",
        after="DROP TABLE signer.entry_evil",
    )
    assert "BAD at entry 3, columns: column sealed_at says" in output


@pytest.mark.parametrize("by", ["1 year", "-1 year"])
def test_head_whose_time_was_changed_is_named(by_hand: Callable[..., str], by: str) -> None:
    """The next seal is never earlier than the head: its time would be the forger's."""
    output = by_hand(f"UPDATE signer.outlet_head SET sealed_at = sealed_at + interval '{by}' WHERE $O")
    assert "BAD at head" in output


@pytest.mark.parametrize(
    "assignment", ["public_der = sha256('x')", "public_der = decode('00', 'hex')", "key_id = repeat('0', 16)"]
)
def test_published_key_that_was_changed_is_named(chain: tuple[Stand, Outlet], assignment: str) -> None:
    stand, outlet = chain
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("CREATE TEMP TABLE saved AS SELECT * FROM signer.signing_key")
        try:
            connection.execute(f"UPDATE signer.signing_key SET {assignment}")
            done = stand.verify(outlet)
            keys = stand.http.get("/.well-known/fiscal-keys.json")
        finally:
            connection.execute("DELETE FROM signer.signing_key")
            connection.execute("INSERT INTO signer.signing_key SELECT * FROM saved")
    assert done.returncode == 1 and "BAD at key" in done.stdout and "Traceback" not in done.stderr, done.stderr
    assert keys.status_code == 200 and keys.json()["keys"] == [], "what is no key of ours is not published"


def test_verdict_turned_into_its_opposite_is_named(by_hand: Callable[..., str]) -> None:
    output = by_hand("UPDATE signer.entry SET kind = 'dgi_rejected' WHERE $O AND index = 4")
    assert "BAD at entry 4, columns: column kind says 'dgi_rejected'" in output


def test_deleted_row_is_named(by_hand: Callable[..., str]) -> None:
    output = by_hand("DELETE FROM signer.entry WHERE $O AND index = 3")
    assert "BAD at entry 4, link: entry 3 is missing" in output


def test_deleted_tail_is_named_by_the_head(by_hand: Callable[..., str]) -> None:
    assert "BAD at head" in by_hand("DELETE FROM signer.entry WHERE $O AND index >= 5")


def test_head_set_back_after_a_deleted_tail_contradicts_the_head_store(chain: tuple[Stand, Outlet], by_hand) -> None:
    """A chain cut cleanly is a valid shorter chain: only what lies outside of the database can tell."""
    stand, outlet = chain
    ((hash_4,),) = stand.rows("SELECT entry_hash FROM signer.entry WHERE outlet_id = %s AND index = 4", outlet.id)
    output = by_hand(
        "DELETE FROM signer.entry WHERE $O AND index >= 5",
        f"UPDATE signer.outlet_head SET index = 4, sequence = 2, entry_hash = decode('{hash_4.hex()}', 'hex'), "
        "sealed_at = (SELECT sealed_at FROM signer.entry WHERE $O AND index = 4) WHERE $O",
    )
    assert "BAD at head store, head store: the head store knows entry 6" in output


def test_swapped_rows_are_named(by_hand: Callable[..., str]) -> None:
    output = by_hand(
        "UPDATE signer.entry SET index = 99 WHERE $O AND index = 3",
        "UPDATE signer.entry SET index = 3 WHERE $O AND index = 5",
        "UPDATE signer.entry SET index = 5 WHERE $O AND index = 99",
    )
    assert "BAD at entry 3" in output


def test_row_whose_hashes_were_recomputed_is_found_by_its_signature(
    chain: tuple[Stand, Outlet], by_hand: Callable[..., str]
) -> None:
    stand, outlet = chain
    ((payload, statement, previous),) = stand.rows(
        "SELECT payload, statement, previous_hash FROM signer.entry WHERE outlet_id = %s AND index = 5", outlet.id
    )
    forged_payload = rfc8785.dumps({**json.loads(payload), "cashier_name": "Faussaire"})
    forged_hash = hashlib.sha256(forged_payload).digest()
    forged_statement = rfc8785.dumps({**json.loads(statement), "payload_hash": forged_hash.hex()})
    entry_hash = hashlib.sha256(b"bonopay/entry/1\n" + previous + hashlib.sha256(forged_statement).digest()).hexdigest()
    output = by_hand(
        f"UPDATE signer.entry SET payload = decode('{forged_payload.hex()}', 'hex'), "
        f"statement = decode('{forged_statement.hex()}', 'hex'), payload_hash = decode('{forged_hash.hex()}', 'hex'), "
        f"entry_hash = decode('{entry_hash}', 'hex') WHERE $O AND index = 5"
    )
    assert "BAD at entry 5, signature:" in output


def test_unknown_outlet_is_an_error_not_a_good_chain(stand: Stand) -> None:
    done = stand.command("verify", "--outlet", "NOWHERE")
    assert done.returncode == 2 and "NOWHERE" in done.stderr


def test_outcome_for_programs(chain: tuple[Stand, Outlet]) -> None:
    stand, outlet = chain
    done = stand.command("verify", "--json")
    outcome = json.loads(done.stdout)
    assert done.returncode == 0 and outcome["result"] == "good" and outcome["faults"] == []
    (found,) = (one for one in outcome["outlets"] if one["outlet_id"] == outlet.id)
    assert (found["entries"], found["invoices"], found["gaps"]) == (6, 3, [])


def test_exported_copy_is_verified_without_any_setting(chain: tuple[Stand, Outlet], tmp_path: Path) -> None:
    stand, outlet = chain
    copy, key = tmp_path / "ledger.jsonl", tmp_path / "key.pem"
    done = stand.command("export", "--output", str(copy))
    assert done.returncode == 0 and done.stdout == f"wrote 6 entries to {copy}\n", done.stderr
    key.write_text(stand.http.get("/.well-known/fiscal-keys.json").json()["keys"][0]["pem"])
    header = json.loads(copy.read_bytes().splitlines()[0])
    assert header["checkpoints"] and header["shards"][0]["size"] == 6
    done = run_signer_command("verify", "--file", str(copy), "--trust", str(key), environment={})
    assert done.returncode == 0 and f"{outlet.id}: good, 6 entries, 3 invoices" in done.stdout, done.stderr
    copy.write_bytes(copy.read_bytes()[:-100])
    done = run_signer_command("verify", "--file", str(copy), environment={})
    assert done.returncode == 1 and "line 8: BAD at line" in done.stdout


def test_what_cannot_be_checked_is_neither_good_nor_bad(chain: tuple[Stand, Outlet], tmp_path: Path) -> None:
    stand, _ = chain
    away = {**stand.environment, "BONOPAY_SIGNER_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    for arguments, environment in (
        (["verify"], away),
        (["verify"], {}),
        (["verify", "--file", str(tmp_path / "none")], {}),
        (["verify", "--trust", str(stand.key_file)], stand.environment),
    ):
        done = run_signer_command(*arguments, environment=environment)
        assert done.returncode == 2 and "not verified" in done.stderr and done.stdout == "", done.stderr


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE signer.checkpoint SET root = sha256('x')", "log 1 of shard 0: BAD at root"),
        ("UPDATE signer.checkpoint SET note = replace(note, 'bonopay', 'bonobay')", "log 1 of shard 0: BAD at note"),
        (
            "UPDATE signer.action_log SET record = record || convert_to(' ', 'UTF8') WHERE number = 2",
            "action log: BAD at entry 2",
        ),
        ("DELETE FROM signer.action_log WHERE number = 2", "action log: BAD at entry 2"),
    ],
)
def test_changed_log_is_named(chain: tuple[Stand, Outlet], statement: str, place: str) -> None:
    stand, _ = chain
    table = statement.split("signer.")[1].split()[0]
    wait_until(lambda: stand.rows("SELECT FROM signer.checkpoint"), "a checkpoint")
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"CREATE TEMP TABLE saved AS SELECT * FROM signer.{table}")
        connection.execute(statement)
        try:
            done = stand.command("verify")
        finally:
            connection.execute(f"DELETE FROM signer.{table}")
            connection.execute(f"INSERT INTO signer.{table} SELECT * FROM saved")
    assert done.returncode == 1 and place in done.stdout, done.stdout + done.stderr
