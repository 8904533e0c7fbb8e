"""P-256 keys inside a token: making one that cannot leave it, finding it again, reading back what the token says of it.

Old keys stay on the token: what they signed is verified for ever, and a key that is gone could not even be named.
"""

import hashlib
import os
import re

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import AttributeTypeInvalid, MultipleObjectsReturned, NoSuchKey
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.errors import KeyMissing, TokenUnfit

SELF_TEST_DOMAIN = b"bonopay/self-test/1\n"
_RANDOM_SIZE = 32
_NUMBERED = re.compile(r"(.+)-[1-9][0-9]*")
_OTHER_USES = (Attribute.DECRYPT, Attribute.UNWRAP, Attribute.DERIVE, Attribute.SIGN_RECOVER)
REQUIRED: dict[Attribute, bool] = {
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.ALWAYS_SENSITIVE: True,
    Attribute.NEVER_EXTRACTABLE: True,
    Attribute.LOCAL: True,
    Attribute.SIGN: True,
    **dict.fromkeys(_OTHER_USES, False),
}
"""What a private key's attributes must be after its ceremony: born in this token, never outside, for signing only."""


def self_test_preimage() -> bytes:
    """A preimage of our own making, random and of a domain of its own: what is signed here is no entry's hash."""
    return SELF_TEST_DOMAIN + os.urandom(_RANDOM_SIZE)


def require_raw_ecdsa(token: pkcs11.Token) -> None:
    """Raises TokenUnfit unless the token signs 32-byte digests as they are: SoftHSM has no other, so we need none."""
    if Mechanism.ECDSA not in token.slot.get_mechanisms():
        raise TokenUnfit(
            f"the token {token.label!r} lacks the mechanism CKM_ECDSA (raw ECDSA); use a token that has it"
        )


def find_key(session: pkcs11.Session, label: str) -> tuple[pkcs11.PrivateKey, PublicKey]:
    """The sealing key of that label. Raises KeyMissing when absent, ambiguous, readable, not P-256, or not a pair."""
    try:
        private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, label=label)
        public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, key_type=KeyType.EC, label=label)
    except NoSuchKey as error:
        raise KeyMissing(f"the token holds no key {label!r}; run: bonopay-signer key create") from error
    except MultipleObjectsReturned as error:
        raise KeyMissing(f"the token holds several keys {label!r}") from error
    if not private[Attribute.SENSITIVE] or private[Attribute.EXTRACTABLE]:
        raise KeyMissing(f"the key {label!r} may leave the token; it is not used for seals")
    published = _published(public, label)
    digest = hashlib.sha256(self_test_preimage()).digest()
    if not published.verifies(private.sign(digest, mechanism=Mechanism.ECDSA), digest):
        raise KeyMissing(f"the private and the public key {label!r} are not a pair; remove the foreign one")
    return private, published


def generate(session: pkcs11.Session, label: str) -> None:
    """A P-256 pair under ``label``, the private one sensitive, not extractable, able to sign and nothing else."""
    parameters = session.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
    )
    usage = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True, Attribute.PRIVATE: True}
    parameters.generate_keypair(
        mechanism=Mechanism.EC_KEY_PAIR_GEN,
        store=True,
        label=label,
        public_template={Attribute.VERIFY: True, Attribute.ENCRYPT: False, Attribute.WRAP: False},
        private_template={**usage, **dict.fromkeys(_OTHER_USES, False)},
    )


def has_key(session: pkcs11.Session, label: str) -> bool:
    return any(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}))


def attributes(private: pkcs11.PrivateKey) -> dict[str, bool | None]:
    """What the token says of the key, by `CKA_` name; None for an attribute it does not know."""
    return {f"CKA_{attribute.name}": _attribute(private, attribute) for attribute in REQUIRED}


def violations(found: dict[str, bool | None]) -> list[str]:
    """The names in ``found`` (from `attributes`) that are not as REQUIRED."""
    return [name for attribute, wanted in REQUIRED.items() if found[name := f"CKA_{attribute.name}"] is not wanted]


def destroy_new(session: pkcs11.Session, label: str) -> None:
    """Take back a pair that was generated a moment ago and is refused: no signature of it exists."""
    for object_class in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
        for key in list(session.get_objects({Attribute.CLASS: object_class, Attribute.LABEL: label})):
            key.destroy()


def next_label(session: pkcs11.Session, label: str) -> str:
    """The label that follows ``label`` and every other of its series: ``seal``, ``seal-2``, ``seal-3`` ….

    Raises KeyMissing when the token holds no key of that label: there is nothing to follow.
    """
    labels = {key[Attribute.LABEL] for key in session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})}
    if label not in labels:
        raise KeyMissing(f"the token holds no key {label!r} to follow; run: bonopay-signer key ceremony")
    numbered = _NUMBERED.fullmatch(label)
    first = numbered[1] if numbered and numbered[1] in labels else label
    series = re.compile(rf"{re.escape(first)}(?:-([1-9][0-9]*))?")
    numbers = [int(match[1] or 1) for known in labels if (match := series.fullmatch(known))]
    return f"{first}-{max(numbers) + 1}"


def _published(public: pkcs11.PublicKey, label: str) -> PublicKey:
    try:
        return PublicKey(encode_ec_public_key(public))
    except ValueError as error:
        raise KeyMissing(f"the key {label!r} is not on the curve P-256") from error


def _attribute(private: pkcs11.PrivateKey, attribute: Attribute) -> bool | None:
    try:
        return bool(private[attribute])
    except AttributeTypeInvalid:
        return None
