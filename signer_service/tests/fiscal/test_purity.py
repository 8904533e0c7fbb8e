"""The core stays pure: the standard library and msgspec, no clock, no files, no network."""

import ast
import sys
from pathlib import Path

import pytest

from bonopay_signer import fiscal

CORE = Path(fiscal.__file__).resolve().parent
MODULES = sorted(CORE.rglob("*.py"))
READS_ITS_OWN_BYTES = "fingerprint.py"
IMPURE_MODULES = {
    "io",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "time",
    "urllib",
}
IMPURE_CALLS = {
    "now",
    "today",
    "utcnow",
    "open",
    "read_bytes",
    "read_text",
    "write_bytes",
    "write_text",
    "print",
    "input",
}


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def called(tree: ast.AST) -> set[str]:
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {getattr(function, "id", getattr(function, "attr", "")) for function in functions}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_a_module_imports_the_standard_library_msgspec_and_the_core_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert imported(tree) <= sys.stdlib_module_names | {"msgspec"}
    depth = len(path.relative_to(CORE).parts)
    assert all(node.level <= depth for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.name != READS_ITS_OWN_BYTES],
    ids=lambda path: path.relative_to(CORE).as_posix(),
)
def test_a_module_does_no_input_or_output_and_reads_no_clock(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not imported(tree) & IMPURE_MODULES
    assert not called(tree) & IMPURE_CALLS
