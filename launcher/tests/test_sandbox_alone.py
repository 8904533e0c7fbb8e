"""`./bonopay sandbox` gives an integrator all that a first call needs, and stays apart from the demo."""

import json
import re
import urllib.request
from pathlib import Path

import pytest

from launcher.config import Home
from launcher.console import LauncherError
from launcher.instance import demo_instance, free_ports
from launcher.integrators import lone_sandbox, run_sandbox, start, stop
from launcher.sandbox import Sandbox


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The installed environment of the sandbox, everything else in a folder of the test's own."""
    monkeypatch.setenv("BONOPAY_SANDBOX_PORT", str(free_ports(1)[0]))
    home = Home(tmp_path / "home")
    home.venv("sandbox").parent.mkdir(parents=True)
    home.venv("sandbox").symlink_to(Home().venv("sandbox"))
    sandbox = lone_sandbox(home)
    yield sandbox
    sandbox.service.stop()


def _get(url: str, token: str = "") -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def test_what_it_prints_is_enough_for_a_call(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(sandbox) == 0
    told = capsys.readouterr().out
    base = re.search(r"Base address +(\S+)", told)[1]
    tokens = re.findall(r"(CD\S+) +token in (\S+\.jwt)", told)
    assert len(tokens) == 3
    status = [json.loads(_get(f"{base}/api/info/status", Path(path).read_text().strip())) for _, path in tokens]
    assert [one["nim"] for one in status] == [nim for nim, _ in tokens]
    assert len({one["nif"] for one in status}) == 2
    page = _get(re.search(r"Page, checklist +(\S+)", told)[1])
    assert page.count("Mise en service") == 3
    address, admin = re.search(r"POST (\S+)/profile +token in (\S+)", told).groups()
    assert _get(f"{address}/faults", Path(admin).read_text().strip())
    assert "./bonopay sandbox stop" in told


def test_stop_ends_it_and_start_finds_its_data_again(sandbox: Sandbox) -> None:
    start(sandbox)
    [first, second] = sandbox.accounts()
    sandbox.accounts_file.write_text(json.dumps([first]), "utf-8")
    token = sandbox.token_file(second["nims"][0]["nim"])
    kept = token.read_text()
    stop(sandbox)
    assert sandbox.service.pid() is None
    start(sandbox)
    assert sandbox.accounts() == [first], "the integrator's own accounts stay"
    assert token.read_text() == kept
    assert _get(sandbox.page).count("Mise en service") == 2


def test_it_says_where_a_broken_accounts_file_is(sandbox: Sandbox) -> None:
    sandbox.prepare([])
    sandbox.accounts_file.write_text("[")
    with pytest.raises(LauncherError, match=r"accounts\.json"):
        start(sandbox)


def test_it_keeps_apart_from_the_demo(sandbox: Sandbox) -> None:
    assert sandbox.folder != demo_instance(sandbox.home).sandbox.folder


def test_stopping_what_does_not_run_is_no_failure(sandbox: Sandbox) -> None:
    assert stop(sandbox) == 0


def test_other_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match="restart"):
        run_sandbox(Home(tmp_path), ["restart"])
