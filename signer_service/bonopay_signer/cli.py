"""The command line. Every command says what it did, or why not and what to do, and exits 0 or 1."""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from bonopay_signer import __version__
from bonopay_signer.db.instance import SecondSigner
from bonopay_signer.db.migrate import MigrationError, migrate
from bonopay_signer.hsm.token import HsmUnavailable, create_key, initialise_token
from bonopay_signer.ledger.audit import Fault, audit
from bonopay_signer.logs import redact
from bonopay_signer.settings import SecretFileError, Settings, read_secret
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.apikeys import OPERATIONS
from bonopay_signer.tenants.secrets import SecretBox, SecretsError, new_key

Command = Callable[[argparse.Namespace, Settings], int]
_EXPECTED = (
    SecretFileError,
    SecretsError,
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


def _serve(_arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.api.server import serve

    serve(settings)
    return 0


def _migrate(arguments: argparse.Namespace, settings: Settings) -> int:
    role = arguments.service_role or conninfo_to_dict(settings.service_dsn()).get("user")
    if not role:
        raise SecretFileError("BONOPAY_SIGNER_DATABASE_URL names no user; pass --service-role")
    applied = migrate(settings.owner_dsn(), str(role))
    print("\n".join(f"applied {name}" for name in applied) or "nothing to apply")
    return 0


def _secrets_create(arguments: argparse.Namespace, _settings: Settings) -> int:
    if arguments.if_missing and arguments.output.exists():
        print(f"{arguments.output} exists")
        return 0
    _write_private(arguments.output, new_key() if arguments.kind == "key" else os.urandom(16).hex())
    print(f"wrote {arguments.output}")
    return 0


def _token_init(arguments: argparse.Namespace, settings: Settings) -> int:
    so_pin = read_secret(arguments.so_pin_file, "TOKEN_SO_PIN_FILE (--so-pin-file)")
    created = initialise_token(settings.pkcs11_module, settings.token_label, so_pin, settings.token_pin())
    return _report(arguments, created, f"token {settings.token_label}")


def _key_create(arguments: argparse.Namespace, settings: Settings) -> int:
    key, created = create_key(settings.pkcs11_module, settings.token_label, settings.token_pin(), settings.key_label)
    return _report(arguments, created, f"key {settings.key_label} ({key.key_id})")


def _merchant_add(arguments: argparse.Namespace, settings: Settings) -> int:
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        created = admin.add_merchant(connection, arguments.nif, arguments.name, arguments.if_missing)
    return _report(arguments, created, f"merchant {arguments.nif}")


def _outlet_add(arguments: argparse.Namespace, settings: Settings) -> int:
    box = SecretBox.from_text(settings.secrets_key_text())
    outlet = admin.NewOutlet(
        id=arguments.id,
        merchant_nif=arguments.merchant,
        name=arguments.name,
        address=arguments.address,
        nim=arguments.nim,
        isf=arguments.isf,
        dgi_mode=arguments.dgi_mode,
        dgi_url=_dgi_url(arguments.dgi_url),
    )
    token = _dgi_token(arguments)
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        created = admin.add_outlet(connection, outlet, token, box, arguments.if_missing)
    return _report(arguments, created, f"outlet {outlet.id}")


def _outlet_token(arguments: argparse.Namespace, settings: Settings) -> int:
    box = SecretBox.from_text(settings.secrets_key_text())
    token = _dgi_token(arguments)
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        admin.set_dgi_token(connection, arguments.id, token, box)
    print(f"the DGI token of {arguments.id} is replaced")
    return 0


def _apikey_create(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.output and arguments.if_missing and arguments.output.exists():
        print(f"{arguments.output} exists")
        return 0
    with psycopg.connect(settings.owner_dsn()) as connection:
        key = admin.create_api_key(
            connection,
            arguments.merchant,
            arguments.outlet,
            arguments.operation or OPERATIONS,
            arguments.expires,
            arguments.label,
        )
        if arguments.output:
            _write_private(arguments.output, key)
    print(f"wrote {arguments.output}" if arguments.output else key)
    return 0


def _apikey_revoke(arguments: argparse.Namespace, settings: Settings) -> int:
    prefix = arguments.prefix.removeprefix("bp_").split("_")[0]
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        revoked = admin.revoke_api_key(connection, prefix)
    print(f"API key {prefix} {'is revoked' if revoked else 'was revoked before'}")
    return 0


def _verify(arguments: argparse.Namespace, settings: Settings) -> int:
    results = asyncio.run(audit(settings.service_dsn(), arguments.outlet))
    for result in results:
        if isinstance(result, Fault):
            place = result.check if result.index is None else f"entry {result.index}"
            print(f"{result.outlet_id}: BAD at {place}, {result.check}: {result.detail}")
        else:
            head = result.entry_hash.hex()
            print(f"{result.outlet_id}: good, {result.entries} entries, {result.invoices} invoices, head {head}")
    return int(any(isinstance(result, Fault) for result in results))


def _report(arguments: argparse.Namespace, created: bool, what: str) -> int:
    if not created and not arguments.if_missing:
        return _fail(f"{what} exists already (pass --if-missing to accept that)")
    print(f"{what} {'created' if created else 'exists'}")
    return 0


def _dgi_token(arguments: argparse.Namespace) -> str:
    if str(arguments.dgi_token_file) == "-":
        token = sys.stdin.read().strip()
    else:
        token = read_secret(arguments.dgi_token_file, "DGI token (--dgi-token-file)")
    if not re.fullmatch(r"[!-~]+", token):
        raise SecretFileError("the DGI token is not one word of ASCII; pass the JWT as the DGI handed it out")
    return token


def _dgi_url(text: str) -> str:
    """The address, which is stored in the clear and logged."""
    try:
        has_secret = "@" in urlsplit(text).netloc
    except ValueError:
        raise SecretFileError("--dgi-url is not an address") from None
    if has_secret:
        raise SecretFileError("--dgi-url must hold no user name and no password")
    return text


def _write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner reads. Raises FileExistsError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bonopay-signer", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "serve", _serve, "answer requests")
    _add(commands, "migrate", _migrate, "bring the database up to date and grant the service's rights").add_argument(
        "--service-role", help="the service's role (default: the user of DATABASE_URL)"
    )
    verify = _add(commands, "verify", _verify, "re-derive chains, name the first bad entry; exit 1 if there is one")
    verify.add_argument("--outlet", action="append", help="only this outlet (repeatable)")
    _add_secret_commands(commands)
    _add_tenant_commands(commands)
    return parser


def _add_secret_commands(commands: argparse._SubParsersAction) -> None:
    secret = commands.add_parser("secret", help="files of secrets").add_subparsers(required=True, metavar="ACTION")
    create = _add(secret, "create", _secrets_create, "write a new random secret into a file only you can read")
    create.add_argument("kind", choices=("key", "pin"), help="key: for SECRETS_KEY_FILE; pin: for the token's PINs")
    create.add_argument("output", type=Path)
    _if_missing(create)
    token = commands.add_parser("token", help="the PKCS#11 token").add_subparsers(required=True, metavar="ACTION")
    init = _add(token, "init", _token_init, "initialise a blank token under TOKEN_LABEL")
    init.add_argument("--so-pin-file", type=Path, required=True, help="file with the security officer's PIN")
    _if_missing(init)
    key = commands.add_parser("key", help="the sealing key").add_subparsers(required=True, metavar="ACTION")
    _if_missing(_add(key, "create", _key_create, "create the P-256 key KEY_LABEL inside the token"))


def _add_tenant_commands(commands: argparse._SubParsersAction) -> None:
    merchant = commands.add_parser("merchant", help="merchants").add_subparsers(required=True, metavar="ACTION")
    add = _add(merchant, "add", _merchant_add, "register a merchant")
    _text_options(add, "nif", "name")
    _if_missing(add)
    outlet = commands.add_parser("outlet", help="points of sale").add_subparsers(required=True, metavar="ACTION")
    add = _add(outlet, "add", _outlet_add, "register an outlet and its e-MCF")
    _text_options(add, "id", "merchant", "name", "address", "nim", "isf", "dgi-url")
    add.add_argument("--dgi-mode", choices=("inline",), default="inline")
    _token_option(add)
    _if_missing(add)
    replace = _add(outlet, "set-dgi-token", _outlet_token, "replace an outlet's DGI token")
    _text_options(replace, "id")
    _token_option(replace)
    apikey = commands.add_parser("apikey", help="API keys").add_subparsers(required=True, metavar="ACTION")
    create = _add(apikey, "create", _apikey_create, "create a key and print it, once")
    _text_options(create, "merchant")
    create.add_argument("--outlet", action="append", help="only this outlet (repeatable; default: all)")
    create.add_argument("--operation", action="append", choices=OPERATIONS, help="repeatable; default: all")
    create.add_argument("--expires", type=_moment, help="ISO 8601 with offset, e.g. 2027-01-01T00:00:00Z")
    create.add_argument("--label", default="", help="what it is for")
    create.add_argument("--output", type=Path, help="write it to a file only you can read, instead of printing it")
    _if_missing(create)
    _add(apikey, "revoke", _apikey_revoke, "revoke a key").add_argument("prefix", help="the 12 characters after bp_")


def _add(commands: argparse._SubParsersAction, name: str, command: Command, words: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


def _text_options(parser: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(f"--{name}", required=True)


def _token_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dgi-token-file", type=Path, required=True, help="file with the JWT, or - for standard input")


def _if_missing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--if-missing", action="store_true", help="succeed when it exists already")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("give an offset, e.g. 2027-01-01T00:00:00Z")
    return moment
