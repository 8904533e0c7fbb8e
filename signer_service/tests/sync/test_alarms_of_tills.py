"""Gaps and clones of tills are alarms of their outlet: in the answer, among the events and in the gauge."""

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ..support.databases import throw_away_database
from ..support.processes import free_port, wait_until
from ..support.stand import AUTHORITY, Outlet, Stand
from ..tills.browser import BrowserTill
from ..tills.calls import bring, post, told
from .test_sync_status import alarms, events, gauge, status


@pytest.fixture(scope="module")
def signer(cluster, token, sandbox, tmp_path_factory) -> Iterator[Stand]:
    """It looks for alarms all the time."""
    with throw_away_database(cluster) as database:
        folder = tmp_path_factory.mktemp("tills") / "signer"
        signer = Stand(folder, database, token, sandbox, alarm_interval=0.2, metrics_port=free_port())
        signer.start()
        yield signer
        signer.close()


@pytest.fixture
def outlet(signer: Stand) -> Outlet:
    return signer.outlet(mode="deferred")


def counters(signer: Stand) -> list[float]:
    """Tickets accepted, known and refused, and gaps told."""
    url = f"http://127.0.0.1:{signer.environment['BONOPAY_SIGNER_METRICS_PORT']}/metrics"
    found = {
        (sample.name.removeprefix("bonopay_signer_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(httpx.get(url).text)
        for sample in family.samples
    }
    names = [("tickets_total", result) for result in ("accepted", "known", "refused")]
    return [found.get(name, 0) for name in [*names, ("tills_told_total", "offline_gap")]]


def enrolled(signer: Stand, outlet: Outlet, terminal: str) -> BrowserTill:
    till = BrowserTill(outlet, terminal, AUTHORITY)
    assert post(signer, "/api/v1/tills", till.enrolment).status_code == 201
    return till


def test_lost_tickets_are_an_alarm_until_they_turn_up(signer: Stand, outlet: Outlet) -> None:
    one, other = enrolled(signer, outlet, "T1"), enrolled(signer, outlet, "T2")
    sold = [one.sell() for _ in range(6)]
    bring(signer, one, sold[0], sold[3], sold[5])
    assert alarms(signer, outlet) == {}, "it may bring them yet"
    bring(signer, one, complete=True)
    theirs = [other.sell() for _ in range(2)]
    bring(signer, other, theirs[1], complete=True)
    (alarm,) = status(signer, outlet)["alarms"]
    assert (alarm["code"], alarm["level"]) == ("tickets_missing", "warning")
    assert "T1, T2" in alarm["message"]["fr"] and alarm["message"]["fr"].endswith(" : 4.")
    wait_until(lambda: events(signer, outlet, "tickets_missing") == [("alarm.began", "warning")], "it is told")
    assert gauge(signer, "tickets_missing", "warning") == 1
    bring(signer, one, sold[1], sold[2])
    (alarm,) = status(signer, outlet)["alarms"]
    assert alarm["message"]["fr"].endswith(" : 2.")
    bring(signer, one, sold[4])
    bring(signer, other, theirs[0])
    assert alarms(signer, outlet) == {}
    wait_until(lambda: events(signer, outlet, "tickets_missing")[-1] == ("alarm.ended", None), "its end is told")
    assert len(told(signer, one, "offline_gap")) == 2, "the entries stay"


def test_lost_tickets_are_an_alarm_for_a_week(signer: Stand, outlet: Outlet) -> None:
    till = enrolled(signer, outlet, "T1")
    till.sell()
    bring(signer, till, till.sell(), complete=True)
    assert alarms(signer, outlet) == {"tickets_missing": "warning"}
    with signer.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        for days, expected in ((6.9, {"tickets_missing": "warning"}), (7.1, {})):
            connection.execute("SELECT signer.ensure_month(now() - make_interval(secs => %s))", [days * 86400])
            connection.execute(
                "UPDATE signer.entry SET sealed_at = now() - make_interval(secs => %s) "
                "WHERE kind = 'offline_gap' AND outlet_id = %s",
                [days * 86400, outlet.id],
            )
            assert alarms(signer, outlet) == expected


def test_copied_key_is_an_alarm_until_it_is_revoked(signer: Stand, outlet: Outlet) -> None:
    till = enrolled(signer, outlet, "T1")
    copy = till.copy()
    bring(signer, till, till.sell())
    bring(signer, copy, copy.sell(issued_at="2026-11-21T08:31:00Z"))
    (alarm,) = status(signer, outlet)["alarms"]
    assert (alarm["code"], alarm["level"]) == ("till_cloned", "critical") and alarm["since"] is not None
    assert "T1" in alarm["message"]["fr"] and "Révoquer" in alarm["next_step"]["fr"]
    wait_until(lambda: events(signer, outlet, "till_cloned") == [("alarm.began", "critical")], "it is told")
    assert gauge(signer, "till_cloned", "critical") == 1
    post(signer, f"/api/v1/tills/{till.device_id}/revoke")
    assert alarms(signer, outlet) == {}
    bring(signer, copy, copy.sell(), till.sell())
    assert alarms(signer, outlet) == {}, "what is revoked is of no more concern"


def test_gap_that_somebody_changed_by_hand_keeps_no_other_alarm_from_being_told(signer: Stand, outlet: Outlet) -> None:
    till = enrolled(signer, outlet, "T1")
    till.sell()
    bring(signer, till, till.sell(), complete=True)
    with signer.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE signer.entry SET payload = 'x' WHERE kind = 'offline_gap' AND outlet_id = %s", [outlet.id]
        )
    assert alarms(signer, outlet) == {}
    assert signer.verify(outlet).returncode == 1


def test_tickets_and_what_is_told_of_tills_are_counted(signer: Stand, outlet: Outlet) -> None:
    till = enrolled(signer, outlet, "T1")
    before = counters(signer)
    sold = [till.sell() for _ in range(3)]
    bring(signer, till, sold[0], sold[2], sold[2], {**sold[1], "previous_hash": "11" * 32}, complete=True)
    assert [new - old for new, old in zip(counters(signer), before, strict=True)] == [2, 1, 1, 1]
