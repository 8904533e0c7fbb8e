"""What witnesses say about our checkpoints: theirs alone, on what was published, and a fork they saw is not hidden."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.checkpoints import encode_hash
from bonopay_signer.transparency.keys import CosigningKey
from bonopay_signer.transparency.notes import EcdsaVerifier, parse_note, parse_signatures, verified
from bonopay_signer.transparency.witness import Witness

from ..support.databases import Database
from ..support.processes import run_signer_command
from .logs import Ledger, SoftwareSigner
from .outsiders import split_note

PATH = "/api/v1/log/cosignatures"
ORIGIN = "bonopay.bono-cd-test/0/1"


@pytest.fixture
def registered(database: Database) -> Callable[[str], CosigningKey]:
    def register(name: str) -> CosigningKey:
        key = CosigningKey.generate(name)
        with psycopg.connect(database.owner, autocommit=True) as connection:
            connection.execute("INSERT INTO signer.witness (verifier_key) VALUES (%s)", [key.verifier.verifier_key])
        return key

    return register


def cosigned(note: str, *keys: CosigningKey, at: float | None = None) -> str:
    text, _ = split_note(note)
    return note + "".join(key.cosign(text, int(time.time() if at is None else at)).line() for key in keys)


async def test_cosignature_is_published_with_the_checkpoint(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, client: httpx.AsyncClient, registered
) -> None:
    one, two = registered("witness.example/w1"), registered("witness.example/w2")
    ledger.grow(3)
    await checkpointer.advance()
    first = (await client.get("/api/v1/log/checkpoint")).text
    assert (await client.post(PATH, content=cosigned(first, one))).status_code == 200
    answer = await client.post(PATH, content=cosigned(first, two))
    published = (await client.get("/api/v1/log/checkpoint")).text
    assert answer.text == published
    log = EcdsaVerifier(ORIGIN, signer.public_key.der)
    keys = [log, one.verifier, two.verifier]
    assert {verifier.name for verifier, _ in verified(parse_note(published.encode()), keys)} == {
        key.name for key in keys
    }
    inclusion = (await client.get("/api/v1/log/proof/inclusion", params={"position": 1})).json()
    assert inclusion["checkpoint"] == published

    ledger.grow(1)
    await checkpointer.advance()
    second = (await client.get("/api/v1/log/checkpoint")).text
    await client.post(PATH, content=cosigned(second, one))
    sizes = {}
    for witnesses in (0, 1, 2):
        note = (await client.get("/api/v1/log/checkpoint", params={"witnesses": witnesses})).text
        sizes[witnesses] = note.split("\n")[1]
    assert sizes == {0: "4", 1: "4", 2: "3"}


async def test_two_signers_witness_one_another_by_the_published_interfaces(
    ledger: Ledger,
    signer: SoftwareSigner,
    checkpointer: Checkpointer,
    client: httpx.AsyncClient,
    pool: AsyncConnectionPool,
    registered,
) -> None:
    """As an operator's script would: checkpoint, consistency proof, add-checkpoint, cosignatures."""
    key = registered("witness.example/w1")
    witness = Witness(pool, key, {ORIGIN: [EcdsaVerifier(ORIGIN, signer.public_key.der)]})
    old = 0
    for count in (5, 600, 1):
        ledger.grow(count)
        await checkpointer.advance()
        proof = (await client.get("/api/v1/log/proof/consistency", params={"old": old})).json()
        body = f"old {old}\n" + "".join(f"{hash_}\n" for hash_ in proof["proof"]) + "\n" + proof["checkpoint"]
        line = await witness.add_checkpoint(body.encode())
        answer = await client.post(PATH, content=proof["checkpoint"] + line)
        assert answer.status_code == 200, answer.text
        old = proof["new"]
    note = parse_note((await client.get("/api/v1/log/checkpoint", params={"witnesses": 1})).content)
    assert verified(note, [key.verifier])
    assert note.text.split("\n")[1] == "606"


async def test_cosignature_of_nobody_we_know_or_that_is_wrong_is_refused(
    ledger: Ledger, checkpointer: Checkpointer, client: httpx.AsyncClient, registered
) -> None:
    key = registered("witness.example/w1")
    ledger.grow(3)
    await checkpointer.advance()
    note = (await client.get("/api/v1/log/checkpoint")).text
    text, _ = split_note(note)
    forged = note + key.cosign(text.replace("3", "4"), int(time.time())).line()
    bodies = [
        note,
        cosigned(note, CosigningKey.generate("witness.example/w1")),
        cosigned(note, CosigningKey.generate("witness.example/stranger")),
        forged,
        cosigned(forged, key),
        cosigned(note, key, at=time.time() + 3_600),
    ]
    for body in bodies:
        answer = await client.post(PATH, content=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "checkpoint_untrusted"), body
    assert (await client.get("/api/v1/log/checkpoint")).text == note
    assert (await client.post(PATH, content=b"nonsense")).status_code == 400
    assert (await client.post(PATH, content=cosigned(note, key))).status_code == 200


async def test_cosignature_on_what_was_not_published_is_kept_out(
    ledger: Ledger, checkpointer: Checkpointer, client: httpx.AsyncClient, registered
) -> None:
    key = registered("witness.example/w1")
    ledger.grow(3)
    await checkpointer.advance()
    note = (await client.get("/api/v1/log/checkpoint")).text
    root = note.split("\n")[2]
    never = [
        f"{ORIGIN}\n2\n{root}\n",
        f"{ORIGIN[:-1]}2\n3\n{root}\n",
        f"log.example/a\n3\n{root}\n",
    ]
    for text in never:
        answer = await client.post(PATH, content=cosigned(f"{text}\n{split_lines(note)}", key))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), text
    fork = f"{ORIGIN}\n3\n{encode_hash(bytes(32))}\n"
    answer = await client.post(PATH, content=cosigned(f"{fork}\n{split_lines(note)}", key))
    assert (answer.status_code, answer.json()["code"]) == (409, "checkpoint_forked")
    extended = f"{ORIGIN}\n3\n{root}\nan extension\n"
    answer = await client.post(PATH, content=cosigned(f"{extended}\n{split_lines(note)}", key))
    assert answer.status_code == 400
    assert ledger.rows("SELECT count(*) FROM signer.cosignature") == [(0,)]


def split_lines(note: str) -> str:
    return note.rpartition("\n\n")[2]


async def test_witness_renews_its_word_but_cannot_fill_the_disk(
    ledger: Ledger, checkpointer: Checkpointer, client: httpx.AsyncClient, registered
) -> None:
    key = registered("witness.example/w1")
    ledger.grow(3)
    await checkpointer.advance()
    note = (await client.get("/api/v1/log/checkpoint")).text
    start = int(time.time()) - 1_000
    for after in (0, 1, 59, 60, 61, 30, 200):
        assert (await client.post(PATH, content=cosigned(note, key, at=start + after))).status_code == 200
    kept = ledger.rows("SELECT cosigned_at FROM signer.cosignature ORDER BY 1")
    assert [at - start for (at,) in kept] == [0, 60, 200]
    (_, line) = parse_signatures(split_lines((await client.get("/api/v1/log/checkpoint")).text))
    assert int.from_bytes(line.value[:8], "big") == start + 200


async def test_removed_witness_is_heard_no_more(
    ledger: Ledger, checkpointer: Checkpointer, client: httpx.AsyncClient, registered, database: Database
) -> None:
    key = registered("witness.example/w1")
    ledger.grow(3)
    await checkpointer.advance()
    note = (await client.get("/api/v1/log/checkpoint")).text
    assert (await client.post(PATH, content=cosigned(note, key))).status_code == 200
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute("UPDATE signer.witness SET removed_at = now()")
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="removed once"):
            connection.execute("UPDATE signer.witness SET removed_at = NULL")
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="never changed"):
            connection.execute("DELETE FROM signer.witness")
    assert (await client.get("/api/v1/log/checkpoint")).text == note
    assert (await client.get("/api/v1/log/checkpoint", params={"witnesses": 1})).status_code == 404
    assert (await client.post(PATH, content=cosigned(note, key, at=time.time() - 500))).status_code == 403


def test_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "witness-key"
    done = run_signer_command("witness", "create-key", str(path), "--name", "witness.example/w1", environment={})
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    assert CosigningKey.parse(path.read_text().strip()).verifier.verifier_key == done.stdout.strip()
    environment = {"BONOPAY_SIGNER_WITNESS_KEY_FILE": str(path)}
    shown = run_signer_command("witness", "show-key", environment=environment)
    assert shown.stdout == done.stdout and path.read_text().strip() not in shown.stdout
    again = run_signer_command("witness", "create-key", str(path), "--name", "witness.example/w1", environment={})
    assert again.returncode == 1
    path.chmod(0o644)
    open_ = run_signer_command("witness", "show-key", environment=environment)
    assert open_.returncode == 1 and "chmod 600" in open_.stderr
    bad = run_signer_command("witness", "create-key", str(tmp_path / "x"), "--name", "two words", environment={})
    assert bad.returncode == 1 and "--name" in bad.stderr and not (tmp_path / "x").exists()


def test_witnesses_are_registered_by_the_owner(database: Database) -> None:
    environment = {
        "BONOPAY_SIGNER_DATABASE_URL": database.service,
        "BONOPAY_SIGNER_OWNER_DATABASE_URL": database.owner,
    }
    key = CosigningKey.generate("witness.example/w1").verifier.verifier_key

    def run(*arguments: str):
        return run_signer_command("witness", *arguments, environment=environment)

    assert run("add", key).returncode == 0
    assert run("add", key).returncode == 1
    assert run("add", key, "--if-missing").returncode == 0
    assert run("list").stdout == f"{key}\n"
    for bad in ("x", key[:-4], EcdsaVerifier("log", SoftwareSigner().public_key.der).verifier_key):
        assert run("add", bad).returncode == 1
    assert run("remove", key).returncode == 0
    assert run("remove", key).returncode == 1
    assert "removed" in run("list").stdout
    gone = run("add", key)
    assert gone.returncode == 1 and "new name" in gone.stderr
    with database.as_admin() as connection:
        rows = connection.execute("SELECT convert_from(record, 'UTF8')::jsonb FROM signer.action_log ORDER BY number")
        actions = [(record["action"], record["subject"]) for (record,) in rows]
    assert actions == [("witness.add", f"witness {key}"), ("witness.remove", f"witness {key}")]
