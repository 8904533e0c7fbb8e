"""Too many requests are told to wait, each merchant for itself; a flood of one delays only that one."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.api.problems import Problem
from bonopay_signer.tenants import limits
from bonopay_signer.tenants.apikeys import ApiKey
from bonopay_signer.tenants.limits import Rate, RateLimits, TokenBucket

from ..support.sandbox import OTHER_SELLER
from ..support.stand import Outlet, Stand, document


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _key(prefix: str = "aaaaaaaaaaaa", limit: int | None = None, burst: int | None = None) -> ApiKey:
    return ApiKey(prefix, "A1234567B", b"", None, ["seal"], None, None, None, limit, burst)


@given(
    rate=st.integers(1, 50),
    burst=st.integers(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5)), max_size=60),
)
def test_never_more_than_burst_and_rate_allow(rate: int, burst: int, steps: list[tuple[float, int]]) -> None:
    bucket, now, taken = TokenBucket(Rate(rate, burst), 0.0), 0.0, 0
    for pause, wanted in steps:
        now += pause
        taken += sum(bucket.take(now) == 0 for _ in range(wanted))
        assert taken <= burst + rate * now + 1e-6


@given(rate=st.integers(1, 50), burst=st.integers(1, 100), debt=st.integers(0, 200))
def test_the_wait_that_is_told_is_enough_and_not_too_long(rate: int, burst: int, debt: int) -> None:
    bucket = TokenBucket(Rate(rate, burst), 0.0)
    assert [bucket.take(0.0) for _ in range(burst)] == [0] * burst
    bucket.owe(debt, 0.0)
    wait = bucket.take(0.0)
    assert wait == pytest.approx((debt + 1) / rate)
    assert bucket.take(wait * 0.9) > 0
    assert bucket.take(wait + 1e-6) == 0


def test_batch_larger_than_the_burst_gets_through_and_is_paid_off_by_those_after_it() -> None:
    clock = Clock()
    taken, key = RateLimits(Rate(10, 20), Rate(0, 1), clock), _key()
    taken.take_of_key(key)
    taken.charge_key(key, 99)
    with pytest.raises(Problem) as caught:
        taken.take_of_key(key)
    assert caught.value.headers["Retry-After"] == "9"
    clock.now += 8.2
    taken.take_of_key(key)


def test_each_key_and_each_outlet_has_a_bucket_of_its_own() -> None:
    clock = Clock()
    taken = RateLimits(Rate(1, 2), Rate(1, 1), clock)
    first, second = _key(), _key("bbbbbbbbbbbb")
    for key in (first, first, second, second):
        taken.take_of_key(key)
    taken.take_of_outlet("KIN001")
    taken.take_of_outlet("KIN002")
    for refused in (lambda: taken.take_of_key(first), lambda: taken.take_of_outlet("KIN001")):
        with pytest.raises(Problem) as caught:
            refused()
        assert caught.value.code == "rate_limited" and caught.value.headers["Retry-After"] == "1"
    clock.now += 1
    taken.take_of_key(first)
    taken.take_of_outlet("KIN001")


def test_key_s_own_limits_go_before_the_settings_and_hold_from_when_they_change() -> None:
    taken = RateLimits(Rate(1000, 1000), Rate(0, 1), Clock())
    for _ in range(3):
        taken.take_of_key(_key(limit=1, burst=3))
    with pytest.raises(Problem) as caught:
        taken.take_of_key(_key(limit=1, burst=3))
    assert caught.value.headers == {
        "Retry-After": "1",
        "RateLimit-Policy": '"api-key";q=3;w=3',
        "RateLimit": '"api-key";r=0;t=1',
    }
    taken.take_of_key(_key(limit=10))


def test_rate_of_zero_is_no_limit() -> None:
    taken = RateLimits(Rate(0, 1), Rate(0, 1), Clock())
    for _ in range(1000):
        taken.take_of_key(_key())
        taken.take_of_outlet("KIN001")
    assert not taken._buckets


def test_buckets_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_BUCKETS", 10)
    taken = RateLimits(Rate(1, 1), Rate(1, 1), Clock())
    for number in range(100):
        taken.take_of_outlet(f"OUT{number}")
    assert len(taken._buckets) == 10


# --- over HTTP


@pytest.fixture(scope="module")
def limited(cluster: str, token, sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    from ..support.databases import throw_away_database

    with throw_away_database(cluster) as database:
        folder = tmp_path_factory.mktemp("limited") / "signer"
        stand = Stand(folder, database, token, sandbox, outlet_rate=0.1, outlet_burst=2)
        stand.start()
        yield stand
        stand.close()


def test_outlet_above_its_rate_is_told_to_wait_and_nothing_is_sealed(limited: Stand) -> None:
    outlet, other = limited.outlet(mode="deferred"), limited.outlet(mode="deferred")
    payloads = [document(outlet) for _ in range(3)]
    assert [limited.post(payload).status_code for payload in payloads] == [201, 201, 429]
    refused = limited.post(payloads[2])
    problem = refused.json()
    assert (problem["code"], problem["retryable"]) == ("rate_limited", True)
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert refused.headers["ratelimit-policy"] == '"outlet";q=2;w=20'
    assert refused.headers["ratelimit"].startswith('"outlet";r=0;t=')
    assert limited.post(document(other)).status_code == 201, "another outlet does not wait"
    assert len([kind for _, kind, _ in limited.entries(outlet) if kind == "invoice"]) == 2


def test_key_above_its_rate_is_told_to_wait_on_every_route(limited: Stand) -> None:
    key = limited.api_key()
    changed = limited.command("api-key", "change", key.split("_")[1], "--rate", "1", "--burst", "1")
    assert changed.returncode == 0, changed.stderr
    outlet = limited.outlet()
    path = f"/api/v1/outlets/{outlet.id}"
    statuses = [limited.get(path, key=key).status_code for _ in range(5)]
    assert statuses[0] == 200 and 429 in statuses
    number = "/api/v1/invoices/BONO-KIN001-01-000000001"
    answers = [limited.get(where, key=key).headers.get("ratelimit-policy") for where in (path, number) * 3]
    assert '"api-key";q=1;w=1' in answers
    assert limited.get(path).status_code == 200, "another key does not wait"


# --- fair between merchants


@contextmanager
def _flood(stand: Stand, outlet: Outlet, tills: int) -> Iterator[list[float]]:
    """As many tills as fast as they can, until the end; their waits."""
    waits: list[float] = []
    stop = threading.Event()

    def till() -> None:
        while not stop.is_set():
            waits.append(_seconds(stand, outlet, stand.key))

    with ThreadPoolExecutor(tills) as pool:
        for _ in range(tills):
            pool.submit(till)
        try:
            yield waits
        finally:
            stop.set()


def _seconds(stand: Stand, outlet: Outlet, key: str) -> float:
    started = time.monotonic()
    response = stand.post(document(outlet), key=key)
    assert response.status_code == 201, response.text
    return time.monotonic() - started


def test_greedy_merchant_does_not_delay_a_modest_one(new_stand: Callable[..., Stand]) -> None:
    """The ledger is made slow, so that a long line of the greedy one's documents stands before it: one who comes with
    one document does not stand behind that line."""
    stand = new_stand(batch_size=1, outlet_rate=0, key_rate=0, seal_patience=60)
    stand.start()
    greedy, modest = stand.outlet(mode="deferred"), stand.outlet(OTHER_SELLER, mode="deferred")
    modest_key = stand.api_key(OTHER_SELLER)
    _seconds(stand, modest, modest_key)
    with _flood(stand, greedy, tills=40) as greedy_waits:
        while len(greedy_waits) < 60:
            time.sleep(0.05)
        greedy_waits.clear()
        modest_waits = [_seconds(stand, modest, modest_key) for _ in range(20)]
    assert len(greedy_waits) > 40
    # In one line for all, both would wait the same.
    assert statistics.median(modest_waits) < 0.5 * statistics.median(greedy_waits)
