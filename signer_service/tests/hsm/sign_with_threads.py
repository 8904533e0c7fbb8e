"""Signs with N threads for S seconds; prints how many signatures were made and how many verify.

``shared``: all threads through the one session of the service. ``own``: a session each, side by side in the module,
which is the case that crashes when SoftHSM is loaded without p11-kit.
"""

import sys
import threading
import time
from pathlib import Path

import pkcs11
from pkcs11 import Mechanism

from bonopay_signer.fiscal.statement import entry_hash
from bonopay_signer.hsm.keys import find_key
from bonopay_signer.hsm.token import TokenSession

MODULE = "libp11-kit.so.0"
label, pin_file, key_label, mode, threads, seconds = sys.argv[1:]
shared = TokenSession(MODULE, label, Path(pin_file).read_text().strip(), key_label)
key = shared.open()


def own_signer():
    session = pkcs11.lib(MODULE).get_token(token_label=label).open()  # logged in already, process-wide
    private, _ = find_key(session, key_label)
    return lambda digest: private.sign(digest, mechanism=Mechanism.ECDSA)


signers = [shared._sign_digest if mode == "shared" else own_signer() for _ in range(int(threads))]
deadline = time.monotonic() + float(seconds)
made: list[tuple[bytes, bytes]] = []


def sign(signer, number: int) -> None:
    count = 0
    while time.monotonic() < deadline:
        digest = entry_hash(bytes(32), f"{number}/{count}".encode())
        made.append((signer(digest), digest))
        count += 1


workers = [threading.Thread(target=sign, args=(signer, number)) for number, signer in enumerate(signers)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(len(made), sum(key.verifies(signature, digest) for signature, digest in made))
