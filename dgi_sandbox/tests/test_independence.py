"""The arbiter shares no code with what it judges."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "bonopay_dgi_sandbox"
JUDGED = ("bonopay_signer", "odoo")
LIST_MODULES = """
import importlib, pkgutil, sys
import bonopay_dgi_sandbox as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(*sorted(sys.modules), sep="\\n")
"""


def test_nothing_judged_is_loaded() -> None:
    output = subprocess.run(
        [sys.executable, "-c", LIST_MODULES], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    loaded = set(output.stdout.split())
    assert {"bonopay_dgi_sandbox.__main__", "bonopay_dgi_sandbox.device", "bonopay_dgi_sandbox.mcf.machine"} <= loaded
    assert not [name for name in loaded if name.split(".")[0] in JUDGED]


def test_no_source_names_what_it_judges() -> None:
    sources = sorted(PACKAGE.rglob("*.py"))
    assert len(sources) > 10
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in JUDGED], source
