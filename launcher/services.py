"""Long-running processes of an instance: started in a session of their own, known by a pid file, ended by it."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launcher.config import CHECKOUT
from launcher.console import LauncherError
from launcher.shell import environment, tail

READY_TIMEOUT = 90  # seconds


@dataclass(frozen=True)
class Service:
    """A server process.

    `ready_url` answers 2xx or 3xx as soon as the server takes requests.
    """

    name: str
    command: Sequence[str | Path]
    ready_url: str
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = CHECKOUT

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def start(self) -> None:
        """Start and wait until ready; nothing to do when it runs.

        :raises LauncherError: when it ends or stays silent
        """
        if self.pid():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if _answers(self.ready_url):
            raise LauncherError(
                f"Something else answers at {self.ready_url}.",
                f"Stop it, or set BONOPAY_{self.name.upper()}_PORT to a free port.",
            )
        with self.log.open("a") as output:
            process = subprocess.Popen(
                [str(part) for part in self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(self.env),
                cwd=self.cwd,
                start_new_session=True,
            )
        self.pid_file.write_text(f"{process.pid} {_started_at(process.pid)}")
        self._wait_until_ready(process)

    def _wait_until_ready(self, process: subprocess.Popen) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self.pid_file.unlink()
                raise LauncherError(
                    f"{self.name} ended with exit code {process.returncode}.\n{tail(self.log)}", f"Log: {self.log}"
                )
            if _answers(self.ready_url):
                return
            time.sleep(0.1)
        raise LauncherError(f"{self.name} did not answer at {self.ready_url}.\n{tail(self.log)}", f"Log: {self.log}")

    def stop(self) -> None:
        stop_process(self.pid_file)

    def pid(self) -> int | None:
        return live_pid(self.pid_file)


def live_pid(pid_file: Path) -> int | None:
    """The process id, if the process that we started still lives (ids are reused: the start time decides)."""
    try:
        pid, started = pid_file.read_text().split()
    except FileNotFoundError:
        return None
    return int(pid) if _started_at(int(pid)) == started else None


def stop_process(pid_file: Path, timeout: float = 15) -> None:
    """End the process behind a pid file, kindly, then firmly; nothing to do when it is gone."""
    pid = live_pid(pid_file)
    if pid:
        _terminate(pid, timeout)
    pid_file.unlink(missing_ok=True)


def _started_at(pid: int) -> str:
    """Start time of a live process in clock ticks since boot; empty when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _terminate(pid: int, timeout: float) -> None:
    started = _started_at(pid)
    for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if _started_at(pid) != started or _reap(pid):
                return
            time.sleep(0.05)


def _reap(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own 127.0.0.1 URL
            return response.status < 400
    except (urllib.error.URLError, OSError):
        return False
