"""A key sees and touches only what it is for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bonopay_signer.tenants import admin

from ..support.processes import wait_until
from ..support.sandbox import OTHER_SELLER
from ..support.stand import Stand, document


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer nonsense", "Basic YTpi", "Bearer bp_abcdefghijkl_x"])
def test_without_a_known_key_nothing_is_answered(stand: Stand, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("POST", "/api/v1/invoices"), ("GET", "/api/v1/invoices/X"), ("GET", "/api/v1/outlets/X")):
        response = stand.http.request(method, path, headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"


def test_right_prefix_with_a_wrong_secret_is_unauthorized(stand: Stand) -> None:
    assert stand.post(document(stand.outlet()), key=stand.key[:-4] + "AAAA").status_code == 401


def test_expired_key_is_unauthorized(stand: Stand) -> None:
    key = stand.api_key(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert stand.post(document(stand.outlet()), key=key).status_code == 401


def test_revoked_key_is_unauthorized_at_once(stand: Stand) -> None:
    key, payload = stand.api_key(), document(stand.outlet())
    assert stand.post(payload, key=key).status_code == 201
    assert stand.command("apikey", "revoke", key.split("_")[1]).returncode == 0
    assert stand.post(payload, key=key).status_code == 401


def test_revoked_key_is_unauthorized_whatever_the_two_clocks_say(stand: Stand) -> None:
    """The database's clock writes the revocation, the signer's reads it."""
    key = stand.api_key()
    with stand.database.as_admin() as connection:
        query = "UPDATE signer.api_key SET revoked_at = now() + interval '1 minute' WHERE prefix = %s"
        connection.execute(query, [key.split("_")[1]])
    assert stand.post(document(stand.outlet()), key=key).status_code == 401


def test_key_of_one_merchant_neither_seals_nor_reads_nor_sees_another_s(stand: Stand) -> None:
    ours, theirs = stand.outlet(), stand.outlet(OTHER_SELLER)
    their_key = stand.api_key(OTHER_SELLER)
    response = stand.post(document(theirs), key=their_key)
    assert response.status_code == 201, response.text
    number = response.json()["fiscal_number"]
    assert stand.post(document(theirs)).status_code == 403
    assert stand.get(f"/api/v1/invoices/{number}").status_code == 404
    assert stand.get(f"/api/v1/outlets/{theirs.id}").status_code == 404
    # Our NIF with their outlet, and their NIF with our outlet.
    for mixed in (document(theirs) | {"merchant_nif": ours.nif}, document(ours) | {"merchant_nif": theirs.nif}):
        assert stand.post(mixed).status_code == 403
        assert stand.post(mixed, key=their_key).status_code == 403
    assert len(stand.entries(theirs)) == 2 and stand.entries(ours) == []


def test_unknown_outlet_and_foreign_outlet_are_answered_alike(stand: Stand) -> None:
    foreign = document(stand.outlet(OTHER_SELLER))
    unknown = {**foreign, "outlet_id": "NOWHERE"}
    assert stand.post(foreign).json() == stand.post(unknown).json()


def test_same_document_id_of_two_merchants_is_two_documents(stand: Stand) -> None:
    ours, theirs = stand.outlet(), stand.outlet(OTHER_SELLER)
    payload = document(ours)
    first = stand.post(payload)
    second = stand.post({**document(theirs), "document_id": payload["document_id"]}, key=stand.api_key(OTHER_SELLER))
    assert (first.status_code, second.status_code) == (201, 201)


def test_key_for_one_outlet_does_not_cover_another(stand: Stand) -> None:
    covered, other = stand.outlet(), stand.outlet()
    key = stand.api_key(outlets=[covered.id])
    assert stand.post(document(covered), key=key).status_code == 201
    assert stand.post(document(other), key=key).status_code == 403
    assert stand.get(f"/api/v1/outlets/{other.id}", key=key).status_code == 404
    number = stand.sealed(other)["fiscal_number"]
    assert stand.get(f"/api/v1/invoices/{number}", key=key).status_code == 404


def test_operations_of_a_key_are_kept_apart(stand: Stand) -> None:
    outlet = stand.outlet()
    reader, sealer = stand.api_key(operations=["read"]), stand.api_key(operations=["seal"])
    assert stand.post(document(outlet), key=reader).status_code == 403
    response = stand.post(document(outlet), key=sealer)
    assert response.status_code == 201
    path = f"/api/v1/invoices/{response.json()['fiscal_number']}"
    assert stand.get(path, key=sealer).status_code == 403
    assert stand.get(path, key=reader).status_code == 200
    assert stand.get(f"/api/v1/outlets/{outlet.id}", key=sealer).status_code == 200


def test_key_of_an_outlet_that_is_not_the_merchant_s_cannot_be_made(stand: Stand) -> None:
    theirs = stand.outlet(OTHER_SELLER)
    done = stand.command("apikey", "create", "--merchant", "A1234567B", "--outlet", theirs.id)
    assert done.returncode == 1 and theirs.id in done.stderr
    assert done.stdout == ""


def test_no_described_route_answers_a_key_with_anything_of_another_merchant(stand: Stand) -> None:
    """Every route that takes a key, as the published description has them, asked about what is theirs."""
    theirs = stand.outlet(OTHER_SELLER)
    response = stand.post(document(theirs), key=stand.api_key(OTHER_SELLER))
    assert response.status_code == 201, response.text
    sealed = response.json()
    named = {"fiscal_number": sealed["fiscal_number"], "outlet_id": theirs.id, "document_id": sealed["document_id"]}
    asked = 0
    for path, operations in stand.http.get("/openapi.json").json()["paths"].items():
        if "get" in operations and operations["get"].get("security"):
            wanted = {p["name"] for p in operations["get"].get("parameters", ()) if p["in"] == "query"} & set(named)
            query = "&".join(f"{name}={named[name]}" for name in wanted)
            answer = stand.get(f"{path.format(**named)}?{query}")
            asked += 1
            assert answer.status_code in (200, 400, 403, 404), f"{path}: {answer.status_code}"
            known = (sealed["fiscal_number"], sealed["auth_code"], theirs.nif, theirs.nim)
            assert not any(secret in answer.text for secret in known), f"{path}: {answer.text}"
    assert asked >= 2


def test_revoked_merchant_and_closed_outlet_have_nothing_sealed(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand()
    stand.start()
    open_one, closed = stand.outlet(mode="deferred"), stand.outlet(mode="deferred")
    payload = document(closed)
    number = stand.sealed_as(payload)["fiscal_number"]
    refused = stand.command("outlet", "revoke", closed.id)
    assert refused.returncode == 1 and "--yes" in refused.stderr
    assert stand.post(document(closed)).status_code == 201
    assert stand.command("outlet", "revoke", closed.id, "--yes").returncode == 0
    answer = stand.post(document(closed))
    assert (answer.status_code, answer.json()["detail"]) == (403, f"outlet {closed.id} is closed")
    assert stand.get(f"/api/v1/invoices/{number}").status_code == 200, "what was sealed is read for ever"
    replayed = stand.post(payload)
    assert (replayed.status_code, replayed.json()["fiscal_number"]) == (200, number), "and answered for ever"
    assert stand.post(document(open_one)).status_code == 201
    assert stand.command("merchant", "revoke", open_one.nif, "--yes").returncode == 0
    assert stand.post(document(open_one)).status_code == 401


def test_terminals_and_users_of_record(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    with psycopg.connect(stand.database.owner, autocommit=True) as connection:
        admin.add_terminal(connection, outlet.id, "CAISSE-1", "Caisse 1")
        admin.add_terminal(connection, outlet.id, "CAISSE-2", "Caisse 2")
        admin.add_user(connection, outlet.nif, f"6-{outlet.id}", "Comptable", [outlet.id])
        admin.revoke(connection, admin.TERMINAL, [outlet.id, "CAISSE-2"])
    sold = {"cashier_id": f"6-{outlet.id}", "cashier_name": "Comptable"}

    def statuses(*members: dict) -> list[int]:
        return [stand.post(document(outlet, **{**sold, **changed})).status_code for changed in members]

    assert _soon(lambda: statuses({"pos_terminal_id": "CAISSE-2"}) == [403])
    assert statuses({}, {"pos_terminal_id": "CAISSE-1"}, {"pos_terminal_id": "?"}, {"cashier_id": "9"}) == [201] * 4
    stand.change_outlet(outlet, terminal_policy="registered", user_policy="registered")
    known = {"pos_terminal_id": "CAISSE-1"}
    assert _soon(lambda: statuses({}) == [403])
    assert statuses(known, {**known, "cashier_id": "9"}, {**known, "cashier_name": "Autre"}) == [201, 403, 403]
    with psycopg.connect(stand.database.owner, autocommit=True) as connection:
        admin.revoke(connection, admin.USER, [outlet.nif, sold["cashier_id"]])
    assert _soon(lambda: statuses({**known, "issued_at": _from_now(60)}) == [403])
    assert statuses({**known, "issued_at": _from_now(-60)}) == [201], "what was sold before is sealed afterwards"


def test_key_of_one_terminal_seals_for_no_other(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    with psycopg.connect(stand.database.owner, autocommit=True) as connection:
        key = admin.create_api_key(connection, outlet.nif, None, ["seal"], None, "till", terminals=["CAISSE-1"])
    terminals = ("CAISSE-1", "CAISSE-2", None)
    assert [stand.post(document(outlet, pos_terminal_id=name), key=key).status_code for name in terminals] == [
        201,
        403,
        403,
    ]


def test_rotated_key_holds_with_the_next_one_until_the_overlap_ends(stand: Stand) -> None:
    outlet, old = stand.outlet(), stand.api_key(operations=["read"])
    path, prefix = f"/api/v1/outlets/{outlet.id}", old.split("_")[1]
    done = stand.command("api-key", "rotate", prefix, "--overlap", "7d")
    assert done.returncode == 0, done.stderr
    new = done.stdout.strip()
    assert [stand.get(path, key=key).status_code for key in (old, new)] == [200, 200]
    assert stand.post(document(outlet), key=new).status_code == 403, "of the same scope"
    ((days,),) = stand.rows(
        "SELECT extract(epoch FROM expires_at - now()) / 86400 FROM signer.api_key WHERE prefix = %s", prefix
    )
    assert 6.9 < days < 7
    assert stand.command("api-key", "rotate", new.split("_")[1], "--overlap", "0m").returncode == 0
    assert [stand.get(path, key=key).status_code for key in (old, new)] == [200, 401]
    again = stand.command("api-key", "rotate", new.split("_")[1], "--overlap", "0m")
    assert again.returncode == 1 and "in force" in again.stderr


def test_last_use_of_a_key_is_written_by_and_by(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand(key_usage_interval=0.3)
    stand.start()
    query = "SELECT last_used_at FROM signer.api_key WHERE prefix = %s"
    unused, prefix = stand.api_key().split("_")[1], stand.key.split("_")[1]
    assert stand.get("/api/v1/outlets/NOWHERE").status_code == 404
    assert _soon(lambda: stand.rows(query, prefix) != [(None,)])
    assert stand.rows(query, unused) == [(None,)]
    ((used,),) = stand.rows(query, prefix)
    assert abs((datetime.now(UTC) - used).total_seconds()) < 20


def test_rate_of_the_day_binds_from_when_it_is_recorded(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand()
    stand.start()
    outlet = stand.outlet(mode="deferred")
    in_dollars = {"foreign_currency": {"code": "USD", "rate": "2300", "date": "2026-11-21"}}
    issued = "2026-11-21T08:30:00Z"
    assert stand.post(document(outlet, **in_dollars, issued_at=issued)).status_code == 201
    done = stand.command("rate", "set", "USD", "2026-11-21", "2850.50")
    assert done.returncode == 0, done.stderr
    refused = stand.post(document(outlet, **in_dollars, issued_at=issued))
    assert (refused.status_code, refused.json()["findings"][0]["code"]) == (422, "rate.not_of_the_day")
    near = {"foreign_currency": {**in_dollars["foreign_currency"], "rate": "2860"}}
    assert stand.post(document(outlet, **near, issued_at=issued)).status_code == 201


def _soon(holds: Callable[[], bool]) -> bool:
    """Within the moment that a change takes to be heard."""
    wait_until(holds, "the change is heard", timeout=10)
    return True


def _from_now(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
