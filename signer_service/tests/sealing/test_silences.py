"""An outage of the DGI costs the signer little, however many documents wait, and its end is noticed."""

from collections.abc import Callable

import pytest

from bonopay_signer.sealing import silences
from bonopay_signer.sealing.silences import Silences

from ..support.processes import wait_until
from ..support.stand import Stand, document

NOBODY = "http://127.0.0.1:9/edef"
SALES = 40


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(silences.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(silences.random, "uniform", lambda _low, high: high)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_silent_outlet_is_asked_once_after_each_rest_and_rests_grow(clock: Clock) -> None:
    silent = Silences(300)
    rests = []
    silent.unanswered("KIN001")
    for _ in range(8):
        asked_at = clock.now
        while not silent.may_ask("KIN001"):
            assert silent.resting() == ["KIN001"]
            clock.now += 0.5
        rests.append(clock.now - asked_at)
        assert not silent.may_ask("KIN001"), "one document at a time"
        clock.now += 60  # the attempt takes its time, and fails
        silent.unanswered("KIN001")
    assert rests == [1, 2, 4, 8, 16, 30, 30, 30]


def test_attempts_that_were_under_way_together_count_as_one(clock: Clock) -> None:
    silent = Silences(300)
    for _ in range(10):
        silent.unanswered("KIN001")
    clock.now += 1
    assert silent.may_ask("KIN001")


def test_an_answer_ends_the_silence_of_that_outlet_alone(clock: Clock) -> None:
    silent = Silences(300)
    silent.unanswered("KIN001")
    silent.unanswered("KIN002")
    silent.answered("KIN001")
    assert silent.may_ask("KIN001") and silent.may_ask("KIN001")
    assert silent.resting() == ["KIN002"]


def test_a_long_queue_at_a_silent_dgi_is_asked_for_by_few_and_settled_when_it_is_back(
    new_stand: Callable[..., Stand],
) -> None:
    stand = new_stand(recovery_interval=0.1)
    stand.start()
    outlet = stand.outlet(mode="deferred", dgi_url=NOBODY)
    for _ in range(SALES):
        assert stand.post(document(outlet)).status_code == 201
    asked = "SELECT count(DISTINCT fiscal_number) FROM signer.dgi_exchange WHERE outlet_id = %s"
    attempts = "SELECT count(*) FROM signer.submission WHERE outlet_id = %s AND attempts > 0"
    wait_until(lambda: stand.rows(attempts, outlet.id)[0][0] >= 2, "the outage is noticed")
    ((documents,),) = stand.rows(asked, outlet.id)
    assert documents < SALES / 2, "every waiting document was tried by itself"
    stand.change_outlet(outlet, dgi_url=stand.relay.url)
    wait_until(lambda: stand.settled(outlet), "all are settled", 120)
    stand.assert_sound(outlet, SALES)
