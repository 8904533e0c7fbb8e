"""One running suite for all tests that cross rooms: PostgreSQL, HSM token, signer, DGI sandbox, Odoo, browser."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from launcher.config import Home, Ports
from launcher.demo import ACCOUNTANT, ADMINISTRATOR, connect
from launcher.instance import Instance
from launcher.odoo import Session
from launcher.suites import INSTALLED_DATABASE

DATABASE = "bonopay_e2e"


@dataclass(frozen=True)
class Suite:
    """A running instance, and one Odoo database of it."""

    instance: Instance
    database: str

    def session(self, login: str, password: str) -> Session:
        return Session(self.instance.odoo.url, self.database, login, password)

    @property
    def accountant(self) -> Session:
        return self.session(*ACCOUNTANT)

    @property
    def administrator(self) -> Session:
        return self.session(*ADMINISTRATOR)


@pytest.fixture(scope="session")
def instance() -> Instance:
    if "BONOPAY_TEST_INSTANCE" not in os.environ:
        pytest.fail("BONOPAY_TEST_INSTANCE is not set: run these tests with ./bonopay test tests")
    return described_instance()


def described_instance() -> Instance:
    """The instance that the launcher prepared and described in the environment."""
    values = json.loads(os.environ["BONOPAY_TEST_INSTANCE"])
    return Instance(Home(Path(values["home"])), Path(values["folder"]), Ports(**values["ports"]))


@pytest.fixture(scope="session")
def suite(instance: Instance) -> Iterator[Suite]:
    odoo = instance.odoo
    odoo.create_database(DATABASE, template=INSTALLED_DATABASE)
    odoo.configure(DATABASE)
    odoo.service.start()
    connect(instance, DATABASE)
    yield Suite(instance, DATABASE)
    odoo.service.stop()
    odoo.drop_database(DATABASE)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["BONOPAY_TEST_CHROMIUM"],
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()
