"""The DGI sandbox as a process, started with the command in BONOPAY_TEST_SANDBOX_COMMAND."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from .plain import ONE_EACH, plain_client
from .processes import Process, free_port, python_environment, wait_until

SELLER, OTHER_SELLER = "A1234567B", "B7654321C"
ISF = {SELLER: "ABC-DEF-01", OTHER_SELLER: "GHI-JKL-02"}


class Sandbox:
    """Many e-MCFs of one seller, so that every test has an outlet of its own, and a few of another."""

    def __init__(self, folder: Path, outlets: int = 1060, pending_seconds: int = 120) -> None:
        folder.mkdir(parents=True)
        self.nims = {
            SELLER: [f"CD01{number:06d}-1" for number in range(1, outlets + 1)],
            OTHER_SELLER: [f"CD02{number:06d}-2" for number in range(1, 41)],
        }
        accounts = [
            {
                "nif": nif,
                "name": f"Vendeur {nif}",
                "isf": ISF[nif],
                "nims": [{"nim": nim, "shop_name": "Boutique", "address": "1 avenue du Port"} for nim in nims],
            }
            for nif, nims in self.nims.items()
        ]
        (folder / "accounts.json").write_text(json.dumps(accounts))
        self._tokens = folder / "tokens"
        self._admin_token = folder / "dgi.sqlite.admin-token"
        port = free_port()
        self.root = f"http://127.0.0.1:{port}"
        arguments = ["--host", "127.0.0.1", "--port", str(port), "--database", str(folder / "dgi.sqlite")]
        arguments += ["--accounts", str(folder / "accounts.json"), "--tokens-dir", str(self._tokens)]
        arguments += ["--pending-seconds", str(pending_seconds)]
        self._http = plain_client(base_url=self.root, timeout=10, limits=ONE_EACH)
        environment = python_environment({"PYTHONPATH": os.environ.get("BONOPAY_TEST_SANDBOX_PYTHONPATH", "")})
        self.process = Process([*_command(), *arguments], environment, folder / "sandbox.log")
        wait_until(self._answers, "the DGI sandbox answers")

    def token(self, nim: str) -> str:
        return (self._tokens / f"{nim}.jwt").read_text().strip()

    def status(self, nim: str) -> dict:
        """What the e-MCF says of itself, over its own interface."""
        headers = {"Authorization": f"Bearer {self.token(nim)}"}
        return self._http.get("/edef/api/invoice", headers=headers).raise_for_status().json()

    def details(self, nim: str, uid: str) -> dict:
        """What the e-MCF says of a uid."""
        headers = {"Authorization": f"Bearer {self.token(nim)}"}
        return self._http.get(f"/edef/api/invoice/{uid}", headers=headers).raise_for_status().json()

    def faults(self, **changes: Any) -> None:
        """Change what goes wrong at the DGI; ``nim`` limits it to one e-MCF (dgi_sandbox/README.md)."""
        headers = {"Authorization": f"Bearer {self._admin_token.read_text().strip()}"}
        self._http.post("/admin/faults", headers=headers, json=changes).raise_for_status()

    def _answers(self) -> bool:
        assert self.process.is_running(), self.process.text()
        try:
            return self.status(self.nims[SELLER][0])["status"]
        except (httpx.TransportError, FileNotFoundError):
            return False


def _command() -> list[str]:
    value = os.environ.get("BONOPAY_TEST_SANDBOX_COMMAND")
    if not value:
        pytest.fail("BONOPAY_TEST_SANDBOX_COMMAND is not set: run these tests with ./bonopay test signer_service")
    return json.loads(value)
