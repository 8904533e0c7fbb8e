"""``witness``: this signer's own cosigning key, and the witnesses whose cosignatures of its log are published."""

import argparse
from pathlib import Path

import psycopg

from bonopay_signer.commands.options import CommandFailed, Commands, add, group, if_missing, report, write_private
from bonopay_signer.settings import Settings
from bonopay_signer.transparency.keys import CosigningKey
from bonopay_signer.transparency.notes import CosignatureVerifier, NoteMalformed, parse_verifier_key

MOST_WITNESSES = 32
"""With the log's own signature well below the 64 that a note may carry."""


def register(commands: Commands) -> None:
    witness = group(commands, "witness", "witnesses of transparency logs")
    create = add(witness, "create-key", _create_key, "write a new cosigning key into a file only you can read")
    create.add_argument("output", type=Path, help="for WITNESS_KEY_FILE")
    create.add_argument(
        "--name", required=True, help="the witness's name, an address without scheme, e.g. bonopay.cd/w1"
    )
    add(witness, "show-key", _show_key, "print the verifier key of WITNESS_KEY_FILE, to be registered at the logs")
    new = add(witness, "add", _add, "publish this witness's cosignatures of our checkpoints")
    new.add_argument("verifier_key", help="<name>+<key id>+<key>, as the witness's operator gives it")
    if_missing(new)
    add(witness, "remove", _remove, "publish its cosignatures no more").add_argument("verifier_key")
    add(witness, "list", _list, "the registered witnesses")


def _create_key(arguments: argparse.Namespace, _settings: Settings) -> int:
    try:
        key = CosigningKey.generate(arguments.name)
    except NoteMalformed as error:
        raise CommandFailed(f"--name: {error}") from error
    write_private(arguments.output, key.encode())
    print(key.verifier.verifier_key)
    return 0


def _show_key(_arguments: argparse.Namespace, settings: Settings) -> int:
    print(CosigningKey.parse(settings.witness_key_text()).verifier.verifier_key)
    return 0


def _add(arguments: argparse.Namespace, settings: Settings) -> int:
    verifier = _cosigner(arguments.verifier_key)
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection, connection.transaction():
        connection.execute("LOCK TABLE signer.witness IN SHARE ROW EXCLUSIVE MODE")
        rows = connection.execute("SELECT verifier_key, removed_at IS NOT NULL FROM signer.witness").fetchall()
        removed = dict(rows)
        if removed.get(verifier.verifier_key):
            raise CommandFailed("this witness was removed; it comes back under a new name only")
        created = verifier.verifier_key not in removed
        if created and list(removed.values()).count(False) >= MOST_WITNESSES:
            raise CommandFailed(f"there are {MOST_WITNESSES} witnesses already; remove one first")
        if created:
            connection.execute("INSERT INTO signer.witness (verifier_key) VALUES (%s)", [verifier.verifier_key])
    return report(arguments, created, f"witness {verifier.name}")


def _remove(arguments: argparse.Namespace, settings: Settings) -> int:
    verifier = _cosigner(arguments.verifier_key)
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        moved = connection.execute(
            "UPDATE signer.witness SET removed_at = clock_timestamp() WHERE verifier_key = %s AND removed_at IS NULL",
            [verifier.verifier_key],
        )
    if moved.rowcount == 0:
        raise CommandFailed(f"there is no witness {verifier.name} with this key")
    print(f"witness {verifier.name} is removed")
    return 0


def _list(_arguments: argparse.Namespace, settings: Settings) -> int:
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        rows = connection.execute("SELECT verifier_key, removed_at FROM signer.witness ORDER BY added_at").fetchall()
    for key, removed_at in rows:
        print(key if removed_at is None else f"{key} removed {removed_at:%Y-%m-%dT%H:%M:%SZ}")
    return 0


def _cosigner(text: str) -> CosignatureVerifier:
    try:
        verifier = parse_verifier_key(text)
    except NoteMalformed as error:
        raise CommandFailed(f"not a verifier key: {error}") from error
    if not isinstance(verifier, CosignatureVerifier):
        raise CommandFailed("the key of a log, not of a witness (a cosigner's key has type 04)")
    return verifier
