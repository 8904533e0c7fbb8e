"""``merchant``, ``outlet``, ``apikey``: who may have what sealed."""

import argparse
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bonopay_signer.commands.options import (
    Commands,
    add,
    group,
    if_missing,
    moment,
    report,
    text_options,
    write_private,
)
from bonopay_signer.settings import SecretFileError, Settings, read_secret
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.apikeys import OPERATIONS
from bonopay_signer.tenants.rows import DEFERRED, INLINE
from bonopay_signer.tenants.secrets import SecretBox


def register(commands: Commands) -> None:
    merchant = group(commands, "merchant", "merchants")
    new = add(merchant, "add", _merchant_add, "register a merchant")
    text_options(new, "nif", "name")
    if_missing(new)
    _register_outlets(group(commands, "outlet", "points of sale"))
    _register_keys(group(commands, "apikey", "API keys"))


def _register_outlets(outlet: Commands) -> None:
    new = add(outlet, "add", _outlet_add, "register an outlet and its e-MCF")
    text_options(new, "id", "merchant", "name", "address", "nim", "isf", "dgi-url")
    new.add_argument("--dgi-mode", choices=(INLINE, DEFERRED), default=INLINE)
    _token_option(new)
    if_missing(new)
    replace = add(outlet, "set-dgi-token", _outlet_token, "replace an outlet's DGI token")
    text_options(replace, "id")
    _token_option(replace)


def _register_keys(apikey: Commands) -> None:
    create = add(apikey, "create", _apikey_create, "create a key and print it, once")
    text_options(create, "merchant")
    create.add_argument("--outlet", action="append", help="only this outlet (repeatable; default: all)")
    create.add_argument("--operation", action="append", choices=OPERATIONS, help="repeatable; default: all")
    create.add_argument("--expires", type=moment, help="ISO 8601 with offset, e.g. 2027-01-01T00:00:00Z")
    create.add_argument("--label", default="", help="what it is for")
    create.add_argument("--output", type=Path, help="write it to a file only you can read, instead of printing it")
    if_missing(create)
    add(apikey, "revoke", _apikey_revoke, "revoke a key").add_argument("prefix", help="the 12 characters after bp_")


def _token_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dgi-token-file", type=Path, required=True, help="file with the JWT, or - for standard input")


def _merchant_add(arguments: argparse.Namespace, settings: Settings) -> int:
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        created = admin.add_merchant(connection, arguments.nif, arguments.name, arguments.if_missing)
    return report(arguments, created, f"merchant {arguments.nif}")


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
    return report(arguments, created, f"outlet {outlet.id}")


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
            write_private(arguments.output, key)
    print(f"wrote {arguments.output}" if arguments.output else key)
    return 0


def _apikey_revoke(arguments: argparse.Namespace, settings: Settings) -> int:
    prefix = arguments.prefix.removeprefix("bp_").split("_")[0]
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        revoked = admin.revoke_api_key(connection, prefix)
    print(f"API key {prefix} {'is revoked' if revoked else 'was revoked before'}")
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
