"""Admitting a till's key, and renewing it: each time an entry in the chain of its outlet.

The merchant's own people decide who sells (Odoo asks a manager first); the signer writes down that they did. What is
admitted holds for a while and for a number of tickets: a till that is never seen again ends by itself.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool

from bonopay_signer import metrics
from bonopay_signer.fiscal import canonical
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import Entry
from bonopay_signer.ledger.tills import CREDENTIAL, Credential
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.tenants.rows import Outlet
from bonopay_signer.tills import store

MOST_TICKETS = 10_000
"""Counters that one credential covers: more than a till sells in its hours."""


class TillConflict(Exception):
    """The till cannot be admitted as asked; the text says why and what to do."""


@dataclass(frozen=True)
class Admitted:
    """A till with the entry that admits it; ``credential`` is the entry's payload."""

    till: store.Till
    credential: Credential
    entry: Entry
    is_new: bool = False


class Admission:
    def __init__(self, pool: AsyncConnectionPool, writer: LedgerWriter, lifetime: timedelta) -> None:
        self._pool = pool
        self._writer = writer
        self._lifetime = lifetime

    async def enrol(self, outlet: Outlet, device_id: UUID, terminal: str, key: PublicKey) -> Admitted:
        """Admit a new till, or the same one again. Raises TillConflict, and what the writer raises."""
        async with self._pool.connection() as connection:
            try:
                is_new = await store.add_till(connection, device_id, outlet.id, outlet.merchant_nif, terminal, key)
            except psycopg.errors.UniqueViolation as error:
                raise TillConflict(_taken(error, outlet.id, terminal)) from error
            till = await store.till(connection, device_id)
        if till is None or (till.outlet_id, till.terminal, till.key_id) != (outlet.id, terminal, key.key_id):
            raise TillConflict("this device is enrolled with another key, terminal or outlet: revoke it first")
        return await self.renew(till, is_new)

    async def renew(self, till: store.Till, is_new: bool = False) -> Admitted:
        """Admit the till's key anew, from its next ticket on. Raises TillConflict, and what the writer raises."""
        if till.state != "active":
            raise _not_active(till, till.state)
        if till.counter >= canonical.MAX_INTEGER:
            raise TillConflict(f"the till {till.terminal} of {till.outlet_id} has no counter left: enrol a new key")
        now = datetime.now(UTC).replace(microsecond=0)
        credential = Credential(
            schema="bonopay.credential/1",
            device_id=str(till.device_id),
            terminal=till.terminal,
            key_id=till.key_id,
            public_key=base64.b64encode(till.public_der).decode(),
            counter_from=till.counter + 1,
            counter_to=min(till.counter + MOST_TICKETS, canonical.MAX_INTEGER),
            not_before=_spelt(now),
            not_after=_spelt(now + self._lifetime),
        )
        (entry,) = await self._writer.append([draft(till, CREDENTIAL, canonical.encode(credential))])
        metrics.TILLS_TOLD.labels(CREDENTIAL).inc()
        async with self._pool.connection() as connection:
            if not await store.admitted(connection, till.device_id, entry.index, now + self._lifetime):
                raise _not_active(till, "revoked or cloned by now")
        return Admitted(till, credential, entry, is_new)


def draft(till: store.Till, kind: str, payload: bytes) -> Draft:
    """An entry of the till's outlet that belongs to no document."""
    return Draft(till.outlet_id, till.merchant_nif, kind, None, "", "", "0.00", "0.00", "CDF", payload)


def _not_active(till: store.Till, state: str) -> TillConflict:
    return TillConflict(f"the till {till.terminal} of {till.outlet_id} is {state}: enrol a new key")


def _taken(error: psycopg.errors.UniqueViolation, outlet_id: str, terminal: str) -> str:
    if error.diag.constraint_name == "till_terminal":
        return f"{outlet_id} has a till {terminal} already: revoke it, or take another name"
    return "this key is enrolled already, for another device: make a new one"


def _spelt(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
