"""A database restored from a backup, on the real stack: the service refuses, and how it goes on by command."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..support.processes import Process, python_environment
from ..support.stand import Stand, document


def _dump(stand: Stand, output: Path) -> None:
    command = ["pg_dump", "--format=custom", "--file", str(output), "--dbname", stand.database.admin]
    subprocess.run(command, check=True, capture_output=True)


def _restore(stand: Stand, dump: Path) -> None:
    database = stand.database
    with psycopg.connect(make_conninfo(database.admin, dbname="postgres"), autocommit=True) as connection:
        owner = conninfo_to_dict(database.owner)["user"]
        connection.execute(f'DROP DATABASE "{database.name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{database.name}" OWNER "{owner}"')
    command = ["pg_restore", "--exit-on-error", "--dbname", database.admin, str(dump)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def restored(new_stand: Callable[..., Stand], tmp_path: Path) -> tuple[Stand, dict, dict]:
    """A stopped signer whose database lacks its last invoice, that invoice, and the outlet's first."""
    stand = new_stand()
    stand.start()
    outlet = stand.outlet()
    first = stand.sealed(outlet)
    _dump(stand, tmp_path / "backup")
    lost = stand.sealed(outlet)
    stand.kill()
    _restore(stand, tmp_path / "backup")
    stand.lost_outlet = outlet
    return stand, first, lost


def _start(stand: Stand, log: Path) -> Process:
    return Process([sys.executable, "-m", "bonopay_signer", "serve"], python_environment(stand.environment), log)


def test_older_copy_is_refused_until_an_epoch_is_opened(restored: tuple[Stand, dict, dict], tmp_path: Path) -> None:
    stand, first, lost = restored
    refused = _start(stand, tmp_path / "log")
    assert refused.wait() == 1
    assert "it was restored from an older copy" in refused.text() and "bonopay-signer epoch open" in refused.text()

    verified = stand.command("verify")
    assert verified.returncode == 1 and "the head store knows entry 4" in verified.stdout

    shown = stand.command("epoch", "open", "--reason", "disque en panne")
    assert shown.returncode == 1 and "pass --yes" in shown.stderr
    assert f"invoices {lost['fiscal_number']} to {lost['fiscal_number']}" in shown.stdout
    assert stand.rows("SELECT log_epoch FROM signer.shard") == [(1,)]

    opened = stand.command("epoch", "open", "--reason", "disque en panne", "--yes")
    assert opened.returncode == 0, opened.stderr
    again = stand.command("epoch", "open", "--reason", "disque en panne", "--yes")
    assert again.returncode == 1 and "no new epoch is needed" in again.stderr

    stand.start()
    outlet = stand.lost_outlet
    sealed = stand.sealed(outlet)
    assert sealed["fiscal_number"] == f"BONO-{outlet.id}-02-000000003"
    assert stand.http.get(first["verification_url"]).status_code == 200
    replayed = stand.post(document(outlet))
    assert replayed.status_code == 201

    verified = stand.command("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    number = lost["fiscal_number"]
    assert f"entries 3 to 4 were lost, invoices {number} to {number}: disque en panne" in verified.stdout


def test_running_signer_keeps_commands_away(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand()
    stand.start()
    outlet = stand.outlet()
    stand.sealed(outlet)
    for arguments in (["head-store", "adopt"], ["epoch", "open", "--reason", "x", "--yes"]):
        done = stand.command(*arguments)
        assert done.returncode == 1 and "another signer holds the head store" in done.stderr
    shown = stand.command("head-store", "show")
    assert shown.returncode == 0 and f"{outlet.id}: epoch 1, entry 2, invoice 1" in shown.stdout


def test_ledger_without_a_head_store_is_adopted_by_command(new_stand: Callable[..., Stand], tmp_path: Path) -> None:
    stand = new_stand()
    stand.start()
    stand.sealed(stand.outlet())
    stand.kill()
    for path in stand.head_store.iterdir():
        path.unlink()
    refused = _start(stand, tmp_path / "log")
    assert refused.wait() == 1 and "bonopay-signer head-store adopt" in refused.text()
    adopted = stand.command("head-store", "adopt")
    assert adopted.returncode == 0 and "adopted shard 0: 2 entries of 1 outlets" in adopted.stdout, adopted.stderr
    again = stand.command("head-store", "adopt")
    assert again.returncode == 0 and "knows this ledger already: 2 entries" in again.stdout
    stand.start()
    stand.sealed(stand.outlet())


def test_adopting_refuses_when_the_head_store_has_more(restored: tuple[Stand, dict, dict]) -> None:
    stand, _, _ = restored
    done = stand.command("head-store", "adopt")
    assert done.returncode == 1 and "the head store knows of 4" in done.stderr
