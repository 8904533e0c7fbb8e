"""Generated requests against the live service: no undocumented status, no broken schema, no 500."""

import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonopay_signer.api.problems import ProblemDetails
from bonopay_signer.sealing.batch_route import BatchItem
from bonopay_signer.tills.routes import Reconciliation

from ..fiscal.builders import accepted
from ..support.processes import python_environment
from ..support.stand import AUTHORITY, Stand
from ..tills.browser import BrowserTill
from ..tills.calls import post

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SECONDS = 20
BATCH = "/api/v1/invoices/batch"
TICKETS = "/api/v1/tills/{device_id}/tickets"

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _damaged(seed: int) -> dict[str, Any]:
    """An invoice of an outlet that is not there, with a member or two replaced or left out."""
    choose = random.Random(seed)
    payload: dict[str, Any] = accepted(outlet_id="NOSUCHOUTLET")
    for name in choose.sample(sorted(payload), 2):
        payload[name] = choose.choice(
            [None, "", 0, [], {}, "\u0000", "9" * 400, payload[choose.choice(sorted(payload))]]
        )
    return payload


def test_every_operation_keeps_its_description_under_generated_requests(stand: Stand, tmp_path: Path) -> None:
    before = len(stand.log())
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{stand.url}/openapi.json", "--exclude-path", BATCH]
    command += ["--exclude-path", TICKETS]
    command += ["--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing", "--max-time", str(SECONDS)]
    command += ["--header", f"Authorization: Bearer {stand.key}", "--generation-deterministic", "--no-color"]
    command += ["--continue-on-failure", "--warnings", "off"]
    done = subprocess.run(
        command, cwd=tmp_path, env=python_environment({}), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = re.search(r"(\d+) generated", done.stdout)
    assert cases and int(cases[1]) > 100, done.stdout[-2000:]
    assert '"level": "error"' not in stand.log()[before:]


@given(st.lists(st.one_of(_json, st.builds(_damaged, st.integers(0, 2**32))), min_size=1, max_size=8))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batch_answers_every_item_by_its_description(stand: Stand, items: list[Any]) -> None:
    """On its own: what the fuzzer makes of arrays of up to a hundred invoices takes it minutes."""
    headers = {"Authorization": f"Bearer {stand.key}"}
    response = stand.http.post(BATCH, json={"invoices": items}, headers=headers)
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    assert len(results) == len(items)
    described = msgspec.convert(results, list[BatchItem])
    for item in described:
        assert isinstance(item.problem, ProblemDetails), "nothing damaged is sealed"
        assert item.problem.status == item.status and item.status in (400, 403, 413, 422)


@pytest.fixture(scope="module")
def till(stand: Stand) -> BrowserTill:
    till = BrowserTill(stand.outlet(mode="deferred"), "FUZZ", AUTHORITY)
    till.credential_id = post(stand, "/api/v1/tills", till.enrolment).json()["credential_id"]
    return till


def _spoilt(ticket: dict, seed: int) -> dict:
    """A ticket with a member or two of it, or of its statement, replaced by what another one may hold."""
    choose = random.Random(seed)
    statement = dict(ticket["statement"])
    spoilt = {**ticket, "statement": statement}
    for target in choose.choices((spoilt, statement), k=2):
        name = choose.choice(sorted(target))
        odd = [None, "", 0, -1, 2**53, [], {}, "\u0000", "9" * 400, statement[choose.choice(sorted(statement))]]
        target[name] = choose.choice(odd)
    return spoilt


@given(data=st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tickets_are_answered_by_their_description(stand: Stand, till: BrowserTill, data: st.DataObject) -> None:
    """On its own, for the same reason; and the fuzzer has no till."""
    spoilt = st.builds(lambda seed: _spoilt(till.copy().sell(), seed), st.integers(0, 2**32))
    tickets = data.draw(st.lists(st.one_of(spoilt, spoilt, _json), min_size=1, max_size=6))
    answer = post(
        stand, TICKETS.format(device_id=till.device_id), {"tickets": tickets, "complete": data.draw(st.booleans())}
    )
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert msgspec.json.decode(answer.content, type=ProblemDetails).code == "payload_malformed"
        return
    taken = msgspec.json.decode(answer.content, type=Reconciliation)
    assert len(taken.results) == len(tickets) and all(
        (one.hash is None) == (one.result == "refused") for one in taken.results
    )
