"""`./bonopay bench NAME`: a benchmark of `tests/benchmarks`, on an instance of its own that is removed after.

A benchmark's last line is `NAME key=value …` with plain numbers.
"""

import subprocess
from collections.abc import Mapping, Sequence

from launcher.config import CHECKOUT, Home
from launcher.console import LauncherError, say, step
from launcher.instance import throwaway_instance
from launcher.packages import install_runtime, install_test_tools
from launcher.shell import environment
from launcher.testing import prepare_end_to_end

FOLDER = CHECKOUT / "tests" / "benchmarks"


def run_benchmark(home: Home, arguments: Sequence[str]) -> int:
    names = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
    if not arguments or arguments[0] not in names:
        raise LauncherError("Which benchmark?", f"./bonopay bench {'|'.join(names)}")
    install_runtime(home)
    install_test_tools(home)
    instance = throwaway_instance(home)
    try:
        variables = prepare_end_to_end(instance)
        command = [str(home.python("tests")), "-m", f"tests.benchmarks.{arguments[0]}", *arguments[1:]]
        exit_code, result = _run(command, variables)
    finally:
        with step("Removing what the benchmark made"):
            instance.remove()
    say(result)
    return exit_code


def _run(command: Sequence[str], variables: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and last line; what comes before that line is shown as it appears."""
    process = subprocess.Popen(
        command, env=environment(variables), cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    last = ""
    for line in process.stdout or ():
        if last:
            say(last)
        last = line.rstrip("\n")
    return process.wait(), last
