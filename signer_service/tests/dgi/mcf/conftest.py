"""One twin, one database and one outlet for a module; a driver of its own for every test, as after a restart."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.pool import make_pool
from bonopay_signer.dgi.device import Document
from bonopay_signer.dgi.journal import Journal
from bonopay_signer.dgi.mcf.device import McfDevice, McfSettings
from bonopay_signer.dgi.mcf.link import Link, LinkSettings
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.secrets import SecretBox, new_key

from ...fiscal.builders import accepted, parsed
from ...support.databases import Database, throw_away_database
from .twin import ISF, MID, NIF, McfTwin

OUTLET = "KIN001"
_numbers = count(1)


@pytest.fixture(scope="module")
def mcf_database(cluster: str) -> Iterator[Database]:
    with throw_away_database(cluster) as database:
        with psycopg.connect(database.owner) as connection:
            admin.add_merchant(connection, NIF, "Vendeur", False)
            outlet = admin.NewOutlet(OUTLET, NIF, "Kin", "1 av.", MID, ISF, "inline", "http://dgi")
            admin.add_outlet(connection, outlet, "token", SecretBox.from_text(new_key()), False)
        yield database


@pytest.fixture(scope="module")
def module_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McfTwin]:
    twin = McfTwin(tmp_path_factory.mktemp("mcf"))
    yield twin
    twin.kill()


@pytest.fixture
def twin(module_twin: McfTwin) -> McfTwin:
    module_twin.calm()
    return module_twin


@pytest.fixture
async def pool(mcf_database: Database) -> AsyncIterator[AsyncConnectionPool]:
    async with make_pool(mcf_database.service, 2) as pool:
        yield pool


@pytest.fixture
def new_device(twin: McfTwin, pool: AsyncConnectionPool) -> Iterator[Callable[..., McfDevice]]:
    """Drivers of the same MCF; only one is used at a time, and each knows nothing of the one before, whose port it
    takes over, as after a crash."""
    links: list[Link] = []

    def let_go() -> None:
        for link in links:
            link.close()

    def make(nim: str | None = None, **settings: float) -> McfDevice:
        let_go()
        links.append(Link(LinkSettings(str(twin.port), answer_timeout=0.4, busy_timeout=2, resends=3)))
        given = {"open_for": 0.5, "room": 30, "verification": 2, "poll_interval": 0.05} | settings
        return McfDevice(links[-1], OUTLET, Journal(pool), McfSettings(**given), nim)

    yield make
    let_go()


@pytest.fixture
def device(new_device: Callable[..., McfDevice]) -> McfDevice:
    return new_device()


def document(**members: object) -> Document:
    """A sound invoice under a number that no test has used."""
    return Document(f"BONO-KIN001-01-{next(_numbers):09d}", ISF, parsed(accepted(**members)))
