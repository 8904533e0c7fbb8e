"""The real signing process on a real token with a trouble: `troubled_worker.py TROUBLE [FILE]`.

slow: 50 ms more per signature. hang: never answers the second batch. crash: SIGSEGV at the second batch. err: flips a
bit of every signature after the first ten. swap: answers a batch's signatures in another order, after the first batch.
count: writes a byte to FILE whenever the PIN is given to the token.
"""

import os
import signal
import sys
import time
from pathlib import Path

from bonopay_signer.hsm import token, worker
from bonopay_signer.hsm.worker import Worker

trouble = sys.argv[1]
real_sign, real_sign_entries, real_log_in = Worker._sign, Worker._sign_entries, token.log_in
signatures = batches = 0


def sign(self: Worker, key_id: str, digest: bytes) -> bytes:
    global signatures
    signatures += 1
    if trouble == "slow":
        time.sleep(0.05)
    signature = real_sign(self, key_id, digest)
    if trouble == "err" and signatures > 10:
        return bytes([signature[0] ^ 1]) + signature[1:]
    return signature


def sign_entries(self: Worker, entries: list, authority: str) -> list[bytes]:
    global batches
    batches += 1
    if batches == 2 and trouble == "hang":
        time.sleep(3600)
    if batches == 2 and trouble == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    signed = real_sign_entries(self, entries, authority)
    return signed[1:] + signed[:1] if trouble == "swap" and batches > 1 else signed


def log_in(*arguments, **options):
    if trouble == "count":
        with Path(sys.argv[2]).open("a") as file:
            file.write(".")
    return real_log_in(*arguments, **options)


Worker._sign, Worker._sign_entries, token.log_in = sign, sign_entries, log_in
worker.main()
