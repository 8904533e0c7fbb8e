"""What the commands share: options, reports, private files. A command gets its arguments and the settings, says what it
did on standard output, and returns the exit status; what goes wrong is raised and said by cli.py."""

import argparse
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bonopay_signer.settings import Settings

Command = Callable[[argparse.Namespace, Settings], int]
Commands = argparse._SubParsersAction


class CommandFailed(Exception):
    """What the user is told on standard error; the exit status is 1."""


def group(commands: Commands, name: str, words: str, *aliases: str) -> Commands:
    """A command with actions of its own."""
    parser = commands.add_parser(name, help=words, description=words, aliases=aliases)
    return parser.add_subparsers(required=True, metavar="ACTION")


def add(commands: Commands, name: str, command: Command, words: str, *aliases: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=words, aliases=aliases)
    parser.set_defaults(command=command)
    return parser


def text_options(parser: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(f"--{name}", required=True)


def if_missing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--if-missing", action="store_true", help="succeed when it exists already")


def moment(text: str) -> datetime:
    """The type of an option that takes a time."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise argparse.ArgumentTypeError("give an offset, e.g. 2027-01-01T00:00:00Z")
    return value


def json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def yes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="yes, do it: it cannot be undone")


def refuse_without_yes(arguments: argparse.Namespace, words: str) -> None:
    """Raises CommandFailed unless ``--yes`` was given."""
    if not arguments.yes:
        raise CommandFailed(f"{words} It cannot be undone; pass --yes if that is what you want")


def duration(text: str) -> timedelta:
    """The type of an option that takes a duration: ``7d``, ``12h``, ``30m``, ``0m``."""
    match = re.fullmatch(r"(\d{1,5})([dhm])", text)
    if match is None:
        raise argparse.ArgumentTypeError("give days, hours or minutes, e.g. 7d, 12h, 30m")
    unit = {"d": "days", "h": "hours", "m": "minutes"}[match[2]]
    return timedelta(**{unit: int(match[1])})


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> int:
    """A table of these columns for people; JSON with all members for programs."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    lines = [[column.upper() for column in columns], *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def report(arguments: argparse.Namespace, created: bool, what: str) -> int:
    """Say whether it was made now. Raises CommandFailed when it was there and that was not expected."""
    if not created and not arguments.if_missing:
        raise CommandFailed(f"{what} exists already (pass --if-missing to accept that)")
    print(f"{what} {'created' if created else 'exists'}")
    return 0


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner reads. Raises FileExistsError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
