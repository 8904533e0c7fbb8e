"""Child processes of the tests: started, waited for, ended by their own id."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from bonopay_signer import cli

SERVICE_FOLDER = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
_one_command = threading.Lock()


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


def run_signer_command_here(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The same in this process, for commands that tests give again and again: half a second less of imports each. In a
    thread of its own, because a command may run an event loop, and one command at a time: it has our environment."""
    said, complained = io.StringIO(), io.StringIO()
    given = python_environment(environment)

    def run() -> int:
        with mock.patch.dict(os.environ, given, clear=True), redirect_stdout(said), redirect_stderr(complained):
            return cli.main(list(arguments))

    with _one_command, ThreadPoolExecutor(1) as thread:
        code = thread.submit(run).result(60)
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), complained.getvalue())


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
