"""Registers merchants, outlets and API keys over the owner's connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.tenants.apikeys import new_api_key
from bonopay_signer.tenants.secrets import SecretBox


class AlreadyExists(Exception):
    """It is registered already; with other facts, or without leave to find it so."""


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
    cursor = connection.execute(
        "UPDATE signer.outlet SET dgi_token = %s WHERE id = %s", [box.encrypt(outlet_id, token), outlet_id]
    )
    if cursor.rowcount != 1:
        raise LookupError(f"no outlet {outlet_id}")


def create_api_key(
    connection: psycopg.Connection,
    merchant_nif: str,
    outlets: Sequence[str] | None,
    operations: Sequence[str],
    expires_at: datetime | None,
    label: str,
) -> str:
    """Store a new key's hash and return the key. Raises LookupError for an outlet that is not the merchant's."""
    for outlet_id in outlets or ():
        owner = connection.execute("SELECT merchant_nif FROM signer.outlet WHERE id = %s", [outlet_id]).fetchone()
        if owner != (merchant_nif,):
            raise LookupError(f"merchant {merchant_nif} has no outlet {outlet_id}")
    key, prefix, secret_hash = new_api_key()
    connection.execute(
        "INSERT INTO signer.api_key (prefix, merchant_nif, secret_hash, outlets, operations, expires_at, label) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [prefix, merchant_nif, secret_hash, list(outlets) if outlets else None, list(operations), expires_at, label],
    )
    return key


def revoke_api_key(connection: psycopg.Connection, prefix: str) -> bool:
    """Whether it was revoked now; a key that was revoked stays so. Raises LookupError for an unknown prefix."""
    cursor = connection.execute(
        "UPDATE signer.api_key SET revoked_at = now() WHERE prefix = %s AND revoked_at IS NULL", [prefix]
    )
    if cursor.rowcount == 1:
        return True
    if connection.execute("SELECT 1 FROM signer.api_key WHERE prefix = %s", [prefix]).fetchone() is None:
        raise LookupError(f"no API key with prefix {prefix}")
    return False


def _accept_existing(what: str, if_missing: bool, same: bool) -> None:
    if not if_missing:
        raise AlreadyExists(f"{what} exists already (pass --if-missing to accept that)")
    if not same:
        raise AlreadyExists(f"{what} exists already with other facts")
