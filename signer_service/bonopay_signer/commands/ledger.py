"""``verify``: is the ledger what it was sealed as? ``export``: a copy that others can ask the same."""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import psycopg
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from bonopay_signer.commands.options import Commands, add, json_option, moment
from bonopay_signer.commands.refusals import database_words
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.exporting import Excerpt, export
from bonopay_signer.ledger.headstore import HeadStore, HeadStoreError
from bonopay_signer.ledger.verify.database import snapshot
from bonopay_signer.ledger.verify.log import verify_logs
from bonopay_signer.ledger.verify.outcome import Outcome
from bonopay_signer.ledger.verify.run import verify_database, verify_file
from bonopay_signer.logs import redact
from bonopay_signer.settings import SecretFileError, Settings

GOOD, BAD, NOT_CHECKED = 0, 1, 2
_BAR = 30


def register(commands: Commands) -> None:
    verify = add(
        commands,
        "verify",
        _verify,
        "verify the whole ledger; exit 1 if anything does not hold, 2 if it could not be checked",
    )
    verify.add_argument("--outlet", action="append", help="only this outlet (repeatable)")
    json_option(verify)
    verify.add_argument("--file", type=Path, help="an exported copy instead of the database")
    verify.add_argument(
        "--trust",
        type=Path,
        action="append",
        help="a public key (PEM) that a chain may begin with (repeatable); without, any that was published",
    )
    copy = add(commands, "export", _export, "write the ledger, or a part of it, to a file (docs/ledger.md)")
    copy.add_argument("--output", type=Path, required=True)
    copy.add_argument("--outlet", action="append", help="only this outlet (repeatable)")
    copy.add_argument("--from", dest="since", type=moment, help="sealed at this time or later")
    copy.add_argument("--to", dest="until", type=moment, help="sealed before this time")


def _verify(arguments: argparse.Namespace, settings: Settings) -> int:
    started = time.monotonic()
    try:
        outcome = _outcome(arguments, settings)
    except psycopg.Error as error:
        return _not_checked(database_words(error))
    except (HeadStoreError, SecretFileError, LookupError, OSError) as error:
        return _not_checked(str(error))
    seconds = time.monotonic() - started
    if arguments.json:
        print(json.dumps({**outcome.as_json(), "seconds": round(seconds, 3)}, ensure_ascii=False, indent=1))
    else:
        _print(outcome, seconds)
    return GOOD if outcome.is_good else BAD


def _not_checked(words: str) -> int:
    print(f"bonopay-signer: not verified: {redact(' '.join(words.split()))}", file=sys.stderr)
    return NOT_CHECKED


def _outcome(arguments: argparse.Namespace, settings: Settings) -> Outcome:
    trusted = frozenset(map(_key_id, arguments.trust)) if arguments.trust else None
    with Meter() as meter:
        if arguments.file:
            return verify_file(arguments.file, trusted, meter.show)
        head_store = HeadStore(settings.head_store, settings.shard) if settings.head_store else None
        dsn = settings.service_dsn()
        outcome = verify_database(dsn, settings.authority, arguments.outlet, trusted, head_store, meter.show)
    if not arguments.outlet:
        asyncio.run(verify_logs(dsn, settings.authority, outcome))
    return outcome


def _key_id(pem: Path) -> str:
    """Raises LookupError for a file that holds no P-256 key."""
    try:
        key = load_pem_public_key(pem.read_bytes())
        return PublicKey(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).key_id
    except (ValueError, UnsupportedAlgorithm) as error:
        raise LookupError(f"{pem} holds no public P-256 key in PEM") from error


def _export(arguments: argparse.Namespace, settings: Settings) -> int:
    excerpt = Excerpt(arguments.outlet, arguments.since, arguments.until)
    with Meter() as meter, snapshot(settings.service_dsn()) as connection:
        count = export(connection, settings.authority, arguments.output, excerpt, meter.show)
    print(f"wrote {count} entries to {arguments.output}")
    return 0


def _print(outcome: Outcome, seconds: float) -> None:
    for line in (*outcome.chains, *outcome.faults):
        print(line)
    for note in outcome.notes:
        print(f"note: {note}")
    verdict = "good" if outcome.is_good else f"BAD, {len(outcome.faults)} faults"
    print(f"{outcome.entries} entries in {seconds:.1f} s: {verdict}")


class Meter:
    """How far it is: a bar on a terminal, else a line every ten seconds. On standard error."""

    def __init__(self) -> None:
        self._bar = sys.stderr.isatty()
        self._pause = 0.1 if self._bar else 10.0
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._shown < self._pause:
            return
        self._shown = now
        part = min(1.0, done / total) if total else 1.0
        words = f"{part:4.0%}  {done} of {total} entries, {done / (now - self._started):.0f}/s"
        if self._bar:
            filled = round(part * _BAR)
            print(f"\r[{'█' * filled}{'·' * (_BAR - filled)}] {words}\033[K", end="", file=sys.stderr, flush=True)
        else:
            print(words, file=sys.stderr, flush=True)
