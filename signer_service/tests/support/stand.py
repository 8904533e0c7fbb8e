"""A whole signer for tests: database, token, relay to the sandbox, the service as a process, and its clients."""

import itertools
import json
import re
import secrets
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bonopay_signer.tenants import admin
from bonopay_signer.tenants.apikeys import OPERATIONS
from bonopay_signer.tenants.secrets import SecretBox, new_key

from ..fiscal.builders import accepted
from .databases import Database, throw_away_database
from .plain import plain_client
from .processes import (
    Process,
    free_port,
    python_environment,
    run_signer_command,
    run_signer_command_here,
    wait_until,
)
from .relay import Relay
from .sandbox import ISF, OTHER_SELLER, SELLER, Sandbox
from .tokens import Token

_outlet_numbers = itertools.count(1)
AUTHORITY = "BONO-CD-TEST"


@dataclass
class Outlet:
    id: str
    nif: str
    nim: str


class Stand:
    def __init__(self, folder: Path, database: Database, token: Token, sandbox: Sandbox, **settings: Any) -> None:
        folder.mkdir(parents=True)
        self.database = database
        self.sandbox = sandbox
        self.relay = Relay(sandbox.root)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = token
        self._log = folder / "signer.log"
        self.key_file = folder / "secrets-key"
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(new_key())
        self.box = SecretBox.from_text(self.key_file.read_text())
        self.head_store = folder / "heads"
        self.environment = self._environment(settings)
        self.process: Process | None = None
        with psycopg.connect(database.owner, autocommit=True) as connection:
            for nif in (SELLER, OTHER_SELLER):
                admin.add_merchant(connection, nif, f"Vendeur {nif}", if_missing=True)
        self.http = plain_client(base_url=self.url, timeout=90)
        self.key = self.api_key(SELLER)

    def _environment(self, settings: dict[str, Any]) -> dict[str, str]:
        values = {
            "database_url": self.database.service,
            "owner_database_url": self.database.owner,
            "host": "127.0.0.1",
            "port": self.port,
            "public_url": self.url,
            "authority": AUTHORITY,
            "secrets_key_file": self.key_file,
            "head_store": self.head_store,
            "signing_processes": 1,
            "dgi_connect_timeout": 2,
            "dgi_timeout": 5,
            "recovery_interval": 0.2,
            "dgi_breaker_rest": 0.5,
            "recovery_backoff_max": 1,
            "reference_interval": 30 * 86400,  # tests that want the DGI's tables say so
            "shutdown_grace": 5,
            **settings,
        }
        prefixed = {f"BONOPAY_SIGNER_{name.upper()}": str(value) for name, value in values.items()}
        return {**self.token.environment, **prefixed}

    # --- the service

    def start(self, *command: str) -> None:
        """``command``: what makes a service of Python, when it is not the usual one."""
        arguments = [sys.executable, *(command or ("-m", "bonopay_signer", "serve"))]
        self.process = Process(arguments, python_environment(self.environment), self._log)
        wait_until(self._is_ready, "the signer is ready")

    def _is_ready(self) -> bool:
        assert self.process is not None and self.process.is_running(), self._log.read_text()
        try:
            return self.http.get("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    def restart(self) -> None:
        assert self.process is not None
        self.process.send(signal.SIGKILL)
        self.process.wait()
        self.start()

    def close(self) -> None:
        self.relay.calm()
        if self.process is not None:
            self.process.stop()
        self.relay.close()
        self.http.close()

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def command(self, *arguments: str, stdin: str | None = None):
        return run_signer_command(*arguments, environment=self.environment, stdin=stdin)

    # --- tenants

    def outlet(
        self, nif: str = SELLER, dgi_url: str | None = None, nim: str | None = None, mode: str = "inline"
    ) -> Outlet:
        """A new outlet with an e-MCF of its own, behind the relay."""
        number = next(_outlet_numbers)
        nim = nim or self.sandbox.nims[nif].pop()
        outlet = Outlet(f"OUT{number:04d}", nif, nim)
        new = admin.NewOutlet(
            outlet.id, nif, "Boutique", "1 avenue du Port", nim, ISF[nif], mode, dgi_url or self.relay.url
        )
        with psycopg.connect(self.database.owner, autocommit=True) as connection:
            admin.add_outlet(connection, new, self.sandbox.token(nim), self.box, if_missing=False)
        return outlet

    def set_mcf(self, outlet: Outlet, nim: str, port: Path, is_main: bool = False) -> None:
        with psycopg.connect(self.database.owner) as connection:
            admin.set_mcf(connection, outlet.id, admin.NewMcf(nim, str(port)), is_main)

    def change_outlet(self, outlet: Outlet, **columns: Any) -> None:
        """As the owner would, with what the registry's triggers make of it."""
        assignments = ", ".join(f"{name} = %({name})s" for name in columns)
        with psycopg.connect(self.database.owner, autocommit=True) as connection:
            connection.execute(
                f"UPDATE signer.outlet SET {assignments} WHERE id = %(id)s", {**columns, "id": outlet.id}
            )

    def api_key(self, nif: str = SELLER, outlets=None, operations=OPERATIONS, expires_at=None) -> str:
        with psycopg.connect(self.database.owner, autocommit=True) as connection:
            return admin.create_api_key(connection, nif, outlets, operations, expires_at, "test")

    # --- clients

    def post(self, payload: dict | bytes, key: str | None = None) -> httpx.Response:
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        return self.http.post("/api/v1/invoices", content=content, headers=headers)

    def sealed_as(self, payload: dict) -> dict:
        """What the client reads of a document that it posts, which must be sealed: now, or before."""
        response = self.post(payload)
        assert response.status_code in (200, 201), f"{response.status_code} {response.text}"
        return response.json()

    def get(self, path: str, key: str | None = None) -> httpx.Response:
        return self.http.get(path, headers={"Authorization": f"Bearer {key or self.key}"})

    def sealed(self, outlet: Outlet, **members: Any) -> dict:
        """The answer for a new document, which must be certified."""
        response = self.post(document(outlet, **members))
        assert response.status_code == 201, f"{response.status_code} {response.text}"
        assert response.json()["dgi"]["status"] == "certified", response.text
        return response.json()

    # --- the ledger

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        with self.database.as_admin() as connection:
            return connection.execute(query, parameters).fetchall()

    def entries(self, outlet: Outlet) -> list[tuple[int, str, str]]:
        """(index, kind, fiscal number) of an outlet's chain."""
        return self.rows(
            "SELECT index, kind, fiscal_number FROM signer.entry WHERE outlet_id = %s ORDER BY index", outlet.id
        )

    def states(self, outlet: Outlet) -> list[str]:
        rows = self.rows("SELECT state FROM signer.submission WHERE outlet_id = %s ORDER BY id", outlet.id)
        return [state for (state,) in rows]

    def settled(self, outlet: Outlet) -> bool:
        """Whether nothing of the outlet is under way."""
        return set(self.states(outlet)) <= {"settled", "released"}

    def verify(self, *outlets: Outlet):
        """``bonopay-signer verify`` over these outlets."""
        options = itertools.chain.from_iterable(("--outlet", outlet.id) for outlet in outlets)
        return run_signer_command_here("verify", *options, environment=self.environment)

    def assert_sound(self, outlet: Outlet, invoices: int) -> None:
        """The chain verifies, has that many invoices without a gap, and the DGI certified each exactly once."""
        done = self.verify(outlet)
        assert done.returncode == 0, done.stdout + done.stderr
        entries = self.entries(outlet)
        numbers = [number for _, kind, number in entries if kind == "invoice"]
        assert [int(number[-9:]) for number in numbers] == list(range(1, invoices + 1))
        certified = [number for _, kind, number in entries if kind == "dgi_certified"]
        assert sorted(certified) == sorted(numbers)
        assert sorted(self.certified_at_the_dgi(outlet)) == sorted(numbers)

    def certified_at_the_dgi(self, outlet: Outlet) -> list[str]:
        """The numbers that the DGI certified for this outlet, by its own word on every uid that it ever gave out."""
        uids = [(rn, uid) for rn, uid in self.relay.prepared if rn.startswith(f"BONO-{outlet.id}-")]
        return [rn for rn, uid in uids if self.sandbox.details(outlet.nim, uid).get("codeDEFDGI")]


def document(outlet: Outlet, **members: Any) -> dict:
    """A new accepted invoice of an outlet."""
    return accepted(document_id=str(uuid.uuid4()), merchant_nif=outlet.nif, outlet_id=outlet.id, **members)


def random_document_id() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def number_of(outlet: Outlet, sequence: int) -> str:
    return f"BONO-{outlet.id}-01-{sequence:09d}"


def looks_like_a_secret(text: str) -> list[str]:
    """API keys and JWTs in a text."""
    return re.findall(r"bp_[a-z0-9]{12}_[\w-]{20,}|eyJ[\w-]+\.[\w-]+\.[\w-]+", text)


@contextmanager
def running_stand(cluster: str, token: Token, sandbox: Sandbox, folder: Path) -> Iterator[Stand]:
    """A started signer with a database of its own."""
    with throw_away_database(cluster) as database:
        stand = Stand(folder / "signer", database, token, sandbox)
        try:
            stand.start()
            yield stand
        finally:
            stand.close()
