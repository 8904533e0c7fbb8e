"""What the service reads of its tenants; the writing is done by the owner's commands."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from bonopay_signer.tenants.apikeys import ApiKey

INLINE, DEFERRED = "inline", "deferred"
ANY, REGISTERED = "any", "registered"
MAIN, SPARE, REMOVED = "main", "spare", "removed"
_OUTLET_ID = re.compile(r"[A-Z0-9]{3,12}")
_OUTLETS = """
SELECT o.id, o.merchant_nif, m.name AS merchant_name, o.name, o.address, o.nim, o.isf, o.dgi_mode, o.dgi_url,
       o.dgi_token, o.revoked_at, o.terminal_policy, o.user_policy,
       (SELECT COALESCE(jsonb_agg(jsonb_build_array(nim, role, port, baud_rate, data_bits, parity, stop_bits)
                                  ORDER BY nim), '[]')
          FROM signer.mcf WHERE outlet_id = o.id) AS mcfs,
       (SELECT COALESCE(jsonb_object_agg(t.id, t.current), '{}')
          FROM (SELECT id, bool_or(revoked_at IS NULL) AS current
                  FROM signer.terminal WHERE outlet_id = o.id GROUP BY id) AS t) AS terminals,
       (SELECT COALESCE(jsonb_agg(jsonb_build_array(u.id, u.name, extract(epoch FROM u.revoked_at))), '[]')
          FROM signer.operator u
         WHERE u.merchant_nif = o.merchant_nif AND (u.outlets IS NULL OR o.id = ANY (u.outlets))) AS users
  FROM signer.outlet o JOIN signer.merchant m ON m.nif = o.merchant_nif
"""
_API_KEY = """
SELECT k.prefix, k.merchant_nif, k.secret_hash, k.outlets, k.operations, k.expires_at,
       LEAST(k.revoked_at, m.revoked_at) AS revoked_at, k.terminals, k.rate_limit, k.rate_burst
  FROM signer.api_key k JOIN signer.merchant m ON m.nif = k.merchant_nif
 WHERE k.prefix = %s
"""
_RATE = "SELECT rate FROM signer.currency_rate WHERE currency = %s AND valid_on <= %s ORDER BY valid_on DESC LIMIT 1"


class Mcf(NamedTuple):
    """A physical MCF and the settings of its port (SFE §1.23); ``role``: ``main``, ``spare`` or ``removed``."""

    nim: str
    role: str
    port: str
    baud_rate: int = 115200
    data_bits: int = 8
    parity: str = "none"
    stop_bits: int = 1


class User(NamedTuple):
    """A user of record; ``revoked_at`` in seconds since 1970."""

    id: str
    name: str
    revoked_at: float | None


@dataclass(frozen=True)
class Outlet:
    """A point of sale, its e-MCF and its MCFs, and who may sell there; ``dgi_token`` is ciphertext.

    A device is named by its MCF's NIM, and None is the e-MCF. ``mcfs``: those that were removed too.
    ``terminals``: whether a terminal that was ever registered still is. ``users``: a row for each time somebody was.
    """

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
    revoked_at: datetime | None = None
    terminal_policy: str = ANY
    user_policy: str = ANY
    terminals: Mapping[str, bool] = field(default_factory=dict)
    users: Sequence[User] = ()
    mcfs: Sequence[Mcf] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "users", tuple(User(*user) for user in self.users))
        object.__setattr__(self, "mcfs", tuple(Mcf(*mcf) for mcf in self.mcfs))

    def __repr__(self) -> str:
        return f"Outlet({self.id!r})"

    @property
    def devices(self) -> tuple[str | None, ...]:
        """The main device, and the spare one where there is one."""
        mcf = next((mcf for mcf in self.mcfs if mcf.role != REMOVED), None)
        return (None,) if mcf is None else (mcf.nim, None) if mcf.role == MAIN else (None, mcf.nim)

    def mcf(self, nim: str) -> Mcf:
        """Raises LookupError."""
        for mcf in self.mcfs:
            if mcf.nim == nim:
                return mcf
        raise LookupError(f"outlet {self.id} never had an MCF {nim}")

    def nim_of(self, device: str | None) -> str:
        return self.nim if device is None else device

    def admits_terminal(self, terminal_id: str | None) -> bool:
        """Whether the outlet sells at this terminal now: not at one that was revoked, nor at an unregistered one where
        all must be registered."""
        return self.terminals.get(terminal_id or "", self.terminal_policy == ANY)

    def admits_user(self, user_id: str, name: str, issued_at: str) -> bool:
        """Whether a document of this time (ISO 8601) may name this user (SFE §1.2 w).

        What somebody sold before leaving may be sealed afterwards. Where all must be registered, a user is known by id
        and name together, so that nobody sells under a shared one.
        """
        known = [user for user in self.users if user.id == user_id]
        if not known:
            return self.user_policy == ANY
        moment = datetime.fromisoformat(issued_at).timestamp()
        return any(
            (user.revoked_at is None or moment < user.revoked_at) and (self.user_policy == ANY or user.name == name)
            for user in known
        )


async def find_outlet(connection: psycopg.AsyncConnection, outlet_id: str) -> Outlet | None:
    if not _OUTLET_ID.fullmatch(outlet_id):
        return None
    async with connection.cursor(row_factory=class_row(Outlet)) as cursor:
        await cursor.execute(f"{_OUTLETS} WHERE o.id = %s", [outlet_id])
        return await cursor.fetchone()


async def find_outlets(connection: psycopg.AsyncConnection, outlet_ids: Sequence[str]) -> dict[str, Outlet]:
    """Those of these outlets that the connection sees, by their ids."""
    async with connection.cursor(row_factory=class_row(Outlet)) as cursor:
        await cursor.execute(f"{_OUTLETS} WHERE o.id = ANY(%s)", [list(outlet_ids)])
        return {outlet.id: outlet for outlet in await cursor.fetchall()}


async def outlets_after(
    connection: psycopg.AsyncConnection, merchant_nif: str, only: Sequence[str] | None, after: str, limit: int
) -> list[Outlet]:
    """A merchant's outlets by id, at most ``limit`` of those after ``after``; ``only`` restricts to these."""
    restriction = "" if only is None else " AND o.id = ANY(%(only)s)"
    query = f"{_OUTLETS} WHERE o.merchant_nif = %(nif)s AND o.id > %(after)s{restriction} ORDER BY o.id LIMIT %(limit)s"
    values = {"nif": merchant_nif, "after": after, "only": None if only is None else list(only), "limit": limit}
    async with connection.cursor(row_factory=class_row(Outlet)) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


async def devices_of_shard(connection: psycopg.AsyncConnection, shard: int) -> dict[str, tuple[str | None, ...]]:
    """The devices, main first, of those outlets of a shard that have an MCF."""
    cursor = await connection.execute(
        "SELECT outlet_id, nim, role FROM signer.mcf JOIN signer.merchant m ON m.nif = merchant_nif "
        "WHERE shard = %s AND role <> 'removed'",
        [shard],
    )
    return {row[0]: (row[1], None) if row[2] == MAIN else (None, row[1]) for row in await cursor.fetchall()}


async def find_api_key(connection: psycopg.AsyncConnection, prefix: str) -> ApiKey | None:
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        await cursor.execute(_API_KEY, [prefix])
        return await cursor.fetchone()


async def find_rate(connection: psycopg.AsyncConnection, currency: str, day: date) -> Decimal | None:
    """The reference rate in force on a day, CDF for one unit: the latest not after it. None when there is none."""
    row = await (await connection.execute(_RATE, [currency, day])).fetchone()
    return row[0] if row else None
