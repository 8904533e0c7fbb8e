"""What an administrator of the database changed by hand is not presented as verified to anybody who asks."""

import json
from collections.abc import Iterator

import pytest

from ..support.sandbox import Sandbox
from ..support.stand import Outlet, Stand, document, running_stand
from ..support.tokens import Token


@pytest.fixture(scope="module")
def stand(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A signer of this file's own: its ledger is not sound afterwards."""
    with running_stand(cluster, token, sandbox, tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture
def two(stand: Stand) -> tuple[Outlet, dict, dict]:
    """An outlet's first two invoices, at entries 1 and 3, their verdicts at 2 and 4."""
    outlet = stand.outlet()
    return outlet, stand.sealed(outlet), stand.sealed(outlet)


def _tamper(stand: Stand, outlet: Outlet, *statements: str) -> None:
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            assert connection.execute(statement.replace("$O", f"outlet_id = '{outlet.id}'")).rowcount == 1


def _results(stand: Stand, invoice: dict) -> list[dict]:
    number, code = invoice["fiscal_number"], invoice["short_code"]
    blob = invoice["qr_payload"].rpartition("/V/")[2]
    paths = (f"/api/v1/verify/{number}?code={code}", f"/api/v1/verify/qr/{blob}")
    for page in (f"/verify/{number}?code={code}", f"/V/{blob}"):
        assert "Facture authentique" not in stand.http.get(page).text
    return [stand.http.get(path).raise_for_status().json() for path in paths]


@pytest.mark.parametrize(
    "assignment",
    [
        "statement = convert_to('{}', 'UTF8')",
        "statement = convert_to('[]', 'UTF8')",
        "statement = 'x'",
        "payload = convert_to(replace(convert_from(payload, 'UTF8'), '104400.00', '104400.01'), 'UTF8')",
        "payload_hash = sha256('x')",
        "signature = set_byte(signature, 0, get_byte(signature, 0) # 1)",
        "merchant_nif = 'B7654321C'",
        "sealed_at = sealed_at + interval '1 day'",
        "previous_hash = sha256('x')",
    ],
)
def test_changed_entry_is_not_verified(stand: Stand, two: tuple[Outlet, dict, dict], assignment: str) -> None:
    outlet, _, invoice = two
    _tamper(stand, outlet, f"UPDATE signer.entry SET {assignment} WHERE $O AND index = 3")
    for body in _results(stand, invoice):
        assert body["result"] in ("mismatch", "not_found") and body["total"] is None


def test_number_that_was_put_on_another_invoice_is_not_verified(stand: Stand, two: tuple[Outlet, dict, dict]) -> None:
    outlet, first, second = two
    numbers = (first["fiscal_number"], second["fiscal_number"])
    for table in ("entry", "document"):
        _tamper(
            stand,
            outlet,
            f"UPDATE signer.{table} SET fiscal_number = 'BONO-XXX-01-000000001' WHERE $O AND index = 1",
            f"UPDATE signer.{table} SET fiscal_number = '{numbers[0]}' WHERE $O AND index = 3",
        )
    presented = {**second, "fiscal_number": numbers[0]}
    assert [body["result"] for body in _results(stand, presented)] == ["mismatch", "mismatch"]


def test_verdict_of_the_dgi_that_nobody_signed_is_not_shown(stand: Stand) -> None:
    """A refused invoice with an invented certification must not look like a normalised one."""
    outlet = stand.outlet()
    certified = stand.sealed(outlet)
    stand.relay.change("confirm", lambda _answer: {"errorCode": "150", "errorDesc": "refus"})
    refused = stand.post(document(outlet)).json()
    stand.relay.calm()
    ((payload,),) = stand.rows("SELECT payload FROM signer.entry WHERE outlet_id = %s AND index = 2", outlet.id)
    forged = json.dumps({**json.loads(payload), "fiscal_number": refused["fiscal_number"]}).replace("'", "''")
    _tamper(
        stand,
        outlet,
        "UPDATE signer.entry SET kind = 'dgi_certified', "
        f"payload = convert_to('{forged}', 'UTF8') WHERE $O AND index = 4",
    )
    for body in _results(stand, refused):
        assert body["result"] == "mismatch" and body["dgi"] is None
    assert certified["dgi"]["code"] not in stand.http.get(refused["verification_url"]).text


def test_verdict_of_another_invoice_is_not_shown(stand: Stand, two: tuple[Outlet, dict, dict]) -> None:
    outlet, first, second = two
    _tamper(
        stand,
        outlet,
        "DELETE FROM signer.entry WHERE $O AND index = 4",
        f"UPDATE signer.entry SET fiscal_number = '{second['fiscal_number']}' WHERE $O AND index = 2",
    )
    for body in _results(stand, second):
        assert body["result"] == "mismatch" and body["dgi"] is None
    assert first["dgi"]["code"] not in stand.http.get(second["verification_url"]).text


def test_invoice_that_was_taken_out_of_the_ledger_is_not_verified(stand: Stand, two: tuple[Outlet, dict, dict]) -> None:
    outlet, first, _ = two
    _tamper(stand, outlet, "DELETE FROM signer.entry WHERE $O AND index = 1")
    blob = first["qr_payload"].rpartition("/V/")[2]
    body = stand.http.get(f"/api/v1/verify/qr/{blob}").json()
    assert {check["name"]: check["passed"] for check in body["checks"]} == {"signature": True, "ledger": False}
    assert body["result"] == "mismatch", "a valid signature alone is no invoice of the ledger"
