"""Faults that the machine itself has: a full disk, I/O errors, a clock that steps back. Each is taken back again."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from launcher.console import LauncherError
from launcher.shell import environment

_FAKETIME = "libfaketimeMT.so.1"
NOW = "+0"
_ATTACHING = 10.0  # seconds
_FILLING = (1 << 20, 1 << 12)  # bytes at once: quickly, then to the last block


class Disk:
    """A small file system of its own (tmpfs), which can be filled up.

    Where this user may not mount one, ``limited`` is False and ``folder`` is a plain folder.
    """

    def __init__(self, folder: Path, size_mb: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        self._size_mb = size_mb
        self.limited = False

    def mount(self) -> None:
        self.folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._size_mb}m,mode=700", "chaos", str(self.folder)]
        self.limited = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        """Leave no block free, although others write meanwhile."""
        with self._filler.open("wb", buffering=0) as filler:
            for step in _FILLING:
                with suppress(OSError):
                    while True:
                        filler.write(bytes(step))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Needs that nobody uses it any more; a process that is about to die may hold it for a moment longer."""
        if self.limited:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
            self.limited = False


@contextmanager
def failing_calls(pids: Sequence[int], calls: Sequence[str], error: str, when: str = "1+") -> Iterator[None]:
    """While the block runs, these system calls of these processes and their threads fail with ``error``.

    :param when: as strace's `inject=…:when=`: "1" only the first call of each, "1+" every one
    """
    listed = ",".join(calls)
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={listed}"]
    command += ["-e", f"inject={listed}:error={error}:when={when}"]
    for pid in pids:
        command += ["-p", str(pid)]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait_until_traced(pids, tracer)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)  # it lets go of whom it traces; SIGKILL would take them with it
        words = tracer.communicate()[1].decode()
    if "not permitted" in words:
        raise LauncherError(f"strace may not trace here: {words.strip()}", "Allow ptrace, or run this as root.")


def _wait_until_traced(pids: Iterable[int], tracer: subprocess.Popen) -> None:
    """Attaching takes as long as a busy machine makes it take."""
    deadline = time.monotonic() + _ATTACHING
    while not all(_traced(pid) for pid in pids) and tracer.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


def _traced(pid: int) -> bool:
    """Every thread of the process is, or it has ended."""
    try:
        states = [status.read_text() for status in Path(f"/proc/{pid}/task").glob("*/status")]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return not any("\nTracerPid:\t0\n" in state for state in states)


class Clock:
    """What the signer takes for the time: the real one, or one that somebody has set back.

    libfaketime reads the offset from a file, at most a second late; monotonic clocks stay true. Its version 0.9.10
    then fails clock_nanosleep() with EINVAL, so a signer runs under it no longer than the event needs.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(NOW)

    def set(self, offset: str) -> None:
        """``NOW``, or an offset in seconds such as "-300"."""
        replacement = self._file.with_suffix(".new")
        replacement.write_text(f"{offset}\n")
        replacement.replace(self._file)

    @property
    def variables(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def _faketime() -> Path:
    found = next(Path("/usr/lib").glob(f"*/faketime/{_FAKETIME}"), None)
    if found is None:
        raise LauncherError(f"There is no {_FAKETIME}.", "apt-get install libfaketime")
    return found


def require_tools() -> None:
    """:raises LauncherError: when something that injects faults is missing"""
    _faketime()
    if not shutil.which("strace", path=environment(None).get("PATH")):
        raise LauncherError("There is no strace.", "apt-get install strace")
