"""Seals per second and latency of the signer over HTTP, inline: prepare, seal, confirm, certified entry.

One outlet, the DGI sandbox on the same machine. Every answer is a certified invoice; numbers must come out unbroken.
"""

import statistics
import threading
import time

from tests.conftest import described_instance
from tests.signer_api import SignerApi, demo_payload

ONE_BY_ONE = 200
CLIENTS, EACH = 8, 40


def main() -> None:
    signer = SignerApi.of(described_instance())
    template = demo_payload()
    for _ in range(20):
        _seal(signer, template)
    latencies = sorted(_timed(signer, template) for _ in range(ONE_BY_ONE))
    started = time.perf_counter()
    numbers = _in_parallel(signer, template)
    rate = len(numbers) / (time.perf_counter() - started)
    _check_unbroken(numbers)
    p50, p95 = statistics.median(latencies), latencies[int(len(latencies) * 0.95)]
    print(f"seal p50_ms={p50:.1f} p95_ms={p95:.1f} per_s={1000 / statistics.mean(latencies):.0f} per_s_8={rate:.0f}")


def _seal(signer: SignerApi, payload: dict) -> str:
    """The fiscal number of a new, certified document."""
    answer = signer.seal(payload)
    assert answer["dgi"]["status"] == "certified", answer["dgi"]
    return answer["fiscal_number"]


def _timed(signer: SignerApi, template: dict) -> float:
    started = time.perf_counter()
    _seal(signer, template)
    return (time.perf_counter() - started) * 1000


def _in_parallel(signer: SignerApi, template: dict) -> list[str]:
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
