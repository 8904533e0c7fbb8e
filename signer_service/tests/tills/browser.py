"""A till's browser as the signer sees it: a key and a chain of tickets, made without the signer's code."""

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..support.stand import Outlet

ZEROS = "00" * 32


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

    def sell(self, document_id: str | None = None, **members: Any) -> dict:
        """The next ticket, as it is sent."""
        self.counter += 1
        payload = {"lines": [{"code": "RIZ25", "quantity": "1"}]}
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
        der = self.key.sign(self._octets(statement, previous), ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(der)
        signature = base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=").decode()
        return {"statement": statement, "previous_hash": previous, "signature": signature}

    def hash(self, ticket: dict) -> str:
        return hashlib.sha256(self._octets(ticket["statement"], ticket["previous_hash"])).hexdigest()

    @staticmethod
    def _octets(statement: dict, previous: str) -> bytes:
        digest = hashlib.sha256(canonical(statement)).digest()
        return b"bonopay/ticket/1\n" + bytes.fromhex(previous) + digest
