"""After a busy life: no token, PIN, key or API secret in logs, answers or the database."""

import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from bonopay_signer.logs import redact
from bonopay_signer.settings import Settings

from ..support.processes import Process, free_port, python_environment, wait_until
from ..support.stand import Outlet, Stand, document, looks_like_a_secret


def _busy(stand: Stand) -> list[str]:
    """Sealed, refused, unreachable and unauthorised requests; the secrets that were in play."""
    outlet = stand.outlet()
    stand.sealed(outlet)
    stand.relay.drop("confirm", "after")
    stand.post(document(outlet))
    stand.post(b"{" + stand.key.encode())
    stand.post(document(outlet), key=stand.key + "x")
    stand.http.get("/api/v1/invoices/X", headers={"Authorization": stand.key})
    stand.post(document(stand.outlet(dgi_url="http://127.0.0.1:9/edef")))
    _careless(stand, outlet)
    return [
        stand.key,
        stand.key.split("_", 2)[2],
        stand.sandbox.token(outlet.nim),
        stand.token.pin,
        stand.token.so_pin_file.read_text().strip(),
        stand.key_file.read_text().strip(),
        stand.database.service.split("password=")[1].split()[0],
    ]


def _careless(stand: Stand, outlet: Outlet) -> None:
    """A client that puts its key where it does not belong, and a defect on the way."""
    headers = {"Authorization": f"Bearer {stand.key}", "X-Request-Id": stand.key}
    for path in ("invoices", "outlets", f"invoices/{stand.key}", f"outlets/{stand.key}", f"verify/{stand.key}"):
        for query in (f"cursor={stand.key}", f"{stand.key}=1", f"limit={stand.key}", f"code={stand.key}"):
            stand.http.get(f"/api/v1/{path}?{query}", headers=headers)
    items = [stand.key, {stand.key: stand.key}, {**document(outlet), "totals": stand.key}]
    assert stand.http.post("/api/v1/invoices/batch", json={"invoices": items}, headers=headers).status_code == 200
    stand.http.post(f"/api/v1/invoices/batch?{stand.key}", content=stand.key, headers=headers)
    stand.http.request(stand.key.upper()[:15], "/health", headers=headers)
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM signer.outlet_head WHERE outlet_id = %s", [outlet.id])
    path = f"/api/v1/outlets/{outlet.id}?key={stand.key}"
    assert stand.http.get(path, headers=headers).status_code == 500


def test_logs_hold_no_secret(new_stand: Callable[..., Stand]) -> None:
    port = free_port()
    stand = new_stand(log_level="DEBUG", metrics_port=port)
    stand.start()
    secrets = _busy(stand)
    wait_until(lambda: '"status": 500' in stand.log(), "the defect is logged")  # the answer leaves before
    log = stand.log() + httpx.get(f"http://127.0.0.1:{port}/metrics").text + stand.http.get("/ready").text
    assert '"defect"' in log and '"/api/v1/invoices/batch"' in log
    for secret in secrets:
        assert secret not in log
    assert looks_like_a_secret(log) == []


def test_database_holds_no_secret_in_the_clear(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand()
    stand.start()
    secrets = _busy(stand)
    tables = [name for (name,) in stand.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'signer'")]
    assert len(tables) >= 9
    for table in tables:
        for (text,) in stand.rows(f"SELECT t::text FROM signer.{table} t"):
            for secret in secrets:
                assert secret not in text and secret.encode().hex() not in text, f"{table} holds a secret"


def test_settings_do_not_show_connection_strings() -> None:
    settings = Settings(database_url="postgresql://u:hunter2@h/d", owner_database_url="postgresql://o:hunter3@h/d")
    assert "hunter" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_redaction_catches_keys_tokens_and_passwords() -> None:
    text = "bp_abcdefghijkl_S3cret-x eyJhbGciOi.eyJzdWIi.c2ln postgresql://user:hunter2@host/db"
    assert looks_like_a_secret(redact(text)) == [] and "hunter2" not in redact(text)


def test_start_that_fails_shows_no_password(new_stand: Callable[..., Stand], tmp_path: Path) -> None:
    stand = new_stand()
    environment = {**stand.environment, "BONOPAY_SIGNER_DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:9/x"}
    process = Process(
        [sys.executable, "-m", "bonopay_signer", "serve"], python_environment(environment), tmp_path / "l"
    )
    assert process.wait(60) == 1
    assert "hunter2" not in process.text()


def test_api_key_goes_to_a_private_file_or_once_to_standard_output(new_stand: Callable[..., Stand], tmp_path) -> None:
    stand = new_stand()
    target = tmp_path / "key"
    done = stand.command("apikey", "create", "--merchant", "A1234567B", "--output", str(target))
    assert done.returncode == 0 and looks_like_a_secret(done.stdout + done.stderr) == []
    assert target.stat().st_mode & 0o777 == 0o600
    assert looks_like_a_secret(target.read_text())
    again = stand.command("apikey", "create", "--merchant", "A1234567B", "--output", str(target))
    assert again.returncode == 1, "a key that exists is not overwritten"
    ((count,),) = stand.rows("SELECT count(*) FROM signer.api_key WHERE label = ''")
    assert count == 1, "and the refused one is not left in the database"
