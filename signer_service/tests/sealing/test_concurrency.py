"""Many tills at once: one seal per document, one unbroken series per outlet."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ..support.stand import Stand, document, number_of


def test_same_document_from_eight_clients_at_once_is_sealed_once(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet)
    with ThreadPoolExecutor(8) as clients:
        responses = list(clients.map(stand.post, [payload] * 8))
    assert sorted(response.status_code for response in responses) == [200] * 7 + [201]
    assert len({response.content for response in responses}) == 1
    stand.assert_sound(outlet, 1)


def test_two_contents_under_one_id_at_once_seal_one_and_refuse_the_other(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet)
    with ThreadPoolExecutor(2) as clients:
        responses = list(clients.map(stand.post, [payload, {**payload, "cashier_name": "Autre"}]))
    assert sorted(response.status_code for response in responses) == [201, 409]
    stand.assert_sound(outlet, 1)


def test_sfe_1_15_eight_clients_with_different_documents_leave_no_gap_and_no_duplicate(stand: Stand) -> None:
    outlet = stand.outlet()
    documents = [document(outlet) for _ in range(40)]
    with ThreadPoolExecutor(8) as clients:
        responses = list(clients.map(stand.post, documents))
    assert {response.status_code for response in responses} == {201}
    numbers = sorted(response.json()["fiscal_number"] for response in responses)
    assert numbers == [number_of(outlet, sequence) for sequence in range(1, 41)]
    stand.assert_sound(outlet, 40)


def test_sfe_1_15_refusals_among_eight_clients_leave_no_gap(stand: Stand) -> None:
    outlet = stand.outlet()
    refused = {
        "nature": "RAN",
        "original_fiscal_number": number_of(outlet, 999),
        "original_dgi_code": "TESTAAAAAAAAAAAAAAAAAAAA",
    }
    documents = [
        document(outlet, invoice_type="FA", credit=refused) if rank % 3 == 0 else document(outlet) for rank in range(30)
    ]
    with ThreadPoolExecutor(8) as clients:
        statuses = [response.status_code for response in clients.map(stand.post, documents)]
    assert statuses.count(422) == 10 and statuses.count(201) == 20
    stand.assert_sound(outlet, 20)


def test_replay_during_the_confirmation_waits_for_the_verdict(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet)
    hold = stand.relay.hold("confirm", "before")
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(stand.post, payload)
        assert hold.reached.wait(10)
        second = clients.submit(stand.post, payload)
        threading.Timer(0.5, hold.release).start()
        assert second.result().content == first.result().content
        assert second.result().json()["dgi"]["status"] == "certified"
    stand.assert_sound(outlet, 1)


def test_queue_of_an_outlet_does_not_wait_for_a_silent_dgi_one_by_one(stand: Stand) -> None:
    outlet = stand.outlet()
    hold = stand.relay.hold("prepare", "before")
    started = time.monotonic()
    with ThreadPoolExecutor(6) as clients:
        responses = list(clients.map(stand.post, [document(outlet) for _ in range(6)]))
    assert {(response.status_code, response.json()["code"]) for response in responses} == {(503, "dgi_unreachable")}
    assert time.monotonic() - started < 10, "one DGI timeout is 5 s"
    hold.release()
    stand.sealed(outlet)
    stand.assert_sound(outlet, 1)


def test_outlets_do_not_wait_for_one_another(stand: Stand) -> None:
    slow, quick = stand.outlet(), stand.outlet()
    hold = stand.relay.hold("prepare", "before")
    with ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(stand.post, document(slow))
        assert hold.reached.wait(10)
        assert stand.post(document(quick)).status_code == 201
        hold.release()
        assert waiting.result().status_code == 201


def test_confirmation_that_hangs_does_not_block_the_next_document_of_the_outlet(stand: Stand) -> None:
    outlet = stand.outlet()
    hold = stand.relay.hold("confirm", "before")
    with ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(stand.post, document(outlet))
        assert hold.reached.wait(10)
        assert stand.sealed_as(document(outlet))["fiscal_number"] == number_of(outlet, 2)
        hold.release()
        assert waiting.result().json()["dgi"]["status"] == "certified"
    stand.assert_sound(outlet, 2)


def test_same_document_id_at_two_outlets_at_once_is_sealed_at_one(stand: Stand) -> None:
    for _ in range(5):
        outlets = [stand.outlet(), stand.outlet()]
        first = document(outlets[0])
        payloads = [first, {**document(outlets[1]), "document_id": first["document_id"]}]
        with ThreadPoolExecutor(2) as clients:
            list(clients.map(stand.post, payloads))
        answers = [stand.post(payload) for payload in payloads]
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        for outlet, answer in zip(outlets, answers, strict=True):
            stand.assert_sound(outlet, 1 if answer.status_code == 200 else 0)
            assert stand.sealed(outlet)["fiscal_number"] == number_of(outlet, 2 if answer.status_code == 200 else 1)
            assert stand.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0


def test_two_spellings_of_one_document_are_one_document(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet, reference_number="Été/2026")
    spellings = [
        json.dumps(payload).encode(),
        json.dumps(payload, ensure_ascii=False, indent=2, sort_keys=True).encode(),
        json.dumps(dict(reversed(payload.items()))).encode() + b"\n ",
    ]
    with ThreadPoolExecutor(3) as clients:
        responses = list(clients.map(stand.post, spellings))
    assert sorted(response.status_code for response in responses) == [200, 200, 201]
    assert len({response.content for response in responses}) == 1
    stand.assert_sound(outlet, 1)


def test_other_content_under_a_sealed_id_is_a_conflict_also_when_it_breaks_a_rule(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet)
    assert stand.post(payload).status_code == 201
    broken = {**payload, "totals": {**payload["totals"], "total": "1.00"}}
    assert stand.post(broken).status_code == 409
    assert stand.post({**payload, "totals": None}).status_code == 400
    assert stand.post(payload).status_code == 200
