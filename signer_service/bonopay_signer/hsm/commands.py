"""What the command line does with a token by hand: the key ceremony and the next key of a rotation.

Both run in a process of their own, before the service starts or beside it, and print nothing: they return what was
done or raise.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import cryptography
import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct
from pkcs11 import Mechanism

from bonopay_signer.hsm import inventory, keys, token
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.ecdsa import PublicKey, signature_to_der
from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, TokenUnfit
from bonopay_signer.hsm.protocol import KeyFacts, Origin, Protocol, SelfTest
from bonopay_signer.settings import read_secret

_LOCAL = "CKA_LOCAL"


class AlreadyDone(HsmUnavailable):
    """There is a token, a key or a protocol already, and a ceremony replaces none."""


class Ceremony(Struct, frozen=True, kw_only=True):
    """What those who hold the ceremony decide. `token.label` is compulsory.

    `output` is the folder of the protocol's two files. `date` (ISO 8601) and `roles` are printed as given. `resume`
    goes on with a token or key that an interrupted ceremony left; the protocol then says `found` of it.
    `local_not_reported` accepts a token that does not report CKA_LOCAL (NSS softokn): ALWAYS_SENSITIVE and
    NEVER_EXTRACTABLE, which no imported key has, are still required, and the protocol says so.
    """

    token: TokenAddress
    authority: str
    key_label: str
    pin_file: Path
    output: Path
    date: str
    roles: Sequence[str]
    so_pin_file: Path | None = None
    resume: bool = False
    local_not_reported: bool = False


class Held(Struct, frozen=True):
    """A ceremony that was held: its protocol and where the protocol lies."""

    protocol: Protocol
    text_file: Path
    json_file: Path


def ceremony(plan: Ceremony) -> Held:
    """Initialise a blank token, make the key inside, check it, write the protocol. Nothing is ever overwritten.

    Raises AlreadyDone, KeyMissing (the key is not as required, and was taken back), PinRefused, HsmUnavailable,
    SecretFileError, ValueError (date, PINs), OSError.
    """
    pin = read_secret(plan.pin_file, "TOKEN_PIN_FILE")
    _refuse_existing(_files(plan))
    origin = _token(plan, pin)

    def key(session: pkcs11.Session) -> tuple[str, Origin]:
        return plan.key_label, _create(session, plan.key_label, resume=plan.resume)

    return _held(plan, pin, origin, key)


def next_key_ceremony(plan: Ceremony) -> Held:
    """Make the next key of a rotation beside the old one: ``key_label`` is an earlier key's, the new one gets -2, -3 ….

    The old key stays on the token, for ever. Raises as `ceremony` does; KeyMissing too when there is no earlier key.
    """
    pin = read_secret(plan.pin_file, "TOKEN_PIN_FILE")
    _refuse_existing(_files(plan))

    def key(session: pkcs11.Session) -> tuple[str, Origin]:
        label = keys.next_label(session, plan.key_label)
        return label, _create(session, label, resume=False)

    return _held(plan, pin, "found", key)


def create_next_key(address: TokenAddress, pin: str, label: str) -> tuple[str, PublicKey]:
    """The key after ``label`` without a protocol, for installations that hold no ceremony: its label and public key.

    Raises KeyMissing, PinRefused, HsmUnavailable.
    """
    with token.told_as_unavailable("the key cannot be created", address):
        with token.log_in(address, pin, write=True) as session:
            following = keys.next_label(session, label)
            keys.generate(session, following)
            return following, keys.find_key(session, following)[1]


def find_public_key(address: TokenAddress, pin: str, label: str) -> PublicKey:
    """The public key of a pair that may seal. Raises KeyMissing, PinRefused, HsmUnavailable."""
    with token.told_as_unavailable("the key cannot be read", address), token.log_in(address, pin) as session:
        return keys.find_key(session, label)[1]


def _files(plan: Ceremony) -> tuple[Path, Path]:
    stem = f"key-ceremony-{date.fromisoformat(plan.date).isoformat()}"
    return plan.output / f"{stem}.txt", plan.output / f"{stem}.json"


def _refuse_existing(files: Sequence[Path]) -> None:
    for file in files:
        if file.exists():
            raise AlreadyDone(f"{file} exists; keep it and give another folder or date")


def _token(plan: Ceremony, pin: str) -> Origin:
    if plan.token.label is None:
        raise ValueError("a ceremony names its token by label")
    if token.token_exists(plan.token):
        if not plan.resume:
            raise AlreadyDone(f"a token with {plan.token.name} exists; pass --resume to go on with it")
        return "found"
    so_pin = read_secret(plan.so_pin_file, "TOKEN_SO_PIN_FILE (--so-pin-file)")
    if so_pin == pin:
        raise ValueError("the security officer's PIN and the user's PIN must differ")
    token.initialise_token(plan.token, so_pin, pin)
    return "created"


def _create(session: pkcs11.Session, label: str, *, resume: bool) -> Origin:
    if keys.has_key(session, label):
        if not resume:
            raise AlreadyDone(f"the token holds a key {label!r} already; pass --resume for a protocol of it")
        return "found"
    keys.generate(session, label)
    return "created"


def _held(
    plan: Ceremony, pin: str, token_origin: Origin, key_of: Callable[[pkcs11.Session], tuple[str, Origin]]
) -> Held:
    with token.told_as_unavailable("the ceremony cannot be held", plan.token):
        with token.log_in(plan.token, pin, write=True) as session:
            label, key_origin = key_of(session)
            try:
                key, self_test = _checked(session, label, key_origin, plan.local_not_reported)
            except HsmUnavailable:
                if key_origin == "created":
                    keys.destroy_new(session, label)
                raise
            protocol = Protocol(
                schema="bonopay.key_ceremony/1",
                date=plan.date,
                authority=plan.authority,
                roles=list(plan.roles),
                token=inventory.token_facts(plan.token, session.token, token_origin),
                key=key,
                self_test=self_test,
            )
    return _written(protocol, *_files(plan))


def _checked(
    session: pkcs11.Session, label: str, origin: Origin, local_not_reported: bool
) -> tuple[KeyFacts, SelfTest]:
    private, public = keys.find_key(session, label)
    found = keys.attributes(private)
    violated = keys.violations(found)
    accepted = [_LOCAL] if local_not_reported and _LOCAL in violated else []
    if refused := [name for name in violated if name not in accepted]:
        raise KeyMissing(f"the key {label!r} is refused: {', '.join(refused)} not as required")
    facts = KeyFacts(
        origin=origin,
        label=label,
        key_id=public.key_id,
        public_key_pem=public.pem,
        public_key_sha256=hashlib.sha256(public.der).hexdigest(),
        attributes=found,
        not_reported=accepted,
    )
    return facts, _self_test(private, public)


def _self_test(private: pkcs11.PrivateKey, public: PublicKey) -> SelfTest:
    """A signature by the token, verified from the preimage and the printed PEM alone, by another library."""
    preimage = keys.self_test_preimage()
    signature = private.sign(hashlib.sha256(preimage).digest(), mechanism=Mechanism.ECDSA)
    try:
        der = signature_to_der(signature)
        printed = serialization.load_pem_public_key(public.pem.encode())
        printed.verify(der, preimage, ec.ECDSA(hashes.SHA256()))  # type: ignore[union-attr]
    except (InvalidSignature, ValueError) as error:
        raise TokenUnfit(f"the test signature does not verify: {type(error).__name__}") from error
    verifier = f"cryptography {cryptography.__version__}, {backend.openssl_version_text()}"
    return SelfTest(preimage=preimage.hex(), signature_der=der.hex(), verified_by=verifier)


def _written(protocol: Protocol, text_file: Path, json_file: Path) -> Held:
    _write_new(json_file, protocol.json())
    _write_new(text_file, protocol.text().encode())
    return Held(protocol, text_file, json_file)


def _write_new(path: Path, content: bytes) -> None:
    """Durable before it returns. Raises FileExistsError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
