"""What the machine did during a slice: stolen time, and what others took of it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTimes:
    """Since boot, all processors together, in ticks."""

    busy: int
    stolen: int
    total: int

    @classmethod
    def now(cls) -> "CpuTimes":
        # user nice system idle iowait irq softirq steal (proc(5))
        numbers = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        idle, stolen = numbers[3] + numbers[4], numbers[7]
        return cls(sum(numbers) - idle - stolen, stolen, sum(numbers))

    def stolen_since(self, before: "CpuTimes") -> float:
        """Share of the machine's time that the hypervisor gave to others."""
        return (self.stolen - before.stolen) / max(1, self.total - before.total)

    def busy_since(self, before: "CpuTimes") -> float:
        """CPU-seconds that were used."""
        return (self.busy - before.busy) / _TICKS


def cpu_seconds(pids: Iterable[int]) -> float:
    """What these processes have used so far; those that ended count nothing."""
    spent = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        spent += int(fields[11]) + int(fields[12])
    return spent / _TICKS


def describe() -> str:
    """The machine in one line."""
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024 // 1024
    return f"{len(models)} × {models[0] if models else 'processor'}, {memory} GiB, Linux {os.uname().release}"
