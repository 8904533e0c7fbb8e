"""A DGI that computes other totals: nothing wrong is certified, and a person sees both sides and is called."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from ..fiscal.builders import cases
from ..support.processes import wait_until
from ..support.stand import Outlet, Stand, document, number_of

# 1 000 francs exempt (A) and 90 000 with VAT (B): at another rate the DGI's total is ours, and its VAT is not. (Without
# VAT in the prices it would refuse the payments before anything is compared.)
SOLD = {"price_mode": "ttc", "items": [cases.item("1000.00", "1", "A"), cases.item("45000.00", "2", "B")]}
EXPECTED = [
    ("/tax_groups/0/base", "Groupe A (0 %) – base hors TVA", "1000.00", "1000.00"),
    ("/tax_groups/0/tax", "Groupe A (0 %) – TVA", "0.00", "0.00"),
    ("/tax_groups/0/total", "Groupe A (0 %) – total TVA comprise", "1000.00", "1000.00"),
    ("/tax_groups/1/base", "Groupe B (facture 16 %, DGI 17 %) – base hors TVA", "77586.21", "76923.08"),
    ("/tax_groups/1/tax", "Groupe B (facture 16 %, DGI 17 %) – TVA", "12413.79", "13076.92"),
    ("/tax_groups/1/total", "Groupe B (facture 16 %, DGI 17 %) – total TVA comprise", "90000.00", "90000.00"),
    ("/totals/tax", "Total de la TVA", "12413.79", "13076.92"),
    ("/totals/total", "Total TVA comprise", "91000.00", "91000.00"),
]


@pytest.fixture(params=["inline", "deferred"])
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def outlet(stand: Stand, mode: str) -> Iterator[Outlet]:
    """Of an e-MCF whose rate of group B is not ours."""
    outlet = stand.outlet(mode=mode)
    stand.sandbox.faults(nim=outlet.nim, rate_change={"B": "17"})
    yield outlet
    rates_are_ours_again(stand, outlet)


def rates_are_ours_again(stand: Stand, outlet: Outlet) -> None:
    stand.sandbox.faults(nim=outlet.nim, rate_change={})


def shown(comparison: list[dict[str, Any]]) -> list[tuple[str | None, str, str, str]]:
    for row in comparison:
        assert row["label"]["en"] and set(row) == {"pointer", "label", "invoice", "dgi", "differs"}
        assert row["differs"] == (Decimal(row["invoice"]) != Decimal(row["dgi"]))
    return [(row["pointer"], row["label"]["fr"], row["invoice"], row["dgi"]) for row in comparison]


def alarms(stand: Stand, outlet: Outlet) -> dict[str, dict[str, Any]]:
    (found,) = stand.get(f"/api/v1/sync/status?outlet_id={outlet.id}").json()["outlets"]
    return {alarm["code"]: alarm for alarm in found["alarms"]}


def events(stand: Stand, outlet: Outlet) -> list[tuple[str, str, dict[str, Any]]]:
    query = "SELECT code, level, detail FROM signer.dgi_event WHERE outlet_id = %s AND kind = 'totals.differ'"
    return stand.rows(f"{query} ORDER BY number", outlet.id)


def told(payload: dict, fiscal_number: str | None) -> dict[str, Any]:
    """What the event says: enough to find the document, and nothing of its buyer."""
    return {
        "document_id": payload["document_id"],
        "fiscal_number": fiscal_number,
        "total": {"invoice": "91000.00", "dgi": "91000.00"},
        "tax": {"invoice": "12413.79", "dgi": "13076.92"},
    }


@pytest.mark.parametrize("mode", ["inline"], indirect=True)
def test_blocked_before_the_seal_with_both_sides_until_it_is_sealed(stand: Stand, outlet: Outlet) -> None:
    payload = document(outlet, **SOLD)
    for _ in range(2):
        problem = stand.post(payload).json()
        assert (problem["code"], problem["status"]) == ("dgi_totals_differ", 422)
        assert shown(problem["comparison"]) == EXPECTED
    differing = {row["pointer"] for row in problem["comparison"] if row["differs"]}
    assert differing == {finding["pointer"] for finding in problem["findings"]}
    assert stand.entries(outlet) == [] and stand.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0
    assert events(stand, outlet) == [("dgi_totals_differ", "warning", told(payload, None))] * 2
    other = document(outlet, **SOLD)
    assert stand.post(other).status_code == 422
    alarm = alarms(stand, outlet)["totals_differ"]
    assert alarm["level"] == "warning" and alarm["message"]["fr"].endswith(": 2.")
    rates_are_ours_again(stand, outlet)
    assert stand.sealed_as(payload)["dgi"]["status"] == "certified"
    assert alarms(stand, outlet)["totals_differ"]["message"]["en"].endswith(": 1.")
    assert stand.post(other).status_code == 201
    assert alarms(stand, outlet) == {}
    stand.assert_sound(outlet, 2)


@pytest.mark.parametrize("mode", ["deferred"], indirect=True)
def test_rejected_after_the_seal_with_both_sides_in_the_ledger_for_ever(stand: Stand, outlet: Outlet) -> None:
    payload = document(outlet, **SOLD)
    assert stand.sealed_as(payload)["dgi"]["status"] == "pending"
    wait_until(lambda: stand.settled(outlet), "it is judged", 60)
    replayed = stand.sealed_as(payload)
    number, error = replayed["fiscal_number"], replayed["dgi"]["error"]
    assert replayed["dgi"]["status"] == "rejected" and shown(error["comparison"]) == EXPECTED
    listed = stand.get(f"/api/v1/invoices?outlet_id={outlet.id}").json()["invoices"][0]
    assert listed["dgi"]["error"] == stand.get(f"/api/v1/invoices/{number}").json()["dgi"]["error"] == error
    wait_until(lambda: events(stand, outlet), "it is told", 60)
    assert events(stand, outlet) == [("dgi_totals_differ", "warning", told(payload, number))]
    assert set(alarms(stand, outlet)) == {"documents_rejected"}, "said once"
    rates_are_ours_again(stand, outlet)
    corrected = stand.sealed_as(document(outlet, **SOLD))
    wait_until(lambda: stand.settled(outlet), "the next one is judged", 60)
    assert stand.certified_at_the_dgi(outlet) == [corrected["fiscal_number"]] == [number_of(outlet, 2)]
    done = stand.verify(outlet)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mode", ["deferred"], indirect=True)
def test_told_once_and_asked_again_later_and_later_while_the_verdict_cannot_be_written(
    stand: Stand, outlet: Outlet
) -> None:
    with verdicts_cannot_be_written(stand, outlet):
        payload = document(outlet, **SOLD)
        stand.post(payload)
        attempts = "SELECT attempts FROM signer.submission WHERE outlet_id = %s"
        wait_until(lambda: stand.rows(attempts, outlet.id)[0][0] >= 2, "each failure postpones the next attempt", 60)
        assert events(stand, outlet) == [], "nothing is settled"
        assert [kind for _, kind, _ in stand.entries(outlet)] == ["invoice"]
    wait_until(lambda: stand.settled(outlet), "it is judged", 60)
    wait_until(lambda: events(stand, outlet), "and told", 60)
    assert events(stand, outlet) == [("dgi_totals_differ", "warning", told(payload, number_of(outlet, 1)))]
    assert [kind for _, kind, _ in stand.entries(outlet)] == ["invoice", "dgi_rejected"]


@contextmanager
def verdicts_cannot_be_written(stand: Stand, outlet: Outlet) -> Iterator[None]:
    """Of this outlet, as when the disk is full."""
    with stand.database.as_admin() as connection:
        connection.execute(
            "CREATE FUNCTION signer.refuse_verdict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NEW.outlet_id = '{outlet.id}' AND NEW.kind = 'dgi_rejected' THEN "
            "RAISE 'full' USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER refuse_verdict BEFORE INSERT ON signer.entry "
            "FOR EACH ROW EXECUTE FUNCTION signer.refuse_verdict()"
        )
    try:
        yield
    finally:
        with stand.database.as_admin() as connection:
            connection.execute("DROP TRIGGER refuse_verdict ON signer.entry")
            connection.execute("DROP FUNCTION signer.refuse_verdict")


def test_group_that_only_the_dgi_names_is_shown_without_a_place_in_the_payload(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.change("prepare", lambda answer: {**answer, "tc": None, "hac": 5, "vac": 0.4, "tac": 5.4})
    comparison = stand.post(document(outlet)).json()["comparison"]
    assert shown(comparison)[3:6] == [
        (None, "Groupe C – base hors TVA", "0.00", "5.00"),
        (None, "Groupe C – TVA", "0.00", "0.40"),
        (None, "Groupe C – total TVA comprise", "0.00", "5.40"),
    ]


def test_batch_shows_both_sides_of_each_document(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.change("prepare", lambda answer: {**answer, "vtotal": answer["vtotal"] + 0.01})
    headers = {"Authorization": f"Bearer {stand.key}"}
    body = {"invoices": [document(outlet)]}
    (result,) = stand.http.post("/api/v1/invoices/batch", json=body, headers=headers).json()["results"]
    differing = [row for row in result["problem"]["comparison"] if row["differs"]]
    assert shown(differing) == [("/totals/tax", "Total de la TVA", "14400.00", "14400.01")]


def test_rejection_for_another_reason_has_no_comparison(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    stand.change_outlet(outlet, isf="UNKNOWN-ISF")
    payload = document(outlet)
    stand.post(payload)
    wait_until(lambda: stand.settled(outlet), "it is judged", 60)
    assert set(stand.sealed_as(payload)["dgi"]["error"]) == {"code", "message"}
    assert events(stand, outlet) == []
