"""``api-key``: the keys of clients, what they cover, how long they hold."""

import argparse
from pathlib import Path

import psycopg

from bonopay_signer.commands.administering import administering
from bonopay_signer.commands.options import (
    CommandFailed,
    Commands,
    add,
    duration,
    group,
    if_missing,
    json_option,
    moment,
    print_rows,
    text_options,
    write_private,
)
from bonopay_signer.settings import Settings
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.apikeys import OPERATIONS

_COLUMNS = ("prefix", "merchant_nif", "label", "outlets", "terminals", "operations", "expires_at", "revoked_at")


def register(commands: Commands) -> None:
    keys = group(commands, "api-key", "API keys", "apikey")
    create = add(keys, "create", _create, "create a key and print it, once", "add")
    text_options(create, "merchant")
    create.add_argument("--operation", action="append", choices=OPERATIONS, help="repeatable; default: all")
    create.add_argument("--label", default="", help="what it is for")
    _scope(create)
    _output(create)
    if_missing(create)
    listing = add(keys, "list", _list, "keys, those that were revoked too")
    listing.add_argument("--merchant")
    json_option(listing)
    _prefix(add(keys, "show", _show, "everything about a key, but its secret"))
    changed = add(keys, "change", _change, "change what a key is for")
    _prefix(changed)
    changed.add_argument("--label")
    _scope(changed)
    rotate = add(keys, "rotate", _rotate, "create the next key of the same scope; the old one ends after the overlap")
    _prefix(rotate)
    rotate.add_argument("--overlap", type=duration, required=True, help="how long both hold, e.g. 7d, 12h, 0m")
    rotate.add_argument("--expires", type=moment, help="of the new key; default: it lives as long as the old one")
    _output(rotate)
    _prefix(add(keys, "revoke", _revoke, "revoke a key, at once and for good"))


def _scope(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--outlet", action="append", help="only this outlet (repeatable; default: all)")
    parser.add_argument("--terminal", action="append", help="only this terminal (repeatable; default: all)")
    parser.add_argument("--expires", type=moment, help="ISO 8601 with offset, e.g. 2027-01-01T00:00:00Z")
    parser.add_argument("--rate", type=_positive, help="requests a second (default: the service's KEY_RATE)")
    parser.add_argument("--burst", type=_positive, help="requests at once (default: two seconds' worth)")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, help="write it to a file only you can read, instead of printing it")


def _prefix(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prefix", type=_prefix_of, help="the 12 characters after bp_")


def _prefix_of(text: str) -> str:
    """Of a prefix, or of a whole key, which then is not repeated anywhere."""
    return text.removeprefix("bp_").split("_")[0]


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError("give a whole number above zero")
    return int(text)


def _create(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.output and arguments.if_missing and arguments.output.exists():
        print(f"{arguments.output} exists")
        return 0
    with administering(settings, "api_key.create") as connection:
        key = admin.create_api_key(
            connection,
            arguments.merchant,
            arguments.outlet,
            arguments.operation or OPERATIONS,
            arguments.expires,
            arguments.label,
            terminals=arguments.terminal,
            rate_limit=arguments.rate,
            rate_burst=arguments.burst,
        )
        _keep(arguments, key)
    return _hand_out(arguments, key)


def _rotate(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "api_key.rotate") as connection:
        key = admin.rotate_api_key(connection, arguments.prefix, arguments.overlap, arguments.expires)
        _keep(arguments, key)
    return _hand_out(arguments, key)


def _keep(arguments: argparse.Namespace, key: str) -> None:
    """Write it before the commit: a key that nobody has is worse than a file of one that was never made."""
    if arguments.output:
        write_private(arguments.output, key)


def _hand_out(arguments: argparse.Namespace, key: str) -> int:
    print(f"wrote {arguments.output}" if arguments.output else key)
    return 0


def _list(arguments: argparse.Namespace, settings: Settings) -> int:
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        rows = admin.listed(connection, admin.API_KEY, merchant_nif=arguments.merchant)
    return print_rows(rows, _COLUMNS, arguments.json)


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        rows = admin.listed(connection, admin.API_KEY, prefix=arguments.prefix)
    if not rows:
        raise LookupError(f"no API key with prefix {arguments.prefix}")
    return print_rows(rows, (), as_json=True)


def _change(arguments: argparse.Namespace, settings: Settings) -> int:
    given = {
        "label": arguments.label,
        "outlets": arguments.outlet,
        "terminals": arguments.terminal,
        "expires_at": arguments.expires,
        "rate_limit": arguments.rate,
        "rate_burst": arguments.burst,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise CommandFailed("say what to change: see --help")
    with administering(settings, "api_key.change") as connection:
        admin.change(connection, admin.API_KEY, [arguments.prefix], changes)
    print(f"API key {arguments.prefix} changed: {', '.join(changes)}")
    return 0


def _revoke(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "api_key.revoke") as connection:
        revoked = admin.revoke_api_key(connection, arguments.prefix)
    print(f"API key {arguments.prefix} {'is revoked' if revoked else 'was revoked before'}")
    return 0
