"""The published vectors: the core makes them, the stand-alone checker confirms them, and finds any single change."""

import ast
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .builders import findings_of
from .published import FOLDER, check_vectors, document, generate, refused_bytes

CHECKER = FOLDER / "check_vectors.py"
PAYLOADS = document("payloads.json")
ARITHMETIC = document("arithmetic.json")
REFUSED = document("refused.json")


def run_checker(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-I", CHECKER, *arguments], capture_output=True, text=True, check=False)


def test_the_checker_confirms_the_published_vectors():
    result = run_checker()
    assert (result.returncode, result.stderr) == (0, "")


def test_the_checker_shares_no_code_with_the_core():
    sisters = {"counting", "credit_notes", "payload_form", "refusals"}
    for module in ("check_vectors", *sisters):
        tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in imports if isinstance(node, ast.ImportFrom)}
        assert names - sisters <= sys.stdlib_module_names, module


def test_the_core_still_makes_the_published_vectors(tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "OUTPUT", tmp_path)
    script = generate.SCRIPT.read_text(encoding="ascii")
    monkeypatch.setattr(generate, "SCRIPT", tmp_path / "script.js")
    generate.main()
    assert generate.SCRIPT.read_text(encoding="ascii") == script, "the till's copy is another"
    for name in check_vectors.FILES:
        assert (tmp_path / name).read_text(encoding="utf-8") == (FOLDER / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("vector", REFUSED["vectors"], ids=lambda vector: vector["name"])
def test_the_core_refuses_as_published(vector):
    found = [(finding.pointer, finding.code) for finding in findings_of(refused_bytes(vector))]
    assert found == [(finding["pointer"], finding["code"]) for finding in vector["findings"]]


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Where the leaves of a document are."""
    if isinstance(value, dict | list) and value:
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*path, key))
    else:
        yield path


def mutated(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, str) and value:
        middle = len(value) // 2
        return value[:middle] + ("1" if value[middle] != "1" else "2") + value[middle + 1 :]
    if isinstance(value, bool) or not isinstance(value, int):
        return "x"
    return value + 1


def with_mutation(source: dict, path: tuple) -> dict:
    source = copy.deepcopy(source)
    target = source
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = mutated(target[path[-1]])
    return source


def holds(name: str, source: dict) -> bool:
    try:
        check_vectors.FILES[name](source)
    except (check_vectors.VectorError, LookupError, TypeError, ValueError):
        return False
    return True


SEALED = [path for path in places(PAYLOADS) if path[-1] != "name" or "payload" in path]


@given(st.sampled_from(SEALED))
@settings(max_examples=150)
def test_the_checker_finds_any_change_of_a_sealed_vector(path):
    assert not holds("payloads.json", with_mutation(PAYLOADS, path))


SIGNED = [path for path in places(document("tickets.json")) if path[-1] != "name" or "payload" in path]


@given(st.sampled_from(SIGNED))
@settings(max_examples=150)
def test_the_checker_finds_any_change_of_a_ticket(path):
    assert not holds("tickets.json", with_mutation(document("tickets.json"), path))


CALCULATED = [
    path for path in places(ARITHMETIC) if path[-1] in {"base", "tax", "total", "specific_tax", "rate", "price_mode"}
]


@pytest.mark.parametrize("path", [path for path in CALCULATED if "items" not in path], ids=str)
def test_the_checker_finds_any_change_of_a_calculated_amount(path):
    assert not holds("arithmetic.json", with_mutation(ARITHMETIC, path))


def test_the_checker_names_the_first_bad_vector_and_fails(tmp_path):
    for name in check_vectors.FILES:
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    bad = copy.deepcopy(PAYLOADS)
    bad["vectors"][3]["entry_hash"] = "00" * 32
    bad["vectors"][5]["short_code"] = "0000-0000-0000"
    (tmp_path / "payloads.json").write_text(json.dumps(bad), encoding="utf-8")
    result = run_checker(str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith(f"payloads.json: {bad['vectors'][4]['name']}: previous_hash")


@pytest.mark.parametrize("name", check_vectors.FILES)
def test_the_checker_fails_when_a_file_is_missing_or_empty(name, tmp_path):
    for other in check_vectors.FILES:
        (tmp_path / other).write_bytes((FOLDER / other).read_bytes())
    (tmp_path / name).write_text('{"vectors": []}', encoding="utf-8")
    assert run_checker(str(tmp_path)).returncode == 1
    (tmp_path / name).unlink()
    assert run_checker(str(tmp_path)).returncode == 1


def test_the_key_is_marked_as_a_test_key():
    assert PAYLOADS["keys"][0]["kid"] == PAYLOADS["vectors"][0]["statement"]["key_id"]
    assert {vector["statement"]["authority"] for vector in PAYLOADS["vectors"]} == {"BONO-CD-TEST"}
