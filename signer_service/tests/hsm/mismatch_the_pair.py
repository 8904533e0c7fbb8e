"""Puts the public key of another pair beside the private key, under the same label, and looks for the key."""

import sys
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, ObjectClass

from bonopay_signer.hsm import keys, token
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.errors import HsmUnavailable

label, pin_file, key_label = sys.argv[1:]
pin = Path(pin_file).read_text().strip()
with pkcs11.lib("libp11-kit.so.0").get_token(token_label=label).open(rw=True, user_pin=pin) as session:
    keys.generate(session, "other")
    session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=key_label).destroy()
    session.get_key(object_class=ObjectClass.PUBLIC_KEY, label="other")[Attribute.LABEL] = key_label
try:
    with token.log_in(TokenAddress("libp11-kit.so.0", label=label), pin) as session:
        keys.find_key(session, key_label)
    print("found")
except HsmUnavailable as error:
    print("refused" if "not a pair" in str(error) else f"other: {error}")
