"""Running programs: output into a log, failures with the log's last lines."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher.config import Home
from launcher.console import LauncherError

ANOTHER_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
TAIL = 15  # lines of a log that an error shows


def run(
    command: Sequence[str | Path],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    way_out: str = "",
) -> None:
    """Run `command` with its output appended to `log`.

    :raises LauncherError: when it fails, with the end of the log
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    name = Path(str(command[0])).name
    with log.open("a") as output:
        try:
            result = subprocess.run(
                [str(part) for part in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(env),
                cwd=cwd,
                input=stdin,
                text=True,
                stdin=None if stdin is not None else subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise LauncherError(f"There is no {error.filename}.", way_out or f"Is {name} installed?") from error
    if result.returncode:
        raise LauncherError(f"{name} failed (exit {result.returncode}).\n{tail(log)}", way_out or f"Full log: {log}")


def output_of(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Standard output of `command`; empty when it fails or does not exist."""
    try:
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, env=environment(env), check=False
        )
    except FileNotFoundError:
        return ""
    return result.stdout if result.returncode == 0 else ""


def environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """The caller's environment without what would leak another Python's modules into ours.

    Bytecode is kept, in the launcher's own folder: without it a signer takes twice as long to start, and an Odoo too.
    """
    base = {key: value for key, value in os.environ.items() if key not in ANOTHER_PYTHON}
    return {**base, "PYTHONPYCACHEPREFIX": str(Home().bytecode), **(extra or {})}


def tail(log: Path) -> str:
    if not log.exists():
        return ""
    return "\n".join("    " + line for line in log.read_text(errors="replace").splitlines()[-TAIL:])
