"""Tokens of two makers, and signing processes on them."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bonopay_signer.hsm.signers import Signers

from .material import AUTHORITY, FOLDER, Nss, SoftHsm

MakeSigners = Callable[..., Signers]


@pytest.fixture(scope="session")
def _shared_tokens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SoftHsm]:
    return {kind.name: kind(tmp_path_factory.mktemp(kind.name) / "token") for kind in (SoftHsm, Nss)}


@pytest.fixture(params=["softhsm", "nss"])
def hsm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """A token that tests share and do not change."""
    hsm = request.getfixturevalue("_shared_tokens")[request.param]
    for name, value in hsm.environment.items():
        monkeypatch.setenv(name, value)
    return hsm


@pytest.fixture(params=[SoftHsm, Nss], ids=["softhsm", "nss"])
def own_hsm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SoftHsm:
    """A token of the test's own, to be changed and broken."""
    hsm = request.param(tmp_path / "token")
    for name, value in hsm.environment.items():
        monkeypatch.setenv(name, value)
    return hsm


@pytest.fixture
async def make_signers() -> AsyncIterator[MakeSigners]:
    """Makes signers, not started yet, that are closed after the test."""
    made: list[Signers] = []

    def make(hsm: SoftHsm, *trouble: str, **options: Any) -> Signers:
        if trouble:
            options["command"] = (sys.executable, str(FOLDER / "troubled_worker.py"), *trouble)
        labels = options.pop("key_labels", [hsm.key_label])
        signers = Signers(options.pop("token", hsm.address), options.pop("pin", hsm.pin), AUTHORITY, labels, **options)
        made.append(signers)
        return signers

    yield make
    for signers in made:
        signers.close()
