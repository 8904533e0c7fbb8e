"""Two servers for tills: Odoo's own, and with our addon. Each starts when the first test asks for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from launcher.instance import Instance, free_ports
from launcher.odoo import TILL
from launcher.suites import TILL_DATABASE
from tests.pos.faulty_network import FaultyNetwork
from tests.pos.shop import Server
from tests.pos.till import Till


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@contextmanager
def running(instance: Instance, name: str, template: str) -> Iterator[Server]:
    """A server of its own port with a clone of `template`."""
    odoo = instance.odoo.another(instance.folder / name, *free_ports(2))
    odoo.create_database(name, template=template)
    odoo.configure(name)
    odoo.service.start()
    try:
        yield Server(odoo, name)
    finally:
        odoo.service.stop()
        odoo.drop_database(name)


@pytest.fixture(scope="session")
def core(instance: Instance) -> Iterator[Server]:
    with running(instance, "core_tills", TILL.database) as server:
        yield server


@pytest.fixture(scope="session")
def bonopay(instance: Instance) -> Iterator[Server]:
    with running(instance, "bonopay_tills", TILL_DATABASE) as server:
        yield server


@pytest.fixture
def new_till(playwright: Playwright, tmp_path: Path) -> Iterator[Callable[[Server], Till]]:
    with ExitStack() as made:

        def make(server: Server) -> Till:
            network = FaultyNetwork(server.odoo.port)
            made.callback(network.close)
            till = Till(playwright, network, server.shop(), tmp_path / f"till-{network.port}")
            made.callback(till.switch_off)
            till.switch_on()
            return till

        yield make


@pytest.fixture
def core_till(core: Server, new_till: Callable[[Server], Till]) -> Till:
    """Odoo's own, in a shop of its own, switched on and logged in, on a network that works until told otherwise."""
    return new_till(core)


@pytest.fixture
def till(bonopay: Server, new_till: Callable[[Server], Till]) -> Till:
    """The same with our addon."""
    return new_till(bonopay)
