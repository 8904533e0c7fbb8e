"""ECDSA P-256 as the system's OpenSSL checks it, called directly: no code of the signer, none of its libraries."""

import ctypes
import ctypes.util
from collections.abc import Callable
from functools import cache

SIGNATURE_LENGTH = 64
_HALF = SIGNATURE_LENGTH // 2


class OpenSslError(Exception):
    """OpenSSL does not take a key, or is not there."""


def verifier(public_der: bytes) -> Callable[[bytes, bytes], bool]:
    """A function of (digest of 32 bytes, signature r‖s of 64 bytes) for a DER SubjectPublicKeyInfo.

    :raises OpenSslError: when it is no public key
    """
    crypto = _library()
    buffer = ctypes.create_string_buffer(public_der, len(public_der))
    start = ctypes.c_void_p(ctypes.addressof(buffer))
    key = crypto.d2i_PUBKEY(None, ctypes.byref(start), len(public_der))
    if not key:
        raise OpenSslError("not a public key")
    context = crypto.EVP_PKEY_CTX_new(key, None)
    if crypto.EVP_PKEY_verify_init(context) != 1:
        raise OpenSslError("this key verifies no signatures")

    def verify(digest: bytes, signature: bytes) -> bool:
        if len(signature) != SIGNATURE_LENGTH:
            return False
        der = _der(signature)
        return crypto.EVP_PKEY_verify(context, der, len(der), digest, len(digest)) == 1

    return verify


def _der(signature: bytes) -> bytes:
    """SEQUENCE of two INTEGERs (SEC 1 §C.5) from r‖s."""
    body = b"".join(_integer(part) for part in (signature[:_HALF], signature[_HALF:]))
    return b"\x30" + bytes([len(body)]) + body


def _integer(big_endian: bytes) -> bytes:
    digits = big_endian.lstrip(b"\0") or b"\0"
    if digits[0] & 0x80:
        digits = b"\0" + digits
    return b"\x02" + bytes([len(digits)]) + digits


@cache
def _library() -> ctypes.CDLL:
    name = ctypes.util.find_library("crypto")
    if name is None:
        raise OpenSslError("there is no libcrypto; apt-get install openssl")
    crypto = ctypes.CDLL(name)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    crypto.d2i_PUBKEY.restype = crypto.EVP_PKEY_CTX_new.restype = pointer
    crypto.d2i_PUBKEY.argtypes = [pointer, pointer, ctypes.c_long]
    crypto.EVP_PKEY_CTX_new.argtypes = [pointer, pointer]
    crypto.EVP_PKEY_verify_init.argtypes = [pointer]
    crypto.EVP_PKEY_verify.argtypes = [pointer, ctypes.c_char_p, size, ctypes.c_char_p, size]
    return crypto
