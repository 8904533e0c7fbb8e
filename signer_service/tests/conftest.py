"""Real parts for every test: PostgreSQL, SoftHSM, the DGI sandbox, the service as a process."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from .support.databases import Database, throw_away_database
from .support.sandbox import Sandbox
from .support.stand import Stand, running_stand
from .support.tokens import Token

settings.register_profile("signer", deadline=None)  # an example that takes long on a busy machine is no fault
settings.load_profile("signer")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def cluster() -> str:
    """A superuser's connection string."""
    url = os.environ.get("BONOPAY_TEST_DATABASE_URL")
    if not url:
        pytest.fail("BONOPAY_TEST_DATABASE_URL is not set: run these tests with ./bonopay test signer_service")
    return url


@pytest.fixture
def database(cluster: str) -> Iterator[Database]:
    """A migrated database of this test's own."""
    with throw_away_database(cluster) as database:
        yield database


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> Token:
    return Token(tmp_path_factory.mktemp("hsm"))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("dgi") / "sandbox")
    yield sandbox
    sandbox.process.stop()


@pytest.fixture(scope="session")
def stand(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A running signer that the tests share; each takes outlets of its own, and nobody changes its ledger by hand."""
    with running_stand(cluster, token, sandbox, tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture(autouse=True)
def _calm_relay(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "stand" in request.fixturenames:
        request.getfixturevalue("stand").relay.calm()


@pytest.fixture
def new_stand(cluster: str, token: Token, sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Stand]]:
    """Makes signers of this test's own, not started yet, to be killed and misconfigured."""
    with ExitStack() as stack:

        def make(name: str = "signer", hsm: Token = token, dgi: Sandbox = sandbox, **settings: Any) -> Stand:
            own = stack.enter_context(throw_away_database(cluster))
            stand = Stand(tmp_path / name, own, hsm, dgi, **settings)
            stack.callback(stand.close)
            return stand

        yield make
