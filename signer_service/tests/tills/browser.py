"""A till's browser as the signer sees it: a key and a chain of tickets, made without the signer's code."""

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..support.stand import Outlet

ZEROS = "00" * 32
LARGEST = 2**53 - 1
"""The last counter: the largest whole number that every reader of JSON keeps."""
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256 (FIPS 186-4 D.1.2.3)."""


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass
class BrowserTill:
    outlet: Outlet
    terminal: str
    authority: str
    device_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    counter: int = 0
    head: str = ZEROS
    credential_id: int = 1

    @property
    def public_key(self) -> str:
        der = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    @property
    def key_id(self) -> str:
        return hashlib.sha256(base64.b64decode(self.public_key)).hexdigest()[:16]

    @property
    def enrolment(self) -> dict:
        return {
            "device_id": self.device_id,
            "outlet_id": self.outlet.id,
            "terminal": self.terminal,
            "public_key": self.public_key,
        }

    def copy(self) -> "BrowserTill":
        """The same profile on another machine."""
        return replace(self)

    def sell(self, document_id: str | None = None, payload: dict | None = None, **members: Any) -> dict:
        """The next ticket, as it is sent."""
        self.counter += 1
        payload = payload or {"lines": [{"code": "RIZ25", "quantity": "1"}]}
        statement = {
            "v": 1,
            "kind": "provisional",
            "authority": self.authority,
            "merchant_nif": self.outlet.nif,
            "outlet_id": self.outlet.id,
            "terminal": self.terminal,
            "counter": self.counter,
            "document_id": document_id or str(uuid.uuid4()),
            "document_type": "FV",
            "issued_at": "2026-11-21T08:30:00Z",
            "total": "11600.00",
            "tax": "1600.00",
            "currency": "CDF",
            "payload_hash": hashlib.sha256(canonical(payload)).hexdigest(),
            "key_id": self.key_id,
            "credential_id": self.credential_id,
            **members,
        }
        signed = self.signed(statement, self.head)
        self.head = self.hash(signed)
        return {**signed, "payload": payload}

    def signed(self, statement: dict, previous: str) -> dict:
        signature = spelt(self.raw(self._octets(statement, previous)))
        return {"statement": statement, "previous_hash": previous, "signature": signature}

    def raw(self, octets: bytes) -> bytes:
        """The key's signature, r‖s."""
        r, s = decode_dss_signature(self.key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def qr(self, ticket: dict, **members: Any) -> str:
        """The part of its QR behind ``/P/``, spelt by hand; ``members`` are spelt instead of what was signed."""
        statement = {**ticket["statement"], **members}
        octets = bytes([1, ("FV", "FT", "FA", "EV", "ET", "EA").index(statement["document_type"]) + 1])
        for name in ("authority", "merchant_nif", "outlet_id", "terminal"):
            octets += bytes([len(statement[name])]) + statement[name].encode()
        seconds = int(datetime.fromisoformat(statement["issued_at"]).timestamp())
        amounts = [int(statement[name].replace(".", "")) for name in ("total", "tax")]
        octets += b"".join(map(_varint, (statement["counter"], seconds, *amounts)))
        octets += uuid.UUID(statement["document_id"]).bytes + bytes.fromhex(statement["payload_hash"])
        octets += bytes.fromhex(statement["key_id"]) + _varint(statement["credential_id"])
        octets += bytes.fromhex(ticket["previous_hash"]) + base64.urlsafe_b64decode(ticket["signature"] + "==")
        return base64.b32encode(octets).decode().rstrip("=")

    def hash(self, ticket: dict) -> str:
        return hashlib.sha256(self._octets(ticket["statement"], ticket["previous_hash"])).hexdigest()

    @staticmethod
    def _octets(statement: dict, previous: str) -> bytes:
        digest = hashlib.sha256(canonical(statement)).digest()
        return b"bonopay/ticket/1\n" + bytes.fromhex(previous) + digest


def octets_of(signature: str) -> bytes:
    return base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))


def spelt(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def der(signature: str) -> str:
    """The same signature as other programs hand it out."""
    raw = octets_of(signature)
    return spelt(encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")))


def mirrored(signature: str) -> str:
    """The other s that verifies just as well: P-256 signatures are malleable, and a browser makes either."""
    raw = octets_of(signature)
    return spelt(raw[:32] + (ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big"))


def _varint(number: int) -> bytes:
    octets = b""
    while number > 127:
        octets, number = octets + bytes([number % 128 + 128]), number // 128
    return octets + bytes([number])
