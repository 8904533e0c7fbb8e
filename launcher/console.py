"""What the person at the terminal sees: steps with their duration, and errors that say the way out."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
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


class HeldBack:
    """Takes the words of what runs beside something else, so that the two do not mix on the terminal.

    ``let_go`` prints what was said so far; from then on words pass at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: list[str] | None = []

    def write(self, text: str) -> None:
        with self._lock:
            if self._said is None:
                _print(text)
            else:
                self._said.append(text)

    def let_go(self) -> None:
        with self._lock:
            _print("".join(self._said or ()))
            self._said = None


_thread = threading.local()


@contextmanager
def held_back(words: HeldBack) -> Iterator[None]:
    """What this thread says in the block goes to `words`."""
    _thread.words = words
    try:
        yield
    finally:
        del _thread.words


def say(text: str = "", end: str = "\n") -> None:
    _writer()(text + end)


def _writer() -> Callable[[str], None]:
    words = getattr(_thread, "words", None)
    return words.write if words else _print


def _print(text: str) -> None:
    print(text, end="", flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show `text` while the block runs, and how long it took."""
    done = threading.Event()
    started = time.monotonic()
    write = _writer()
    on_terminal = write is _print and sys.stdout.isatty()
    reporter = threading.Thread(target=_report, args=(text, started, done, on_terminal, write), daemon=True)
    reporter.start()
    try:
        yield
    except BaseException:
        mark = "✗"
        raise
    else:
        mark = "✓"
    finally:
        done.set()
        reporter.join()
        clear = "\r\033[K" if on_terminal else ""
        write(f"{clear}  {mark} {text} ({time.monotonic() - started:.1f} s)\n")


def _report(text: str, started: float, done: threading.Event, on_terminal: bool, write: Callable[[str], None]) -> None:
    if not on_terminal:
        write(f"  … {text}\n")
    while not done.wait(0.5 if on_terminal else HEARTBEAT):
        elapsed = time.monotonic() - started
        write(f"\r  … {text} ({elapsed:.0f} s)" if on_terminal else f"  … {text} ({elapsed:.0f} s)\n")
