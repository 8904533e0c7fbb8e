"""The core is frozen: a change of its bytes is a change of its version."""

import json
import subprocess
from pathlib import Path

from bonopay_signer import fiscal
from bonopay_signer.fiscal.fingerprint import CORE_VERSION, fingerprint

CORE = Path(fiscal.__file__).resolve().parent
RECORDED = Path(__file__).with_name("core_version.json")


def test_a_changed_core_is_recorded_with_its_version():
    current = {"version": CORE_VERSION, "fingerprint": fingerprint()}
    assert json.loads(RECORDED.read_text(encoding="utf-8")) == current, (
        "The fiscal core is homologated byte by byte, and it changed. If that is meant: raise CORE_VERSION in "
        f"fiscal/fingerprint.py, run this test again, and write what it then shows into {RECORDED.name}: "
        f"{json.dumps(current)}"
    )


def test_an_inspector_gets_the_same_fingerprint_without_python():
    command = "find * -name '*.py' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    shown = subprocess.run(command, shell=True, cwd=CORE, capture_output=True, text=True, check=True).stdout
    assert shown.split()[0] == fingerprint()
