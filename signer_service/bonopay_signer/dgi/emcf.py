"""The e-MCF over HTTP: one JWT per NIM, prepare, confirm, cancel, ask.

Errors may come with HTTP 200 and an ``errorCode``: any errorCode that is not null is a failure. The codes are those of
the parent system (Benin e-MECeF v1.0); the DRC has published no catalogue.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx

from bonopay_signer import metrics
from bonopay_signer.dgi import mapping
from bonopay_signer.dgi.device import (
    Busy,
    DeviceError,
    DeviceStatus,
    Document,
    Elements,
    Fate,
    NoUsableAnswer,
    Pending,
    Refused,
    UnknownOutcome,
    Unreachable,
)
from bonopay_signer.dgi.journal import Exchange, Journal

TOO_MANY_PENDING, ORIGINAL_NOT_CHECKABLE_NOW, UID_UNKNOWN, PROCESSING_ERROR = "1", "10", "20", "99"
TokenScheme = Literal["bearer", "raw"]
"""How the token is sent: RFC 6750's way, or alone, which some of the DGI's servers are said to want."""
_INVOICE = "/api/invoice"
_TRY_LATER = frozenset({TOO_MANY_PENDING, ORIGINAL_NOT_CHECKABLE_NOW})
_TABLES = ("taxGroups", "invoiceTypes", "paymentTypes", "clientTypes", "referenceTypes", "itemTypes", "currencyRates")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
_NO_ANSWER = (httpx.RequestError, httpx.InvalidURL, TimeoutError)
_ANSWER_LIMIT = 1024 * 1024
_logger = logging.getLogger(__name__)


def make_client(connect_timeout: float, timeout: float) -> httpx.AsyncClient:
    """The HTTP client that all outlets share. It follows no redirect: a token is for one address only."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(timeout, connect=connect_timeout, pool=connect_timeout),
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=30),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        follow_redirects=False,
    )


class EmcfDevice:
    """One e-MCF (NIM). Every request and answer goes through the journal."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        token: str,
        outlet_id: str,
        journal: Journal,
        scheme: TokenScheme = "bearer",
    ) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._authorization = token if scheme == "raw" else f"Bearer {token}"
        self._outlet_id = outlet_id
        self._journal = journal

    def __repr__(self) -> str:
        return f"EmcfDevice({self._outlet_id!r})"

    async def prepare(self, document: Document) -> Pending:
        body = mapping.encode(mapping.request_body(document))
        return mapping.read_pending(await self._request("prepare", "POST", _INVOICE, document.fiscal_number, body))

    async def confirm(self, fiscal_number: str, uid: str, total: Decimal, tax: Decimal) -> Elements:
        body = mapping.encode(mapping.confirm_body(total, tax))
        return mapping.read_elements(await self._request("confirm", "PUT", _confirm_path(uid), fiscal_number, body))

    async def cancel(self, fiscal_number: str | None, uid: str) -> None:
        await self._request("cancel", "PUT", f"{_INVOICE}/{quote(uid, safe='')}/cancel", fiscal_number)

    async def status(self) -> DeviceStatus:
        return mapping.read_status(await self._request("status", "GET", _INVOICE))

    async def fate(self, fiscal_number: str, uid: str) -> Elements | Fate:
        try:
            path = f"{_INVOICE}/{quote(uid, safe='')}"
            return mapping.read_fate(await self._request("details", "GET", path, fiscal_number))
        except Refused:
            # "Unknown, or finalised, or cancelled" (code 20), or no such route: it tells us nothing.
            return Fate.NOT_TOLD

    async def recall(self, fiscal_number: str, uid: str) -> Elements | None:
        """From the journal: an answer that arrived although its verdict was never chained."""
        path = urlsplit(self._base_url + _confirm_path(uid)).path
        for body in await self._journal.answers(self._outlet_id, fiscal_number, "confirm", path):
            try:
                return mapping.read_elements(mapping.decode(body))
            except (ValueError, UnknownOutcome):
                continue
        return None

    async def reference_tables(self) -> Mapping[str, Any]:
        """Those that it serves; raises what the first one raises when it does not answer at all."""
        tables: dict[str, Any] = {}
        for name in _TABLES:
            try:
                tables[name] = await self._request("tables", "GET", f"/api/info/{name}", as_object=False)
            except DeviceError:
                if not tables:
                    raise
                _logger.info("the DGI does not tell %s of its table %s", self._outlet_id, name)
        return tables

    async def _request(
        self,
        step: str,
        method: str,
        path: str,
        fiscal_number: str | None = None,
        body: bytes = b"",
        as_object: bool = True,
    ) -> Any:
        url = self._base_url + path
        recorded_path = urlsplit(url).path
        exchange = await self._journal.request(self._outlet_id, fiscal_number, step, method, recorded_path, body)
        with _counted(step):
            return await self._send(exchange, url, body, as_object)

    async def _send(self, exchange: Exchange, url: str, body: bytes, as_object: bool) -> Any:
        step, method = exchange.step, exchange.method
        headers = {"Authorization": self._authorization} | ({"Content-Type": "application/json"} if body else {})
        try:
            status, content = await self._exchange(method, url, body, headers)
        except _NO_ANSWER as error:
            await self._journal.silence(exchange, type(error).__name__)
            kind = Unreachable if isinstance(error, _NOT_SENT) else NoUsableAnswer
            raise kind(f"no answer to {step}: {type(error).__name__}") from error
        await self._journal.answer(exchange, status, content)
        answer = _judge(status, content)
        if as_object and not isinstance(answer, dict):
            raise NoUsableAnswer(f"the answer to {step} is not a JSON object")
        return answer

    async def _exchange(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """(status, body), within the client's read timeout as a whole: httpx alone would wait so long for each byte."""
        content = bytearray()
        async with (
            asyncio.timeout(self._client.timeout.read),
            self._client.stream(method, url, content=body or None, headers=headers) as response,
        ):
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _ANSWER_LIMIT:
                    raise httpx.RemoteProtocolError(f"an answer above {_ANSWER_LIMIT} bytes")
        return response.status_code, bytes(content)


@contextmanager
def _counted(step: str) -> Iterator[None]:
    """Counts and times a request to the DGI, with what became of it."""
    outcome = "failed"
    try:
        with metrics.timed(metrics.DGI_SECONDS.labels(step)):
            yield
        outcome = "answered"
    except Refused:
        outcome = "refused"
        raise
    except Unreachable:
        outcome = "unreachable"
        raise
    except UnknownOutcome:
        outcome = "unknown"
        raise
    finally:
        metrics.DGI_CALLS.labels(step, outcome).inc()


def _confirm_path(uid: str) -> str:
    return f"{_INVOICE}/{quote(uid, safe='')}/confirm"


def _judge(status: int, content: bytes) -> Any:
    """The decoded body of a success. Raises Refused, Unreachable or UnknownOutcome."""
    if status in (401, 403):
        raise Unreachable(f"the DGI refuses the outlet's token (HTTP {status})")
    if status == 429:
        raise Busy(f"the DGI answers HTTP {status}")
    if status in (404, 405, 408) or 300 <= status < 400:
        raise Unreachable(f"the DGI answers HTTP {status}")
    try:
        answer = mapping.decode(content)
    except ValueError as error:
        raise NoUsableAnswer(f"the answer (HTTP {status}) is not JSON") from error
    code = answer.get("errorCode") if isinstance(answer, dict) else None
    if code is not None:
        _refuse(str(code), str(answer.get("errorDesc") or ""))
    if status >= 500:
        raise NoUsableAnswer(f"the DGI answers HTTP {status}")
    if status >= 400:
        raise Refused(f"HTTP {status}", content.decode(errors="replace")[:500], is_verdict=False)
    return answer


def _refuse(code: str, words: str) -> None:
    if code in _TRY_LATER:
        raise Busy(f"the DGI asks to try later ({code}: {words})")
    if code == PROCESSING_ERROR:
        raise UnknownOutcome(f"the DGI reports a processing error ({code}: {words})")
    raise Refused(code, words)
