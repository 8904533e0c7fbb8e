"""`./bonopay lint`: ruff, pylint-odoo, prettier and eslint, each with the configuration at the top of the checkout."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.config import ADDONS, CHECKOUT, REQUIREMENTS, Home
from launcher.console import LauncherError, say, step
from launcher.packages import install_test_tools
from launcher.shell import environment, run

PYTHON_ROOTS = ("bonopay", "launcher", "addons", "signer_service", "dgi_sandbox", "tests")
# pylint takes exceptions to a group of messages from the command line only.
PYLINT_EXCEPTIONS = (
    "missing-readme",  # README.rst is generated from the readme fragments when an addon is published
    "prefer-env-translation",  # `_ = self.env._` at the top of a method keeps long texts readable
    "consider-merging-classes-inherited",  # one file per concern of a model, as in CONTRIBUTING.md
)
WEB_PATTERNS = ("addons/**/*.{js,xml,scss}", "signer_service/**/*.{js,css}", "dgi_sandbox/**/*.{js,css}")


@dataclass(frozen=True)
class Check:
    name: str
    command: Sequence[str | Path]
    fix: Sequence[str | Path] | None = None


def run_lint(home: Home, fix: bool = False) -> int:
    install_test_tools(home)
    lint(home, fix)
    return 0


def lint(home: Home, fix: bool = False) -> None:
    """Run every check.

    :raises LauncherError: naming the checks that found something
    """
    node = _node_modules(home)
    failed = [check.name for check in _checks(home, node) if not _passes(check, home, fix)]
    if failed:
        raise LauncherError(f"Lint: {', '.join(failed)}", "./bonopay lint --fix mends what can be mended.")


def _checks(home: Home, node: Path) -> list[Check]:
    tools = home.venv("lint") / "bin"
    ruff = tools / "ruff"
    roots = [root for root in PYTHON_ROOTS if (CHECKOUT / root).exists()]
    addons = sorted(str(path.parent.relative_to(CHECKOUT)) for path in ADDONS.glob("*/__manifest__.py"))
    xml_plugin = node / "@prettier/plugin-xml/src/plugin.js"
    prettier = [node / ".bin/prettier", "--plugin", xml_plugin, "--no-error-on-unmatched-pattern"]
    # A configuration in the modern format resolves its imports from where it lies: beside the modules.
    eslint = [node / ".bin/eslint", "--config", node.parent / "eslint.config.mjs", "--no-error-on-unmatched-pattern"]
    checks = [
        Check("ruff", [ruff, "check", *roots], [ruff, "check", "--fix", *roots]),
        Check("ruff format", [ruff, "format", "--check", *roots], [ruff, "format", *roots]),
        Check("prettier", [*prettier, "--check", *WEB_PATTERNS], [*prettier, "--write", *WEB_PATTERNS]),
        Check("eslint", [*eslint, "--no-warn-ignored", "addons/**/*.js"]),
    ]
    if addons:
        pylint = [tools / "pylint", "--rcfile", CHECKOUT / ".pylintrc", f"--disable={','.join(PYLINT_EXCEPTIONS)}"]
        checks.append(Check("pylint-odoo", [*pylint, *addons]))
    return checks


def _path(home: Home) -> dict[str, str]:
    """The JavaScript tools run on the Node.js of the lint environment, not on the machine's."""
    return {"PATH": f"{home.venv('lint') / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def _passes(check: Check, home: Home, fix: bool) -> bool:
    command = check.fix if fix and check.fix else check.command
    result = subprocess.run(
        [str(part) for part in command],
        cwd=CHECKOUT,
        env=environment(_path(home)),
        capture_output=True,
        text=True,
    )
    say(f"  {'✓' if result.returncode == 0 else '✗'} {check.name}")
    if result.returncode:
        say(result.stdout + result.stderr)
    return result.returncode == 0


def _node_modules(home: Home) -> Path:
    """The locked JavaScript tools, installed into the launcher's folder."""
    folder = home.root / "node"
    stamp = folder / "installed.lock"
    lock = REQUIREMENTS / "package-lock.json"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        with step("JavaScript tools for lint"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(REQUIREMENTS / name, folder / name)
            npm = home.venv("lint") / "bin" / "npm"
            run(
                [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                home.install_log,
                cwd=folder,
                env=_path(home),
            )
            shutil.copy(lock, stamp)
    shutil.copy(REQUIREMENTS / "eslint.config.mjs", folder / "eslint.config.mjs")
    return folder / "node_modules"
