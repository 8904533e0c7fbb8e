"""A DGI, or something before it, that misleads: what it says of one document is never taken for another's."""

import threading

from ..support.processes import wait_until
from ..support.stand import Stand, document, number_of


def test_uid_of_an_earlier_document_is_not_taken_for_the_next(stand: Stand) -> None:
    """Confirmed and asked about, it would bring the earlier invoice's elements onto the next one."""
    outlet = stand.outlet()
    first = stand.sealed(outlet)
    ((uid,),) = stand.rows("SELECT uid FROM signer.submission WHERE outlet_id = %s", outlet.id)
    stand.relay.change("prepare", lambda answer: {**answer, "uid": uid})
    payload = document(outlet)
    response = stand.post(payload)
    assert (response.status_code, response.json()["code"]) == (503, "dgi_unreachable")
    assert len(stand.entries(outlet)) == 2
    stand.relay.calm()
    second = stand.sealed_as(payload)
    assert second["fiscal_number"] == number_of(outlet, 2) and second["dgi"]["code"] != first["dgi"]["code"]
    stand.assert_sound(outlet, 2)
    assert stand.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0


def test_total_of_the_dgi_with_more_decimals_is_refused_and_shown_as_it_is(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.change("prepare", lambda answer: {**answer, "total": answer["total"] + 0.004})
    body = stand.post(document(outlet)).json()
    assert body["code"] == "dgi_totals_differ"
    (finding,) = body["findings"]
    assert (finding["expected"], finding["actual"]) == ("104400.004", "104400.00")


def test_gateway_s_refusal_to_prepare_again_is_no_verdict_of_the_dgi(stand: Stand) -> None:
    outlet = stand.outlet()
    _lose_confirmation_for_good(stand)
    hold = stand.relay.hold("status", "before")
    payload = document(outlet)
    client = threading.Thread(target=stand.post, args=(payload,))
    client.start()
    assert hold.reached.wait(20)
    stand.relay.fail_on_the_way("prepare", *[400] * 99)
    hold.release()
    client.join(30)
    assert [kind for _, kind, _ in stand.entries(outlet)] == ["invoice"]
    stand.relay.calm()
    wait_until(lambda: stand.settled(outlet), "the DGI's own word is found out")
    stand.assert_sound(outlet, 1)


def _lose_confirmation_for_good(stand: Stand) -> None:
    """The confirmation never arrives, and the DGI says that its uid has expired."""
    stand.relay.drop("confirm", "before")
    stand.relay.change("status", lambda answer: {**answer, "pendingRequestsList": [], "pendingRequestsCount": 0})
    stand.relay.change("details", lambda _answer: {"state": "expired"})


def test_gateway_s_refusal_to_cancel_leaves_the_cancelling_to_be_done(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.change("prepare", lambda answer: {**answer, "total": answer["total"] + 1})
    stand.relay.fail_on_the_way("cancel", 400)
    assert stand.post(document(outlet)).json()["code"] == "dgi_totals_differ"
    wait_until(lambda: stand.states(outlet) == ["released"], "it is cancelled after all")
    assert stand.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0
