"""What somebody with all rights changes of a till's row, or of a ticket, is found beside the chain, and named."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from bonopay_signer.ledger.verify.outcome import Outcome
from bonopay_signer.ledger.verify.run import verify_database

from ..support.sandbox import Sandbox
from ..support.stand import AUTHORITY, Outlet, Stand, running_stand
from ..support.tokens import Token
from .browser import BrowserTill
from .calls import bring, post

_FLIP = "set_byte({0}, 3, get_byte({0}, 3) # 1)"
TILL = {
    "device_id": "gen_random_uuid()",
    "outlet_id": "'OTHER'",
    "merchant_nif": "'C0000000X'",
    "terminal": "'ZZ'",
    "key_id": "'0123456789abcdef'",
    "public_der": _FLIP.format("public_der"),
    "counter": "counter + 1",
    "head_hash": _FLIP.format("head_hash"),
}
UNSIGNED = {"state", "credential", "not_after", "enrolled_at", "seen_at", "cloned_at", "revoked_at"}
"""What nothing signed covers: how the merchant deals with the till."""
TICKET = {
    "device_id": "gen_random_uuid()",
    "counter": "counter + 100",
    "hash": _FLIP.format("hash"),
    "merchant_nif": "'C0000000X'",
    "outlet_id": "'OTHER'",
    "document_id": "gen_random_uuid()",
    "statement": _FLIP.format("statement"),
    "payload": _FLIP.format("payload"),
    "previous_hash": _FLIP.format("previous_hash"),
    "signature": _FLIP.format("signature"),
}


@pytest.fixture(scope="module")
def stand(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A signer of this file's own, for its tables are changed by hand."""
    with running_stand(cluster, token, sandbox, tmp_path_factory.mktemp("tables")) as stand:
        yield stand


@pytest.fixture(scope="module")
def outlet(stand: Stand) -> Outlet:
    return stand.outlet(mode="deferred")


def enrolled(stand: Stand, outlet: Outlet, terminal: str) -> BrowserTill:
    till = BrowserTill(outlet, terminal, AUTHORITY)
    till.credential_id = post(stand, "/api/v1/tills", till.enrolment).json()["credential_id"]
    return till


@pytest.fixture(scope="module")
def till(stand: Stand, outlet: Outlet) -> BrowserTill:
    """Four tickets, of which the third was lost; one after another that is still missing; another till with a copy."""
    till = enrolled(stand, outlet, "T1")
    one, two, _lost, four, _missing, six = (till.sell() for _ in range(6))
    bring(stand, till, one, two, four, complete=True)
    bring(stand, till, six)
    other = enrolled(stand, outlet, "T2")
    bring(stand, other, other.copy().sell(), other.sell(), other.sell())
    enrolled(stand, outlet, "T3")
    return till


def verified(stand: Stand) -> Outcome:
    return verify_database(stand.database.service, AUTHORITY)


@contextmanager
def intruder(stand: Stand) -> Iterator[psycopg.Connection]:
    """A superuser without triggers; what was changed is put back."""
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        for table in ("till", "till_ticket"):
            connection.execute(f"CREATE TEMP TABLE saved_{table} AS SELECT * FROM signer.{table}")
        try:
            yield connection
        finally:
            for table in ("till_ticket", "till"):
                connection.execute(f"DELETE FROM signer.{table}")
                connection.execute(f"INSERT INTO signer.{table} SELECT * FROM saved_{table}")


def only_fault(stand: Stand) -> str:
    outcome = verified(stand)
    (fault,) = outcome.faults
    assert len(outcome.chains) == 1, "the chain itself holds"
    return str(fault)


def test_untouched_tables_are_good(stand: Stand, till: BrowserTill) -> None:
    assert verified(stand).faults == []
    assert stand.verify(till.outlet).returncode == 0


def test_no_column_is_left_out(stand: Stand, till: BrowserTill) -> None:
    query = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'signer' AND table_name = %s"
    assert {name for (name,) in stand.rows(query, "till")} == {*TILL, *UNSIGNED}
    assert {name for (name,) in stand.rows(query, "till_ticket")} == {*TICKET, "received_at"}


@pytest.mark.parametrize("column", TILL)
def test_changed_column_of_a_till_is_named(stand: Stand, till: BrowserTill, column: str) -> None:
    with intruder(stand) as connection:
        change = f"UPDATE signer.till SET {column} = {TILL[column]} WHERE terminal = 'T1' RETURNING device_id::text"
        ((device_id,),) = connection.execute(change).fetchall()
        fault = only_fault(stand)
    assert fault.startswith("table till") and device_id in fault, fault


def test_published_key_of_a_till_is_not_exchanged_for_another(stand: Stand, till: BrowserTill) -> None:
    """Whoever does it signs tickets in its name; the key fits its id, only the chain never admitted it."""
    thief = BrowserTill(till.outlet, "T1", AUTHORITY)
    with intruder(stand) as connection:
        connection.execute(
            "UPDATE signer.till SET key_id = %s, public_der = %s WHERE terminal = 'T1'",
            [thief.key_id, base64.b64decode(thief.public_key)],
        )
        fault = only_fault(stand)
    assert f"{till.device_id}: its outlet's chain never admitted its key" in fault


def test_till_whose_row_was_taken_away_is_named(stand: Stand, till: BrowserTill) -> None:
    with intruder(stand) as connection:
        connection.execute("DELETE FROM signer.till WHERE terminal = 'T3'")
        assert "the row is missing" in only_fault(stand)


@pytest.mark.parametrize("column", TICKET)
@pytest.mark.parametrize("counter", [1, 4, 6])
def test_changed_column_of_a_ticket_is_named(stand: Stand, till: BrowserTill, counter: int, column: str) -> None:
    with intruder(stand) as connection:
        connection.execute(
            f"UPDATE signer.till_ticket SET {column} = {TICKET[column]} WHERE device_id = %s AND counter = %s",
            [till.device_id, counter],
        )
        fault = only_fault(stand)
    assert fault.startswith("table till_ticket"), fault


@pytest.mark.parametrize("counter", [1, 2, 4])
def test_ticket_that_was_taken_away_is_named(stand: Stand, till: BrowserTill, counter: int) -> None:
    with intruder(stand) as connection:
        connection.execute(
            "DELETE FROM signer.till_ticket WHERE device_id = %s AND counter = %s", [till.device_id, counter]
        )
        assert f"{till.device_id}: ticket {counter} is missing, which no offline_gap tells of" in only_fault(stand)


def test_ticket_that_another_key_signed_is_named(stand: Stand, till: BrowserTill) -> None:
    thief = BrowserTill(till.outlet, "T1", AUTHORITY)
    with intruder(stand) as connection:
        ((hash_,),) = connection.execute(
            "SELECT hash FROM signer.till_ticket WHERE device_id = %s AND counter = 2", [till.device_id]
        ).fetchall()
        connection.execute(
            "UPDATE signer.till_ticket SET signature = %s WHERE device_id = %s AND counter = 2",
            [thief.raw(bytes(hash_)), till.device_id],
        )
        assert f"P-{till.outlet.id}-T1-000002: the signature does not verify" in only_fault(stand)
