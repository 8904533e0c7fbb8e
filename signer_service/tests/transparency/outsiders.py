"""What an auditor has who trusts none of our code: openssl, and the tree by RFC 9162 as it is written there."""

import base64
import hashlib
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key


def pem_of(der: bytes) -> bytes:
    return load_der_public_key(der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def pem_of_ed25519(raw: bytes) -> bytes:
    """RFC 8410: twelve fixed bytes before the key."""
    return pem_of(bytes.fromhex("302a300506032b6570032100") + raw)


def openssl_accepts(folder: Path, pem: bytes, message: bytes, signature: bytes) -> bool:
    """ECDSA over SHA-256 or Ed25519, as the key is."""
    (folder / "key.pem").write_bytes(pem)
    (folder / "message").write_bytes(message)
    (folder / "signature").write_bytes(signature)
    is_ecdsa = b"Ed25519" not in subprocess.run(
        ["openssl", "pkey", "-pubin", "-noout", "-text", "-in", "key.pem"], cwd=folder, check=True, capture_output=True
    ).stdout.replace(b"ED25519", b"Ed25519")
    dgst = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "message"]
    pkeyutl = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]
    pkeyutl += ["-in", "message", "-sigfile", "signature"]
    return subprocess.run(dgst if is_ecdsa else pkeyutl, cwd=folder, check=False, capture_output=True).returncode == 0


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text, and name and value (key id ‖ signature) of each signature line."""
    text, _, block = note.rpartition("\n\n")
    lines = [line.removeprefix("— ").split(" ") for line in block.splitlines()]
    return text + "\n", [(name, base64.b64decode(value)) for name, value in lines]


def checkpoint_of(note: str) -> tuple[str, int, bytes]:
    origin, size, root = split_note(note)[0].splitlines()
    return origin, int(size), base64.b64decode(root)


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 §2.1.3.2, top down: the last element of the path is the other half of the whole tree."""
    if size == 1:
        assert not path
        return leaf
    k = 1 << (size - 1).bit_length() - 1
    *rest, other = path
    if index < k:
        return _node(root_by_path(leaf, index, k, rest), other)
    return _node(other, root_by_path(leaf, index - k, size - k, rest))


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
