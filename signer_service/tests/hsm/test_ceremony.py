"""The key ceremony: a key born in the token or none, a protocol that others can check, nothing overwritten."""

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from ..support.tokens import Token
from .material import AUTHORITY, NSS_LIBRARY, SOFTHSM_LIBRARY, Nss, SoftHsm, run_script

ROLES = ["Dépositaire de la clé", "Officier de sécurité", "Témoin"]
PIN, SO_PIN = "user-pin-20261121", "so-pin-20261121"


class Blank:
    """A folder where SoftHSM has no token yet, and what a ceremony needs beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tokens").mkdir(parents=True)
        configuration = folder / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
        self.environment = {"SOFTHSM2_CONF": str(configuration)}
        for name, pin in (("pin", PIN), ("so-pin", SO_PIN)):
            (folder / name).touch(0o600)
            (folder / name).write_text(pin)
        self.plan: dict[str, Any] = {
            "token": {"module": SOFTHSM_LIBRARY, "label": "bonopay"},
            "authority": AUTHORITY,
            "key_label": "bonopay-seal",
            "pin_file": str(folder / "pin"),
            "so_pin_file": str(folder / "so-pin"),
            "output": str(folder),
            "date": "2026-11-21",
            "roles": ROLES,
        }

    def hold(self, kind: str = "first", **changes: object) -> dict[str, str]:
        done = run_script("hold_ceremony.py", self.environment, kind, json.dumps(self.plan | changes))
        assert done.returncode == 0, done.stderr
        assert PIN not in done.stdout + done.stderr and SO_PIN not in done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def blank(tmp_path: Path) -> Blank:
    return Blank(tmp_path / "ceremony")


def nss_plan(own: Nss, blank: Blank) -> None:
    blank.environment = own.environment
    address = {"module": NSS_LIBRARY, "label": own.address.label, "parameters": own.address.parameters}
    blank.plan |= {"token": address, "pin_file": str(own.pin_file), "so_pin_file": None}


def test_the_protocol_says_what_the_token_says_and_openssl_verifies_its_signature(blank: Blank) -> None:
    held = blank.hold()
    raw = Path(held["json"]).read_bytes()
    protocol = json.loads(raw)
    assert raw == rfc8785.dumps(protocol)
    assert held["sha256"] == hashlib.sha256(raw).hexdigest()
    assert (protocol["date"], protocol["roles"], protocol["authority"]) == ("2026-11-21", ROLES, AUTHORITY)
    token, key, test = protocol["token"], protocol["key"], protocol["self_test"]
    assert (token["origin"], key["origin"], token["label"]) == ("created", "created", "bonopay")
    assert token["model"] == "SoftHSM v2" and len(token["serial"]) == 16 and token["firmware_version"] == "2.6"
    assert "CKM_ECDSA" in token["mechanisms"]
    assert key["attributes"] == {
        "CKA_SENSITIVE": True,
        "CKA_EXTRACTABLE": False,
        "CKA_ALWAYS_SENSITIVE": True,
        "CKA_NEVER_EXTRACTABLE": True,
        "CKA_LOCAL": True,
        "CKA_SIGN": True,
        "CKA_DECRYPT": False,
        "CKA_UNWRAP": False,
        "CKA_DERIVE": False,
        "CKA_SIGN_RECOVER": False,
    }
    der = base64.b64decode("".join(key["public_key_pem"].splitlines()[1:-1]))
    assert key["public_key_sha256"] == hashlib.sha256(der).hexdigest()
    assert key["key_id"] == key["public_key_sha256"][:16]
    files = {"key.pem": key["public_key_pem"].encode()}
    files |= {"signature": bytes.fromhex(test["signature_der"]), "message": bytes.fromhex(test["preimage"])}
    for name, content in files.items():
        (blank.folder / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "message"]
    subprocess.run(command, cwd=blank.folder, check=True, capture_output=True)


def test_the_paper_names_everything_that_is_signed_by_hand(blank: Blank) -> None:
    held = blank.hold()
    protocol = json.loads(Path(held["json"]).read_bytes())
    paper = Path(held["text"]).read_text()
    for fact in (
        protocol["token"]["serial"],
        protocol["token"]["model"],
        protocol["key"]["key_id"],
        protocol["key"]["public_key_pem"].strip(),
        protocol["self_test"]["verified_by"],
        protocol["self_test"]["signature_der"],
        "CKA_NEVER_EXTRACTABLE = TRUE",
        "2026-11-21",
        held["sha256"],
        *ROLES,
        *protocol["token"]["mechanisms"],
    ):
        assert fact in paper or fact in "".join(line.strip() for line in paper.splitlines())
    assert max(map(len, paper.splitlines())) <= 100 and PIN not in paper and SO_PIN not in paper


def test_a_ceremony_never_replaces_a_token_a_key_or_a_protocol(blank: Blank) -> None:
    first = blank.hold()
    before = Path(first["json"]).read_bytes()
    assert blank.hold()["error"] == "AlreadyDone"
    assert blank.hold(date="2026-11-22")["error"] == "AlreadyDone"
    assert blank.hold(date="2026-11-22", token={**blank.plan["token"], "label": "other"}).get("error") is None
    assert Path(first["json"]).read_bytes() == before
    again = json.loads(Path(blank.hold(date="2026-11-23", resume=True)["json"]).read_bytes())
    assert (again["token"]["origin"], again["key"]["origin"]) == ("found", "found")
    assert again["key"]["key_id"] == json.loads(before)["key"]["key_id"]


def test_an_interrupted_ceremony_goes_on_and_the_protocol_says_what_was_found(blank: Blank) -> None:
    blank.hold()
    found = json.loads(Path(blank.hold(date="2026-11-22", key_label="second", resume=True)["json"]).read_bytes())
    assert (found["token"]["origin"], found["key"]["origin"]) == ("found", "created")


def test_a_wrong_or_equal_pin_is_refused_before_anything_is_made(blank: Blank) -> None:
    equal = blank.hold(so_pin_file=blank.plan["pin_file"])
    assert equal["error"] == "ValueError" and "must differ" in equal["words"]
    assert not any((blank.folder / "tokens").iterdir())
    blank.hold()
    (blank.folder / "pin").write_text("wrong-pin-20261121")
    assert blank.hold(date="2026-11-22", resume=True)["error"] == "PinRefused"
    assert not (blank.folder / "key-ceremony-2026-11-22.json").exists()


def test_a_token_that_does_not_report_where_the_key_was_born_is_refused_and_the_key_taken_back(
    tmp_path: Path, blank: Blank
) -> None:
    own = Nss(tmp_path / "nss")
    nss_plan(own, blank)
    refused = blank.hold(key_label="ceremonial", resume=True)
    assert refused["error"] == "KeyMissing" and "CKA_LOCAL" in refused["words"]
    held = blank.hold(key_label="ceremonial", resume=True, local_not_reported=True)
    protocol = json.loads(Path(held["json"]).read_bytes())
    assert protocol["key"]["origin"] == "created", "the refused key was taken back"
    assert protocol["key"]["not_reported"] == ["CKA_LOCAL"] and protocol["token"]["origin"] == "found"
    assert "Not vouched for" in Path(held["text"]).read_text()


def test_a_key_that_was_imported_is_refused_even_where_origin_is_not_reported(tmp_path: Path, blank: Blank) -> None:
    own = SoftHsm(tmp_path / "softhsm")
    own.run("import_key.py", "imported")
    blank.environment = own.environment
    changes = {"pin_file": str(own.pin_file), "key_label": "imported", "resume": True, "local_not_reported": True}
    refused = blank.hold(token={"module": SOFTHSM_LIBRARY, "label": Token.LABEL}, **changes)
    assert refused["error"] == "KeyMissing"
    assert "CKA_ALWAYS_SENSITIVE" in refused["words"] and "CKA_NEVER_EXTRACTABLE" in refused["words"]


def test_the_next_key_follows_the_first_and_both_stay(blank: Blank) -> None:
    missing = blank.hold("next", resume=True)
    assert missing["error"] == "HsmUnavailable" and "token init" in missing["words"]
    first = json.loads(Path(blank.hold()["json"]).read_bytes())
    for date, label in (("2026-12-01", "bonopay-seal-2"), ("2026-12-02", "bonopay-seal-3")):
        following = json.loads(Path(blank.hold("next", date=date)["json"]).read_bytes())
        assert (following["key"]["label"], following["key"]["origin"]) == (label, "created")
        assert following["key"]["key_id"] != first["key"]["key_id"]
    kept = json.loads(Path(blank.hold(date="2026-12-03", resume=True)["json"]).read_bytes())
    assert kept["key"]["key_id"] == first["key"]["key_id"]


def test_the_next_key_needs_a_first_one(blank: Blank) -> None:
    blank.hold(key_label="other")
    refused = blank.hold("next", date="2026-12-01")
    assert refused["error"] == "KeyMissing" and "key ceremony" in refused["words"]


@pytest.mark.parametrize("date", ["", "../x", "2026-13-01", "21 nov"])
def test_a_date_that_is_none_is_refused_before_anything_is_made(blank: Blank, date: str) -> None:
    assert blank.hold(date=date)["error"] == "ValueError"
    assert not any((blank.folder / "tokens").iterdir())
