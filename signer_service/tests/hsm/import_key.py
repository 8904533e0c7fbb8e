"""Puts a key pair made outside into the token, sensitive and not extractable from now on, as an attacker would."""

import json
import sys

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pkcs11 import Attribute
from pkcs11.util.ec import decode_ec_private_key, decode_ec_public_key

from bonopay_signer.hsm import token
from bonopay_signer.hsm.address import TokenAddress

given, label = json.loads(sys.argv[1]), sys.argv[2]
address = TokenAddress(given["module"], label=given["label"], parameters=given["parameters"])
outside = ec.generate_private_key(ec.SECP256R1())
private = decode_ec_private_key(outside.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
public = decode_ec_public_key(outside.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
common = {Attribute.TOKEN: True, Attribute.LABEL: label}
usage = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True, Attribute.PRIVATE: True}
with token.log_in(address, given["pin"], write=True) as session:
    session.create_object({**private, **common, **usage})
    session.create_object({**public, **common, Attribute.VERIFY: True})
print(pkcs11.__name__)
