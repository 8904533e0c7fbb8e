"""A note that two programs read differently, or a signature that only we accept, is no proof."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bonopay_signer.transparency.checkpoints import Checkpoint, log_of, origin_of, parse_checkpoint
from bonopay_signer.transparency.keys import CosigningKey, KeyFileError, parse_logs
from bonopay_signer.transparency.notes import (
    NOTE_LIMIT,
    EcdsaVerifier,
    NoteMalformed,
    NoteUntrusted,
    Signature,
    SignedNote,
    parse_note,
    parse_verifier_key,
    verified,
)

from .outsiders import openssl_accepts, pem_of, pem_of_ed25519, split_note

# The example note that the reference implementation of signed notes publishes.
EXAMPLE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
EXAMPLE_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
TEXT = Checkpoint("log.example/a", 3, bytes(32)).text()


def ecdsa_note(text: str = TEXT, name: str = "log.example/a") -> tuple[SignedNote, EcdsaVerifier]:
    key = ec.generate_private_key(ec.SECP256R1())
    verifier = EcdsaVerifier(name, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    value = key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    return SignedNote(text, (Signature(name, verifier.key_id, value),)), verifier


def test_published_example_verifies_and_its_key_is_spelled_the_same() -> None:
    verifier = parse_verifier_key(EXAMPLE_KEY)
    assert verifier.verifier_key == EXAMPLE_KEY
    note = parse_note(EXAMPLE_NOTE.encode())
    assert note.encode() == EXAMPLE_NOTE
    assert [signer for signer, _ in verified(note, [verifier])] == [verifier]


@pytest.mark.parametrize("old", ["problem is", "cryptography", "x08go/ZJ"])
def test_changed_example_is_refused(old: str) -> None:
    changed = EXAMPLE_NOTE.replace(old, old[::-1])
    with pytest.raises(NoteUntrusted):
        verified(parse_note(changed.encode()), [parse_verifier_key(EXAMPLE_KEY)])


def test_openssl_accepts_the_cosignature_over_the_message_of_the_specification(tmp_path: Path) -> None:
    key = CosigningKey.generate("witness.example/w1")
    line = key.cosign(TEXT, 1_679_315_147).line()
    _, ((name, blob),) = split_note(f"{TEXT}\n{line}")
    assert (name, blob[:4], blob[4:12]) == (
        "witness.example/w1",
        key.verifier.key_id,
        (1_679_315_147).to_bytes(8, "big"),
    )
    message = b"cosignature/v1\ntime 1679315147\n" + TEXT.encode()
    assert openssl_accepts(tmp_path, pem_of_ed25519(key.verifier.public_key), message, blob[12:])
    assert not openssl_accepts(tmp_path, pem_of_ed25519(key.verifier.public_key), message + b"\n", blob[12:])
    assert key.verifier.verifies(TEXT, blob[4:])
    assert not key.verifier.verifies(TEXT.replace("3", "4"), blob[4:])
    assert not key.verifier.verifies(TEXT, bytes(8) + blob[12:])


def test_openssl_accepts_what_the_p256_verifier_accepts(tmp_path: Path) -> None:
    note, verifier = ecdsa_note()
    value = note.signatures[0].value
    assert verified(note, [verifier])
    assert openssl_accepts(tmp_path, pem_of(verifier.public_key), TEXT.encode(), value)
    for damaged in (value[:-1], value + b"\0", b"", bytes([value[0] ^ 1]) + value[1:]):
        assert not verifier.verifies(TEXT, damaged)


def test_good_signature_beside_a_bad_one_of_a_known_key_does_not_save_the_note() -> None:
    note, verifier = ecdsa_note()
    other, known = ecdsa_note("something else\n")
    both = SignedNote(TEXT, (*note.signatures, *other.signatures))
    assert verified(both, [verifier])
    with pytest.raises(NoteUntrusted, match="does not verify"):
        verified(both, [verifier, known])


def test_signature_of_an_unknown_key_counts_for_nothing() -> None:
    note, verifier = ecdsa_note()
    _, stranger = ecdsa_note()
    with pytest.raises(NoteUntrusted, match="no known key"):
        verified(note, [stranger])
    with pytest.raises(NoteUntrusted):
        verified(note, [EcdsaVerifier("log.example/b", verifier.public_key)])


GOOD_LINE = "— a AAAAAAA=\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        f"text{GOOD_LINE}".encode(),
        f"text\n\n{GOOD_LINE[:-1]}".encode(),
        f"\n\n{GOOD_LINE}".encode(),
        f"te\0xt\n\n{GOOD_LINE}".encode(),
        f"text\r\n\n{GOOD_LINE}".encode(),
        b"\xff\n\n" + GOOD_LINE.encode(),
        b"text\n\n- a AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n".encode(),
        "text\n\n— a+b AAAAAAA=\n".encode(),
        "text\n\n— a AAAAAA==\n".encode(),
        "text\n\n— a AAAAAAB=\n".encode(),
        "text\n\n— a AAAAAAA\n".encode(),
        "text\n\n— a AAAAAAA= \n".encode(),
        f"text\n\n{GOOD_LINE * 65}".encode(),
        b"x" * NOTE_LIMIT + f"\n\n{GOOD_LINE}".encode(),
    ],
)
def test_note_of_another_spelling_is_malformed(data: bytes) -> None:
    with pytest.raises(NoteMalformed):
        parse_note(data)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"o\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"o\n01\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n 1\n{ROOT}\n",
        f"o\n١\n{ROOT}\n",
        f"o\n9223372036854775808\n{ROOT}\n",
        f"o\n1\n{ROOT[:-1]}\n",
        f"o\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"o\n1\n{ROOT[:-2]}B=\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\nx\n\ny\n",
    ],
)
def test_checkpoint_of_another_spelling_is_malformed(text: str) -> None:
    with pytest.raises(NoteMalformed):
        parse_checkpoint(text)


def test_checkpoint_with_extensions_is_read_and_written_the_same() -> None:
    text = f"o\n9223372036854775807\n{ROOT}\nsome extension\nanother\n"
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.size, checkpoint.extensions) == (2**63 - 1, ("some extension", "another"))
    assert checkpoint.text() == text


@pytest.mark.parametrize("origin", ["bonopay.bono-cd-test/0/1", "bonopay.bono-cd-test/7/12"])
def test_origin_of_our_logs_leads_back(origin: str) -> None:
    log = log_of(origin, "BONO-CD-TEST")
    assert log is not None and origin_of("BONO-CD-TEST", *log) == origin


@pytest.mark.parametrize(
    "origin", ["bonopay.bono-cd-demo/0/1", "bonopay.bono-cd-test/00/1", "x", "bonopay.bono-cd-test/0/0"]
)
def test_origin_of_another_log_does_not(origin: str) -> None:
    assert log_of(origin, "BONO-CD-TEST") is None


# --- files of keys


def test_cosigning_key_survives_its_file() -> None:
    key = CosigningKey.generate("witness.example/w1")
    again = CosigningKey.parse(key.encode())
    assert again.verifier.verifier_key == key.verifier.verifier_key
    assert again.cosign(TEXT, 7) == key.cosign(TEXT, 7)
    assert parse_verifier_key(key.verifier.verifier_key).verifies(TEXT, key.cosign(TEXT, 7).value)


@pytest.mark.parametrize("place", [0, 5, 14, 32, 40, -1])
def test_damaged_cosigning_key_is_refused_and_not_shown(place: int) -> None:
    text = CosigningKey.generate("witness.example/w1").encode()
    place %= len(text)
    damaged = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
    with pytest.raises(KeyFileError) as refusal:
        CosigningKey.parse(damaged)
    assert text.split("+")[-1][:20] not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_logs_of_a_witness_are_keys_by_origin() -> None:
    (_, one), (_, two), (_, other) = ecdsa_note(), ecdsa_note(), ecdsa_note(name="log.example/b")
    text = f"# logs\n\n{one.verifier_key}\n  {two.verifier_key}  # since 2027\n{other.verifier_key}\n{EXAMPLE_KEY}\n"
    logs = parse_logs(text)
    assert {origin: [key.verifier_key for key in keys] for origin, keys in logs.items()} == {
        "log.example/a": [one.verifier_key, two.verifier_key],
        "log.example/b": [other.verifier_key],
        "PeterNeumann": [EXAMPLE_KEY],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# nothing\n", "names none"),
        (f"\n{EXAMPLE_KEY[:-4]}\n", "line 2"),
        (EXAMPLE_KEY.replace("c74f20a3", "c74f20a4"), "key id"),
        (CosigningKey.generate("w").verifier.verifier_key, "of a witness"),
        (ecdsa_note(name="x" * 256)[1].verifier_key, "255 bytes"),
    ],
    ids=["nothing", "cut short", "another key id", "a witness", "a long name"],
)
def test_file_of_logs_that_cannot_be_used_names_the_line(text: str, words: str) -> None:
    with pytest.raises(KeyFileError, match=words):
        parse_logs(text)
