"""One logged-in session on the token, held for the life of the process.

Opening a session and logging in for every signature costs 24 times a pooled signature. The module is loaded through
p11-kit because python-pkcs11 initialises modules without ``CKF_OS_LOCKING_OK`` while it releases the GIL around every
call: loaded directly, SoftHSM crashes the process as soon as two threads sign. p11-kit initialises with locking.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from typing import TypeVar

import pkcs11
import stamina
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import (
    MultipleObjectsReturned,
    NoSuchKey,
    NoSuchToken,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    UserPinNotInitialized,
)
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from bonopay_signer.hsm.cryptoki import CryptokiError, init_token
from bonopay_signer.hsm.ecdsa import SIGNATURE_SIZE, PublicKey

_logger = logging.getLogger(__name__)
_LABEL_LIMIT = 32
_DIGEST_SIZE = 32
_SELF_TEST = b"bonopay/self-test/1\n"
_PIN_REFUSED = (PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked, UserPinNotInitialized)
T = TypeVar("T")


class HsmUnavailable(Exception):
    """The token does not answer, or not as it must. Nothing was signed that left this module."""


class KeyMissing(HsmUnavailable):
    """The token answers but holds no sealing key of the configured label."""


class PinRefused(HsmUnavailable):
    """The token refuses the PIN. Tokens lock themselves after a few wrong ones, so this one is not given again."""


class TokenSession:
    """A pooled session and the handle of the sealing key. Thread-safe; reopens after session and device errors."""

    def __init__(self, module: str, token_label: str, pin: str, key_label: str) -> None:
        self._module = module
        self._token_label = token_label
        self._pin = pin
        self._key_label = key_label
        self._lock = threading.Lock()
        self._session: pkcs11.Session | None = None
        self._private: pkcs11.PrivateKey | None = None
        self._pin_refused = False
        self.public_key: PublicKey | None = None

    def __repr__(self) -> str:
        return f"TokenSession({self._token_label!r}, {self._key_label!r})"

    def open(self) -> PublicKey:
        """Open the session, retrying with jitter: several processes opening SoftHSM at once can fail transiently.

        Raises KeyMissing and PinRefused at once, HsmUnavailable when the retries are spent.
        """
        try:
            for attempt in stamina.retry_context(on=_is_transient, attempts=5, wait_initial=0.1, wait_max=2.0):
                with attempt, self._lock:
                    return self._open()
        except PKCS11Error as error:
            raise HsmUnavailable(f"the token cannot be opened: {_explained(error, self._token_label)}") from error
        raise AssertionError("unreachable: the retries either return or raise")

    def close(self) -> None:
        with self._lock:
            self._discard()

    def _sign_digest(self, digest: bytes) -> bytes:
        """64 bytes ``r‖s`` over a 32-byte digest. For hsm.sealer alone: a raw signing oracle is what must not exist."""
        if len(digest) != _DIGEST_SIZE:
            raise ValueError("a digest is 32 bytes")
        signature = self._with_session(lambda: self._private.sign(digest, mechanism=Mechanism.ECDSA))
        if len(signature) != SIGNATURE_SIZE:
            raise HsmUnavailable("the token's signature is not 64 bytes long")
        return signature

    def check(self) -> None:
        """Ask the token for random bytes and the key for its label. Raises HsmUnavailable."""
        self._with_session(lambda: (self._session.generate_random(64), self._private[Attribute.LABEL]))

    def _with_session(self, call: Callable[[], T]) -> T:
        with self._lock:
            try:
                if self._session is None:
                    self._open()
                return call()
            except PKCS11Error as first:
                _logger.warning("token session lost (%s), reopening", type(first).__name__)
            try:
                self._reopen()
                return call()
            except PKCS11Error as error:
                self._discard()
                raise HsmUnavailable(f"the token does not answer: {_explained(error, self._token_label)}") from error

    def _reopen(self) -> None:
        self._discard()
        # Slots are listed once per C_Initialize; a token that was replaced shows only after a new one.
        pkcs11.lib(self._module).reinitialize()
        self._open()

    def _open(self) -> PublicKey:
        session = self._logged_in()
        try:
            private, public = find_key(session, self._key_label)
        except BaseException:
            session.close()
            raise
        if self.public_key is not None and self.public_key != public:
            session.close()
            raise KeyMissing("the token came back with another key under the same label")
        self._session, self._private, self.public_key = session, private, public
        return public

    def _logged_in(self) -> pkcs11.Session:
        if self._pin_refused:
            raise PinRefused("the token refused the PIN of BONOPAY_SIGNER_TOKEN_PIN_FILE; correct it and restart")
        try:
            return pkcs11.lib(self._module).get_token(token_label=self._token_label).open(user_pin=self._pin)
        except _PIN_REFUSED as error:
            self._pin_refused = True
            raise PinRefused(f"the token cannot be opened: {_explained(error, self._token_label)}") from error

    def _discard(self) -> None:
        session, self._session, self._private = self._session, None, None
        if session is not None:
            try:
                session.close()
            except PKCS11Error as error:
                _logger.info("closing a lost token session answered %s", type(error).__name__)


def find_key(session: pkcs11.Session, label: str) -> tuple[pkcs11.PrivateKey, PublicKey]:
    """The sealing key of that label. Raises KeyMissing when absent, ambiguous, readable, or not a pair."""
    try:
        private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, label=label)
        public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, key_type=KeyType.EC, label=label)
    except NoSuchKey as error:
        raise KeyMissing(f"the token holds no key {label!r}; run: bonopay-signer key create") from error
    except MultipleObjectsReturned as error:
        raise KeyMissing(f"the token holds several keys {label!r}") from error
    if not private[Attribute.SENSITIVE] or private[Attribute.EXTRACTABLE]:
        raise KeyMissing(f"the key {label!r} may leave the token; it is not used for seals")
    published = PublicKey(encode_ec_public_key(public))
    # A digest of our own making: what is signed here is no entry's hash.
    digest = hashlib.sha256(_SELF_TEST + os.urandom(_DIGEST_SIZE)).digest()
    if not published.verifies(private.sign(digest, mechanism=Mechanism.ECDSA), digest):
        raise KeyMissing(f"the private and the public key {label!r} are not a pair; remove the foreign one")
    return private, published


def initialise_token(module: str, label: str, so_pin: str, user_pin: str) -> bool:
    """Create the token and its user PIN. False when a token of that label exists already. Raises HsmUnavailable."""
    if not 0 < len(label.encode()) <= _LABEL_LIMIT:
        raise ValueError("a token label is 1 to 32 bytes")
    if _token_exists(module, label):
        return False
    try:
        pkcs11.unload(module)
        init_token(module, label, so_pin)
        with pkcs11.lib(module).get_token(token_label=label).open(rw=True, so_pin=so_pin) as session:
            session.init_pin(user_pin)
    except (CryptokiError, LookupError, OSError) as error:
        raise HsmUnavailable(f"the token cannot be initialised: {error}") from error
    except PKCS11Error as error:
        raise HsmUnavailable(f"the token cannot be initialised: {_explained(error, label)}") from error
    return True


def create_key(module: str, token_label: str, pin: str, key_label: str) -> tuple[PublicKey, bool]:
    """The sealing key and whether it was created now. Sensitive, not extractable, able to sign and nothing else."""
    try:
        with pkcs11.lib(module).get_token(token_label=token_label).open(rw=True, user_pin=pin) as session:
            if any(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: key_label})):
                return find_key(session, key_label)[1], False
            _generate(session, key_label)
            return find_key(session, key_label)[1], True
    except PKCS11Error as error:
        raise HsmUnavailable(f"the key cannot be created: {_explained(error, token_label)}") from error


def _generate(session: pkcs11.Session, label: str) -> None:
    parameters = session.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
    )
    usage_private = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True}
    forbidden = dict.fromkeys((Attribute.DECRYPT, Attribute.UNWRAP, Attribute.DERIVE, Attribute.SIGN_RECOVER), False)
    parameters.generate_keypair(
        mechanism=Mechanism.EC_KEY_PAIR_GEN,
        store=True,
        label=label,
        public_template={Attribute.VERIFY: True, Attribute.ENCRYPT: False, Attribute.WRAP: False},
        private_template={**usage_private, **forbidden, Attribute.PRIVATE: True},
    )


def _token_exists(module: str, label: str) -> bool:
    try:
        pkcs11.lib(module).get_token(token_label=label)
    except NoSuchToken:
        return False
    except PKCS11Error as error:
        raise HsmUnavailable(f"the module cannot be asked for its tokens: {_explained(error, label)}") from error
    return True


def _explained(error: PKCS11Error, token_label: str) -> str:
    """The error's name, and where there is one the way out."""
    name = type(error).__name__
    if isinstance(error, NoSuchToken):
        return (
            f"{name}: no token {token_label!r}; run: bonopay-signer token init, or correct BONOPAY_SIGNER_TOKEN_LABEL"
        )
    if isinstance(error, _PIN_REFUSED):
        return f"{name}; correct the PIN in BONOPAY_SIGNER_TOKEN_PIN_FILE and restart"
    if type(error) is PKCS11Error:
        return f"{error}; correct BONOPAY_SIGNER_PKCS11_MODULE, or install p11-kit"
    return name


def _is_transient(error: Exception) -> bool:
    return isinstance(error, PKCS11Error)
