"""What there is to tell of an outlet's tills: keys that were used at two places, tickets that never came."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg

from bonopay_signer.ledger.tills import OfflineGap, read

GAP_DAYS = 7
"""How long lost tickets are an alarm; the entry that tells of them stays for ever."""
_CLONED = """
SELECT outlet_id, array_agg(terminal ORDER BY terminal), min(cloned_at) FROM signer.till
 WHERE state = 'cloned' AND outlet_id = ANY(%s) GROUP BY outlet_id
"""
_GAPS = f"""
SELECT outlet_id, sealed_at, payload FROM signer.entry
 WHERE kind = 'offline_gap' AND outlet_id = ANY(%s) AND sealed_at > now() - interval '{GAP_DAYS} days'
 ORDER BY sealed_at, outlet_id, index
"""
_TURNED_UP = """
SELECT count(DISTINCT t.counter) FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) WITH ORDINALITY
       AS gap (device_id, first, last, number)
  LEFT JOIN signer.till_ticket t ON t.device_id = gap.device_id AND t.counter BETWEEN gap.first AND gap.last
 GROUP BY gap.number ORDER BY gap.number
"""


class TillState(NamedTuple):
    """``cloned``: terminals whose key was used at two places and is not revoked. ``missing``: tickets that tills of
    ``missing_at`` signed and that are still not here, told since ``missing_since``."""

    cloned: tuple[str, ...] = ()
    cloned_since: datetime | None = None
    missing: int = 0
    missing_at: tuple[str, ...] = ()
    missing_since: datetime | None = None


NOTHING = TillState()


async def states(connection: psycopg.AsyncConnection, outlet_ids: Sequence[str]) -> dict[str, TillState]:
    """Of the outlets that have something to tell."""
    found: dict[str, TillState] = {}
    cursor = await connection.execute(_CLONED, [list(outlet_ids)])
    for outlet_id, terminals, since in await cursor.fetchall():
        found[outlet_id] = TillState(tuple(terminals), since)
    for outlet_id, told_at, gap, missing in await _gaps(connection, outlet_ids):
        before = found.get(outlet_id, NOTHING)
        found[outlet_id] = before._replace(
            missing=before.missing + missing,
            missing_at=tuple(sorted({*before.missing_at, gap.terminal})),
            missing_since=before.missing_since or told_at,
        )
    return found


async def _gaps(
    connection: psycopg.AsyncConnection, outlet_ids: Sequence[str]
) -> list[tuple[str, datetime, OfflineGap, int]]:
    """(outlet, when it was told, the gap, how many of its tickets are still missing), the oldest first."""
    rows = await (await connection.execute(_GAPS, [list(outlet_ids)])).fetchall()
    told = [(outlet_id, at, gap) for outlet_id, at, payload in rows if (gap := _read(bytes(payload)))]
    if not told:
        return []
    gaps = [gap for _, _, gap in told]
    ranges = [[getattr(gap, name) for gap in gaps] for name in ("device_id", "counter_from", "counter_to")]
    turned_up = await (await connection.execute(_TURNED_UP, ranges)).fetchall()
    missing = [
        (*one, one[2].counter_to - one[2].counter_from + 1 - here) for one, (here,) in zip(told, turned_up, strict=True)
    ]
    return [one for one in missing if one[3] > 0]


def _read(payload: bytes) -> OfflineGap | None:
    """None for what somebody changed by hand, which is the verifier's to name: the other alarms do not wait for it."""
    try:
        return read(payload, OfflineGap)
    except ValueError:
        return None
