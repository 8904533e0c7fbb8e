"""Tills with keys of their own: admitted, renewed, revoked; their tickets kept, and what does not fit told for ever."""

import json

import psycopg
import pytest

from bonopay_signer.fiscal.security import auth_code
from bonopay_signer.fiscal.statement import Statement

from ..support.sandbox import OTHER_SELLER
from ..support.stand import AUTHORITY, Outlet, Stand
from .browser import BrowserTill
from .calls import bring, post, results, told

# --- admitted


def test_credential_is_an_entry_that_names_the_key(stand: Stand, outlet: Outlet, till: BrowserTill) -> None:
    answer = post(stand, f"/api/v1/tills/{till.device_id}/credential").json()
    content = answer["content"]
    assert content["public_key"] == till.public_key and content["key_id"] == till.key_id
    assert (content["terminal"], content["counter_from"]) == (till.terminal, 1)
    query = "SELECT statement, signature FROM signer.entry WHERE outlet_id = %s AND index = %s"
    ((statement, signature),) = stand.rows(query, outlet.id, answer["credential_id"])
    assert json.loads(bytes(statement))["kind"] == "credential"
    assert answer["signature"] == auth_code(bytes(signature))
    assert told(stand, till, "credential")[-1] == content


def test_same_till_may_ask_again_and_another_key_may_not(stand: Stand, till: BrowserTill) -> None:
    assert post(stand, "/api/v1/tills", till.enrolment).status_code == 200
    other = BrowserTill(till.outlet, till.terminal, AUTHORITY)
    for enrolment in (other.enrolment, {**other.enrolment, "device_id": till.device_id}):
        refused = post(stand, "/api/v1/tills", enrolment)
        assert (refused.status_code, refused.json()["code"]) == (409, "till_conflict"), refused.text


@pytest.mark.parametrize(
    "members",
    [{"public_key": "AAAA"}, {"public_key": "not base64"}, {"terminal": "t 1"}, {"device_id": "x"}, {"more": 1}],
)
def test_bad_enrolment_is_refused(stand: Stand, outlet: Outlet, members: dict) -> None:
    enrolment = BrowserTill(outlet, "BAD", AUTHORITY).enrolment | members
    refused = post(stand, "/api/v1/tills", enrolment)
    assert (refused.status_code, refused.json()["code"]) == (400, "payload_malformed"), refused.text


def test_another_merchant_sees_and_moves_nothing(stand: Stand, outlet: Outlet, till: BrowserTill) -> None:
    stranger = stand.api_key(OTHER_SELLER)
    enrolment = BrowserTill(outlet, "X1", AUTHORITY).enrolment
    assert post(stand, "/api/v1/tills", enrolment, stranger).status_code == 404
    for action in ("credential", "revoke", "tickets"):
        body = {"tickets": []} if action == "tickets" else None
        assert post(stand, f"/api/v1/tills/{till.device_id}/{action}", body, stranger).status_code == 404
    assert stand.get(f"/api/v1/outlets/{outlet.id}/tills", stranger).status_code == 404
    assert bring(stand, till)["till"]["state"] == "active"


def test_key_that_only_reads_admits_nobody(stand: Stand, outlet: Outlet, till: BrowserTill) -> None:
    reader = stand.api_key(operations=["read"])
    assert post(stand, "/api/v1/tills", till.enrolment, reader).status_code == 403
    assert post(stand, f"/api/v1/tills/{till.device_id}/credential", None, reader).status_code == 403
    listed = stand.get(f"/api/v1/outlets/{outlet.id}/tills", reader).json()["tills"]
    assert till.device_id in [found["device_id"] for found in listed]


def test_revoked_till_gets_no_credential_and_its_tickets_are_still_taken(stand: Stand, till: BrowserTill) -> None:
    assert post(stand, f"/api/v1/tills/{till.device_id}/revoke").json()["state"] == "revoked"
    assert post(stand, f"/api/v1/tills/{till.device_id}/credential").status_code == 409
    assert results(bring(stand, till, till.sell())) == ["accepted"]
    assert post(stand, "/api/v1/tills", BrowserTill(till.outlet, till.terminal, AUTHORITY).enrolment).status_code == 201


# --- tickets


def test_tickets_are_kept_once_in_any_order(stand: Stand, till: BrowserTill) -> None:
    one, two, three = till.sell(), till.sell(), till.sell()
    taken = bring(stand, till, three)
    assert (results(taken), taken["missing"], taken["till"]["counter"]) == (["accepted"], [[1, 2]], 0)
    taken = bring(stand, till, one, two, three)
    assert results(taken) == ["accepted", "accepted", "known"]
    assert (taken["missing"], taken["till"]["counter"], taken["till"]["head_hash"]) == ([], 3, till.head)
    assert told(stand, till, "offline_gap") == told(stand, till, "till_cloned") == []


def test_what_a_till_says_is_lost_is_told_once(stand: Stand, till: BrowserTill) -> None:
    one, _two, _three, four = (till.sell() for _ in range(4))
    assert bring(stand, till, one, four)["missing"] == [[2, 3]]
    for _ in range(2):
        taken = bring(stand, till, complete=True)
        assert (taken["missing"], taken["till"]["counter"]) == ([], 4)
    (gap,) = told(stand, till, "offline_gap")
    assert (gap["counter_from"], gap["counter_to"]) == (2, 3)
    assert (gap["hash_before"], gap["hash_after"]) == (till.hash(one), four["previous_hash"])


def test_lost_tickets_that_turn_up_are_kept_and_the_gap_stays_told(stand: Stand, till: BrowserTill) -> None:
    one, two, three = till.sell(), till.sell(), till.sell()
    bring(stand, till, one, three, complete=True)
    taken = bring(stand, till, two)
    assert (results(taken), taken["till"]["counter"], taken["till"]["state"]) == (["accepted"], 3, "active")
    assert len(told(stand, till, "offline_gap")) == 1 and told(stand, till, "till_cloned") == []


def test_copied_key_is_found_by_two_tickets_of_one_counter(stand: Stand, till: BrowserTill) -> None:
    bring(stand, till, till.sell())
    copy = till.copy()
    mine, theirs = till.sell(), copy.sell()
    assert bring(stand, till, mine)["till"]["state"] == "active"
    for _ in range(2):
        assert bring(stand, till, theirs)["till"]["state"] == "cloned"
    (clone,) = told(stand, till, "till_cloned")
    assert clone["counter"] == 2 and clone["hashes"] == sorted([till.hash(mine), till.hash(theirs)])
    refused = post(stand, f"/api/v1/tills/{till.device_id}/credential")
    assert (refused.status_code, refused.json()["code"]) == (409, "till_conflict")
    assert results(bring(stand, till, till.sell())) == ["accepted"]  # evidence is taken from it as before


def test_copied_key_is_found_by_what_the_next_ticket_follows(stand: Stand, till: BrowserTill) -> None:
    """Of the copy only its second ticket comes: the first one's hash is in it."""
    copy = till.copy()
    mine = till.sell()
    unseen, theirs = copy.sell(), copy.sell()
    bring(stand, till, mine)
    assert bring(stand, till, theirs)["till"]["state"] == "cloned"
    (clone,) = told(stand, till, "till_cloned")
    assert clone["counter"] == 1 and clone["hashes"] == sorted([till.hash(mine), till.hash(unseen)])


@pytest.mark.parametrize("what", ["key", "statement", "previous", "payload", "terminal", "first", "fraction"])
def test_what_the_till_did_not_sign_is_refused_and_spoils_no_other(stand: Stand, till: BrowserTill, what: str) -> None:
    good = till.sell()
    thief = BrowserTill(till.outlet, till.terminal, AUTHORITY, counter=1, head=till.head)
    bad = thief.sell() if what == "key" else till.copy().sell()
    match what:
        case "statement":
            bad["statement"]["total"] = "1.00"
        case "previous":
            bad["previous_hash"] = "11" * 32
        case "payload":
            bad["payload"]["lines"][0]["quantity"] = "2"
        case "terminal":
            bad = till.copy().sell(terminal="OTHER")
        case "first":
            bad = BrowserTill(till.outlet, till.terminal, AUTHORITY, key=till.key, head="22" * 32).sell()
        case "fraction":
            bad["payload"]["lines"][0]["quantity"] = 0.5
    taken = bring(stand, till, bad, good)
    assert results(taken) == ["refused", "accepted"], taken
    assert taken["results"][0]["detail"]
    assert taken["till"]["counter"] == 1 and taken["till"]["state"] == "active"


def test_a_body_that_is_no_batch_is_refused(stand: Stand, till: BrowserTill) -> None:
    path = f"/api/v1/tills/{till.device_id}/tickets"
    ticket = till.sell()
    for body in ({}, {"tickets": [ticket] * 101}, {"tickets": [{**ticket, "more": 1}]}, []):
        assert post(stand, path, body).status_code == 400
    assert post(stand, "/api/v1/tills/nobody/tickets", {"tickets": []}).status_code == 404


# --- for ever


def test_chain_with_tills_verifies_and_nobody_changes_what_they_said(stand: Stand, till: BrowserTill) -> None:
    bring(stand, till, till.sell())
    done = stand.verify(till.outlet)
    assert done.returncode == 0, done.stdout + done.stderr
    for statement in (
        "DELETE FROM signer.till_ticket",
        "UPDATE signer.till_ticket SET payload = ''",
        "DELETE FROM signer.till",
        "UPDATE signer.till SET counter = 0 WHERE counter > 0",
        "UPDATE signer.till SET state = 'active' WHERE state <> 'active'",
        "UPDATE signer.till SET public_der = ''",
    ):
        with pytest.raises(psycopg.Error):
            stand.rows(statement)


def test_statement_of_a_till_entry_has_no_document(stand: Stand, till: BrowserTill) -> None:
    ((statement,),) = stand.rows(
        "SELECT statement FROM signer.entry WHERE outlet_id = %s AND index = %s", till.outlet.id, till.credential_id
    )
    members = json.loads(bytes(statement))
    assert (members["fiscal_number"], members["document_type"], members["total"]) == ("", "", "0.00")
    assert set(members) == set(Statement.__struct_fields__)
