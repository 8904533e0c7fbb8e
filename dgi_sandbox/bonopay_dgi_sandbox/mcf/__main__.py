"""Command line: `python -m bonopay_dgi_sandbox.mcf --link PATH --database FILE --mid MID --nif NIF --isf ISF`."""

import argparse
import os
import signal
import sys
from pathlib import Path

from ..accounts import Outlet
from ..tables import load_tables
from .machine import Machine
from .memory import Memory
from .service import Service, open_line

OWNER_ONLY = 0o077


def main() -> None:
    arguments = _parser().parse_args()
    os.umask(OWNER_ONLY)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    outlet = Outlet(arguments.mid, "", arguments.address, arguments.nif, arguments.name, arguments.isf)
    memory = Memory(arguments.database)
    line = open_line(arguments.link)
    print(f"MCF {arguments.mid} at {arguments.link}", flush=True)
    try:
        Service(Machine(outlet, memory, load_tables()), memory).serve(line)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        memory.close()


def _parser() -> argparse.ArgumentParser:
    description = "A test double of a physical MCF behind a pseudo-terminal."
    parser = argparse.ArgumentParser(prog="bonopay_dgi_sandbox.mcf", description=description)
    parser.add_argument("--link", type=Path, required=True, help="symbolic link to make: the serial port of clients")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file, made on first use")
    parser.add_argument("--mid", required=True, help="the device's serial number")
    parser.add_argument("--nif", required=True, help="the taxpayer's number")
    parser.add_argument("--isf", required=True, help="the invoicing system that the device knows")
    parser.add_argument("--name", default="Contribuable d’essai")
    parser.add_argument("--address", default="1 avenue de l’Essai")
    return parser


if __name__ == "__main__":
    main()
