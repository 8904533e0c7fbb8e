#!/usr/bin/env python3
"""Check the published vectors with the Python standard library and the `openssl` command, nothing else.

This is a second implementation of docs/contracts.md, written to share no code with the signer: integers where the
signer uses decimals, its own canonical JSON, its own QR reader. Whoever writes a third one can read it as a guide.

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
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

QR_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+\-./:]+")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KINDS = ("invoice", "dgi_certified", "dgi_rejected")
DOCUMENT_TYPES = ("FV", "FT", "FA", "EV", "ET", "EA")
CURRENCIES = ("CDF",)
STATEMENT_MEMBERS = (
    "v kind authority epoch merchant_nif outlet_id index fiscal_number document_type sealed_at total tax currency "
    "payload_hash key_id"
).split()

START, REDUCTION = date(2022, 1, 1), date(2026, 6, 1)
RATES = {code: [(START, 0)] for code in "ADEHIJKLMN"}
RATES |= {code: [(START, 16)] for code in "BF"}
RATES |= {code: [(START, 8), (REDUCTION, 5)] for code in "CG"}
RATES |= {code: [(REDUCTION, 1)] for code in "OP"}


class VectorError(Exception):
    """A vector does not hold."""


def expect(what, stored, derived):
    if stored != derived:
        raise VectorError(f"{what}: stored {stored!r}, derived {derived!r}")


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


# --- arithmetic, in integers: centimes, thousandths of a unit, hundredths of a percent, millionths -------------------


def scaled(text, places):
    """A decimal string as an integer of 10**-places; VectorError when it has more decimals."""
    whole, _, decimals = text.partition(".")
    if len(decimals) > places or not (whole + decimals).isdigit():
        raise VectorError(f"{text!r} is not a decimal of at most {places} places")
    return int(whole + decimals.ljust(places, "0"))


def half_up(numerator, denominator):
    return (2 * numerator + denominator) // (2 * denominator)


def money(centimes):
    return f"{centimes // 100}.{centimes % 100:02d}"


def line_centimes(item):
    return half_up(scaled(item["unit_price"], 2) * scaled(item["quantity"], 3), 1000)


def specific_amount(item, tax):
    value = scaled(tax["value"], 6)
    if tax["basis"] == "amount":
        return half_up(value, 10**4)
    if tax["basis"] == "quantity":
        return half_up(value * scaled(item["quantity"], 3), 10**7)
    return half_up(value * line_centimes(item), 10**8)


def specific_centimes(item):
    tax = item["specific_tax"]
    if tax is None:
        return 0
    amount = specific_amount(item, tax)
    expect("specific tax", tax["amount"], money(amount))
    return amount


def rate_on(code, day):
    rates = [rate for valid_from, rate in RATES[code] if valid_from <= day]
    if not rates:
        raise VectorError(f"group {code} is not in force on {day}")
    return rates[-1]


def group_row(code, rate, price_mode, items):
    """One row of `tax_groups`; amounts in centimes are exact, rates are whole percents."""
    lines = sum(line_centimes(item) for item in items)
    specific = sum(specific_centimes(item) for item in items)
    if price_mode not in ("ht", "ttc"):
        raise VectorError(f"price mode {price_mode!r} is not known")
    if code == "N":
        base, total = 0, lines
    elif price_mode == "ht":
        base = lines + specific
        total = half_up(base * (100 + rate), 100)
    else:
        base = half_up(lines * 100, 100 + rate) + specific
        total = lines + half_up(specific * (100 + rate), 100)
    return {"code": code, "rate": str(rate), "base": money(base), "tax": money(total - base), "total": money(total)}


def kinshasa_day(issued_at):
    return (datetime.strptime(issued_at, "%Y-%m-%dT%H:%M:%SZ") + timedelta(hours=1)).date()


def derive_amounts(invoice):
    """The `tax_groups` and `totals` of an invoice, from its lines, price mode and day of issue."""
    day = kinshasa_day(invoice["issued_at"])
    groups = []
    for code in sorted({item["tax_group"] for item in invoice["items"]}):
        items = [item for item in invoice["items"] if item["tax_group"] == code]
        groups.append(group_row(code, rate_on(code, day), invoice["price_mode"], items))
    sums = {name: money(sum(scaled(row[name], 2) for row in groups)) for name in ("base", "tax", "total")}
    specific = money(sum(specific_centimes(item) for item in invoice["items"]))
    return groups, {**sums, "specific_tax": specific, "currency": "CDF"}


def check_amounts(invoice):
    groups, totals = derive_amounts(invoice)
    expect("tax_groups", invoice["tax_groups"], groups)
    expect("totals", invoice["totals"], totals)
    for row in [*groups, totals]:
        expect("base + tax", scaled(row["total"], 2), scaled(row["base"], 2) + scaled(row["tax"], 2))


def check_payments(invoice):
    paid = 0
    for payment in invoice["payments"]:
        rate = scaled(payment["rate"] or "1", 6)
        paid += half_up(scaled(payment["amount"], 2) * rate, 10**6)
    expect("payments", money(paid), invoice["totals"]["total"])


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


def check_payloads(document):
    vectors, keys = vectors_of(document), {}
    for key in document["keys"]:
        with_name({"name": "keys"}, expect, "kid", key["kid"], key_id_of(key["pem"]))
        keys[key["kid"]] = key["pem"]
    check_chain(vectors)
    for vector in vectors:
        with_name(vector, check_seal, vector, keys)
        with_name(vector, check_qr, vector, document["public_url"])
        if vector["statement"]["kind"] == "invoice":
            with_name(vector, check_amounts, vector["payload"])
            with_name(vector, check_payments, vector["payload"])
    return len(vectors)


def check_arithmetic(document):
    vectors = vectors_of(document)
    for vector in vectors:
        with_name(vector, check_amounts, vector)
    return len(vectors)


def resolve(value, pointer):
    """Follow an RFC 6901 pointer; only its last step may lead nowhere (a missing member)."""
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    for position, token in enumerate(tokens):
        key = int(token) if isinstance(value, list) else token
        if position == len(tokens) - 1 and isinstance(value, dict) and key not in value:
            return
        value = value[key]


def check_refusal(vector):
    if not vector["findings"]:
        raise VectorError("nothing is found")
    if ("payload" in vector) == ("base64" in vector):
        raise VectorError("either a payload or base64 bytes are expected")
    for finding in vector["findings"]:
        expect("finding members", sorted(finding), ["code", "pointer"])
        if "payload" in vector:
            resolve(vector["payload"], finding["pointer"])
        else:
            base64.b64decode(vector["base64"], validate=True)


def check_refused(document):
    vectors = vectors_of(document)
    for vector in vectors:
        with_name(vector, check_refusal, vector)
    return len(vectors)


FILES = {"payloads.json": check_payloads, "arithmetic.json": check_arithmetic, "refused.json": check_refused}


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
