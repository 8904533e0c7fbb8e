"""The DGI sandbox as a process of an instance."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher.config import CHECKOUT, HOST, Home
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
        """Write the accounts: one per merchant, one e-MCF (NIM) per outlet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        accounts = [
            {
                **{key: merchant[key] for key in ("nif", "name", "isf")},
                "nims": [
                    {"nim": merchant["nim"], "shop_name": merchant["outlet_name"], "address": merchant["address"]}
                ],
            }
            for merchant in merchants
        ]
        self.accounts_file.write_text(json.dumps(accounts, indent=2, ensure_ascii=False))

    @property
    def accounts_file(self) -> Path:
        return self.folder / "accounts.json"

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
                *("--database", self.folder / "sandbox.sqlite", "--accounts", self.accounts_file),
                *("--tokens-dir", self.folder / "tokens"),
            ],
            ready_url=self.page,
            folder=self.folder,
            env={"PYTHONPATH": str(CHECKOUT / "dgi_sandbox")},
            cwd=self.folder,
        )
