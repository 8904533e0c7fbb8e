"""``action-log``: what was done to the registry, by whom, and whether the record of it is intact."""

import argparse
import json

import psycopg

from bonopay_signer.commands.options import CommandFailed, Commands, add, json_option, print_rows
from bonopay_signer.settings import Settings
from bonopay_signer.tenants.actions import ActionFault, recent_actions, verify_action_log


def register(commands: Commands) -> None:
    log = add(commands, "action-log", _show, "administrative actions, oldest first; --verify checks their chain")
    log.add_argument("--merchant", help="only what concerns this NIF")
    log.add_argument("--limit", type=int, default=100, help="the last so many; 0: all (default: %(default)s)")
    log.add_argument("--verify", action="store_true", help="re-derive the chain instead, exit 1 when it is broken")
    json_option(log)


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.verify:
        return _verify(settings)
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        actions = recent_actions(connection, arguments.merchant, arguments.limit or None)
    rows = [action.members | {"hash": action.hash.hex()} for action in actions]
    if not arguments.json:
        rows = [row | {"change": _change(row["before"], row["after"])} for row in rows]
    return print_rows(rows, ("number", "at", "actor", "action", "subject", "change"), arguments.json)


def _change(before: dict | None, after: dict | None) -> str:
    if before is None:
        return ""
    return ", ".join(f"{name}: {json.dumps(before.get(name))} → {json.dumps(value)}" for name, value in after.items())


def _verify(settings: Settings) -> int:
    with psycopg.connect(settings.owner_dsn(), options="-c timezone=UTC") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        result = verify_action_log(connection)
    if isinstance(result, ActionFault):
        raise CommandFailed(str(result))
    print(f"action log: good, {result.count} records, last {result.hash.hex()}")
    return 0
