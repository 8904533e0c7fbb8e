"""The DGI sandbox as a process of an instance."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launcher.config import CHECKOUT, HOST, Home
from launcher.console import LauncherError
from launcher.services import Service


class Sandbox:
    def __init__(self, home: Home, folder: Path, port: int):
        self.home = home
        self.folder = folder
        self.port = port

    @property
    def url(self) -> str:
        """Base URL of the e-MCF API, as the DGI's own is `https://…/edef`."""
        return f"http://{HOST}:{self.port}/edef"

    @property
    def page(self) -> str:
        return f"http://{HOST}:{self.port}/"

    def prepare(self, merchants: Sequence[Mapping[str, str]]) -> None:
        """Write the accounts: one per NIF, one e-MCF (NIM) per merchant given, each with its outlet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        accounts: dict[str, dict[str, Any]] = {}
        for merchant in merchants:
            header = {key: merchant[key] for key in ("nif", "name", "isf")}
            device = {"nim": merchant["nim"], "shop_name": merchant["outlet_name"], "address": merchant["address"]}
            accounts.setdefault(merchant["nif"], {**header, "nims": []})["nims"].append(device)
        self.accounts_file.write_text(json.dumps(list(accounts.values()), indent=2, ensure_ascii=False), "utf-8")

    def accounts(self) -> list[dict[str, Any]]:
        """As in the file: `nif`, `name`, `isf` and the `nims` of each taxpayer.

        :raises LauncherError: when somebody broke the file
        """
        try:
            return json.loads(self.accounts_file.read_text("utf-8"))
        except ValueError as error:
            raise LauncherError(f"{self.accounts_file}: {error}", "Mend it, or delete it for the sample.") from error

    @property
    def accounts_file(self) -> Path:
        return self.folder / "accounts.json"

    @property
    def database(self) -> Path:
        return self.folder / "sandbox.sqlite"

    @property
    def admin_token_file(self) -> Path:
        return self.database.with_name(f"{self.database.name}.admin-token")

    def token_file(self, nim: str) -> Path:
        return self.folder / "tokens" / f"{nim}.jwt"

    @property
    def command(self) -> list[str]:
        return [str(self.home.python("sandbox")), "-m", "bonopay_dgi_sandbox"]

    @property
    def service(self) -> Service:
        return Service(
            name="sandbox",
            command=[
                *self.command,
                *("--host", HOST, "--port", str(self.port)),
                *("--database", self.database, "--accounts", self.accounts_file),
                *("--tokens-dir", self.folder / "tokens"),
            ],
            ready_url=self.page,
            folder=self.folder,
            env={"PYTHONPATH": str(CHECKOUT / "dgi_sandbox")},
            cwd=self.folder,
        )
