"""A checker that finds nothing proves nothing: each fault put into a good ledger must be found as what it is."""

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.checker import ENTRY_DOMAIN, ZERO_HASH, Answer, Row, check
from tests.chaos.tills import canonical, replay_fault

KEY_FILE = Path(__file__).parent.parent / "vectors" / "TEST-ONLY-private-key.pem"
KEY_ID = "0123456789abcdef"
START = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


# --- a ledger as it must be ------------------------------------------------------------------------------------------


def openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout


def sign(preimage: bytes, key: Path = KEY_FILE) -> bytes:
    """64 bytes r‖s."""
    der = openssl("dgst", "-sha256", "-sign", str(key), stdin=preimage)
    r_length = der[3]
    parts = der[4 : 4 + r_length], der[6 + r_length :]
    return b"".join(part.lstrip(b"\0").rjust(32, b"\0") for part in parts)


def sealed(row: Row, key: Path = KEY_FILE) -> Row:
    """The row with statement, hashes and signature that fit its columns."""
    payload_hash = hashlib.sha256(row.payload).digest()
    names = ("kind", "epoch", "merchant_nif", "outlet_id", "index", "fiscal_number", "key_id")
    members = {name: getattr(row, name) for name in names}
    moment = f"{row.sealed_at:%Y-%m-%dT%H:%M:%S}.{row.sealed_at.microsecond // 1000:03d}Z"
    statement = canonical(members | {"v": 1, "sealed_at": moment, "payload_hash": payload_hash.hex()})
    preimage = ENTRY_DOMAIN + row.previous_hash + hashlib.sha256(statement).digest()
    return replace(
        row,
        statement=statement,
        payload_hash=payload_hash,
        entry_hash=hashlib.sha256(preimage).digest(),
        signature=sign(preimage, key),
    )


def chained(outlet: str, count: int, position: int) -> list[Row]:
    """So many invoices of an outlet, and the DGI's verdict on the first."""
    rows: list[Row] = []
    for index in range(1, count + 2):
        invoice = index <= count
        number = f"BONO-{outlet}-01-{index if invoice else 1:09d}"
        document_id = f"00000000-0000-4000-8000-{outlet[3:]}{index if invoice else 1:09d}"
        row = Row(
            shard=0,
            position=position + index - 1,
            outlet_id=outlet,
            index=index,
            epoch=1,
            kind="invoice" if invoice else "dgi_certified",
            merchant_nif="A1234567B",
            document_id=document_id,
            fiscal_number=number,
            sealed_at=START + timedelta(seconds=index),
            statement=b"",
            payload=canonical({"document_id": document_id, "text": "Thé"}),
            payload_hash=b"",
            previous_hash=rows[-1].entry_hash if rows else ZERO_HASH,
            entry_hash=b"",
            signature=b"",
            key_id=KEY_ID,
        )
        rows.append(sealed(row))
    return rows


def answered(row: Row) -> Answer:
    statement = json.loads(row.statement)
    body = {
        "document_id": row.document_id,
        "fiscal_number": row.fiscal_number,
        "auth_code": base64.urlsafe_b64encode(row.signature).rstrip(b"=").decode(),
        "timestamp": statement["sealed_at"],
        "payload_hash": statement["payload_hash"],
        "key_id": row.key_id,
        "ledger": {
            "epoch": row.epoch,
            "index": row.index,
            "previous_hash": row.previous_hash.hex(),
            "entry_hash": row.entry_hash.hex(),
        },
    }
    return Answer(row.payload, body)


@dataclass
class Ledger:
    rows: list[Row]
    answers: list[Answer]
    keys: dict[str, bytes]

    def found(self) -> set[str]:
        """The kinds of violation that the checker finds."""
        verdict = check(self.answers, self.rows, self.keys)
        assert verdict.holds == (not verdict.lines())
        return {name for name, found in vars(verdict).items() if found}

    def reseal(self, place: int, key: Path = KEY_FILE, **members) -> None:
        """Forge a row and everything after it in its chain, as whoever holds the signing key could."""
        self.rows[place] = sealed(replace(self.rows[place], **members), key)
        for follower in range(place + 1, len(self.rows)):
            if self.rows[follower].outlet_id != self.rows[place].outlet_id:
                break
            self.rows[follower] = sealed(replace(self.rows[follower], previous_hash=self.rows[follower - 1].entry_hash))


@pytest.fixture(scope="module")
def good() -> Ledger:
    public = openssl("pkey", "-in", str(KEY_FILE), "-pubout", "-outform", "DER")
    rows = [*chained("KIN001", 4, 0), *chained("KIN002", 2, 5)]
    return Ledger(rows, [answered(row) for row in rows if row.kind == "invoice"], {KEY_ID: public})


@pytest.fixture
def ledger(good: Ledger) -> Ledger:
    return Ledger(list(good.rows), list(good.answers), dict(good.keys))


def test_a_good_ledger_passes(ledger: Ledger) -> None:
    assert ledger.found() == set()


# --- faults ----------------------------------------------------------------------------------------------------------


def lose_the_newest(ledger: Ledger) -> None:
    """A chain that was cut off at its end is whole by itself: only the answers tell."""
    del ledger.rows[-2:]


def answer_with_another_number(ledger: Ledger) -> None:
    body = {**ledger.answers[0].body, "fiscal_number": "BONO-KIN001-01-000000009"}
    ledger.answers[0] = Answer(ledger.answers[0].payload, body)


def answer_with_another_payload(ledger: Ledger) -> None:
    ledger.answers[0] = Answer(ledger.answers[0].payload + b" ", ledger.answers[0].body)


def rewrite_a_whole_chain(ledger: Ledger) -> None:
    """Sound in itself, every signature good, and not what the till was answered."""
    ledger.reseal(1, sealed_at=START + timedelta(seconds=1, milliseconds=500))


def answer_in_two_ways(ledger: Ledger) -> None:
    ledger.answers.append(Answer(ledger.answers[0].payload, {**ledger.answers[0].body, "short_code": "other"}))


def seal_one_document_twice(ledger: Ledger) -> None:
    ledger.reseal(3, document_id=ledger.rows[2].document_id)


def give_one_number_twice(ledger: Ledger) -> None:
    ledger.reseal(3, fiscal_number=ledger.rows[2].fiscal_number)


def seal_what_nobody_was_answered(ledger: Ledger) -> None:
    del ledger.answers[-1]


def certify_twice(ledger: Ledger) -> None:
    ledger.reseal(6, kind="dgi_certified", fiscal_number=ledger.rows[7].fiscal_number)


def skip_a_number(ledger: Ledger) -> None:
    ledger.reseal(3, fiscal_number="BONO-KIN001-01-000000005")


def skip_an_index(ledger: Ledger) -> None:
    ledger.reseal(4, index=6)


def skip_a_position(ledger: Ledger) -> None:
    ledger.rows[-1] = replace(ledger.rows[-1], position=99)


def remove_from_the_middle(ledger: Ledger) -> None:
    del ledger.rows[1]


def swap_two(ledger: Ledger) -> None:
    one, two = ledger.rows[1:3]
    ledger.rows[1:3] = replace(two, index=one.index), replace(one, index=two.index)


def change_a_payload(ledger: Ledger) -> None:
    ledger.rows[1] = replace(ledger.rows[1], payload=canonical({"document_id": ledger.rows[1].document_id}))


def change_a_column(ledger: Ledger) -> None:
    ledger.rows[1] = replace(ledger.rows[1], merchant_nif="B7654321C")


def change_a_statement(ledger: Ledger) -> None:
    ledger.rows[1] = replace(ledger.rows[1], statement=ledger.rows[1].statement.replace(b'"v":1', b'"v":2'))


def flip_one_bit_of_a_signature(ledger: Ledger) -> None:
    signature = bytearray(ledger.rows[-1].signature)
    signature[40] ^= 1
    ledger.rows[-1] = replace(ledger.rows[-1], signature=bytes(signature))


def take_a_signature_from_elsewhere(ledger: Ledger) -> None:
    ledger.rows[-1] = replace(ledger.rows[-1], signature=ledger.rows[0].signature)


def leave_the_signature_out(ledger: Ledger) -> None:
    ledger.rows[-1] = replace(ledger.rows[-1], signature=bytes(64))


def cut_the_signature(ledger: Ledger) -> None:
    ledger.rows[-1] = replace(ledger.rows[-1], signature=ledger.rows[-1].signature[:63])


def never_publish_the_key(ledger: Ledger) -> None:
    ledger.keys = {"fedcba9876543210": ledger.keys[KEY_ID]}


def turn_the_clock_back(ledger: Ledger) -> None:
    ledger.reseal(4, sealed_at=START)


FAULTS: list[tuple[Callable[[Ledger], None], set[str]]] = [
    (lose_the_newest, {"lost"}),
    (answer_with_another_number, {"lost"}),
    (answer_with_another_payload, {"lost"}),
    (rewrite_a_whole_chain, {"lost"}),
    (answer_in_two_ways, {"doubled"}),
    (seal_one_document_twice, {"doubled", "lost"}),
    (give_one_number_twice, {"doubled", "gaps", "lost"}),
    (seal_what_nobody_was_answered, {"doubled"}),
    (certify_twice, {"doubled", "lost"}),
    (skip_a_number, {"gaps", "lost"}),
    (skip_an_index, {"gaps"}),
    (skip_a_position, {"gaps"}),
    (remove_from_the_middle, {"gaps", "broken", "lost"}),
    (swap_two, {"broken", "gaps", "lost"}),
    (change_a_payload, {"broken", "lost"}),
    (change_a_column, {"broken"}),
    (change_a_statement, {"broken"}),
    (flip_one_bit_of_a_signature, {"broken"}),
    (take_a_signature_from_elsewhere, {"broken"}),
    (leave_the_signature_out, {"broken"}),
    (cut_the_signature, {"broken"}),
    (never_publish_the_key, {"broken"}),
    (turn_the_clock_back, {"broken"}),
]


@pytest.mark.parametrize(("fault", "kinds"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_is_found(ledger: Ledger, fault: Callable[[Ledger], None], kinds: set[str]) -> None:
    fault(ledger)
    assert ledger.found() == kinds


def test_an_entry_of_another_key_under_our_key_id_is_found(ledger: Ledger, tmp_path: Path) -> None:
    thief = tmp_path / "thief.pem"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(thief))
    ledger.reseal(len(ledger.rows) - 1, key=thief)
    assert ledger.found() == {"broken"}


# --- the answer to a document that is sent again ---------------------------------------------------------------------

REPLAYED = {"Idempotent-Replayed": "true"}


def body_of(answer: Answer, **members) -> bytes:
    return json.dumps({**answer.body, "dgi": {"status": "certified"}, **members}).encode()


def test_the_same_answer_marked_as_replayed_is_good(ledger: Ledger) -> None:
    known = ledger.answers[0]
    assert replay_fault(known, 200, REPLAYED, body_of(known)) is None


@pytest.mark.parametrize(
    ("status", "headers", "members"),
    [
        (201, REPLAYED, {}),
        (409, REPLAYED, {}),
        (200, {}, {}),
        (200, REPLAYED, {"timestamp": "2026-11-21T08:30:00.000Z"}),
        (200, REPLAYED, {"more": 1}),
    ],
)
def test_any_other_answer_is_a_fault(ledger: Ledger, status: int, headers: dict, members: dict) -> None:
    known = ledger.answers[0]
    assert replay_fault(known, status, headers, body_of(known, **members))
