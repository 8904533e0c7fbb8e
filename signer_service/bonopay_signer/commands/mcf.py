"""``outlet set-mcf``, ``remove-mcf``, ``set-main`` and ``restart-sync``: an outlet's physical MCF and its sending."""

import argparse

from bonopay_signer.commands.administering import administering
from bonopay_signer.commands.options import Commands, add
from bonopay_signer.events.store import LOCK_FOR_OUTLET
from bonopay_signer.sealing.submissions import RESTART
from bonopay_signer.settings import Settings
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.listener import CHANNEL

_LOG_RESTART = """
SELECT signer.log_action('outlet.restart-sync', 'outlet ' || id, merchant_nif, NULL, '{}')
  FROM signer.outlet WHERE id = %(outlet)s
"""
# {}: what the log says of an outlet is compared with its row, of which a restart changes nothing.
_SPEEDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400)


def register(outlet: Commands) -> None:
    """Actions of ``outlet``."""
    new = add(outlet, "set-mcf", _set_mcf, "the physical MCF of an outlet, and its port")
    new.add_argument("id", metavar="OUTLET")
    new.add_argument("--nim", required=True, help="the number of the MCF itself")
    new.add_argument("--port", required=True, help="e.g. /dev/serial/by-id/usb-…, which outlives a change of sockets")
    new.add_argument("--baud", type=int, choices=_SPEEDS, default=115200, help="bits a second (default: %(default)s)")
    new.add_argument("--data-bits", type=int, choices=(7, 8), default=8)
    new.add_argument("--parity", choices=("none", "even", "odd"), default="none")
    new.add_argument("--stop-bits", type=int, choices=(1, 2), default=1)
    new.add_argument("--main", action="store_true", help="documents go to it first, and to the e-MCF when it is silent")
    removed = add(outlet, "remove-mcf", _remove_mcf, "the outlet has its e-MCF alone")
    removed.add_argument("id", metavar="OUTLET")
    main = add(outlet, "set-main", _set_main, "which device documents go to first; the other is its spare")
    main.add_argument("id", metavar="OUTLET")
    main.add_argument("kind", choices=("emcf", "mcf"))
    again = add(outlet, "restart-sync", _restart_sync, "send what waits for the DGI now, whatever failed before")
    again.add_argument("id", metavar="OUTLET")


def _set_mcf(arguments: argparse.Namespace, settings: Settings) -> int:
    mcf = admin.NewMcf(
        arguments.nim, arguments.port, arguments.baud, arguments.data_bits, arguments.parity, arguments.stop_bits
    )
    with administering(settings, "outlet.set-mcf") as connection:
        before = admin.set_mcf(connection, arguments.id, mcf, arguments.main)
    role = "main" if arguments.main else "spare"
    print(f"the {role} device of {arguments.id} is the MCF {mcf.nim} at {mcf.port}")
    if before is not None:
        print(f"the MCF {before} is removed from {arguments.id}")
    return 0


def _remove_mcf(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "outlet.remove-mcf") as connection:
        nim, waiting = admin.remove_mcf(connection, arguments.id)
    print(f"the MCF {nim} is removed from {arguments.id}, which has its e-MCF alone")
    if waiting:
        print(f"{waiting} documents wait for its word and are given to no other device: keep it connected until then")
    return 0


def _set_main(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "outlet.set-main") as connection:
        admin.set_main_device(connection, arguments.id, arguments.kind)
    print(f"the main device of {arguments.id} is its {'MCF' if arguments.kind == 'mcf' else 'e-MCF'}")
    return 0


def _restart_sync(arguments: argparse.Namespace, settings: Settings) -> int:
    with administering(settings, "outlet.restart-sync") as connection:
        connection.execute(LOCK_FOR_OUTLET, {"outlet": arguments.id})
        # The merchant reads the event; who it was, and at which host, is for the action log.
        row = connection.execute(RESTART, {"outlet": arguments.id, "by": "operator"}).fetchone()
        if row is None:
            raise LookupError(f"no outlet {arguments.id}")
        connection.execute(_LOG_RESTART, {"outlet": arguments.id})
        connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"restart {arguments.id}"])
    print(f"{row[0]} documents of {arguments.id} that wait for the DGI are due now")
    return 0
