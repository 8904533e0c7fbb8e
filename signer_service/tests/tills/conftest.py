"""An outlet and its tills at the signer that all tests share."""

import itertools

import pytest

from ..support.stand import AUTHORITY, Outlet, Stand
from .browser import BrowserTill
from .calls import post

_terminals = itertools.count(1)


@pytest.fixture(scope="package")
def outlet(stand: Stand) -> Outlet:
    return stand.outlet(mode="deferred")


@pytest.fixture
def till(stand: Stand, outlet: Outlet) -> BrowserTill:
    till = BrowserTill(outlet, f"T{next(_terminals)}", AUTHORITY)
    answer = post(stand, "/api/v1/tills", till.enrolment)
    assert answer.status_code == 201, answer.text
    till.credential_id = answer.json()["credential_id"]
    return till
