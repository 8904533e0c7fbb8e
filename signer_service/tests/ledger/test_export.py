"""The exported file: checked without a database, and every change of it is found and named."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonopay_signer.ledger.entries import now_ms
from bonopay_signer.ledger.exporting import Excerpt, export
from bonopay_signer.ledger.verify.database import snapshot
from bonopay_signer.ledger.verify.run import verify_file
from bonopay_signer.transparency.checkpoints import Checkpoint, origin_of
from bonopay_signer.transparency.merkle import entry_leaf, root_of
from bonopay_signer.transparency.notes import EcdsaVerifier, Signature, SignedNote

from ..support.databases import throw_away_database
from .ledgers import AUTHORITY, OUTLETS, Books, trade


@pytest.fixture(scope="module")
def books(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with throw_away_database(cluster) as database:
        books = Books(database, tmp_path_factory.mktemp("heads"))
        books.register(OUTLETS)

        async def fill() -> None:
            async with books.open():
                await trade(books)
                await asyncio.sleep(0.01)
                books.half = now_ms()
                await asyncio.sleep(0.01)
                await trade(books)

        asyncio.run(fill())
        yield books


def exported(books: Books, output: Path, *excerpt: object) -> Path:
    with snapshot(books.database.service) as connection:
        export(connection, AUTHORITY, output, Excerpt(*(excerpt or (None, None, None))))
    return output


@pytest.fixture(scope="module")
def whole(books: Books, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(books, tmp_path_factory.mktemp("export") / "ledger.jsonl")


def test_whole_ledger_is_good(whole: Path) -> None:
    outcome = verify_file(whole)
    assert outcome.faults == [] and outcome.entries == 22
    assert [(chain.outlet_id, chain.entries, chain.invoices) for chain in outcome.chains] == [
        ("KIN001", 10, 6),
        ("KIN002", 6, 4),
        ("LUB001", 6, 4),
    ]
    assert whole.stat().st_mode & 0o777 == 0o600 and list(whole.parent.iterdir()) == [whole]


def test_excerpts_are_good_and_say_what_they_are(books: Books, tmp_path: Path) -> None:
    later = verify_file(exported(books, tmp_path / "later", None, books.half, None))
    assert later.faults == [] and later.entries == 11
    assert [chain.invoices for chain in later.chains] == [3, 2, 2]
    earlier = verify_file(exported(books, tmp_path / "earlier", None, None, books.half))
    assert earlier.faults == [] and earlier.entries == 11
    one = verify_file(exported(books, tmp_path / "one", ["KIN002"], books.half, books.half + timedelta(days=1)))
    assert one.faults == [] and [chain.outlet_id for chain in one.chains] == ["KIN002"]
    assert "the file is an excerpt of the ledger" in one.notes
    assert any("not judged" in note for note in one.notes), "a credit note's original is another outlet's"


def test_existing_file_is_kept(books: Books, whole: Path) -> None:
    before = whole.read_bytes()
    with pytest.raises(FileExistsError):
        exported(books, whole)
    assert whole.read_bytes() == before


def test_interrupted_export_leaves_no_file_and_is_made_anew(books: Books, tmp_path: Path) -> None:
    output = tmp_path / "ledger"

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with snapshot(books.database.service) as connection, pytest.raises(KeyboardInterrupt):
        export(connection, AUTHORITY, output, Excerpt(None, None, None), interrupt)
    assert not output.exists()
    assert verify_file(exported(books, output)).is_good


@settings(max_examples=150)
@given(st.data())
def test_changed_byte_is_found_and_its_line_is_named(whole: Path, data: st.DataObject) -> None:
    content = bytearray(whole.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    line = whole.read_bytes()[:place].count(b"\n") + 1
    outcome = _verified(whole, bytes(content))
    lines = {int(fault.subject[5:]) for fault in outcome.faults if fault.subject.startswith("line ")}
    assert lines & {line, line + 1}, outcome.faults


def _verified(whole: Path, content: bytes):
    changed = whole.with_name("changed")
    changed.write_bytes(content)
    try:
        return verify_file(changed)
    finally:
        changed.unlink()


@pytest.mark.parametrize("line", range(24))
def test_removed_doubled_or_swapped_line_is_named(whole: Path, line: int) -> None:
    lines = whole.read_bytes().splitlines(keepends=True)
    removed = [*lines[:line], *lines[line + 1 :]]
    doubled = [*lines[: line + 1], *lines[line:]]
    other = (line + 1) % len(lines)
    swapped = list(lines)
    swapped[line], swapped[other] = swapped[other], swapped[line]
    for changed in (removed, doubled, swapped):
        named = [fault.subject for fault in _verified(whole, b"".join(changed)).faults]
        assert {"line 1", f"line {line}", f"line {line + 1}", f"line {line + 2}"} & set(named), named


@pytest.mark.parametrize("line", range(24))
def test_truncated_file_is_bad(whole: Path, line: int) -> None:
    lines = whole.read_bytes().splitlines(keepends=True)
    for cut in (b"".join(lines[:line]), b"".join(lines[:line]) + lines[line][:-1]):
        assert _verified(whole, cut).faults


def rewritten(whole: Path, change) -> bytes:
    """What a forger makes who knows the format: every running hash fits."""
    running, lines = bytes(32), []
    for number, line in enumerate(whole.read_bytes().splitlines()):
        value = json.loads(line)
        del value["running"]
        value = change(number, value)
        if value is None:
            continue
        body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        running = hashlib.sha256(running + body).digest()
        lines.append(body[:-1] + b',"running":"' + running.hex().encode() + b'"}\n')
    return b"".join(lines)


def test_rewriting_changes_nothing_by_itself(whole: Path) -> None:
    assert rewritten(whole, lambda _number, value: value) == whole.read_bytes()


@pytest.mark.parametrize(
    "member", ["statement", "payload", "previous_hash", "entry_hash", "signature", "position", "shard"]
)
@pytest.mark.parametrize("number", [1, 7, 22])
def test_forged_entry_is_named_although_the_file_is_whole(whole: Path, member: str, number: int) -> None:
    def forge(at: int, value: dict) -> dict:
        if at == number:
            old = value[member]
            value[member] = old + 1 if isinstance(old, int) else old[:-3] + ("0" if old[-3] != "0" else "1") + old[-2:]
        return value

    outcome = _verified(whole, rewritten(whole, forge))
    entry = json.loads(json.loads(whole.read_bytes().splitlines()[number])["statement"])
    named = {(fault.subject, fault.index) for fault in outcome.faults}
    if member in ("position", "shard"):
        assert any(subject.startswith("shard") for subject, _ in named)
    else:
        places = {(entry["outlet_id"], entry["index"]), (f"line {number + 1}", None)}
        assert named & places, outcome.faults


@pytest.mark.parametrize("number", range(1, 23))
def test_entry_that_was_left_out_is_named_although_the_file_is_whole(whole: Path, number: int) -> None:
    def forge(at: int, value: dict) -> dict | None:
        if at == 0 or "entries" in value:
            value["entries"] -= 1
        return None if at == number else value

    outcome = _verified(whole, rewritten(whole, forge))
    entry = json.loads(json.loads(whole.read_bytes().splitlines()[number])["statement"])
    assert entry["outlet_id"] in {fault.subject for fault in outcome.faults}


def test_other_key_is_refused_when_one_is_trusted(whole: Path, books: Books) -> None:
    assert verify_file(whole, frozenset({books.signer.key_id})).is_good
    outcome = verify_file(whole, frozenset({"0" * 16}))
    assert {(fault.index, fault.check) for fault in outcome.faults} == {(1, "key")}


def test_no_file_at_all_is_an_error_of_its_own() -> None:
    with pytest.raises(OSError):
        verify_file(Path(os.devnull).with_name("nothing-here"))
    assert verify_file(Path(os.devnull)).faults[0].subject == "line 1"


def test_stand_alone_checker_needs_nothing_of_the_signer(whole: Path, books: Books, tmp_path: Path) -> None:
    """Python's standard library and openssl: what docs/ledger.md tells a third party."""
    checker = Path(__file__).with_name("check_export.py")
    key = tmp_path / "key.pem"
    key.write_text(books.signer.public_key.pem)
    later = exported(books, tmp_path / "later", None, books.half, None)

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-I", "-S", str(checker), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    assert run(whole, key).stdout == "22 entries hold\n"
    assert run(later).stdout == "11 entries hold\n"
    changed = tmp_path / "changed"
    changed.write_bytes(whole.read_bytes().replace(b"104400.00", b"104400.01", 1))
    assert (run(changed).returncode, run(changed).stdout[:6]) == (1, "line 2")

    def forge(number: int, value: dict) -> dict:
        return {**value, "signature": "11" * 64} if number == 3 else value

    changed.write_bytes(rewritten(whole, forge))
    assert run(changed).stdout == "line 4: the signature does not verify\n"
    changed.write_bytes(rewritten(whole, lambda number, value: None if number == 22 else value))
    assert run(changed).stdout == "the file is not whole\n"


def checkpoint(books: Books, size: int) -> str:
    """The signed note over the first entries, as the signer publishes it."""
    rows = books.rows("SELECT entry_hash, signature FROM signer.entry WHERE position < %s ORDER BY position", size)
    origin = origin_of(AUTHORITY, 0, 1)
    text = Checkpoint(origin, size, root_of([entry_leaf(*row) for row in rows])).text()
    signature = asyncio.run(books.signer.sign_checkpoint(text.encode()))
    key_id = EcdsaVerifier(origin, books.signer.public_key.der).key_id
    return SignedNote(text, (Signature(origin, key_id, signature),)).encode()


@pytest.mark.parametrize("size", [1, 11, 22])
def test_checkpoint_in_the_file_is_compared_with_its_entries(whole: Path, books: Books, size: int) -> None:
    def add(note: str):
        return lambda number, value: {**value, "checkpoints": [note]} if number == 0 else value

    note = checkpoint(books, size)
    assert _verified(whole, rewritten(whole, add(note))).is_good
    damaged = note.replace("\n22\n", "\n21\n").replace("\n11\n", "\n12\n").replace("\n1\n", "\n2\n")
    (fault,) = _verified(whole, rewritten(whole, add(damaged))).faults
    assert fault.check == "note"


def test_file_cut_cleanly_is_named_by_its_checkpoint(whole: Path, books: Books) -> None:
    """Entries, footer and header agree; only the signed note knows of more."""
    note = checkpoint(books, 22)
    lines = [json.loads(line) for line in whole.read_bytes().splitlines()]
    last = json.loads(lines[22]["statement"])

    def forge(number: int, value: dict) -> dict | None:
        if number == 0:
            shards = [{**value["shards"][0], "size": 21}]
            return {**value, "checkpoints": [note], "entries": 21, "shards": shards}
        if "ends" in value:
            ends = [end for end in value["ends"] if end["outlet_id"] != last["outlet_id"]]
            end = {"outlet_id": last["outlet_id"], "index": last["index"] - 1, "entry_hash": lines[22]["previous_hash"]}
            return {**value, "entries": 21, "ends": [*ends, end]}
        return None if number == 22 else value

    (fault,) = _verified(whole, rewritten(whole, forge)).faults
    assert (fault.check, fault.detail) == ("leaves", "there are fewer than the 22 entries signed")
