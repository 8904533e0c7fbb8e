"""The durable row of every attempt to seal a document: what a crash leaves behind and recovery starts from.

::

    reserve          uid known          sealed, one commit with the ledger's entry
       │                │                         │
       ▼                ▼                         ▼            DGI answered, one commit with the verdict's entry
    reserved ──────▶ prepared ──────────────▶ confirming ─────────────────────────▶ settled
       │                │                      ▲ ▲    │ no reply                       ▲
       │    refused,    │           asked again│ │    ▼                                │
       └───── error ────┤                      └─┼─ unknown ── DGI's word, when asked ─┤
                        ▼                        │                                     │
       cancelling ──▶ released                   └── queued ──── refused ──────────────┘
       (the DGI may still    (the number goes to     (deferred outlet: sealed
        hold a uid)           the next document)      before the DGI was asked)

The ledger itself moves a row to ``confirming``, ``queued`` and ``settled``, in the entry's commit (``signer.append``).
Before the seal a row may be given up and its number handed on; after it, only the DGI's word ends it. A ``queued`` row
that has a uid: the DGI's totals are not ours, and that uid is to be cancelled, never confirmed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from bonopay_signer.events.store import LOCK_FOR_OUTLET
from bonopay_signer.fiscal.numbering import fiscal_number
from bonopay_signer.ledger.entries import Head


class State(StrEnum):
    RESERVED = "reserved"
    PREPARED = "prepared"
    CANCELLING = "cancelling"
    RELEASED = "released"
    QUEUED = "queued"
    CONFIRMING = "confirming"
    UNKNOWN = "unknown"
    SETTLED = "settled"


class UidTaken(Exception):
    """The DGI gave a uid that belongs to another document of the outlet."""


class StateConflict(Exception):
    """The row is not in the state that the transition starts from: somebody else moved it."""


@dataclass(frozen=True)
class Submission:
    """``mcf``: the NIM of the MCF that gave the uid, or was asked for it; None: the e-MCF. About the uid that device is
    asked, and no other."""

    id: int
    outlet_id: str
    merchant_nif: str
    document_id: UUID
    fiscal_number: str
    state: State
    uid: str | None
    attempts: int
    created_at: datetime
    updated_at: datetime
    mcf: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", State(self.state))

    @property
    def is_bound(self) -> bool:
        """Whether a device may hold something of it, or have certified it; else any device may be given it."""
        return self.state != State.QUEUED


_COLUMNS = (
    "id", "outlet_id", "merchant_nif", "document_id", "fiscal_number", "state", "uid", "attempts", "created_at",
    "updated_at", "mcf",
)  # fmt: skip


def _columns(of: str = "") -> str:
    return ", ".join(f"{of}{name}" for name in _COLUMNS)


RESTART = """
WITH waiting AS (
    SELECT count(*) AS documents FROM signer.submission
     WHERE outlet_id = %(outlet)s AND state IN ('queued', 'confirming', 'unknown')),
due AS (
    UPDATE signer.submission SET next_attempt_at = now()
     WHERE outlet_id = %(outlet)s AND state IN ('queued', 'confirming', 'unknown') AND next_attempt_at > now()),
event AS (
    INSERT INTO signer.dgi_event (merchant_nif, outlet_id, kind, code, detail)
    SELECT merchant_nif, id, 'sync.restarted', 'sync_restart',
           jsonb_build_object('documents', (SELECT documents FROM waiting), 'by', %(by)s::text)
      FROM signer.outlet WHERE id = %(outlet)s RETURNING detail)
SELECT (detail ->> 'documents')::int FROM event
"""
"""What waits for the DGI is due now, and an event tells who said so. How many documents wait, with those that were due
already, whose rows are left alone; no row without the outlet. After ``LOCK_FOR_OUTLET``."""
_SELECT = f"SELECT {_columns()} FROM signer.submission"


async def reserve(
    connection: psycopg.AsyncConnection, head: Head, merchant_nif: str, document_id: UUID, mcf: str | None
) -> Submission:
    """Reserve the outlet's next number, for the device that is to be asked. Raises psycopg's UniqueViolation while
    another document of the outlet is open."""
    number = fiscal_number(head.outlet_id, head.epoch, head.sequence + 1)
    cursor = await connection.execute(
        "INSERT INTO signer.submission (outlet_id, merchant_nif, document_id, fiscal_number, mcf, state) "
        "VALUES (%s, %s, %s, %s, %s, 'reserved') RETURNING id, created_at",
        [head.outlet_id, merchant_nif, document_id, number, mcf],
    )
    row_id, now = await cursor.fetchone()
    identity = (row_id, head.outlet_id, merchant_nif, document_id, number)
    return Submission(*identity, State.RESERVED, None, 0, now, now, mcf)


async def prepared(connection: psycopg.AsyncConnection, submission_id: int, uid: str) -> None:
    """A uid of the device that the number was reserved for. Raises UidTaken."""
    await _move(connection, submission_id, (State.RESERVED,), State.PREPARED, uid=uid)


async def given_up(
    connection: psycopg.AsyncConnection, submission_id: int, reason: str, maybe_pending: bool, uid: str | None
) -> None:
    """Free the number; ``maybe_pending`` says that the DGI may hold a uid of it, which then is to be cancelled."""
    target = State.CANCELLING if maybe_pending else State.RELEASED
    await _move(connection, submission_id, (State.RESERVED, State.PREPARED), target, uid=uid, reason=reason[:500])


async def released(connection: psycopg.AsyncConnection, submission_id: int) -> None:
    await _move(connection, submission_id, (State.CANCELLING,), State.RELEASED)


async def prepared_again(
    connection: psycopg.AsyncConnection, submission_id: int, uid: str, mcf: str | None, may_confirm: bool = True
) -> None:
    """A uid for a sealed document, and its device: the first, or another when the device of the old one said that it
    was not finalised. ``may_confirm``: not when its totals are not ours; the row is ``queued`` then, so that no crash
    gets it confirmed. Raises UidTaken."""
    sources = (State.QUEUED, State.CONFIRMING, State.UNKNOWN)
    target = State.CONFIRMING if may_confirm else State.QUEUED
    await _move(connection, submission_id, sources, target, uid=uid, mcf=mcf)


async def postponed(
    connection: psycopg.AsyncConnection, submission_id: int, unknown: bool, reason: str, delay: float
) -> None:
    """Ask again after ``delay`` seconds; ``unknown``: the DGI may have certified it, but did not say so."""
    await connection.execute(
        "UPDATE signer.submission SET reason = %s, "
        "state = CASE WHEN %s AND state <> 'queued' THEN 'unknown' ELSE state END, "
        "attempts = attempts + 1, updated_at = now(), next_attempt_at = now() + make_interval(secs => %s) "
        "WHERE id = %s AND state IN ('queued', 'confirming', 'unknown')",
        [reason[:500], unknown, delay, submission_id],
    )


async def find(connection: psycopg.AsyncConnection, submission_id: int) -> Submission | None:
    return next(iter(await _select(connection, "WHERE id = %s", [submission_id])), None)


async def of_number(connection: psycopg.AsyncConnection, fiscal_number: str) -> Submission | None:
    """The row that holds a sealed number."""
    where = "WHERE fiscal_number = %s AND state IN ('queued', 'confirming', 'unknown', 'settled')"
    return next(iter(await _select(connection, where, [fiscal_number])), None)


async def of_outlet(connection: psycopg.AsyncConnection, outlet_id: str, states: tuple[State, ...]) -> list[Submission]:
    return await _select(connection, "WHERE outlet_id = %s AND state = ANY(%s) ORDER BY id", [outlet_id, list(states)])


async def due(
    connection: psycopg.AsyncConnection,
    shard: int,
    states: tuple[State, ...],
    per_outlet: int,
    silent: Collection[str] = (),
    resting: Collection[str] = (),
    limit: int = 200,
) -> list[Submission]:
    """What waits for its next attempt and may be tried again: the oldest of every outlet, then the second oldest, …

    Of one shard's merchants: the others' chains are not this process's to continue. ``silent``: outlets to leave out;
    ``resting``: devices (breakers.py) whose own documents are left out.
    Costs one look into an index per outlet, however much waits, and a look at each that is older and was postponed.
    """
    waiting = (
        "SELECT *, row_number() OVER (ORDER BY id) AS rank FROM signer.submission "
        "WHERE outlet_id = o.id AND state NOT IN ('released', 'settled') AND state = ANY(%s) "
        "AND next_attempt_at <= now() AND (state = 'queued' OR concat_ws('/', outlet_id, mcf) <> ALL(%s)) "
        "ORDER BY id LIMIT %s"
    )
    query = (
        f"SELECT {_columns('s.')} FROM signer.outlet o JOIN signer.merchant ON nif = o.merchant_nif "
        f"CROSS JOIN LATERAL ({waiting}) s WHERE shard = %s AND o.id <> ALL(%s) "
        "ORDER BY s.rank, s.id LIMIT %s"
    )
    async with connection.cursor(row_factory=class_row(Submission)) as cursor:
        await cursor.execute(query, [list(states), list(resting), per_outlet, shard, list(silent), limit])
        return await cursor.fetchall()


async def restarted(connection: psycopg.AsyncConnection, outlet_id: str, by: str) -> int:
    """Make every sealed document of an outlet that waits for the DGI due now: how many those are (SFE §1.6.2)."""
    async with connection.transaction():
        await connection.execute(LOCK_FOR_OUTLET, {"outlet": outlet_id})
        row = await (await connection.execute(RESTART, {"outlet": outlet_id, "by": by})).fetchone()
    return row[0] if row else 0


async def counts(connection: psycopg.AsyncConnection, outlet_id: str) -> dict[str, int]:
    """How many sealed documents of an outlet wait for the DGI, by state."""
    cursor = await connection.execute(
        "SELECT state, count(*) FROM signer.submission WHERE outlet_id = %s AND "
        "state IN ('queued', 'confirming', 'unknown') GROUP BY state",
        [outlet_id],
    )
    return dict(await cursor.fetchall())


async def _select(connection: psycopg.AsyncConnection, where: str, parameters: list[object]) -> list[Submission]:
    async with connection.cursor(row_factory=class_row(Submission)) as cursor:
        await cursor.execute(f"{_SELECT} {where}", parameters)
        return await cursor.fetchall()


async def _move(
    connection: psycopg.AsyncConnection,
    submission_id: int,
    sources: tuple[State, ...],
    target: State,
    uid: str | None = None,
    reason: str | None = None,
    **device: str | None,
) -> None:
    """``device``: ``mcf`` when it becomes another. Raises UidTaken, StateConflict."""
    mcf = ", mcf = %(mcf)s" if device else ""
    statement = (
        f"UPDATE signer.submission SET state = %(target)s, uid = COALESCE(%(uid)s, uid){mcf}, "
        "reason = COALESCE(%(reason)s, reason), updated_at = now(), next_attempt_at = now() "
        "WHERE id = %(id)s AND state = ANY(%(sources)s)"
    )
    values = {"target": target, "uid": uid, "reason": reason, "id": submission_id, "sources": list(sources), **device}
    try:
        cursor = await connection.execute(statement, values)
    except psycopg.errors.UniqueViolation as error:
        if uid is None:
            raise
        raise UidTaken(f"the DGI gave {uid}, which belongs to another document") from error
    if cursor.rowcount != 1:
        raise StateConflict(f"submission {submission_id} is not in {' or '.join(sources)}")
