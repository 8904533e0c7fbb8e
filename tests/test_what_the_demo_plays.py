"""`./bonopay demo` leaves a merchant's invoices in every state, and a second run of it leaves them as they are."""

import json
from typing import Any

import pytest

from launcher.odoo import Session
from launcher.story import BRANCH, DRAFTS, Story
from tests.conftest import Suite

TYPES = {"FV", "FT", "FA", "EV", "ET", "EA"}
#: Where a run may be stopped: what it has just posted or created, and taken no note of yet.
STOPS = ("rejected", "account.journal", "bonopay.outlet")


class Stopped(Exception):
    pass


class StoppedStory(Story):
    def __init__(self, suite: Suite, stop: str):
        super().__init__(suite.instance, suite.database)
        self._stop = stop

    def _post(self, name: str) -> None:
        super()._post(name)
        self._stop_after(name)

    def _create(self, session: Session, model: str, context: dict[str, Any] | None = None, **values: Any) -> int:
        created = super()._create(session, model, context, **values)
        self._stop_after(model)
        return created

    def _stop_after(self, name: str) -> None:
        if name == self._stop:
            raise Stopped(name)


@pytest.fixture(scope="module")
def story(suite: Suite) -> Story:
    """It is stopped at each of `STOPS` before it is played to its end: that must not show in what it leaves."""
    for stop in STOPS:
        with pytest.raises(Stopped):
            StoppedStory(suite, stop).play()
    told = Story(suite.instance, suite.database)
    told.play()
    return told


@pytest.fixture(scope="module")
def documents(story: Story) -> dict[str, dict]:
    """What the story made, by its names for it."""
    by_id = {move["id"]: move for move in story.listed()}
    return {name: by_id[invoice] for name, invoice in story.documents.items()}


def test_all_six_types_are_normalised(documents: dict[str, dict]) -> None:
    named = (*DRAFTS, "return", "export_return", "replacement")
    assert {name: documents[name]["bonopay_state"] for name in named} == dict.fromkeys(named, "certified")
    assert {documents[name]["bonopay_invoice_type"] for name in named} == TYPES


def test_one_is_refused_for_its_rate(story: Story, documents: dict[str, dict]) -> None:
    assert documents["refused"]["bonopay_state"] == "invalid"
    [move] = story.accountant.call("account.move", "read", [story.documents["refused"]], ["bonopay_message"])
    assert "2450" in move["bonopay_message"]


def test_one_that_the_dgi_rejected_is_cancelled_and_replaced(documents: dict[str, dict]) -> None:
    assert (documents["rejected"]["state"], documents["rejected"]["bonopay_state"]) == ("cancel", "rejected")
    assert documents["replacement"]["amount_total"] == documents["rejected"]["amount_total"]


def test_some_wait_for_the_dgi_and_one_is_a_draft(documents: dict[str, dict]) -> None:
    for name in ("waiting", "waiting_too"):
        assert (documents[name]["state"], documents[name]["bonopay_state"]) == ("posted", "sealed")
    assert (documents["draft"]["state"], documents["draft"]["bonopay_state"]) == ("draft", False)


def test_a_second_run_doubles_nothing(suite: Suite, story: Story) -> None:
    before = _held(story.accountant)
    again = Story(suite.instance, suite.database)
    again.play()
    assert again.documents == story.documents
    assert _held(story.accountant) == before


def test_a_run_that_was_interrupted_goes_on_where_it_was(suite: Suite, story: Story) -> None:
    before = _held(story.accountant)
    kept = suite.instance.folder / "story.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "done": []}))
    again = Story(suite.instance, suite.database)
    again.play()
    assert again.documents == story.documents
    assert _held(story.accountant) == before


def _held(session: Session) -> list[int]:
    """How many invoices, seals and outlets there are."""
    return [
        session.call("account.move", "search_count", [["move_type", "in", ["out_invoice", "out_refund"]]]),
        session.call("bonopay.seal", "search_count", []),
        session.call("bonopay.outlet", "search_count", [["code", "=", BRANCH["outlet"]]]),
    ]
