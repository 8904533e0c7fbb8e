"""An outlet whose DGI is silent is asked seldom, noticed when it is back, and costs the others nothing."""

from collections.abc import Callable

import pytest

from bonopay_signer.sealing import breakers
from bonopay_signer.sealing.breakers import Breakers

from ..support.processes import wait_until
from ..support.stand import Stand, document

NOBODY = "http://127.0.0.1:9/edef"
SALES = 40


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(breakers.random, "uniform", lambda _low, _high: 1.0)
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> Breakers:
    found = Breakers(clock=clock)
    for _ in range(5):
        assert found.may_ask("KIN001")
        found.unanswered("KIN001")
    return found


def test_five_failures_in_a_row_open_a_breaker_and_four_do_not(clock: Clock) -> None:
    found = Breakers(clock=clock)
    for _ in range(3):
        for _ in range(4):
            found.unanswered("KIN001")
        assert (found.state("KIN001"), found.may_ask("KIN001")) == ("closed", True)
        found.answered("KIN001")
    for _ in range(5):
        found.unanswered("KIN001")
    assert (found.state("KIN001"), found.may_ask("KIN001"), found.resting()) == ("open", False, ["KIN001"])


def test_an_open_breaker_lets_one_attempt_through_after_a_minute(clock: Clock, opened: Breakers) -> None:
    clock.now += 59.9
    assert not opened.may_ask("KIN001")
    clock.now += 0.2
    assert opened.state("KIN001") == "half_open"
    assert opened.may_ask("KIN001") and not opened.may_ask("KIN001"), "one attempt, not two"


def test_the_attempt_that_gets_an_answer_closes_it(clock: Clock, opened: Breakers) -> None:
    clock.now += 61
    assert opened.may_ask("KIN001")
    opened.answered("KIN001")
    assert opened.state("KIN001") == "closed" and opened.resting() == []
    opened.unanswered("KIN001")
    assert opened.may_ask("KIN001"), "the count starts again"


def test_the_attempt_that_gets_none_leaves_it_open_for_another_minute(clock: Clock, opened: Breakers) -> None:
    clock.now += 61
    assert opened.may_ask("KIN001")
    clock.now += 15
    opened.unanswered("KIN001")
    clock.now += 44
    assert not opened.may_ask("KIN001")
    clock.now += 2
    assert opened.may_ask("KIN001")


def test_an_attempt_that_never_reports_does_not_keep_it_open_for_ever(clock: Clock, opened: Breakers) -> None:
    clock.now += 61
    assert opened.may_ask("KIN001")
    clock.now += 61
    assert opened.may_ask("KIN001")


def test_attempts_that_were_under_way_do_not_keep_it_open_for_longer(clock: Clock, opened: Breakers) -> None:
    for _ in range(100):
        clock.now += 0.5
        opened.unanswered("KIN001")
    clock.now += 11
    assert opened.may_ask("KIN001")


def test_outlets_have_breakers_of_their_own_and_do_not_come_back_in_step() -> None:
    clock = Clock()
    found = Breakers(clock=clock)
    names = [f"OUT{number:03d}" for number in range(100)]
    for name in names * 5:
        found.unanswered(name)
    assert found.may_ask("KIN001") and len(found.resting()) == 100
    clock.now += 60
    back = sum(found.state(name) == "half_open" for name in names)
    assert 20 < back < 80, "their rests differ by up to a fifth"
    clock.now += 6
    assert found.resting() == []


def test_a_long_queue_at_a_silent_dgi_is_asked_for_by_few_and_settled_when_it_is_back(
    new_stand: Callable[..., Stand],
) -> None:
    stand = new_stand(recovery_interval=0.1, dgi_breaker_rest=2)
    stand.start()
    outlet = stand.outlet(mode="deferred", dgi_url=NOBODY)
    for _ in range(SALES):
        assert stand.post(document(outlet)).status_code == 201
    asked = "SELECT count(DISTINCT fiscal_number), count(*) FROM signer.dgi_exchange WHERE outlet_id = %s"
    wait_until(lambda: stand.rows(asked, outlet.id)[0][1] >= 5, "the outage is noticed")
    ((documents, _),) = stand.rows(asked, outlet.id)
    assert documents < SALES / 2, "every waiting document was tried by itself"
    stand.change_outlet(outlet, dgi_url=stand.relay.url)
    wait_until(lambda: stand.settled(outlet), "all are settled", 120)
    stand.assert_sound(outlet, SALES)


def test_the_oldest_is_certified_first(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand(recovery_interval=0.1, dgi_parallel_per_outlet=1)
    stand.start()
    outlet = stand.outlet(mode="deferred", dgi_url=NOBODY)
    for _ in range(12):
        assert stand.post(document(outlet)).status_code == 201
    stand.change_outlet(outlet, dgi_url=stand.relay.url)
    wait_until(lambda: stand.settled(outlet), "all are settled", 60)
    # Those that were tried in vain wait for their turn; of the others none overtakes an older one.
    certified = "SELECT fiscal_number FROM signer.entry WHERE outlet_id = %s AND kind = 'dgi_certified' ORDER BY index"
    tried = "SELECT fiscal_number FROM signer.submission WHERE outlet_id = %s AND attempts > 0"
    in_vain = {number for (number,) in stand.rows(tried, outlet.id)}
    order = [number for (number,) in stand.rows(certified, outlet.id) if number not in in_vain]
    assert len(order) >= 4 and order == sorted(order)
