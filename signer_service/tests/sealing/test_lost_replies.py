"""After the seal: silence of the DGI is a state with a recovery, never a blind repetition."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..support.processes import wait_until
from ..support.sandbox import Sandbox
from ..support.stand import Outlet, Stand, document, number_of


def _reply(stand: Stand, outlet: Outlet) -> dict:
    response = stand.post(document(outlet))
    assert response.status_code == 201, response.text
    return response.json()


def _outcome(stand: Stand, number: str) -> dict:
    return stand.get(f"/api/v1/invoices/{number}").json()["dgi"]


def test_reply_to_confirm_that_is_lost_is_asked_for_and_certified_once(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.drop("confirm", "after")
    assert _reply(stand, outlet)["dgi"]["status"] == "certified"
    stand.assert_sound(outlet, 1)


def test_confirm_that_never_arrived_is_confirmed_with_the_same_uid(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.drop("confirm", "before")
    assert _reply(stand, outlet)["dgi"]["status"] == "certified"
    uids = [uid for rn, uid in stand.relay.prepared if rn == number_of(outlet, 1)]
    assert len(uids) == 1
    stand.assert_sound(outlet, 1)


def test_silence_of_the_dgi_is_unknown_visible_and_found_out_later(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.drop("confirm", "after", times=99)
    stand.relay.drop("status", "before", times=99)
    stand.relay.drop("details", "before", times=99)
    answer = _reply(stand, outlet)
    assert answer["dgi"]["status"] == "unknown"
    assert stand.get(f"/api/v1/outlets/{outlet.id}").json()["dgi"]["unknown"] == 1
    assert [kind for _, kind, _ in stand.entries(outlet)] == ["invoice"]
    stand.relay.calm()
    wait_until(lambda: _outcome(stand, answer["fiscal_number"])["status"] == "certified", "the DGI's word is found out")
    stand.assert_sound(outlet, 1)


def test_while_one_document_is_unknown_the_next_ones_are_sealed(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.drop("confirm", "after", times=1)
    stand.relay.drop("status", "before", times=99)
    stand.relay.drop("details", "before", times=99)
    assert _reply(stand, outlet)["dgi"]["status"] == "unknown"
    assert _reply(stand, outlet)["dgi"]["status"] == "certified"
    stand.relay.calm()
    wait_until(lambda: stand.settled(outlet), "recovery settles both")
    stand.assert_sound(outlet, 2)


def test_refusal_of_the_confirmation_is_a_chained_rejection_and_fixed_for_ever(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.change("confirm", lambda _answer: {"errorCode": "150", "errorDesc": "Totaux différents"})
    payload = document(outlet)
    answer = stand.sealed_as(payload)
    assert answer["dgi"]["status"] == "rejected"
    assert answer["dgi"]["error"] == {"code": "150", "message": "Totaux différents"}
    assert [kind for _, kind, _ in stand.entries(outlet)] == ["invoice", "dgi_rejected"]
    stand.relay.calm()
    assert stand.sealed_as(payload) == answer
    assert stand.verify(outlet).returncode == 0


def test_gateway_s_refusal_of_the_confirmation_is_no_verdict_of_the_dgi(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.fail_on_the_way("confirm", 400)
    assert _reply(stand, outlet)["dgi"]["status"] == "certified"
    stand.assert_sound(outlet, 1)


def test_unknown_uid_at_confirm_is_asked_about_not_taken_as_a_refusal(stand: Stand) -> None:
    outlet = stand.outlet()
    # The DGI certified, but the answer that arrives is "unknown uid", as to a repeated confirmation.
    stand.relay.change("confirm", lambda _answer: {"errorCode": "20", "errorDesc": "uid inconnu"})
    assert _reply(stand, outlet)["dgi"]["status"] == "certified"
    stand.assert_sound(outlet, 1)


def test_dgi_that_cannot_tell_leaves_it_unknown_and_nothing_is_prepared_again(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.drop("confirm", "after", times=99)
    stand.relay.change("details", lambda _answer: {"errorCode": "20", "errorDesc": "inconnu ou finalisé"})
    answer = _reply(stand, outlet)
    assert answer["dgi"]["status"] == "unknown"
    before = _attempts(stand, outlet)
    wait_until(lambda: _attempts(stand, outlet) >= before + 2, "recovery asks again and again")
    assert _outcome(stand, answer["fiscal_number"])["status"] == "unknown"
    assert [rn for rn, _ in stand.relay.prepared].count(answer["fiscal_number"]) == 1
    stand.relay.calm()
    wait_until(lambda: stand.settled(outlet), "the DGI tells at last")
    stand.assert_sound(outlet, 1)


def _attempts(stand: Stand, outlet: Outlet) -> int:
    ((attempts,),) = stand.rows("SELECT max(attempts) FROM signer.submission WHERE outlet_id = %s", outlet.id)
    return attempts


@pytest.fixture
def impatient_dgi(tmp_path: Path) -> Iterator[Sandbox]:
    """A DGI that forgets what waits after two seconds."""
    sandbox = Sandbox(tmp_path / "impatient", outlets=2, pending_seconds=2)
    yield sandbox
    sandbox.process.stop()


def test_uid_that_expired_after_the_seal_is_prepared_again_under_the_same_number(
    new_stand: Callable[..., Stand], impatient_dgi: Sandbox
) -> None:
    stand = new_stand(dgi=impatient_dgi)
    stand.start()
    outlet = stand.outlet()
    hold = stand.relay.hold("confirm", "before")
    stand.relay.drop("confirm", "before")
    stand.relay.drop("status", "before", times=3)
    answer = {}
    payload = document(outlet)

    def late() -> bool:
        return impatient_dgi.status(outlet.nim)["pendingRequestsCount"] == 0

    client = threading.Thread(target=lambda: answer.update(stand.sealed_as(payload)))
    client.start()
    assert hold.reached.wait(20)
    wait_until(late, "the uid expires at the DGI")
    hold.release()
    client.join(60)
    wait_until(lambda: stand.settled(outlet), "recovery prepares again and confirms")
    assert [rn for rn, _ in stand.relay.prepared] == [number_of(outlet, 1)] * 2
    assert stand.sealed_as(payload)["dgi"]["status"] == "certified"
    stand.assert_sound(outlet, 1)
