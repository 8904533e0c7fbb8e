"""What came of the tests of the last full run: pytest's JUnit files, kept when the run is removed."""

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from launcher.config import CHECKOUT, Home
from launcher.shell import output_of

RESULTS = "results"
DOCUMENT = CHECKOUT / "docs" / "homologation.md"  # made from the results: not part of what they are about


@dataclass(frozen=True)
class RunFacts:
    """What a run tested: `commit` and whether files differed from it; `date` is UTC, to the minute."""

    commit: str
    changed: bool
    date: str


def describe_checkout() -> RunFacts:
    git = ("git", "-C", CHECKOUT)
    changes = output_of([*git, "status", "--porcelain", "--", ".", f":!{DOCUMENT.relative_to(CHECKOUT)}"])
    commit = output_of([*git, "rev-parse", "HEAD"]).strip()
    return RunFacts(commit or "unknown", bool(changes.strip()), f"{datetime.now(UTC):%Y-%m-%d %H:%M}")


def keep_results(home: Home, folder: Path, tested: RunFacts) -> None:
    """Put the JUnit files of a full run in the place of those of the one before."""
    kept, coming = home.root / RESULTS, home.root / f"{RESULTS}.new"
    shutil.rmtree(coming, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)  # where every suite broke before its first test, there is none
    shutil.copytree(folder, coming)
    (coming / "run.json").write_text(json.dumps(asdict(tested), indent=2))
    shutil.rmtree(kept, ignore_errors=True)
    coming.rename(kept)


def last_run(home: Home) -> RunFacts | None:
    """What the kept results are about; `None` before the first full run."""
    described = home.root / RESULTS / "run.json"
    return RunFacts(**json.loads(described.read_text())) if described.exists() else None
