"""Public P-256 keys and signatures: key id, JWK, PEM, raw ``r‖s`` to DER, verification.

The token signs with the raw mechanism and answers 64 bytes ``r‖s`` (PKCS #11 v3.1 §6.3.1); DER is made only where
another program wants it.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

SIGNATURE_SIZE = 64
_DIGEST = ec.ECDSA(Prehashed(hashes.SHA256()))


def signature_to_der(signature: bytes) -> bytes:
    """64 bytes ``r‖s`` as the DER ``ECDSA-Sig-Value`` (RFC 3279 §2.2.3). Raises ValueError on another length."""
    if len(signature) != SIGNATURE_SIZE:
        raise ValueError("a P-256 signature is 64 bytes")
    half = SIGNATURE_SIZE // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


def key_id(public_der: bytes) -> str:
    """The first 16 hexadecimal digits of SHA-256 over the DER SubjectPublicKeyInfo."""
    return hashlib.sha256(public_der).hexdigest()[:16]


@dataclass(frozen=True)
class PublicKey:
    """A published P-256 key, from its DER SubjectPublicKeyInfo."""

    der: bytes

    def __post_init__(self) -> None:
        if not isinstance(self._key, ec.EllipticCurvePublicKey) or not isinstance(self._key.curve, ec.SECP256R1):
            raise ValueError("not a P-256 public key")

    @cached_property
    def _key(self) -> ec.EllipticCurvePublicKey:
        return load_der_public_key(self.der)  # type: ignore[return-value]

    @property
    def key_id(self) -> str:
        return key_id(self.der)

    @property
    def pem(self) -> str:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def jwk(self) -> dict[str, str]:
        """RFC 7517 / RFC 7518 §6.2.1 members of the key."""
        numbers = self._key.public_numbers()
        return {
            "kid": self.key_id,
            "kty": "EC",
            "crv": "P-256",
            "x": _base64url(numbers.x.to_bytes(32, "big")),
            "y": _base64url(numbers.y.to_bytes(32, "big")),
        }

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Whether ``signature`` (64 bytes) is this key's over the 32-byte ``digest``."""
        try:
            self._key.verify(signature_to_der(signature), digest, _DIGEST)
        except (InvalidSignature, ValueError):
            return False
        return True


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
