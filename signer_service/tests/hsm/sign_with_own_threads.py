"""N threads with a session each make M signatures on a module that is loaded directly; prints made and verified.

This is what crashes when a module is initialised without CKF_OS_LOCKING_OK.
"""

import hashlib
import json
import sys
import threading
from pathlib import Path

from pkcs11 import Mechanism

from bonopay_signer.hsm import keys, token
from bonopay_signer.hsm.address import TokenAddress

given, threads, count = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
module = given["module"]
if module == "libp11-kit.so.0":
    module = next(str(path) for path in Path("/usr/lib").glob("**/softhsm/libsofthsm2.so"))
address = TokenAddress(module, label=given["label"], parameters=given["parameters"])
first = token.log_in(address, given["pin"])
key = keys.find_key(first, given["key_label"])[1]
made: list[tuple[bytes, bytes]] = []


def sign(number: int) -> None:
    session = token.find_token(address).open()  # logged in already, process-wide
    private, _ = keys.find_key(session, given["key_label"])
    for place in range(count):
        digest = hashlib.sha256(f"{number}/{place}".encode()).digest()
        made.append((private.sign(digest, mechanism=Mechanism.ECDSA), digest))


workers = [threading.Thread(target=sign, args=(number,)) for number in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(len(made), sum(key.verifies(signature, digest) for signature, digest in made))
