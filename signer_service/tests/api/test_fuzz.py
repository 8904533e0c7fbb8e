"""Generated requests against the live service: no undocumented status, no broken schema, no 500."""

import re
import subprocess
import sys
from pathlib import Path

from ..support.processes import python_environment
from ..support.stand import Stand

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SECONDS = 20
BATCH = "/api/v1/invoices/batch"


def test_every_operation_keeps_its_description_under_generated_requests(stand: Stand, tmp_path: Path) -> None:
    _fuzz(stand, tmp_path, 100, "--phases", "coverage,fuzzing", "--exclude-path", BATCH)


def test_batch_keeps_its_description_under_generated_requests(stand: Stand, tmp_path: Path) -> None:
    """On its own, without the phase that makes arrays of the largest size: a hundred invoices take it minutes."""
    _fuzz(stand, tmp_path, 5, "--phases", "fuzzing", "--include-path", BATCH, "--max-examples", "30")


def _fuzz(stand: Stand, folder: Path, cases_at_least: int, *options: str) -> None:
    before = len(stand.log())
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{stand.url}/openapi.json", *options]
    command += ["--checks", ",".join(CHECKS), "--max-time", str(SECONDS)]
    command += ["--header", f"Authorization: Bearer {stand.key}", "--generation-deterministic", "--no-color"]
    command += ["--continue-on-failure", "--warnings", "off"]
    done = subprocess.run(
        command, cwd=folder, env=python_environment({}), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = re.search(r"(\d+) generated", done.stdout)
    assert cases and int(cases[1]) > cases_at_least, done.stdout[-2000:]
    assert '"level": "error"' not in stand.log()[before:]
