"""What a verification found."""

from dataclasses import dataclass, field
from typing import Any

from bonopay_signer.fiscal.numbering import fiscal_number


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that does not hold of its subject: an outlet, a shard, a table.

    ``index`` is the entry's in the outlet's chain; None where the subject itself is wrong.
    """

    subject: str
    index: int | None
    check: str
    detail: str

    def __str__(self) -> str:
        place = self.check if self.index is None else f"entry {self.index}"
        return f"{self.subject}: BAD at {place}, {self.check}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Gap:
    """Answered entries that a restore lost: a new epoch was opened, and says so. Indexes and sequences inclusive.

    Where ``last_index`` is below ``first_index`` nothing is missing, but other entries were answered in the place of
    some that are here.
    """

    outlet_id: str
    epoch: int
    first_index: int
    last_index: int
    first_sequence: int
    last_sequence: int
    reason: str

    @property
    def numbers(self) -> tuple[str, str] | None:
        """The first and the last fiscal number that is missing; None when no invoice is."""
        if self.last_sequence < self.first_sequence:
            return None
        first, last = (fiscal_number(self.outlet_id, self.epoch, n) for n in (self.first_sequence, self.last_sequence))
        return first, last

    def __str__(self) -> str:
        if self.last_index < self.first_index:
            return f"{self.outlet_id}: epoch opened: other entries were answered in place of the last ones before it"
        numbers = f", invoices {' to '.join(self.numbers)}" if self.numbers else ", no invoice among them"
        return f"{self.outlet_id}: entries {self.first_index} to {self.last_index} were lost{numbers}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Verified:
    """A chain that holds from its first entry to its last."""

    outlet_id: str
    entries: int
    invoices: int
    entry_hash: bytes
    gaps: tuple[Gap, ...] = ()

    def __str__(self) -> str:
        return f"{self.outlet_id}: good, {self.entries} entries, {self.invoices} invoices, head {self.entry_hash.hex()}"


@dataclass
class Outcome:
    """``notes``: what was not or could not be checked, and what nothing signed covers."""

    chains: list[Verified] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    entries: int = 0

    @property
    def is_good(self) -> bool:
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        return {
            "result": "good" if self.is_good else "bad",
            "entries": self.entries,
            "outlets": [_chain_json(chain) for chain in self.chains],
            "faults": [
                {"subject": f.subject, "index": f.index, "check": f.check, "detail": f.detail} for f in self.faults
            ],
            "notes": self.notes,
        }


def _chain_json(chain: Verified) -> dict[str, Any]:
    gaps = [
        {
            "epoch": gap.epoch,
            "first_index": gap.first_index,
            "last_index": gap.last_index,
            "numbers": gap.numbers,
            "reason": gap.reason,
        }
        for gap in chain.gaps
    ]
    head = chain.entry_hash.hex()
    return {
        "outlet_id": chain.outlet_id,
        "entries": chain.entries,
        "invoices": chain.invoices,
        "head": head,
        "gaps": gaps,
    }
