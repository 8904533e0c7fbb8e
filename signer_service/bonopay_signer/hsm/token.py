"""A logged-in session on the token, and the token's and the key's first day.

Opening a session and logging in for every signature costs 24 times a pooled signature, so a session is held for the
life of its process.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pkcs11
import stamina
from pkcs11 import Attribute, Mechanism
from pkcs11.exceptions import (
    MultipleTokensReturned,
    NoSuchToken,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    TokenNotPresent,
    TokenNotRecognised,
    UserPinNotInitialized,
)

from bonopay_signer.hsm import keys
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.cryptoki import CryptokiError, Library, NoBlankToken, library
from bonopay_signer.hsm.ecdsa import SIGNATURE_SIZE, PublicKey
from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, PinRefused

_logger = logging.getLogger(__name__)
_LABEL_LIMIT = 32
_DIGEST_SIZE = 32
_PIN_REFUSED = (PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked, UserPinNotInitialized)
_FAILURES = (PKCS11Error, CryptokiError, NoBlankToken, OSError)
T = TypeVar("T")


def find_token(address: TokenAddress) -> pkcs11.Token:
    """The one token at ``address``. Raises NoSuchToken, MultipleTokensReturned, another PKCS11Error, CryptokiError."""
    found = [token for token in _tokens(library(address.module, address.parameters)) if _matches(token, address)]
    if not found:
        raise NoSuchToken(address.name)
    if len(found) > 1:
        raise MultipleTokensReturned(address.name)
    return found[0]


def log_in(address: TokenAddress, pin: str, *, write: bool = False) -> pkcs11.Session:
    """A new session of the user. Raises PinRefused, TokenUnfit, and what `find_token` raises."""
    token = find_token(address)
    keys.require_raw_ecdsa(token)
    try:
        return token.open(rw=write, user_pin=pin)
    except _PIN_REFUSED as error:
        raise PinRefused(f"the token cannot be opened: {explained(error, address)}") from error


@contextmanager
def told_as_unavailable(what: str, address: TokenAddress) -> Iterator[None]:
    """Turn what a module raises into HsmUnavailable with the way out: "<what>: <why>"."""
    try:
        yield
    except _FAILURES as error:
        raise HsmUnavailable(f"{what}: {explained(error, address)}") from error


class TokenSession:
    """A pooled session and the handle of the sealing key. Thread-safe; reopens after session and device errors."""

    def __init__(self, module: str, token_label: str, pin: str, key_label: str) -> None:
        self._address = TokenAddress(module, label=token_label)
        self._pin = pin
        self._key_label = key_label
        self._lock = threading.Lock()
        self._session: pkcs11.Session | None = None
        self._private: pkcs11.PrivateKey | None = None
        self._pin_refused = False
        self.public_key: PublicKey | None = None

    def __repr__(self) -> str:
        return f"TokenSession({self._address.label!r}, {self._key_label!r})"

    def open(self) -> PublicKey:
        """Open the session, retrying with jitter: several processes opening SoftHSM at once can fail transiently.

        Raises KeyMissing and PinRefused at once, HsmUnavailable when the retries are spent.
        """
        with told_as_unavailable("the token cannot be opened", self._address):
            for attempt in stamina.retry_context(on=PKCS11Error, attempts=5, wait_initial=0.1, wait_max=2.0):
                with attempt, self._lock:
                    return self._open()
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
                raise HsmUnavailable(f"the token does not answer: {explained(error, self._address)}") from error

    def _reopen(self) -> None:
        self._discard()
        # Slots are listed once per C_Initialize; a token that was replaced shows only after a new one.
        library(self._address.module).reinitialize()
        self._open()

    def _open(self) -> PublicKey:
        session = self._logged_in()
        try:
            private, public = keys.find_key(session, self._key_label)
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
            return log_in(self._address, self._pin)
        except PinRefused:
            self._pin_refused = True
            raise

    def _discard(self) -> None:
        session, self._session, self._private = self._session, None, None
        if session is not None:
            try:
                session.close()
            except PKCS11Error as error:
                _logger.info("closing a lost token session answered %s", type(error).__name__)


def initialise_token(module: str, label: str, so_pin: str, user_pin: str, parameters: str | None = None) -> bool:
    """Create the token and its user PIN. False when a token of that label exists already. Raises HsmUnavailable."""
    if not 0 < len(label.encode()) <= _LABEL_LIMIT:
        raise ValueError("a token label is 1 to 32 bytes")
    address = TokenAddress(module, label=label, parameters=parameters)
    if token_exists(address):
        return False
    with told_as_unavailable("the token cannot be initialised", address):
        loaded = library(module, parameters)
        loaded.init_token(label, so_pin)
        loaded.reinitialize()  # slots are listed once per C_Initialize
        with find_token(address).open(rw=True, so_pin=so_pin) as session:
            session.init_pin(user_pin)
    return True


def create_key(
    module: str, token_label: str, pin: str, key_label: str, parameters: str | None = None
) -> tuple[PublicKey, bool]:
    """The sealing key and whether it was created now. Sensitive, not extractable, able to sign and nothing else."""
    address = TokenAddress(module, label=token_label, parameters=parameters)
    with told_as_unavailable("the key cannot be created", address), log_in(address, pin, write=True) as session:
        exists = keys.has_key(session, key_label)
        if not exists:
            keys.generate(session, key_label)
        return keys.find_key(session, key_label)[1], not exists


def token_exists(address: TokenAddress) -> bool:
    """Whether there is a token at ``address``. Raises HsmUnavailable when the module cannot be asked."""
    with told_as_unavailable("the module cannot be asked for its tokens", address):
        try:
            find_token(address)
        except NoSuchToken:
            return False
    return True


def explained(error: Exception, address: TokenAddress) -> str:
    """The error's name, and where there is one the way out."""
    name = type(error).__name__
    if isinstance(error, NoSuchToken):
        way_out = "run: bonopay-signer token init, or correct BONOPAY_SIGNER_TOKEN_LABEL"
        return f"{name}: no token with {address.name}; {way_out}"
    if isinstance(error, MultipleTokensReturned):
        return f"{name}: several tokens with {address.name}; name the serial number too"
    if isinstance(error, _PIN_REFUSED):
        return f"{name}; correct the PIN in BONOPAY_SIGNER_TOKEN_PIN_FILE and restart"
    if type(error) is PKCS11Error:
        return f"{error}; correct BONOPAY_SIGNER_PKCS11_MODULE, or install p11-kit"
    return name if isinstance(error, PKCS11Error) else str(error)


def _tokens(loaded: Library) -> Iterator[pkcs11.Token]:
    for slot in loaded.get_slots(token_present=True):
        try:
            yield slot.get_token()
        except (TokenNotPresent, TokenNotRecognised):
            continue  # taken out between the two calls


def _matches(token: pkcs11.Token, address: TokenAddress) -> bool:
    facts = (
        (address.label, token.label),
        (address.serial, serial_text(token)),
        (address.slot, token.slot.slot_id),
    )
    return all(wanted is None or wanted == found for wanted, found in facts)


def serial_text(token: pkcs11.Token) -> str:
    """The serial number without its padding; what is not ASCII as replacement characters."""
    serial = token.serial
    return (serial.decode("ascii", "replace") if isinstance(serial, bytes) else serial).strip("\0 ")
