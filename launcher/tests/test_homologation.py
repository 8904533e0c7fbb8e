"""The document of homologation says what the tests say, and nothing else."""

import re
from pathlib import Path

import pytest

from launcher.config import Home
from launcher.homologation import CATALOGUE, HEAD, Row, document, judge, matches, names_in, read_outcomes, read_rows
from launcher.homologation import written_tests as all_written_tests
from launcher.results import DOCUMENT, RunFacts, keep_results, last_run

ROWS = read_rows()
RUN = RunFacts("0123abc", False, "2026-11-30 07:00")
FILE = "addons/a/tests/test_a.py"
JUNIT = """<?xml version="1.0"?>
<testsuites><testsuite>
  <testcase classname="addons.a.tests.test_a.TestA" name="test_good"/>
  <testcase classname="addons.a.tests.test_a.TestA" name="test_some[1]"/>
  <testcase classname="addons.a.tests.test_a.TestA" name="test_some[2]"><failure message="no"/></testcase>
  <testcase classname="addons.a.tests.test_a" name="test_skipped"><skipped message="no"/></testcase>
  <testcase classname="addons.a.tests.test_a" name="test_broken"><error message="no"/></testcase>
  <testcase classname="elsewhere.test_a" name="test_foreign"/>
</testsuite></testsuites>
"""


@pytest.fixture(scope="module")
def written_tests() -> set[str]:
    return all_written_tests()


def row(*tests: str, rooms: tuple[str, ...] = ("addons",), missing: str = "") -> Row:
    return Row(1, "A thing", "SFE 1.1", rooms, tests, missing)


def results(tmp_path: Path, text: str = JUNIT) -> dict[str, str]:
    (tmp_path / "addons.xml").write_text(text)
    return read_outcomes(tmp_path, [FILE])


# --- the catalogue


def test_the_67_rows_are_there_in_their_order() -> None:
    assert [one.number for one in ROWS] == list(range(1, 68))


def test_every_pattern_names_a_test_that_exists(written_tests: set[str]) -> None:
    idle = [
        f"row {one.number}: {pattern}"
        for one in ROWS
        for pattern in one.tests
        if not any(matches(pattern, test) for test in written_tests)
    ]
    assert not idle, f"{CATALOGUE.name} names tests that do not exist (renamed?): {idle}"


def test_every_room_is_one(written_tests: set[str]) -> None:
    rooms = {test.split("/", 1)[0] for test in written_tests}
    assert {room for one in ROWS for room in one.rooms} <= rooms
    assert all(one.rooms for one in ROWS)


def test_texts_fit_a_table() -> None:
    for one in ROWS:
        assert not re.search(r"[|\n]", "".join([one.requirement, one.source, one.missing, *one.tests]))


# --- the committed document


def test_the_document_has_the_rows_and_the_tests_of_the_catalogue() -> None:
    lines = DOCUMENT.read_text("utf-8").splitlines()
    table = lines[lines.index(HEAD) + 2 :][: len(ROWS)]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    assert [cells[:4] for cells in found] == [one.cells() for one in ROWS], "run ./bonopay homologation"
    assert {cells[4] for cells in found} <= {"pass", "fail", "open"}


def test_the_document_says_which_run_it_is_about_or_has_no_pass() -> None:
    text = DOCUMENT.read_text("utf-8")
    ran = re.search(r"commit `[0-9a-f]{40}` with(out)? uncommitted changes, \d{4}-\d\d-\d\d \d\d:\d\d UTC", text)
    assert ran or ("There was no full run yet" in text and "| pass |" not in text)


# --- what a result is


def test_all_cases_of_a_test_must_pass(tmp_path: Path) -> None:
    found = {test.split("::")[1]: outcome for test, outcome in results(tmp_path).items()}
    assert found == {"test_good": "passed", "test_some": "failed", "test_skipped": "skipped", "test_broken": "failed"}


@pytest.mark.parametrize(
    ("name", "result"),
    [("test_good", "pass"), ("test_some", "fail"), ("test_skipped", "fail"), ("test_broken", "fail")],
)
def test_a_row_passes_only_when_its_tests_passed(tmp_path: Path, name: str, result: str) -> None:
    assert judge(row(name), [f"{FILE}::{name}"], results(tmp_path)).result == result


def test_a_test_that_exists_and_did_not_run_fails_its_row(tmp_path: Path) -> None:
    written = [f"{FILE}::test_good", f"{FILE}::test_good_too"]
    verdict = judge(row("test_good*"), written, results(tmp_path))
    assert (verdict.result, verdict.troubled) == ("fail", {written[1]: "not run"})


def test_without_a_test_a_row_is_open(tmp_path: Path) -> None:
    assert judge(row(rooms=()), [], results(tmp_path)).result == "open"


def test_what_is_missing_or_silent_keeps_a_row_open_whatever_passes(tmp_path: Path) -> None:
    written, outcomes = [f"{FILE}::test_good"], results(tmp_path)
    missing = judge(row("test_good", missing="the screen"), written, outcomes)
    silent = judge(row("test_good", rooms=("addons", "signer_service")), written, outcomes)
    assert (missing.result, missing.lacks) == ("open", "the screen")
    assert (silent.result, silent.lacks) == ("open", "no test in signer_service")


def test_what_is_missing_hides_no_failure(tmp_path: Path) -> None:
    assert judge(row("test_some", missing="x"), [f"{FILE}::test_some"], results(tmp_path)).result == "fail"


def test_without_results_nothing_passes(tmp_path: Path, written_tests: set[str]) -> None:
    verdicts = [judge(one, written_tests, read_outcomes(tmp_path, [])) for one in ROWS]
    assert {verdict.result for verdict in verdicts} <= {"fail", "open"}
    assert "There was no full run yet" in document(verdicts, None)


def test_the_page_names_the_run_and_each_failure(tmp_path: Path) -> None:
    written = [f"{FILE}::test_some", f"{FILE}::test_good"]
    verdicts = [judge(row(name), written, results(tmp_path)) for name in ("test_some", "test_good")]
    page = document(verdicts, RUN)
    assert "commit `0123abc` without uncommitted changes, 2026-11-30 07:00 UTC" in page
    assert "Rows: 1 pass, 1 fail, 0 open." in page
    assert f"- **1** `{FILE}::test_some` failed" in page
    assert "| 1 | A thing | SFE 1.1 | `test_good` | pass |" in page


# --- where it comes from


def test_tests_are_found_in_functions_and_classes_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    file.write_text(
        "def test_a():\n    def test_inner(): pass\n\nasync def test_b(): pass\n\ndef helper(): pass\n\n"
        "class TestC:\n    def test_d(self): pass\n    def other(self): pass\n"
    )
    assert sorted(names_in(file)) == ["test_x.py::test_a", "test_x.py::test_b", "test_x.py::test_d"]


def test_results_of_a_full_run_take_the_place_of_the_older_ones(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "run"
    assert last_run(home) is None
    for name in ("one", "two"):
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        (folder / f"{name}.xml").write_text(JUNIT)
        keep_results(home, folder, RunFacts(name, True, "2026-11-30 07:00"))
    assert sorted(file.name for file in (home.root / "results").iterdir()) == ["run.json", "two.xml"]
    assert last_run(home) == RunFacts("two", True, "2026-11-30 07:00")
    assert not (home.root / "results.new").exists()
