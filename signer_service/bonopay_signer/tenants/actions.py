"""The log of what was done to the registry: who did it, and whether it is still what was written.

A record is the JSON object {number, at, actor, role, action, subject, merchant_nif, before, after}; its stored bytes
are hashed, each with the hash before it, so that a record which is changed, removed or put in is found::

    hash = SHA-256( "bonopay/action/1\n" ‖ previous_hash ‖ SHA-256(record) )     the first previous_hash: 32 zero bytes

A chain does not show by itself that its end was cut off: the registry does where its rows are newer than what is left,
and whoever audits keeps the number and the hash of the last record.
"""

import hashlib
import json
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from bonopay_signer.fiscal.statement import ZERO_HASH

_DOMAIN = b"bonopay/action/1\n"
_LOCK = 0x626F6E6F_6163746E  # "bonoactn", as signer.log_action takes it
_PAGE = 1000
_SEES_ONE_MERCHANT = """
SELECT row_security_active('signer.action_log') AND current_setting('bonopay.merchant', true) IS DISTINCT FROM '*'
"""
# Members that a later version added to the tables are compared from when they are first written.
_DIFFERS_FROM_LOG = """
WITH written AS (
    SELECT DISTINCT ON (subject, key) subject, key, value
      FROM (SELECT number, convert_from(record, 'UTF8')::jsonb AS action FROM signer.action_log) AS log
     CROSS JOIN LATERAL (SELECT action ->> 'subject' AS subject) AS of
     CROSS JOIN LATERAL jsonb_each(action -> 'after')
     WHERE split_part(subject, ' ', 1) IN ('merchant', 'outlet', 'api_key', 'terminal', 'operator', 'currency_rate',
                                           'mcf')
     ORDER BY subject, key, number DESC),
present AS (
    SELECT 'merchant ' || nif AS subject, to_jsonb(t) AS row FROM signer.merchant AS t
    UNION ALL SELECT 'outlet ' || id, to_jsonb(t) FROM signer.outlet AS t
    UNION ALL SELECT 'api_key ' || prefix, to_jsonb(t) FROM signer.api_key AS t
    UNION ALL SELECT concat('terminal ', outlet_id, '/', id, '/', number), to_jsonb(t) FROM signer.terminal AS t
    UNION ALL SELECT concat('operator ', merchant_nif, '/', id, '/', number), to_jsonb(t) FROM signer.operator AS t
    UNION ALL SELECT concat('currency_rate ', currency, '/', valid_on), to_jsonb(t) FROM signer.currency_rate AS t
    UNION ALL SELECT concat('mcf ', outlet_id, '/', nim), to_jsonb(t) FROM signer.mcf AS t),
held AS (SELECT subject, signer.registry_members(row) AS members FROM present)
SELECT COALESCE(held.subject, written.subject),
       CASE WHEN written.subject IS NULL THEN 'the log does not know it'
            WHEN held.subject IS NULL THEN 'it is in the log and not in the registry'
            ELSE format('%s is not what was last written', written.key) END
  FROM held FULL JOIN written ON held.subject = written.subject
 WHERE written.subject IS NULL OR held.subject IS NULL OR written.value IS DISTINCT FROM held.members -> written.key
 ORDER BY 1, 2 LIMIT 1
"""
_MEMBERS = {"number", "at", "actor", "role", "action", "subject", "merchant_nif", "before", "after"}


@dataclass(frozen=True)
class LoggedAction:
    number: int
    merchant_nif: str | None
    record: bytes
    previous_hash: bytes
    hash: bytes

    @property
    def members(self) -> dict[str, Any]:
        return json.loads(self.record)


@dataclass(frozen=True)
class ActionFault:
    """The first record that is not what was written; ``number`` is None where the records hold and a row of the
    registry is not what they say."""

    number: int | None
    detail: str

    def __str__(self) -> str:
        return f"action log: BAD at {'the registry' if self.number is None else f'record {self.number}'}: {self.detail}"


@dataclass(frozen=True)
class VerifiedActions:
    """How many records there are, and the hash of the last: what an auditor keeps."""

    count: int
    hash: bytes


@contextmanager
def acting(connection: psycopg.Connection, action: str) -> Iterator[psycopg.Connection]:
    """A transaction whose changes of the registry are logged as ``action`` of the user who runs this process."""
    with connection.transaction():
        # Before any row is locked: two administrators wait for one another here, and nowhere else.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute(
            "SELECT set_config('bonopay.actor', %s, true), set_config('bonopay.action', %s, true)", [actor(), action]
        )
        yield connection


def actor() -> str:
    """The operating system's user, and who became that by sudo: ``root@host (sudo: name)``."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{name}@{socket.gethostname()}" + (f" (sudo: {behind})" if behind else "")


def action_hash(previous_hash: bytes, record: bytes) -> bytes:
    return hashlib.sha256(_DOMAIN + previous_hash + hashlib.sha256(record).digest()).digest()


def recent_actions(connection: psycopg.Connection, merchant_nif: str | None, limit: int | None) -> list[LoggedAction]:
    """The last records, oldest first."""
    rows = connection.execute(
        "SELECT number, merchant_nif, record, previous_hash, hash FROM signer.action_log "
        "WHERE %s::text IS NULL OR merchant_nif = %s ORDER BY number DESC LIMIT %s",
        [merchant_nif, merchant_nif, limit],
    ).fetchall()
    return [LoggedAction(*row) for row in reversed(rows)]


def verify_action_log(connection: psycopg.Connection) -> VerifiedActions | ActionFault:
    """Re-derive the chain, in pages, and compare the registry with what was last written of it: a row that was changed
    past the log is found, and an end of the log that was cut off wherever a row is newer than what is left.

    Wants a snapshot while changes are made, and a connection that sees every merchant: raises PermissionError on one
    that does not.
    """
    if connection.execute(_SEES_ONE_MERCHANT).fetchone() != (False,):
        raise PermissionError("the action log is verified over a system connection: this one sees one merchant's alone")
    number, last = 0, ZERO_HASH
    for action in _all(connection):
        detail = _fault(action, number + 1, last)
        if detail:
            return ActionFault(number + 1, detail)
        number, last = action.number, action.hash
    differing = connection.execute(_DIFFERS_FROM_LOG).fetchone()
    if differing:
        return ActionFault(None, f"{differing[0]}: {differing[1]}")
    return VerifiedActions(number, last)


def _all(connection: psycopg.Connection) -> Iterator[LoggedAction]:
    number = 0
    query = (
        "SELECT number, merchant_nif, record, previous_hash, hash FROM signer.action_log WHERE number > %s "
        "ORDER BY number LIMIT %s"
    )
    while rows := connection.execute(query, [number, _PAGE]).fetchall():
        yield from (LoggedAction(*row) for row in rows)
        number = rows[-1][0]


def _fault(action: LoggedAction, number: int, previous_hash: bytes) -> str | None:
    if action.number != number:
        return f"it is missing: the next record is {action.number}"
    if action.previous_hash != previous_hash:
        return "it does not follow the record before it"
    if action.hash != action_hash(previous_hash, action.record):
        return "its hash is not that of its record"
    try:
        members = action.members
    except ValueError:
        return "its record cannot be read"
    if not isinstance(members, dict) or set(members) != _MEMBERS:
        return "its record has not the members of one"
    if (members["number"], members["merchant_nif"]) != (action.number, action.merchant_nif):
        return "its row names another number or merchant than its record"
    return None
