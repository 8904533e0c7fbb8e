"""What the commands share: options, reports, private files. A command gets its arguments and the settings, says what it
did on standard output, and returns the exit status; what goes wrong is raised and said by cli.py."""

import argparse
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bonopay_signer.settings import Settings

Command = Callable[[argparse.Namespace, Settings], int]
Commands = argparse._SubParsersAction


class CommandFailed(Exception):
    """What the user is told on standard error; the exit status is 1."""


def group(commands: Commands, name: str, words: str) -> Commands:
    """A command with actions of its own."""
    return commands.add_parser(name, help=words, description=words).add_subparsers(required=True, metavar="ACTION")


def add(commands: Commands, name: str, command: Command, words: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


def text_options(parser: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(f"--{name}", required=True)


def if_missing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--if-missing", action="store_true", help="succeed when it exists already")


def as_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def moment(text: str) -> datetime:
    """The type of an option that takes a time."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise argparse.ArgumentTypeError("give an offset, e.g. 2027-01-01T00:00:00Z")
    return value


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
