"""The token by hand: keys that cannot leave it, made once, and never another one taken for them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.processes import python_environment, run_signer_command
from ..support.tokens import Token

FOLDER = Path(__file__).parent


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Token]:
    yield Token(tmp_path / "token")


def _script(name: str, token: Token, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script of its own process: PKCS#11 state is the process's, and a crash must not be the test run's."""
    return subprocess.run(
        [sys.executable, str(FOLDER / name), Token.LABEL, str(token.pin_file), Token.KEY_LABEL, *arguments],
        env=python_environment(token.environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_private_key_cannot_be_read_wrapped_or_used_for_anything_else(token: Token) -> None:
    done = _script("try_to_extract.py", token)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == [
        "value-refused",
        "wrap-refused",
        "sensitive",
        "never-extractable",
        "sign-only",
        "local",
    ]


def test_token_and_key_are_created_once_and_reported(fresh: Token) -> None:
    again = run_signer_command("key", "create", environment=fresh.environment)
    assert again.returncode == 1 and "exists already" in again.stderr
    assert "exists" in fresh.run("key", "create", "--if-missing")
    again = run_signer_command("token", "init", "--so-pin-file", str(fresh.so_pin_file), environment=fresh.environment)
    assert again.returncode == 1 and "exists already" in again.stderr
    assert "exists" in fresh.run("token", "init", "--if-missing", "--so-pin-file", str(fresh.so_pin_file))


def test_pin_file_that_others_can_read_is_refused(fresh: Token) -> None:
    fresh.pin_file.chmod(0o644)
    done = run_signer_command("key", "create", "--if-missing", environment=fresh.environment)
    assert done.returncode == 1 and "chmod 600" in done.stderr
    assert fresh.pin not in done.stdout + done.stderr


def test_wrong_pin_is_a_clear_error_that_does_not_show_it(fresh: Token) -> None:
    fresh.pin_file.write_text("wrong-pin-1234")
    done = run_signer_command("key", "create", "--if-missing", environment=fresh.environment)
    assert done.returncode == 1 and "PinIncorrect" in done.stderr
    assert "wrong-pin-1234" not in done.stdout + done.stderr


def test_public_key_that_is_not_the_private_key_s_is_not_used(fresh: Token) -> None:
    done = _script("mismatch_the_pair.py", fresh)
    assert done.stdout.split() == ["refused"], done.stdout + done.stderr


def test_second_key_of_the_same_label_is_refused(fresh: Token) -> None:
    script = (
        "import pkcs11; from bonopay_signer.hsm import keys; "
        f"session = pkcs11.lib('libp11-kit.so.0').get_token(token_label='{Token.LABEL}')"
        f".open(rw=True, user_pin='{fresh.pin}'); keys.generate(session, '{Token.KEY_LABEL}')"
    )
    environment = python_environment(fresh.environment)
    subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=True)
    done = run_signer_command("key", "create", "--if-missing", environment=fresh.environment)
    assert done.returncode == 1 and "several keys" in done.stderr
