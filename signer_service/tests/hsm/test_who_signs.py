"""Nothing but a signing process has the token's key in its hands, and it has no request for a digest."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import bonopay_signer
from bonopay_signer.hsm import wire

from ..support.processes import SERVICE_FOLDER, python_environment
from ..support.stand import Stand

PACKAGE = Path(bonopay_signer.__file__).parent
WITH_THE_TOKEN = {"commands", "cryptoki", "inventory", "keys", "token", "worker"}
"""The modules of hsm that touch PKCS#11."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_only_hsm_touches_pkcs11() -> None:
    users = {name for name, tree in _modules() if any(part.split(".")[0] == "pkcs11" for part in _imports(tree))}
    assert users == {f"hsm.{name}" for name in WITH_THE_TOKEN}


def test_outside_hsm_only_commands_by_hand_reach_the_modules_with_the_token() -> None:
    wanted = {f"bonopay_signer.hsm.{name}" for name in WITH_THE_TOKEN}
    users = {name for name, tree in _modules() if wanted & set(_imports(tree)) and not name.startswith("hsm.")}
    assert users == {"commands.keys", "commands.tokens"}


def test_the_token_s_sign_is_called_in_the_worker_and_for_self_tests_alone() -> None:
    """A call of ``sign`` with a mechanism is the token's; the self tests sign a preimage that they draw themselves."""
    calls = [
        (name, function.name)
        for name, tree in _modules()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and any(keyword.arg == "mechanism" for keyword in node.keywords)
        if isinstance(node.func, ast.Attribute) and node.func.attr.startswith("sign")
    ]
    assert sorted(calls) == [("hsm.commands", "_self_test"), ("hsm.keys", "find_key"), ("hsm.worker", "_sign")]


def test_no_request_to_a_signing_process_carries_a_digest() -> None:
    requests = {kind.__name__ for kind in wire.Request.__args__}
    assert requests == {"Open", "AddKey", "DropKey", "SignEntries", "SignCheckpoint", "ProvePossession", "Check"}
    assert not any("digest" in field for kind in wire.Request.__args__ for field in kind.__struct_fields__)


def test_the_service_s_process_has_neither_the_token_s_module_nor_a_binding_to_it(
    new_stand: Callable[..., Stand],
) -> None:
    stand = new_stand()
    stand.start()
    stand.sealed(stand.outlet())
    service = _mapped(stand.process.pid)
    assert "postgres" in service or "libpq" in service, "the test sees what is loaded"
    assert not any(word in service for word in ("pkcs11", "softhsm", "p11-kit"))
    script = "import sys, bonopay_signer.api.server, bonopay_signer.cli; print('pkcs11' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=SERVICE_FOLDER,
        env=python_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def _mapped(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
