"""Writes the ledger, or an excerpt of it, to a file that anybody can check without the database."""

import base64
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import psycopg

from bonopay_signer.fiscal.numbering import parse_fiscal_number
from bonopay_signer.fiscal.statement import Statement
from bonopay_signer.ledger.entries import EPOCH_OPENED, KEY_ROTATION, now_ms, timestamp
from bonopay_signer.ledger.exportformat import (
    FORMAT,
    ChainEnd,
    ChainStart,
    ExportedEntry,
    ExportedKey,
    ExportedShard,
    ExportScope,
    Footer,
    Header,
    Sealer,
)
from bonopay_signer.ledger.opening import read_opening
from bonopay_signer.ledger.rotation import read_rotation

_PAGE = 500
_ENTRY = "shard, position, statement, payload, previous_hash, entry_hash, signature, public_url, outlet_id, index"
_LAST = """
SELECT DISTINCT ON (outlet_id) outlet_id, kind, statement, payload, entry_hash FROM signer.entry
 WHERE {where} ORDER BY outlet_id, sealed_at DESC, index DESC
"""
_CHECKPOINTS = """
SELECT DISTINCT ON (shard, log_epoch) note FROM signer.checkpoint ORDER BY shard, log_epoch, size DESC
"""


class Excerpt:
    """What is exported: these outlets, sealed within these times; None is no limit. ``until`` is exclusive."""

    def __init__(self, outlets: Sequence[str] | None, since: datetime | None, until: datetime | None) -> None:
        self.scope = ExportScope(
            sorted(set(outlets)) if outlets else None,
            timestamp(since) if since else None,
            timestamp(until) if until else None,
        )
        limits = [
            ("outlet_id = ANY(%s)", self.scope.outlets),
            ("sealed_at >= %s", since),
            ("sealed_at < %s", until),
        ]
        given = [(condition, value) for condition, value in limits if value is not None]
        self.where = " AND ".join(condition for condition, _ in given) or "true"
        self.parameters = [value for _, value in given]
        self.since = since

    def before(self) -> tuple[str, list[Any]]:
        """The condition for the entries of its chains that it leaves out at the beginning."""
        if self.scope.outlets is None:
            return "sealed_at < %s", [self.since]
        return "sealed_at < %s AND outlet_id = ANY(%s)", [self.since, self.scope.outlets]


def export(
    connection: psycopg.Connection,
    authority: str,
    output: Path,
    excerpt: Excerpt,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write the file, atomically: it appears when it is whole and on the disk. Returns the number of entries.

    ``connection`` is in a snapshot (verify.database.snapshot). An interrupted export leaves ``<output>.part`` behind,
    which the next one overwrites. Raises FileExistsError, OSError, psycopg.Error, LookupError for an unknown outlet.
    """
    if output.exists():
        raise FileExistsError(f"{output} exists already")
    header = _header(connection, authority, excerpt)
    part = output.with_name(output.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb", buffering=1024 * 1024) as file:
        _write(file, connection, header, excerpt, progress)
        file.flush()
        os.fsync(file.fileno())
    os.link(part, output)  # unlike a rename, never over a file that came meanwhile
    part.unlink()
    folder = os.open(output.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return header.entries


def _write(
    file: BinaryIO,
    connection: psycopg.Connection,
    header: Header,
    excerpt: Excerpt,
    progress: Callable[[int, int], None],
) -> None:
    sealer = Sealer()
    file.write(sealer.line(header))
    ends: dict[str, ChainEnd] = {}
    done = 0
    for page in _pages(connection, excerpt):
        for row in page:
            file.write(sealer.line(_exported(row)))
            outlet_id, index = row[8:]
            ends[outlet_id] = ChainEnd(outlet_id, index, row[5].hex())
        done += len(page)
        progress(done, header.entries)
    file.write(sealer.line(Footer(done, [ends[outlet_id] for outlet_id in sorted(ends)])))


def _pages(connection: psycopg.Connection, excerpt: Excerpt) -> Iterator[list[tuple[Any, ...]]]:
    with connection.cursor(name="export", binary=True) as cursor:
        cursor.execute(
            f"SELECT {_ENTRY} FROM signer.entry WHERE {excerpt.where} ORDER BY shard, position", excerpt.parameters
        )
        while page := cursor.fetchmany(_PAGE):
            yield page


def _exported(row: tuple[Any, ...]) -> ExportedEntry:
    shard, position, statement, payload, previous, entry_hash, signature, url = row[:8]
    try:
        texts = statement.decode(), payload.decode()
    except UnicodeDecodeError as error:
        raise LookupError(
            f"the entry at position {position} is no text any more; run: bonopay-signer verify"
        ) from error
    return ExportedEntry(shard, position, *texts, previous.hex(), entry_hash.hex(), signature.hex(), url)


def _header(connection: psycopg.Connection, authority: str, excerpt: Excerpt) -> Header:
    _refuse_unknown(connection, excerpt.scope.outlets)
    (entries,) = connection.execute(
        f"SELECT count(*) FROM signer.entry WHERE {excerpt.where}", excerpt.parameters
    ).fetchone() or (0,)
    shards = connection.execute("SELECT id, size, log_epoch FROM signer.shard ORDER BY id").fetchall()
    keys = connection.execute(
        "SELECT key_id, public_der FROM signer.signing_key ORDER BY created_at, key_id"
    ).fetchall()
    notes = connection.execute(_CHECKPOINTS).fetchall() if excerpt.scope.whole else []
    return Header(
        format=FORMAT,
        authority=authority,
        exported_at=timestamp(now_ms()),
        scope=excerpt.scope,
        entries=entries,
        shards=[ExportedShard(*shard) for shard in shards] if excerpt.scope.whole else [],
        keys=[ExportedKey(key_id, base64.b64encode(der).decode()) for key_id, der in keys],
        starts=_starts(connection, excerpt) if excerpt.since else [],
        checkpoints=[note for (note,) in notes],
    )


def _refuse_unknown(connection: psycopg.Connection, outlets: Sequence[str] | None) -> None:
    rows = connection.execute("SELECT outlet_id FROM signer.outlet_head").fetchall()
    missing = sorted(set(outlets or ()) - {outlet_id for (outlet_id,) in rows})
    if missing:
        raise LookupError(f"no outlet {', '.join(missing)}")


def _starts(connection: psycopg.Connection, excerpt: Excerpt) -> list[ChainStart]:
    where, parameters = excerpt.before()
    rows = connection.execute(_LAST.format(where=where), parameters).fetchall()
    sequences = _sequences(connection, where, parameters)
    return [_start(*row, sequence=sequences.get(row[0], 0)) for row in rows]


def _start(outlet_id: str, kind: str, statement: bytes, payload: bytes, entry_hash: bytes, sequence: int) -> ChainStart:
    last = msgspec.json.decode(statement, type=Statement)
    key_id = read_rotation(payload).new_key_id if kind == KEY_ROTATION else last.key_id
    return ChainStart(
        *(outlet_id, last.merchant_nif, last.epoch, last.index, sequence, entry_hash.hex(), last.sealed_at, key_id)
    )


def _sequences(connection: psycopg.Connection, where: str, parameters: list[Any]) -> dict[str, int]:
    """Where the numbers of each chain stand: they only grow, also over a new epoch."""
    found: dict[str, int] = {}
    numbers = connection.execute(
        "SELECT DISTINCT ON (outlet_id) outlet_id, fiscal_number FROM signer.document "
        f"WHERE {where} ORDER BY outlet_id, sealed_at DESC, index DESC",
        parameters,
    )
    for outlet_id, number in numbers:
        found[outlet_id] = parse_fiscal_number(number).sequence
    openings = connection.execute(
        f"SELECT outlet_id, payload FROM signer.entry WHERE kind = '{EPOCH_OPENED}' AND {where}", parameters
    )
    for outlet_id, payload in openings:
        follows = read_opening(msgspec.json.decode(payload)).follows()
        found[outlet_id] = max(found.get(outlet_id, 0), follows.sequence)
    return found
