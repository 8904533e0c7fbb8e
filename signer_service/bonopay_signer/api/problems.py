"""Problem details (RFC 9457): what every refusal looks like, and which exception becomes which."""

from collections.abc import Iterable
from typing import Any

import msgspec
import structlog
from msgspec import UNSET, Struct, UnsetType
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer.api.catalogue import PROBLEMS, RETRY_AFTER
from bonopay_signer.api.middleware import PROBLEM
from bonopay_signer.db.instance import LockLost, SecondSigner
from bonopay_signer.db.pool import DATABASE_AWAY
from bonopay_signer.dgi.journal import JournalUnavailable
from bonopay_signer.fiscal.findings import Finding
from bonopay_signer.fiscal.parsing import PayloadMalformed
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.ledger.batch import ClockBehind, OutOfOrder
from bonopay_signer.ledger.errors import LedgerUnavailable
from bonopay_signer.ledger.queue import QueueFull
from bonopay_signer.ledger.rollback import LedgerBehind
from bonopay_signer.sealing.answer import DgiError
from bonopay_signer.sealing.errors import Conflict, DgiRefused, DgiTotalsDiffer, DgiUnreachable, Invalid
from bonopay_signer.sealing.totals import ComparedAmount
from bonopay_signer.tenants.secrets import SecretsError

MEDIA_TYPE = "application/problem+json"
_logger = structlog.get_logger(__name__)


class Message(Struct, frozen=True):
    fr: str
    en: str


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """RFC 9457, with our stable ``code``, both languages, and whether the same document may be sent again.

    ``comparison``: of ``dgi_totals_differ``, every amount of the invoice beside the DGI's.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    message: Message
    retryable: bool
    findings: list[Finding]
    stored_hash: str | UnsetType = UNSET
    dgi_error: DgiError | UnsetType = UNSET
    comparison: list[ComparedAmount] | UnsetType = UNSET


class Problem(Exception):
    """To be raised by a route that refuses."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        headers: dict[str, str] | None = None,
        findings: Iterable[Finding] = (),
        **members: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.findings = tuple(findings)
        self.members = members


def details_of(problem: Problem) -> ProblemDetails:
    """The body of a problem's answer."""
    kind = PROBLEMS[problem.code]
    return ProblemDetails(
        type=f"urn:bonopay:problem:{kind.code}",
        title=kind.title,
        status=kind.status,
        code=kind.code,
        detail=problem.detail or kind.en,
        message=Message(kind.fr, kind.en),
        retryable=kind.retryable,
        findings=list(problem.findings),
        **problem.members,
    )


def problem_response(problem: Problem) -> Response:
    kind = PROBLEMS[problem.code]
    response = Response(msgspec.json.encode(details_of(problem)), kind.status, media_type=MEDIA_TYPE)
    if kind.status in RETRY_AFTER:
        response.headers["Retry-After"] = str(RETRY_AFTER[kind.status])
    if kind.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers.update(problem.headers)
    return response


def as_problem(error: Exception) -> Problem:
    """The problem that an expected exception is answered with."""
    match error:
        case Problem():
            return error
        case PayloadMalformed():
            return Problem("payload_malformed", findings=error.findings)
        case Invalid():
            return Problem("payload_invalid", findings=error.findings)
        case Conflict():
            return Problem("document_conflict", stored_hash=error.stored_hash)
        case DgiRefused():
            return Problem("dgi_refused", str(error), dgi_error=DgiError(error.code, error.words))
        case DgiTotalsDiffer():
            return Problem("dgi_totals_differ", findings=error.findings, comparison=list(error.comparison))
    return _unavailable(error)


def _unavailable(error: Exception) -> Problem:
    _logger.warning("unavailable", error=type(error).__name__, reason=str(error))
    match error:
        case DgiUnreachable():
            return Problem("dgi_unreachable", str(error))
        case SecretsError():
            return Problem("dgi_unreachable", "the outlet's DGI token cannot be read by the signer")
        case HsmUnavailable():
            return Problem("hsm_unavailable")
        case QueueFull():
            return Problem("overloaded")
        case ClockBehind():
            return Problem("clock_behind", str(error))
        case LedgerBehind():
            return Problem("ledger_behind")
    return Problem("ledger_unavailable")


def answer_to(request: Request, error: Exception) -> Response:
    """The answer to a request that an expected exception ended; its code goes to the request's log."""
    problem = as_problem(error)
    request.scope[PROBLEM] = problem.code
    return problem_response(problem)


async def _handle(request: Request, error: Exception) -> Response:
    return answer_to(request, error)


async def _handle_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    response = answer_to(request, Problem("method_not_allowed" if status == 405 else "not_found"))
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


async def _handle_defect(_request: Request, _error: Exception) -> Response:
    return problem_response(Problem("internal_error"))


EXPECTED = (
    Problem,
    PayloadMalformed,
    Invalid,
    Conflict,
    DgiRefused,
    DgiTotalsDiffer,
    DgiUnreachable,
    SecretsError,
    HsmUnavailable,
    QueueFull,
    ClockBehind,
    LedgerBehind,
    LedgerUnavailable,
    LockLost,
    OutOfOrder,
    SecondSigner,
    JournalUnavailable,
    *DATABASE_AWAY,
)

HANDLERS: dict[Any, Any] = {
    **dict.fromkeys(EXPECTED, _handle),
    HTTPException: _handle_http,
    Exception: _handle_defect,
}
