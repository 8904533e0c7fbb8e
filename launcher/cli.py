"""The commands of `./bonopay`."""

import argparse
import sys
from collections.abc import Sequence

from launcher.config import Home
from launcher.console import LauncherError, say

DESCRIPTION = """\
Bono Pay: fiscal invoicing for the DR Congo, inside Odoo 19.

  ./bonopay demo     install, start everything, post and seal documents of all six types
  ./bonopay test     everything the project tests; `test PATH`, `test -k NAME` for a part
"""


def main(arguments: Sequence[str]) -> int:
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.command not in FORWARDING:
        _parser().error(f"unknown arguments: {' '.join(rest)}")
    try:
        return options.run(Home(), [*getattr(options, "arguments", []), *rest])
    except LauncherError as error:
        say(f"\n✗ {error}")
        if error.way_out:
            say(f"  → {error.way_out}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted.")
        return 130


# The modules are imported when a command needs them: `--help` and `stop` must not wait for the others.


def _demo(home: Home, _: Sequence[str]) -> int:
    from launcher.demo import run_demo

    return run_demo(home)


def _serve(home: Home, _: Sequence[str]) -> int:
    from launcher.demo import serve

    return serve(home)


def _stop(home: Home, _: Sequence[str]) -> int:
    from launcher.demo import stop

    return stop(home)


def _status(home: Home, _: Sequence[str]) -> int:
    from launcher.demo import status

    return status(home)


def _sandbox(home: Home, arguments: Sequence[str]) -> int:
    from launcher.integrators import run_sandbox

    return run_sandbox(home, arguments)


def _test(home: Home, arguments: Sequence[str]) -> int:
    from launcher.testing import run_tests

    return run_tests(home, arguments)


def _homologation(home: Home, _: Sequence[str]) -> int:
    from launcher.homologation import write_document

    return write_document(home)


def _lint(home: Home, arguments: Sequence[str]) -> int:
    from launcher.linting import run_lint

    return run_lint(home, fix="--fix" in arguments)


def _bench(home: Home, arguments: Sequence[str]) -> int:
    from launcher.benchmarks import run_benchmark

    return run_benchmark(home, arguments)


def _chaos(home: Home, arguments: Sequence[str]) -> int:
    from launcher.chaos import run_chaos

    return run_chaos(home, arguments)


def _lock(home: Home, _: Sequence[str]) -> int:
    from launcher.packages import lock

    lock(home)
    return 0


def _odoo(home: Home, arguments: Sequence[str]) -> int:
    from launcher.demo import forward_odoo

    return forward_odoo(home, arguments)


def _signer(home: Home, arguments: Sequence[str]) -> int:
    from launcher.demo import forward_signer

    return forward_signer(home, arguments)


COMMANDS = {
    "demo": (_demo, "install, start everything, post and seal documents of all six types"),
    "serve": (_serve, "start the demo's servers again"),
    "stop": (_stop, "stop them; the data stays"),
    "status": (_status, "what runs, and where"),
    "sandbox": (_sandbox, "the DGI sandbox alone, with sample accounts, for integrators; sandbox stop ends it"),
    "test": (_test, "run the tests"),
    "homologation": (_homologation, "write docs/homologation.md from the last full run of the tests"),
    "lint": (_lint, "check style and structure; --fix mends what can be mended"),
    "bench": (_bench, "measure: bench NAME"),
    "chaos": (_chaos, "kill and starve the servers under load, and check that nothing is lost"),
    "lock": (_lock, "resolve the Python dependencies anew"),
    "odoo": (_odoo, "forward to the demo's odoo command, e.g. odoo shell"),
    "signer": (_signer, "forward to the demo's bonopay-signer command, e.g. signer verify"),
}
FORWARDING = ("sandbox", "test", "lint", "bench", "chaos", "odoo", "signer")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./bonopay", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (run, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, add_help=name not in FORWARDING)
        command.set_defaults(run=run)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
