"""``key``: the sealing keys, from their ceremony to the rotation that ends their use."""

import argparse
import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import psycopg

from bonopay_signer.commands.offline import name_actor, offline_ledger
from bonopay_signer.commands.options import CommandFailed, Commands, add, group, if_missing, json_option, report
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger import handover
from bonopay_signer.settings import Settings, token_address

_ROLES = (
    "Dépositaire de la clé / Key custodian",
    "Officier de sécurité / Security officer",
    "Témoin / Witness",
)


def register(commands: Commands) -> None:
    key = group(commands, "key", "the sealing key")
    if_missing(add(key, "create", _create, "create the P-256 key KEY_LABEL inside the token, without a protocol"))
    _register_ceremony(
        add(key, "ceremony", _ceremony, "initialise a blank token, make the key in it, write a protocol")
    )
    following = add(key, "next", _next, "make the key that a rotation changes to, beside the key KEY_LABEL")
    following.add_argument("--output", type=Path, help="folder for a protocol, as of a ceremony (default: none)")
    _protocol_options(following)
    json_option(add(key, "list", _list, "the token's keys: label, key id, whether they are as a ceremony requires"))
    publish = add(key, "publish", _publish, "publish the next key ahead of its rotation; the service may run")
    publish.add_argument("--key", required=True, metavar="LABEL", help="the next key's label on the token")
    rotate = add(key, "rotate", _rotate, "hand every chain over from one key to another; the service must be stopped")
    rotate.add_argument("--to", required=True, metavar="LABEL", help="the new key's label on the token")
    rotate.add_argument("--from", dest="old", metavar="LABEL", help="the old key's label (default: KEY_LABEL)")


def _register_ceremony(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, help="folder for the protocol's two files")
    parser.add_argument("--so-pin-file", type=Path, help="file with the security officer's PIN, for a blank token")
    parser.add_argument("--resume", action="store_true", help="go on with a token or key that is there already")
    _protocol_options(parser)


def _protocol_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--date", type=date.fromisoformat, help="of the protocol, YYYY-MM-DD (default: today, UTC)")
    parser.add_argument(
        "--role", action="append", help=f"of one who signs by hand, repeatable (default: {len(_ROLES)})"
    )
    parser.add_argument(
        "--local-not-reported",
        action="store_true",
        help="accept a token that does not tell CKA_LOCAL; the protocol then says so",
    )


def _create(arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.hsm.token import create_key

    key, created = create_key(token_address(settings), settings.token_pin(), settings.key_label)
    return report(arguments, created, f"key {settings.key_label} ({key.key_id})")


def _ceremony(arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.hsm import commands

    plan = _plan(arguments, settings, so_pin_file=arguments.so_pin_file, resume=arguments.resume)
    return _tell(commands.ceremony, plan)


def _next(arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.hsm import commands

    if arguments.output is not None:
        return _tell(commands.next_key_ceremony, _plan(arguments, settings))
    label, key = commands.create_next_key(token_address(settings), settings.token_pin(), settings.key_label)
    print(f"key {label} ({key.key_id}) created; to change to it: bonopay-signer key rotate --to {label}")
    return 0


def _plan(arguments: argparse.Namespace, settings: Settings, **more: object):
    from bonopay_signer.hsm.commands import Ceremony

    if settings.token_pin_file is None:
        raise CommandFailed("BONOPAY_SIGNER_TOKEN_PIN_FILE is not set")
    return Ceremony(
        token=token_address(settings),
        authority=settings.authority,
        key_label=settings.key_label,
        pin_file=settings.token_pin_file,
        output=arguments.output,
        date=(arguments.date or datetime.now(UTC).date()).isoformat(),
        roles=arguments.role or _ROLES,
        local_not_reported=arguments.local_not_reported,
        **more,
    )


def _tell(hold, plan) -> int:
    try:
        held = hold(plan)
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    key = held.protocol.key
    print(f"key {key.label} ({key.key_id}) {key.origin}, its attributes and a test signature are good")
    print(f"wrote {held.json_file}")
    print(f"wrote {held.text_file}: print it and have it signed; SHA-256 of the JSON: {held.protocol.sha256}")
    return 0


def _list(arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.hsm.inventory import list_keys

    keys = list_keys(token_address(settings), settings.token_pin())
    if arguments.json:
        print(msgspec.json.encode(keys).decode())
        return 0
    if not keys:
        print("the token holds no key; run: bonopay-signer key ceremony")
    for key in keys:
        mark = "*" if key.label == settings.key_label else " "
        state = "good" if not key.troubles else "; ".join(key.troubles)
        print(f"{mark} {key.label:<24} {key.key_id or '-':<16}  {state}")
    return 0


def _publish(arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.hsm.commands import find_public_key

    key = find_public_key(token_address(settings), settings.token_pin(), arguments.key)
    published = asyncio.run(_publish_next(settings, key))
    print(f"key {arguments.key} ({key.key_id}) {'is published now' if published else 'was published before'}")
    return 0


async def _publish_next(settings: Settings, key: PublicKey) -> bool:
    connecting = psycopg.AsyncConnection.connect(settings.service_dsn(), autocommit=True, connect_timeout=5, **SYSTEM)
    async with await connecting as connection:
        await name_actor(connection)
        return await handover.publish_next(connection, settings.shard, key)


def _rotate(arguments: argparse.Namespace, settings: Settings) -> int:
    old = arguments.old or settings.key_label
    if old == arguments.to:
        raise CommandFailed(f"--to names the old key {old!r}; give the new key's label, or the old one's with --from")
    chains, new_key_id = asyncio.run(_hand_over(settings, old, arguments.to))
    print(f"{chains} chains handed over to {arguments.to} ({new_key_id}), which is in force in all chains now")
    print(f"before you start the service: BONOPAY_SIGNER_KEY_LABEL={arguments.to}")
    return 0


async def _hand_over(settings: Settings, old: str, new: str) -> tuple[int, str]:
    async with offline_ledger(settings, [old, new]) as ledger:
        new_key = ledger.signers.key_of(new)
        chains = await handover.rotate(
            ledger.connection, ledger.writer, ledger.signers, settings.shard, new_key, _tell_progress
        )
        return chains, new_key.key_id


def _tell_progress(done: int, total: int) -> None:
    print(f"{done} of {total} chains", flush=True)
