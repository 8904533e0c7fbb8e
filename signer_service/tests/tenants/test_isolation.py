"""A key sees and touches only what it is for."""

from datetime import UTC, datetime, timedelta

import pytest

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
