"""``verify``: is the ledger what it was sealed as?"""

import argparse
import asyncio

from bonopay_signer.commands.options import Commands, add
from bonopay_signer.ledger.audit import Fault, audit
from bonopay_signer.settings import Settings


def register(commands: Commands) -> None:
    verify = add(commands, "verify", _verify, "re-derive chains, name the first bad entry; exit 1 if there is one")
    verify.add_argument("--outlet", action="append", help="only this outlet (repeatable)")


def _verify(arguments: argparse.Namespace, settings: Settings) -> int:
    results = asyncio.run(audit(settings.service_dsn(), arguments.outlet))
    for result in results:
        if isinstance(result, Fault):
            place = result.check if result.index is None else f"entry {result.index}"
            print(f"{result.outlet_id}: BAD at {place}, {result.check}: {result.detail}")
        else:
            head = result.entry_hash.hex()
            print(f"{result.outlet_id}: good, {result.entries} entries, {result.invoices} invoices, head {head}")
    return int(any(isinstance(result, Fault) for result in results))
