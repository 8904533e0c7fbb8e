"""One document of a client to its answer: parsed, authorised, sealed. What single requests and batches share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bonopay_signer import metrics
from bonopay_signer.api.problems import EXPECTED, Problem, as_problem
from bonopay_signer.api.service import Service
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.sealing.answer import SealedInvoice, judged, sealed_answer, sealed_invoice, undecided
from bonopay_signer.sealing.replay import Outcome, find_sealed
from bonopay_signer.sealing.submissions import State
from bonopay_signer.tenants.access import objection
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
        refusal = objection(admitted.outlet, admitted.invoice)
        if refusal is None:
            outcome = await service.sealing.seal(admitted.invoice, admitted.outlet)
        else:
            outcome = await _sealed_before(service, admitted.invoice, refusal)
        answer = await _answer(service, outcome, admitted.outlet)
    (_replayed if outcome.replayed else _sealed).inc()
    metrics.seal_seconds[admitted.outlet.dgi_mode].observe(time.perf_counter() - admitted.arrived)
    return answer, outcome.replayed


async def _sealed_before(service: Service, invoice: Invoice, refusal: str) -> Outcome:
    """What was sealed stays answered, for ever: also when the outlet was closed or its cashier left since."""
    replay = await find_sealed(service.pool, service.writer, invoice, canonical.encode(invoice))
    if replay is None:
        raise Problem("forbidden", refusal)
    return replay


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
