"""Registers merchants, outlets, terminals, users, keys and rates over the owner's connection.

What is done is written to the action log by the database itself (db/migrations/0006_registry.sql); ``acting`` says who
does it and what it is called.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.tenants.apikeys import new_api_key
from bonopay_signer.tenants.secrets import SecretBox


class AlreadyExists(Exception):
    """It is registered already; with other facts, or without leave to find it so."""


@dataclass(frozen=True)
class Kind:
    """A table of the registry: the columns that name a current row, the words for it, and their order in a list."""

    table: str
    key: tuple[str, ...]
    words: str
    order: str


MERCHANT = Kind("merchant", ("nif",), "merchant", "nif")
OUTLET = Kind("outlet", ("id",), "outlet", "id")
TERMINAL = Kind("terminal", ("outlet_id", "id"), "terminal", "outlet_id, id, number")
USER = Kind("operator", ("merchant_nif", "id"), "user", "merchant_nif, id, number")
API_KEY = Kind("api_key", ("prefix",), "API key", "merchant_nif, created_at, prefix")
_WITH_PERIODS = ("terminal", "operator")  # what was revoked may be registered again, as another row
_SECRET = ["secret_hash", "dgi_token"]


@dataclass(frozen=True)
class NewOutlet:
    id: str
    merchant_nif: str
    name: str
    address: str
    nim: str
    isf: str
    dgi_mode: str
    dgi_url: str


# --- all kinds


def listed(connection: psycopg.Connection, kind: Kind, **members: object) -> list[dict[str, Any]]:
    """Rows without their secrets, revoked ones too; those whose members are as given, where given."""
    given = {name: value for name, value in members.items() if value is not None}
    query = sql.SQL("SELECT to_jsonb(t) - %s::text[] FROM {} AS t WHERE {} ORDER BY {}").format(
        sql.Identifier("signer", kind.table), _all_equal(given), sql.SQL(kind.order)
    )
    return [row for (row,) in connection.execute(query, [_SECRET, *given.values()])]


def change(
    connection: psycopg.Connection, kind: Kind, key: Sequence[str], changes: Mapping[str, object]
) -> dict[str, Any]:
    """Change members of a current row, and return the row. Raises LookupError."""
    names = {**dict(zip(kind.key, key, strict=True))}
    query = sql.SQL("UPDATE {} AS t SET {} WHERE {} AND {} RETURNING to_jsonb(t) - %s::text[]").format(
        sql.Identifier("signer", kind.table),
        sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in changes),
        _all_equal(names),
        sql.SQL("revoked_at IS NULL" if kind.table in _WITH_PERIODS else "true"),
    )
    row = connection.execute(query, [*changes.values(), *names.values(), _SECRET]).fetchone()
    if row is None:
        raise LookupError(f"no {kind.words} {'/'.join(key)}")
    return row[0]


def revoke(connection: psycopg.Connection, kind: Kind, key: Sequence[str]) -> bool:
    """Whether it was revoked now; what was revoked stays so. Raises LookupError for what was never registered."""
    names = dict(zip(kind.key, key, strict=True))
    table = sql.Identifier("signer", kind.table)
    update = sql.SQL("UPDATE {} SET revoked_at = now() WHERE {} AND revoked_at IS NULL")
    if connection.execute(update.format(table, _all_equal(names)), list(names.values())).rowcount == 1:
        return True
    known = sql.SQL("SELECT 1 FROM {} WHERE {}").format(table, _all_equal(names))
    if connection.execute(known, list(names.values())).fetchone() is None:
        raise LookupError(f"no {kind.words} {'/'.join(key)}")
    return False


def _all_equal(names: Mapping[str, object]) -> sql.Composable:
    conditions = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in names]
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")


# --- merchants and outlets


def add_merchant(connection: psycopg.Connection, nif: str, name: str, if_missing: bool) -> bool:
    """Whether it was added now. Raises AlreadyExists."""
    stored = connection.execute("SELECT name FROM signer.merchant WHERE nif = %s", [nif]).fetchone()
    if stored is not None:
        _accept_existing(f"merchant {nif}", if_missing, same=stored == (name,))
        return False
    connection.execute("INSERT INTO signer.merchant (nif, name) VALUES (%s, %s)", [nif, name])
    return True


def add_outlet(connection: psycopg.Connection, outlet: NewOutlet, token: str, box: SecretBox, if_missing: bool) -> bool:
    """Add the outlet and its empty chain, in one transaction. Whether it was added now. Raises AlreadyExists.

    With ``if_missing`` an outlet that exists with the same facts gets the given token: tokens expire and are renewed.
    """
    facts = (outlet.merchant_nif, outlet.name, outlet.address, outlet.nim, outlet.isf, outlet.dgi_mode, outlet.dgi_url)
    with connection.transaction():
        stored = connection.execute(
            "SELECT merchant_nif, name, address, nim, isf, dgi_mode, dgi_url FROM signer.outlet WHERE id = %s",
            [outlet.id],
        ).fetchone()
        if stored is not None:
            _accept_existing(f"outlet {outlet.id}", if_missing, same=stored == facts)
            set_dgi_token(connection, outlet.id, token, box)
            return False
        connection.execute(
            "INSERT INTO signer.outlet (id, merchant_nif, name, address, nim, isf, dgi_mode, dgi_url, dgi_token) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [outlet.id, *facts, box.encrypt(outlet.id, token)],
        )
        connection.execute(
            "INSERT INTO signer.outlet_head (outlet_id, merchant_nif, epoch, index, entry_hash, sequence, sealed_at) "
            "VALUES (%s, %s, 1, 0, %s, 0, 'epoch')",
            [outlet.id, outlet.merchant_nif, ZERO_HASH],
        )
    return True


def set_dgi_token(connection: psycopg.Connection, outlet_id: str, token: str, box: SecretBox) -> None:
    """Replace the outlet's DGI token. Raises LookupError."""
    change(connection, OUTLET, [outlet_id], {"dgi_token": box.encrypt(outlet_id, token)})


# --- the MCF of an outlet


@dataclass(frozen=True)
class NewMcf:
    """A physical MCF and its port (SFE §1.23)."""

    nim: str
    port: str
    baud_rate: int = 115200
    data_bits: int = 8
    parity: str = "none"
    stop_bits: int = 1


def set_mcf(connection: psycopg.Connection, outlet_id: str, mcf: NewMcf, is_main: bool) -> str | None:
    """The outlet's MCF is this one, at this port. The NIM of the one that it takes the place of, if there is one.

    Raises LookupError for an unknown outlet, AlreadyExists for a NIM or a port that another device has.
    """
    outlet = connection.execute("SELECT merchant_nif, nim FROM signer.outlet WHERE id = %s", [outlet_id]).fetchone()
    if outlet is None:
        raise LookupError(f"no outlet {outlet_id}")
    if outlet[1] == mcf.nim:
        raise AlreadyExists(f"--nim: {mcf.nim} is the e-MCF of {outlet_id}; give the number on the MCF itself")
    _refuse_taken(connection, outlet_id, mcf)
    before = connection.execute(
        "UPDATE signer.mcf SET role = 'removed' WHERE outlet_id = %s AND role <> 'removed' AND nim <> %s RETURNING nim",
        [outlet_id, mcf.nim],
    ).fetchone()
    members = {**vars(mcf), "role": "main" if is_main else "spare"}
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in members if name != "nim"
    )
    statement = sql.SQL(
        "INSERT INTO signer.mcf (outlet_id, merchant_nif, {}) VALUES (%s, %s, {}) "
        "ON CONFLICT (outlet_id, nim) DO UPDATE SET {}"
    ).format(
        sql.SQL(", ").join(map(sql.Identifier, members)), sql.SQL(", ").join(sql.Placeholder() * len(members)), changes
    )
    connection.execute(statement, [outlet_id, outlet[0], *members.values()])
    return before[0] if before else None


def _refuse_taken(connection: psycopg.Connection, outlet_id: str, mcf: NewMcf) -> None:
    """An MCF stands at one outlet, and a port of a machine, that is of a shard, has one MCF."""
    other = connection.execute(
        "SELECT d.outlet_id, d.nim = %(nim)s FROM signer.mcf d JOIN signer.merchant m ON m.nif = d.merchant_nif "
        "  JOIN signer.outlet o ON o.id = %(outlet)s JOIN signer.merchant ours ON ours.nif = o.merchant_nif "
        " WHERE d.role <> 'removed' AND d.outlet_id <> o.id "
        "   AND (d.nim = %(nim)s OR d.port = %(port)s AND m.shard = ours.shard) ORDER BY 2 DESC LIMIT 1",
        {"nim": mcf.nim, "port": mcf.port, "outlet": outlet_id},
    ).fetchone()
    if other is not None:
        what = f"--nim: the MCF {mcf.nim}" if other[1] else f"--port: {mcf.port}"
        way_out = f"bonopay-signer outlet remove-mcf {other[0]}"
        raise AlreadyExists(f"{what} belongs to outlet {other[0]}; one port, one MCF, one outlet. First: {way_out}")


def remove_mcf(connection: psycopg.Connection, outlet_id: str) -> tuple[str, int]:
    """(NIM of the MCF that the outlet no longer has, how many documents wait for its word). Raises LookupError."""
    row = connection.execute(
        "UPDATE signer.mcf SET role = 'removed' WHERE outlet_id = %s AND role <> 'removed' RETURNING nim", [outlet_id]
    ).fetchone()
    if row is None:
        raise LookupError(f"outlet {outlet_id} has no MCF")
    waiting = connection.execute(
        "SELECT count(*) FROM signer.submission "
        "WHERE outlet_id = %s AND mcf = %s AND state IN ('confirming', 'unknown')",
        [outlet_id, row[0]],
    ).fetchone()
    return row[0], waiting[0] if waiting else 0


def set_main_device(connection: psycopg.Connection, outlet_id: str, kind: str) -> None:
    """Which of an outlet's two devices is asked first, ``mcf`` or ``emcf``. Raises LookupError without an MCF."""
    done = connection.execute(
        "UPDATE signer.mcf SET role = %s WHERE outlet_id = %s AND role <> 'removed'",
        ["main" if kind == "mcf" else "spare", outlet_id],
    )
    if done.rowcount != 1:
        raise LookupError(f"outlet {outlet_id} has no MCF; run: bonopay-signer outlet set-mcf {outlet_id}")


# --- terminals, users, rates


def add_terminal(connection: psycopg.Connection, outlet_id: str, terminal_id: str, name: str) -> None:
    """Raises LookupError for an unknown outlet, psycopg's UniqueViolation when it is registered."""
    cursor = connection.execute(
        "INSERT INTO signer.terminal (outlet_id, merchant_nif, id, name) "
        "SELECT id, merchant_nif, %s, %s FROM signer.outlet WHERE id = %s",
        [terminal_id, name, outlet_id],
    )
    if cursor.rowcount != 1:
        raise LookupError(f"no outlet {outlet_id}")


def add_user(
    connection: psycopg.Connection, merchant_nif: str, user_id: str, name: str, outlets: Sequence[str] | None
) -> None:
    """A user of record at these outlets, or all. Raises psycopg's ForeignKeyViolation and UniqueViolation."""
    connection.execute(
        "INSERT INTO signer.operator (merchant_nif, id, name, outlets) VALUES (%s, %s, %s, %s)",
        [merchant_nif, user_id, name, list(outlets) if outlets else None],
    )


def set_rate(connection: psycopg.Connection, currency: str, day: date, rate: Decimal, source: str) -> None:
    """The central bank's rate of a day, CDF for one unit; one that was recorded is replaced (SFE §1.30)."""
    connection.execute(
        "INSERT INTO signer.currency_rate (currency, valid_on, rate, source) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (currency, valid_on) DO UPDATE SET rate = EXCLUDED.rate, source = EXCLUDED.source, "
        "recorded_at = now() WHERE (currency_rate.rate, currency_rate.source) <> (EXCLUDED.rate, EXCLUDED.source)",
        [currency, day, rate, source],
    )


def rates(connection: psycopg.Connection, currency: str | None) -> list[dict[str, Any]]:
    query = (
        "SELECT to_jsonb(r) || jsonb_build_object('rate', trim_scale(r.rate)::text) FROM signer.currency_rate AS r "
        "WHERE %s::text IS NULL OR currency = %s ORDER BY currency, valid_on"
    )
    return [row for (row,) in connection.execute(query, [currency, currency])]


# --- API keys


def create_api_key(
    connection: psycopg.Connection,
    merchant_nif: str,
    outlets: Sequence[str] | None,
    operations: Sequence[str],
    expires_at: datetime | None,
    label: str,
    **limits: object,
) -> str:
    """Store a new key's hash and return the key. ``limits``: terminals, rate_limit, rate_burst.

    Raises psycopg's ForeignKeyViolation for a merchant that does not exist, or an outlet that is not the merchant's.
    """
    key, prefix, secret_hash = new_api_key()
    members = {
        "prefix": prefix,
        "merchant_nif": merchant_nif,
        "secret_hash": secret_hash,
        "outlets": list(outlets) if outlets else None,
        "operations": list(operations),
        "expires_at": expires_at,
        "label": label,
        **limits,
    }
    statement = sql.SQL("INSERT INTO signer.api_key ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, members)), sql.SQL(", ").join(sql.Placeholder() * len(members))
    )
    connection.execute(statement, list(members.values()))
    return key


def rotate_api_key(
    connection: psycopg.Connection, prefix: str, overlap: timedelta, expires_at: datetime | None = None
) -> str:
    """A new key of the same scope; the old one ends after the overlap, or when it would have ended before that.

    Without ``expires_at`` the new key lives as long as the old one was to live, or for ever like it. Raises LookupError
    for a key that is unknown, expired or revoked.
    """
    old = connection.execute(
        "SELECT merchant_nif, outlets, operations, label, terminals, rate_limit, rate_burst, "
        "       now() + (expires_at - created_at) AS ends "
        "  FROM signer.api_key WHERE prefix = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) "
        "   FOR UPDATE",
        [prefix],
    ).fetchone()
    if old is None:
        raise LookupError(f"no API key with prefix {prefix} that is in force; create one")
    merchant_nif, outlets, operations, label, terminals, limit, burst, ends = old
    key = create_api_key(
        connection,
        merchant_nif,
        outlets,
        operations,
        expires_at or ends,
        label,
        terminals=terminals,
        rate_limit=limit,
        rate_burst=burst,
        rotated_from=prefix,
    )
    connection.execute(
        "UPDATE signer.api_key SET expires_at = LEAST(expires_at, now() + %s) WHERE prefix = %s", [overlap, prefix]
    )
    return key


def revoke_api_key(connection: psycopg.Connection, prefix: str) -> bool:
    """Whether it was revoked now; a key that was revoked stays so. Raises LookupError for an unknown prefix."""
    try:
        return revoke(connection, API_KEY, [prefix])
    except LookupError:
        raise LookupError(f"no API key with prefix {prefix}") from None


def _accept_existing(what: str, if_missing: bool, same: bool) -> None:
    if not if_missing:
        raise AlreadyExists(f"{what} exists already (pass --if-missing to accept that)")
    if not same:
        raise AlreadyExists(f"{what} exists already with other facts")
