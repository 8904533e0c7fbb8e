"""Settings of the service, from the environment (prefix ``BONOPAY_SIGNER_``).

Secrets are never values of settings: a setting names the file that holds the secret, and the file is read when it is
used. The two connection strings may carry a password, so they are kept out of ``repr`` and logs.
"""

import logging
import re
from pathlib import Path
from typing import Annotated, Literal

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bonopay_signer.hsm.address import TokenAddress

_QR_ADDRESS = re.compile(r"HTTPS?://[0-9A-Z$%*+\-./:]+")

TokenLabel = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,32}$")]
Authority = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{3,24}$")]


class SecretFileError(Exception):
    """A secret's file is missing, empty, or readable by others."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="BONOPAY_SIGNER_", extra="ignore")

    database_url: SecretStr | None = None
    owner_database_url: SecretStr | None = None
    database_pool_size: int = Field(default=10, ge=2, le=100)

    host: str = "127.0.0.1"
    port: int = Field(default=17480, ge=0, le=65535)
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    public_url: str = "http://127.0.0.1:17480"
    authority: Authority = "BONO-CD-DEMO"

    shard: int = Field(default=0, ge=0, le=999)
    head_store: Path | None = None
    batch_size: int = Field(default=256, ge=1, le=1000)
    queue_per_outlet: int = Field(default=512, ge=1)
    queue_total: int = Field(default=4096, ge=1)
    seal_patience: float = Field(default=5.0, gt=0)

    key_rate: float = Field(default=500.0, ge=0)
    key_burst: int = Field(default=1000, ge=1)
    outlet_rate: float = Field(default=200.0, ge=0)
    outlet_burst: int = Field(default=400, ge=1)
    key_usage_interval: float = Field(default=60.0, gt=0)

    signing_processes: int = Field(default=2, ge=1, le=16)
    signing_timeout: float = Field(default=10.0, gt=0)
    pkcs11_module: str = "libp11-kit.so.0"
    pkcs11_parameters: str | None = None
    token_label: TokenLabel = "bonopay"
    token_serial: str | None = None
    token_pin_file: Path | None = None
    key_label: str = "bonopay-seal"
    secrets_key_file: Path | None = None

    checkpoint_interval: float = Field(default=1.0, ge=0.05, le=3600)
    witness_key_file: Path | None = None
    witness_logs_file: Path | None = None

    dgi_connect_timeout: float = Field(default=5.0, gt=0)
    dgi_timeout: float = Field(default=15.0, gt=0)
    dgi_token_scheme: Literal["bearer", "raw"] = "bearer"
    dgi_breaker_failures: int = Field(default=5, ge=1)
    dgi_breaker_rest: float = Field(default=60.0, gt=0)
    dgi_parallel: int = Field(default=40, ge=1, le=90)
    dgi_parallel_per_outlet: int = Field(default=4, ge=1, le=8)
    mcf_answer_timeout: float = Field(default=2.0, gt=0)
    mcf_interval: float = Field(default=300.0, gt=0)
    recovery_interval: float = Field(default=2.0, gt=0)
    recovery_backoff_max: float = Field(default=300.0, gt=0)
    reference_interval: float = Field(default=14400.0, gt=0)
    alarm_interval: float = Field(default=60.0, gt=0)
    till_credential_hours: float = Field(default=72.0, gt=0, le=72)
    shutdown_grace: float = Field(default=20.0, gt=0)
    log_level: str = "INFO"

    @field_validator("public_url")
    @classmethod
    def _without_trailing_slash(cls, value: str) -> str:
        address = value.rstrip("/")
        if not _QR_ADDRESS.fullmatch(address.upper()):
            raise ValueError("PUBLIC_URL must be an http(s) address of letters, digits and $%*+-./: (QR alphanumeric)")
        return address

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in logging.getLevelNamesMapping():
            raise ValueError("give DEBUG, INFO, WARNING or ERROR")
        return value

    def head_store_folder(self) -> Path:
        if self.head_store is None:
            raise SecretFileError(
                "BONOPAY_SIGNER_HEAD_STORE is not set; name a folder outside the database, best on another disk"
            )
        return self.head_store

    def service_dsn(self) -> str:
        return _required(self.database_url, "DATABASE_URL")

    def owner_dsn(self) -> str:
        return _required(self.owner_database_url, "OWNER_DATABASE_URL")

    def token_pin(self) -> str:
        return read_secret(self.token_pin_file, "TOKEN_PIN_FILE")

    def secrets_key_text(self) -> str:
        return read_secret(self.secrets_key_file, "SECRETS_KEY_FILE")

    def witness_key_text(self) -> str:
        return read_secret(self.witness_key_file, "WITNESS_KEY_FILE")


def token_address(settings: Settings) -> TokenAddress:
    """The token that the settings name."""
    return TokenAddress(
        settings.pkcs11_module, settings.token_label, settings.token_serial, parameters=settings.pkcs11_parameters
    )


def _required(value: SecretStr | None, name: str) -> str:
    if value is None or not value.get_secret_value():
        raise SecretFileError(f"BONOPAY_SIGNER_{name} is not set")
    dsn = value.get_secret_value()
    try:
        conninfo_to_dict(dsn)
    except ProgrammingError:
        # Its words quote the string, and with it the password.
        raise SecretFileError(
            f"BONOPAY_SIGNER_{name} is not a connection string; write postgresql://user:password@host/database"
        ) from None
    return dsn


def read_secret(path: Path | None, setting: str) -> str:
    """The stripped text of a secret's file. Raises SecretFileError, which names the setting and never the content."""
    if path is None:
        raise SecretFileError(f"BONOPAY_SIGNER_{setting} is not set")
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFileError(f"BONOPAY_SIGNER_{setting}: {path} cannot be read ({type(error).__name__})") from error
    if mode & 0o077:
        raise SecretFileError(f"BONOPAY_SIGNER_{setting}: {path} is open to other users; run chmod 600 on it")
    if not text:
        raise SecretFileError(f"BONOPAY_SIGNER_{setting}: {path} is empty")
    return text
