"""The simulation finds what it is there for: defects put into the core, each with the fault that shows it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from bonopay_signer.ledger import headstore, preparation, store
from bonopay_signer.ledger.tail import Tail
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing import credits
from bonopay_signer.sealing.settlement import Settlement

from ..support.databases import throw_away_database
from . import world as worlds
from .faults import Fault, Plan, Point
from .invariants import Violated
from .stage import Stage
from .test_clock import seal_seize_and_correct
from .test_every_effect import Story, credit, deferred, inline, play
from .test_full_disk import fill_and_free
from .world import World


async def nothing(*_arguments: Any) -> None:
    """Instead of what must be done."""


async def nothing_found(*_arguments: Any) -> dict:
    return {}


async def said_yes(*_arguments: Any) -> bool:
    return True


async def prepares_again(settlement: Settlement, sealed: Any) -> None:
    """Instead of asking what became of the uid."""
    await settlement._prepare_again(sealed)


def not_synchronised(known: Callable) -> Callable:
    def record(heads: headstore.HeadStore, mark: headstore.Mark) -> None:
        fdatasync, headstore.os.fdatasync = headstore.os.fdatasync, lambda _handle: None
        try:
            known(heads, mark)
        finally:
            headstore.os.fdatasync = fdatasync

    return record


async def full_disk(world: World) -> None:
    await fill_and_free(world, "I")


class Defect(NamedTuple):
    """What is put in place of what, the fault that shows it, and a word of the finding."""

    place: object
    name: str
    instead: Any
    story: Story
    fault: tuple[Point, Fault] | None
    finding: str


async def clock_goes_back(world: World) -> None:
    await seal_seize_and_correct(world, "D")


AFTER_APPEND = (Point("SELECT append", 1), Fault.CRASH_AFTER)
DEFECTS = {
    "answers before the head store has it": Defect(Tail, "remember", nothing, deferred, None, "before the head store"),
    "does not wait for the disk": Defect(
        headstore.HeadStore,
        "record",
        not_synchronised(headstore.HeadStore.record),
        deferred,
        None,
        "before the head store",
    ),
    "does not catch up with the database": Defect(
        Tail, "_catch_up", nothing, deferred, AFTER_APPEND, "before the head store|is not answered"
    ),
    "tells what only the database has": Defect(
        LedgerWriter, "require_released", lambda *_: None, full_disk, None, "before the head store"
    ),
    "takes a lost reply for a commit": Defect(
        Tail,
        "_was_committed",
        said_yes,
        deferred,
        (Point("SELECT append", 1), Fault.ERROR_BEFORE),
        "before the database",
    ),
    "does not look up what is sealed": Defect(
        store, "sealed_documents", nothing_found, deferred, AFTER_APPEND, "not answered"
    ),
    "dates an entry as its clock says": Defect(
        preparation, "seal_time", lambda now, last: now, clock_goes_back, None, "is not answered"
    ),
    "does not judge credit notes": Defect(credits, "judge", nothing_found, credit, None, "credited twice"),
    "asks the DGI again without asking what became of it": Defect(
        Settlement,
        "_resolve",
        prepares_again,
        inline,
        (Point("DGI confirm", 1), Fault.CRASH_AFTER),
        "once, at the DGI",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found(stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    defect = DEFECTS[name]
    monkeypatch.setattr(defect.place, defect.name, defect.instead)
    monkeypatch.setattr(worlds, "PERSEVERANCE", 1.0)
    plan = Plan(dict([defect.fault]) if defect.fault else None)
    with pytest.raises(Violated, match=defect.finding):
        stage.run(play(World(stage, plan, patience=0.3), defect.story))
    assert len(plan.struck) == bool(defect.fault)


@pytest.fixture(scope="module")
def another_stage(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """With a database whose functions may be changed."""
    with throw_away_database(cluster) as database, Stage(database, tmp_path_factory.mktemp("unfenced")) as stage:
        yield stage


def without(stage: Stage, function: str, words: str) -> None:
    """Take a condition out of a function of the database."""
    (source,) = stage.admin.execute("SELECT pg_get_functiondef(%s::regproc)", [f"signer.{function}"]).fetchone()
    assert source.count(words) == 1
    stage.admin.execute(source.replace(words, ""))


def test_a_ledger_without_its_fence_is_found(another_stage: Stage) -> None:
    """A statement that was held back arrives when a successor writes."""
    late = {Point("SELECT append", 2): Fault.LATE}
    another_stage.run(play(World(another_stage, Plan(late)), deferred))
    without(another_stage, "append", " AND generation = p_generation")
    with pytest.raises(Violated, match="let in"):
        another_stage.run(play(World(another_stage, Plan(late)), deferred))
