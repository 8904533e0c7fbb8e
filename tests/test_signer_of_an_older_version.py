"""The launcher starts a signer whose ledger an older version left without a head store."""

import json
import shutil
import subprocess

import pytest

from launcher.console import LauncherError
from launcher.instance import Instance
from launcher.shell import environment
from tests.signer_api import SignerApi, demo_payload


@pytest.fixture
def stopped(instance: Instance):
    """An instance with entries whose signer does not run; it runs again afterwards."""
    SignerApi.of(instance).seal(demo_payload())
    instance.signer.service.stop()
    yield instance
    instance.start()


def test_a_ledger_without_a_head_store_is_adopted_once_and_goes_on(stopped: Instance) -> None:
    before = _size(stopped)
    shutil.rmtree(stopped.signer.folder / "heads")
    stopped.start()
    assert SignerApi.of(stopped).seal(demo_payload())["fiscal_number"]
    assert _size(stopped) > before


def test_a_head_store_that_was_emptied_is_not_begun_anew(stopped: Instance) -> None:
    heads = stopped.signer.folder / "heads"
    kept = heads.rename(heads.with_name("kept"))
    heads.mkdir(mode=0o700)
    try:
        with pytest.raises(LauncherError, match="head-store adopt"):
            stopped.start()
    finally:
        shutil.rmtree(heads)
        kept.rename(heads)


def _size(instance: Instance) -> int:
    """The entries that the head store knows of."""
    signer = instance.signer
    done = subprocess.run(
        [*signer.command, "head-store", "show", "--json"],
        env=environment(signer.environment()),
        cwd=signer.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["size"]
