"""One document of a client to its answer: parsed, authorised, sealed. What single requests and batches share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bonopay_signer import metrics
from bonopay_signer.api.problems import EXPECTED, as_problem
from bonopay_signer.api.service import Service
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.sealing.answer import SealedInvoice, judged, sealed_answer, sealed_invoice, undecided
from bonopay_signer.sealing.replay import Outcome
from bonopay_signer.sealing.submissions import State
from bonopay_signer.tenants.apikeys import ApiKey
from bonopay_signer.tenants.rows import DEFERRED, Outlet

_sealed, _replayed = metrics.SEALS.labels("sealed"), metrics.SEALS.labels("replayed")


@dataclass(frozen=True)
class Admitted:
    """A document of the schema, for an outlet that its key may seal for."""

    invoice: Invoice
    outlet: Outlet
    arrived: float


async def admit(service: Service, key: ApiKey, data: bytes) -> Admitted:
    """Raises Problem."""
    arrived = time.perf_counter()
    with _counted():
        invoice = parse(data)
        metrics.parse.observe(time.perf_counter() - arrived)
        outlet = await service.access.outlet_to_seal(key, invoice)
    return Admitted(invoice, outlet, arrived)


async def seal(service: Service, admitted: Admitted) -> tuple[SealedInvoice, bool]:
    """(the answer, whether the document was sealed before). Raises Problem."""
    with _counted():
        outcome = await service.sealing.seal(admitted.invoice, admitted.outlet)
        answer = await _answer(service, outcome, admitted.outlet)
    (_replayed if outcome.replayed else _sealed).inc()
    metrics.seal_seconds[admitted.outlet.dgi_mode].observe(time.perf_counter() - admitted.arrived)
    return answer, outcome.replayed


@contextmanager
def _counted() -> Iterator[None]:
    """Expected exceptions become the Problem that they are answered with, and are counted as such."""
    try:
        yield
    except EXPECTED as error:
        problem = as_problem(error)
        metrics.SEALS.labels(problem.code).inc()
        raise problem from error


async def _answer(service: Service, outcome: Outcome, outlet: Outlet) -> SealedInvoice:
    """From what is known, without asking the database, when the document was sealed just now."""
    if outcome.verdict is not None:
        dgi = judged(outlet, outcome.verdict.kind, outcome.verdict.payload_fields)
        return sealed_answer(outcome.entry, dgi)
    if outlet.dgi_mode == DEFERRED and not outcome.replayed:
        return sealed_answer(outcome.entry, undecided(outlet, State.QUEUED))
    async with service.pool.connection() as connection:
        return await sealed_invoice(connection, outcome.entry)
