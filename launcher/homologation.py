"""`./bonopay homologation`: what an auditor walks through, the tests that show it, and what came of them.

The rows stand in docs/homologation/rows.toml. The result of a row comes from the last full run alone:

* `fail`: a test that it names failed, was skipped, or did not run although it exists;
* `open`: no test shows it, or not all of it, or not in every room that must;
* `pass`: all of its tests passed.
"""

import ast
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

from launcher.config import CHECKOUT, Home
from launcher.console import say
from launcher.results import DOCUMENT, RESULTS, RunFacts, last_run
from launcher.suites import SUITES

CATALOGUE = CHECKOUT / "docs" / "homologation" / "rows.toml"
HEAD = "| # | requirement | source | test | result |"
OUTCOMES = ("passed", "skipped", "failed")  # the worst last


@dataclass(frozen=True)
class Row:
    """One row of the catalogue; a test is `FILE::NAME`, FILE relative to the checkout."""

    number: int
    requirement: str
    source: str
    rooms: tuple[str, ...]
    tests: tuple[str, ...]
    missing: str = ""

    def among(self, tests: Iterable[str]) -> list[str]:
        """Those that this row names, sorted."""
        return sorted(test for test in tests if any(matches(pattern, test) for pattern in self.tests))

    def lacks(self, named: Iterable[str]) -> str:
        """Why the row is open whatever its tests say; empty when it is not. `named`: those that it names."""
        shown = {test.split("/", 1)[0] for test in named}
        silent = [room for room in self.rooms if room not in shown]
        reasons = [self.missing, silent and f"no test in {', '.join(silent)}"]
        return "; ".join(reason for reason in reasons if reason)

    def cells(self) -> list[str]:
        """The columns that no run changes."""
        return [str(self.number), self.requirement, self.source, "<br>".join(f"`{test}`" for test in self.tests)]


@dataclass(frozen=True)
class Verdict:
    """What came of a row: `troubled` are its tests that did not pass, with what happened; `lacks`, why it is open."""

    row: Row
    result: str
    count: int
    troubled: Mapping[str, str]
    lacks: str


def matches(pattern: str, test: str) -> bool:
    """Whether a test `FILE::NAME` is one of `pattern`.

    >>> matches("test_sfe_1_2_*", "addons/a/tests/test_x.py::test_sfe_1_2_q"), matches("addons/*::*", "tests/t.py::t")
    (True, False)
    """
    return fnmatchcase(test, pattern if "::" in pattern else f"*::{pattern}")


def read_rows(path: Path = CATALOGUE) -> list[Row]:
    """The catalogue.

    :raises TypeError: a row has an unknown member, or lacks one
    """
    rows = tomllib.loads(path.read_text("utf-8"))["row"]
    return [Row(**{**row, "rooms": tuple(row["rooms"]), "tests": tuple(row["tests"])}) for row in rows]


def written_tests() -> set[str]:
    """Every test of every suite, as it is written; nothing is imported."""
    roots = [CHECKOUT / root for suite in SUITES for root in suite.roots()]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("test_*.py"))]
    return {test for file in files for test in names_in(file)}


def names_in(file: Path) -> list[str]:
    body = ast.parse(file.read_text("utf-8")).body
    inside = [part for part in body if isinstance(part, ast.ClassDef)]
    functions = [*body, *(part for cls in inside for part in cls.body)]
    names = {part.name for part in functions if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}
    place = file.relative_to(CHECKOUT).as_posix() if file.is_relative_to(CHECKOUT) else file.name
    return [f"{place}::{name}" for name in names if name.startswith("test_")]


def read_outcomes(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """Test → the worst outcome of all its cases, from the JUnit files in `folder`.

    :param files: the files of tests, relative to the checkout: JUnit names a case by its dotted place
    """
    dotted = {file.removesuffix(".py").replace("/", "."): file for file in files}
    outcomes: dict[str, str] = {}
    for report in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(report).iter("testcase"):
            name = re.match(r"\w+", case.get("name", ""))
            file = _file_of(case.get("classname", ""), dotted)
            if name and file:
                test = f"{file}::{name[0]}"
                outcomes[test] = max(outcomes.get(test, "passed"), _outcome(case), key=OUTCOMES.index)
    return outcomes


def _file_of(place: str, dotted: Mapping[str, str]) -> str | None:
    """The file in which `package.module.Class` lies."""
    parts = place.split(".")
    ends = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((dotted[end] for end in ends if end in dotted), None)


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def judge(row: Row, written: Iterable[str], outcomes: Mapping[str, str]) -> Verdict:
    named = row.among({*written, *outcomes})
    troubled = {test: outcomes.get(test, "not run") for test in named if outcomes.get(test) != "passed"}
    lacks = row.lacks(named)
    result = "fail" if troubled else "open" if lacks or not named else "pass"
    return Verdict(row, result, len(named), troubled, lacks)


def document(verdicts: Iterable[Verdict], tested: RunFacts | None) -> str:
    """The page, in Markdown."""
    verdicts = list(verdicts)
    counts = ", ".join(
        f"{sum(verdict.result == result for verdict in verdicts)} {result}" for result in ("pass", "fail", "open")
    )
    lines = [
        "# Homologation: the checklist, and what shows it",
        "",
        "<!-- Made by ./bonopay homologation from docs/homologation/rows.toml and the last full run. Do not edit. -->",
        "",
        f"{_run_words(tested)} Rows: {counts}.",
        "",
        "`pass`: every test that the row names passed in that run. `fail`: one of them failed or did not run. `open`:",
        "no test shows the row, or not all of it. A pattern names tests; `*` stands for anything. The DGI's devices",
        "are played by the sandbox: no real one took part.",
        "",
        HEAD,
        "|---|---|---|---|---|",
        *(f"| {' | '.join([*verdict.row.cells(), verdict.result])} |" for verdict in verdicts),
        *_section("What is open", (verdict for verdict in verdicts if verdict.result == "open"), _open_words),
        *_section("What failed or did not run", (verdict for verdict in verdicts if verdict.troubled), _trouble_words),
    ]
    return "\n".join(lines) + "\n"


def _run_words(tested: RunFacts | None) -> str:
    if not tested:
        return "There was no full run yet: no result is known."
    changed = "with uncommitted changes" if tested.changed else "without uncommitted changes"
    return f"Last full run: commit `{tested.commit}` {changed}, {tested.date} UTC."


def _section(title: str, verdicts: Iterable[Verdict], words) -> list[str]:
    lines = [f"- **{verdict.row.number}** {words(verdict)}" for verdict in verdicts]
    return ["", f"## {title}", "", *lines] if lines else []


def _open_words(verdict: Verdict) -> str:
    return verdict.lacks or "no test"


def _trouble_words(verdict: Verdict) -> str:
    """Which tests; of a row of which nothing ran, only how many they are."""
    if len(verdict.troubled) == verdict.count and set(verdict.troubled.values()) == {"not run"}:
        return f"none of its {verdict.count} tests ran"
    return "; ".join(f"`{test}` {outcome}" for test, outcome in sorted(verdict.troubled.items()))


def write_document(home: Home) -> int:
    """Write docs/homologation.md; the exit code is 0 whatever the results are: they are in the page."""
    written = written_tests()
    outcomes = read_outcomes(home.root / RESULTS, {test.split("::", 1)[0] for test in written})
    verdicts = [judge(row, written, outcomes) for row in read_rows()]
    DOCUMENT.write_text(document(verdicts, last_run(home)), "utf-8")
    for result in ("pass", "fail", "open"):
        numbers = [str(verdict.row.number) for verdict in verdicts if verdict.result == result]
        say(f"  {result}: {len(numbers)}{' – ' if numbers else ''}{', '.join(numbers)}")
    say(f"  written to {DOCUMENT.relative_to(CHECKOUT)}")
    return 0
