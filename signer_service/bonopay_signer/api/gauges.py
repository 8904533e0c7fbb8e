"""What is measured when Prometheus asks, not while sealing."""

import psycopg
from prometheus_client import Gauge
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer.metrics import REGISTRY
from bonopay_signer.transparency.checkpointer import LogState

_WAITING = Gauge(
    "bonopay_signer_dgi_waiting",
    "Sealed invoices without the DGI's verdict, by state: queued, confirming, unknown (no reply to a confirmation).",
    ["state"],
    registry=REGISTRY,
)
_OLDEST = Gauge(
    "bonopay_signer_dgi_oldest_waiting_seconds", "Age of the oldest of them, 0 without any.", registry=REGISTRY
)
_CHECKPOINT = Gauge(
    "bonopay_signer_checkpoint_age_seconds", "Age of the last signed checkpoint; NaN without one.", registry=REGISTRY
)
_BACKLOG = Gauge(
    "bonopay_signer_checkpoint_backlog_entries", "Entries after the last signed checkpoint.", registry=REGISTRY
)
_ALARM = Gauge(
    "bonopay_signer_log_alarm",
    "1 while what is stored contradicts what was signed: somebody changed it.",
    registry=REGISTRY,
)
_DATABASE_UP = Gauge("bonopay_signer_database_up", "Whether the database answered this scrape.", registry=REGISTRY)
_STATES = ("queued", "confirming", "unknown")


async def ask_database(pool: AsyncConnectionPool) -> None:
    """Refresh what only the database knows. While it is away its gauges keep their last values and say so."""
    try:
        async with pool.connection(timeout=1.0) as connection:
            cursor = await connection.execute(
                "SELECT state, count(*), extract(epoch FROM clock_timestamp() - min(created_at))::float8 "
                "FROM signer.submission WHERE state NOT IN ('released', 'settled') AND state = ANY(%s) GROUP BY state",
                [list(_STATES)],
            )
            rows = {state: (count, age) for state, count, age in await cursor.fetchall()}
    except (psycopg.Error, PoolTimeout):
        _DATABASE_UP.set(0)
        return
    _DATABASE_UP.set(1)
    for state in _STATES:
        _WAITING.labels(state).set(rows.get(state, (0, 0.0))[0])
    _OLDEST.set(max((age for _, age in rows.values()), default=0.0))


def show_log(state: LogState) -> None:
    """``state``: the checkpointer's."""
    _CHECKPOINT.set(float("nan") if state.checkpoint_age is None else state.checkpoint_age)
    _BACKLOG.set(state.backlog)
    _ALARM.set(state.alarm)
