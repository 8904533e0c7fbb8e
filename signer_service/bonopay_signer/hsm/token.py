"""Finding a token, logging in to it, and its first day. What a module raises gets words and a way out here."""

from collections.abc import Iterator
from contextlib import contextmanager

import pkcs11
from pkcs11 import TokenFlag
from pkcs11.exceptions import (
    DeviceError,
    DeviceMemory,
    FunctionFailed,
    GeneralError,
    MultipleTokensReturned,
    NoSuchToken,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    SessionCount,
    SessionReadOnly,
    TokenNotPresent,
    TokenNotRecognised,
    TokenWriteProtected,
    UserPinNotInitialized,
)

from bonopay_signer.hsm import keys
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.cryptoki import CryptokiError, Library, NoBlankToken, library
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.errors import HsmUnavailable, PinRefused

_LABEL_LIMIT = 32
_PIN_REFUSED = (PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked, UserPinNotInitialized)
_FULL = "the token is full; keys are never deleted, so make room of another kind or move on to another token"
_WAYS_OUT = (
    (UserPinNotInitialized, "the token has no user PIN yet; set one with the tool of the token's maker"),
    (PinLocked, "the token locked itself after wrong PINs; the security officer unlocks it with the maker's tool"),
    (_PIN_REFUSED, "correct the PIN in BONOPAY_SIGNER_TOKEN_PIN_FILE and restart"),
    (DeviceMemory, _FULL),
    ((DeviceError, FunctionFailed, GeneralError), "is its device away, or its disk full or read-only? see its log"),
    (SessionCount, "the token has no session left; lower BONOPAY_SIGNER_SIGNING_PROCESSES"),
    ((TokenWriteProtected, SessionReadOnly), "the token takes no changes"),
    (TokenNotRecognised, "the slot's token is not initialised; run: bonopay-signer token init"),
)
_CODES = {  # PKCS #11 v3.1 §3.8, of C_InitToken
    0x31: _FULL,
    0x54: "the module initialises no tokens; use the tool of its maker, then: bonopay-signer key ceremony --resume",
    0xA0: "the security officer's PIN is not this token's",
    0xA2: "the security officer's PIN is shorter or longer than the token allows",
}
_FAILURES = (PKCS11Error, CryptokiError, NoBlankToken, OSError)


def find_token(address: TokenAddress) -> pkcs11.Token:
    """The one token at ``address``. Raises NoSuchToken, MultipleTokensReturned, another PKCS11Error, CryptokiError."""
    tokens = list(_tokens(library(address.module, address.parameters)))
    found = [token for token in tokens if _matches(token, address)]
    if not found:
        labels = ", ".join(repr(token.label) for token in tokens if token.flags & TokenFlag.TOKEN_INITIALIZED)
        raise NoSuchToken(f"no token with {address.name} (the module shows: {labels or 'no initialised token'})")
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


def initialise_token(address: TokenAddress, so_pin: str, user_pin: str) -> bool:
    """Create the token of that label, and its user PIN. False when there is one already.

    Raises HsmUnavailable; ValueError for a label that is not 1 to 32 bytes.
    """
    if address.label is None or not 0 < len(address.label.encode()) <= _LABEL_LIMIT:
        raise ValueError("a token label is 1 to 32 bytes")
    if token_exists(address):
        return False
    with told_as_unavailable("the token cannot be initialised", address):
        loaded = library(address.module, address.parameters)
        loaded.init_token(address.label, so_pin, address.serial)
        loaded.reinitialize()  # slots are listed once per C_Initialize
        with find_token(address).open(rw=True, so_pin=so_pin) as session:
            session.init_pin(user_pin)
    return True


def create_key(address: TokenAddress, pin: str, label: str) -> tuple[PublicKey, bool]:
    """The sealing key and whether it was created now. Sensitive, not extractable, able to sign and nothing else.

    Raises KeyMissing, PinRefused, HsmUnavailable.
    """
    with told_as_unavailable("the key cannot be created", address), log_in(address, pin, write=True) as session:
        exists = keys.has_key(session, label)
        if not exists:
            keys.generate(session, label)
        return keys.find_key(session, label)[1], not exists


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
    if isinstance(error, CryptokiError):
        return f"{error}; {_CODES[error.code]}" if error.code in _CODES else str(error)
    if not isinstance(error, PKCS11Error):
        return str(error)
    name = type(error).__name__
    if type(error) is PKCS11Error:
        return f"{error}; correct BONOPAY_SIGNER_PKCS11_MODULE, or install p11-kit"
    if isinstance(error, NoSuchToken):
        return f"{name}: {error}; run: bonopay-signer token init, or correct BONOPAY_SIGNER_TOKEN_LABEL"
    if isinstance(error, MultipleTokensReturned):
        return f"{name}: several tokens with {address.name}; set BONOPAY_SIGNER_TOKEN_SERIAL too"
    way_out = next((words for kinds, words in _WAYS_OUT if isinstance(error, kinds)), None)
    return f"{name}; {way_out}" if way_out else name


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
