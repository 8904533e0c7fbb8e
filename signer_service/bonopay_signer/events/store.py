"""Rows of ``signer.dgi_event``: append only, in an order that a reader can follow.

A number is drawn under a lock that is held until the commit, one merchant at a time: whoever has read up to a number
meets no smaller one later.
"""

from collections.abc import Mapping

import psycopg
from psycopg.types.json import Jsonb

_LOCK = 0x62_6F_6E_65  # "bone"
LOCK_FOR_OUTLET = (
    f"SELECT pg_advisory_xact_lock({_LOCK}, hashtext(merchant_nif)) FROM signer.outlet WHERE id = %(outlet)s"
)
"""Before a row is inserted in another way than ``add_event``, in the same transaction."""


async def add_event(
    connection: psycopg.AsyncConnection,
    merchant_nif: str,
    outlet_id: str | None,
    kind: str,
    code: str,
    level: str | None,
    detail: Mapping[str, object],
) -> None:
    """``outlet_id``: None for what concerns all of a merchant's e-MCFs at an address. ``detail``: values that JSON
    takes; never a token, nothing of a buyer."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, merchant_nif])
        await connection.execute(
            "INSERT INTO signer.dgi_event (merchant_nif, outlet_id, kind, code, level, detail) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            [merchant_nif, outlet_id, kind, code, level, Jsonb(dict(detail))],
        )
