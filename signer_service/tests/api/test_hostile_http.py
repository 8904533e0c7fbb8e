"""Clients that break the protocol, leave in the middle or never finish: an answer or a closed door, never a defect."""

import json
import socket
from pathlib import Path

import pytest

from ..support.processes import wait_until
from ..support.raw import exchange, request, statuses
from ..support.stand import Stand, document

MIB = 1024 * 1024


def _memory(stand: Stand) -> int:
    """Resident bytes of the signer's process."""
    assert stand.process is not None
    status = Path(f"/proc/{stand.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def _defects(stand: Stand) -> str:
    return "\n".join(line for line in stand.log().splitlines() if '"level": "error"' in line)


@pytest.mark.parametrize(
    "target",
    [
        "/verify/BONO-KIN001-01-000000001?code=\xff",
        "/verify?number=\xff&code=\xff",
        "/verify?number=A/B&code=x",
        "/verify?number=..&code=x",
        "/verify?number=%2F%2Fevil.example&code=x",
        "/V/\xff",
        "//verify",
        "/verify/%00?code=%00",
    ],
)
@pytest.mark.parametrize("host", ["signer", "[::1", "evil.example:99999", "a b", "\xff"])
def test_address_or_host_that_no_browser_sends_is_no_defect(stand: Stand, target: str, host: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
    answer = exchange(stand, head)
    assert statuses(answer)[0] in (200, 400, 404), answer[:300]
    assert b"evil.example" not in answer.lower().split(b"\r\n\r\n")[0], "no redirect to where a visitor says"


def test_form_leads_nowhere_else(stand: Stand) -> None:
    for number in ("//evil.example", "\\\\evil.example", "https://evil.example", "x\r\nLocation: https://evil.example"):
        response = stand.http.get("/verify", params={"number": number, "code": "x"})
        assert response.status_code == 404 and "location" not in response.headers
        assert "Facture introuvable" in response.text


def test_headers_without_end_do_not_fill_the_memory(stand: Stand) -> None:
    before = _memory(stand)
    line = b"X-Filler: " + b"x" * 60_000 + b"\r\n"
    answer = exchange(stand, b"GET /health HTTP/1.1\r\nHost: signer\r\n", *[line] * 1000)
    assert statuses(answer) in ([431], []), answer[:200]
    assert _memory(stand) - before < 20 * MIB
    one = exchange(stand, b"GET /health HTTP/1.1\r\nHost: signer\r\nX-Filler: ", *[b"x" * MIB] * 40)
    assert statuses(one) in ([431], []), one[:200]
    assert _memory(stand) - before < 20 * MIB


def test_request_whose_head_never_ends_is_not_waited_for(stand: Stand) -> None:
    with socket.create_connection(("127.0.0.1", stand.port), 30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost:")
        assert connection.recv(1000) == b"", "closed by the signer"
    with socket.create_connection(("127.0.0.1", stand.port), 30) as connection:
        assert connection.recv(1000) == b"", "and so is a connection that says nothing"


def test_body_in_chunks_above_one_mebibyte_is_refused_without_being_kept(stand: Stand) -> None:
    head = request("POST /api/v1/invoices HTTP/1.1", f"Authorization: Bearer {stand.key}", "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    before = _memory(stand)
    answer = exchange(stand, head, *[chunk] * 640)
    assert statuses(answer) in ([413], []), answer[:300]
    assert _memory(stand) - before < 20 * MIB
    few = exchange(stand, head, *[chunk] * 17, b"0\r\n\r\n")
    assert statuses(few) == [413] and b'"code":"too_large"' in few


def test_two_lengths_of_one_body_are_refused(stand: Stand) -> None:
    authorization = f"Authorization: Bearer {stand.key}"
    smuggled = b"0\r\n\r\nGET /ready HTTP/1.1\r\nHost: signer\r\n\r\n"
    both = ("Content-Length: 4", "Transfer-Encoding: chunked")
    for lengths in (both, ("Content-Length: 4", "Content-Length: 60"), ("Transfer-Encoding: chunked, identity",)):
        head = request("POST /api/v1/invoices HTTP/1.1", authorization, *lengths, close=False)
        assert statuses(exchange(stand, head + smuggled, timeout=6))[:1] == [400], lengths


def test_client_that_leaves_while_it_sends_is_no_defect(stand: Stand) -> None:
    before = len(_defects(stand))
    for declared in ("Content-Length: 5000", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", stand.port), 10) as connection:
            connection.sendall(
                request("POST /api/v1/invoices HTTP/1.1", f"Authorization: Bearer {stand.key}", declared) + b"5\r\n{"
            )
    lines = stand.log().count('"route": "/api/v1/invoices"')
    stand.post(b"{}")
    wait_until(lambda: stand.log().count('"route": "/api/v1/invoices"') >= lines + 1, "they are logged")
    assert _defects(stand)[before:] == ""


def test_connection_is_of_use_after_a_refusal(stand: Stand) -> None:
    payload = json.dumps(document(stand.outlet())).encode()
    key = f"Authorization: Bearer {stand.key}"
    length = f"Content-Length: {len(payload)}"
    requests = (
        request("POST /api/v1/invoices HTTP/1.1", length, close=False) + payload,  # 401, its body unread
        request("POST /api/v1/invoices HTTP/1.1", key, "Content-Length: 2", close=False) + b"{}",
        request("DELETE /api/v1/invoices HTTP/1.1", key, close=False),
        request("POST /api/v1/invoices HTTP/1.1", key, length) + payload,
    )
    answers = exchange(stand, b"".join(requests))
    assert statuses(answers) == [401, 400, 405, 201]


def test_http_1_0_and_head_and_options_are_answered(stand: Stand) -> None:
    assert b"200 OK" in exchange(stand, b"GET /health HTTP/1.0\r\n\r\n").split(b"\r\n")[0]
    head = exchange(stand, request("HEAD /verify HTTP/1.1"))
    assert statuses(head) == [200] and head.endswith(b"\r\n\r\n")
    assert statuses(exchange(stand, request("OPTIONS /api/v1/invoices HTTP/1.1"))) == [405]
    assert statuses(exchange(stand, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) == [400]
