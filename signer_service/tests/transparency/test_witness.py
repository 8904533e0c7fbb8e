"""A witness that cosigns two histories of one log is worse than none: C2SP tlog-witness, attacked."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.transparency.keys import CosigningKey
from bonopay_signer.transparency.notes import parse_note, parse_signatures, parse_verifier_key, verified
from bonopay_signer.transparency.witness import CosignedLater, OtherSize, Witness

from ..support.databases import Database, throw_away_database
from .logs import ForeignLog, submission
from .outsiders import openssl_accepts, pem_of_ed25519, split_note
from .trees import leaves, mth, subproof


@pytest.fixture(scope="module")
def database(cluster: str) -> Iterator[Database]:
    """One for all: each test has a log of its own."""
    with throw_away_database(cluster) as database:
        yield database


PATH = "/api/v1/witness/add-checkpoint"


async def test_each_larger_checkpoint_is_cosigned(
    client: httpx.AsyncClient, foreign: ForeignLog, witness: Witness, tmp_path: Path
) -> None:
    old = 0
    for size in (1, 2, 7, 256, 300):
        answer = await client.post(PATH, content=foreign.request(old, size))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        note = parse_note((foreign.note(size) + answer.text).encode())
        key = parse_verifier_key(witness.verifier_key)
        assert [verifier for verifier, _ in verified(note, [key])] == [key]
        old = size
    text, (*_, (name, blob)) = split_note(note.encode())
    assert name == "witness.example/w1"
    time = int.from_bytes(blob[4:12], "big")
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    assert openssl_accepts(tmp_path, pem_of_ed25519(key.public_key), message, blob[12:])
    view = (await client.get("/api/v1/witness")).json()
    assert view == {"verifier_key": witness.verifier_key, "logs": [{"origin": foreign.origin, "size": 300}]}


async def test_same_checkpoint_again_is_cosigned_again(client: httpx.AsyncClient, foreign: ForeignLog) -> None:
    assert (await client.post(PATH, content=foreign.request(0, 5))).status_code == 200
    again = await client.post(PATH, content=foreign.request(5, 5))
    assert again.status_code == 200
    assert len(parse_signatures(again.text)) == 1


async def test_other_old_size_is_answered_with_ours(client: httpx.AsyncClient, foreign: ForeignLog) -> None:
    await client.post(PATH, content=foreign.request(0, 5))
    for old, size in ((0, 5), (0, 9), (4, 9), (6, 9)):
        answer = await client.post(PATH, content=foreign.request(old, size))
        assert (answer.status_code, answer.text) == (409, "5\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"
    assert (await client.post(PATH, content=foreign.request(5, 9))).status_code == 200


async def test_other_old_size_of_a_log_never_seen_is_answered_with_zero(
    client: httpx.AsyncClient, foreign: ForeignLog
) -> None:
    answer = await client.post(PATH, content=foreign.request(3, 9))
    assert (answer.status_code, answer.text) == (409, "0\n")


async def test_fork_is_never_cosigned_whatever_the_proof(client: httpx.AsyncClient, foreign: ForeignLog) -> None:
    """The log itself signs another history: of the same size, larger, with the proof of either branch."""
    await client.post(PATH, content=foreign.request(0, 6))
    assert (await client.post(PATH, content=foreign.request(6, 6, "fork"))).status_code == 409
    for proof in (
        subproof(6, leaves(9, "fork")),
        subproof(6, leaves(9)),
        subproof(6, leaves(9))[::-1],
        subproof(6, leaves(9))[:-1],
        [],
        [mth(leaves(6))],
    ):
        answer = await client.post(PATH, content=submission(6, proof, foreign.note(9, "fork")))
        assert (answer.status_code, answer.json()["code"]) == (422, "proof_invalid")
    answer = await client.post(PATH, content=submission(6, [bytes(32)] * 3, foreign.note(9)))
    assert answer.status_code == 422
    assert (await client.post(PATH, content=foreign.request(6, 9))).status_code == 200


async def test_rolled_back_checkpoint_is_not_cosigned(client: httpx.AsyncClient, foreign: ForeignLog) -> None:
    await client.post(PATH, content=foreign.request(0, 9))
    smaller = submission(9, [], foreign.note(6))
    assert (await client.post(PATH, content=smaller)).status_code == 400
    assert (await client.post(PATH, content=foreign.request(6, 6))).status_code == 409
    assert (await client.post(PATH, content=foreign.request(0, 6))).status_code == 409


async def test_first_checkpoint_takes_no_proof_and_the_empty_tree_has_one_root(
    client: httpx.AsyncClient, foreign: ForeignLog
) -> None:
    assert (await client.post(PATH, content=submission(0, [bytes(32)], foreign.note(4)))).status_code == 422
    assert (await client.post(PATH, content=submission(0, [], foreign.note(0, root=bytes(32))))).status_code == 409
    assert (await client.post(PATH, content=foreign.request(0, 0))).status_code == 200
    assert (await client.post(PATH, content=foreign.request(0, 4))).status_code == 200


async def test_checkpoint_of_an_unknown_log_or_of_a_stranger_is_refused(
    client: httpx.AsyncClient, foreign: ForeignLog
) -> None:
    unknown = ForeignLog("log.example/other")
    answer = await client.post(PATH, content=unknown.request(0, 3))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    stranger = ForeignLog(foreign.origin)
    answer = await client.post(PATH, content=stranger.request(0, 3))
    assert (answer.status_code, answer.json()["code"]) == (403, "checkpoint_untrusted")
    both = foreign.note(3) + split_lines(stranger.note(3))
    assert (await client.post(PATH, content=submission(0, [], both))).status_code == 200


def split_lines(note: str) -> str:
    return note.rpartition("\n\n")[2]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: b"",
        lambda body: body.replace(b"old 0\n", b""),
        lambda body: body.replace(b"old 0", b"old 00"),
        lambda body: body.replace(b"old 0", b"old -1"),
        lambda body: body.replace(b"old 0", b"old  0"),
        lambda body: body.replace(b"old 0", b"old 4"),
        lambda body: body.replace(b"old 0\n", b"old 0\nnot base64\n"),
        lambda body: body.replace(b"old 0\n", b"old 0\n" + base64.b64encode(bytes(31)) + b"\n"),
        lambda body: body.replace(b"old 0\n", b"old 0\n" + (base64.b64encode(bytes(32)) + b"\n") * 64),
        lambda body: body.replace(b"old 0\n", b"old 0\r\n"),
        lambda body: body.replace(b"\n3\n", b"\n03\n"),
        lambda body: body.replace("— ".encode(), b"-- "),
        lambda body: body[:-1],
        lambda body: b"old 0\n\n\xff\xfe",
        lambda body: b"\xff" + body,
    ],
)
async def test_malformed_request_is_a_bad_request(
    client: httpx.AsyncClient, foreign: ForeignLog, change: Callable[[bytes], bytes]
) -> None:
    answer = await client.post(PATH, content=change(foreign.request(0, 3)))
    assert (answer.status_code, answer.json()["code"]) == (400, "checkpoint_malformed")


async def test_two_branches_at_once_never_both_win(
    pool: AsyncConnectionPool, foreign: ForeignLog, witness: Witness, monkeypatch
) -> None:
    """Both are judged against the same checkpoint before either is recorded; one is told the other's size."""
    for round_, old in enumerate((0, 8, 16, 24)):
        both_have_read = asyncio.Barrier(2)
        real = Witness.last

        async def read_together(self: Witness, origin: str, barrier=both_have_read, real=real, old=old):
            last = await real(self, origin)
            if last.size == old:
                async with asyncio.timeout(5):
                    await barrier.wait()
            return last

        monkeypatch.setattr(Witness, "last", read_together)
        requests = (foreign.request(old, old + 8), foreign.request(old, old + 5))
        outcomes = await asyncio.gather(*map(witness.add_checkpoint, requests), return_exceptions=True)
        monkeypatch.setattr(Witness, "last", real)
        refused = [outcome for outcome in outcomes if isinstance(outcome, OtherSize)]
        assert len(refused) == 1, outcomes
        size = (await witness.last(foreign.origin)).size
        assert refused[0].size == size
        if size != old + 8:
            await witness.add_checkpoint(foreign.request(size, old + 8))
        assert (await witness.last(foreign.origin)).size == 8 * (round_ + 1)


async def test_storm_of_requests_leaves_one_history(foreign: ForeignLog, witness: Witness) -> None:
    requests = [foreign.request(old, size) for old in range(6) for size in range(old, 7)] * 3
    outcomes = await asyncio.gather(*map(witness.add_checkpoint, requests), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {str, OtherSize}
    cosigned = await witness.last(foreign.origin)
    assert cosigned.root == mth(leaves(cosigned.size))


async def test_new_process_remembers_what_was_cosigned(
    pool: AsyncConnectionPool, foreign: ForeignLog, witness: Witness
) -> None:
    await witness.add_checkpoint(foreign.request(0, 9))
    again = Witness(pool, CosigningKey.generate("witness.example/w1"), {foreign.origin: [foreign.verifier]})
    with pytest.raises(OtherSize) as refusal:
        await again.add_checkpoint(foreign.request(0, 9, "fork"))
    assert refusal.value.size == 9


async def test_cosignature_that_was_not_recorded_is_not_given(
    foreign: ForeignLog, witness: Witness, monkeypatch
) -> None:
    async def failing(*_):
        raise psycopg.OperationalError("the disk is full")

    monkeypatch.setattr(Witness, "_record", failing)
    with pytest.raises(psycopg.OperationalError):
        await witness.add_checkpoint(foreign.request(0, 3))


async def test_clock_that_runs_backwards_cosigns_nothing(
    pool: AsyncConnectionPool, foreign: ForeignLog, witness: Witness
) -> None:
    logs = {foreign.origin: [foreign.verifier]}
    key = CosigningKey.generate("witness.example/w1")
    await Witness(pool, key, logs, clock=lambda: 2_000).add_checkpoint(foreign.request(0, 3))
    with pytest.raises(CosignedLater):
        await Witness(pool, key, logs, clock=lambda: 1_999).add_checkpoint(foreign.request(3, 4))
    await Witness(pool, key, logs, clock=lambda: 2_000).add_checkpoint(foreign.request(3, 4))


@pytest.mark.parametrize(
    "change",
    ["size = 8", "root = sha256('x')", "size = 10, root = sha256('x'), cosigned_at = cosigned_at - 1", "origin = 'x'"],
)
async def test_database_refuses_to_move_back_what_was_cosigned(
    database: Database, foreign: ForeignLog, witness: Witness, change: str
) -> None:
    await witness.add_checkpoint(foreign.request(0, 9))
    with psycopg.connect(database.owner, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="only moves forward"):
            connection.execute(f"UPDATE signer.witnessed SET {change} WHERE origin = %s", [foreign.origin])
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="never changed"):
            connection.execute("DELETE FROM signer.witnessed WHERE origin = %s", [foreign.origin])
