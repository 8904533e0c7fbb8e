"""The background task that notices alarms: an event and a line of the log when one begins, changes its level or ends,
and for some of them on each further day that they last.

Events are rows of ``signer.dgi_event``, not lines of the log alone: so a restart neither repeats nor forgets one, and
what was alarmed when can be shown to an inspector.
"""

import asyncio
import logging
from collections import Counter
from datetime import UTC, date, datetime
from typing import NamedTuple

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer import metrics
from bonopay_signer.events.store import add_event
from bonopay_signer.reference.told import fiscal_today
from bonopay_signer.sync import facts
from bonopay_signer.sync.alarms import CODES, LEVELS, REMINDED, Alarm, alarms_of
from bonopay_signer.tenants.secrets import SecretBox

_logger = logging.getLogger(__name__)
_OPEN = """
SELECT e.outlet_id, e.code, e.level, e.at FROM signer.outlet o JOIN signer.merchant m ON m.nif = o.merchant_nif
  CROSS JOIN unnest(%s::text[]) AS known (code)
  CROSS JOIN LATERAL (
       SELECT * FROM signer.dgi_event
        WHERE outlet_id = o.id AND code = known.code AND kind LIKE 'alarm.%%' ORDER BY number DESC LIMIT 1) AS e
 WHERE m.shard = %s AND e.kind <> 'alarm.ended'
"""
_Key = tuple[str, str]


class _Told(NamedTuple):
    level: str
    at: datetime


class AlarmWatch:
    """Looks every ``interval`` seconds."""

    def __init__(self, pool: AsyncConnectionPool, box: SecretBox, shard: int, interval: float) -> None:
        self._pool = pool
        self._box = box
        self._shard = shard
        self._interval = interval

    async def run(self) -> None:
        """For ever, until cancelled. Nothing that fails here stops the loop: it is logged and tried again."""
        while True:
            try:
                await self._once()
            except (psycopg.Error, PoolTimeout) as error:
                _logger.warning("alarms wait: %s", error)
            except Exception:
                _logger.exception("looking for alarms failed and will be tried again")
            await asyncio.sleep(self._interval)

    async def _once(self) -> None:
        now = datetime.now(UTC)
        async with self._pool.connection() as connection, connection.transaction():
            found = await facts.of_shard(connection, self._box, self._shard, fiscal_today(now))
            told = await self._told(connection)
            merchants = {outlet.row.outlet_id: outlet.row.merchant_nif for outlet in found}
            standing = {
                (outlet.row.outlet_id, alarm.code): alarm for outlet in found for alarm in alarms_of(outlet, now)
            }
            news = _news(told, standing, fiscal_today(now))
            for kind, key, alarm in news:
                await _write(connection, merchants[key[0]], kind, key, alarm)
        for kind, (outlet_id, code), alarm in news:
            _log(kind, outlet_id, code, alarm)
        _measure(standing)

    async def _told(self, connection: psycopg.AsyncConnection) -> dict[_Key, _Told]:
        """The level of each alarm that began and has not ended, and when it was last told, by the events."""
        cursor = await connection.execute(_OPEN, [list(CODES), self._shard])
        return {(outlet_id, code): _Told(level, at) for outlet_id, code, level, at in await cursor.fetchall()}


def _news(told: dict[_Key, _Told], standing: dict[_Key, Alarm], today: date) -> list[tuple[str, _Key, Alarm | None]]:
    """(kind of event, outlet and code, the alarm or None for one that ended)."""
    news: list[tuple[str, _Key, Alarm | None]] = []
    for key, alarm in standing.items():
        if key not in told:
            news.append(("alarm.began", key, alarm))
        elif told[key].level != alarm.level:
            news.append(("alarm.changed", key, alarm))
        elif alarm.code in REMINDED and fiscal_today(told[key].at) < today:
            news.append(("alarm.reminded", key, alarm))
    return news + [("alarm.ended", key, None) for key in told.keys() - standing.keys()]


async def _write(
    connection: psycopg.AsyncConnection, merchant_nif: str, kind: str, key: _Key, alarm: Alarm | None
) -> None:
    outlet_id, code = key
    detail = {} if alarm is None else {"since": alarm.since and alarm.since.isoformat(), "message": alarm.message.en}
    await add_event(connection, merchant_nif, outlet_id, kind, code, alarm and alarm.level, detail)


def _log(kind: str, outlet_id: str, code: str, alarm: Alarm | None) -> None:
    if alarm is None:
        _logger.info("%s: %s at outlet %s", kind, code, outlet_id)
        return
    level = logging.ERROR if alarm.level in ("critical", "overdue") else logging.WARNING
    words = "%s: %s at outlet %s (%s): %s %s"
    _logger.log(level, words, kind, code, outlet_id, alarm.level, alarm.message.en, alarm.next_step.en)


def _measure(standing: dict[_Key, Alarm]) -> None:
    counts = Counter((alarm.code, alarm.level) for alarm in standing.values())
    for code in CODES:
        for level in LEVELS:
            metrics.OUTLET_ALARMS.labels(code, level).set(counts[code, level])
