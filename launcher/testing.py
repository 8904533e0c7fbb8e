"""`./bonopay test`: every suite of the project against real servers, in an instance of its own that is removed after.

`./bonopay test PATH …` runs the suites that PATH lies in; other arguments go to pytest.
"""

import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.config import CHECKOUT, Home
from launcher.console import HeldBack, LauncherError, held_back, say, step
from launcher.instance import Instance, throwaway_instance
from launcher.linting import lint
from launcher.packages import install_runtime, install_test_tools
from launcher.results import RESULTS, describe_checkout, keep_results
from launcher.shell import environment
from launcher.suites import SUITES, TRACKS, Suite, file_of

NO_TESTS_COLLECTED = 5  # pytest's exit code


def run_tests(home: Home, arguments: Sequence[str]) -> int:
    """Run the chosen suites; the exit code is 0 only when all passed and some test ran."""
    paths = [Path.cwd() / argument for argument in arguments if _is_path(argument)]
    options = [argument for argument in arguments if not _is_path(argument)]
    for path in paths:
        if not file_of(path).exists():
            raise LauncherError(f"There is no {path}.", "Give a folder or file of tests, or pytest options.")
    chosen = [(suite, selected) for suite in SUITES if (selected := suite.selected(paths))]
    if not chosen:
        raise LauncherError(f"No suite holds {' '.join(map(str, paths))}.", f"Suites: {_suite_names()}")
    heed_interruptions()
    install_runtime(home)
    install_test_tools(home)
    if not arguments:
        lint(home)
    tested = describe_checkout()
    instance = throwaway_instance(home)
    try:
        outcomes = _run_all([SuiteRun(suite, selected, options, instance) for suite, selected in chosen])
        if not arguments:
            keep_results(home, instance.folder / RESULTS, tested)
    finally:
        with step("Removing what the tests made"):
            instance.remove()
    return _summary(outcomes)


def heed_interruptions() -> None:
    """A shell that starts a command in the background has it ignore SIGINT, and all its children: none of them could be
    ended but by SIGKILL, which leaves servers behind."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_path(argument: str) -> bool:
    return not argument.startswith("-") and (Path.cwd() / argument.split("::", maxsplit=1)[0]).exists()


def _suite_names() -> str:
    return ", ".join(suite.name for suite in SUITES)


@dataclass(frozen=True)
class Outcome:
    suite: str
    exit_code: int
    passed: int
    failed: int
    skipped: int


class SuiteRun:
    """One suite's pytest on `instance`: call it to run it; another thread may `end` it.

    `patience`: the seconds that pytest has to end by itself after the terminal's Ctrl-C, which reaches it too.
    """

    patience: float = 10

    def __init__(self, suite: Suite, selected: Sequence[Path], options: Sequence[str], instance: Instance):
        self.suite = suite
        self._selected = selected
        self._options = options
        self._instance = instance
        self._lock = threading.Lock()  # starting and ending exclude each other
        self._is_ended = False
        self._process: subprocess.Popen | None = None

    def __call__(self) -> Outcome:
        say(f"\n━━ {self.suite.name} " + "━" * (60 - len(self.suite.name)))
        variables = self.suite.prepare(self._instance)
        with self._lock:
            if self._is_ended:
                raise KeyboardInterrupt
            process = self._process = self._start(variables)
        last = ""
        try:
            for line in process.stdout or ():
                say(line, end="")
                if re.search(r"\d+ (passed|failed|error|skipped|deselected)", line):
                    last = line
        except BaseException:
            self.end()
            raise
        counts = [_count(last, words) for words in ("passed", "failed|error", "skipped")]
        return Outcome(self.suite.name, process.wait(), *counts)

    def _start(self, variables: Mapping[str, str]) -> subprocess.Popen:
        return subprocess.Popen(
            [
                *(str(self._instance.home.python(self.suite.python)), "-m", "pytest"),
                *("--rootdir", str(CHECKOUT), "-p", "no:cacheprovider"),
                *("--junitxml", str(self._instance.folder / RESULTS / f"{self.suite.name}.xml")),
                *(*self.suite.options, *self._options),
                *map(str, self._selected),
            ],
            env=environment(variables),
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self) -> None:
        """End pytest, which takes down what its tests started: a second Ctrl-C would interrupt it in that."""
        with self._lock:
            self._is_ended = True
        if self._process is None:
            return
        for number, patience in ((None, self.patience), (signal.SIGINT, 20), (signal.SIGKILL, 5)):
            if number:
                self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                return


def _run_all(runs: Sequence[SuiteRun]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for pair in TRACKS:
        tracks = [chosen for track in pair if (chosen := [run for run in runs if run.suite.track == track])]
        outcomes += run_beside(*tracks) if len(tracks) > 1 else [run() for chosen in tracks for run in chosen]
    return outcomes


def run_beside(first: Sequence[SuiteRun], second: Sequence[SuiteRun]) -> list[Outcome]:
    """Run two tracks of suites at once. What the second says is shown when the first is over. When one cannot be run,
    or is interrupted, both are ended."""
    words = HeldBack()

    def run_second() -> list[Outcome]:
        with held_back(words):
            return [run() for run in second]

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run_second)
        try:
            say(f"\n{_names(second)} at the same time; what is said there comes after {first[-1].suite.name}.")
            outcomes = [run() for run in first]
            words.let_go()
            return outcomes + running.result()
        except BaseException:
            for run in reversed(second):  # the last first: none is started that would only be ended
                run.end()
            words.let_go()
            raise


def _names(runs: Sequence[SuiteRun]) -> str:
    return " and ".join(run.suite.name for run in runs)


def _count(line: str, words: str) -> int:
    return sum(int(number) for number in re.findall(rf"(\d+) (?:{words})", line))


def _summary(outcomes: Sequence[Outcome]) -> int:
    passed = sum(outcome.passed for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    broken = [outcome for outcome in outcomes if outcome.exit_code not in (0, NO_TESTS_COLLECTED)]
    # A suite can break without a failed test: a collection error, a crash.
    failed = sum(outcome.failed or 1 for outcome in broken)
    say()
    for outcome in outcomes:
        say(f"  {outcome.suite}: {outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped")
    say(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if broken or not passed else 0
