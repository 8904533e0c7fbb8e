"""The log of a real service: checked by an auditor with a receipt and openssl, killed while it grows, witnessed."""

import base64
import hashlib
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.pool import make_pool
from bonopay_signer.fiscal import qr
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.transparency.keys import CosigningKey
from bonopay_signer.transparency.notes import parse_note, verified
from bonopay_signer.transparency.store import LogStore
from bonopay_signer.transparency.verification import LogVerified, verify_log

from ..support.processes import wait_until
from ..support.sandbox import Sandbox
from ..support.stand import AUTHORITY, Stand, document, running_stand
from ..support.tokens import Token
from .logs import ForeignLog
from .outsiders import checkpoint_of, openssl_accepts, root_by_path, split_note
from .trees import mth

CHECKPOINT = "/api/v1/log/checkpoint"


@pytest.fixture(scope="module")
def stand(cluster: str, token: Token, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A signer of this file's own: its log covers every entry."""
    with running_stand(cluster, token, sandbox, tmp_path_factory.mktemp("stand")) as stand:
        yield stand


def size_of(stand: Stand) -> int:
    answer = stand.http.get(CHECKPOINT)
    return checkpoint_of(answer.text)[1] if answer.status_code == 200 else 0


def entries_of(stand: Stand) -> int:
    return stand.rows("SELECT size FROM signer.shard")[0][0]


def covered(stand: Stand) -> None:
    wait_until(lambda: size_of(stand) >= entries_of(stand) > 0, "every entry is in a checkpoint")


def test_auditor_with_a_printed_receipt_finds_it_in_a_signed_checkpoint(stand: Stand, tmp_path: Path) -> None:
    """From the QR and the published key alone; the proof is checked by the RFC's text, the note by openssl."""
    sealed = stand.sealed(stand.outlet())
    covered(stand)
    receipt = qr.from_base32(sealed["qr_payload"].rpartition("/")[2])
    statement = receipt.statement.encode()
    entry_hash = hashlib.sha256(
        b"bonopay/entry/1\n" + receipt.previous_hash + hashlib.sha256(statement).digest()
    ).digest()
    leaf = hashlib.sha256(b"\x00" + entry_hash + receipt.signature).digest()
    answer = stand.http.get(
        "/api/v1/log/proof/inclusion",
        params={"fiscal_number": sealed["fiscal_number"], "code": sealed["short_code"]},
    ).json()
    assert base64.b64decode(answer["leaf_hash"]) == leaf
    proof = [base64.b64decode(hash_) for hash_ in answer["proof"]]
    origin, size, root = checkpoint_of(answer["checkpoint"])
    assert origin == f"bonopay.{AUTHORITY.lower()}/0/1"
    assert root_by_path(leaf, answer["position"], size, proof) == root
    text, ((name, blob),) = split_note(answer["checkpoint"])
    keys = stand.http.get("/.well-known/fiscal-keys.json").json()["keys"]
    (key,) = [key for key in keys if key["kid"] == sealed["key_id"]]
    assert name == origin and bytes.fromhex(key["kid"][:8]) == blob[:4]
    assert openssl_accepts(tmp_path, key["pem"].encode(), text.encode(), blob[4:])


def test_log_needs_no_key_and_takes_no_other_method(stand: Stand) -> None:
    covered(stand)
    bare = httpx.Client(base_url=stand.url)
    assert bare.get("/api/v1/log").json()["healthy"]
    assert bare.get("/api/v1/witness").status_code == 404
    assert bare.post("/api/v1/witness/add-checkpoint", content=b"old 0\n\n").status_code == 404
    for path, method in ((CHECKPOINT, "POST"), ("/api/v1/log/cosignatures", "GET"), ("/api/v1/log", "DELETE")):
        assert bare.request(method, path).status_code == 405
    huge = bare.post("/api/v1/log/cosignatures", content=b"x" * (1024 * 1024 + 1))
    assert (huge.status_code, huge.json()["code"]) == (413, "too_large")


# --- killed


@pytest.fixture
def foreign_file(tmp_path: Path, foreign: ForeignLog) -> Path:
    path = tmp_path / "logs"
    path.write_text(f"{foreign.verifier.verifier_key}\n")
    return path


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "witness-key"
    path.touch(mode=0o600)
    path.write_text(CosigningKey.generate("witness.example/w1").encode())
    return path


@pytest.fixture
def fast_stand(new_stand: Callable[..., Stand], key_file: Path, foreign_file: Path) -> Iterator[Stand]:
    """Signs a checkpoint every 50 ms, and is a witness."""
    stand = new_stand(checkpoint_interval=0.05, witness_key_file=key_file, witness_logs_file=foreign_file)
    stand.start()
    yield stand


async def test_log_and_witness_survive_kills_at_any_moment(
    fast_stand: Stand, foreign: ForeignLog, key_file: Path
) -> None:
    """Every checkpoint that anybody ever got is extended by all later ones; the witness never goes back."""
    stand, chance = fast_stand, random.Random(8)
    outlet = stand.outlet(mode="deferred")
    kept: list[str] = []
    witnessed = 0
    for _ in range(3):
        stop = threading.Event()
        tills = [threading.Thread(target=sell, args=(stand, outlet, stop)) for _ in range(4)]
        for till in tills:
            till.start()
        entries = entries_of(stand)
        wait_until(lambda before=entries: entries_of(stand) > before + 90, "the ledger grows")
        kept.append(stand.http.get(CHECKPOINT).text)
        answer = stand.http.post("/api/v1/witness/add-checkpoint", content=foreign.request(witnessed, witnessed + 3))
        assert answer.status_code == 200, answer.text
        witnessed += 3
        stop.wait(chance.uniform(0, 0.1))
        stand.kill()
        stop.set()
        for till in tills:
            till.join()
        stand.start()
    covered(stand)
    kept.append(stand.http.get(CHECKPOINT).text)
    assert_one_history(stand, kept)

    refused = stand.http.post("/api/v1/witness/add-checkpoint", content=foreign.request(0, 3, "fork"))
    assert (refused.status_code, refused.text) == (409, f"{witnessed}\n")
    key = CosigningKey.parse(key_file.read_text()).verifier
    again = stand.http.post("/api/v1/witness/add-checkpoint", content=foreign.request(witnessed, witnessed))
    assert verified(parse_note((foreign.note(witnessed) + again.text).encode()), [key])

    pool: AsyncConnectionPool = make_pool(stand.database.service, 2)
    async with pool:
        ders = [PublicKey(der).der for (der,) in stand.rows("SELECT public_der FROM signer.signing_key")]
        log = await verify_log(LogStore(pool), AUTHORITY, 0, ders)
    assert isinstance(log, LogVerified) and log.covered >= checkpoint_of(kept[-1])[1] > 256 and log.tiles >= 1, log


def sell(stand: Stand, outlet, stop: threading.Event) -> None:
    with httpx.Client(base_url=stand.url, timeout=10, headers={"Authorization": f"Bearer {stand.key}"}) as till:
        while not stop.is_set():
            try:
                till.post("/api/v1/invoices", json=document(outlet))
            except httpx.TransportError:
                return


def assert_one_history(stand: Stand, kept: list[str]) -> None:
    """The roots of all kept checkpoints, from the leaves that the tiles of the last one hold."""
    _, size, root = checkpoint_of(kept[-1])
    leaves: list[bytes] = []
    for index in itertools.count():
        width = min(256, size - 256 * index)
        if width <= 0:
            break
        path = f"0/{index:03d}" + ("" if width == 256 else f".p/{width}")
        data = stand.http.get(f"/api/v1/log/tile/{path}").content
        leaves += [data[at : at + 32] for at in range(0, len(data), 32)]
    assert len(leaves) == size and mth(leaves) == root
    for note in kept:
        _, older, older_root = checkpoint_of(note)
        assert mth(leaves[:older]) == older_root


@pytest.mark.parametrize("missing", ["witness_key_file", "witness_logs_file"])
def test_half_a_witness_does_not_start(
    new_stand: Callable[..., Stand], key_file: Path, foreign_file: Path, missing: str
) -> None:
    files = {"witness_key_file": key_file, "witness_logs_file": foreign_file}
    del files[missing]
    done = new_stand(**files).command("serve")
    assert done.returncode == 1
    assert f"BONOPAY_SIGNER_{missing.upper()} is not set" in done.stderr and "Traceback" not in done.stderr
