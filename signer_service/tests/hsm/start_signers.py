"""A service of nothing but signers: prints the pids of its signing processes and waits to be killed.

With a number as last argument: that many Signers of two processes start at once, sign, and end; prints "signed".
"""

import asyncio
import sys
from pathlib import Path

from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.signers import Signers

module, label, parameters, pin_file, key_label, *count = sys.argv[1:]


def make() -> Signers:
    address = TokenAddress(module, label=label, parameters=parameters or None)
    return Signers(address, Path(pin_file).read_text().strip(), "BONO-CD-DEMO", [key_label])


async def live() -> None:
    signers = make()
    await signers.start()
    print(*(process.pid for process in signers._crew.alive), flush=True)
    await asyncio.sleep(3600)


async def start_at_once(number: int) -> None:
    several = [make() for _ in range(number)]
    await asyncio.gather(*(signers.start() for signers in several))
    await asyncio.gather(*(signers.check() for signers in several))
    for signers in several:
        signers.close()
    print("signed")


asyncio.run(start_at_once(int(count[0])) if count else live())
