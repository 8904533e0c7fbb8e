"""The token: keys that cannot leave it, nothing but statements signed, threads that do not crash, recovery."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.hsm import sealer as sealer_module
from bonopay_signer.hsm.ecdsa import PublicKey, signature_to_der
from bonopay_signer.hsm.sealer import Sealer
from bonopay_signer.hsm.token import HsmUnavailable, TokenSession

from ..fiscal.statements import TYPICAL
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


@pytest.mark.parametrize("sessions", ["shared", "own"])
def test_four_threads_signing_through_p11_kit_do_not_crash_and_every_signature_verifies(
    token: Token, sessions: str
) -> None:
    done = _script("sign_with_threads.py", token, sessions, "4", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    signed, verified = map(int, done.stdout.split())
    assert signed == verified > 1000


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


def test_only_typed_statements_can_be_signed() -> None:
    public = {name for name in vars(Sealer) if not name.startswith("_")} | {
        name for name in vars(TokenSession) if not name.startswith("_")
    }
    assert public == {"sign", "check", "close", "authority", "key_id", "open"}
    users = [
        path.relative_to(FOLDER.parents[1] / "bonopay_signer").as_posix()
        for path in (FOLDER.parents[1] / "bonopay_signer").rglob("*.py")
        if "_sign_digest" in path.read_text()
    ]
    assert sorted(users) == ["hsm/sealer.py", "hsm/token.py"]


class _Recorder:
    """A session that would sign anything."""

    def __init__(self, sound: bool = True) -> None:
        self.public_key = type("Key", (), {"key_id": TYPICAL.key_id, "verifies": lambda *_: sound})()
        self.digests: list[bytes] = []

    def _sign_digest(self, digest: bytes) -> bytes:
        self.digests.append(digest)
        return bytes(64)


@pytest.mark.parametrize("member", ["authority", "key_id"])
async def test_statement_of_another_authority_or_key_is_not_signed(member: str) -> None:
    session = _Recorder()
    sealer = sealer_module.Sealer(session, TYPICAL.authority)  # type: ignore[arg-type]
    foreign = {"authority": "SOMEBODY-ELSE", "key_id": "f" * 16}
    statement = msgspec.structs.replace(TYPICAL, **{member: foreign[member]})
    with pytest.raises(ValueError, match="another authority or key"):
        await sealer.sign([(statement, ZERO_HASH)])
    assert session.digests == []
    assert len(await sealer.sign([(TYPICAL, ZERO_HASH)] * 3)) == 3


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


def test_signature_in_der_is_what_openssl_accepts(token: Token, tmp_path: Path) -> None:
    done = _script("sign_one.py", token, str(tmp_path))
    assert done.returncode == 0, done.stderr
    signature = (tmp_path / "signature").read_bytes()
    assert len(signature) == 64
    (tmp_path / "der").write_bytes(signature_to_der(signature))
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "der", "preimage"]
    verified = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert verified.stdout.strip() == "Verified OK"


def test_signature_of_another_digest_does_not_verify(token: Token, tmp_path: Path) -> None:
    assert _script("sign_one.py", token, str(tmp_path)).returncode == 0
    key = PublicKey((tmp_path / "key.der").read_bytes())
    signature = (tmp_path / "signature").read_bytes()
    assert not key.verifies(signature, bytes(32))
    assert not key.verifies(signature[:-1], bytes(32))


def test_session_reopens_after_the_token_went_away_and_came_back(fresh: Token) -> None:
    done = _script("lose_the_token.py", fresh, str(fresh.objects), str(fresh.folder / "elsewhere"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["signed", "unavailable", "signed"]


def test_another_key_under_the_same_label_is_not_used(fresh: Token, tmp_path: Path) -> None:
    other = Token(tmp_path / "other")
    done = _script("swap_the_token.py", fresh, str(fresh.objects), str(other.objects), str(other.pin_file))
    shutil.rmtree(other.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["signed", "refused"]


def test_wrong_pin_is_tried_once_so_that_the_token_does_not_lock_itself(fresh: Token) -> None:
    right = _script("count_logins.py", fresh)
    assert right.stdout.split() == ["open"] * 4 + ["1"], right.stdout + right.stderr
    fresh.pin_file.write_text("wrong-pin-1234")
    wrong = _script("count_logins.py", fresh)
    assert wrong.stdout.split() == ["PIN"] * 4 + ["1"], wrong.stdout + wrong.stderr


def test_public_key_that_is_not_the_private_key_s_is_not_used(fresh: Token) -> None:
    done = _script("mismatch_the_pair.py", fresh)
    assert done.stdout.split() == ["refused"], done.stdout + done.stderr


async def test_signature_that_does_not_verify_never_leaves_the_token_s_keeper() -> None:
    session = _Recorder(sound=False)
    with pytest.raises(HsmUnavailable, match="does not verify"):
        await Sealer(session, TYPICAL.authority).sign([(TYPICAL, ZERO_HASH)])  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"BONOPAY_SIGNER_PKCS11_MODULE": "libnowhere.so"}, "BONOPAY_SIGNER_PKCS11_MODULE"),
        ({"BONOPAY_SIGNER_TOKEN_LABEL": "nowhere"}, "bonopay-signer token init"),
    ],
)
def test_module_or_token_that_is_not_there_is_told_with_the_way_out(
    fresh: Token, settings: dict[str, str], words: str
) -> None:
    for command in (("key", "create"), ("token", "init", "--so-pin-file", str(fresh.so_pin_file))):
        if command[0] == "token" and words.endswith("init"):
            continue
        done = run_signer_command(*command, environment=fresh.environment | settings)
        assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, done.stderr
