"""Authentication codes: the signature as a token for machines, and twelve symbols that a person can read and type."""

import base64
import hashlib

SIGNATURE_LENGTH = 64
"""Bytes of an ECDSA P-256 signature, r‖s."""

SHORT_CODE_SYMBOLS = 12
_BITS_PER_SYMBOL = 5
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKES = str.maketrans("OIL", "011")
_SEPARATORS = str.maketrans("", "", " -")


def auth_code(signature: bytes) -> str:
    """Return the signature (64 bytes, r‖s) in base64url without padding: 86 characters."""
    return base64.urlsafe_b64encode(_checked(signature)).rstrip(b"=").decode("ascii")


def short_code(signature: bytes) -> str:
    """Return the first 60 bits of SHA-256(signature) in Crockford's base 32, as `XXXX-XXXX-XXXX`."""
    digest = hashlib.sha256(_checked(signature)).digest()
    bits = SHORT_CODE_SYMBOLS * _BITS_PER_SYMBOL
    number = int.from_bytes(digest, "big") >> (len(digest) * 8 - bits)
    shifts = range(bits - _BITS_PER_SYMBOL, -1, -_BITS_PER_SYMBOL)
    return _dashed("".join(_CROCKFORD[(number >> shift) & 31] for shift in shifts))


def normalize_short_code(text: str) -> str:
    """Return a typed short code as `short_code` spells it.

    Lower case, spaces, dashes anywhere and Crockford's look-alikes (O for 0, I and L for 1) are accepted.
    Raises ValueError for anything else.
    """
    # ASCII first: upper() turns some other letters into ASCII ones ("ı" into "I").
    if not text.isascii():
        raise ValueError("a short code holds only ASCII letters and digits")
    symbols = text.upper().translate(_SEPARATORS).translate(_LOOK_ALIKES)
    if len(symbols) != SHORT_CODE_SYMBOLS or any(symbol not in _CROCKFORD for symbol in symbols):
        raise ValueError(f"a short code is {SHORT_CODE_SYMBOLS} letters and digits, without U")
    return _dashed(symbols)


def _dashed(symbols: str) -> str:
    return "-".join(symbols[start : start + 4] for start in range(0, len(symbols), 4))


def _checked(signature: bytes) -> bytes:
    if len(signature) != SIGNATURE_LENGTH:
        raise ValueError(f"a signature is {SIGNATURE_LENGTH} bytes, not {len(signature)}")
    return signature
