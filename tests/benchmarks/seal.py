"""Seals per second and latency of the signer over HTTP, inline: prepare, seal, confirm, certified entry.

One outlet, the DGI sandbox on the same machine. Every answer is a certified invoice; numbers must come out unbroken.
"""

import json
import statistics
import threading
import time
import urllib.request
import uuid
from pathlib import Path

from launcher.instance import DEMO_MERCHANT
from launcher.signer import Signer
from tests.conftest import described_instance

ONE_BY_ONE = 200
CLIENTS, EACH = 8, 40
VECTORS = Path(__file__).parent.parent / "vectors" / "payloads.json"


def main() -> None:
    signer = described_instance().signer
    template = _template()
    for _ in range(20):
        _seal(signer, template)
    latencies = sorted(_timed(signer, template) for _ in range(ONE_BY_ONE))
    started = time.perf_counter()
    numbers = _in_parallel(signer, template)
    rate = len(numbers) / (time.perf_counter() - started)
    _check_unbroken(numbers)
    p50, p95 = statistics.median(latencies), latencies[int(len(latencies) * 0.95)]
    print(f"seal p50_ms={p50:.1f} p95_ms={p95:.1f} per_s={1000 / statistics.mean(latencies):.0f} per_s_8={rate:.0f}")


def _template() -> dict:
    """The first published payload, for the demo merchant's outlet."""
    vectors = json.loads(VECTORS.read_text())
    payload = vectors["vectors"][0]["payload"]
    return {**payload, "merchant_nif": DEMO_MERCHANT["nif"], "outlet_id": DEMO_MERCHANT["outlet"]}


def _seal(signer: Signer, template: dict) -> str:
    """The fiscal number of a new, certified document."""
    body = json.dumps({**template, "document_id": str(uuid.uuid4())}).encode()
    headers = {"Authorization": f"Bearer {signer.api_key()}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{signer.url}/api/v1/invoices", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert answer["dgi"]["status"] == "certified", answer["dgi"]
    return answer["fiscal_number"]


def _timed(signer: Signer, template: dict) -> float:
    started = time.perf_counter()
    _seal(signer, template)
    return (time.perf_counter() - started) * 1000


def _in_parallel(signer: Signer, template: dict) -> list[str]:
    numbers: list[str] = []

    def client() -> None:
        for _ in range(EACH):
            numbers.append(_seal(signer, template))

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == CLIENTS * EACH, "a client failed"
    return numbers


def _check_unbroken(numbers: list[str]) -> None:
    sequence = sorted(int(number.rsplit("-", maxsplit=1)[1]) for number in numbers)
    assert sequence == list(range(sequence[0], sequence[0] + len(sequence))), "a gap or a double"


if __name__ == "__main__":
    main()
