"""An outlet's MCF in ``GET /api/v1/sync/status``, its alarm, and the restart of the sending (SFE §1.6)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bonopay_signer.tenants.actions import actor

from ..dgi.mcf.twin import McfTwin
from ..support.databases import throw_away_database
from ..support.processes import wait_until
from ..support.stand import Outlet, Stand, document
from .test_sync_status import NOBODY, alarms, events, status

MID = "CD09900001-9"


@pytest.fixture(scope="module")
def signer(cluster, token, sandbox, tmp_path_factory) -> Iterator[Stand]:
    """It looks for alarms all the time, asks the MCFs every second, and what failed waits for an hour."""
    with throw_away_database(cluster) as database:
        slow = {"dgi_breaker_rest": 3600, "recovery_backoff_max": 3600, "dgi_breaker_failures": 2}
        folder = tmp_path_factory.mktemp("mcfs") / "signer"
        signer = Stand(folder, database, token, sandbox, alarm_interval=0.2, mcf_interval=1, **slow)
        signer.start()
        yield signer
        signer.close()


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McfTwin]:
    twin = McfTwin(tmp_path_factory.mktemp("twin"), MID)
    yield twin
    twin.kill()


@pytest.fixture
def both(signer: Stand, twin: McfTwin) -> Iterator[Outlet]:
    """An outlet with an e-MCF and the twin as its spare."""
    outlet = signer.outlet(mode="deferred")
    signer.set_mcf(outlet, MID, twin.port)
    yield outlet
    assert signer.command("outlet", "remove-mcf", outlet.id).returncode == 0


def told(signer: Stand, outlet: Outlet) -> dict[str, dict]:
    return {device["kind"]: device for device in status(signer, outlet)["devices"]}


def test_devices_are_told_with_what_the_mcf_told_of_its_link(signer: Stand, both: Outlet, twin: McfTwin) -> None:
    wait_until(lambda: told(signer, both)["mcf"]["last_dgi_contact"], "the MCF was asked")
    mcf, emcf = told(signer, both)["mcf"], told(signer, both)["emcf"]
    assert (mcf["nim"], mcf["role"], mcf["in_use"], mcf["breaker"], mcf["backlog"]) == (
        MID,
        "spare",
        False,
        "closed",
        0,
    )
    contact = datetime.fromisoformat(mcf["last_dgi_contact"])
    assert abs(datetime.now(UTC) - contact) < timedelta(minutes=5), "C2h.DT is Kinshasa's time"
    assert (emcf["role"], emcf["in_use"], emcf["backlog"], emcf["last_dgi_contact"]) == ("main", True, None, None)
    signer.set_mcf(both, MID, twin.port, is_main=True)
    assert [device["kind"] for device in status(signer, both)["devices"]] == ["mcf", "emcf"]


def test_mcf_that_falls_silent_is_told_and_the_emcf_is_not_blamed(signer: Stand, both: Outlet, twin: McfTwin) -> None:
    wait_until(lambda: told(signer, both)["mcf"]["answered_at"], "the MCF was asked")
    twin.kill()
    wait_until(lambda: told(signer, both)["mcf"]["silent_since"], "it does not answer any more")
    assert told(signer, both)["emcf"]["silent_since"] is None
    twin.restart()
    wait_until(lambda: told(signer, both)["mcf"]["silent_since"] is None, "it answers again")


def test_mcf_without_contact_for_a_week_is_alarmed_and_reminded_daily_over_restarts(
    signer: Stand, both: Outlet, twin: McfTwin
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=8)
    twin.stand("network", "away")
    twin.stand("last_contact", f"{long_ago + timedelta(hours=1):%Y%m%d%H%M%S}")
    try:
        expected = [("alarm.began", "warning")]
        wait_until(lambda: events(signer, both, "mcf_silent") == expected, "the alarm begins")
        assert alarms(signer, both)["mcf_silent"] == "warning"
        for _ in range(2):
            _a_day_passes(signer, both)
            expected.append(("alarm.reminded", "warning"))
            wait_until(lambda: len(events(signer, both, "mcf_silent")) >= len(expected), "it is told again")
            signer.restart()
            _looks_twice(signer)
            assert events(signer, both, "mcf_silent") == expected, "once a day, also over a restart"
    finally:
        twin.calm()
    wait_until(lambda: events(signer, both, "mcf_silent")[-1] == ("alarm.ended", None), "it reached the DGI")


def _a_day_passes(signer: Stand, outlet: Outlet) -> None:
    with signer.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE signer.dgi_event SET at = at - interval '1 day' WHERE outlet_id = %s", [outlet.id])


def _looks_twice(signer: Stand) -> None:
    """Until the watch has looked after this moment: it tells of an alarm that begins now."""
    for _ in range(2):
        other = signer.outlet(mode="deferred")
        signer.change_outlet(other, dgi_token=signer.box.encrypt("OTHER", "x"))
        wait_until(lambda: events(signer, other, "token_unreadable"), "the watch looked")  # noqa: B023


def _stuck(signer: Stand) -> tuple[Outlet, int]:
    """An outlet whose DGI was silent so often that nothing is asked for an hour, and is back."""
    outlet = signer.outlet(mode="deferred", dgi_url=NOBODY)
    for _ in range(4):
        assert signer.post(document(outlet)).status_code == 201
    wait_until(lambda: told(signer, outlet)["emcf"]["breaker"] == "open", "its breaker opens")
    signer.change_outlet(outlet, dgi_url=signer.relay.url)
    return outlet, 4


def test_restart_of_the_sending_asks_at_once_what_would_have_waited(signer: Stand) -> None:
    outlet, waiting = _stuck(signer)
    key = {"Authorization": f"Bearer {signer.key}"}
    response = signer.http.post(f"/api/v1/outlets/{outlet.id}/sync/restart", headers=key)
    assert (response.status_code, response.json()) == (202, {"outlet_id": outlet.id, "documents": waiting})
    assert signer.http.post(f"/api/v1/outlets/{outlet.id}/sync/restart", headers=key).status_code == 202
    wait_until(lambda: signer.settled(outlet), "all are settled", 60)
    assert told(signer, outlet)["emcf"]["breaker"] == "closed"
    signer.assert_sound(outlet, waiting)
    ((kind, detail),) = signer.rows(
        "SELECT kind, detail FROM signer.dgi_event WHERE outlet_id = %s AND code = 'sync_restart'", outlet.id
    )
    assert (kind, detail["documents"]) == ("sync.restarted", waiting) and detail["by"] == f"API key {_prefix(signer)}"


def _prefix(signer: Stand) -> str:
    return signer.key.split("_")[1]


def test_restart_by_the_command_reaches_the_running_service(signer: Stand) -> None:
    outlet, waiting = _stuck(signer)
    done = signer.command("outlet", "restart-sync", outlet.id)
    assert done.returncode == 0 and done.stdout.startswith(f"{waiting} documents of {outlet.id}"), done.stderr
    wait_until(lambda: signer.settled(outlet), "all are settled", 60)
    ((kind, detail),) = signer.rows(
        "SELECT kind, detail FROM signer.dgi_event WHERE outlet_id = %s AND code = 'sync_restart'", outlet.id
    )
    assert (kind, detail) == ("sync.restarted", {"documents": waiting, "by": "operator"}), "no user, no host"
    assert detail == signer.get(f"/api/v1/events?outlet_id={outlet.id}&code=sync_restart").json()["events"][0]["detail"]
    last = json.loads(signer.command("action-log", "--json", "--merchant", outlet.nif).stdout)[-1]
    assert (last["action"], last["subject"]) == ("outlet.restart-sync", f"outlet {outlet.id}")
    assert last["actor"] == actor()
    assert signer.command("action-log", "--verify").returncode == 0


def test_restart_asks_the_mcf_again(cluster, new_stand, tmp_path: Path) -> None:
    stand = new_stand(mcf_interval=3600)
    stand.start()
    outlet = stand.outlet()
    twin = McfTwin(tmp_path / "twin", "CD09900002-9")
    try:
        stand.set_mcf(outlet, twin.mid, twin.port)
        assert told(stand, outlet)["mcf"]["answered_at"] is None
        key = {"Authorization": f"Bearer {stand.key}"}

        def asked_again() -> bool:
            answer = stand.http.post(f"/api/v1/outlets/{outlet.id}/sync/restart", headers=key)
            assert answer.status_code == 202, answer.text
            return told(stand, outlet)["mcf"]["answered_at"] is not None

        # One that a busy machine answered too late is asked again by the next restart that counts.
        wait_until(asked_again, "C2h was asked", 120, 1)
    finally:
        twin.kill()


def test_restart_needs_a_key_that_may_seal_for_the_outlet(signer: Stand) -> None:
    ours, theirs = signer.outlet(), signer.outlet()
    reading = signer.api_key(outlets=[ours.id], operations=["read"])
    sealing = signer.api_key(outlets=[ours.id], operations=["seal"])
    for key, outlet, expected in (
        (reading, ours.id, 403),
        (sealing, theirs.id, 404),
        (sealing, "NOWHERE", 404),
        ("bp_none", ours.id, 401),
        (sealing, ours.id, 202),
    ):
        headers = {"Authorization": f"Bearer {key}"}
        response = signer.http.post(f"/api/v1/outlets/{outlet}/sync/restart", headers=headers)
        assert response.status_code == expected, response.text
    assert events(signer, ours, "sync_restart") == [("sync.restarted", None)]
