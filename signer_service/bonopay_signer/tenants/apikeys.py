"""API keys: ``bp_<12 characters>_<secret>``, the secret 256 random bits stored as SHA-256 and shown once.

A slow hash would protect guessable secrets; a random one of 256 bits cannot be guessed, so SHA-256 is enough.
"""

import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime

SEAL, READ = "seal", "read"
OPERATIONS = (SEAL, READ)
_ALPHABET = string.ascii_lowercase + string.digits
_PREFIX_LENGTH = 12
_NO_HASH = bytes(32)


@dataclass(frozen=True)
class ApiKey:
    """A key as stored. ``outlets`` None covers every outlet of the merchant, ``terminals`` None every terminal; without
    a ``rate_limit`` (requests a second) and ``rate_burst`` (requests at once) the settings' hold. A key of a revoked
    merchant is revoked."""

    prefix: str
    merchant_nif: str
    secret_hash: bytes
    outlets: list[str] | None
    operations: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    terminals: list[str] | None = None
    rate_limit: int | None = None
    rate_burst: int | None = None

    def __repr__(self) -> str:
        return f"ApiKey({self.prefix!r})"

    def is_current(self, now: datetime | None = None) -> bool:
        now = now or datetime.now(UTC)
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    def covers(self, merchant_nif: str, outlet_id: str, operation: str) -> bool:
        """Whether the key is for this merchant's outlet and this operation."""
        return (
            self.merchant_nif == merchant_nif
            and operation in self.operations
            and (self.outlets is None or outlet_id in self.outlets)
        )

    def covers_terminal(self, terminal_id: str | None) -> bool:
        return self.terminals is None or terminal_id in self.terminals


def new_api_key() -> tuple[str, str, bytes]:
    """(the key to hand out, its prefix, the hash to store)."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH))
    secret = secrets.token_urlsafe(32)
    return f"bp_{prefix}_{secret}", prefix, _hash(secret)


def split(key: str) -> tuple[str, str] | None:
    """(prefix, secret) of a key's text, or None when it has not the form of one."""
    parts = key.split("_", 2)
    if len(parts) != 3 or parts[0] != "bp" or len(parts[1]) != _PREFIX_LENGTH or not parts[2]:
        return None
    return (parts[1], parts[2]) if set(parts[1]) <= set(_ALPHABET) else None


def matches(stored: ApiKey | None, secret: str) -> bool:
    """Compare in constant time; an unknown prefix costs the same comparison."""
    equal = hmac.compare_digest(stored.secret_hash if stored else _NO_HASH, _hash(secret))
    return stored is not None and equal


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
