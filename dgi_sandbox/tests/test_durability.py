"""Expiry, restarts and many callers at once."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bonopay_dgi_sandbox.accounts import Accounts, Outlet
from bonopay_dgi_sandbox.device import Device
from bonopay_dgi_sandbox.errors import RefusalError
from bonopay_dgi_sandbox.faults import Clock, Faults
from bonopay_dgi_sandbox.store import Store
from bonopay_dgi_sandbox.tables import load_tables
from bonopay_dgi_sandbox.wire import encode

from .sandbox import ISF, NIF, NIM, SECOND_NIM, Client, Sandbox, sale

OUTLET = Outlet(NIM, "Gombe", "12 avenue du Commerce", NIF, "SARL", ISF)
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
TOTALS = b'{"total":29.97,"vtotal":4.13}'


class Bench:
    """A device on a real file and a clock that moves when told."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        faults = Faults()
        clock = Clock(faults, lambda: self.now)
        self.device = Device(Store(folder / "dgi.sqlite"), load_tables(), Accounts([OUTLET]), clock, faults)

    def submit(self, rn: str = "FV-1") -> dict[str, Any]:
        return self.device.submit(OUTLET, encode(sale(rn)))

    def after(self, seconds: float) -> None:
        self.now = START + timedelta(seconds=seconds)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_invoice_may_be_confirmed_until_120_seconds(bench: Bench) -> None:
    uid = bench.submit()["uid"]
    bench.after(119.9)
    assert bench.device.confirm(OUTLET, uid, TOTALS)["counters"] == "1/1 FV"


@pytest.mark.parametrize("step", ["confirm", "cancel"])
def test_invoice_is_lost_after_120_seconds(bench: Bench, step: str) -> None:
    uid = bench.submit()["uid"]
    bench.after(120)
    arguments = (TOTALS,) if step == "confirm" else ()
    with pytest.raises(RefusalError) as refusal:
        getattr(bench.device, step)(OUTLET, uid, *arguments)
    assert (refusal.value.row.name, "120" in refusal.value.detail) == ("uid_unknown", True)
    assert bench.device.details(OUTLET, uid)["state"] == "expired"


def test_expired_invoices_free_their_places_and_their_numbers(bench: Bench) -> None:
    for rank in range(10):
        bench.submit(f"FV-{rank}")
    with pytest.raises(RefusalError):
        bench.submit("FV-10")
    bench.after(120)
    assert bench.device.status(OUTLET, 0)["pendingRequestsCount"] == 0
    uid = bench.submit("FV-0")["uid"]
    assert bench.device.confirm(OUTLET, uid, TOTALS)["counters"] == "1/1 FV"


def test_time_of_certification_is_the_legal_time(bench: Bench) -> None:
    uid = bench.submit()["uid"]
    bench.after(61)
    elements = bench.device.confirm(OUTLET, uid, TOTALS)
    assert elements["dateTime"] == "2026-01-05T13:01:01+01:00"
    assert elements["qrCode"].endswith(";20260105130101")


def test_delay_is_an_option(launch: Callable[..., Sandbox]) -> None:
    service = launch("--pending-seconds", "30")
    client = service.client()
    pending = client.submit(sale())
    service.faults(clock_offset_s=31)
    assert client.confirm(pending)["errorCode"] == "20"
    assert client.details(pending)["state"] == "expired"


@pytest.mark.parametrize("end", [Sandbox.stop, Sandbox.kill], ids=["stop", "kill"])
def test_restart_keeps_counters_and_pending(launch: Callable[..., Sandbox], end: Callable[[Sandbox], None]) -> None:
    service = launch()
    client = service.client()
    code = client.certify(sale("FV-1"))["codeDEFDGI"]
    pending = client.submit(sale("FV-2"))
    known = len(service.exchanges())
    end(service)
    client = service.start().client()
    assert [waiting["uid"] for waiting in client.status()["pendingRequestsList"]] == [pending["uid"]]
    second = client.confirm(pending)
    assert second["counters"] == "2/2 FV" and second["codeDEFDGI"] != code
    assert client.submit(sale("FV-1"))["errorCode"] == "105"
    assert len(service.exchanges()) == known + 3


def certify_several(service: Sandbox, nim: str, worker: int, count: int) -> list[dict[str, Any]]:
    client = service.client(nim)
    kinds = ("FV", "EV")
    return [client.certify(sale(f"{nim}-{worker}-{rank}", type=kinds[rank % 2])) for rank in range(count)]


def test_concurrent_confirms_leave_no_gap_in_the_counters(service: Sandbox) -> None:
    workers, each = 6, 6
    jobs = [(nim, worker) for worker in range(workers) for nim in (NIM, SECOND_NIM)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        certified = list(pool.map(lambda job: certify_several(service, *job, each), jobs))
    for nim in (NIM, SECOND_NIM):
        elements = [one for answers in certified for one in answers if one["nim"] == nim]
        pairs = [one["counters"].replace("/", " ").split() for one in elements]
        assert sorted(int(total) for _, total, _ in pairs) == list(range(1, workers * each + 1))
        for kind in ("FV", "EV"):
            own = sorted((int(total), int(rank)) for rank, total, found in pairs if found == kind)
            assert [rank for _, rank in own] == list(range(1, workers * each // 2 + 1)), "both counters rise together"
    codes = [one["codeDEFDGI"] for answers in certified for one in answers]
    assert len(set(codes)) == len(codes) == 2 * workers * each


def test_one_of_many_simultaneous_confirms_wins(client: Client) -> None:
    pending = client.submit(sale())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.confirm(pending), range(8)))
    assert sorted(str(answer["errorCode"]) for answer in answers) == ["20"] * 7 + ["None"]


def test_limit_of_ten_holds_under_simultaneous_submissions(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda rank: client.submit(sale(f"FV-{rank}")), range(16)))
    assert sorted(str(answer["errorCode"]) for answer in answers) == ["1"] * 6 + ["None"] * 10


def test_same_number_confirmed_at_once_is_certified_once(client: Client) -> None:
    pending = [client.submit(sale("FV-1")) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(client.confirm, pending))
    assert sorted(str(answer["errorCode"]) for answer in answers) == ["105"] * 5 + ["None"]


def test_two_processes_on_one_database_share_the_counters(service: Sandbox) -> None:
    twin = service.twin().start()
    try:
        with ThreadPoolExecutor(2) as pool:
            jobs = [(service, 1), (twin, 2)]
            certified = list(pool.map(lambda job: certify_several(job[0], NIM, job[1], 8), jobs))
    finally:
        twin.stop()
    totals = [int(one["counters"].split()[0].split("/")[1]) for answers in certified for one in answers]
    assert sorted(totals) == list(range(1, 17))


def test_page_is_served_while_invoices_come_in(service: Sandbox) -> None:
    with ThreadPoolExecutor(3) as pool:
        work = [pool.submit(certify_several, service, NIM, worker, 4) for worker in range(2)]
        pages = [httpx.get(f"{service.url}/").status_code for _ in range(10)]
        assert pages == [200] * 10
        assert all(len(one.result()) == 4 for one in work)


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE invoice SET rn = 'FV-1' WHERE rn = 'FV-2'",
        "UPDATE invoice SET total_counter = 1 WHERE rn = 'FV-2'",
        "UPDATE invoice SET type_counter = 1 WHERE rn = 'FV-2'",
        "UPDATE invoice SET code = (SELECT code FROM invoice WHERE rn = 'FV-1') WHERE rn = 'FV-2'",
        "UPDATE invoice SET state = 'cancelled' WHERE rn = 'FV-2'",
        "UPDATE invoice SET code = NULL WHERE rn = 'FV-2'",
    ],
)
def test_database_itself_refuses_a_false_certificate(client: Client, service: Sandbox, forgery: str) -> None:
    client.certify(sale("FV-1"))
    client.certify(sale("FV-2"))
    with sqlite3.connect(service.database) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(forgery)
