"""``/metrics``: true, where only the operator reads it, and without a merchant's data."""

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ..support.databases import throw_away_database
from ..support.processes import free_port, wait_until
from ..support.sandbox import Sandbox
from ..support.stand import Stand, document
from ..support.tokens import Token


@pytest.fixture(scope="module")
def signer(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """With a listener for the operator."""
    with throw_away_database(cluster) as database:
        folder = tmp_path_factory.mktemp("metrics") / "signer"
        signer = Stand(folder, database, token, sandbox, metrics_port=free_port())
        signer.start()
        yield signer
        signer.close()


def _url(stand: Stand) -> str:
    return f"http://127.0.0.1:{stand.environment['BONOPAY_SIGNER_METRICS_PORT']}"


def _samples(stand: Stand) -> dict[tuple[str, ...], float]:
    """Values by name and label values, in the order of the labels' names."""
    response = httpx.get(f"{_url(stand)}/metrics")
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/plain")
    return {
        (sample.name.removeprefix("bonopay_signer_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_counts_are_what_was_answered(signer: Stand) -> None:
    inline, deferred = signer.outlet(), signer.outlet(mode="deferred")
    payload = document(deferred)
    assert signer.post(payload).status_code == 201
    assert signer.post(payload).status_code == 200
    assert signer.post(b"{}").status_code == 400
    assert signer.post({**payload, "reference_number": "INV/OTHER"}).status_code == 409
    signer.sealed(inline)
    batch = [document(deferred) for _ in range(10)] + [{}]
    headers = {"Authorization": f"Bearer {signer.key}"}
    assert signer.http.post("/api/v1/invoices/batch", json={"invoices": batch}, headers=headers).status_code == 200
    wait_until(lambda: signer.settled(deferred), "the DGI has judged all")
    found = _samples(signer)
    expected = {"sealed": 12, "replayed": 1, "payload_malformed": 2, "document_conflict": 1}
    assert {name[1]: value for name, value in found.items() if name[0] == "seals_total"} == expected
    entries = len(signer.rows("SELECT FROM signer.entry"))
    assert found["ledger_entries",] == entries == 24
    assert found["batch_entries_sum",] == entries
    assert found["seal_seconds_count", "inline"] == 1 and found["seal_seconds_count", "deferred"] == 12
    for stage in ("parse", "judge", "queue", "sign", "append", "head_store"):
        assert found["stage_seconds_count", stage] > 0, stage
        assert 0 < found["stage_seconds_sum", stage] < 60, stage
    assert found["stage_seconds_count", "append"] >= found["batch_entries_count",], "a refused one is timed too"
    assert found["dgi_calls_total", "answered", "confirm"] == 12
    assert found["queue_documents",] == 0 and found["queue_limit",] == 4096
    assert found["signing_processes",] == 1 and found["database_up",] == 1
    assert [found["dgi_waiting", state] for state in ("queued", "confirming", "unknown")] == [0, 0, 0]


def test_unreachable_dgi_shows(signer: Stand) -> None:
    outlet = signer.outlet(mode="deferred", dgi_url="http://127.0.0.1:9/edef")
    signer.post(document(outlet))
    wait_until(
        lambda: any(name[:2] == ("dgi_calls_total", "unreachable") for name in _samples(signer)),
        "it was tried",
    )
    found = _samples(signer)
    assert found["dgi_waiting", "queued"] == 1 and found["dgi_oldest_waiting_seconds",] > 0


def test_labels_and_names_hold_no_merchants_data(signer: Stand) -> None:
    outlet = signer.outlet()
    answer = signer.sealed(outlet)
    signer.get(f"/api/v1/invoices/{answer['fiscal_number']}")
    text = httpx.get(f"{_url(signer)}/metrics").text
    for value in (outlet.id, outlet.nif, outlet.nim, answer["fiscal_number"], answer["document_id"], signer.key):
        assert value not in text


def test_public_address_does_not_serve_it(signer: Stand, stand: Stand) -> None:
    assert signer.http.get("/metrics").status_code == 404
    spoofed = {"Host": _url(signer).removeprefix("http://"), "X-Forwarded-Port": _url(signer).rsplit(":", 1)[1]}
    assert signer.http.get("/metrics", headers=spoofed).status_code == 404
    assert httpx.get(f"{_url(signer)}/ready").status_code == 200
    assert httpx.get(f"{_url(signer)}/api/v1/outlets").status_code == 404, "nor the operator's the API"
    assert stand.http.get("/metrics").status_code == 404, "nor a signer without one"


def test_scrape_goes_on_while_the_database_is_away(signer: Stand) -> None:
    signer.database.admit(False)
    wait_until(lambda: _samples(signer)["database_up",] == 0, "the scrape tells")
    signer.database.admit(True)
    wait_until(lambda: _samples(signer)["database_up",] == 1, "and tells when it is back")
