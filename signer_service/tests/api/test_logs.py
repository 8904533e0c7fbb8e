"""Logs: JSON lines, one for each request, and every line about a document names its request."""

import io
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bonopay_signer import logs, metrics

from ..support.processes import wait_until
from ..support.stand import Stand, document


def _lines(stand: Stand) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stand.log().splitlines()]


def _of(stand: Stand, request_id: str) -> list[dict[str, Any]]:
    return [
        line
        for line in _lines(stand)
        if request_id == line.get("request_id") or request_id in line.get("request_ids", ())
    ]


def _post(stand: Stand, payload: dict[str, Any], request_id: str) -> int:
    headers = {"Authorization": f"Bearer {stand.key}", "X-Request-Id": request_id}
    return stand.http.post("/api/v1/invoices", json=payload, headers=headers).status_code


def test_request_is_one_line_with_its_outcome_and_duration(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    payload = document(outlet)
    changed = {**payload, "reference_number": "INV/X"}
    outcomes = [_post(stand, body, f"line-{outlet.id}-{n}") for n, body in enumerate((payload, payload, changed))]
    assert outcomes == [201, 200, 409]
    wait_until(lambda: len(_of(stand, f"line-{outlet.id}-2")) == 1, "the last is logged")
    for n, (status, problem) in enumerate(((201, None), (200, None), (409, "document_conflict"))):
        lines = [line for line in _of(stand, f"line-{outlet.id}-{n}") if line["event"] == "request"]
        assert len(lines) == 1
        (line,) = lines
        assert (line["method"], line["route"], line["status"]) == ("POST", "/api/v1/invoices", status)
        assert line.get("problem") == problem and 0 < line["ms"] < 60_000
        assert line["level"] == "info" and line["timestamp"].endswith("Z")


def test_what_goes_on_after_the_answer_and_in_the_writer_names_the_request(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand(seal_patience=1)
    stand.start()
    stand.relay.drop("confirm", "after")
    assert _post(stand, document(stand.outlet()), "settle-1234") == 201
    wait_until(lambda: len(_of(stand, "settle-1234")) >= 2, "settlement and request are logged")
    assert any("is not settled yet" in line["event"] for line in _of(stand, "settle-1234"))
    with stand.database.as_admin() as connection:
        connection.execute("UPDATE signer.shard SET sealed_at = now() + interval '1 hour'")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [stand.database.service_role]
        )
    assert _post(stand, document(stand.outlet(mode="deferred")), "writer-12345") == 503
    of_writer = [line for line in _of(stand, "writer-12345") if line["logger"] == "bonopay_signer.ledger.writer"]
    assert of_writer and "the ledger is not written" in of_writer[0]["event"]
    assert of_writer[0]["request_ids"] == ["writer-12345"]
    assert all("request_id" not in line for line in of_writer), "the writer serves many"


def test_every_line_is_json_with_time_level_and_logger(stand: Stand) -> None:
    for line in _lines(stand):
        assert {"event", "level", "logger", "timestamp"} <= set(line), line


class _Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def test_request_line_that_cannot_be_written_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    logging.getLogger("bonopay_signer.http").setLevel(logging.INFO)
    before = metrics.LOG_LINES_LOST._value.get()
    monkeypatch.setattr(sys, "stderr", _Full())
    logs.request_line("GET", "/health", 200, None, 1.0)
    monkeypatch.undo()
    assert metrics.LOG_LINES_LOST._value.get() == before + 1


def test_request_line_is_json_whatever_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    logging.getLogger("bonopay_signer.http").setLevel(logging.INFO)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    token = logs.request_id.set("bp_abcdefghijkl_secret")
    logs.request_line('GET"\n{', "/a\\b", 200, "x", 12.34)
    logs.request_id.reset(token)
    monkeypatch.undo()
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["method"] == 'GET"\n{' and json.loads(line)["ms"] == 12.3
    assert "secret" not in line
