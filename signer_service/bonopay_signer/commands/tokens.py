"""``secret``, ``token``: files of secrets, and the PKCS#11 token.

What touches PKCS#11 is imported by the command that needs it: the service's own process never loads it (hsm.signers).
"""

import argparse
import os
from pathlib import Path

import msgspec

from bonopay_signer.commands.options import Commands, add, group, if_missing, json_option, report, write_private
from bonopay_signer.settings import Settings, read_secret, token_address
from bonopay_signer.tenants.secrets import new_key


def register(commands: Commands) -> None:
    secret = group(commands, "secret", "files of secrets")
    create = add(secret, "create", _secrets_create, "write a new random secret into a file only you can read")
    create.add_argument("kind", choices=("key", "pin"), help="key: for SECRETS_KEY_FILE; pin: for the token's PINs")
    create.add_argument("output", type=Path)
    if_missing(create)
    token = group(commands, "token", "the PKCS#11 token")
    init = add(token, "init", _token_init, "initialise a blank token under TOKEN_LABEL")
    init.add_argument("--so-pin-file", type=Path, required=True, help="file with the security officer's PIN")
    if_missing(init)
    json_option(add(token, "show", _token_show, "what the token says of itself; gives it no PIN"))


def _secrets_create(arguments: argparse.Namespace, _settings: Settings) -> int:
    if arguments.if_missing and arguments.output.exists():
        print(f"{arguments.output} exists")
        return 0
    write_private(arguments.output, new_key() if arguments.kind == "key" else os.urandom(16).hex())
    print(f"wrote {arguments.output}")
    return 0


def _token_init(arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.hsm.token import initialise_token

    so_pin = read_secret(arguments.so_pin_file, "TOKEN_SO_PIN_FILE (--so-pin-file)")
    created = initialise_token(token_address(settings), so_pin, settings.token_pin())
    return report(arguments, created, f"token {settings.token_label}")


def _token_show(arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.hsm.inventory import show_token

    state = show_token(token_address(settings))
    if arguments.json:
        print(msgspec.json.encode(state).decode())
        return 0
    facts = state.facts
    rows = {
        "label": facts.label,
        "serial number": facts.serial or "-",
        "slot": state.slot,
        "model": f"{facts.model} ({facts.manufacturer})",
        "hardware, firmware": f"{facts.hardware_version}, {facts.firmware_version}",
        "module": facts.module,
        "library": f"{facts.library} {facts.library_version}",
        "user PIN": state.user_pin,
        "CKM_ECDSA": "yes" if state.signs_raw_ecdsa else "NO: this token cannot seal",
    }
    print("\n".join(f"{name:<19} {value}" for name, value in rows.items()))
    return 0
