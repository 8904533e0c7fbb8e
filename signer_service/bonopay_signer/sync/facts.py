"""What the database knows of outlets and the DGI: a few looks into an index for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from bonopay_signer.dgi.tokens import expiry_of
from bonopay_signer.reference import store
from bonopay_signer.reference.comparison import differences
from bonopay_signer.sync import tills
from bonopay_signer.sync.tills import TillState
from bonopay_signer.tenants.secrets import SecretBox, SecretsError

REJECTED_DAYS = 7
"""How long a rejected document is an alarm, and one that was not sealed because the DGI's totals differ."""
# A uid expires at the DGI about 2 minutes after it was given.
_FACTS = f"""
SELECT o.id AS outlet_id, o.merchant_nif, o.dgi_mode AS mode, o.dgi_url, o.dgi_token,
       o.revoked_at IS NOT NULL AS is_closed, COALESCE(open.counts, '{{}}') AS counts,
       COALESCE(open.uids, 0)::int AS pending_uids, oldest.fiscal_number AS oldest_number,
       oldest.created_at AS oldest_at, COALESCE(rejected.number, 0) AS rejected, rejected.since AS rejected_since,
       answered.recorded_at AS answered_at, failed.recorded_at AS silent_since,
       mcf.nim AS mcf_nim, mcf.role AS mcf_role, mcf.created_at AS mcf_since, told.answered_at AS mcf_answered_at,
       told.silent_since AS mcf_silent_since, told.backlog AS mcf_backlog, told.last_contact AS mcf_last_contact, o.nim,
       COALESCE(differing.number, 0) AS differing, differing.since AS differing_since
  FROM signer.outlet o
  JOIN signer.merchant m ON m.nif = o.merchant_nif
  LEFT JOIN LATERAL (
       SELECT jsonb_object_agg(state, number) AS counts, sum(uids) AS uids
         FROM (SELECT state, count(*) AS number,
                      count(uid) FILTER (WHERE mcf IS NULL AND updated_at > now() - interval '2 minutes') AS uids
                 FROM signer.submission
                WHERE outlet_id = o.id AND state NOT IN ('released', 'settled') GROUP BY state) AS of_state) AS open
       ON true
  LEFT JOIN LATERAL (
       SELECT fiscal_number, created_at FROM signer.submission
        WHERE outlet_id = o.id AND state NOT IN ('released', 'settled')
          AND state NOT IN ('reserved', 'prepared', 'cancelling')
        ORDER BY created_at, id LIMIT 1) AS oldest ON true
  LEFT JOIN LATERAL (
       SELECT count(*) AS number, min(sealed_at) AS since FROM signer.entry
        WHERE merchant_nif = o.merchant_nif AND kind = 'dgi_rejected' AND outlet_id = o.id
          AND sealed_at > now() - interval '{REJECTED_DAYS} days') AS rejected ON true
  LEFT JOIN LATERAL (
       SELECT id, recorded_at FROM signer.dgi_exchange
        WHERE outlet_id = o.id AND direction = 'answer'
          AND (http_status BETWEEN 200 AND 299 OR http_status IN (400, 422))
        ORDER BY id DESC LIMIT 1) AS answered ON true
  LEFT JOIN LATERAL (
       SELECT recorded_at FROM signer.dgi_exchange
        WHERE outlet_id = o.id AND direction = 'answer' AND method IS DISTINCT FROM 'MCF'
          AND id > COALESCE(answered.id, 0)
          AND (http_status IS NULL OR http_status >= 500 OR http_status IN (401, 403))
        ORDER BY id LIMIT 1) AS failed ON true
  LEFT JOIN signer.mcf ON mcf.outlet_id = o.id AND mcf.role <> 'removed'
  LEFT JOIN signer.mcf_state AS told ON told.outlet_id = o.id AND told.nim = mcf.nim
  LEFT JOIN LATERAL (
       SELECT count(DISTINCT blocked.document_id) AS number, min(blocked.at) AS since
         FROM (SELECT at, (detail->>'document_id')::uuid AS document_id FROM signer.dgi_event
                WHERE outlet_id = o.id AND kind = 'totals.differ'
                  AND at > now() - interval '{REJECTED_DAYS} days') AS blocked
        WHERE NOT EXISTS (SELECT FROM signer.document d
                           WHERE d.merchant_nif = o.merchant_nif AND d.document_id = blocked.document_id)
       ) AS differing ON true
"""


@dataclass(frozen=True)
class OutletRow:
    """As read. ``counts``: documents under way by state; ``pending_uids``: those that the e-MCF may hold by now.

    ``answered_at`` and ``silent_since``: of the e-MCF; what begins with ``mcf_``: of the outlet's MCF, if it has one.
    ``differing``: blocked before the seal by other totals of the DGI, and not sealed since.
    """

    outlet_id: str
    merchant_nif: str
    mode: str
    dgi_url: str
    dgi_token: bytes
    is_closed: bool
    counts: dict[str, int]
    pending_uids: int
    oldest_number: str | None
    oldest_at: datetime | None
    rejected: int
    rejected_since: datetime | None
    answered_at: datetime | None
    silent_since: datetime | None
    differing: int
    differing_since: datetime | None
    nim: str = ""
    mcf_nim: str | None = None
    mcf_role: str | None = None
    mcf_since: datetime | None = None
    mcf_answered_at: datetime | None = None
    mcf_silent_since: datetime | None = None
    mcf_backlog: int | None = None
    mcf_last_contact: datetime | None = None

    def __repr__(self) -> str:
        return f"OutletRow({self.outlet_id!r})"


class TokenState(NamedTuple):
    """``expires_at``: None when the token does not say."""

    is_readable: bool
    expires_at: datetime | None


class TableState(NamedTuple):
    """How many codes of the DGI's tables are not the core's, and when the DGI told the last of it."""

    differences: int
    since: datetime | None


@dataclass(frozen=True)
class Facts:
    row: OutletRow
    token: TokenState
    tables: TableState
    tills: TillState = tills.NOTHING


async def of_outlets(
    connection: psycopg.AsyncConnection, box: SecretBox, outlet_ids: Sequence[str], today: date
) -> list[Facts]:
    """Of those of these outlets that the connection sees, by id."""
    return await _facts(connection, box, "WHERE o.id = ANY(%s) ORDER BY o.id", list(outlet_ids), today)


async def of_shard(connection: psycopg.AsyncConnection, box: SecretBox, shard: int, today: date) -> list[Facts]:
    """Of all outlets of a shard's merchants."""
    return await _facts(connection, box, "WHERE m.shard = %s ORDER BY o.id", shard, today)


async def _facts(
    connection: psycopg.AsyncConnection, box: SecretBox, where: str, value: object, today: date
) -> list[Facts]:
    async with connection.cursor(row_factory=class_row(OutletRow)) as cursor:
        await cursor.execute(_FACTS + where, [value])
        rows = await cursor.fetchall()
    tables: dict[tuple[str, str], TableState] = {}
    for nif in sorted({row.merchant_nif for row in rows}):
        tables |= await _table_states(connection, nif, today)
    of_tills = await tills.states(connection, [row.outlet_id for row in rows])
    nothing = TableState(0, None)
    return [
        Facts(
            row,
            _token_state(box, row),
            tables.get((row.merchant_nif, row.dgi_url), nothing),
            of_tills.get(row.outlet_id, tills.NOTHING),
        )
        for row in rows
    ]


async def _table_states(
    connection: psycopg.AsyncConnection, merchant_nif: str, today: date
) -> dict[tuple[str, str], TableState]:
    rows = await store.rows_in_force(connection, merchant_nif, today)
    states = {}
    for dgi_url in {row.dgi_url for row in rows}:
        of_address = [row for row in rows if row.dgi_url == dgi_url]
        found = differences(of_address, today)
        tables = {difference.table for difference in found}
        since = max((row.told_at for row in of_address if row.table_name in tables), default=None)
        states[merchant_nif, dgi_url] = TableState(len(found), since)
    return states


def _token_state(box: SecretBox, row: OutletRow) -> TokenState:
    try:
        return TokenState(True, expiry_of(box.decrypt(row.outlet_id, row.dgi_token)))
    except SecretsError:
        return TokenState(False, None)
