"""The command line. Every command says what it did, or why not and what to do, and exits 0 or 1."""

import argparse
import sys

import psycopg
from pydantic import ValidationError

from bonopay_signer import __version__
from bonopay_signer.commands import actions, apikeys, heads, keys, ledger, service, tenants, tokens, witness
from bonopay_signer.commands.options import CommandFailed
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
_MERCHANT_ADD = "no such merchant; run: bonopay-signer merchant add"
_CONSTRAINTS = {
    "merchant_nif_check": "--nif: a NIF is 5 to 20 capital letters and digits",
    "merchant_name_check": "--name must not be empty",
    "outlet_id_check": "--id: an outlet id is 3 to 12 capital letters and digits",
    "outlet_name_check": "--name must not be empty",
    "outlet_address_check": "--address must not be empty",
    "outlet_nim_check": "--nim must not be empty",
    "outlet_isf_check": "--isf must not be empty",
    "outlet_dgi_url_check": "--dgi-url must begin with http:// or https://",
    "outlet_merchant_nif_fkey": f"--merchant: {_MERCHANT_ADD}",
    "api_key_merchant_nif_fkey": f"--merchant: {_MERCHANT_ADD}",
    "operator_merchant_nif_fkey": f"--merchant: {_MERCHANT_ADD}",
    "terminal_id_check": "--id: a terminal's id is 1 to 200 characters, as payloads name it",
    "terminal_name_check": "--name must not be empty",
    "terminal_current": "this terminal is registered already",
    "operator_id_check": "--id: a user's id is 1 to 200 characters, as invoices name it",
    "operator_name_check": "--name: a user's name is 1 to 200 characters, as invoices print it",
    "operator_current": "this user is registered already; change or revoke it first",
    "currency_rate_source_check": "--source must not be empty",
}
_NOT_MIGRATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName)


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
        return _fail(_database_words(error))
    except _EXPECTED as error:
        return _fail(str(error) or type(error).__name__)


def _fail(words: str) -> int:
    print(f"bonopay-signer: {redact(' '.join(words.split()))}", file=sys.stderr)
    return 1


def _database_words(error: psycopg.Error) -> str:
    """What the database says, as the option or the command that sets it right."""
    if isinstance(error, _NOT_MIGRATED):
        return "the database is not migrated to this version; run: bonopay-signer migrate"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"{error.diag.message_primary}; run as the owner: bonopay-signer migrate"
    words = _CONSTRAINTS.get(error.diag.constraint_name or "", error.diag.message_primary or str(error))
    if isinstance(error, psycopg.OperationalError):
        return f"{words}; check BONOPAY_SIGNER_DATABASE_URL and _OWNER_DATABASE_URL, and that PostgreSQL runs"
    return words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bonopay-signer", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (service, ledger, tokens, keys, tenants, apikeys, actions, witness, heads):
        module.register(commands)
    return parser
