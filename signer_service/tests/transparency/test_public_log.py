"""Anybody rebuilds the tree and checks an entry from what is published, and learns nothing else."""

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from bonopay_signer.fiscal.security import short_code
from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.merkle import root_of
from bonopay_signer.transparency.notes import EcdsaVerifier
from bonopay_signer.transparency.store import LogStore
from bonopay_signer.transparency.tiles import TileId, tile_path

from ..support.databases import Database, throw_away_database
from .logs import Ledger, SoftwareSigner
from .outsiders import checkpoint_of, openssl_accepts, pem_of, root_by_path, split_note
from .trees import mth, subproof

SIZES = (1, 300, 66_000)
LAST = SIZES[-1]
ORIGIN = "bonopay.bono-cd-test/0/1"


@pytest.fixture(scope="module")
def database(cluster: str) -> Iterator[Database]:
    """One for all: the tests only read."""
    with throw_away_database(cluster) as database:
        yield database


@pytest.fixture(scope="module")
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture(scope="module")
def signer(database: Database) -> SoftwareSigner:
    signer = SoftwareSigner()
    signer.publish(database)
    return signer


@pytest.fixture(autouse=True)
async def grown(ledger: Ledger, checkpointer: Checkpointer) -> AsyncIterator[None]:
    """The ledger grew in three steps with a checkpoint each, and by five entries that are in none."""
    if not ledger.branches:
        for size in SIZES:
            ledger.grow(size - len(ledger.branches))
            await checkpointer.advance()
        ledger.grow(5)
    yield


def number(position: int) -> str:
    return f"BONO-KIN001-01-{position + 1:09d}"


def proof_in(answer: httpx.Response) -> list[bytes]:
    assert answer.status_code == 200, answer.text
    return [base64.b64decode(hash_) for hash_ in answer.json()["proof"]]


async def test_checkpoint_is_a_note_that_openssl_verifies(
    client: httpx.AsyncClient, signer: SoftwareSigner, ledger: Ledger, tmp_path: Path
) -> None:
    answer = await client.get("/api/v1/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert checkpoint_of(answer.text) == (ORIGIN, LAST, root_of(ledger.leaves(LAST)))
    text, ((name, blob),) = split_note(answer.text)
    der = signer.public_key.der
    assert (name, blob[:4]) == (ORIGIN, hashlib.sha256(der).digest()[:4])
    assert openssl_accepts(tmp_path, pem_of(der), text.encode(), blob[4:])
    assert not openssl_accepts(tmp_path, pem_of(der), text.replace(str(LAST), str(LAST + 1)).encode(), blob[4:])


async def test_tiles_give_the_root_to_who_knows_only_the_specification(
    client: httpx.AsyncClient, ledger: Ledger
) -> None:
    """Every tile of every level for the checkpoint's size, as a client of C2SP tlog-tiles fetches them."""
    _, size, root = checkpoint_of((await client.get("/api/v1/log/checkpoint")).text)
    rows: list[list[bytes]] = []
    width = size
    while width:
        row: list[bytes] = []
        for index in range(-(-width // 256)):
            here = min(256, width - 256 * index)
            path = tile_path(TileId(len(rows), index), here)
            answer = await client.get(f"/api/v1/log/tile/{path}")
            assert answer.status_code == 200, path
            assert answer.headers["content-type"] == "application/octet-stream"
            assert "immutable" in answer.headers["cache-control"]
            assert len(answer.content) == 32 * here
            row += [answer.content[at : at + 32] for at in range(0, 32 * here, 32)]
        rows.append(row)
        width //= 256
    assert rows[0] == ledger.leaves(size)
    for below, above in zip(rows, rows[1:], strict=False):
        assert above == [mth(below[at : at + 256]) for at in range(0, len(below) // 256 * 256, 256)]
    edge = [row[len(row) // 256 * 256 :] for row in rows]
    assert root == root_of_edge(edge)


def root_of_edge(edge: list[list[bytes]]) -> bytes:
    """The root out of the partial tiles: the ragged end of each level beside the whole of the levels above."""
    perfect: list[bytes] = []
    for row in reversed(edge):
        at = 0
        for bit in range(7, -1, -1):
            if len(row) & 1 << bit:
                perfect.append(mth(row[at : at + (1 << bit)]))
                at += 1 << bit
    root = perfect.pop()
    while perfect:
        root = hashlib.sha256(b"\x01" + perfect.pop() + root).digest()
    return root


@pytest.mark.parametrize("path", ["0/000.p/1", "0/001.p/44", "1/000.p/1", "0/x000/000", "0/257.p/208", "0/256.p/255"])
async def test_partial_tile_of_an_older_size_is_still_served_and_another_spelling_never(
    client: httpx.AsyncClient, ledger: Ledger, path: str
) -> None:
    answer = await client.get(f"/api/v1/log/tile/{path}")
    if "x000" in path:
        assert answer.status_code == 404
        return
    level, first, width = int(path[0]), int(path[2:5]) * 256, int(path.split("/")[-1])
    span = 256**level
    leaves = ledger.leaves(LAST)
    expected = [root_of(leaves[at * span : (at + 1) * span]) for at in range(first, first + width)]
    assert answer.content == b"".join(expected)


@pytest.mark.parametrize(
    "path",
    [
        "0/257",
        "0/257.p/209",
        "0/258.p/1",
        "1/001.p/2",
        "2/000.p/2",
        "3/000.p/1",
        "63/000.p/1",
        "64/000",
        "0/000.p/256",
        "0/000.p/0",
        "0/000.p/01",
        "00/000",
        "0/0",
        "0/-01",
        "0/x999/x999/x999/x999/x999/x999/999",
        "entries/000",
        "",
        "0/000/",
        "%00",
        "0/٠٠٠",
    ],
)
async def test_tile_that_no_checkpoint_covers_or_that_is_none_is_not_found(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(f"/api/v1/log/tile/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("position", [0, 1, 255, 256, 299, 300, 65_535, 65_536, LAST - 1])
async def test_receipt_is_proved_to_be_in_the_checkpoint(
    client: httpx.AsyncClient, ledger: Ledger, position: int
) -> None:
    code = short_code(ledger.signature(position))
    answer = await client.get(
        "/api/v1/log/proof/inclusion", params={"fiscal_number": number(position), "code": code.lower()}
    )
    proof, body = proof_in(answer), answer.json()
    leaf = hashlib.sha256(b"\x00" + ledger.entry_hash(position) + ledger.signature(position)).digest()
    origin, size, root = checkpoint_of(body["checkpoint"])
    assert (body["origin"], body["position"], body["size"]) == (ORIGIN, position, LAST) == (origin, position, size)
    assert base64.b64decode(body["leaf_hash"]) == leaf
    assert root_by_path(leaf, position, LAST, proof) == root
    by_position = await client.get("/api/v1/log/proof/inclusion", params={"position": position})
    assert by_position.json() == body
    signature = ledger.signature(position)
    for secret in (
        code,
        base64.b64encode(signature).decode()[:40],
        signature.hex()[:40],
        ledger.entry_hash(position).hex(),
    ):
        assert secret not in answer.text


@pytest.mark.parametrize("size", SIZES[:-1])
async def test_proof_in_an_older_checkpoint_that_somebody_kept(
    client: httpx.AsyncClient, ledger: Ledger, size: int
) -> None:
    answer = await client.get("/api/v1/log/proof/inclusion", params={"position": 0, "size": size})
    _, signed_size, root = checkpoint_of(answer.json()["checkpoint"])
    assert signed_size == size
    assert root_by_path(ledger.leaves(1)[0], 0, size, proof_in(answer)) == root == root_of(ledger.leaves(size))


async def test_number_without_its_code_says_as_much_as_a_number_that_does_not_exist(
    client: httpx.AsyncClient, ledger: Ledger
) -> None:
    code = short_code(ledger.signature(7))
    tries = [
        {"fiscal_number": number(7)},
        {"fiscal_number": number(7), "code": ""},
        {"fiscal_number": number(7), "code": short_code(ledger.signature(8))},
        {"fiscal_number": number(LAST + 100), "code": code},
        {"fiscal_number": "BONO-KIN001-01-0", "code": code},
        {"fiscal_number": "%00", "code": "\ud7ff"},
    ]
    answers = [await client.get("/api/v1/log/proof/inclusion", params=query) for query in tries]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


async def test_invoice_after_the_last_checkpoint_is_told_to_wait(client: httpx.AsyncClient, ledger: Ledger) -> None:
    params = {"fiscal_number": number(LAST + 1), "code": short_code(ledger.signature(LAST + 1))}
    answer = await client.get("/api/v1/log/proof/inclusion", params=params)
    assert (answer.status_code, answer.json()["code"]) == (503, "log_behind")
    assert answer.headers["retry-after"]
    by_position = await client.get("/api/v1/log/proof/inclusion", params={"position": LAST + 1})
    assert by_position.status_code == 404


@pytest.mark.parametrize("old", [0, 1, 2, 255, 256, 300, 1_000, 65_999, LAST])
async def test_consistency_proof_is_that_of_the_rfc(client: httpx.AsyncClient, ledger: Ledger, old: int) -> None:
    answer = await client.get("/api/v1/log/proof/consistency", params={"old": old, "new": LAST})
    assert proof_in(answer) == (subproof(old, ledger.leaves(LAST)) if old else [])
    body = answer.json()
    assert (body["origin"], body["old"], body["new"]) == (ORIGIN, old, LAST)
    assert checkpoint_of(body["checkpoint"]) == (ORIGIN, LAST, root_of(ledger.leaves(LAST)))
    assert (await client.get("/api/v1/log/proof/consistency", params={"old": old})).json() == body


async def test_consistency_of_a_size_that_was_never_signed_is_not_found(client: httpx.AsyncClient) -> None:
    for new in (2, 299, LAST + 1, 2**63 - 1):
        answer = await client.get("/api/v1/log/proof/consistency", params={"old": 1, "new": new})
        assert answer.status_code == 404


BAD = ["", "-1", "01", "1.0", "x", "1e3", "٣", str(2**63), "9" * 400, " 1", "+1", "null"]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    "query",
    [
        "proof/inclusion?position={}",
        "proof/inclusion?position=0&size={}",
        "proof/inclusion?position=0&epoch={}",
        "proof/consistency?old={}",
        "proof/consistency?old=1&new={}",
        "checkpoint?witnesses={}",
        "checkpoint?epoch={}",
        "tile/0/000?epoch={}",
        "?epoch={}",
    ],
)
async def test_bad_parameter_is_named(client: httpx.AsyncClient, query: str, value: str) -> None:
    url = httpx.URL(f"/api/v1/log/{query}".replace("log/?", "log?").split("?")[0])
    pairs = dict(pair.split("=") for pair in query.split("?")[1].replace("{}", "§").split("&"))
    name = next(name for name, text in pairs.items() if text == "§")
    answer = await client.get(url, params={**pairs, name: value})
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter_invalid"), answer.text
    assert answer.json()["detail"].startswith(f"{name}: ")
    assert len(answer.json()["detail"]) < 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("proof/inclusion", 400),
        ("proof/inclusion?position=1&fiscal_number=x", 400),
        ("proof/inclusion?position=1&size=2", 404),
        ("proof/inclusion?position=5&size=1", 404),
        ("proof/consistency", 400),
        ("proof/consistency?old=301&new=300", 400),
        ("checkpoint?witnesses=65", 400),
        ("checkpoint?witnesses=1", 404),
        ("checkpoint?epoch=2", 404),
        ("checkpoint?epoch=0", 404),
    ],
)
async def test_question_without_an_answer_is_a_problem(client: httpx.AsyncClient, query: str, status: int) -> None:
    answer = await client.get(f"/api/v1/log/{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_log_describes_itself(client: httpx.AsyncClient, signer: SoftwareSigner) -> None:
    body = (await client.get("/api/v1/log")).json()
    assert (body["origin"], body["size"], body["alarm"]) == (ORIGIN, LAST, False)
    assert body["keys"] == [EcdsaVerifier(ORIGIN, signer.public_key.der).verifier_key]


async def test_changed_ledger_is_never_dressed_up_as_a_proof(
    client: httpx.AsyncClient, ledger: Ledger, store: LogStore
) -> None:
    position = LAST - 1
    good = ledger.rows("SELECT signature FROM signer.entry WHERE position = %s", position)[0][0]
    params = {"position": position}
    assert (await client.get("/api/v1/log/proof/inclusion", params=params)).status_code == 200
    ledger.tamper("UPDATE signer.entry SET signature = %s WHERE position = %s", good[::-1], position)
    try:
        answer = await client.get("/api/v1/log/proof/inclusion", params=params)
        assert (answer.status_code, answer.json()["code"]) == (503, "log_contradiction")
        answer = await client.get("/api/v1/log/proof/inclusion", params={"position": LAST - 2})
        assert (answer.status_code, answer.json()["code"]) == (503, "log_contradiction")
    finally:
        ledger.tamper("UPDATE signer.entry SET signature = %s WHERE position = %s", good, position)
