"""The way to the DGI and back: `./bonopay bench dgi`.

    inline_ms    median of a sale that is sealed and certified before it is answered, one till
    sandbox_ms   median of what the sandbox itself takes for it: prepare and confirm, one after the other
    added_ms     the difference: rules, seal, journal of every byte, two stores
    inline_s     certified a second by one e-MCF (NIM), eight tills
    deferred_s   certified a second by one e-MCF while a backlog drains
    ceiling_s    what the sandbox certifies a second for one e-MCF, asked directly, four requests at once
    ratio        deferred_s / ceiling_s

Slices take turns. Void unless every sale has exactly one certification, at the sandbox and in the ledger.
"""

import argparse
import json
import signal
import statistics
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack
from uuid import uuid4

from launcher.console import step
from launcher.instance import Instance
from tests.benchmarks.load import closed_loop
from tests.benchmarks.machine import describe
from tests.benchmarks.outlets import Outlet, new_outlets, open_accounts, sale_requests
from tests.benchmarks.rigs import BenchSigner
from tests.conftest import described_instance

BACKLOG = 200
_PROMPT = {
    # The backlog is made by an address that nobody answers at; how long the breaker rests then is not measured here.
    "BONOPAY_SIGNER_DGI_BREAKER_REST": "0.5",
    "BONOPAY_SIGNER_RECOVERY_INTERVAL": "0.2",
}
DIRECT_AT_ONCE = 4
MOST = 4_000


class Void(Exception):
    """What was measured does not count."""


class Direct:
    """The sandbox without a signer: what the signer sent for a sale, sent again under other numbers."""

    def __init__(self, base: str, token: str, request: bytes, confirm: bytes) -> None:
        self._base, self._token = base, token
        self._request, self._confirm = json.loads(request), confirm

    def certify(self) -> float:
        """Seconds of prepare and confirm."""
        body = json.dumps({**self._request, "rn": f"DIRECT-{uuid4()}"}).encode()
        started = time.perf_counter()
        uid = self._call("POST", "/api/invoice", body)["uid"]
        answer = self._call("PUT", f"/api/invoice/{uid}/confirm", self._confirm)
        if not answer.get("codeDEFDGI"):
            raise Void(f"the sandbox did not certify: {answer}")
        return time.perf_counter() - started

    def _call(self, method: str, path: str, body: bytes) -> dict:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._base + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read())

    def one_by_one(self, seconds: float) -> list[float]:
        end, times = time.perf_counter() + seconds, []
        while time.perf_counter() < end:
            times.append(self.certify())
        return times

    def at_once(self, seconds: float) -> float:
        """A second."""
        done: list[float] = []
        threads = [
            threading.Thread(target=lambda: done.extend(self.one_by_one(seconds))) for _ in range(DIRECT_AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(done) / seconds


class Bench:
    def __init__(self, instance: Instance, stack: ExitStack) -> None:
        self._instance = instance
        self._till, self._direct_till = new_outlets(2)
        self._sales = 0
        with step("DGI sandbox, HSM token, signer"):
            open_accounts(instance.sandbox, [self._till, self._direct_till])
            instance.sandbox.service.start()
            stack.callback(instance.sandbox.service.stop)
            instance.signer.prepare()
            self.signer = BenchSigner(instance, "dgi", **_PROMPT)
            self.signer.make(instance.sandbox, [self._till], "inline", instance.sandbox.url)
            self.signer.service.start()
            stack.callback(self.signer.service.stop)
        self._key = self.signer.api_key()
        self.inline(1, 0.2)
        self.direct = self._asked_directly(self._direct_till)

    def _asked_directly(self, till: Outlet) -> Direct:
        sent = "SELECT body FROM signer.dgi_exchange WHERE step = %s AND direction = 'request' ORDER BY id LIMIT 1"
        [(request,)] = self.signer.rows(sent.replace("%s", "'prepare'"))
        [(confirm,)] = self.signer.rows(sent.replace("%s", "'confirm'"))
        sandbox = self._instance.sandbox
        return Direct(sandbox.url, sandbox.token_file(till.nim).read_text().strip(), bytes(request), bytes(confirm))

    def inline(self, connections: int, seconds: float) -> tuple[float, float]:
        """(sales a second, median seconds)"""
        requests = [sale_requests(self.signer.port, self._key, self._till, MOST)]
        load = closed_loop(self.signer.port, connections, requests, seconds)
        if set(load.statuses()) != {201}:
            raise Void(f"the signer answered {load.statuses()}")
        self._sales += len(load.answers)
        return load.per_second, statistics.median(load.latencies)

    def deferred(self) -> float:
        """Certified a second while a backlog drains: the outlet's mode is changed while the signer runs."""
        self._mode("deferred", "http://127.0.0.1:9/edef")
        requests = [sale_requests(self.signer.port, self._key, self._till, BACKLOG)]
        waiting = BACKLOG
        while waiting > 0:
            load = closed_loop(self.signer.port, 8, requests, 0.02)
            waiting -= len(load.answers)
            self._sales += len(load.answers)
            if waiting < 64:
                break
        queued = self._waiting()
        started = time.perf_counter()
        self._mode("deferred", self._instance.sandbox.url)
        while self._waiting() > queued // 10:  # the first wait for the breaker, the last for their own turn
            time.sleep(0.02)
        first, last, count = self._certified_since(started)
        self._settled()
        self._mode("inline", self._instance.sandbox.url)
        return count / (last - first)

    def _mode(self, mode: str, url: str) -> None:
        self.signer.run("outlet", "change", self._till.id, "--dgi-mode", mode, "--dgi-url", url)

    def _waiting(self) -> int:
        [(count,)] = self.signer.rows("SELECT count(*) FROM signer.submission WHERE state <> 'settled'")
        return count

    def _certified_since(self, started: float) -> tuple[float, float, int]:
        ago = time.perf_counter() - started
        [row] = self.signer.rows(
            "SELECT extract(epoch FROM min(sealed_at)), extract(epoch FROM max(sealed_at)), count(*) FROM signer.entry "
            f"WHERE kind = 'dgi_certified' AND sealed_at > now() - interval '{ago:.3f} seconds'"
        )
        return float(row[0]), float(row[1]), row[2]

    def _settled(self) -> None:
        deadline = time.monotonic() + 120
        while self._waiting():
            if time.monotonic() > deadline:
                raise Void(f"{self._waiting()} sales are not certified")
            time.sleep(0.1)

    def judge(self) -> None:
        """Raises Void unless every sale has exactly one certification."""
        self._settled()
        [(invoices, certified, distinct)] = self.signer.rows(
            "SELECT count(*) FILTER (WHERE kind = 'invoice'), count(*) FILTER (WHERE kind = 'dgi_certified'), "
            "count(DISTINCT fiscal_number) FILTER (WHERE kind = 'dgi_certified') FROM signer.entry"
        )
        if not invoices == certified == distinct == self._sales:
            raise Void(f"{self._sales} sales, {invoices} sealed, {certified} certified, {distinct} of them different")
        code, words = self.signer.verify()
        if code:
            raise Void(f"the ledger does not verify: {words}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./bonopay bench dgi", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a slice")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that the servers are ended too
    print(f"{describe()}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC", flush=True)
    found: dict[str, list[float]] = {}
    try:
        with ExitStack() as stack:
            bench = Bench(described_instance(), stack)
            for number in range(1, options.rounds + 1):
                figures = {
                    "sandbox_ms": statistics.median(bench.direct.one_by_one(options.seconds)) * 1000,
                    "inline_ms": bench.inline(1, options.seconds)[1] * 1000,
                    "ceiling_s": bench.direct.at_once(options.seconds),
                    "inline_s": bench.inline(8, options.seconds)[0],
                    "deferred_s": bench.deferred(),
                }
                print(
                    f"round {number}: " + " ".join(f"{name}={value:.1f}" for name, value in figures.items()), flush=True
                )
                for name, value in figures.items():
                    found.setdefault(name, []).append(value)
            with step("Every sale is certified once, and the ledger verifies"):
                bench.judge()
    except Void as error:
        print(f"✗ {error}\ndgi void")
        return 1
    medians = {name: statistics.median(values) for name, values in found.items()}
    medians["added_ms"] = medians["inline_ms"] - medians["sandbox_ms"]
    print(
        "dgi "
        + " ".join(f"{name}={value:.1f}" for name, value in medians.items())
        + f" ratio={medians['deferred_s'] / medians['ceiling_s']:.2f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
