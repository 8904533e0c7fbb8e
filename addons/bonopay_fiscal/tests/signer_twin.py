"""A strict local stand-in for the signer, for answers that the real one cannot be made to give on demand.

It speaks HTTP on a port of its own and fails the test on anything that the contract does not foresee.
"""

import hashlib
import json
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

API_KEY = "twin-key"
UNKNOWN_KEY = {"code": "unauthorized", "message": {"fr": "clé inconnue", "en": "unknown key"}}


BATCH_ITEMS, BATCH_BYTES, ITEM_BYTES = 100, 8 << 20, 1 << 20
RESTART = "/sync/restart"
STATUS_PARAMETERS = {"outlet_id", "limit", "cursor"}


def calm_status(outlet_id):
    """An item of ``GET /api/v1/sync/status`` of an outlet with nothing to tell."""
    return {
        "outlet_id": outlet_id, "mode": "deferred", "closed": False, "counts": {}, "oldest_waiting": None,
        "pending": {"count": 0, "limit": 10}, "rejected": {"count": 0, "days": 7},
        "token_expires_at": "2027-05-31T00:00:00Z",
        "contact": {"answered_at": "2026-11-21T08:30:01Z", "silent_since": None}, "alarms": [],
    }  # fmt: skip


def dgi_tables(day, groups, codes, dgi_url="https://sandbox.example.com/edef", differing=()):
    """An address of ``GET /api/v1/reference``, told this moment.

    :param groups: letter → rate in percent, or ``(rate, day)``
    :param codes: table → its codes
    :param differing: letters that the signer judges otherwise
    """
    told = {"label": None, "told_at": f"{day}T08:00:00Z", "nim": "CD01000001-1"}

    def row(code, rate=None):
        rate, since = rate if isinstance(rate, tuple) else (rate, day)
        return {**told, "code": code, "rate": rate, "valid_from": since}

    tables = {table: [row(code) for code in sorted(names)] for table, names in codes.items()}
    return {
        "dgi_url": dgi_url, "answered_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tables": {**tables, "currency_rates": [], "tax_groups": [row(*one) for one in sorted(groups.items())]},
        "differences": [{"table": "tax_groups", "code": code, "told": "1 %", "core": "2 %"} for code in differing],
    }  # fmt: skip


def registered(outlet_id):
    """An item of ``GET /api/v1/outlets``."""
    return {
        "outlet_id": outlet_id, "name": "Twin", "address": "1, avenue du Port", "nif": "A1234567B",
        "isf": "BON-DEM-01", "nim": "CD01000001-1", "dgi_mode": "inline",
    }  # fmt: skip


def alarm(code, level, message="Le délai approche", next_step="Rétablir la connexion", **members):
    """An alarm whose words begin with the language that they are for."""
    words = {name: {"fr": f"fr {text}", "en": f"en {text}"} for name, text in
             (("message", message), ("next_step", next_step))}  # fmt: skip
    return {"code": code, "level": level, "since": "2026-11-21T08:30:01Z", **words, **members}


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class SignerTwin:
    """``with SignerTwin() as twin``: ``twin.url``, ``twin.requests``, ``twin.answer_next(…)``."""

    def __init__(self, first_index=1):
        self.first_index = first_index
        self.requests = []
        self.unexpected = []
        self.sealed = {}
        self.dgi_status = "certified"
        self.statuses = {"KIN001": calm_status("KIN001")}
        self.page_size = 100
        self.day = "2026-11-21"
        self.usd = {"currency": "USD", "rate": "2300", "valid_on": "2026-11-21", "source": "DGI sandbox.example.com"}
        self.addresses = []
        self.restartable = {"KIN001": 0}
        self.core = {"version": "1.1.1", "fingerprint": "0123456789abcdef" * 4}
        self.refused = {}
        self.poison = {}
        self.without_batches = False
        self.outlets = {"KIN001": registered("KIN001")}
        self.clock_ahead = 0
        self._scripted = deque()
        self._hangs = deque()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self._server.shutdown()
        self._server.server_close()

    def answer_next(self, status, body, headers=None):
        """Script one answer; ``body`` is an object, raw bytes, or a function of the twin's own answer."""
        self._scripted.append((status, body, headers or {}))

    def problem_next(self, status, code, **members):
        """Script one problem document (RFC 9457)."""
        message = members.pop("message", {"fr": f"fr {code}", "en": f"en {code}"})
        headers = members.pop("headers", {})
        self.answer_next(status, {"status": status, "code": code, "message": message, **members}, headers)

    def hang_next(self, seconds, drip=False):
        """Let one answer wait after the twin did its work; ``drip``: bytes of it arrive meanwhile, never all."""
        self._hangs.append((seconds, drip))

    def forget_hangs(self):
        """Nothing waits any more."""
        self._hangs.clear()

    def refuse(self, document_id, status, code, **members):
        """Refuse one document, alone or in a batch, for as long as nothing else is told."""
        message = {"fr": f"fr {code}", "en": f"en {code}"}
        self.refused[document_id] = (status, {"status": status, "code": code, "message": message, **members})

    def hang(self, trickle, body):
        """Wait as :meth:`hang_next` told, or as long as ``poison`` tells of a document; ``trickle`` sends a byte."""
        seconds, drip = self._hangs.popleft() if self._hangs else (0, False)
        seconds += sum(wait for document_id, wait in self.poison.items() if document_id.encode() in body)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if drip:
                trickle()
            time.sleep(min(left, 0.2))

    def handle(self, method, path, headers, body):
        with self._lock:
            self.requests.append((method, path, body))
            if path == "/health":
                return 200, canonical({"status": "ok", "fiscal_core": self.core}), {}
            if headers.get("Authorization") != f"Bearer {API_KEY}":
                return (
                    401,
                    canonical({"code": "unauthorized", "message": {"fr": "clé inconnue", "en": "unknown key"}}),
                    {},
                )
            own_status, own = self._own_answer(method, path, body)
            if not self._scripted:
                return own_status, canonical(own), {}
            status, scripted, extra = self._scripted.popleft()
            scripted = scripted(own) if callable(scripted) else scripted
            return status, scripted if isinstance(scripted, bytes) else canonical(scripted), extra

    def _own_answer(self, method, path, body):
        if method == "POST" and path == "/api/v1/invoices":
            return self._seal(body)
        if method == "POST" and path == "/api/v1/invoices/batch" and not self.without_batches:
            return self._seal_batch(body)
        if method == "POST" and path == "/api/v1/invoices/batch":
            return 404, {"code": "not_found"}
        if method == "GET" and path.startswith("/api/v1/invoices/"):
            answer = self.sealed.get(path.rsplit("/", 1)[1])
            return (200, self._with_dgi(answer)) if answer else (404, {"code": "not_found"})
        if method == "GET" and path.startswith("/api/v1/outlets/"):
            return self._outlet(path.rsplit("/", 1)[1])
        if method == "GET" and path.startswith("/api/v1/outlets?"):
            return self._page(parse_qsl(urlsplit(path).query, keep_blank_values=True), self.outlets)
        if method == "POST" and path.startswith("/api/v1/outlets/") and path.endswith(RESTART) and not body:
            return self._restart(path.removesuffix(RESTART).rsplit("/", 1)[1])
        address = urlsplit(path)
        if method == "GET" and address.path == "/api/v1/sync/status":
            return self._status(parse_qsl(address.query, keep_blank_values=True))
        if method == "GET" and path == "/api/v1/reference":
            return 200, {"day": self.day, "usd": self.usd, "addresses": self.addresses}
        self.unexpected.append((method, path))
        return 404, {"code": "not_found"}

    def _status(self, pairs):
        status, body = self._page(pairs, self.statuses)
        now = datetime.now(UTC) + timedelta(seconds=self.clock_ahead)
        return status, {"at": now.strftime("%Y-%m-%dT%H:%M:%SZ"), **body}

    def _page(self, pairs, listed):
        """One page of a list by outlet."""
        query = dict(pairs)
        if len(query) != len(pairs) or not query.keys() <= STATUS_PARAMETERS:
            self.unexpected.append(("parameters", pairs))
            return 400, {"code": "parameter_invalid"}
        if "outlet_id" in query and query["outlet_id"] not in listed:
            return 404, {"code": "not_found"}
        after = query.get("cursor", "")
        ids = sorted(name for name in listed if name > after and name == query.get("outlet_id", name))
        shown = ids[: min(self.page_size, int(query.get("limit", 100)))]
        following = shown[-1] if len(shown) < len(ids) else None
        return 200, {"outlets": [listed[name] for name in shown], "next_cursor": following}

    def _restart(self, code):
        if code not in self.restartable:
            return 404, {"code": "not_found"}
        return 202, {"outlet_id": code, "documents": self.restartable[code]}

    def _outlet(self, code):
        if code not in self.outlets:
            return 404, {"code": "not_found", "message": {"fr": "inconnu", "en": "unknown"}}
        own = {name: value for name, value in self.outlets[code].items() if name != "dgi_mode"}
        return 200, {**own, "dgi": {"mode": self.outlets[code]["dgi_mode"], "state": "ready"}, "head": None}

    def _seal_batch(self, body):
        """Each item by itself; a batch outside the contract is read not at all, and fails the test."""
        batch = json.loads(body)
        items = batch.get("invoices")
        if len(body) > BATCH_BYTES or set(batch) != {"invoices"} or not 1 <= len(items) <= BATCH_ITEMS:
            self.unexpected.append(("batch", len(body), len(items or ())))
            return 400, {"code": "payload_malformed"}
        if canonical(batch) != body:
            self.unexpected.append(("batch not canonical", body))
        if len({item["document_id"] for item in items}) < len(items):
            self.unexpected.append(("a document twice in one batch", body))
        return 200, {"results": [self._result(canonical(item)) for item in items]}

    def _result(self, body):
        status, answer = self._seal(body) if len(body) <= ITEM_BYTES else (413, {"code": "too_large"})
        return {"status": status, "invoice" if status in (200, 201) else "problem": answer}

    def _seal(self, body):
        payload = json.loads(body)
        if canonical(payload) != body:
            self.unexpected.append(("payload not canonical", body))
        if payload["document_id"] in self.refused:
            return self.refused[payload["document_id"]]
        digest = hashlib.sha256(body).hexdigest()
        for answer in self.sealed.values():
            if answer["document_id"] == payload["document_id"]:
                if answer["payload_hash"] != digest:
                    return 409, {"code": "document_conflict", "stored_hash": answer["payload_hash"]}
                return 200, self._with_dgi(answer)
        index = self.first_index + len(self.sealed)
        number = f"BONO-{payload['outlet_id']}-01-{index:09d}"
        self.sealed[number] = {
            "document_id": payload["document_id"], "fiscal_number": number, "fiscal_authority_id": "BONO-TWIN",
            "auth_code": f"auth{index}", "short_code": f"7K3M-9QXD-{index:04d}",
            "timestamp": "2026-11-21T08:30:01.123Z", "qr_payload": f"{self.url.upper()}/V/ABC{index}",
            "verification_url": f"{self.url}/verify/{number}", "payload_hash": digest, "key_id": "0123456789abcdef",
            "ledger": {"epoch": 1, "index": index, "previous_hash": "0" * 64, "entry_hash": "1" * 64},
        }  # fmt: skip
        return 201, self._with_dgi(self.sealed[number])

    def _with_dgi(self, answer):
        certified = self.dgi_status == "certified"
        index = answer["ledger"]["index"]
        elements = {
            "code": f"TEST{index:020d}", "counters": f"{index}/{index} FV", "time": "2026-11-21T09:30:01+01:00",
            "qr": f"RDCDEF01;CD01000001-1;TEST{index:020d};A1234567B;20261121093001",
        }  # fmt: skip
        error = {"code": "12", "message": "Avoir supérieur à l'original"} if self.dgi_status == "rejected" else None
        return {
            **answer,
            "dgi": {
                "mode": "inline", "status": self.dgi_status, "nim": "CD01000001-1", "isf": "BON-DEM-01",
                **(elements if certified else dict.fromkeys(elements)), "error": error,
            },
        }  # fmt: skip


def _handler(twin):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            asked = self.rfile.read(length)
            status, body, headers = twin.handle(self.command, self.path, self.headers, asked)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers, "Content-Length": len(body)}.items():
                self.send_header(name, str(value))
            with suppress(OSError):  # who asked may have gone
                self.flush_headers()
                twin.hang(lambda: self.wfile.write(b"X-Drip: 1\r\n"), asked)
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *args):
            """Quiet: the requests are in ``twin.requests``."""

    return Handler
