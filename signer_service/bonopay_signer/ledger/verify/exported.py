"""The ledger of an exported file (ledger.exportformat): no database, no settings, no network."""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bonopay_signer.fiscal.statement import Statement
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.columns import exact
from bonopay_signer.ledger.exportformat import ExportedEntry, Footer, Header, LineMalformed, Opener
from bonopay_signer.ledger.verify.chains import Chain, Ledger, Scope
from bonopay_signer.ledger.verify.outcome import Fault
from bonopay_signer.ledger.verify.records import Record
from bonopay_signer.ledger.verify.stream import PAGE

_LONGEST_LINE = 64 * 1024 * 1024
_header_decoder = msgspec.json.Decoder(Header)
_entry_decoder = msgspec.json.Decoder(ExportedEntry)
_footer_decoder = msgspec.json.Decoder(Footer)
_statement_decoder = msgspec.json.Decoder(Statement)
Line = tuple[int, int, bytes]
"""Offset in the file, number from 1, the object without its running hash."""


class Damaged(Exception):
    """A line that cannot be read: nothing after it is."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(f"line {line}", None, "line", detail)

    def __reduce__(self) -> tuple[Any, ...]:
        return Damaged, (int(self.fault.subject.removeprefix("line ")), self.fault.detail)


def record(line: Line) -> tuple[int, Record]:
    """A line of ``FileSource.pages``; its locator is its offset. Raises Damaged."""
    offset, number, body = line
    try:
        entry = _entry_decoder.decode(body)
        return offset, _record(entry)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Damaged(number, f"not an entry: {error}") from None


def _record(entry: ExportedEntry) -> Record:
    statement_bytes, payload = entry.statement.encode(), entry.payload.encode()
    hashes = bytes.fromhex(entry.previous_hash), bytes.fromhex(entry.entry_hash)
    try:
        statement = _statement_decoder.decode(statement_bytes)
    except msgspec.MsgspecError as error:
        raise ValueError(f"the statement cannot be read: {error}") from None
    return Record(
        *(entry.shard, entry.position, statement.outlet_id, statement.index, statement.epoch, statement.kind),
        *(statement.merchant_nif, _document_id(payload), statement.fiscal_number, exact(statement.sealed_at)),
        *(statement_bytes, payload, bytes.fromhex(statement.payload_hash), *hashes),
        *(bytes.fromhex(entry.signature), statement.key_id, entry.public_url),
    )


class _Document(msgspec.Struct):
    document_id: str | None = None


_document_decoder = msgspec.json.Decoder(_Document)


def _document_id(payload: bytes) -> str | None:
    try:
        return _document_decoder.decode(payload).document_id
    except (msgspec.MsgspecError, RecursionError):
        return None


class FileSource:
    """Entries as they stand in the file. ``faults`` are the damaged lines that could be read all the same.

    Raises Damaged when the header cannot be read; OSError.
    """

    decode = staticmethod(record)

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._opener = Opener()
        self.faults: list[Fault] = []
        self.footer: Footer | None = None
        try:
            line = self._file.readline(_LONGEST_LINE)
            self.header = _header_decoder.decode(self._body(1, line))
        except (msgspec.MsgspecError, ValueError) as error:
            self.close()
            raise Damaged(1, f"not the header of an export: {error}") from None
        except Damaged:
            self.close()
            raise
        self._first = self._file.tell()
        self.total = self.header.entries

    def close(self) -> None:
        self._file.close()

    def scope(self, trusted: frozenset[str] | None) -> Scope:
        """The header's word for the key of a chain that begins later is not taken where keys are ``trusted``."""
        starts = {
            start.outlet_id: Chain(
                outlet_id=start.outlet_id,
                merchant_nif=start.merchant_nif,
                epoch=start.epoch,
                index=start.index,
                sequence=start.sequence,
                entry_hash=bytes.fromhex(start.entry_hash),
                sealed_at=start.sealed_at,
                key_id=None if trusted else start.key_id,
                start_index=start.index,
                start_sequence=start.sequence,
            )
            for start in self.header.starts
        }
        return Scope(self.header.authority, self.header.scope.whole, trusted, starts)

    def keys(self) -> tuple[dict[str, PublicKey], list[Fault]]:
        keys, faults = {}, []
        for exported in self.header.keys:
            try:
                key = reader.published(exported.key_id, base64.b64decode(exported.public_key, validate=True))
            except binascii.Error:
                key = None
            if key is None:
                faults.append(Fault(exported.key_id, None, "key", "the header holds another key"))
            else:
                keys[key.key_id] = key
        return keys, faults

    def pages(self) -> Iterator[list[Line]]:
        """Every line but the last, which must be the footer. Raises Damaged."""
        page: list[Line] = []
        for line in self._lines():
            page.append(line)
            if len(page) > PAGE:
                yield page[:-1]
                page = page[-1:]
        if not page:
            raise Damaged(2, "the file ends before its footer")
        _, number, body = page.pop()
        if page:
            yield page
        try:
            self.footer = _footer_decoder.decode(body)
        except (msgspec.MsgspecError, ValueError):
            raise Damaged(number, "the file ends with this line, which is not its footer") from None

    def payload(self, offset: int) -> bytes:
        """Raises LookupError."""
        here = self._file.tell()
        self._file.seek(offset)
        line = self._file.readline(_LONGEST_LINE)
        self._file.seek(here)
        try:
            return _entry_decoder.decode(Opener().body(line)[0]).payload.encode()
        except (msgspec.MsgspecError, ValueError) as error:
            raise LookupError(f"the entry at byte {offset} cannot be read: {error}") from error

    def _lines(self) -> Iterator[Line]:
        number = 1
        while True:
            offset = self._file.tell()
            line = self._file.readline(_LONGEST_LINE)
            if not line:
                return
            number += 1
            yield offset, number, self._body(number, line)

    def _body(self, number: int, line: bytes) -> bytes:
        try:
            body, fits = self._opener.body(line)
        except LineMalformed as error:
            raise Damaged(number, str(error)) from None
        if not fits:
            self.faults.append(Fault(f"line {number}", None, "line", "the line was changed, or one before it is gone"))
        return body


def compare_ends(source: FileSource, ledger: Ledger) -> Iterator[Fault]:
    """Header and footer against what the entries say."""
    footer, header = source.footer, source.header
    if footer is None:
        return
    if not ledger.entries == footer.entries == header.entries:
        counted = f"header {header.entries}, footer {footer.entries}, lines {ledger.entries}"
        yield Fault("footer", None, "footer", f"the numbers of entries differ: {counted}")
    ends = {end.outlet_id: (end.index, end.entry_hash) for end in footer.ends}
    for outlet_id, chain in ledger.chains.items():
        end = (chain.index, chain.entry_hash.hex())
        if chain.fault is None and chain.index > chain.start_index and ends.pop(outlet_id, None) != end:
            chain.fault = Fault(
                outlet_id, None, "footer", f"the footer does not name entry {chain.index}, the last one"
            )
    for outlet_id in sorted(ends):
        if ledger.chain(outlet_id).fault is None:
            yield Fault(outlet_id, None, "footer", "the footer names entries that are not here")
    for shard in header.shards:
        found = ledger.shards.get(shard.id)
        if (shard.size, shard.log_epoch) != ((found.size, found.log_epoch) if found else (0, shard.log_epoch)):
            yield Fault(
                f"shard {shard.id}", None, "shard", f"the header counts {shard.size} entries in epoch {shard.log_epoch}"
            )
