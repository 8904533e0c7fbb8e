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

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import psycopg
from psycopg.rows import class_row

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", State(self.state))


_COLUMNS = (
    "id", "outlet_id", "merchant_nif", "document_id", "fiscal_number", "state", "uid", "attempts", "created_at",
    "updated_at",
)  # fmt: skip


def _columns(of: str = "") -> str:
    return ", ".join(f"{of}{name}" for name in _COLUMNS)


_SELECT = f"SELECT {_columns()} FROM signer.submission"


async def reserve(connection: psycopg.AsyncConnection, head: Head, merchant_nif: str, document_id: UUID) -> Submission:
    """Reserve the outlet's next number. Raises psycopg's UniqueViolation while another document of it is open."""
    number = fiscal_number(head.outlet_id, head.epoch, head.sequence + 1)
    cursor = await connection.execute(
        "INSERT INTO signer.submission (outlet_id, merchant_nif, document_id, fiscal_number, state) "
        "VALUES (%s, %s, %s, %s, 'reserved') RETURNING id, created_at",
        [head.outlet_id, merchant_nif, document_id, number],
    )
    row_id, now = await cursor.fetchone()
    return Submission(row_id, head.outlet_id, merchant_nif, document_id, number, State.RESERVED, None, 0, now, now)


async def prepared(connection: psycopg.AsyncConnection, submission_id: int, uid: str) -> None:
    """Raises UidTaken."""
    await _prepare(connection, submission_id, (State.RESERVED,), State.PREPARED, uid)


async def given_up(
    connection: psycopg.AsyncConnection, submission_id: int, reason: str, maybe_pending: bool, uid: str | None
) -> None:
    """Free the number; ``maybe_pending`` says that the DGI may hold a uid of it, which then is to be cancelled."""
    target = State.CANCELLING if maybe_pending else State.RELEASED
    await _move(connection, submission_id, (State.RESERVED, State.PREPARED), target, uid=uid, reason=reason[:500])


async def released(connection: psycopg.AsyncConnection, submission_id: int) -> None:
    await _move(connection, submission_id, (State.CANCELLING,), State.RELEASED)


async def prepared_again(
    connection: psycopg.AsyncConnection, submission_id: int, uid: str, may_confirm: bool = True
) -> None:
    """A uid for a sealed document: its first, or another after the DGI said that the old one was not finalised.
    ``may_confirm``: not when its totals are not ours; the row is ``queued`` then, so that no crash gets it confirmed.

    Raises UidTaken."""
    target = State.CONFIRMING if may_confirm else State.QUEUED
    await _prepare(connection, submission_id, (State.QUEUED, State.CONFIRMING, State.UNKNOWN), target, uid)


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
    resting: Sequence[str] = (),
    limit: int = 200,
) -> list[Submission]:
    """What waits for its next attempt and may be tried again: the oldest of every outlet, then the second oldest, …

    Of one shard's merchants: the others' chains are not this process's to continue. ``resting``: outlets to leave out.
    Costs one look into an index per outlet, however much waits, and a look at each that is older and was postponed.
    """
    waiting = (
        "SELECT *, row_number() OVER (ORDER BY id) AS rank FROM signer.submission "
        "WHERE outlet_id = o.id AND state NOT IN ('released', 'settled') AND state = ANY(%s) "
        "AND next_attempt_at <= now() ORDER BY id LIMIT %s"
    )
    query = (
        f"SELECT {_columns('s.')} FROM signer.outlet o JOIN signer.merchant ON nif = o.merchant_nif "
        f"CROSS JOIN LATERAL ({waiting}) s WHERE shard = %s AND o.id <> ALL(%s) "
        "ORDER BY s.rank, s.id LIMIT %s"
    )
    async with connection.cursor(row_factory=class_row(Submission)) as cursor:
        await cursor.execute(query, [list(states), per_outlet, shard, list(resting), limit])
        return await cursor.fetchall()


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


async def _prepare(
    connection: psycopg.AsyncConnection, submission_id: int, sources: tuple[State, ...], target: State, uid: str
) -> None:
    try:
        await _move(connection, submission_id, sources, target, uid=uid)
    except psycopg.errors.UniqueViolation as error:
        raise UidTaken(f"the DGI gave {uid}, which belongs to another document") from error


async def _move(
    connection: psycopg.AsyncConnection,
    submission_id: int,
    sources: tuple[State, ...],
    target: State,
    uid: str | None = None,
    reason: str | None = None,
) -> None:
    cursor = await connection.execute(
        "UPDATE signer.submission SET state = %s, uid = COALESCE(%s, uid), reason = COALESCE(%s, reason), "
        "updated_at = now(), next_attempt_at = now() WHERE id = %s AND state = ANY(%s)",
        [target, uid, reason, submission_id, list(sources)],
    )
    if cursor.rowcount != 1:
        raise StateConflict(f"submission {submission_id} is not in {' or '.join(sources)}")
