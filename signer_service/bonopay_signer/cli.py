"""The command line. Every command says what it did, or why not and what to do. It exits 0, or 1 when it failed."""

import argparse
import sys

import psycopg
from pydantic import ValidationError

from bonopay_signer import __version__
from bonopay_signer.commands import actions, apikeys, heads, keys, ledger, service, tenants, tokens, witness
from bonopay_signer.commands.options import CommandFailed
from bonopay_signer.commands.refusals import database_words
from bonopay_signer.db.instance import SecondSigner
from bonopay_signer.db.migrate import MigrationError
from bonopay_signer.db.safety import UnsafeDatabase
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.ledger.handover import KeyNotInForce
from bonopay_signer.ledger.headstore import HeadStoreError
from bonopay_signer.ledger.rollback import LedgerBehind
from bonopay_signer.logs import redact
from bonopay_signer.settings import SecretFileError, Settings
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.secrets import SecretsError
from bonopay_signer.transparency.keys import KeyFileError

_EXPECTED = (
    CommandFailed,
    UnsafeDatabase,
    HeadStoreError,
    KeyNotInForce,
    LedgerBehind,
    SecretFileError,
    SecretsError,
    KeyFileError,
    MigrationError,
    SecondSigner,
    HsmUnavailable,
    admin.AlreadyExists,
    LookupError,
    OSError,
)


def main(arguments: list[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.command(parsed, Settings())
    except ValidationError as error:
        problems = "; ".join(
            f"BONOPAY_SIGNER_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()
        )
        return _fail(problems)
    except psycopg.Error as error:
        return _fail(database_words(error))
    except _EXPECTED as error:
        return _fail(str(error) or type(error).__name__)


def _fail(words: str) -> int:
    print(f"bonopay-signer: {redact(' '.join(words.split()))}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bonopay-signer", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (service, ledger, tokens, keys, tenants, apikeys, actions, witness, heads):
        module.register(commands)
    return parser
