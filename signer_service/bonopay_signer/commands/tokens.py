"""``secret``, ``token``, ``key``: files of secrets, the PKCS#11 token and the sealing key in it."""

import argparse
import os
from pathlib import Path

from bonopay_signer.commands.options import Commands, add, group, if_missing, report, write_private
from bonopay_signer.hsm.token import create_key, initialise_token
from bonopay_signer.settings import Settings, read_secret
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
    key = group(commands, "key", "the sealing key")
    if_missing(add(key, "create", _key_create, "create the P-256 key KEY_LABEL inside the token"))


def _secrets_create(arguments: argparse.Namespace, _settings: Settings) -> int:
    if arguments.if_missing and arguments.output.exists():
        print(f"{arguments.output} exists")
        return 0
    write_private(arguments.output, new_key() if arguments.kind == "key" else os.urandom(16).hex())
    print(f"wrote {arguments.output}")
    return 0


def _token_init(arguments: argparse.Namespace, settings: Settings) -> int:
    so_pin = read_secret(arguments.so_pin_file, "TOKEN_SO_PIN_FILE (--so-pin-file)")
    created = initialise_token(settings.pkcs11_module, settings.token_label, so_pin, settings.token_pin())
    return report(arguments, created, f"token {settings.token_label}")


def _key_create(arguments: argparse.Namespace, settings: Settings) -> int:
    key, created = create_key(settings.pkcs11_module, settings.token_label, settings.token_pin(), settings.key_label)
    return report(arguments, created, f"key {settings.key_label} ({key.key_id})")
