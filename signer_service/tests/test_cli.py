"""Whatever a command cannot do, it says why and what to do, in one line, with exit code 1, without a secret."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .support.databases import Database, throw_away_database
from .support.processes import run_signer_command
from .support.stand import Stand

OUTLET = ("--id", "NEW01", "--merchant", "A1234567B", "--name", "n", "--address", "a", "--nim", "n", "--isf", "i")
TOKEN = ("--dgi-token-file", "-")


def _outlet(**changed: str) -> tuple[str, ...]:
    options = dict(zip(OUTLET[::2], OUTLET[1::2], strict=True)) | {"--dgi-url": "http://127.0.0.1:9"}
    options |= {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return ("outlet", "add", *(part for pair in options.items() for part in pair), *TOKEN)


def _assert_told(done, words: str) -> None:
    assert done.returncode == (2 if done.args[3] == "verify" else 1)  # 2: could not be checked
    assert done.stderr.startswith("bonopay-signer: ") and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1, f"one line: {done.stderr}"
    assert words in done.stderr, done.stderr


@pytest.fixture(scope="module")
def idle(cluster: str, token, sandbox, tmp_path_factory: pytest.TempPathFactory):
    """A signer that is not started: the commands work on its database."""
    with throw_away_database(cluster) as database:
        stand = Stand(tmp_path_factory.mktemp("cli") / "signer", database, token, sandbox)
        yield stand
        stand.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("merchant", "add", "--nif", "a b", "--name", "x"), "5 to 20 capital letters and digits"),
        (("merchant", "add", "--nif", "ABCDE", "--name", ""), "--name"),
        (_outlet(id="kin 1"), "3 to 12 capital letters and digits"),
        (_outlet(merchant="ZZZZZ"), "bonopay-signer merchant add"),
        (_outlet(dgi_url="ftp://dgi"), "--dgi-url"),
        (_outlet(dgi_url="https://user:hunter2@dgi.example"), "--dgi-url"),
        (_outlet(isf=""), "--isf"),
        (("apikey", "create", "--merchant", "ZZZZZ"), "bonopay-signer merchant add"),
        (("apikey", "create", "--merchant", "A1234567B", "--output", "/nowhere/key"), "/nowhere/key"),
        (("apikey", "revoke", "nobody"), "no API key with prefix nobody"),
        (("outlet", "set-dgi-token", "--id", "NOWHERE", *TOKEN), "no outlet NOWHERE"),
        (("secret", "create", "pin", "/nowhere/pin"), "/nowhere/pin"),
        (("verify", "--outlet", "NOWHERE"), "NOWHERE"),
    ],
)
def test_what_an_operator_mistypes_is_told(idle: Stand, arguments: tuple[str, ...], words: str) -> None:
    done = idle.command(*arguments, stdin="a.b.c")
    _assert_told(done, words)
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("text", ["", "two words", "é", "line\nline"])
def test_dgi_token_that_no_header_can_carry_is_refused(idle: Stand, text: str) -> None:
    _assert_told(idle.command(*_outlet(), stdin=text), "DGI token")


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("LOG_LEVEL", "LOUD", "BONOPAY_SIGNER_LOG_LEVEL"),
        ("PORT", "x", "BONOPAY_SIGNER_PORT"),
        ("PUBLIC_URL", "https://bono pay", "BONOPAY_SIGNER_PUBLIC_URL"),
        ("DATABASE_URL", "postgresql//u:hunter2@h/d", "BONOPAY_SIGNER_DATABASE_URL"),
        ("DATABASE_URL", "host=127.0.0.1 password = hunter2 hunter2", "BONOPAY_SIGNER_DATABASE_URL"),
        ("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:9/d", "BONOPAY_SIGNER_DATABASE_URL"),
        ("SECRETS_KEY_FILE", "/nowhere", "BONOPAY_SIGNER_SECRETS_KEY_FILE"),
        ("TOKEN_PIN_FILE", "/nowhere", "BONOPAY_SIGNER_TOKEN_PIN_FILE"),
        ("TOKEN_LABEL", "nowhere", "bonopay-signer token init"),
    ],
)
def test_serve_that_cannot_start_names_the_setting(idle: Stand, setting: str, value: str, words: str) -> None:
    done = run_signer_command("serve", environment={**idle.environment, f"BONOPAY_SIGNER_{setting}": value})
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("bonopay-signer: ") and words in last, done.stderr
    assert "hunter2" not in done.stderr


@pytest.fixture
def empty(cluster: str, token):
    with throw_away_database(cluster, migrated=False) as database:
        yield database


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("verify",),
        ("merchant", "add", "--nif", "ABCDE", "--name", "x"),
        ("apikey", "revoke", "x"),
        _outlet(),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_database_without_migrations_names_the_command(
    empty: Database, idle: Stand, arguments: tuple[str, ...]
) -> None:
    urls = {"BONOPAY_SIGNER_DATABASE_URL": empty.service, "BONOPAY_SIGNER_OWNER_DATABASE_URL": empty.owner}
    done = run_signer_command(*arguments, environment=idle.environment | urls, stdin="a.b.c")
    assert done.returncode == (2 if arguments == ("verify",) else 1) and "Traceback" not in done.stderr
    assert "bonopay-signer migrate" in done.stderr.splitlines()[-1], done.stderr


@pytest.mark.parametrize(("change", "words"), [("DELETE", "bonopay-signer migrate"), ("INSERT", "install")])
def test_database_of_another_version_says_which_side_to_renew(
    new_stand: Callable[..., Stand], change: str, words: str
) -> None:
    stand = new_stand()
    statements = {
        "DELETE": "DELETE FROM signer.migration WHERE number = (SELECT max(number) FROM signer.migration)",
        "INSERT": "INSERT INTO signer.migration (number, name, checksum) VALUES (99, 'later', '')",
    }
    with stand.database.as_admin() as connection:
        connection.execute(statements[change])
    for command in ("serve", "migrate")[: 1 if change == "DELETE" else 2]:
        done = stand.command(command)
        assert done.returncode == 1 and words in done.stderr.splitlines()[-1], done.stderr


def test_port_that_is_taken_is_told(new_stand: Callable[..., Stand], tmp_path: Path) -> None:
    first, second = new_stand("first"), new_stand("second")
    first.start()
    done = run_signer_command("serve", environment={**second.environment, "BONOPAY_SIGNER_PORT": str(first.port)})
    assert done.returncode == 1 and "Address already in use" in done.stderr
    assert (
        "BONOPAY_SIGNER_HOST or BONOPAY_SIGNER_PORT" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    )
