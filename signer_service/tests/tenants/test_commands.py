"""The commands of the registry, as an operator types them."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bonopay_signer.cli import main
from bonopay_signer.tenants.secrets import new_key

from ..support.databases import Database

NIF = "A1234567B"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """(exit status, standard output, standard error) of a command on a database of this test's own."""
    key_file = tmp_path / "secrets-key"
    key_file.touch(mode=0o600)
    key_file.write_text(new_key())
    monkeypatch.setenv("BONOPAY_SIGNER_DATABASE_URL", database.service)
    monkeypatch.setenv("BONOPAY_SIGNER_OWNER_DATABASE_URL", database.owner)
    monkeypatch.setenv("BONOPAY_SIGNER_SECRETS_KEY_FILE", str(key_file))

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            status = main(list(arguments))
        except SystemExit as usage:
            status = int(usage.code or 0)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def registered(run: Run) -> Run:
    """A merchant and an outlet."""
    assert run("merchant", "add", "--nif", NIF, "--name", "Vendeur")[0] == 0
    assert run(*_outlet("KIN001"), stdin="a.first.jwt")[0] == 0
    return run


def _outlet(outlet_id: str) -> list[str]:
    facts = {"id": outlet_id, "merchant": NIF, "name": "Kin", "address": "1 av.", "nim": "CD01", "isf": "ISF-1"}
    options = [part for name, value in facts.items() for part in (f"--{name}", value)]
    return ["outlet", "add", *options, "--dgi-url", "http://dgi", "--dgi-token-file", "-"]


def _json(run: Run, *arguments: str) -> list[dict]:
    status, output, error = run(*arguments)
    assert status == 0, error
    return json.loads(output)


def test_outlet_is_shown_and_changed_without_its_token(registered: Run, database: Database) -> None:
    with database.as_admin() as connection:
        (before,) = connection.execute("SELECT dgi_token FROM signer.outlet").fetchone()
    changes = ["--dgi-url", "https://dgi.example/edef", "--dgi-mode", "deferred", "--dgi-token-file", "-"]
    status, output, _ = registered("outlet", "change", "KIN001", *changes, stdin="a.second.jwt")
    assert status == 0 and "jwt" not in output
    (outlet,) = _json(registered, "outlet", "show", "KIN001")
    assert (outlet["dgi_url"], outlet["dgi_mode"], outlet["name"]) == ("https://dgi.example/edef", "deferred", "Kin")
    assert "dgi_token" not in outlet
    with database.as_admin() as connection:
        assert connection.execute("SELECT dgi_token FROM signer.outlet").fetchone() != (before,)


def test_every_kind_is_added_listed_changed_and_revoked(registered: Run) -> None:
    run = registered
    assert run("terminal", "add", "--outlet", "KIN001", "--id", "CAISSE-1", "--name", "Caisse 1")[0] == 0
    assert run("terminal", "change", "KIN001", "CAISSE-1", "--name", "Entrée")[0] == 0
    assert run("user", "add", "--merchant", NIF, "--id", "6", "--name", "Comptable")[0] == 0
    assert run("user", "change", NIF, "6", "--outlet", "KIN001")[0] == 0
    assert run("merchant", "change", NIF, "--name", "Vendeur SARL")[0] == 0
    assert run("rate", "set", "USD", "2026-11-21", "2850.50")[0] == 0
    assert _json(run, "terminal", "list", "--outlet", "KIN001", "--json")[0]["name"] == "Entrée"
    assert _json(run, "user", "list", "--merchant", NIF, "--json")[0]["outlets"] == ["KIN001"]
    assert _json(run, "merchant", "show", NIF)[0]["name"] == "Vendeur SARL"
    assert _json(run, "rate", "list", "--json")[0]["rate"] == "2850.5"
    for words in (["terminal", "revoke", "KIN001", "CAISSE-1"], ["user", "revoke", NIF, "6"]):
        assert "is revoked" in run(*words)[1]
        assert "was revoked before" in run(*words)[1]
    again = run("terminal", "add", "--outlet", "KIN001", "--id", "CAISSE-1", "--name", "Caisse 1")
    assert again[0] == 0, "a till that comes back"
    assert len(_json(run, "terminal", "list", "--json")) == 2
    assert run("terminal", "list")[1].splitlines()[0].split() == ["OUTLET_ID", "ID", "NAME", "CREATED_AT", "REVOKED_AT"]


def test_key_is_made_shown_changed_and_rotated_and_its_secret_told_once(registered: Run, tmp_path: Path) -> None:
    run = registered
    scope = ["--outlet", "KIN001", "--terminal", "CAISSE-1", "--operation", "seal", "--rate", "5"]
    status, key, _ = run("api-key", "create", "--merchant", NIF, "--label", "till", *scope)
    prefix, secret = key.strip().split("_", 2)[1:]
    assert status == 0
    assert run("api-key", "change", prefix, "--burst", "7", "--label", "caisse")[0] == 0
    (shown,) = _json(run, "api-key", "show", prefix)
    assert (shown["rate_limit"], shown["rate_burst"], shown["label"]) == (5, 7, "caisse")
    target = tmp_path / "next.key"
    assert run("api-key", "rotate", key.strip(), "--overlap", "7d", "--output", str(target))[0] == 0
    next_prefix = target.read_text().split("_")[1]
    (rotated,) = _json(run, "api-key", "show", next_prefix)
    same = ("outlets", "terminals", "operations", "rate_limit", "rate_burst", "label", "merchant_nif")
    assert [rotated[name] for name in same] == [shown[name] for name in same]
    assert rotated["rotated_from"] == prefix
    everything = run("api-key", "list", "--json")[1] + run("api-key", "list")[1] + run("action-log", "--json")[1]
    assert prefix in everything and secret not in everything and '"secret_hash"' not in everything


def test_action_log_tells_who_changed_what_and_verifies(registered: Run, database: Database) -> None:
    assert registered("outlet", "change", "KIN001", "--address", "2 avenue du Port")[0] == 0
    last = _json(registered, "action-log", "--json")[-1]
    assert (last["action"], last["subject"]) == ("outlet.change", "outlet KIN001")
    assert (last["before"], last["after"]) == ({"address": "1 av."}, {"address": "2 avenue du Port"})
    assert 'address: "1 av." → "2 avenue du Port"' in registered("action-log")[1]
    assert registered("action-log", "--merchant", "ZZZZZ", "--json")[1].strip() == "[]"
    assert registered("action-log", "--verify")[1].startswith("action log: good, 3 records, last ")
    with database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE signer.action_log SET record = record || ' ' WHERE number = 2")
    status, _, error = registered("action-log", "--verify")
    assert status == 1 and "BAD at record 2" in error


def test_mcf_is_set_moved_replaced_and_removed_and_each_step_is_in_the_log(registered: Run) -> None:
    kin = ("outlet", "set-mcf", "KIN001")
    port = ("--port", "/dev/ttyUSB0", "--baud", "9600", "--data-bits", "7", "--parity", "even", "--stop-bits", "2")
    assert "spare device of KIN001 is the MCF M1" in registered(*kin, "--nim", "M1", *port)[1]
    assert registered("outlet", "set-main", "KIN001", "mcf")[0] == 0
    assert registered(*kin, "--nim", "M1", "--port", "/dev/ttyUSB1", "--main")[0] == 0
    assert "the MCF M1 is removed" in registered(*kin, "--nim", "M2", "--port", "/dev/ttyUSB1")[1]
    assert "the MCF M2 is removed" in registered("outlet", "remove-mcf", "KIN001")[1]
    assert registered(*kin, "--nim", "M1", "--port", "/dev/ttyUSB1")[0] == 0, "it may come back"
    log = _json(registered, "action-log", "--json")[2:]
    assert [(one["action"], one["subject"]) for one in log] == [
        ("outlet.set-mcf", "mcf KIN001/M1"),
        ("outlet.set-main", "mcf KIN001/M1"),
        ("outlet.set-mcf", "mcf KIN001/M1"),
        ("outlet.set-mcf", "mcf KIN001/M1"),
        ("outlet.set-mcf", "mcf KIN001/M2"),
        ("outlet.remove-mcf", "mcf KIN001/M2"),
        ("outlet.set-mcf", "mcf KIN001/M1"),
    ]
    assert {"baud_rate": 9600, "data_bits": 7, "parity": "even", "stop_bits": 2}.items() <= log[0]["after"].items()
    assert (log[1]["before"], log[1]["after"]) == ({"role": "spare"}, {"role": "main"})
    assert registered("action-log", "--verify")[0] == 0


def test_mcf_stands_at_one_outlet_and_a_port_has_one_mcf(registered: Run) -> None:
    assert registered(*_outlet("KIN002"), stdin="a.jwt")[0] == 0
    assert registered("outlet", "set-mcf", "KIN001", "--nim", "M1", "--port", "/dev/ttyUSB0")[0] == 0
    for nim, port, words in (
        ("M1", "/dev/ttyUSB1", "--nim: the MCF M1"),
        ("M2", "/dev/ttyUSB0", "--port: /dev/ttyUSB0"),
    ):
        status, _, error = registered("outlet", "set-mcf", "KIN002", "--nim", nim, "--port", port)
        assert status == 1 and words in error and "First: bonopay-signer outlet remove-mcf KIN001" in error
    assert registered("outlet", "remove-mcf", "KIN001")[0] == 0
    assert registered("outlet", "set-mcf", "KIN002", "--nim", "M1", "--port", "/dev/ttyUSB0")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("merchant", "revoke", NIF), "pass --yes"),
        (("outlet", "revoke", "KIN001"), "pass --yes"),
        (("outlet", "revoke", "NOWHERE", "--yes"), "no outlet NOWHERE"),
        (("outlet", "show", "NOWHERE"), "no outlet NOWHERE"),
        (("outlet", "change", "NOWHERE", "--name", "x"), "no outlet NOWHERE"),
        (("outlet", "change", "KIN001"), "say what to change"),
        (("outlet", "change", "KIN001", "--name", ""), "--name must not be empty"),
        (("outlet", "change", "KIN001", "--dgi-url", "https://u:hunter2@dgi"), "--dgi-url"),
        (("merchant", "change", "ZZZZZ", "--name", "x"), "no merchant ZZZZZ"),
        (("terminal", "add", "--outlet", "NOWHERE", "--id", "C", "--name", "x"), "no outlet NOWHERE"),
        (("terminal", "add", "--outlet", "KIN001", "--id", " ", "--name", "x"), "--id: a terminal's id"),
        (("terminal", "revoke", "KIN001", "C"), "no terminal KIN001/C"),
        (("user", "add", "--merchant", "ZZZZZ", "--id", "6", "--name", "x"), "bonopay-signer merchant add"),
        (("user", "add", "--merchant", NIF, "--id", "6", "--name", "x", "--outlet", "NO1"), "has no outlet NO1"),
        (("user", "add", "--merchant", NIF, "--id", "6", "--name", " x"), "--name: a user's name"),
        (("api-key", "create", "--merchant", NIF, "--outlet", "NO1"), "has no outlet NO1"),
        (("api-key", "rotate", "nobody", "--overlap", "7d"), "no API key with prefix nobody"),
        (("api-key", "change", "nobody", "--label", "x"), "no API key nobody"),
        (("rate", "set", "USD", "2026-11-21", "1", "--source", ""), "--source must not be empty"),
        (("outlet", "set-mcf", "NOWHERE", "--nim", "M1", "--port", "/dev/x"), "no outlet NOWHERE"),
        (("outlet", "set-mcf", "KIN001", "--nim", "M 1", "--port", "/dev/x"), "--nim: an MCF's number"),
        (("outlet", "set-mcf", "KIN001", "--nim", "M1", "--port", "COM3"), "--port: give the absolute path"),
        (("outlet", "set-mcf", "KIN001", "--nim", "CD01", "--port", "/dev/x"), "--nim: CD01 is the e-MCF"),
        (("outlet", "remove-mcf", "KIN001"), "KIN001 has no MCF"),
        (("outlet", "set-main", "KIN001", "mcf"), "bonopay-signer outlet set-mcf KIN001"),
        (("outlet", "restart-sync", "NOWHERE"), "no outlet NOWHERE"),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_no_record(
    registered: Run, arguments: tuple[str, ...], words: str
) -> None:
    before = registered("action-log", "--json")[1]
    status, output, error = registered(*arguments)
    assert status == 1 and output == "" and words in error and error.count("\n") == 1, error
    assert "hunter2" not in error
    assert registered("action-log", "--json")[1] == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("api-key", "rotate", "aaaaaaaaaaaa"),
        ("api-key", "rotate", "aaaaaaaaaaaa", "--overlap", "seven days"),
        ("api-key", "create", "--merchant", NIF, "--rate", "0"),
        ("rate", "set", "USD", "2026-11-21", "0"),
        ("rate", "set", "USD", "2026-11-21", "2850.1234567"),
        ("rate", "set", "USD", "yesterday", "2850"),
        ("rate", "set", "CDF", "2026-11-21", "1"),
        ("outlet", "set-mcf", "KIN001", "--nim", "M1", "--port", "/dev/x", "--baud", "115201"),
        ("outlet", "set-mcf", "KIN001", "--nim", "M1", "--port", "/dev/x", "--parity", "mark"),
    ],
)
def test_what_is_mistyped_is_a_matter_of_usage(run: Run, arguments: tuple[str, ...]) -> None:
    status, _, error = run(*arguments)
    assert status == 2 and "usage:" in error


def test_registering_twice_is_told(registered: Run) -> None:
    terminal = ("terminal", "add", "--outlet", "KIN001", "--id", "C", "--name", "x")
    user = ("user", "add", "--merchant", NIF, "--id", "6", "--name", "x")
    for arguments in (terminal, user):
        assert registered(*arguments)[0] == 0
        status, _, error = registered(*arguments)
        assert status == 1 and "registered already" in error
