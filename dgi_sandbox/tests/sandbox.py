"""A real sandbox process on a free port, and requests to send it."""

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

NIF = "A1000001X"
ISF = "TST-SFE-01"
NIM = "CD01000001-1"
SECOND_NIM = "CD01000002-2"
OTHER_NIF = "A2000002Y"
OTHER_NIM = "CD02000001-9"
ACCOUNTS = [
    {
        "nif": NIF,
        "name": "Alimentation du Fleuve SARL",
        "isf": ISF,
        "nims": [
            {"nim": NIM, "shop_name": "Gombe", "address": "12 avenue du Commerce, Kinshasa"},
            {"nim": SECOND_NIM, "shop_name": "Limete", "address": "4 boulevard Lumumba, Kinshasa"},
        ],
    },
    {
        "nif": OTHER_NIF,
        "name": "Pharmacie de la Gare",
        "isf": "TST-SFE-02",
        "nims": [{"nim": OTHER_NIM, "shop_name": "Matadi", "address": "1 place de la Gare, Matadi"}],
    },
]


class Sandbox:
    """`start` and `stop` (or `kill`, which gives no time to tidy up) may alternate: the state stays in `folder`."""

    def __init__(self, folder: Path, *options: str, accounts: list[dict[str, Any]] = ACCOUNTS) -> None:
        self.folder = folder
        self.options = options
        self.port = _free_port()
        self.database = folder / "dgi.sqlite"
        self.accounts = folder / "accounts.json"
        self.accounts.write_text(json.dumps(accounts), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def twin(self) -> "Sandbox":
        """A second process, not started yet, on the same files."""
        other = copy.copy(self)
        other.port, other._process = _free_port(), None
        return other

    def start(self) -> "Sandbox":
        command = [sys.executable, "-m", "bonopay_dgi_sandbox", "--host", "127.0.0.1", "--port", str(self.port)]
        files = ["--database", str(self.database), "--accounts", str(self.accounts)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        with (self.folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *files, *self.options], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        wait_for(self._answers)
        return self

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self.folder / "service.log").read_text()
        try:
            return httpx.get(f"{self.url}/").status_code == 200
        except httpx.ConnectError:
            return False

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        assert self._process is not None
        self._process.send_signal(sig)
        self._process.wait(timeout=10)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def token(self, nim: str = NIM) -> str:
        return (self.folder / "tokens" / f"{nim}.jwt").read_text().strip()

    def client(self, nim: str = NIM) -> "Client":
        return Client(self.url, self.token(nim))

    @property
    def admin(self) -> httpx.Client:
        token = self.database.with_name("dgi.sqlite.admin-token").read_text().strip()
        return httpx.Client(base_url=f"{self.url}/admin", headers={"Authorization": f"Bearer {token}"})

    def faults(self, **changes: Any) -> None:
        with self.admin as admin:
            admin.post("/faults", json=changes).raise_for_status()

    def reset(self) -> None:
        with self.admin as admin:
            admin.post("/reset").raise_for_status()

    def exchanges(self, nim: str = NIM) -> list[dict[str, Any]]:
        with self.admin as admin:
            return admin.get("/exchanges", params={"nim": nim, "limit": 1000}).raise_for_status().json()


class Client:
    """The steps of an e-MCF client; every method answers the decoded body."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/edef", headers={"Authorization": f"Bearer {token}"}, timeout=20)

    def submit(self, document: dict[str, Any]) -> dict[str, Any]:
        return self.http.post("/api/invoice", json=document).json()

    def confirm(self, pending: dict[str, Any]) -> dict[str, Any]:
        totals = {"total": pending["total"], "vtotal": pending["vtotal"]}
        return self.http.put(f"/api/invoice/{pending['uid']}/confirm", json=totals).json()

    def certify(self, document: dict[str, Any]) -> dict[str, Any]:
        pending = self.submit(document)
        assert pending["errorCode"] is None, pending
        elements = self.confirm(pending)
        assert elements["errorCode"] is None, elements
        return elements

    def cancel(self, pending: dict[str, Any]) -> dict[str, Any]:
        return self.http.put(f"/api/invoice/{pending['uid']}/cancel").json()

    def details(self, pending: dict[str, Any]) -> dict[str, Any]:
        return self.http.get(f"/api/invoice/{pending['uid']}").json()

    def status(self) -> dict[str, Any]:
        return self.http.get("/api/invoice").json()


def sale(rn: str = "FV-2026-000001", **changes: Any) -> dict[str, Any]:
    """A sound sale of 3 × 9.99 TTC at 16 %: total 29.97, VAT 4.13."""
    return {
        "nif": NIF,
        "rn": rn,
        "mode": "ttc",
        "isf": ISF,
        "type": "FV",
        "items": [line()],
        "client": {"type": "PP"},
        "operator": {"id": "7", "name": "Caisse 1"},
        "payment": [cash("29.97")],
        **changes,
    }


def line(**changes: Any) -> dict[str, Any]:
    item = {"code": "RIZ", "type": "BIE", "name": "Riz", "price": "9.99", "quantity": "3", "taxGroup": "B"}
    return {**item, **changes}


def cash(amount: str) -> dict[str, Any]:
    return {"name": "ESPECES", "amount": amount}


def credit_note(reference: str, rn: str = "FA-2026-000001", **changes: Any) -> dict[str, Any]:
    return sale(rn, **{"type": "FA", "reference": reference, "referenceType": "COR", **changes})


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "nothing happened in time"
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
