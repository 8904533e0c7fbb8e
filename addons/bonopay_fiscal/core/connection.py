"""The way to the signer: one HTTP session, typed errors, nothing of the key in any message or log."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import quote

import requests
import urllib3

from . import told

#: Seconds to connect and to wait for an answer.
DEFAULT_TIMEOUTS = (3.0, 15.0)
#: The same while a person waits for it.
HURRIED_TIMEOUTS = (1.0, 2.0)
#: Seconds more to wait for each document of a batch: the DGI is asked for one after the other.
BATCH_SECONDS_EACH = 0.5
#: Documents of one batch, and their bytes in all with a margin (contracts §5).
BATCH_ITEMS = 100
BATCH_BYTES = 7 << 20
_MAX_ANSWER, _MAX_BATCH_ANSWER = 1 << 20, 8 << 20
_JSON = {"Content-Type": "application/json"}
_USER_AGENT = "bonopay-odoo/1"
#: Outlets per page, so that a page stays well below the longest answer; and pages of the largest merchant.
_PAGE, _MOST_PAGES = 100, 100


class SignerError(Exception):
    """The signer refused, or its answer cannot be believed.

    :ivar code: problem code of the signer (contracts §5), or ``answer_malformed`` / ``answer_mismatch``
    :ivar status: HTTP status
    :ivar document: the problem as a dict, ``{}`` when there is none
    :ivar retry_after: seconds the signer asks to wait, or ``None``
    """

    def __init__(self, code: str, status: int = 0, document: dict | None = None, retry_after: int | None = None):
        super().__init__(f"{code} (HTTP {status})" if status else code)
        self.code = code
        self.status = status
        self.document = document or {}
        self.retry_after = retry_after

    @property
    def passes(self) -> bool:
        """Whether it says nothing of what was asked for: an outage, of the signer or of what stands before it."""
        return self.status >= 500 or self.status == 429


class SignerUnreachable(SignerError):
    """No answer: ``signer_unreachable`` (nothing was sent) or ``signer_timeout`` (what came of it is unknown).

    Or ``signer_address``: there is no such address.
    """

    @property
    def passes(self) -> bool:
        return self.code != "signer_address"


@dataclass(frozen=True)
class Reply:
    """A successful answer.

    :ivar body: the JSON object
    :ivar text: the same, byte for byte as it was received
    """

    body: dict
    text: str


class SignerConnection:
    """Client of the signer's HTTP API (contracts §5). Use it as a context manager.

    :param patience: seconds in which a call ends whatever the signer does, ``None``: the timeouts alone end it
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        timeouts: tuple[float, float] = DEFAULT_TIMEOUTS,
        patience: float | None = None,
    ):
        self._url = url.rstrip("/")
        self._timeouts = timeouts
        self._patience = patience
        self._session = requests.Session()
        # a proxy or .netrc of the server's environment has no business with fiscal documents and their key
        self._session.trust_env = False
        self._session.headers.update(
            {"Authorization": f"Bearer {api_key}", "Accept": "application/json", "User-Agent": _USER_AGENT}
        )

    def __enter__(self) -> "SignerConnection":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._session.close()

    def seal(self, canonical: bytes, document_id: str, payload_hash: str) -> Reply:
        """Have a document sealed. Sending the same one again gets the same answer.

        :param canonical: canonical bytes of the payload
        :raises SignerUnreachable: no answer
        :raises SignerError: refused, or ``answer_mismatch``: the answer is about something else
        """
        reply = self._call("POST", "/api/v1/invoices", data=canonical, headers=_JSON)
        return _about(reply, document_id, payload_hash)

    def seal_batch(self, documents: Sequence[tuple[bytes, str, str]]) -> "list[Reply | SignerError]":
        """Have documents sealed in one request; each has an outcome of its own, as :meth:`seal` would give it.

        :param documents: canonical bytes, document id and payload hash of each, within ``BATCH_ITEMS`` and
            ``BATCH_BYTES``
        :return: their replies and refusals, in their order
        :raises SignerUnreachable: no answer: what came of any of them is not known
        :raises SignerError: nothing of the batch was read, or ``answer_malformed``
        """
        data = b'{"invoices":[' + b",".join(canonical for canonical, _id, _hash in documents) + b"]}"
        more = BATCH_SECONDS_EACH * len(documents)
        reply = self._call("POST", "/api/v1/invoices/batch", _MAX_BATCH_ANSWER, more, data=data, headers=_JSON)
        results = _items(reply.body.get("results"))
        if len(results) != len(documents):
            raise SignerError("answer_malformed")
        return [
            _outcome(result, document_id, payload_hash)
            for result, (_canonical, document_id, payload_hash) in zip(results, documents, strict=True)
        ]

    def fetch(self, fiscal_number: str, document_id: str, payload_hash: str) -> Reply:
        """The present state of a sealed document; raises as :meth:`seal` does."""
        return _about(self._call("GET", f"/api/v1/invoices/{quote(fiscal_number, safe='')}"), document_id, payload_hash)

    def outlet(self, outlet_id: str) -> Reply:
        """What the signer knows of an outlet."""
        return self._call("GET", f"/api/v1/outlets/{quote(outlet_id, safe='')}")

    def sync_status(self, outlet_id: str | None = None) -> list[dict]:
        """How the outlets that the key covers stand with the DGI, or one of them.

        :return: the items of all pages, each an object with ``outlet_id``
        :raises SignerUnreachable: no answer
        :raises SignerError: refused, or ``answer_malformed``
        """
        query = {"limit": _PAGE} if outlet_id is None else {"outlet_id": outlet_id}
        return self._pages("/api/v1/sync/status", query)

    def outlets(self) -> list[dict]:
        """The outlets that the key covers, without their state at the DGI; raises as :meth:`sync_status` does.

        :return: ``{"outlet_id", "name", "address", "nif", "isf", "nim", "dgi_mode"}`` each, by id
        """
        return self._pages("/api/v1/outlets", {"limit": _PAGE})

    def clock(self) -> datetime | None:
        """The signer's own time, naive UTC in whole seconds; ``None`` when it tells none. Raises as the others do."""
        return told.moment(self._call("GET", "/api/v1/sync/status", params={"limit": 1}).body.get("at"))

    def _pages(self, path: str, query: dict) -> list[dict]:
        """The items under ``outlets`` of all pages of a list."""
        items: list[dict] = []
        for _number in range(_MOST_PAGES):
            body = self._call("GET", path, params=query).body
            items += _items(body.get("outlets"))
            if not body.get("next_cursor"):
                return items
            query = {**query, "cursor": str(body["next_cursor"])}
        raise SignerError("answer_malformed")

    def reference(self) -> Reply:
        """The fiscal day and the dollar's reference rate in force on it; raises as :meth:`sync_status` does."""
        return self._call("GET", "/api/v1/reference")

    def restart_sending(self, outlet_id: str) -> int:
        """Have everything of an outlet that waits for the DGI sent now.

        :return: how many documents were made due; raises as :meth:`sync_status` does
        """
        documents = self._call("POST", f"/api/v1/outlets/{quote(outlet_id, safe='')}/sync/restart").body.get(
            "documents"
        )
        if not isinstance(documents, int) or isinstance(documents, bool):
            raise SignerError("answer_malformed")
        return documents

    def health(self) -> Reply:
        """Whether a signer lives at this address, and which."""
        return self._call("GET", "/health")

    def _call(self, method: str, path: str, *limits: float, **kwargs) -> Reply:
        exchange = partial(self._exchange, method, path, *limits, **kwargs)
        return exchange() if self._patience is None else _within(self._patience, exchange)

    def _exchange(self, method: str, path: str, most: int = _MAX_ANSWER, more: float = 0, **kwargs) -> Reply:
        connect, read = self._timeouts
        try:
            response = self._session.request(
                method, self._url + path, timeout=(connect, read + more), allow_redirects=False, **kwargs
            )
            body = response.content
        except requests.ConnectTimeout as error:
            raise SignerUnreachable("signer_unreachable") from error
        except requests.Timeout as error:
            raise SignerUnreachable("signer_timeout") from error
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise SignerUnreachable("signer_unreachable" if _was_never_sent(error) else "signer_timeout") from error
        except (requests.RequestException, ValueError) as error:
            raise SignerUnreachable("signer_address") from error
        if response.status_code not in (200, 201, 202):
            raise _problem(response)
        return _reply(body, response.status_code, most)


def _was_never_sent(error: requests.RequestException) -> bool:
    """Whether no connection was made at all; one that broke later may have carried the whole request."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.SSLError))


def _within(seconds: float, call: Callable[[], Reply]) -> Reply:
    """What a call returns or raises, unless it takes longer: then ``signer_timeout``.

    The timeouts of a socket count from byte to byte, and the look-up of a name has none: neither bounds a whole call.
    The thread that is left behind holds its connection and nothing else.
    """
    outcome: Future[Reply] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            outcome.set_exception(error)

    threading.Thread(target=work, name="bonopay-signer", daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError as error:
        raise SignerUnreachable("signer_timeout") from error


def _reply(body: bytes, status: int, most: int) -> Reply:
    try:
        text = body.decode()
        parsed = json.loads(text)
    except ValueError as error:
        raise SignerError("answer_malformed", status) from error
    if len(body) > most or not isinstance(parsed, dict):
        raise SignerError("answer_malformed", status)
    return Reply(parsed, text)


def _items(items: object) -> list[dict]:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise SignerError("answer_malformed")
    return items


def _about(reply: Reply, document_id: str, payload_hash: str) -> Reply:
    """Believe an answer only if it is about this very document."""
    if reply.body.get("document_id") != document_id or reply.body.get("payload_hash") != payload_hash:
        raise SignerError("answer_mismatch")
    return reply


def _outcome(result: dict, document_id: str, payload_hash: str) -> Reply | SignerError:
    """What one result of a batch says: never raised, as it concerns one document only."""
    status, invoice, problem = (result.get(name) for name in ("status", "invoice", "problem"))
    if status in (200, 201) and isinstance(invoice, dict):
        # members keep their order, and no number of an answer is a float: these are the bytes that were received
        text = json.dumps(invoice, ensure_ascii=False, separators=(",", ":"))
        try:
            return _about(Reply(invoice, text), document_id, payload_hash)
        except SignerError as error:
            return error
    if isinstance(status, int) and status >= 400 and isinstance(problem, dict):
        return _refusal(status, problem)
    return SignerError("answer_malformed")


def _problem(response: requests.Response) -> SignerError:
    try:
        document = response.json()
    except ValueError:
        document = {}
    retry_after = response.headers.get("Retry-After", "")
    return _refusal(response.status_code, document, int(retry_after) if retry_after.isdecimal() else None)


def _refusal(status: int, document: object, retry_after: int | None = None) -> SignerError:
    document = document if isinstance(document, dict) else {}
    code = document.get("code")
    return SignerError(code if isinstance(code, str) and code else f"http_{status}", status, document, retry_after)
