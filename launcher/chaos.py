"""`./bonopay chaos`: the crash harness of `tests/chaos`, which makes and removes a stack of its own."""

import subprocess
from collections.abc import Sequence

from launcher.config import CHECKOUT, Home
from launcher.packages import install_runtime, install_test_tools
from launcher.shell import environment

TIDYING = 90  # seconds for the harness to end its servers and undo its mounts


def run_chaos(home: Home, arguments: Sequence[str]) -> int:
    install_runtime(home)
    install_test_tools(home)
    command = [str(home.python("tests")), "-m", "tests.chaos", *arguments]
    variables = environment({"PYTHONPATH": str(CHECKOUT), "BONOPAY_HOME": str(home.root)})
    process = subprocess.Popen(command, env=variables, cwd=CHECKOUT, stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal interrupts the harness too; it tidies up by itself.
        process.wait(TIDYING)
        raise
