"""`./bonopay bench NAME`: a benchmark of `tests/benchmarks`, on an instance of its own that is removed after.

A benchmark's last line is `NAME key=value …` with plain numbers.
"""

import subprocess
from collections.abc import Sequence

from launcher.config import CHECKOUT, Home
from launcher.console import LauncherError, step
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
        exit_code = subprocess.run(command, env=environment(variables), cwd=CHECKOUT).returncode
    finally:
        with step("Removing what the benchmark made"):
            instance.remove()
    return exit_code
