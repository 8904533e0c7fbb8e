"""Two tracks of suites at once: their words do not mix, either one's failure counts, an interruption ends both."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.config import Home
from launcher.console import HeldBack, LauncherError, held_back, say, step
from launcher.instance import Instance, throwaway_instance
from launcher.suites import SUITES, TRACKS, Suite
from launcher.testing import SuiteRun, _run_all, _summary, heed_interruptions, run_beside

MakeRun = Callable[..., SuiteRun]
(SERVICES, ODOO), (END_TO_END, _CHAOS) = TRACKS


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """With this Python as the one of all suites."""
    home = Home(tmp_path / "home")
    home.venv("tests").parent.mkdir(parents=True)
    home.venv("tests").symlink_to(Path(sys.prefix))
    return throwaway_instance(home)


@pytest.fixture
def new_run(instance: Instance, tmp_path: Path) -> MakeRun:
    def make(name: str, test: str, track: str = SERVICES, prepare=lambda _instance: {}) -> SuiteRun:
        file = tmp_path / f"test_{name}.py"
        file.write_text(f"import time\nfrom pathlib import Path\n\n\ndef test_{name}():\n    {test}\n")
        return SuiteRun(Suite(name, lambda: [file], "tests", prepare, track), [file], ["-q", "-s"], instance)

    return make


def _meeting(tmp_path: Path, mine: str, other: str) -> str:
    """A test that passes only while the other one runs."""
    return (
        f"Path({str(tmp_path / mine)!r}).touch(); ends = time.monotonic() + 30\n"
        f"    while not Path({str(tmp_path / other)!r}).exists():\n"
        "        assert time.monotonic() < ends; time.sleep(0.02)"
    )


def test_both_run_at_once_and_the_second_is_shown_after_the_first(
    new_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = "\n    for _ in range(5): print('words of {}', flush=True); time.sleep(0.02)"
    first = new_run("first", _meeting(tmp_path, "a", "b") + talk.format("the first"))
    second = new_run("second", _meeting(tmp_path, "b", "a") + talk.format("the second"))
    outcomes = run_beside([first], [second])
    assert [(one.suite, one.exit_code, one.passed) for one in outcomes] == [("first", 0, 1), ("second", 0, 1)]
    shown = capsys.readouterr().out
    assert shown.count("words of the first") == shown.count("words of the second") == 5
    assert shown.rindex("words of the first") < shown.index("━━ second") < shown.index("words of the second")


@pytest.mark.parametrize("fails", ["first", "second"])
def test_either_failure_fails_the_run(new_run: MakeRun, fails: str) -> None:
    runs = [new_run(name, f"assert {name != fails}") for name in ("first", "second")]
    outcomes = run_beside(runs[:1], runs[1:])
    assert {one.suite: one.exit_code for one in outcomes if one.exit_code} == {fails: 1}
    assert _summary(outcomes) == 1


def test_an_interruption_ends_the_second_too(
    new_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = tmp_path / "begun"
    second = new_run("second", f"Path({str(begun)!r}).touch(); time.sleep(60)")

    def interrupted(_instance: Instance) -> dict[str, str]:
        while not begun.exists():
            time.sleep(0.02)
        monkeypatch.setattr(second, "patience", 0.1)
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_beside([new_run("first", "pass", prepare=interrupted)], [second])
    assert time.monotonic() - started < 30
    assert second._process is not None and second._process.returncode == 2, "pytest was interrupted, not killed"
    assert "━━ second" in capsys.readouterr().out, "what it had to say is shown"


def test_an_interruption_while_the_second_is_prepared_starts_nothing(new_run: MakeRun) -> None:
    is_interrupted = threading.Event()

    def interrupted(_instance: Instance) -> dict[str, str]:
        is_interrupted.set()
        raise KeyboardInterrupt

    def slow(_instance: Instance) -> dict[str, str]:
        is_interrupted.wait(30)
        time.sleep(0.2)
        return {}

    second = new_run("second", "pass", prepare=slow)
    with pytest.raises(KeyboardInterrupt):
        run_beside([new_run("first", "pass", prepare=interrupted)], [second])
    assert second._process is None


def test_a_run_in_the_background_can_be_interrupted_as_well() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        heed_interruptions()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_second_that_cannot_be_prepared_fails_the_run_after_the_first(
    new_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    def impossible(_instance: Instance) -> dict[str, str]:
        with step("Preparing"):
            raise LauncherError("No Odoo.")

    with pytest.raises(LauncherError, match=r"No Odoo\."):
        run_beside([new_run("first", "pass")], [new_run("second", "pass", prepare=impossible)])
    shown = capsys.readouterr().out
    assert shown.index("1 passed") < shown.index("✗ Preparing")


def test_an_interruption_starts_none_of_those_that_were_to_follow(new_run: MakeRun, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    running = new_run("running", f"Path({str(begun)!r}).touch(); time.sleep(60)")
    running.patience = 0.1
    following = new_run("following", "pass")

    def interrupted(_instance: Instance) -> dict[str, str]:
        while not begun.exists():
            time.sleep(0.02)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_beside([new_run("first", "pass", prepare=interrupted)], [running, following])
    assert running._process is not None
    assert following._process is None


def test_suites_of_a_track_follow_each_other_and_the_next_pair_of_tracks_waits_for_all(
    new_run: MakeRun, tmp_path: Path
) -> None:
    def log(name: str) -> str:
        return f"open({str(tmp_path / 'log')!r}, 'a').write('{name} ')"

    meet = _meeting(tmp_path, "a", "b"), _meeting(tmp_path, "b", "a")
    runs = [
        new_run("one", f"{meet[0]}\n    {log('one')}", SERVICES),
        new_run("two", log("two"), SERVICES),
        new_run("three", f"{meet[1]}\n    {log('three')}", ODOO),
        new_run("four", log("four"), ODOO),
        new_run("last", log("last"), END_TO_END),
    ]
    assert [(one.suite, one.passed) for one in _run_all(runs)] == [(run.suite.name, 1) for run in runs]
    order = (tmp_path / "log").read_text().split()
    assert order.index("one") < order.index("two")
    assert order.index("three") < order.index("four")
    assert order[-1] == "last"


def test_without_the_other_track_suites_run_alone(new_run: MakeRun) -> None:
    runs = [new_run(name, "pass", ODOO) for name in ("first", "second")]
    assert [(one.suite, one.passed) for one in _run_all(runs)] == [("first", 1), ("second", 1)]


def test_every_suite_has_a_track_and_nothing_runs_beside_the_one_that_stops_what_others_need() -> None:
    order = [track for pair in TRACKS for track in pair]
    tracks = [suite.track for suite in SUITES]
    assert tracks == sorted(tracks, key=order.index)
    assert [suite.name for suite in SUITES if suite.track in TRACKS[1]] == ["end to end", "tills", "chaos"]


def test_held_back_words_come_when_let_go_and_at_once_from_then_on(capsys: pytest.CaptureFixture[str]) -> None:
    words = HeldBack()
    with held_back(words):
        say("early")
        assert capsys.readouterr().out == ""
        words.let_go()
        say("late")
    say("outside")
    assert capsys.readouterr().out == "early\nlate\noutside\n"
