"""One JWT per NIM, signed HS256 with a secret that the service makes itself."""

import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

import jwt

from .accounts import Accounts, Outlet

ALGORITHM = "HS256"
ISSUER = "bonopay-dgi-sandbox"
PRIVATE = 0o600


class TokenError(Exception):
    """No token, or one that the service does not accept."""


class Tokens:
    def __init__(self, secret: str, accounts: Accounts) -> None:
        self._secret = secret
        self._accounts = accounts

    def issue(self, outlet: Outlet, now: datetime, lifetime: timedelta) -> str:
        claims = {
            "iss": ISSUER,
            "nif": outlet.nif,
            "nim": outlet.nim,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def check(self, token: str, now: datetime) -> tuple[Outlet, float]:
        """The e-MCF that `token` opens and the expiry in Unix seconds. Raises TokenError."""
        outlet, expiry = self.read(token)
        refuse_expired(expiry, now)
        return outlet, expiry

    def read(self, token: str) -> tuple[Outlet, float]:
        """The same of a token that may have expired: what time it is for an e-MCF depends on which one it is."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                # Expiry is judged apart, by the service's own clock.
                options={"require": ["exp", "iat", "nim", "nif"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise TokenError("invalid_token") from error
        outlet = self._accounts.by_nim.get(claims["nim"])
        if outlet is None or outlet.nif != claims["nif"]:
            raise TokenError("unknown_device")
        return outlet, float(claims["exp"])

    def write_files(self, folder: Path, now: datetime, lifetime: timedelta) -> None:
        """Writes `<nim>.jwt` for each e-MCF; a file whose token is still accepted is left as it is."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for outlet in self._accounts.by_nim.values():
            path = folder / f"{outlet.nim}.jwt"
            if not self._opens(path, outlet, now):
                write_private(path, self.issue(outlet, now, lifetime))

    def _opens(self, path: Path, outlet: Outlet, now: datetime) -> bool:
        if not path.exists():
            return False
        try:
            return self.check(path.read_text("ascii").strip(), now)[0] == outlet
        except TokenError:
            return False


def refuse_expired(expiry: float, now: datetime) -> None:
    """`expiry` in Unix seconds. Raises TokenError."""
    if expiry <= now.timestamp():
        raise TokenError("expired_token")


def token_of(authorization: str) -> str:
    """The token of an `Authorization` header, with or without the Bearer scheme. Raises TokenError."""
    scheme, _, rest = authorization.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else authorization.strip()
    if not token:
        raise TokenError("missing_token")
    return token


def kept_secret(path: Path) -> str:
    """The secret in `path`, made on first use (256 random bits)."""
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    return path.read_text("ascii").strip()


def write_private(path: Path, text: str) -> None:
    """Writes a file only its owner may read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
