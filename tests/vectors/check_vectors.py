#!/usr/bin/env python3
"""Check the published vectors with the Python standard library and the `openssl` command, nothing else.

This and the modules that it imports from its own folder are a second implementation of docs/contracts.md, written to
share no code with the signer: integers where the signer uses decimals, its own canonical JSON, form, rules and QR
reader. Whoever writes a third one can read it as a guide.

    python3 check_vectors.py [folder of the vectors]

Exit status 0 when every vector holds; 1, naming the first one that does not, on standard error.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # also for `python3 -I`

from counting import VectorError, derive_amounts, expect, money, scaled, specific_amount  # noqa: E402
from credit_notes import judge_credit, judge_rates  # noqa: E402
from refusals import judge  # noqa: E402

QR_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+\-./:]+")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KINDS = ("invoice", "dgi_certified", "dgi_rejected")
DOCUMENT_TYPES = ("FV", "FT", "FA", "EV", "ET", "EA")
CURRENCIES = ("CDF",)
STATEMENT_MEMBERS = (
    "v kind authority epoch merchant_nif outlet_id index fiscal_number document_type sealed_at total tax currency "
    "payload_hash key_id"
).split()


def strictly(value):
    """Refuse what canonical JSON of this project never holds; return the value."""
    if isinstance(value, dict):
        if not all(key.isascii() for key in value):
            raise VectorError("canonical: a key is not ASCII")
        for member in value.values():
            strictly(member)
    elif isinstance(value, list):
        for member in value:
            strictly(member)
    elif isinstance(value, float):
        raise VectorError("canonical: a float")
    return value


def canonical(value):
    """RFC 8785 for objects without floats whose keys are ASCII."""
    return json.dumps(strictly(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def check_amounts(invoice):
    for item in invoice["items"]:
        if item["specific_tax"]:
            amount = money(specific_amount(item, item["specific_tax"]))
            expect("specific tax", item["specific_tax"]["amount"], amount)
    groups, totals = derive_amounts(invoice)
    expect("tax_groups", invoice["tax_groups"], groups)
    expect("totals", invoice["totals"], totals)
    for row in [*groups, totals]:
        expect("base + tax", scaled(row["total"], 2), scaled(row["base"], 2) + scaled(row["tax"], 2))


# --- seals ------------------------------------------------------------------------------------------------------------


def der_integer(number):
    body = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return bytes([2, len(body)]) + body


def der_signature(signature):
    body = der_integer(int.from_bytes(signature[:32], "big")) + der_integer(int.from_bytes(signature[32:], "big"))
    return bytes([0x30, len(body)]) + body


def check_signature(pem, preimage, signature):
    expect("signature length", len(signature), 64)
    with tempfile.TemporaryDirectory() as folder:
        key, message, proof = (Path(folder) / name for name in ("key.pem", "preimage", "signature.der"))
        key.write_text(pem, encoding="ascii")
        message.write_bytes(preimage)
        proof.write_bytes(der_signature(signature))
        command = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", proof, message]
        verified = subprocess.run(command, capture_output=True, check=False).returncode == 0
    expect("signature verifies", True, verified)


def key_id_of(pem):
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    return hashlib.sha256(base64.b64decode(body)).hexdigest()[:16]


def short_code(signature):
    bits = f"{int.from_bytes(hashlib.sha256(signature).digest(), 'big'):0256b}"
    symbols = "".join(CROCKFORD[int(bits[start : start + 5], 2)] for start in range(0, 60, 5))
    return "-".join((symbols[:4], symbols[4:8], symbols[8:]))


def check_statement(vector, keys):
    statement = vector["statement"]
    expect("statement members", sorted(statement), sorted(STATEMENT_MEMBERS))
    expect("statement.payload_hash", statement["payload_hash"], vector["payload_hash"])
    if statement["key_id"] not in keys:
        raise VectorError(f"statement.key_id: {statement['key_id']} is not a published key")
    if statement["kind"] == "invoice":
        check_repeated_members(statement, vector["payload"])


def check_repeated_members(statement, invoice):
    expect("statement.merchant_nif", statement["merchant_nif"], invoice["merchant_nif"])
    expect("statement.outlet_id", statement["outlet_id"], invoice["outlet_id"])
    expect("statement.document_type", statement["document_type"], invoice["invoice_type"])
    for member in ("total", "tax", "currency"):
        expect(f"statement.{member}", statement[member], invoice["totals"][member])


def check_seal(vector, keys):
    payload = canonical(vector["payload"])
    expect("canonical", vector["canonical"].encode("utf-8"), payload)
    expect("payload_hash", vector["payload_hash"], hashlib.sha256(payload).hexdigest())
    check_statement(vector, keys)
    statement = canonical(vector["statement"])
    expect("statement_canonical", vector["statement_canonical"].encode("utf-8"), statement)
    previous, signature = bytes.fromhex(vector["previous_hash"]), bytes.fromhex(vector["signature"])
    preimage = b"bonopay/entry/1\n" + previous + hashlib.sha256(statement).digest()
    expect("preimage", vector["preimage"], preimage.hex())
    expect("preimage length", 80, len(preimage))
    expect("entry_hash", vector["entry_hash"], hashlib.sha256(preimage).hexdigest())
    check_signature(keys[vector["statement"]["key_id"]], preimage, signature)
    expect("auth_code", vector["auth_code"], base64.urlsafe_b64encode(signature).decode().rstrip("="))
    expect("short_code", vector["short_code"], short_code(signature))


def check_chain(vectors):
    """Entries stand in order of their chain: indexes from 1, each naming the hash of the one before."""
    heads = {}
    for vector in vectors:
        outlet = vector["statement"]["outlet_id"]
        index, head = heads.get(outlet, (0, "00" * 32))
        with_name(vector, expect, "index", vector["statement"]["index"], index + 1)
        with_name(vector, expect, "previous_hash", vector["previous_hash"], head)
        heads[outlet] = (index + 1, vector["entry_hash"])


# --- QR ---------------------------------------------------------------------------------------------------------------


class QrReader:
    def __init__(self, data):
        self.data = data

    def take(self, length):
        if len(self.data) < length:
            raise VectorError("qr: cut short")
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def byte(self):
        return self.take(1)[0]

    def number(self):
        value, shift, byte = 0, 0, 0x80
        while byte & 0x80:
            byte = self.byte()
            value += (byte & 0x7F) << shift
            shift += 7
        if shift > 7 and byte == 0:
            raise VectorError("qr: a number is not in its shortest form")
        return value

    def text(self):
        return self.take(self.byte()).decode("ascii")

    def code(self, table):
        number = self.byte()
        return table[number - 1] if number else self.text()


def read_qr(data):
    """(statement, previous hash, signature) of the bytes; VectorError when some are left over."""
    reader = QrReader(data)
    found = {"v": reader.byte()}
    found |= {"kind": reader.code(KINDS), "document_type": reader.code(DOCUMENT_TYPES)}
    found |= {"currency": reader.code(CURRENCIES), "authority": reader.text(), "merchant_nif": reader.text()}
    found |= {"outlet_id": reader.text(), "epoch": reader.number(), "index": reader.number()}
    sequence = reader.number()
    derived = f"BONO-{found['outlet_id']}-{found['epoch']:02d}-{sequence:09d}"
    found["fiscal_number"] = derived if sequence else reader.text()
    sealed_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=reader.number())
    found["sealed_at"] = sealed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found |= {"total": money(reader.number()), "tax": money(reader.number())}
    found |= {"payload_hash": reader.take(32).hex(), "key_id": reader.take(8).hex()}
    previous, signature = reader.take(32), reader.take(64)
    expect("qr bytes left over", b"", reader.data)
    return found, previous, signature


def check_qr(vector, public_url):
    text = vector["qr"]
    if not vector["statement"]["fiscal_number"]:
        expect("qr of an entry without a document", text, None)
        return
    if not QR_ALPHANUMERIC.fullmatch(text):
        raise VectorError("qr: outside QR's alphanumeric alphabet")
    address, _, blob = text.rpartition("/V/")
    expect("qr address", address, public_url.upper())
    data = base64.b32decode(blob + "=" * (-len(blob) % 8))
    expect("qr base 32", blob, base64.b32encode(data).decode().rstrip("="))
    statement, previous, signature = read_qr(data)
    expect("qr statement", statement, vector["statement"])
    expect("qr previous_hash", previous.hex(), vector["previous_hash"])
    expect("qr signature", signature.hex(), vector["signature"])


# --- provisional tickets ----------------------------------------------------------------------------------------------


def read_ticket(data):
    """(statement, previous hash, signature) of the bytes of a ticket's QR."""
    reader = QrReader(data)
    found = {"v": reader.byte(), "kind": "provisional", "currency": "CDF", "document_type": reader.code(DOCUMENT_TYPES)}
    found |= {name: reader.text() for name in ("authority", "merchant_nif", "outlet_id", "terminal")}
    found["counter"] = reader.number()
    issued_at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=reader.number())
    found["issued_at"] = issued_at.isoformat().replace("+00:00", "Z")
    found |= {"total": money(reader.number()), "tax": money(reader.number())}
    digits = reader.take(16).hex()
    found["document_id"] = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    found |= {"payload_hash": reader.take(32).hex(), "key_id": reader.take(8).hex(), "credential_id": reader.number()}
    previous, signature = reader.take(32), reader.take(64)
    expect("qr bytes left over", b"", reader.data)
    return found, previous, signature


def check_ticket(vector, keys, previous_hash, public_url):
    statement, signature = vector["statement"], bytes.fromhex(vector["signature"])
    payload, encoded = canonical(vector["payload"]), canonical(statement)
    expect("canonical", vector["canonical"].encode("utf-8"), payload)
    expect("payload_hash", statement["payload_hash"], hashlib.sha256(payload).hexdigest())
    expect("statement_canonical", vector["statement_canonical"].encode("utf-8"), encoded)
    expect("previous_hash", vector["previous_hash"], previous_hash)
    preimage = b"bonopay/ticket/1\n" + bytes.fromhex(previous_hash) + hashlib.sha256(encoded).digest()
    expect("preimage", vector["preimage"], preimage.hex())
    expect("ticket_hash", vector["ticket_hash"], hashlib.sha256(preimage).hexdigest())
    check_signature(keys[statement["key_id"]], preimage, signature)
    number = f"P-{statement['outlet_id']}-{statement['terminal']}-{statement['counter']:06d}"
    expect("number", vector["number"], number)
    address, _, blob = vector["qr"].rpartition("/P/")
    expect("qr address", address, public_url.upper())
    data = base64.b32decode(blob + "=" * (-len(blob) % 8))
    expect("qr base 32", blob, base64.b32encode(data).decode().rstrip("="))
    expect("qr", read_ticket(data), (statement, bytes.fromhex(previous_hash), signature))


def check_tickets(document):
    vectors, head = vectors_of(document), "00" * 32
    keys = keys_of(document)
    for vector in vectors:
        with_name(vector, check_ticket, vector, keys, head, document["public_url"])
        head = vector["ticket_hash"]
    return len(vectors)


# --- the files --------------------------------------------------------------------------------------------------------


def with_name(vector, check, *arguments):
    try:
        check(*arguments)
    except (VectorError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise VectorError(f"{vector.get('name', vector)}: {error}") from error


def vectors_of(document):
    if not document["vectors"]:
        raise VectorError("no vectors")
    return document["vectors"]


def keys_of(document):
    for key in document["keys"]:
        with_name({"name": "keys"}, expect, "kid", key["kid"], key_id_of(key["pem"]))
    return {key["kid"]: key["pem"] for key in document["keys"]}


def check_payloads(document):
    vectors, keys = vectors_of(document), keys_of(document)
    check_chain(vectors)
    for vector in vectors:
        with_name(vector, check_seal, vector, keys)
        with_name(vector, check_qr, vector, document["public_url"])
        if vector["statement"]["kind"] == "invoice":
            with_name(vector, check_lawful, vector["payload"])
    return len(vectors)


def check_arithmetic(document):
    vectors = vectors_of(document)
    for vector in vectors:
        with_name(vector, check_amounts, vector)
    return len(vectors)


def check_lawful(payload):
    """An invoice that nothing is found in, taken alone; its amounts are among what is judged."""
    expect("findings", [], judge(json.dumps(payload).encode("utf-8")))


def check_refusal(vector):
    if ("payload" in vector) == ("base64" in vector):
        raise VectorError("either a payload or base64 bytes are expected")
    if "payload" in vector:
        data = json.dumps(vector["payload"]).encode("utf-8")
    else:
        data = base64.b64decode(vector["base64"], validate=True)
    derived = judge(data)
    if not derived:
        raise VectorError("nothing is found")
    check_findings(vector["findings"], ("pointer", "code"), derived)


def check_findings(stored, members, derived):
    expect("findings", stored, [dict(zip(members, found, strict=True)) for found in derived])


def check_refused(document):
    vectors = vectors_of(document)
    for vector in vectors:
        with_name(vector, check_refusal, vector)
    return len(vectors)


_WHOLE_FINDING = ("pointer", "code", "expected", "actual")


def check_credit_note(vector):
    documents = [vector["credit_note"], *vector["earlier"], *([vector["original"]] if vector["original"] else [])]
    for payload in documents:
        check_lawful(payload)
    derived = judge_credit(vector["original"], vector["original_dgi_code"], vector["earlier"], vector["credit_note"])
    check_findings(vector["findings"], _WHOLE_FINDING, derived)


def check_credits(document):
    vectors = vectors_of(document)
    for vector in vectors:
        with_name(vector, check_credit_note, vector)
    return len(vectors)


def check_rate(vector):
    check_lawful(vector["payload"])
    check_findings(vector["findings"], _WHOLE_FINDING, judge_rates(vector["payload"], vector["reference"]))


def check_exchange_rates(document):
    vectors = vectors_of(document)
    for vector in vectors:
        with_name(vector, check_rate, vector)
    return len(vectors)


FILES = {
    "payloads.json": check_payloads,
    "arithmetic.json": check_arithmetic,
    "refused.json": check_refused,
    "credits.json": check_credits,
    "exchange_rates.json": check_exchange_rates,
    "tickets.json": check_tickets,
}


def main(folder):
    for name, check in FILES.items():
        try:
            count = check(json.loads((folder / name).read_text(encoding="utf-8")))
        except (VectorError, OSError, LookupError, TypeError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(f"{name}: {count} vectors hold")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent))
