"""`./bonopay bench NAME`: a benchmark of `tests/benchmarks`, on an instance of its own that is removed after.

A benchmark's last line is `NAME key=value …` with plain numbers.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence

from launcher.config import CHECKOUT, Home
from launcher.console import LauncherError, say, step
from launcher.instance import Instance, throwaway_instance
from launcher.packages import etcd, install_runtime, install_test_tools
from launcher.shell import environment
from launcher.suites import describe_instance, prepare_end_to_end


def _prepare_seal(instance: Instance) -> dict[str, str]:
    """PostgreSQL alone: the benchmark makes its own signers."""
    instance.cluster.create()
    instance.cluster.start()
    instance.cluster.prepare_roles()
    peer = etcd(instance.home)
    return {**describe_instance(instance), **({"BONOPAY_BENCH_ETCD": str(peer)} if peer else {})}


BENCHMARKS: Mapping[str, Callable[[Instance], Mapping[str, str]]] = {
    "post": prepare_end_to_end,
    "board": prepare_end_to_end,
    "seal": _prepare_seal,
    "dgi": _prepare_seal,
}


def run_benchmark(home: Home, arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] not in BENCHMARKS:
        raise LauncherError("Which benchmark?", f"./bonopay bench {'|'.join(BENCHMARKS)}")
    install_runtime(home)
    install_test_tools(home)
    instance = throwaway_instance(home)
    try:
        variables = BENCHMARKS[arguments[0]](instance)
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
