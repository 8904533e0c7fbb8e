"""The suites of `./bonopay test`: which tests are of one, and what they need.

A suite is a folder of tests, the Python environment it runs in, and the servers it needs.
"""

import ast
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.config import ADDONS, CHECKOUT
from launcher.console import step
from launcher.instance import DEMO_MERCHANT, Instance
from launcher.odoo import COMMERCE, TILL, restore, restore_base
from launcher.packages import chromium

MANIFESTS = {path.parent.name: ast.literal_eval(path.read_text()) for path in ADDONS.glob("*/__manifest__.py")}
#: Addons that join ours to an app of Odoo's, and come by themselves when both are there.
BRIDGES = sorted(name for name, manifest in MANIFESTS.items() if manifest.get("auto_install"))
#: Addons that need Odoo's point of sale, which the others do without.
TILLS = sorted(name for name, manifest in MANIFESTS.items() if "point_of_sale" in manifest["depends"])
MODULES = sorted(MANIFESTS.keys() - {*BRIDGES, *TILLS})
INSTALLED_DATABASE = "bonopay_installed"  # with our addons, never tested on: the suites work on clones of it
TEST_DATABASE = "bonopay_test"
COMMERCE_DATABASE = "bonopay_commerce"  # with everything that an invoice may come from
TILL_DATABASE = "bonopay_till"  # with the tills, never tested on
TILL_TEST_DATABASE = "bonopay_till_test"
IN_PARALLEL = ("-n", "2", "--dist", "loadfile")  # for a suite whose tests wait more than they work
#: Pairs of tracks that run at the same time, one pair after the other. The services' tests leave half of two processors
#: idle, Odoo's keep one busy; those from end to end stop and start what others need, the chaos has servers of its own.
TRACKS = (("services", "odoo"), ("end to end", "chaos"))
_making_cluster = threading.Lock()


@dataclass(frozen=True)
class Suite:
    """One pytest run.

    `roots` are the paths (relative to the checkout) whose tests belong to it; `prepare` brings up what it needs and
    gives the environment variables for its tests. Suites of one `track` follow each other; see `TRACKS`. One that is
    there `on_request` runs when a path names it, and not with the others.
    """

    name: str
    roots: Callable[[], Sequence[Path]]
    python: str
    prepare: Callable[[Instance], Mapping[str, str]]
    track: str
    options: Sequence[str] = ()
    on_request: bool = False

    def selected(self, paths: Sequence[Path]) -> list[Path]:
        """The tests to run: all of the suite, or those of `paths` that lie in it."""
        roots = [CHECKOUT / root for root in self.roots()]
        if not paths:
            return [] if self.on_request else roots
        inside = [path for path in paths if any(file_of(path).is_relative_to(root) for root in roots)]
        covered = [root for root in roots if any(root.is_relative_to(path) for path in paths)]
        return [*inside, *(root for root in covered if root not in inside)]


def file_of(path: Path) -> Path:
    """The file of a pytest node id."""
    return Path(str(path).split("::", maxsplit=1)[0])


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


def _prepare_till_addons(instance: Instance) -> dict[str, str]:
    _start_cluster(instance)
    install_tills(instance)
    if not instance.cluster.has_database(TILL_TEST_DATABASE):
        instance.odoo.create_database(TILL_TEST_DATABASE, template=TILL_DATABASE)
    instance.odoo.configure(TILL_TEST_DATABASE)
    return instance.odoo.environment()


def prepare_tills(instance: Instance) -> dict[str, str]:
    """The databases that tills are cloned from, and the variables by which tests find them; no server runs."""
    _start_cluster(instance)
    install_tills(instance)
    return {**describe_instance(instance), "BONOPAY_TEST_CHROMIUM": chromium()}


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


def install_tills(instance: Instance) -> None:
    """Odoo's point of sale alone (`TILL.database`), and with our addons (`TILL_DATABASE`): tests work on clones."""
    if not instance.cluster.has_database(TILL_DATABASE):
        restore(instance.odoo, TILL, instance.folder / "log" / "base.log")
        modules = [*MODULES, *TILLS]
        with step(f"Installing {', '.join(modules)}"):
            instance.odoo.create_database(TILL_DATABASE, *modules, template=TILL.database)


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
    Suite(
        "till addons",
        lambda: [Path("addons") / till / "tests" for till in TILLS],
        "odoo",
        _prepare_till_addons,
        "odoo",
        options=("--odoo-http",),
    ),
    Suite("end to end", _end_to_end, "tests", prepare_end_to_end, "end to end"),
    # it shows how Odoo's own till loses sales, which takes long and has to be seen, not repeated with each change
    Suite("tills", lambda: [Path("tests/pos")], "tests", prepare_tills, "end to end", on_request=True),
    Suite("chaos", lambda: [Path("tests/chaos")], "tests", describe_instance, "chaos"),
)
