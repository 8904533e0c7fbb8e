"""What the service reads of its tenants; the writing is done by the owner's commands."""

import re
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from bonopay_signer.tenants.apikeys import ApiKey

INLINE, DEFERRED = "inline", "deferred"
_OUTLET_ID = re.compile(r"[A-Z0-9]{3,12}")
_OUTLETS = """
SELECT o.id, o.merchant_nif, m.name AS merchant_name, o.name, o.address, o.nim, o.isf, o.dgi_mode,
       o.dgi_url, o.dgi_token
  FROM signer.outlet o JOIN signer.merchant m ON m.nif = o.merchant_nif
"""


@dataclass(frozen=True)
class Outlet:
    """A point of sale and its e-MCF; ``dgi_token`` is ciphertext."""

    id: str
    merchant_nif: str
    merchant_name: str
    name: str
    address: str
    nim: str
    isf: str
    dgi_mode: str
    dgi_url: str
    dgi_token: bytes

    def __repr__(self) -> str:
        return f"Outlet({self.id!r})"


async def find_outlet(connection: psycopg.AsyncConnection, outlet_id: str) -> Outlet | None:
    if not _OUTLET_ID.fullmatch(outlet_id):
        return None
    async with connection.cursor(row_factory=class_row(Outlet)) as cursor:
        await cursor.execute(f"{_OUTLETS} WHERE o.id = %s", [outlet_id])
        return await cursor.fetchone()


async def find_api_key(connection: psycopg.AsyncConnection, prefix: str) -> ApiKey | None:
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        await cursor.execute(
            "SELECT prefix, merchant_nif, secret_hash, outlets, operations, expires_at, revoked_at "
            "FROM signer.api_key WHERE prefix = %s",
            [prefix],
        )
        return await cursor.fetchone()
