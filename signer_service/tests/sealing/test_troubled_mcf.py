"""An MCF that is busy, without network, dead or replaced: its outlet goes on selling, and no document is stuck."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from bonopay_signer.db.pool import make_pool
from bonopay_signer.dgi.device import Document
from bonopay_signer.dgi.journal import Journal
from bonopay_signer.dgi.mcf.device import McfDevice
from bonopay_signer.dgi.mcf.link import Link, LinkSettings

from ..dgi.mcf.twin import ISF, McfTwin
from ..fiscal.builders import accepted, parsed
from ..support.databases import throw_away_database
from ..support.processes import wait_until
from ..support.sandbox import Sandbox
from ..support.stand import Outlet, Stand, document, number_of, random_document_id
from ..support.tokens import Token

LONG = 10_000
STATUS, FINALISE = 0xC1, 0x38
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def stand(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with throw_away_database(cluster) as database:
        stand = Stand(tmp_path_factory.mktemp("troubled") / "signer", database, token, sandbox)
        stand.start()
        yield stand
        stand.close()


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[McfTwin]:
    twin = McfTwin(tmp_path / "twin", f"CD08{next(_numbers):06d}-9")
    yield twin
    twin.kill()


def credit_note(stand: Stand, outlet: Outlet) -> dict:
    """Against a sale that the e-MCF certified."""
    sale = stand.sealed(outlet)
    original = {"original_fiscal_number": sale["fiscal_number"], "original_dgi_code": sale["dgi"]["code"]}
    return document(outlet, invoice_type="FA", credit={"nature": "RAM", **original})


def dgi_of(stand: Stand, number: str) -> tuple[str, str | None]:
    dgi = stand.get(f"/api/v1/invoices/{number}").json()["dgi"]
    return dgi["status"], dgi["nim"]


def breaker(stand: Stand, outlet: Outlet, kind: str) -> str:
    (found,) = stand.get(f"/api/v1/sync/status?outlet_id={outlet.id}").json()["outlets"]
    return next(device["breaker"] for device in found["devices"] if device["kind"] == kind)


def await_verdict(stand: Stand, number: str, nim: str) -> None:
    wait_until(lambda: dgi_of(stand, number) == ("certified", nim), f"{number} is certified by {nim}", 60)


def test_credit_note_goes_to_the_emcf_as_soon_as_it_is_back(stand: Stand, twin: McfTwin) -> None:
    """Only credit notes wait: none but they can find out that the e-MCF, whose breaker opened, answers again."""
    outlet = stand.outlet()
    note = credit_note(stand, outlet)
    stand.set_mcf(outlet, twin.mid, twin.port, is_main=True)
    twin.stand("network", "away")
    stand.relay.fail_on_the_way("prepare", *[404] * LONG)
    assert stand.sealed_as(note)["dgi"]["status"] in ("pending", "unknown")
    wait_until(lambda: breaker(stand, outlet, "emcf") != "closed", "the e-MCF rests", 60)
    stand.relay.calm()
    await_verdict(stand, number_of(outlet, 2), outlet.nim)
    assert twin.certified(number_of(outlet, 2)) == []
    stand.assert_sound(outlet, 2)


@pytest.mark.parametrize("mode", ["inline", "deferred"])
def test_sale_does_not_wait_for_the_credit_note_that_the_mcf_is_checking(
    stand: Stand, twin: McfTwin, mode: str
) -> None:
    outlet = stand.outlet(mode="inline")
    note = credit_note(stand, outlet)
    stand.change_outlet(outlet, dgi_mode=mode)
    stand.set_mcf(outlet, twin.mid, twin.port, is_main=True)
    twin.stand("credit_checks", "1000000")  # polled for as long as the driver has patience: 90 s
    stand.post(note)
    wait_until(lambda: _polls(stand, outlet) > 1, "the MCF checks the credit note", 60)
    stand.post(document(outlet))
    await_verdict(stand, number_of(outlet, 3), outlet.nim)
    assert dgi_of(stand, number_of(outlet, 2))[0] != "certified", "the credit note is still being checked"
    assert breaker(stand, outlet, "mcf") == "closed", "to be busy is no silence"


def _polls(stand: Stand, outlet: Outlet) -> int:
    query = "SELECT count(*) FROM signer.dgi_exchange WHERE outlet_id = %s AND step = '38h' AND path LIKE %s"
    return stand.rows(query, outlet.id, "%~%")[0][0]


def test_number_that_a_replaced_mcf_may_hold_is_free_again_once_that_has_expired(stand: Stand, twin: McfTwin) -> None:
    outlet = stand.outlet()
    stand.set_mcf(outlet, twin.mid, twin.port, is_main=True)
    assert stand.sealed(outlet)["dgi"]["nim"] == twin.mid
    twin.kill()
    successor = McfTwin(twin.port.parent.parent / "successor", f"CD08{next(_numbers):06d}-9")
    try:
        twin.port.symlink_to(successor.port.readlink())
        stand.set_mcf(outlet, successor.mid, twin.port, is_main=True)
        assert stand.sealed(outlet)["dgi"]["nim"] == successor.mid
        _left_at(stand, outlet, twin.mid)
        wait_until(lambda: stand.states(outlet)[-1] == "released", "nothing waits for the MCF that is gone", 60)
    finally:
        successor.kill()


def _left_at(stand: Stand, outlet: Outlet, mcf: str) -> None:
    """What an attempt leaves whose cancellation the MCF did not answer, and which has expired meanwhile."""
    with stand.database.as_admin() as connection:
        connection.execute(
            "INSERT INTO signer.submission "
            "(outlet_id, merchant_nif, document_id, fiscal_number, mcf, state, updated_at) "
            "VALUES (%s, %s, %s, %s, %s, 'cancelling', now() - interval '151 s')",
            [outlet.id, outlet.nif, random_document_id(), number_of(outlet, 3), mcf],
        )


def test_what_the_journal_tells_of_a_document_needs_no_mcf_that_is_dead_since(stand: Stand, twin: McfTwin) -> None:
    outlet = stand.outlet(mode="inline")
    stand.set_mcf(outlet, twin.mid, twin.port, is_main=True)
    stand.sealed(outlet)
    lost = number_of(outlet, 2)
    twin.fault_once_certified(lost, STATUS, "silence_before", LONG)
    twin.fault(FINALISE, "silence_after")
    stand.post(document(outlet))
    wait_until(lambda: dgi_of(stand, lost)[0] == "unknown", "nobody knows", 60)
    stand.kill()
    twin.calm()
    asyncio.run(_begin_another_document(stand, outlet, twin))
    twin.kill()
    stand.start()
    await_verdict(stand, lost, twin.mid)


async def _begin_another_document(stand: Stand, outlet: Outlet, twin: McfTwin) -> None:
    """As a sale that comes after the lost one: its first steps ask the MCF for its last invoice."""
    async with make_pool(stand.database.service, 2) as pool:
        link = Link(LinkSettings(str(twin.port)))
        await McfDevice(link, outlet.id, Journal(pool)).prepare(Document(number_of(outlet, 3), ISF, parsed(accepted())))
        link.close()
