"""Child processes of the tests: started, waited for, ended by their own id."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SERVICE_FOLDER = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], object], what: str, timeout: float = PATIENCE, pause: float = 0.02) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(pause)


def python_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of a signer, and with this checkout's package."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BONOPAY_SIGNER_")}
    return {**inherited, "PYTHONPATH": str(SERVICE_FOLDER), **extra}


class Process:
    """A child whose output goes to a file."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                list(command), env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, timeout: float = PATIENCE) -> int:
        return self._popen.wait(timeout)

    def kill(self) -> None:
        """SIGKILL: nothing of the process gets a chance to tidy up."""
        if self.is_running():
            self._popen.kill()
        self._popen.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM, then SIGKILL when that takes too long. The exit code."""
        if self.is_running():
            self._popen.terminate()
        try:
            return self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def run_signer_command(
    *arguments: str, environment: Mapping[str, str], stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """``bonopay-signer …`` as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "bonopay_signer", *arguments],
        env=python_environment(environment),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
