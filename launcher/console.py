"""What the person at the terminal sees: steps with their duration, and errors that say the way out."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT = 10  # seconds between signs of life where the output is not a terminal


class LauncherError(Exception):
    """A failure the user can act upon.

    :param what: what failed, in one line
    :param way_out: what to do about it
    """

    def __init__(self, what: str, way_out: str = ""):
        super().__init__(what)
        self.way_out = way_out


def say(text: str = "") -> None:
    print(text, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show `text` while the block runs, and how long it took."""
    done = threading.Event()
    started = time.monotonic()
    reporter = threading.Thread(target=_report, args=(text, started, done), daemon=True)
    reporter.start()
    try:
        yield
    except BaseException:
        _finish(text, started, done, reporter, mark="✗")
        raise
    _finish(text, started, done, reporter, mark="✓")


def _report(text: str, started: float, done: threading.Event) -> None:
    interactive = sys.stdout.isatty()
    if not interactive:
        say(f"  … {text}")
    while not done.wait(0.5 if interactive else HEARTBEAT):
        elapsed = time.monotonic() - started
        if interactive:
            print(f"\r  … {text} ({elapsed:.0f} s)", end="", flush=True)
        else:
            say(f"  … {text} ({elapsed:.0f} s)")


def _finish(text: str, started: float, done: threading.Event, reporter: threading.Thread, mark: str) -> None:
    done.set()
    reporter.join()
    clear = "\r\033[K" if sys.stdout.isatty() else ""
    print(f"{clear}  {mark} {text} ({time.monotonic() - started:.1f} s)", flush=True)
