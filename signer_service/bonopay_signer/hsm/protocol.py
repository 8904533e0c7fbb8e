"""The protocol of a key ceremony: what was found, as JSON to keep and as text to print and sign by hand."""

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct

from bonopay_signer.fiscal import canonical

Origin = Literal["created", "found"]
_WIDTH = 34


class TokenFacts(Struct, frozen=True):
    """What the module and the token say of themselves; `origin` tells whether this ceremony initialised the token."""

    origin: Origin
    module: str
    library: str
    library_version: str
    label: str
    serial: str
    model: str
    manufacturer: str
    hardware_version: str
    firmware_version: str
    mechanisms: list[str]


class KeyFacts(Struct, frozen=True):
    """The key as read back: `attributes` by `CKA_` name, null where the token does not know one."""

    origin: Origin
    label: str
    key_id: str
    public_key_pem: str
    public_key_sha256: str
    attributes: dict[str, bool | None]
    not_reported: list[str]


class SelfTest(Struct, frozen=True):
    """A signature of the key over SHA-256(`preimage`), both hexadecimal, and the program that verified it."""

    preimage: str
    signature_der: str
    verified_by: str


class Protocol(Struct, frozen=True):
    """`date` and `roles` are given by those who hold the ceremony: the program knows neither."""

    schema: Literal["bonopay.key_ceremony/1"]
    date: str
    authority: str
    roles: list[str]
    token: TokenFacts
    key: KeyFacts
    self_test: SelfTest

    def json(self) -> bytes:
        """The RFC 8785 bytes."""
        return canonical.encode(msgspec.to_builtins(self))

    @property
    def sha256(self) -> str:
        """SHA-256 of the JSON, in hexadecimal: the paper names it, so the file is bound to the signatures by hand."""
        return hashlib.sha256(self.json()).hexdigest()

    def text(self) -> str:
        """The paper, in French and English."""
        return "\n".join([*self._facts(), *self._key(), *self._signatures()]) + "\n"

    def _facts(self) -> list[str]:
        token = self.token
        origin = {"created": "initialisé / initialised", "found": "trouvé initialisé / found initialised"}[token.origin]
        return [
            "PROCÈS-VERBAL DE CÉRÉMONIE DE CLÉ / KEY CEREMONY PROTOCOL",
            "=" * 57,
            _row("Date", self.date),
            _row("Autorité / Authority", self.authority),
            "",
            _row("Jeton / Token", f"{token.label} ({origin})"),
            _row("Numéro de série / Serial number", token.serial or "-"),
            _row("Modèle / Model", f"{token.model} ({token.manufacturer})"),
            _row("Matériel, microcode / Firmware", f"{token.hardware_version}, {token.firmware_version}"),
            _row("Module PKCS#11", token.module),
            _row("Bibliothèque / Library", f"{token.library} {token.library_version}"),
            _row("Mécanismes / Mechanisms", str(len(token.mechanisms))),
            *_wrapped(token.mechanisms),
            "",
        ]

    def _key(self) -> list[str]:
        key = self.key
        origin = {"created": "générée dans le jeton / generated inside", "found": "trouvée / found"}[key.origin]
        known = [f"{name} = {_word(value)}" for name, value in key.attributes.items()]
        return [
            _row("Clé / Key", f"{key.label} ({origin})"),
            _row("Identifiant / Key id", key.key_id),
            _row("SHA-256 (SubjectPublicKeyInfo)", key.public_key_sha256),
            "",
            key.public_key_pem.strip(),
            "",
            "Attributs relus sur le jeton / Attributes as read back:",
            *(f"  {line}" for line in known),
            *_row_if("Non garantis / Not vouched for", ", ".join(key.not_reported)),
            "",
            "Signature d'essai de SHA-256(préimage) / Test signature over SHA-256(preimage), vérifiée par / by:",
            f"  {self.self_test.verified_by}",
            *_in_lines(self.self_test.preimage),
            "",
            *_in_lines(self.self_test.signature_der),
            "",
        ]

    def _signatures(self) -> list[str]:
        width = max(_WIDTH, *map(len, self.roles), 0)
        lines = [f"{role:<{width}} nom / name: {'_' * 15}  signature: {'_' * 15}" for role in self.roles]
        return ["Présents / Present:", "", *(part for line in lines for part in (line, "")), _DIGEST_WORDS, self.sha256]


_DIGEST_WORDS = "SHA-256 du procès-verbal JSON / of the JSON protocol:"


def _row(name: str, value: str) -> str:
    return f"{name:<{_WIDTH}} {value}"


def _row_if(name: str, value: str) -> list[str]:
    return [_row(name, value)] if value else []


def _word(value: bool | None) -> str:
    return {True: "TRUE", False: "FALSE", None: "- (inconnu du jeton / unknown to the token)"}[value]


def _in_lines(digits: str) -> list[str]:
    return [f"  {digits[start : start + 80]}" for start in range(0, len(digits), 80)]


def _wrapped(names: list[str]) -> list[str]:
    """The names in lines of at most 96 characters."""
    lines = [" "]
    for name in names:
        if len(lines[-1]) + len(name) > 95:
            lines.append(" ")
        lines[-1] += f" {name}"
    return lines
