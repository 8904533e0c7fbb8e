"""`./bonopay test`: every suite of the project against real servers, in an instance of its own that is removed after.

A suite is a folder of tests, the Python environment it runs in, and the servers it needs. `./bonopay test PATH …` runs
the suites that PATH lies in; other arguments go to pytest.
"""

import ast
import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.config import ADDONS, CHECKOUT, Home
from launcher.console import HeldBack, LauncherError, held_back, say, step
from launcher.instance import DEMO_MERCHANT, Instance, throwaway_instance
from launcher.linting import lint
from launcher.odoo import COMMERCE, restore, restore_base
from launcher.packages import chromium, install_runtime, install_test_tools
from launcher.results import RESULTS, describe_checkout, keep_results
from launcher.shell import environment

NO_TESTS_COLLECTED = 5  # pytest's exit code
MANIFESTS = {path.parent.name: ast.literal_eval(path.read_text()) for path in ADDONS.glob("*/__manifest__.py")}
#: Addons that join ours to an app of Odoo's, and come by themselves when both are there.
BRIDGES = sorted(name for name, manifest in MANIFESTS.items() if manifest.get("auto_install"))
MODULES = sorted(MANIFESTS.keys() - set(BRIDGES))
INSTALLED_DATABASE = "bonopay_installed"  # with our addons, never tested on: the suites work on clones of it
TEST_DATABASE = "bonopay_test"
COMMERCE_DATABASE = "bonopay_commerce"  # with everything that an invoice may come from
IN_PARALLEL = ("-n", "2", "--dist", "loadfile")  # for a suite whose tests wait more than they work
#: Pairs of tracks that run at the same time, one pair after the other. The services' tests leave half of two processors
#: idle, Odoo's keep one busy; those from end to end stop and start what others need, the chaos has servers of its own.
TRACKS = (("services", "odoo"), ("end to end", "chaos"))
_making_cluster = threading.Lock()


@dataclass(frozen=True)
class Suite:
    """One pytest run.

    `roots` are the paths (relative to the checkout) whose tests belong to it; `prepare` brings up what it needs and
    gives the environment variables for its tests. Suites of one `track` follow each other; see `TRACKS`.
    """

    name: str
    roots: Callable[[], Sequence[Path]]
    python: str
    prepare: Callable[[Instance], Mapping[str, str]]
    track: str
    options: Sequence[str] = ()

    def selected(self, paths: Sequence[Path]) -> list[Path]:
        """The tests to run: all of the suite, or those of `paths` that lie in it."""
        roots = [CHECKOUT / root for root in self.roots()]
        if not paths:
            return roots
        inside = [path for path in paths if any(_file(path).is_relative_to(root) for root in roots)]
        covered = [root for root in roots if any(root.is_relative_to(path) for path in paths)]
        return [*inside, *(root for root in covered if root not in inside)]


def _file(path: Path) -> Path:
    """The file of a pytest node id."""
    return Path(str(path).split("::", maxsplit=1)[0])


def run_tests(home: Home, arguments: Sequence[str]) -> int:
    """Run the chosen suites; the exit code is 0 only when all passed and some test ran."""
    paths = [Path.cwd() / argument for argument in arguments if _is_path(argument)]
    options = [argument for argument in arguments if not _is_path(argument)]
    for path in paths:
        if not _file(path).exists():
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


# --- what each suite needs -------------------------------------------------------------------------------------------


def _prepare_signer(instance: Instance) -> dict[str, str]:
    _start_cluster(instance)
    return {
        "PYTHONPATH": str(CHECKOUT / "signer_service"),
        "BONOPAY_TEST_DATABASE_URL": instance.cluster.url("postgres", "postgres"),
        "BONOPAY_TEST_SANDBOX_COMMAND": json.dumps(instance.sandbox.command),
        "BONOPAY_TEST_SANDBOX_PYTHONPATH": str(CHECKOUT / "dgi_sandbox"),
    }


def _prepare_sandbox(instance: Instance) -> dict[str, str]:
    return {"PYTHONPATH": str(CHECKOUT / "dgi_sandbox")}


def _prepare_launcher(instance: Instance) -> dict[str, str]:
    return {"PYTHONPATH": str(CHECKOUT)}


def _prepare_odoo(instance: Instance) -> dict[str, str]:
    _start_trusted_side(instance)
    install_addons(instance)
    if not instance.cluster.has_database(TEST_DATABASE):
        instance.odoo.create_database(TEST_DATABASE, template=INSTALLED_DATABASE)
        _prepare_company(instance, TEST_DATABASE)
    instance.odoo.configure(TEST_DATABASE)
    return {**instance.odoo.environment(), **_signer_variables(instance)}


PREPARE_COMPANY = """
from odoo.addons.bonopay_fiscal.tests.common import prepare_company
prepare_company(env)
env.cr.commit()
"""


def _prepare_company(instance: Instance, database: str) -> None:
    """The company that the addons' test classes share: each would take seconds to load its chart of accounts."""
    with step("A company for the tests of the addons"):
        instance.odoo.run_script(database, PREPARE_COMPANY)


def _prepare_commerce(instance: Instance) -> dict[str, str]:
    _start_trusted_side(instance)
    if not instance.cluster.has_database(COMMERCE_DATABASE):
        restore(instance.odoo, COMMERCE, instance.folder / "log" / "base.log")
        with step(f"Installing {', '.join([*MODULES, *BRIDGES])}"):
            instance.odoo.create_database(COMMERCE_DATABASE, *MODULES, *BRIDGES, template=COMMERCE.database)
        _prepare_company(instance, COMMERCE_DATABASE)
    instance.odoo.configure(COMMERCE_DATABASE)
    return {**instance.odoo.environment(), **_signer_variables(instance)}


def prepare_end_to_end(instance: Instance) -> dict[str, str]:
    """Everything running but Odoo, and the variables by which tests and benchmarks find it."""
    _start_trusted_side(instance)
    install_addons(instance)
    return {**_signer_variables(instance), **describe_instance(instance), "BONOPAY_TEST_CHROMIUM": chromium()}


def describe_instance(instance: Instance) -> dict[str, str]:
    """The variables by which tests and benchmarks find the instance."""
    described = {"home": str(instance.home.root), "folder": str(instance.folder), "ports": vars(instance.ports)}
    return {"PYTHONPATH": str(CHECKOUT), "BONOPAY_TEST_INSTANCE": json.dumps(described)}


def _signer_variables(instance: Instance) -> dict[str, str]:
    return {
        "BONOPAY_TEST_SIGNER_URL": instance.signer.url,
        "BONOPAY_TEST_SIGNER_KEY": instance.signer.api_key(),
        "BONOPAY_TEST_OUTLET": DEMO_MERCHANT["outlet"],
    }


def _start_cluster(instance: Instance) -> None:
    """The instance's cluster, with Odoo's base database, which both tracks need: the first to come makes it."""
    with _making_cluster:
        if instance.cluster.data.exists():
            instance.cluster.start()
            return
        restore_base(instance.odoo, instance.folder / "log" / "base.log")


def install_addons(instance: Instance) -> None:
    """The database that tests and benchmarks clone."""
    if not instance.cluster.has_database(INSTALLED_DATABASE):
        with step(f"Installing {', '.join(MODULES)}"):
            instance.odoo.create_database(INSTALLED_DATABASE, *MODULES)


def _start_trusted_side(instance: Instance) -> None:
    _start_cluster(instance)
    if not instance.signer.service.pid():
        with step("DGI sandbox, HSM token and signer"):
            instance.prepare_trusted_side()


def _end_to_end() -> list[Path]:
    return sorted(path.relative_to(CHECKOUT) for path in (CHECKOUT / "tests").glob("test_*.py"))


SUITES = (
    Suite("launcher", lambda: [Path("launcher/tests")], "tests", _prepare_launcher, "services"),
    Suite("dgi_sandbox", lambda: [Path("dgi_sandbox/tests")], "sandbox", _prepare_sandbox, "services"),
    Suite("signer_service", lambda: [Path("signer_service/tests")], "signer", _prepare_signer, "services", IN_PARALLEL),
    Suite(
        "addons",
        lambda: [Path("addons") / module / "tests" for module in MODULES],
        "odoo",
        _prepare_odoo,
        "odoo",
        options=("--odoo-http",),  # portal, roles and JavaScript are tested over HTTP
    ),
    Suite(
        "commerce",
        lambda: [Path("addons") / bridge / "tests" for bridge in BRIDGES],
        "odoo",
        _prepare_commerce,
        "odoo",
        options=("--odoo-http",),
    ),
    Suite("end to end", _end_to_end, "tests", prepare_end_to_end, "end to end"),
    Suite("chaos", lambda: [Path("tests/chaos")], "tests", describe_instance, "chaos"),
)
