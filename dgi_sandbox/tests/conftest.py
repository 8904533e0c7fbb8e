from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from .sandbox import Client, Sandbox

# A busy machine must not fail a test of arithmetic.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    service = Sandbox(tmp_path_factory.mktemp("shared")).start()
    yield service
    service.stop()


@pytest.fixture
def service(shared_service: Sandbox) -> Sandbox:
    """One process for all tests, emptied before each."""
    shared_service.reset()
    return shared_service


@pytest.fixture
def client(service: Sandbox) -> Client:
    return service.client()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Starts a process of the test's own, with its own options and files."""
    started: list[Sandbox] = []

    def start(*options: str) -> Sandbox:
        started.append(Sandbox(tmp_path, *options).start())
        return started[-1]

    yield start
    for service in started:
        service.stop()
