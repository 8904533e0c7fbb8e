"""The doors of the tills against who has no business there."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.tenants import admin
from bonopay_signer.tills import store

from ..support.sandbox import OTHER_SELLER
from ..support.stand import AUTHORITY, Outlet, Stand
from .browser import LARGEST, BrowserTill
from .calls import bring, now, post, remarks, results, send, told

PUBLIC = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


# --- who asks


def test_every_door_wants_a_key_that_holds(stand: Stand, till: BrowserTill) -> None:
    expired = stand.api_key(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    own = f"/api/v1/tills/{till.device_id}"
    for path in ("/api/v1/tills", f"{own}/credential", f"{own}/revoke", f"{own}/tickets"):
        for key in (expired, stand.key[:-1], stand.key.swapcase(), "bp_", "x"):
            assert post(stand, path, {}, key).status_code == 401, path
    assert bring(stand, till)["till"]["state"] == "active"


def test_key_of_another_outlet_or_terminal_opens_nothing(stand: Stand, till: BrowserTill) -> None:
    elsewhere = stand.outlet(mode="deferred")
    with psycopg.connect(stand.database.owner, autocommit=True) as connection:
        of_others = {
            404: stand.api_key(outlets=[elsewhere.id]),
            403: admin.create_api_key(
                connection, till.outlet.nif, None, ["seal", "read"], None, "test", terminals=["ZZ"]
            ),
        }
    for status, key in of_others.items():
        assert post(stand, "/api/v1/tills", BrowserTill(till.outlet, "N1", AUTHORITY).enrolment, key).status_code in (
            status,
            403,
        )
        for action in ("credential", "revoke"):
            assert post(stand, f"/api/v1/tills/{till.device_id}/{action}", None, key).status_code == status
        assert send(stand, till, till.copy().sell(), key=key).status_code == status
    assert bring(stand, till)["till"]["state"] == "active"


@pytest.mark.parametrize("action", ["credential", "revoke", "tickets"])
def test_till_that_is_not_there_is_not_found_however_it_is_spelt(stand: Stand, action: str) -> None:
    for device_id in ("nobody", "0" * 32, "%00", "%F0%9F%92%B6", "a" * 5000, "00000000-0000-0000-0000-000000000000"):
        answer = post(stand, f"/api/v1/tills/{device_id}/{action}", {"tickets": []})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), device_id


# --- keys


@pytest.mark.parametrize(
    "public_key",
    [
        ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*PUBLIC),
        rsa.generate_private_key(65537, 1024).public_key().public_bytes(*PUBLIC),
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*PUBLIC) + b"\x00",
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*PUBLIC)[:-1],
        b"",
    ],
    ids=["P-384", "RSA", "bare point", "longer", "shorter", "nothing"],
)
def test_only_a_p_256_key_in_its_one_spelling_is_enrolled(stand: Stand, outlet: Outlet, public_key: bytes) -> None:
    enrolment = BrowserTill(outlet, "KEY", AUTHORITY).enrolment | {"public_key": base64.b64encode(public_key).decode()}
    refused = post(stand, "/api/v1/tills", enrolment)
    assert (refused.status_code, refused.json()["code"]) == (400, "payload_malformed"), refused.text


def test_point_that_is_not_on_the_curve_is_no_key(stand: Stand, outlet: Outlet) -> None:
    own = bytearray(base64.b64decode(BrowserTill(outlet, "KEY", AUTHORITY).public_key))
    own[-1] ^= 1
    enrolment = BrowserTill(outlet, "KEY", AUTHORITY).enrolment | {"public_key": base64.b64encode(bytes(own)).decode()}
    assert post(stand, "/api/v1/tills", enrolment).status_code == 400


def test_key_of_a_till_is_nobody_elses_not_even_when_it_is_revoked(stand: Stand, till: BrowserTill) -> None:
    """Keys are public: whoever reads one must not enrol it elsewhere, and be taken for this till."""
    mine = stand.outlet(nif=OTHER_SELLER, mode="deferred")
    other = BrowserTill(mine, "T1", AUTHORITY, key=till.key)
    stranger = stand.api_key(OTHER_SELLER)
    for _ in range(2):
        refused = post(stand, "/api/v1/tills", other.enrolment, stranger)
        assert (refused.status_code, refused.json()["code"]) == (409, "till_conflict"), refused.text
        post(stand, f"/api/v1/tills/{till.device_id}/revoke")
    again = till.enrolment | {"device_id": other.device_id}
    assert post(stand, "/api/v1/tills", again).status_code == 409
    assert post(stand, "/api/v1/tills", till.enrolment).status_code == 409, "a revoked till does not come back"


def test_device_of_another_merchant_is_not_taken_over(stand: Stand, till: BrowserTill) -> None:
    mine = stand.outlet(nif=OTHER_SELLER, mode="deferred")
    thief = BrowserTill(mine, till.terminal, AUTHORITY, device_id=till.device_id)
    refused = post(stand, "/api/v1/tills", thief.enrolment, stand.api_key(OTHER_SELLER))
    assert refused.status_code == 409 and till.key_id not in refused.text and till.outlet.id not in refused.text
    ((key_id, outlet_id),) = stand.rows(
        "SELECT key_id, outlet_id FROM signer.till WHERE device_id = %s", till.device_id
    )
    assert (key_id, outlet_id) == (till.key_id, till.outlet.id)


def test_closed_outlet_admits_no_till_and_takes_what_was_sold_before(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    till = BrowserTill(outlet, "T1", AUTHORITY)
    till.credential_id = post(stand, "/api/v1/tills", till.enrolment).json()["credential_id"]
    stand.change_outlet(outlet, revoked_at=datetime.now(UTC))
    for path, body in ((f"/api/v1/tills/{till.device_id}/credential", None), ("/api/v1/tills", till.enrolment)):
        refused = post(stand, path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), refused.text
    assert results(bring(stand, till, till.sell())) == ["accepted"]


def test_terminal_that_is_not_registered_where_all_must_be_is_not_admitted(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    till = BrowserTill(outlet, "T1", AUTHORITY)
    assert post(stand, "/api/v1/tills", till.enrolment).status_code == 201
    stand.change_outlet(outlet, terminal_policy="registered")
    for path, body in ((f"/api/v1/tills/{till.device_id}/credential", None), ("/api/v1/tills", till.enrolment)):
        refused = post(stand, path, body)
        assert refused.status_code == 403 and "T1 is not" in refused.json()["detail"], refused.text


# --- credentials


def test_renewals_at_once_leave_the_latest_in_force(stand: Stand, till: BrowserTill) -> None:
    path = f"/api/v1/tills/{till.device_id}/credential"
    with ThreadPoolExecutor(4) as clients:
        given = [answer.json()["credential_id"] for answer in clients.map(lambda _: post(stand, path), range(8))]
    assert len(set(given)) == 8
    assert bring(stand, till)["till"]["credential_id"] == max(given)


async def test_renewal_that_is_overtaken_does_not_put_the_clock_back(stand: Stand, till: BrowserTill) -> None:
    path = f"/api/v1/tills/{till.device_id}"
    renewed = post(stand, f"{path}/credential").json()
    async with await psycopg.AsyncConnection.connect(stand.database.service, autocommit=True, **SYSTEM) as connection:
        earlier = datetime.now(UTC)
        assert await store.admitted(connection, UUID(till.device_id), renewed["credential_id"] - 1, earlier)
    found = bring(stand, till)["till"]
    assert (found["credential_id"], found["not_after"]) == (renewed["credential_id"], renewed["content"]["not_after"])
    post(stand, f"{path}/revoke")
    async with await psycopg.AsyncConnection.connect(stand.database.service, autocommit=True, **SYSTEM) as connection:
        assert not await store.admitted(connection, UUID(till.device_id), renewed["credential_id"] + 1, earlier)


def test_revocation_during_a_renewal_stays(stand: Stand, till: BrowserTill) -> None:
    own = f"/api/v1/tills/{till.device_id}"
    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda name: post(stand, f"{own}/{name}"), ["credential", "revoke"] * 6))
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert bring(stand, till)["till"]["state"] == "revoked"
    assert post(stand, f"{own}/credential").status_code == 409


def test_ticket_under_an_older_credential_of_the_till_is_as_good(stand: Stand, till: BrowserTill) -> None:
    """The answer to a renewal may be lost: the till goes on with what it has, as long as that holds."""
    assert post(stand, f"/api/v1/tills/{till.device_id}/credential").status_code == 201
    taken = bring(stand, till, till.sell(issued_at=now()))
    assert (results(taken), remarks(taken)) == (["accepted"], [[]])


def test_ticket_outside_of_its_credential_is_kept_and_remarked(stand: Stand, till: BrowserTill) -> None:
    other = BrowserTill(till.outlet, f"{till.terminal}B", AUTHORITY)
    foreign = post(stand, "/api/v1/tills", other.enrolment).json()["credential_id"]
    late = now(hours=73)
    sold = [
        till.sell(issued_at=now()),
        till.sell(issued_at=late),
        till.sell(issued_at=now(), credential_id=foreign),
        till.sell(issued_at=late, credential_id=LARGEST),
    ]
    till.counter = 10_000
    sold.append(till.sell(issued_at=late))
    taken = bring(stand, till, *sold)
    assert results(taken) == ["accepted"] * 5
    expected = [
        [],
        ["after_credential"],
        ["no_credential"],
        ["no_credential"],
        ["outside_counters", "after_credential"],
    ]
    assert remarks(taken) == expected
    assert remarks(bring(stand, till, *sold)) == expected, "and told again"


def test_counter_at_its_end_is_taken_and_needs_a_new_key(stand: Stand, till: BrowserTill) -> None:
    till.counter = LARGEST - 1
    taken = bring(stand, till, till.sell(), complete=True)
    assert (results(taken), taken["till"]["counter"]) == (["accepted"], LARGEST)
    (gap,) = told(stand, till, "offline_gap")
    assert (gap["counter_from"], gap["counter_to"]) == (1, LARGEST - 1)
    refused = post(stand, f"/api/v1/tills/{till.device_id}/credential")
    assert (refused.status_code, refused.json()["code"]) == (409, "till_conflict")
    assert "counter" in refused.json()["detail"]
    beyond = till.copy().sell()
    assert beyond["statement"]["counter"] == LARGEST + 1
    assert send(stand, till, beyond).status_code == 400


def test_credential_near_the_end_of_the_counters_covers_what_is_left(stand: Stand, till: BrowserTill) -> None:
    till.counter = LARGEST - 10
    bring(stand, till, till.sell(), complete=True)
    content = post(stand, f"/api/v1/tills/{till.device_id}/credential").json()["content"]
    assert (content["counter_from"], content["counter_to"]) == (LARGEST - 8, LARGEST)
