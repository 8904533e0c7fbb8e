"""How near the signer is to what its parts allow: sealed invoices per second against their serial limit, in one run.

Slices of one second take turns, so that all meet the same noise of the machine; only ratios within a round mean
something. The outlets are ``deferred`` (sealed and answered at once) and the DGI cannot be reached, as in an outage.
The run is void unless the ledgers hold exactly what was answered 201 and everything verifies.

    r1      sealed per second, 8 outlets and 256 connections, by the serial limit 1/(1/echo + 1/sign + 1/append)
    r1_hot  the same with one outlet and 64 connections
    r2      sealed per second by durable puts of the same size into etcd
    r3      median latency at one connection by (median fdatasync + median signature of the token)
    growth  median latency at one connection with 10^6 entries by that with 10^3

What r2 and r3 could be at best, were sealing free, is told beside them: the echo alone by etcd; the echo, one
signature, one entry appended and one fdatasync, each alone at one connection, by the same divisor as r3.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from launcher.console import step
from launcher.instance import Instance, free_ports
from tests.benchmarks.load import Load, closed_loop
from tests.benchmarks.machine import CpuTimes, cpu_seconds, describe
from tests.benchmarks.outlets import new_outlets, open_accounts, sale_requests
from tests.benchmarks.rigs import BenchSigner, Echo, Etcd, Parts
from tests.conftest import described_instance

OUTLETS = 8
CONNECTIONS, HOT_CONNECTIONS = 256, 64
SMALL = 1_000
STOLEN = 0.10  # share of the machine; a round that lost more is left out
NOWHERE = "http://127.0.0.1:9/edef"  # discard: nobody listens
UNLIMITED = {"BONOPAY_SIGNER_KEY_RATE": "0", "BONOPAY_SIGNER_OUTLET_RATE": "0"}
MOST = {OUTLETS: 2_000, 1: 12_000}  # sales for a slice, made beforehand, per outlet
ALONE = ("disk", "token", "sign_one", "append_one")
Round = dict[str, float]


class Void(Exception):
    """The figures mean nothing."""


@dataclass
class Tally:
    """What a signer answered during the whole run."""

    numbers: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def count(self, load: Load) -> None:
        for answer in load.answers:
            head, _, body = answer.partition(b"\r\n\r\n")
            if int(head[9:12]) == 201:
                self.numbers.append(json.loads(body)["fiscal_number"])
            else:
                self.faults.append(answer[:300].decode(errors="replace"))


class Contender:
    """A signer that serves, and what it has answered."""

    def __init__(self, instance: Instance, model: BenchSigner, name: str, filled: int) -> None:
        self.signer = BenchSigner(instance, name, **UNLIMITED)
        self.outlets = new_outlets(OUTLETS)
        self.tally = Tally()
        self.filled = filled
        self.signer.make_like(model)
        if filled:
            self._fill()
        self.signer.service.start()
        self._key = self.signer.api_key()

    def load(self, outlets: int, connections: int, seconds: float) -> Load:
        each = min(MOST.get(outlets, 2_000), int(20_000 * seconds)) if connections > 1 else int(4_000 * seconds)
        requests = [sale_requests(self.signer.port, self._key, one, each) for one in self.outlets[:outlets]]
        load = closed_loop(self.signer.port, connections, requests, seconds)
        self.tally.count(load)
        return load

    def judge(self) -> None:
        """Raises Void unless the ledger is what was answered, and verifies."""
        numbers = self.tally.numbers
        [(rows,)] = self.signer.rows("SELECT count(*) FROM signer.entry WHERE kind = 'invoice'")
        if self.tally.faults:
            raise Void(f"{len(self.tally.faults)} answers were no seal, the first: {self.tally.faults[0]}")
        if len(set(numbers)) != len(numbers):
            raise Void("a fiscal number was answered twice")
        if rows != len(numbers) + self.filled:
            raise Void(f"{self.signer.name}: {rows} rows, {len(numbers)} answers after {self.filled} filled in")
        code, words = self.signer.verify()
        if code:
            raise Void(f"{self.signer.name} does not verify: {words}")

    def _fill(self) -> None:
        filling = self.signer.python("tests.benchmarks.fill", str(OUTLETS), str(self.filled))
        if filling.wait():
            raise Void(f"the ledger of {self.signer.name} could not be filled")

    def pids(self) -> dict[str, list[int]]:
        from tests.chaos.stack import children_of

        pid = self.signer.service.pid()
        assert pid is not None
        postmaster = int((self.signer.cluster.data / "postmaster.pid").read_text().split()[0])
        return {
            "service": [pid],
            "signing": children_of(pid),
            "postgres": [postmaster, *children_of(postmaster)],
            "load": [os.getpid()],
        }


class Bench:
    def __init__(self, instance: Instance, slice_seconds: float, large: int, stack: ExitStack) -> None:
        """``stack`` ends every server that was started, whatever comes between."""
        self._seconds = slice_seconds
        outlets = new_outlets(OUTLETS)
        with step("HSM token, registry, signer and its parts"):
            open_accounts(instance.sandbox, outlets)
            instance.sandbox.service.start()
            instance.signer.prepare()
            model = BenchSigner(instance, "model")
            model.make(instance.sandbox, outlets, "deferred", NOWHERE)
            self.main = Contender(instance, model, "main", 0)
            stack.callback(self.main.signer.service.stop)
            self._parts = _make_parts(instance, model)
            stack.callback(self._parts.close)
        self._echo = stack.enter_context(closing(Echo(self.main.signer, free_ports(1)[0])))
        self._etcd = _etcd(instance.folder)
        if self._etcd:
            stack.callback(self._etcd.close)
        self._value = json.dumps(outlets[0].payload("0" * 36), separators=(",", ":")).encode()
        self.small, self.large = _grown(instance, model, large) if large else (None, None)
        for contender in (self.small, self.large):
            if contender:
                stack.callback(contender.signer.service.stop)
        self.cpu: dict[str, list[float]] = {}

    def round(self) -> Round:
        """One slice of each: per-second figures, and medians in seconds."""
        figures = {"echo": self._echoed(CONNECTIONS).per_second}
        figures |= {part: self._parts.measure(part, self._seconds)["per_second"] for part in ("sign", "append")}
        if self._etcd:
            figures["etcd"] = self._put()
        figures["seal"] = self._sealed()
        figures["hot"] = self.main.load(1, HOT_CONNECTIONS, self._seconds).per_second
        figures |= {part: self._parts.measure(part, self._seconds / 2)["p50"] for part in ALONE}
        figures["echo_one"] = _p50(self._echoed(1))
        figures["one"] = _p50(self.main.load(1, 1, self._seconds))
        if self.small and self.large:
            figures["small"] = _p50(self.small.load(1, 1, self._seconds))
            figures["large"] = _p50(self.large.load(1, 1, self._seconds))
        return figures

    def contenders(self) -> Iterator[Contender]:
        yield from (one for one in (self.main, self.small, self.large) if one)

    def _echoed(self, connections: int) -> Load:
        requests = [sale_requests(self._echo.port, "x", one, MOST[OUTLETS]) for one in self.main.outlets]
        load = closed_loop(self._echo.port, connections, requests, self._seconds if connections > 1 else 0.3)
        if set(load.statuses()) != {201}:
            raise Void(f"the echo answered {load.statuses()}")
        return load

    def _put(self) -> float:
        assert self._etcd
        load = closed_loop(self._etcd.port, CONNECTIONS, [self._etcd.requests(self._value, 20_000)], self._seconds)
        if set(load.statuses()) != {200}:
            raise Void(f"etcd answered {load.statuses()}")
        return load.per_second

    def _sealed(self) -> float:
        pids = self.main.pids()
        before = {name: cpu_seconds(group) for name, group in pids.items()}
        load = self.main.load(OUTLETS, CONNECTIONS, self._seconds)
        for name, group in pids.items():
            spent = (cpu_seconds(group) - before[name]) / len(load.answers)
            self.cpu.setdefault(name, []).append(spent * 1e6)
        return load.per_second


def _make_parts(instance: Instance, model: BenchSigner) -> Parts:
    signer = BenchSigner(instance, "parts")
    signer.make_like(model)
    folder = instance.folder / "disk"
    folder.mkdir()
    return Parts(signer, OUTLETS, folder)


def _grown(instance: Instance, model: BenchSigner, large: int) -> tuple[Contender, Contender]:
    with step(f"Two ledgers of {SMALL} and {large} entries"):
        return Contender(instance, model, "small", SMALL), Contender(instance, model, "large", large)


def _etcd(folder: Path) -> Etcd | None:
    program = os.environ.get("BONOPAY_BENCH_ETCD") or shutil.which("etcd")
    if not program:
        print("There is no etcd here: r2 is left out.", flush=True)
        return None
    return Etcd(Path(program), folder / "etcd")


def _p50(load: Load) -> float:
    return statistics.median(load.latencies)


# --- figures ---------------------------------------------------------------------------------------------------------

RATIOS: Mapping[str, Callable[[Round], float]] = {
    "r1": lambda one: one["seal"] / _serial_limit(one),
    "r1_hot": lambda one: one["hot"] / _serial_limit(one),
    "r2": lambda one: one["seal"] / one["etcd"],
    "r3": lambda one: one["one"] / (one["disk"] + one["token"]),
    "growth": lambda one: one["large"] / one["small"],
}
BEST: Mapping[str, Callable[[Round], float]] = {
    "r2 at best": lambda one: one["echo"] / one["etcd"],
    "r3 at best": lambda one: (
        sum(one[part] for part in ("echo_one", "sign_one", "append_one", "disk")) / (one["disk"] + one["token"])
    ),
}
LATENCIES = ("disk", "token", "sign_one", "append_one", "echo_one", "one", "small", "large")


def _serial_limit(one: Round) -> float:
    return 1 / (1 / one["echo"] + 1 / one["sign"] + 1 / one["append"])


def ratios(rounds: list[Round], wanted: Mapping[str, Callable[[Round], float]] = RATIOS) -> dict[str, list[float]]:
    """Every ratio whose parts were measured, by round."""
    found = {}
    for name, ratio in wanted.items():
        try:
            found[name] = [ratio(one) for one in rounds]
        except KeyError:
            continue  # what it needs was left out, which was said
    return found


def _tell(rounds: list[Round], cpu: Mapping[str, list[float]]) -> str:
    print(f"\n{'':10}{'median':>10}{'quartiles':>22}   rounds")
    for name in rounds[0]:
        scale, unit = (1e6, "µs") if name in LATENCIES else (1, "/s")
        print(_row(name, [one[name] * scale for one in rounds], unit, 0))
    found = ratios(rounds)
    for name, values in {**found, **ratios(rounds, BEST)}.items():
        print(_row(name, values, "", 2))
    print("CPU of a seal, µs: " + ", ".join(f"{name} {statistics.median(spent):.0f}" for name, spent in cpu.items()))
    return "seal " + " ".join(f"{name}={statistics.median(values):.2f}" for name, values in found.items())


def _row(name: str, values: list[float], unit: str, digits: int) -> str:
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    spread = f"{low:.{digits}f} – {high:.{digits}f}"
    each = " ".join(f"{value:.{digits}f}" for value in values)
    return f"{name:10}{statistics.median(values):>10.{digits}f}{spread:>22} {unit:2} {each}"


def _measure(bench: Bench, count: int) -> list[Round]:
    kept = []
    bench.main.load(OUTLETS, CONNECTIONS, 1.0)  # warm-up, counted for the ledger alone
    for number in range(1, count + 1):
        before = CpuTimes.now()
        figures = bench.round()
        stolen = CpuTimes.now().stolen_since(before)
        lost = stolen > STOLEN
        print(f"round {number}: {stolen:.0%} stolen{', left out' if lost else ''}", flush=True)
        if not lost:
            kept.append(figures)
    if len(kept) * 2 < count:
        raise Void(f"the machine was taken away in {count - len(kept)} of {count} rounds")
    return kept


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./bonopay bench seal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a slice")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the large ledger; 0 leaves growth out")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that the servers are ended too
    print(f"{describe()}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC", flush=True)
    try:
        with ExitStack() as stack:
            bench = Bench(described_instance(), options.seconds, options.entries, stack)
            rounds = _measure(bench, options.rounds)
            with step("Every ledger is counted and verified"):
                for contender in bench.contenders():
                    contender.judge()
    except Void as error:
        print(f"✗ {error}\nseal void")
        return 1
    print(_tell(rounds, bench.cpu))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
