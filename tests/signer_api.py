"""The signer's HTTP API as an outsider calls it: standard library, no code of the signer's."""

import json
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.instance import DEMO_MERCHANT, Instance

OUTLET = DEMO_MERCHANT["outlet"]
VECTORS = Path(__file__).parent / "vectors" / "payloads.json"


@dataclass(frozen=True)
class SignerApi:
    """One signer; with an API key, or without one for what is public.

    Every call raises `urllib.error.HTTPError` where the signer refuses.
    """

    url: str
    key: str = ""

    @classmethod
    def of(cls, instance: Instance) -> "SignerApi":
        return cls(instance.signer.url, instance.signer.api_key())

    def get(self, path: str) -> dict[str, Any]:
        return self._call(path)

    def invoice(self, fiscal_number: str) -> dict[str, Any]:
        """A sealed document with its payload and statement."""
        return self.get(f"/api/v1/invoices/{fiscal_number}")

    def head(self) -> dict[str, Any]:
        """Where the demo outlet's chain ends."""
        return self.get(f"/api/v1/outlets/{OUTLET}")["head"]

    def seal(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Have `payload` sealed under a new document id."""
        return self._call("/api/v1/invoices", json.dumps({**payload, "document_id": str(uuid.uuid4())}).encode())

    def _call(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)


def demo_payload() -> dict[str, Any]:
    """The first published payload, as if the demo outlet had made it."""
    payload = json.loads(VECTORS.read_text())["vectors"][0]["payload"]
    return {**payload, "merchant_nif": DEMO_MERCHANT["nif"], "outlet_id": OUTLET}
