"""The taxpayers and the e-MCFs (NIM) that the service knows, read from a JSON file."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NIM = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")


class AccountsError(Exception):
    """The accounts file cannot be used."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One e-MCF: one NIM at one address of one taxpayer."""

    nim: str
    shop_name: str
    address: str
    nif: str
    company: str
    isf: str


class Accounts:
    def __init__(self, outlets: list[Outlet]) -> None:
        self.by_nim = {outlet.nim: outlet for outlet in outlets}
        if len(self.by_nim) != len(outlets):
            raise AccountsError("the same NIM appears twice")

    def of_nif(self, nif: str) -> list[Outlet]:
        return [outlet for outlet in self.by_nim.values() if outlet.nif == nif]


def load_accounts(path: Path) -> Accounts:
    """Raises AccountsError with the fault found."""
    try:
        accounts = json.loads(path.read_text("utf-8"))
        outlets = [_outlet(account, nim) for account in accounts for nim in account["nims"]]
    except (OSError, ValueError) as error:
        raise AccountsError(f"{path}: {error}") from error
    except (KeyError, TypeError) as error:
        raise AccountsError(f"{path}: missing or misplaced {error}") from error
    return Accounts(outlets)


def _outlet(account: dict[str, Any], device: dict[str, Any]) -> Outlet:
    nim, nif = str(device["nim"]), str(account["nif"])
    if not NIM.fullmatch(nim):
        raise AccountsError(f"NIM {nim!r}: capitals, digits and dashes only")
    if not nif or ";" in nif:
        raise AccountsError(f"NIF {nif!r} cannot stand in a QR code")
    return Outlet(
        nim=nim,
        shop_name=str(device["shop_name"]),
        address=str(device["address"]),
        nif=nif,
        company=str(account["name"]),
        isf=str(account["isf"]),
    )
