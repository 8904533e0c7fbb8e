"""``token`` and ``key`` as an operator runs them: what they say, and what they say when it cannot be."""

import json
import re
from pathlib import Path

import pytest
from pkcs11.exceptions import DeviceMemory, GeneralError, PinLocked, SessionCount, SessionReadOnly

from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.cryptoki import CryptokiError, NoBlankToken
from bonopay_signer.hsm.token import explained

from ..support.processes import run_signer_command
from ..support.tokens import Token
from .material import NSS_LIBRARY, SOFTHSM_LIBRARY, Nss, run_script

PIN, SO_PIN = "user-pin-20261121", "so-pin-20261121"


class Operator:
    """A shell with the settings of a signer that has no token yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tokens").mkdir(parents=True)
        configuration = folder / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
        for name, pin in (("pin", PIN), ("so-pin", SO_PIN)):
            (folder / name).touch(0o600)
            (folder / name).write_text(pin)
        self.environment = {"SOFTHSM2_CONF": str(configuration)}
        self.set(token_label="bonopay", token_pin_file=folder / "pin")

    def set(self, **settings: object) -> None:
        self.environment |= {f"BONOPAY_SIGNER_{name.upper()}": str(value) for name, value in settings.items()}

    def run(self, *arguments: str) -> str:
        done = run_signer_command(*arguments, environment=self.environment)
        assert done.returncode == 0, done.stderr
        assert not re.search(f"{PIN}|{SO_PIN}", done.stdout + done.stderr)
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """One line on standard error, without a secret."""
        done = run_signer_command(*arguments, environment=self.environment)
        assert done.returncode == 1 and done.stdout == "", done.stdout
        assert done.stderr.startswith("bonopay-signer: ") and done.stderr.count("\n") == 1, done.stderr
        assert not re.search(f"{PIN}|{SO_PIN}", done.stderr)
        return done.stderr

    def ceremony(self, *more: str) -> str:
        so_pin = ("--so-pin-file", str(self.folder / "so-pin"))
        return self.run("key", "ceremony", "--output", str(self.folder), "--date", "2026-11-21", *so_pin, *more)

    def protocol(self, date: str) -> dict:
        return json.loads((self.folder / f"key-ceremony-{date}.json").read_bytes())


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "operator")


def test_a_ceremony_makes_token_key_and_protocol_and_the_next_key_follows(operator: Operator) -> None:
    told = operator.ceremony("--role", "Présidente", "--role", "Témoin")
    protocol = operator.protocol("2026-11-21")
    assert protocol["roles"] == ["Présidente", "Témoin"] and protocol["authority"] == "BONO-CD-DEMO"
    assert protocol["key"]["key_id"] in told and "key-ceremony-2026-11-21.txt" in told
    assert "Présidente" in (operator.folder / "key-ceremony-2026-11-21.txt").read_text()
    output = ("--output", str(operator.folder), "--date", "2026-12-01")
    assert "bonopay-seal-2" in operator.run("key", "next", *output)
    second = operator.protocol("2026-12-01")["key"]
    operator.set(key_label="bonopay-seal-2")
    told = operator.run("key", "next")
    assert "key bonopay-seal-3" in told and "bonopay-signer key rotate --to bonopay-seal-3" in told
    listed = json.loads(operator.run("key", "list", "--json"))
    assert [key["label"] for key in listed] == ["bonopay-seal", "bonopay-seal-2", "bonopay-seal-3"]
    assert [key["key_id"] for key in listed[:2]] == [protocol["key"]["key_id"], second["key_id"]]
    assert [key["troubles"] for key in listed] == [[]] * 3
    lines = operator.run("key", "list").splitlines()
    assert [line.startswith("* bonopay-seal-2 ") for line in lines] == [False, True, False]
    shown = json.loads(operator.run("token", "show", "--json"))
    assert shown["facts"]["serial"] == protocol["token"]["serial"]
    assert (shown["user_pin"], shown["signs_raw_ecdsa"]) == ("good", True)
    operator.set(token_serial=protocol["token"]["serial"])
    assert protocol["token"]["serial"] in operator.run("token", "show")


def test_a_second_ceremony_is_refused_and_changes_nothing(operator: Operator) -> None:
    operator.ceremony()
    before = operator.protocol("2026-11-21")
    again = ("key", "ceremony", "--output", str(operator.folder), "--so-pin-file", str(operator.folder / "so-pin"))
    assert "keep it" in operator.refused(*again, "--date", "2026-11-21")
    assert "pass --resume" in operator.refused(*again, "--date", "2026-11-22")
    assert operator.protocol("2026-11-21") == before
    assert json.loads(operator.run("key", "list", "--json"))[0]["key_id"] == before["key"]["key_id"]


def test_what_the_settings_name_wrongly_is_told_with_the_way_out(operator: Operator) -> None:
    assert "token init" in operator.refused("token", "show")
    assert "no initialised token" in operator.refused("key", "list")
    operator.ceremony()
    (operator.folder / "other-pin").touch(0o600)
    (operator.folder / "other-pin").write_text("wrong-pin-20261121")
    wrong = {
        "token_label": ("nowhere", "the module shows: 'bonopay'"),
        "token_serial": ("123", "serial '123'"),
        "key_label": ("nowhere", "no key 'nowhere' to follow"),
        "pkcs11_module": ("libnowhere.so", "BONOPAY_SIGNER_PKCS11_MODULE"),
        "token_pin_file": (str(operator.folder / "other-pin"), "PinIncorrect; correct the PIN"),
    }
    right = dict(operator.environment)
    for setting, (value, words) in wrong.items():
        operator.environment = dict(right)
        operator.set(**{setting: value})
        assert words in operator.refused("key", "next")
    operator.environment = right
    assert "bonopay-seal-2" in operator.run("key", "next"), "one wrong PIN has not locked the token"


def test_equal_pins_are_refused_before_anything_is_made(operator: Operator) -> None:
    arguments = ("key", "ceremony", "--output", str(operator.folder), "--so-pin-file", str(operator.folder / "pin"))
    assert "must differ" in operator.refused(*arguments)
    assert not any((operator.folder / "tokens").iterdir())


def test_a_token_without_a_user_pin_is_shown_as_such_and_not_opened(operator: Operator) -> None:
    done = run_script("make_token_without_pin.py", operator.environment, SOFTHSM_LIBRARY, "bonopay")
    assert done.returncode == 0, done.stderr
    assert json.loads(operator.run("token", "show", "--json"))["user_pin"] == "not initialised"
    words = operator.refused("key", "create")
    assert "UserPinNotInitialized" in words and "no user PIN yet" in words


def test_another_maker_s_module_is_configured_by_settings_alone(operator: Operator, tmp_path: Path) -> None:
    nss = Nss(tmp_path / "nss")
    operator.set(
        pkcs11_module=NSS_LIBRARY,
        pkcs11_parameters=nss.address.parameters,
        token_label=nss.address.label,
        token_pin_file=nss.pin_file,
    )
    shown = json.loads(operator.run("token", "show", "--json"))
    assert (shown["facts"]["module"], shown["signs_raw_ecdsa"]) == (NSS_LIBRARY, True)
    output = ("--output", str(operator.folder), "--date", "2026-11-21")
    assert "CKA_LOCAL" in operator.refused("key", "next", *output)
    told = operator.run("key", "next", *output, "--local-not-reported")
    assert "bonopay-seal-2" in told and operator.protocol("2026-11-21")["key"]["not_reported"] == ["CKA_LOCAL"]
    listed = json.loads(operator.run("key", "list", "--json"))
    assert {key["label"] for key in listed} == {"bonopay-seal", "bonopay-seal-2"}


def test_the_demo_s_commands_are_repeatable(tmp_path: Path) -> None:
    token = Token(tmp_path / "token")
    so_pin = ("--so-pin-file", str(token.so_pin_file))
    assert token.run("token", "init", "--if-missing", *so_pin) == f"token {Token.LABEL} exists\n"
    assert re.fullmatch(r"key bonopay-seal \([0-9a-f]{16}\) exists\n", token.run("key", "create", "--if-missing"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DeviceMemory(), "the token is full"),
        (CryptokiError("C_InitToken", 0x31), "the token is full"),
        (CryptokiError("C_InitToken", 0x54), "--resume"),
        (CryptokiError("C_InitToken", 0xA0), "security officer's PIN"),
        (CryptokiError("C_InitToken", 0x99), "C_InitToken answered 0x00000099"),
        (NoBlankToken(), "never overwritten"),
        (PinLocked(), "the security officer unlocks it"),
        (SessionCount(), "BONOPAY_SIGNER_SIGNING_PROCESSES"),
        (SessionReadOnly(), "takes no changes"),
        (GeneralError(), "disk full or read-only"),
    ],
)
def test_what_no_token_of_the_tests_can_be_brought_to_say_has_words_too(error: Exception, words: str) -> None:
    assert words in explained(error, TokenAddress("module.so", label="bonopay"))
