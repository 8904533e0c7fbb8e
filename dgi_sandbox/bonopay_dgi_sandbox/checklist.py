"""The go-live checklist of an e-MCF: scenarios as data in `data/checklist.json`, ticked by what really happened."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from typing import Any

from .conduct import CONDUCTS, Observer, Proof
from .documents import Document
from .faults import from_timestamp
from .store import Store

CHUNK = 200
MAX_CHUNKS = 10
CONDITIONS: dict[str, Callable[[Document, Any], bool]] = {
    "type": lambda document, code: document.type == code,
    "nature": lambda document, code: document.nature == code,
    "mode": lambda document, mode: document.mode == mode,
    "client": lambda document, code: document.client.type == code,
    "item_type": lambda document, code: any(item.type == code for item in document.items),
    "tax_group": lambda document, group: any(item.tax_group == group for item in document.items),
    "tax_groups": lambda document, least: len({item.tax_group for item in document.items}) >= least,
    "specific_tax": lambda document, given: any(item.specific_tax > 0 for item in document.items) is given,
    "payment": lambda document, means: any(payment.name == means for payment in document.payments),
    "payments": lambda document, least: len({payment.name for payment in document.payments}) >= least,
    "paid_in": lambda document, currency: any(payment.currency == currency for payment in document.payments),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Passed by a certified invoice that meets all conditions, or by a conduct; the texts are French."""

    key: str
    section: str
    title: str
    todo: str
    certified: Mapping[str, Any] = field(default_factory=dict)
    conduct: str = ""

    def __post_init__(self) -> None:
        assert bool(self.certified) != bool(self.conduct), self.key
        assert self.certified.keys() <= CONDITIONS.keys() and (not self.conduct or self.conduct in CONDUCTS), self.key

    def is_met_by(self, document: Document) -> bool:
        return bool(self.certified) and all(
            CONDITIONS[name](document, wanted) for name, wanted in self.certified.items()
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """`passed_at` in Unix seconds by the service's clock, None while open; `rn`: the invoice that shows it, if any."""

    scenario: Scenario
    passed_at: float | None
    rn: str

    def as_dict(self) -> dict[str, Any]:
        moment = None if self.passed_at is None else from_timestamp(self.passed_at).isoformat(timespec="seconds")
        texts = {name: getattr(self.scenario, name) for name in ("key", "section", "title", "todo")}
        return {**texts, "passed": self.passed_at is not None, "passed_at": moment, "rn": self.rn}


@dataclass(frozen=True, slots=True)
class Report:
    """`behind`: exchanges that are not judged yet, because there were very many since the last look."""

    nim: str
    standings: list[Standing]
    behind: int

    @property
    def passed(self) -> int:
        return sum(one.passed_at is not None for one in self.standings)

    def as_dict(self) -> dict[str, Any]:
        counts = {"passed": self.passed, "total": len(self.standings), "behind": self.behind}
        return {"nim": self.nim, **counts, "scenarios": [one.as_dict() for one in self.standings]}


@cache
def _text() -> str:
    return files(__package__).joinpath("data/checklist.json").read_text("utf-8")


@cache
def scenarios() -> tuple[Scenario, ...]:
    return tuple(Scenario(**row) for row in json.loads(_text()))


@cache
def edition() -> str:
    """Another checklist judges everything anew."""
    return hashlib.sha256(_text().encode()).hexdigest()[:16]


def report(store: Store, nim: str) -> Report:
    """Judges what came since the last look, at most CHUNK × MAX_CHUNKS exchanges, and answers where the NIM stands.

    Judging when somebody looks keeps it out of the way of the invoices.
    """
    for _ in range(MAX_CHUNKS):
        if _judge_some(store, nim) < CHUNK:
            break
    with store.transaction() as transaction:
        ticks = {row["scenario"]: row for row in transaction.checklist.ticks(nim)}
        behind = transaction.checklist.behind(nim)
    return Report(nim, [_standing(scenario, ticks) for scenario in scenarios()], behind)


def _standing(scenario: Scenario, ticks: Mapping[str, Any]) -> Standing:
    tick = ticks.get(scenario.key)
    return Standing(scenario, tick["passed_at"] if tick else None, tick["rn"] if tick else "")


def _judge_some(store: Store, nim: str) -> int:
    """One transaction: a chunk of exchanges and the mark up to which all is judged. Answers their number."""
    with store.transaction() as transaction:
        rows = transaction.exchanges(nim, transaction.checklist.judged(nim, edition()), CHUNK)
        observer = Observer(transaction, nim)
        for row in rows:
            for proof in observer.see(row):
                for scenario in filter(partial(_shows, proof), scenarios()):
                    transaction.checklist.tick(nim, scenario.key, row["received_at"], proof.rn, proof.uid)
        if rows:
            transaction.checklist.mark(nim, rows[-1]["id"], edition())
    return len(rows)


def _shows(proof: Proof, scenario: Scenario) -> bool:
    if proof.document is None:
        return scenario.conduct == proof.conduct
    return scenario.is_met_by(proof.document)
