"""``merchant``, ``outlet``, ``terminal``, ``user``, ``rate``: who may have what sealed, and the rate of the day."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bonopay_signer.commands import mcf
from bonopay_signer.commands.administering import administering
from bonopay_signer.commands.options import (
    CommandFailed,
    Commands,
    add,
    group,
    if_missing,
    json_option,
    print_rows,
    refuse_without_yes,
    report,
    text_options,
    yes_option,
)
from bonopay_signer.settings import SecretFileError, Settings, read_secret
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.rows import ANY, DEFERRED, INLINE, REGISTERED
from bonopay_signer.tenants.secrets import SecretBox

_COLUMNS: Mapping[str, Sequence[str]] = {
    "merchant": ("nif", "name", "created_at", "revoked_at"),
    "outlet": ("id", "merchant_nif", "name", "nim", "isf", "dgi_mode", "dgi_url", "revoked_at"),
    "terminal": ("outlet_id", "id", "name", "created_at", "revoked_at"),
    "operator": ("merchant_nif", "id", "name", "outlets", "created_at", "revoked_at"),
}
_OUTLET_TEXTS = ("name", "address", "nim", "isf", "dgi-url")


def register(commands: Commands) -> None:
    _register_merchants(group(commands, "merchant", "merchants"))
    _register_outlets(group(commands, "outlet", "points of sale"))
    _register_terminals(group(commands, "terminal", "tills of an outlet"))
    _register_users(group(commands, "user", "users of record: the operators that invoices name"))
    _register_rates(group(commands, "rate", "the central bank's rates of the day"))


def _register_merchants(merchant: Commands) -> None:
    new = add(merchant, "add", _merchant_add, "register a merchant")
    text_options(new, "nif", "name")
    if_missing(new)
    _register_reading(merchant, admin.MERCHANT, "nif")
    renamed = _changing(merchant, admin.MERCHANT, "nif")
    renamed.add_argument("--name")
    words = "Its keys are refused from now on, and nothing more is sealed for it."
    _revoking(merchant, admin.MERCHANT, words, "nif")


def _register_outlets(outlet: Commands) -> None:
    new = add(outlet, "add", _outlet_add, "register an outlet and its e-MCF")
    text_options(new, "id", "merchant", "name", "address", "nim", "isf", "dgi-url")
    new.add_argument("--dgi-mode", choices=(INLINE, DEFERRED), default=INLINE)
    _token_option(new, required=True)
    if_missing(new)
    _register_reading(outlet, admin.OUTLET, "id", "merchant")
    changed = _changing(outlet, admin.OUTLET, "id")
    for name in _OUTLET_TEXTS:
        changed.add_argument(f"--{name}")
    changed.add_argument("--dgi-mode", choices=(INLINE, DEFERRED))
    for name in ("terminal", "user"):
        changed.add_argument(f"--{name}-policy", choices=(ANY, REGISTERED), help=f"seal for registered {name}s only")
    _token_option(changed, required=False)
    _revoking(outlet, admin.OUTLET, "Nothing more is sealed at it; what was sealed can be read.", "id")
    replace = add(outlet, "set-dgi-token", _outlet_token, "replace an outlet's DGI token")
    text_options(replace, "id")
    _token_option(replace, required=True)
    mcf.register(outlet)


def _register_terminals(terminal: Commands) -> None:
    new = add(terminal, "add", _terminal_add, "register a terminal, by the id that payloads name")
    text_options(new, "outlet", "id", "name")
    _register_reading(terminal, admin.TERMINAL, "outlet_id", "id", "outlet")
    _changing(terminal, admin.TERMINAL, "outlet_id", "id").add_argument("--name")
    _revoking(terminal, admin.TERMINAL, None, "outlet_id", "id")


def _register_users(user: Commands) -> None:
    new = add(user, "add", _user_add, "register a user, by the id and name that invoices carry")
    text_options(new, "merchant", "id", "name")
    _outlets_option(new)
    _register_reading(user, admin.USER, "merchant_nif", "id", "merchant")
    changed = _changing(user, admin.USER, "merchant_nif", "id")
    changed.add_argument("--name")
    _outlets_option(changed)
    _revoking(user, admin.USER, None, "merchant_nif", "id")


def _register_rates(rate: Commands) -> None:
    new = add(rate, "set", _rate_set, "record the average rate of a day: invoices must lie within 1 %% of it")
    new.add_argument("currency", choices=("USD",))
    new.add_argument("day", type=date.fromisoformat, help="2026-11-21, in Kinshasa")
    new.add_argument("rate", type=_decimal, help="CDF for one unit, e.g. 2850.50")
    new.add_argument("--source", default="BCC", help="where it was read (default: %(default)s)")
    shown = add(rate, "list", _rate_list, "the rates that are recorded")
    shown.add_argument("--currency")
    json_option(shown)


def _register_reading(commands: Commands, kind: admin.Kind, *names: str) -> None:
    """``list``, filtered by the last of the names when it is an option's, and ``show``."""
    filters = [name for name in names if name in ("merchant", "outlet")]
    listing = add(commands, "list", _list, f"{kind.words}s, those that were revoked too")
    for name in filters:
        listing.add_argument(f"--{name}")
    json_option(listing)
    listing.set_defaults(kind=kind)
    show = add(commands, "show", _show, f"one {kind.words}, but no secret of it")
    _key(show, kind, [name for name in names if name not in filters])


def _changing(commands: Commands, kind: admin.Kind, *names: str) -> argparse.ArgumentParser:
    parser = add(commands, "change", _change, f"change one {kind.words}")
    _key(parser, kind, names)
    return parser


def _revoking(commands: Commands, kind: admin.Kind, words: str | None, *names: str) -> None:
    """``revoke``; with words on what it does when that cannot be undone."""
    parser = add(
        commands, "revoke", _revoke, f"revoke one {kind.words}, for good" if words else f"revoke one {kind.words}"
    )
    _key(parser, kind, names)
    parser.set_defaults(words=words)
    if words:
        yes_option(parser)


def _key(parser: argparse.ArgumentParser, kind: admin.Kind, names: Sequence[str]) -> None:
    parser.set_defaults(kind=kind, key=names)
    for name in names:
        parser.add_argument(f"key_{name}", metavar=name.removesuffix("_id").removesuffix("_nif").upper())


def _token_option(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument(
        "--dgi-token-file", type=Path, required=required, help="file with the JWT, or - for standard input"
    )


def _outlets_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--outlet", action="append", help="only at this outlet (repeatable; default: all)")


# --- what all kinds have


def _list(arguments: argparse.Namespace, settings: Settings) -> int:
    given = vars(arguments)
    filters = {"merchant_nif": given.get("merchant"), "outlet_id": given.get("outlet")}
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        rows = admin.listed(connection, arguments.kind, **filters)
    return print_rows(rows, _COLUMNS[arguments.kind.table], arguments.json)


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    key = key_of(arguments)
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        rows = admin.listed(connection, arguments.kind, **dict(zip(arguments.kind.key, key, strict=True)))
    if not rows:
        raise LookupError(f"no {arguments.kind.words} {'/'.join(key)}")
    return print_rows(rows, (), as_json=True)


def _change(arguments: argparse.Namespace, settings: Settings) -> int:
    changes = _changes(arguments, settings)
    if not changes:
        raise CommandFailed("say what to change: see --help")
    kind, key = arguments.kind, key_of(arguments)
    with administering(settings, f"{kind.table}.change") as connection:
        admin.change(connection, kind, key, changes)
    print(f"{kind.words} {'/'.join(key)} changed: {', '.join(changes)}")
    return 0


def _changes(arguments: argparse.Namespace, settings: Settings) -> dict[str, object]:
    names = ("name", "address", "nim", "isf", "dgi_url", "dgi_mode", "terminal_policy", "user_policy")
    given = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    if "dgi_url" in given:
        given["dgi_url"] = _dgi_url(given["dgi_url"])
    if getattr(arguments, "outlet", None):
        given["outlets"] = arguments.outlet
    if getattr(arguments, "dgi_token_file", None):
        box = SecretBox.from_text(settings.secrets_key_text())
        given["dgi_token"] = box.encrypt(key_of(arguments)[0], _dgi_token(arguments))
    return given


def _revoke(arguments: argparse.Namespace, settings: Settings) -> int:
    kind, key = arguments.kind, key_of(arguments)
    name = f"{kind.words} {'/'.join(key)}"
    if arguments.words:
        refuse_without_yes(arguments, f"{name} would be revoked. {arguments.words}")
    with administering(settings, f"{kind.table}.revoke") as connection:
        revoked = admin.revoke(connection, kind, key)
    print(f"{name} {'is revoked' if revoked else 'was revoked before'}")
    return 0


def key_of(arguments: argparse.Namespace) -> list[str]:
    return [getattr(arguments, f"key_{name}") for name in arguments.key]


# --- adding


def _merchant_add(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "merchant.add") as connection:
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
    with administering(settings, "outlet.add") as connection:
        created = admin.add_outlet(connection, outlet, token, box, arguments.if_missing)
    return report(arguments, created, f"outlet {outlet.id}")


def _outlet_token(arguments: argparse.Namespace, settings: Settings) -> int:
    box = SecretBox.from_text(settings.secrets_key_text())
    token = _dgi_token(arguments)
    with administering(settings, "outlet.set-dgi-token") as connection:
        admin.set_dgi_token(connection, arguments.id, token, box)
    print(f"the DGI token of {arguments.id} is replaced")
    return 0


def _terminal_add(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "terminal.add") as connection:
        admin.add_terminal(connection, arguments.outlet, arguments.id, arguments.name)
    print(f"terminal {arguments.outlet}/{arguments.id} created")
    return 0


def _user_add(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "operator.add") as connection:
        admin.add_user(connection, arguments.merchant, arguments.id, arguments.name, arguments.outlet)
    print(f"user {arguments.merchant}/{arguments.id} created")
    return 0


def _rate_set(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "currency_rate.set") as connection:
        admin.set_rate(connection, arguments.currency, arguments.day, arguments.rate, arguments.source)
    print(f"on {arguments.day} one {arguments.currency} is {arguments.rate} CDF ({arguments.source})")
    return 0


def _rate_list(arguments: argparse.Namespace, settings: Settings) -> int:
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection:
        rows = admin.rates(connection, arguments.currency)
    return print_rows(rows, ("currency", "valid_on", "rate", "source", "recorded_at"), arguments.json)


# --- what is typed


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from None
    if not value.is_finite() or not 0 < value < 10**12 or value.as_tuple().exponent < -6:
        raise argparse.ArgumentTypeError("give CDF for one unit, above zero, with at most six decimals")
    return value


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
