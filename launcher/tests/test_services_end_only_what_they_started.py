"""Process ids are reused by the system: only the process that was started here may be ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.config import Home
from launcher.console import LauncherError
from launcher.instance import free_ports
from launcher.services import Service


def _web_server(folder: Path, port: int) -> Service:
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    return Service("web", command, f"http://127.0.0.1:{port}/", folder, cwd=folder)


@pytest.fixture
def service(tmp_path: Path):
    service = _web_server(tmp_path, free_ports(1)[0])
    yield service
    service.stop()


def test_start_waits_until_it_answers_and_stop_ends_it(service: Service) -> None:
    service.start()
    pid = service.pid()
    assert pid
    service.start()
    assert service.pid() == pid, "a second start must not start a second process"
    service.stop()
    assert service.pid() is None


def test_a_stranger_with_the_same_id_is_left_alone(service: Service) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        service.pid_file.write_text(f"{stranger.pid} 1")
        service.stop()
        assert stranger.poll() is None
    finally:
        stranger.terminate()
        stranger.wait()


def test_a_process_that_dies_at_start_shows_its_last_words(tmp_path: Path) -> None:
    failing = Service(
        "failing",
        [sys.executable, "-c", "print('no such token'); raise SystemExit(3)"],
        f"http://127.0.0.1:{free_ports(1)[0]}/",
        tmp_path,
    )
    with pytest.raises(LauncherError, match=r"(?s)exit code 3.*no such token"):
        failing.start()
    assert failing.pid() is None


def test_a_port_that_somebody_else_uses_is_named(service: Service, tmp_path: Path) -> None:
    service.start()
    second_folder = tmp_path / "second"
    second_folder.mkdir()
    second = _web_server(second_folder, int(service.ready_url.split(":")[2].strip("/")))
    with pytest.raises(LauncherError, match="Something else answers") as caught:
        second.start()
    assert "BONOPAY_WEB_PORT" in caught.value.way_out


def test_the_environment_of_another_python_does_not_leak_in(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    service.start()
    environment = Path(f"/proc/{service.pid()}/environ").read_bytes()
    assert b"PYTHONHOME" not in environment
    assert b"PYTHONDONTWRITEBYTECODE" not in environment
    assert os.fsencode(os.environ["PATH"]) in environment


def test_bytecode_is_kept_in_the_launchers_folder_and_not_beside_the_sources(service: Service) -> None:
    service.start()
    environment = Path(f"/proc/{service.pid()}/environ").read_bytes()
    assert b"PYTHONPYCACHEPREFIX=" + os.fsencode(Home().bytecode) + b"\0" in environment
