"""Connections that die, and a database that answers but takes nothing: 503, no gap, no double."""

import threading
from collections.abc import Callable, Iterator

import pytest

from ..support.databases import throw_away_database
from ..support.processes import wait_until
from ..support.sandbox import Sandbox
from ..support.stand import Outlet, Stand, document
from ..support.tokens import Token


def _cut_all_connections(stand: Stand) -> None:
    with stand.database.as_admin() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="module")
def cut(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with throw_away_database(cluster) as database:
        stand = Stand(tmp_path_factory.mktemp("cut") / "signer", database, token, sandbox)
        stand.start()
        yield stand
        stand.close()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["prepare", "confirm", "cancel", "status", "details"])
def test_connections_cut_at_any_step_with_the_dgi_leave_one_sound_invoice(cut: Stand, step: str, moment: str) -> None:
    outlet = cut.outlet()
    _arrange(cut, step)
    hold = cut.relay.hold(step, moment)
    payload = document(outlet)
    client = threading.Thread(target=cut.post, args=(payload,))
    client.start()
    assert hold.reached.wait(20)
    _cut_all_connections(cut)
    hold.release()
    client.join(30)
    cut.relay.calm()
    _assert_sealed_once(cut, outlet, payload)


def _arrange(stand: Stand, step: str) -> None:
    """A DGI that leads the flow to the step."""
    if step == "cancel":
        stand.relay.change("prepare", lambda answer: {**answer, "total": answer["total"] + 1})
    if step in ("status", "details"):
        stand.relay.drop("confirm", "after")


def _assert_sealed_once(stand: Stand, outlet: Outlet, payload: dict) -> None:
    wait_until(lambda: stand.http.get("/ready").status_code == 200, "the signer is ready again")
    wait_until(lambda: stand.post(payload).status_code in (200, 201), "it is sealed")
    wait_until(lambda: stand.settled(outlet), "it is settled")
    stand.assert_sound(outlet, 1)
    assert stand.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0


def test_database_that_became_read_only_is_an_outage_not_a_defect(new_stand: Callable[..., Stand]) -> None:
    """As a standby that a failover left behind."""
    stand = new_stand()
    stand.start()
    outlet = stand.outlet()
    payload = document(outlet)
    for state in ("on", "off"):
        with stand.database.as_admin() as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f'ALTER DATABASE "{stand.database.name}" SET default_transaction_read_only = {state}')
        _cut_all_connections(stand)
        if state == "on":
            response = stand.post(payload)
            assert (response.status_code, response.json()["code"]) == (503, "ledger_unavailable")
    _assert_sealed_once(stand, outlet, payload)
    assert '"level": "error"' not in stand.log()
