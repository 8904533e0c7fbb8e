"""SIGKILL at every step of the flow, then a restart: no gap, no double, nothing left unknown.

The relay stops the flow where the next thing would happen; the signer is killed there and started again.
"""

import threading
from collections.abc import Callable

import pytest

from ..support.processes import wait_until
from ..support.stand import Outlet, Stand, document, number_of


def _post_in_background(stand: Stand, payload: dict) -> threading.Thread:
    def post() -> None:
        try:
            stand.post(payload)
        except Exception as error:  # the signer dies while it answers
            assert "Server disconnected" in str(error) or "reset" in str(error) or "closed" in str(error), error

    thread = threading.Thread(target=post)
    thread.start()
    return thread


def _kill_at(stand: Stand, payload: dict, step: str, moment: str) -> None:
    hold = stand.relay.hold(step, moment)
    client = _post_in_background(stand, payload)
    assert hold.reached.wait(20), "the flow never came to the step"
    stand.kill()
    hold.release()
    client.join(20)
    stand.start()


@pytest.fixture
def crashing(new_stand: Callable[..., Stand]) -> Stand:
    stand = new_stand()
    stand.start()
    return stand


@pytest.mark.parametrize(("step", "moment"), [("prepare", "before"), ("prepare", "after")])
def test_killed_before_the_seal_the_number_is_free_and_the_dgi_holds_nothing(
    crashing: Stand, step: str, moment: str
) -> None:
    outlet = crashing.outlet()
    payload = document(outlet)
    _kill_at(crashing, payload, step, moment)
    wait_until(lambda: crashing.settled(outlet), "recovery clears the reservation")
    assert crashing.entries(outlet) == []
    assert crashing.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0
    assert crashing.sealed_as(document(outlet))["fiscal_number"] == number_of(outlet, 1)
    assert crashing.sealed_as(payload)["fiscal_number"] == number_of(outlet, 2)
    crashing.assert_sound(outlet, 2)


@pytest.mark.parametrize(("step", "moment"), [("confirm", "before"), ("confirm", "after")])
def test_killed_after_the_seal_recovery_finds_the_verdict_and_the_client_its_seal(
    crashing: Stand, step: str, moment: str
) -> None:
    outlet = crashing.outlet()
    payload = document(outlet)
    _kill_at(crashing, payload, step, moment)
    _assert_certified_once_by_recovery(crashing, outlet, payload)


def test_killed_between_the_dgi_s_answer_and_its_entry_the_answer_is_chained(crashing: Stand) -> None:
    outlet = crashing.outlet()
    with crashing.database.as_admin() as connection:
        # The verdict's append waits for the head, with the DGI's answer in hand.
        hold = crashing.relay.hold("confirm", "before")
        payload = document(outlet)
        client = _post_in_background(crashing, payload)
        assert hold.reached.wait(20)
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM signer.outlet_head WHERE outlet_id = %s FOR UPDATE", [outlet.id])
        hold.release()
        wait_until(lambda: _answers_to_confirm(crashing, outlet) == 1, "the answer is in the journal")
        crashing.kill()
        client.join(20)
        connection.execute("ROLLBACK")
    crashing.start()
    _assert_certified_once_by_recovery(crashing, outlet, payload)
    # The second pair is the next document: recovery read the journal and asked the DGI nothing.
    assert crashing.relay.steps() == ["prepare", "confirm", "prepare", "confirm"]


def test_killed_while_eight_tills_seal_every_answer_survives_without_gap(crashing: Stand) -> None:
    outlet = crashing.outlet()
    answered: dict[str, str] = {}
    stop = threading.Event()

    def till() -> None:
        while not stop.is_set():
            payload = document(outlet)
            try:
                response = crashing.post(payload)
            except Exception:  # noqa: BLE001 - the signer is down: the next document
                stop.wait(0.05)
                continue
            if response.status_code in (200, 201):
                answered[payload["document_id"]] = response.json()["fiscal_number"]

    tills = [threading.Thread(target=till) for _ in range(8)]
    for thread in tills:
        thread.start()
    for target in (10, 20, 30):
        wait_until(lambda target=target: len(answered) >= target, f"{target} answers")
        crashing.restart()
    stop.set()
    for thread in tills:
        thread.join(60)
    wait_until(lambda: crashing.settled(outlet), "recovery settles everything")
    sealed = dict(
        crashing.rows(
            "SELECT document_id::text, fiscal_number FROM signer.entry WHERE kind = 'invoice' AND outlet_id = %s",
            outlet.id,
        )
    )
    assert answered.items() <= sealed.items()
    crashing.assert_sound(outlet, len(sealed))


def test_stopped_politely_a_document_on_its_way_arrives(crashing: Stand) -> None:
    outlet = crashing.outlet()
    hold = crashing.relay.hold("prepare", "after")
    client = _post_in_background(crashing, document(outlet))
    assert hold.reached.wait(20)
    threading.Timer(0.5, hold.release).start()
    assert crashing.process is not None
    crashing.process.stop()
    client.join(20)
    crashing.assert_sound(outlet, 1)


def _answers_to_confirm(stand: Stand, outlet: Outlet) -> int:
    ((count,),) = stand.rows(
        "SELECT count(*) FROM signer.dgi_exchange WHERE outlet_id = %s AND step = 'confirm' AND http_status = 200",
        outlet.id,
    )
    return count


def _assert_certified_once_by_recovery(stand: Stand, outlet: Outlet, payload: dict) -> None:
    wait_until(lambda: stand.settled(outlet), "recovery settles the invoice")
    replay = stand.post(payload)
    assert (replay.status_code, replay.headers["idempotent-replayed"]) == (200, "true")
    assert replay.json()["dgi"]["status"] == "certified"
    assert stand.sealed_as(document(outlet))["fiscal_number"] == number_of(outlet, 2)
    stand.assert_sound(outlet, 2)
