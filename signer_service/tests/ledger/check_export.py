"""Checks an exported ledger with the Python standard library and openssl alone. See docs/ledger.md.

    python check_export.py LEDGER.jsonl [TRUSTED_KEY.pem]

Independent of the signer: nothing of it is imported. Prints the first line that is wrong and exits 1, or what it
checked and exits 0. Every ``STEP``-th signature is verified (1: all of them), for each takes a process of openssl.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile

ZERO = "00" * 32
STEP = int(os.environ.get("STEP", "1"))


class Wrong(Exception):
    pass


def require(condition, words):
    if not condition:
        raise Wrong(words)


def sha256(data):
    return hashlib.sha256(data).digest()


def lines(path):
    """Every line's object, its running hash checked."""
    running = bytes(32)
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            body, tail = line[:-79] + b"}", line[-79:]
            require(tail[:12] == b',"running":"' and tail[76:] == b'"}\n', f"line {number}: no running hash")
            running = sha256(running + body)
            require(tail[12:76].decode() == running.hex(), f"line {number}: changed, or one before it is gone")
            yield number, json.loads(body)


def der(signature):
    """r‖s as an ECDSA-Sig-Value."""

    def integer(value):
        value = value.lstrip(b"\0") or b"\0"
        value = b"\0" + value if value[0] & 0x80 else value
        return b"\x02" + bytes([len(value)]) + value

    both = integer(signature[:32]) + integer(signature[32:])
    return b"\x30" + bytes([len(both)]) + both


def verify(folder, key_pem, signature, preimage):
    names = [os.path.join(folder, name) for name in ("key.pem", "signature", "preimage")]
    for name, content in zip(names, (key_pem, der(signature), preimage), strict=True):
        with open(name, "wb") as file:
            file.write(content)
    command = ["openssl", "dgst", "-sha256", "-verify", names[0], "-signature", names[1], names[2]]
    return subprocess.run(command, capture_output=True).returncode == 0


def pem(public_key):
    text = "\n".join(public_key[at : at + 64] for at in range(0, len(public_key), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n".encode()


class Chain:
    def __init__(self, start):
        self.epoch, self.index, self.sequence = start["epoch"], start["index"], start["sequence"]
        self.entry_hash, self.key_id = start["entry_hash"], start["key_id"]

    def follow(self, entry, statement, payload):
        require(statement["key_id"] == (self.key_id or statement["key_id"]), "signed with another key")
        self.key_id = statement["key_id"]
        if statement["kind"] == "epoch_opened":
            known, found = payload["known"], payload["found"]
            here = [self.epoch, self.index, self.sequence, self.entry_hash]
            require([found[name] for name in ("epoch", "index", "sequence", "entry_hash")] == here, "opened elsewhere")
            self.index = max(known["index"], found["index"])
            self.epoch, self.sequence = (max(known[name], found[name]) for name in ("epoch", "sequence"))
            self.epoch, self.entry_hash = self.epoch + 1, known["entry_hash"]
        require(statement["index"] == self.index + 1, f"entry {self.index + 1} is missing")
        require(statement["epoch"] == self.epoch, "of another epoch")
        require(entry["previous_hash"] == self.entry_hash, f"does not follow entry {self.index}")
        if statement["kind"] == "invoice":
            self.sequence += 1
            number = f"BONO-{statement['outlet_id']}-{self.epoch:02d}-{self.sequence:09d}"
            require(statement["fiscal_number"] == number, f"the series continues with {number}")
        if statement["kind"] == "key_rotation":
            self.key_id = payload["new_key_id"]  # the new key's own proof is left to the signer's verification
        self.index, self.entry_hash = statement["index"], entry["entry_hash"]


def check_entry(entry, header, chains, keys, folder, number):
    statement, payload = json.loads(entry["statement"]), json.loads(entry["payload"])
    require(statement["authority"] == header["authority"], "of another authority")
    require(sha256(entry["payload"].encode()).hex() == statement["payload_hash"], "not the payload that was sealed")
    previous = bytes.fromhex(entry["previous_hash"])
    preimage = b"bonopay/entry/1\n" + previous + sha256(entry["statement"].encode())
    require(sha256(preimage).hex() == entry["entry_hash"], "not the statement that was sealed")
    require(payload["schema"] == f"bonopay.{statement['kind']}/1", "a payload of another kind")
    if statement["kind"] == "invoice":
        names = {"merchant_nif": "merchant_nif", "outlet_id": "outlet_id", "document_type": "invoice_type"}
        require(all(statement[one] == payload[other] for one, other in names.items()), "statement and payload disagree")
        totals = payload["totals"]
        require(all(statement[name] == totals[name] for name in ("total", "tax", "currency")), "other sums")
    start = {"epoch": 1, "index": 0, "sequence": 0, "entry_hash": ZERO, "key_id": None}
    chains.setdefault(statement["outlet_id"], Chain(start)).follow(entry, statement, payload)
    require(statement["key_id"] in keys, "signed with a key that is not in the header")
    if number % STEP == 0:
        signature = bytes.fromhex(entry["signature"])
        require(verify(folder, keys[statement["key_id"]], signature, preimage), "the signature does not verify")


def check(path, trusted=None):
    """How many entries there are. Raises Wrong."""
    stream = lines(path)
    _, header = next(stream)
    require(header["format"] == "bonopay.ledger-export/1", "another format")
    keys = {}
    for key in header["keys"]:
        require(
            sha256(base64.b64decode(key["public_key"])).hex()[:16] == key["key_id"], "line 1: not the key of its id"
        )
        keys[key["key_id"]] = pem(key["public_key"])
    require(trusted is None or trusted in keys, "the trusted key is not in the header")
    chains = {start["outlet_id"]: Chain(start) for start in header["starts"]}
    count, footer, positions = 0, None, {}
    with tempfile.TemporaryDirectory() as folder:
        for number, value in stream:
            require(footer is None, f"line {number}: after the footer")
            if "ends" in value:
                footer = value
                continue
            count += 1
            try:
                if header["shards"]:
                    position = positions.get(value["shard"], 0)
                    require(value["position"] == position, f"position {position} is missing")
                    positions[value["shard"]] = position + 1
                check_entry(value, header, chains, keys, folder, number)
            except Wrong as error:
                raise Wrong(f"line {number}: {error}") from error
            except (KeyError, TypeError, ValueError) as error:
                raise Wrong(f"line {number}: cannot be read: {error!r}") from error
    require(footer is not None and count == footer["entries"] == header["entries"], "the file is not whole")
    ends = {end["outlet_id"]: (end["index"], end["entry_hash"]) for end in footer["ends"]}
    here = {name: (chain.index, chain.entry_hash) for name, chain in chains.items()}
    require(all(here.get(name) == end for name, end in ends.items()), "the footer names other ends")
    return count


def main(arguments):
    trusted = None
    if len(arguments) > 1:
        text = subprocess.run(
            ["openssl", "pkey", "-pubin", "-in", arguments[1], "-outform", "DER"], capture_output=True, check=True
        )
        trusted = sha256(text.stdout).hex()[:16]
    try:
        print(f"{check(arguments[0], trusted)} entries hold")
    except Wrong as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
