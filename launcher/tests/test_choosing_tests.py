"""`./bonopay test PATH`: the suite that a path lies in, and never a green run that ran nothing."""

import itertools

from launcher.config import CHECKOUT
from launcher.suites import SUITES
from launcher.testing import NO_TESTS_COLLECTED, Outcome, _count, _summary

BY_NAME = {suite.name: suite for suite in SUITES}


def test_without_paths_every_suite_runs_whole_but_for_those_on_request() -> None:
    for suite in SUITES:
        whole = [CHECKOUT / root for root in suite.roots()]
        assert suite.selected([]) == ([] if suite.on_request else whole)
        assert suite.selected(whole) == whole
    assert [suite.name for suite in SUITES if suite.on_request] == ["tills"]


def test_a_file_or_node_id_chooses_its_suite_only() -> None:
    chosen = CHECKOUT / "dgi_sandbox/tests/test_taxes.py::test_ht"
    assert BY_NAME["dgi_sandbox"].selected([chosen]) == [chosen]
    assert [suite.name for suite in SUITES if suite.selected([chosen])] == ["dgi_sandbox"]


def test_a_folder_above_a_suite_chooses_the_whole_suite() -> None:
    assert BY_NAME["signer_service"].selected([CHECKOUT / "signer_service"]) == [CHECKOUT / "signer_service/tests"]


def test_chaos_and_tills_are_suites_of_their_own_and_everything_else_in_tests_is_run_from_end_to_end() -> None:
    def chosen(path: str) -> dict[str, int]:
        return {suite.name: len(found) for suite in SUITES if (found := suite.selected([CHECKOUT / path]))}

    files = {path for path in (CHECKOUT / "tests").rglob("test_*.py") if not {"chaos", "pos"} & set(path.parts)}
    assert {CHECKOUT / root for root in BY_NAME["end to end"].roots()} == files
    assert chosen("tests") == {"end to end": len(files), "tills": 1, "chaos": 1}
    assert chosen("tests/chaos/test_short_run.py") == {"chaos": 1}
    assert chosen("tests/pos") == {"tills": 1}
    assert chosen("tests/test_board.py::test_x") == {"end to end": 1}


def test_every_addon_is_covered() -> None:
    addons = {path.parent.name for path in (CHECKOUT / "addons").glob("*/__manifest__.py")}
    roots = [[root.parent.name for root in BY_NAME[name].roots()] for name in ("addons", "commerce", "till addons")]
    assert all(roots)
    assert sorted(addons) == sorted(itertools.chain(*roots)), "each in one suite"


def test_nothing_run_is_not_a_success() -> None:
    assert _summary([Outcome("one", NO_TESTS_COLLECTED, 0, 0, 0)]) == 1
    assert _summary([Outcome("one", 0, 3, 0, 0), Outcome("two", NO_TESTS_COLLECTED, 0, 0, 0)]) == 0


def test_a_suite_that_breaks_without_a_failed_test_fails_the_run() -> None:
    assert _summary([Outcome("one", 0, 3, 0, 0), Outcome("two", 2, 0, 0, 0)]) == 1


def test_the_closing_line_is_counted() -> None:
    line = "==== 2 failed, 31 passed, 1 skipped, 1 error in 3.21s ===="
    assert [_count(line, words) for words in ("passed", "failed|error", "skipped")] == [31, 3, 1]
