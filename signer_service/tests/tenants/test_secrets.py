"""DGI tokens at rest, and API keys."""

from datetime import UTC, datetime, timedelta

import pytest

from bonopay_signer.tenants import apikeys
from bonopay_signer.tenants.apikeys import ApiKey
from bonopay_signer.tenants.secrets import SecretBox, SecretsError, new_key


def test_token_decrypts_for_its_outlet_only() -> None:
    box = SecretBox.from_text(new_key())
    ciphertext = box.encrypt("KIN001", "jwt.of.kin")
    assert box.decrypt("KIN001", ciphertext) == "jwt.of.kin"
    assert b"jwt.of.kin" not in ciphertext
    with pytest.raises(SecretsError, match="another outlet"):
        box.decrypt("KIN002", ciphertext)


def test_any_changed_byte_is_noticed() -> None:
    box = SecretBox.from_text(new_key())
    ciphertext = box.encrypt("KIN001", "jwt")
    for position in range(len(ciphertext)):
        changed = bytearray(ciphertext)
        changed[position] ^= 1
        with pytest.raises(SecretsError):
            box.decrypt("KIN001", bytes(changed))


def test_rotation_encrypts_with_the_first_key_and_reads_with_all() -> None:
    old, new = new_key(), new_key()
    stored = SecretBox.from_text(old).encrypt("KIN001", "jwt")
    rotated = SecretBox.from_text(f"{new}\n{old}\n")
    assert rotated.decrypt("KIN001", stored) == "jwt"
    assert SecretBox.from_text(new).decrypt("KIN001", rotated.encrypt("KIN001", "jwt")) == "jwt"
    with pytest.raises(SecretsError, match="not in the key file"):
        SecretBox.from_text(new).decrypt("KIN001", stored)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33])
def test_unusable_key_file_is_refused(text: str) -> None:
    with pytest.raises(SecretsError, match="64 hexadecimal digits"):
        SecretBox.from_text(text)


def _stored(key: str, **members) -> ApiKey:
    prefix, secret = apikeys.split(key)
    values = {"outlets": None, "operations": ["seal"], "expires_at": None, "revoked_at": None, **members}
    return ApiKey(prefix=prefix, merchant_nif="A1234567B", secret_hash=apikeys._hash(secret), **values)


def test_api_key_has_256_random_bits_and_only_its_hash_is_stored() -> None:
    key, prefix, secret_hash = apikeys.new_api_key()
    assert key.startswith(f"bp_{prefix}_") and len(prefix) == 12
    _, secret = apikeys.split(key)
    assert len(secret) == 43 and len(secret_hash) == 32
    assert apikeys.matches(_stored(key), secret)
    assert not apikeys.matches(_stored(key), secret[:-1] + "-")
    assert not apikeys.matches(None, secret)


@pytest.mark.parametrize(
    "text", ["", "bp_", "bp_short_x", "xx_abcdefghijkl_secret", "bp_abcdefghijkl_", "bp_ABCDEFGHIJKL_x"]
)
def test_what_is_not_a_key_is_not_looked_up(text: str) -> None:
    assert apikeys.split(text) is None


def test_expired_and_revoked_keys_are_not_current() -> None:
    key, _, _ = apikeys.new_api_key()
    now = datetime.now(UTC)
    assert _stored(key).is_current()
    assert _stored(key, expires_at=now + timedelta(minutes=1)).is_current()
    assert not _stored(key, expires_at=now).is_current(now)
    assert not _stored(key, revoked_at=now).is_current(now)
