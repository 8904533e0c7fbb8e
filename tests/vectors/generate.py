#!/usr/bin/env python3
"""Write the vectors again from the fiscal core: all the `.json` files of this folder, and the till's copy of one.

Only for a change of the contract that is meant: whatever changes in these files breaks somebody's implementation. Needs
the signer's dependencies. The key is published and signs nothing but vectors; signatures are deterministic (RFC 6979),
so that a run without changes leaves the files as they are.
"""

import base64
import hashlib
import json
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

HERE = Path(__file__).resolve().parent
OUTPUT = HERE
SCRIPT = HERE.parents[1] / "addons" / "bonopay_pos" / "static" / "tests" / "core" / "ticket_vectors.js"
"""The tickets once more, as a module that the till's own tests import in a browser."""
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "signer_service")]

import cases  # noqa: E402
import credit_cases  # noqa: E402
import ticket_cases  # noqa: E402

from bonopay_signer.fiscal import canonical, parsing, qr, rules, security, taxes, ticket  # noqa: E402
from bonopay_signer.fiscal.findings import Finding  # noqa: E402
from bonopay_signer.fiscal.rules.against_original import Original, check_credit  # noqa: E402
from bonopay_signer.fiscal.rules.against_rate import check_rate  # noqa: E402
from bonopay_signer.fiscal.schema import Invoice  # noqa: E402
from bonopay_signer.fiscal.statement import ZERO_HASH, Statement, entry_hash, entry_preimage  # noqa: E402

PUBLIC_URL = "https://fiscal.bonopay.example"
AUTHORITY = "BONO-CD-TEST"


class TestKey:
    """The published key: its id, its public half, and RFC 6979 signatures as r‖s."""

    def __init__(self) -> None:
        pem = (HERE / "TEST-ONLY-private-key.pem").read_bytes()
        self._private = serialization.load_pem_private_key(pem, None)
        public = self._private.public_key()
        encode = public.public_bytes
        self.pem = encode(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode("ascii")
        der = encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.kid = canonical.sha256_hex(der)[:16]

    def sign(self, digest: bytes) -> bytes:
        algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()), deterministic_signing=True)
        r, s = utils.decode_dss_signature(self._private.sign(digest, algorithm))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def lawful(payload: dict) -> Invoice:
    """Return the invoice of a payload that the core has nothing against, taken alone."""
    invoice = parsing.parse(json.dumps(payload).encode("utf-8"))
    findings = rules.check(invoice)
    if findings:
        raise SystemExit(f"{payload['reference_number']} is refused: {findings}")
    return invoice


class Chain:
    """One outlet's entries, numbered and sealed in the order of the cases."""

    def __init__(self, key: TestKey) -> None:
        self.key = key
        self.head = ZERO_HASH
        self.index = 0
        self.sequence = 0

    def seal(self, name: str, payload: dict, bytes_of_payload: bytes, **members: object) -> dict:
        self.index += 1
        statement = Statement(
            v=1,
            authority=AUTHORITY,
            merchant_nif=cases.MERCHANT_NIF,
            outlet_id=cases.OUTLET_ID,
            index=self.index,
            sealed_at=f"2026-11-21T08:30:{self.index:02d}.{self.index * 37 % 1000:03d}Z",
            currency="CDF",
            payload_hash=canonical.sha256_hex(bytes_of_payload),
            key_id=self.key.kid,
            **members,
        )
        previous, self.head = self.head, entry_hash(self.head, statement.encode())
        signature = self.key.sign(self.head)
        return {
            "name": name,
            "payload": payload,
            "canonical": bytes_of_payload.decode("utf-8"),
            "payload_hash": statement.payload_hash,
            "statement": msgspec.to_builtins(statement),
            "statement_canonical": statement.encode().decode("utf-8"),
            "previous_hash": previous.hex(),
            "preimage": entry_preimage(previous, statement.encode()).hex(),
            "entry_hash": self.head.hex(),
            "signature": signature.hex(),
            "auth_code": security.auth_code(signature),
            "short_code": security.short_code(signature),
            "qr": qr.encode(PUBLIC_URL, statement, previous, signature) if statement.fiscal_number else None,
        }

    def seal_invoice(self, name: str, payload: dict) -> dict:
        self.sequence += 1
        members = {
            "kind": "invoice",
            "epoch": 1,
            "fiscal_number": f"BONO-{cases.OUTLET_ID}-01-{self.sequence:09d}",
            "document_type": payload["invoice_type"],
            "total": payload["totals"]["total"],
            "tax": payload["totals"]["tax"],
        }
        return self.seal(name, payload, canonical.encode(lawful(payload)), **members)


def payload_vectors(key: TestKey) -> list[dict]:
    chain = Chain(key)
    vectors = [chain.seal_invoice(name, completed(payload)) for name, payload in cases.ACCEPTED.items()]
    sealed = vectors[0]["statement"]
    repeated = {name: sealed[name] for name in ("fiscal_number", "document_type", "total", "tax")}
    for name, kind, epoch, payload in cases.ANSWERS:
        vectors.append(chain.seal(name, payload, canonical.encode(payload), kind=kind, epoch=epoch, **repeated))
    nothing = {"fiscal_number": "", "document_type": "", "total": "0.00", "tax": "0.00"}
    for name, kind, epoch, payload in cases.WITHOUT_DOCUMENT:
        vectors.append(chain.seal(name, payload, canonical.encode(payload), kind=kind, epoch=epoch, **nothing))
    return vectors


def completed(payload: dict) -> dict:
    """Fill in the tax groups, totals and, where there is a single one in francs, the payment."""
    draft = parsing.parse(json.dumps(payload).encode("utf-8"))
    groups, totals = taxes.compute(draft)
    payments = payload["payments"]
    if len(payments) == 1 and payments[0]["currency"] == "CDF":
        payments = [payments[0] | {"amount": totals.total}]
    return payload | {
        "tax_groups": [msgspec.to_builtins(group) for group in groups],
        "totals": msgspec.to_builtins(totals),
        "payments": payments,
    }


def arithmetic_vectors() -> list[dict]:
    vectors = []
    for name, price_mode, issued_at, items in cases.ARITHMETIC:
        invoice = completed(cases.invoice(price_mode=price_mode, issued_at=issued_at, items=items))
        members = ("price_mode", "issued_at", "items", "tax_groups", "totals")
        vectors.append({"name": name} | {member: invoice[member] for member in members})
    return vectors


def refused_vectors() -> list[dict]:
    vectors = [
        {"name": name, "base64": base64.b64encode(data).decode("ascii")} for name, data in cases.NOT_JSON.items()
    ]
    for name, changes in cases.REFUSED.items():
        vectors.append({"name": name, "payload": cases.changed(completed(cases.invoice()), changes)})
    return [vector | {"findings": findings_of(vector)} for vector in vectors]


def findings_of(vector: dict) -> list[dict]:
    data = base64.b64decode(vector["base64"]) if "base64" in vector else json.dumps(vector["payload"]).encode("utf-8")
    try:
        findings = rules.check(parsing.parse(data))
    except parsing.PayloadMalformed as malformed:
        findings = malformed.findings
    return [{"pointer": finding.pointer, "code": finding.code} for finding in findings]


def credit_vectors() -> list[dict]:
    vectors = []
    for name, case in credit_cases.CREDITS.items():
        documents = {
            "original": case.sale and completed(case.sale),
            "original_dgi_code": case.dgi_code if case.sale else None,
            "earlier": [completed(payload) for payload in case.earlier],
            "credit_note": completed(case.credit_note),
        }
        vectors.append({"name": name} | documents | {"findings": told(credit_findings(documents))})
    return vectors


def credit_findings(vector: dict) -> tuple[Finding, ...]:
    """What the core finds in the credit note of a vector of `credits.json`."""
    sale, earlier = vector["original"], [lawful(payload) for payload in vector["earlier"]]
    original = sale and Original(lawful(sale), vector["original_dgi_code"])
    return check_credit(lawful(vector["credit_note"]), original, earlier)


def rate_vectors() -> list[dict]:
    vectors = []
    for name, (payload, reference) in credit_cases.RATES.items():
        vector = {"name": name, "reference": reference, "payload": completed(payload)}
        vectors.append(vector | {"findings": told(rate_findings(vector))})
    return vectors


def rate_findings(vector: dict) -> tuple[Finding, ...]:
    """What the core finds in the rates of a vector of `exchange_rates.json`."""
    reference = vector["reference"]
    return check_rate(lawful(vector["payload"]), reference and Decimal(reference))


def ticket_vectors(key: TestKey) -> list[dict]:
    """A till's tickets, each after the one before it."""
    vectors: list[dict] = []
    for name, sale, members in ticket_cases.CASES:
        vectors.append(signed_ticket(key, name, sale, members, vectors))
    for rank, (name, zeros, number) in enumerate(ticket_cases.LEADING_ZEROS):
        while True:
            members = {"counter": 40 + rank, "document_id": f"00000000-0000-4000-8000-{number:012x}"}
            vector = signed_ticket(key, name, ticket_cases.SALE, members, vectors)
            halves = (vector["signature"][:64], vector["signature"][64:])
            if all(half.startswith("00" * count) for half, count in zip(halves, zeros, strict=True)):
                break
            number += 1
        vectors.append(vector)
    return vectors


def signed_ticket(key: TestKey, name: str, sale: dict, members: dict, before: list[dict]) -> dict:
    payload = canonical.encode(sale)
    said = {**ticket_cases.TILL, **members, "payload_hash": canonical.sha256_hex(payload), "key_id": key.kid}
    statement = ticket.Ticket(v=1, kind="provisional", currency="CDF", **said)
    previous = bytes.fromhex(before[-1]["ticket_hash"]) if before else ZERO_HASH
    encoded = statement.encode()
    digest = ticket.ticket_hash(previous, encoded)
    signature = key.sign(digest)
    return {
        "name": name,
        "payload": sale,
        "canonical": payload.decode("utf-8"),
        "statement": msgspec.to_builtins(statement),
        "statement_canonical": encoded.decode("utf-8"),
        "previous_hash": previous.hex(),
        "preimage": (ticket.TICKET_DOMAIN + previous + hashlib.sha256(encoded).digest()).hex(),
        "ticket_hash": digest.hex(),
        "signature": signature.hex(),
        "number": statement.number,
        "qr": ticket.encode_qr(PUBLIC_URL, statement, previous, signature),
    }


def told(findings: tuple[Finding, ...]) -> list[dict]:
    """Findings with all that programs may branch on."""
    return [{name: getattr(found, name) for name in ("pointer", "code", "expected", "actual")} for found in findings]


def write(name: str, document: dict) -> None:
    """One line a member of a vector: long enough to be compact, short enough to be compared."""
    *members, (_, vectors) = document.items()
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in members]
    lines.append(' "vectors": [\n' + ",\n".join(map(_block, vectors)) + "\n ]")
    (OUTPUT / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _block(vector: dict) -> str:
    members = [f"   {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in vector.items()]
    return "  {\n" + ",\n".join(members) + "\n  }"


def write_script(document: dict) -> None:
    """In ASCII, and without what would end or fill a template of JavaScript."""
    text = json.dumps(document, separators=(",", ":")).replace("`", "\\u0060").replace("$", "\\u0024")
    words = "/** Made by tests/vectors/generate.py from what the signer says: a copy of tests/vectors/tickets.json. */"
    SCRIPT.write_text(f"{words}\nexport const VECTORS = JSON.parse(\n    String.raw`{text}`,\n);\n", encoding="ascii")


def main() -> None:
    key = TestKey()
    keys = [{"kid": key.kid, "pem": key.pem}]
    write("payloads.json", {"public_url": PUBLIC_URL, "keys": keys, "vectors": payload_vectors(key)})
    write("arithmetic.json", {"vectors": arithmetic_vectors()})
    write("refused.json", {"vectors": refused_vectors()})
    write("credits.json", {"vectors": credit_vectors()})
    write("exchange_rates.json", {"vectors": rate_vectors()})
    tickets = {"public_url": PUBLIC_URL, "keys": keys, "vectors": ticket_vectors(key)}
    write("tickets.json", tickets)
    write_script(tickets)


if __name__ == "__main__":
    main()
