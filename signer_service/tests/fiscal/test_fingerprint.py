"""The core is frozen: a change of its bytes is a change of its version."""

import json
import subprocess
from pathlib import Path

from bonopay_signer import fiscal
from bonopay_signer.fiscal.fingerprint import CORE_VERSION, fingerprint

CORE = Path(fiscal.__file__).resolve().parent
RECORDED = Path(__file__).with_name("core_version.json")
HISTORY = json.loads(RECORDED.read_text(encoding="utf-8"))
"""Every version that there was, the newest last. Lines are added, never edited: they are what was homologated."""


def ascending(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_a_changed_core_has_a_version_of_its_own():
    current = {"version": CORE_VERSION, "fingerprint": fingerprint()}
    assert HISTORY[-1] == current, (
        "The fiscal core is homologated byte by byte, and it changed. If that is meant: raise CORE_VERSION in "
        f"fiscal/fingerprint.py, run this test again, and add what it then shows to {RECORDED.name}: "
        f"{json.dumps(current)}"
    )


def test_no_version_or_fingerprint_is_given_twice():
    versions = [ascending(row["version"]) for row in HISTORY]
    assert versions == sorted(set(versions))
    assert len({row["fingerprint"] for row in HISTORY}) == len(HISTORY)


def test_an_inspector_gets_the_same_fingerprint_without_python():
    command = "find * -name '*.py' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    shown = subprocess.run(command, shell=True, cwd=CORE, capture_output=True, text=True, check=True).stdout
    assert shown.split()[0] == fingerprint()
