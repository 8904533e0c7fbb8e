"""`./bonopay chaos`: the crash harness on an instance of its own."""

import argparse
import secrets
import signal
import sys
from collections.abc import Sequence

from launcher.config import Home
from launcher.console import LauncherError, step
from launcher.instance import throwaway_instance
from tests.benchmarks.outlets import MODES
from tests.chaos.faults import require_tools
from tests.chaos.instance import ChaosInstance
from tests.chaos.run import Plan, Report, Run
from tests.chaos.stack import NotHealed, Stack

OUTLETS = 4  # for eight tills: two at each
BASE_DISK_MB, DISK_KB_PER_SEAL = 512, 24


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    require_tools()
    plan = _plan(options)
    print(f"seed {plan.seed}: the same order of the same events with --seed {plan.seed}", flush=True)
    plain = throwaway_instance(Home())
    instance = ChaosInstance(plain.home, plain.folder, plain.ports)
    stack = Stack(instance, options.mode, OUTLETS, BASE_DISK_MB + plan.seals * DISK_KB_PER_SEAL // 1024)
    report = None
    try:
        with step("PostgreSQL on a small disk, DGI sandbox, HSM token, two signers"):
            stack.prepare()
        report = Run(stack, plan).execute()
    except (LauncherError, NotHealed) as error:
        print(f"✗ {error}", flush=True)
        return 1
    finally:
        if report is None or not report.holds:
            logs = plain.home.logs / f"chaos-{plan.seed}"
            stack.keep_logs(logs)
            print(f"The servers' logs are kept in {logs}", flush=True)
        with step("Removing what the harness made"):
            stack.remove()
    return _tell(report)


def _plan(options: argparse.Namespace) -> Plan:
    seed = options.seed if options.seed is not None else secrets.randbelow(1 << 32)
    if options.short:
        return Plan(seed, seals=options.seals or 200, minutes=0, rounds=1, calm=(0.1, 0.5), pause=0.05)
    seals = options.seals or 10_000
    return Plan(seed, seals, options.minutes, rounds=options.rounds, calm=(0.3, 2.5), pause=0.02)


def _tell(report: Report) -> int:
    print(f"\n{'at, s':>8}  {'back after, s':>13}  event")
    for event in report.events:
        print(f"{event.at:8.1f}  {event.silence:13.1f}  {event.name}{f' ({event.note})' if event.note else ''}")
    for line in [*report.faults, *report.verdict.lines()]:
        print(f"✗ {line}")
    if report.faults:
        print(f"{len(report.faults)} answers or states that must not be")
    print(report.last_line())
    return 0 if report.holds else 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./bonopay chaos", description=__doc__)
    parser.add_argument("--seals", type=int, help="at least so many (default: 10000)")
    parser.add_argument("--minutes", type=float, default=0, help="at least so long")
    parser.add_argument("--rounds", type=int, default=3, help="every kind of event so many times, at least")
    parser.add_argument("--seed", type=int, help="the order of events and their chances; printed by every run")
    parser.add_argument("--mode", choices=MODES, default=MODES[0], help="how the outlets meet the DGI")
    parser.add_argument("--short", action="store_true", help="every kind of event once, within a minute")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
