"""Tries to get the private key out of the token; prints what was refused and what the key may do."""

import sys
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.exceptions import AttributeSensitive, AttributeTypeInvalid, PKCS11Error

from bonopay_signer.hsm.keys import find_key

label, pin_file, key_label = sys.argv[1:]
token = pkcs11.lib("libp11-kit.so.0").get_token(token_label=label)
with token.open(user_pin=Path(pin_file).read_text().strip(), rw=True) as session:
    private, _ = find_key(session, key_label)
    try:
        value = private[Attribute.VALUE]
        print("value-readable" if value else "value-empty")
    except (AttributeSensitive, AttributeTypeInvalid):
        print("value-refused")
    wrapping = session.generate_key(KeyType.AES, 256, template={Attribute.WRAP: True, Attribute.TOKEN: False})
    try:
        wrapping.wrap_key(private, mechanism=Mechanism.AES_KEY_WRAP)
        print("wrapped")
    except PKCS11Error:
        print("wrap-refused")
    print("sensitive" if private[Attribute.SENSITIVE] and private[Attribute.ALWAYS_SENSITIVE] else "not-sensitive")
    print("never-extractable" if private[Attribute.NEVER_EXTRACTABLE] else "extractable")
    other_uses = (Attribute.DECRYPT, Attribute.UNWRAP, Attribute.DERIVE, Attribute.SIGN_RECOVER)
    print("sign-only" if private[Attribute.SIGN] and not any(private[use] for use in other_uses) else "other-uses")
    print("local" if private[Attribute.LOCAL] else "imported")
