"""A ledger to take checkpoints of: rows of the real tables in a migrated database, sealed by nobody.

The log reads nothing of an entry but its place, its hash and its signature.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bonopay_signer.hsm.ecdsa import PublicKey, key_id
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.transparency.notes import EcdsaVerifier, Signature, SignedNote

from ..support.databases import Database
from . import trees

AUTHORITY = "BONO-CD-TEST"
_ADD_ENTRIES = """
INSERT INTO signer.entry
SELECT %(shard)s, p, 'KIN001', p + 1, 1, 'invoice', 'A1234567B', gen_random_uuid(),
       'BONO-KIN001-01-' || to_char(p + 1, 'FM000000000'), now(), '', '', sha256(''), sha256(''),
       sha256(convert_to(%(branch)s || '/hash/' || p, 'UTF8')),
       sha256(convert_to(%(branch)s || '/r/' || p, 'UTF8')) || sha256(convert_to(%(branch)s || '/s/' || p, 'UTF8')),
       '0123456789abcdef', 'http://127.0.0.1'
  FROM generate_series(%(size)s, %(size)s + %(count)s - 1) AS p
"""
_ADD_DOCUMENTS = """
INSERT INTO signer.document
SELECT merchant_nif, document_id, fiscal_number, outlet_id, index, sealed_at, payload_hash
  FROM signer.entry WHERE position >= %(size)s
"""
_MOVE_SHARD = "UPDATE signer.shard SET size = %(size)s + %(count)s, sealed_at = now() WHERE id = %(shard)s"


class Ledger:
    """Entries by number: what they hold is known without reading them."""

    def __init__(self, database: Database, shard: int = 0) -> None:
        self.database = database
        self.shard = shard
        self.branches: list[str] = []

    def grow(self, count: int, branch: str = "") -> None:
        values = {"shard": self.shard, "size": len(self.branches), "count": count, "branch": branch}
        with self.database.as_admin() as connection, connection.transaction():
            for statement in (_ADD_ENTRIES, _ADD_DOCUMENTS, _MOVE_SHARD):
                connection.execute(statement, values)
        self.branches += [branch] * count

    def entry_hash(self, position: int) -> bytes:
        return _sha256(f"{self.branches[position]}/hash/{position}")

    def signature(self, position: int) -> bytes:
        branch = self.branches[position]
        return _sha256(f"{branch}/r/{position}") + _sha256(f"{branch}/s/{position}")

    def leaves(self, size: int | None = None) -> list[bytes]:
        """Leaf hashes, not by the code under test."""
        positions = range(len(self.branches) if size is None else size)
        return [hashlib.sha256(b"\x00" + self.entry_hash(at) + self.signature(at)).digest() for at in positions]

    @contextmanager
    def as_intruder(self) -> Iterator[psycopg.Connection]:
        """A superuser who has switched every trigger off."""
        with self.database.as_admin() as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection

    def tamper(self, statement: str, *parameters: object) -> None:
        with self.as_intruder() as connection:
            assert connection.execute(statement, parameters).rowcount == 1

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        with self.database.as_admin() as connection:
            return connection.execute(query, parameters).fetchall()


class SoftwareSigner:
    """Signs checkpoints as hsm.signers.Signers does, with a key in memory, and remembers what it signed."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = PublicKey(der)
        self.signed: list[str] = []
        self.is_away = False
        self.errs = False

    async def sign_checkpoint(self, note_text: bytes) -> bytes:
        if self.is_away:
            raise HsmUnavailable("the token is away")
        self.signed.append(note_text.decode())
        return self._key.sign(note_text + b"!" * self.errs, ec.ECDSA(hashes.SHA256()))

    def publish(self, database: Database) -> None:
        """Put the public key where the signer's keys are published."""
        der = self.public_key.der
        with database.as_admin() as connection:
            connection.execute(
                "INSERT INTO signer.signing_key (key_id, public_der) VALUES (%s, %s)", [key_id(der), der]
            )


class ForeignLog:
    """A log that is not ours, which signs whatever it is told to: its leaves are a list per branch."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._key = ec.generate_private_key(ec.SECP256R1())
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.verifier = EcdsaVerifier(origin, der)

    def note(self, size: int, branch: str = "", root: bytes | None = None) -> str:
        """A signed checkpoint over the first leaves of a branch."""
        leaves = trees.leaves(size, branch)
        if root is None:
            root = trees.mth(leaves) if leaves else _sha256("")
        text = f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        value = self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        return SignedNote(text, (Signature(self.origin, self.verifier.key_id, value),)).encode()

    def request(self, old: int, size: int, branch: str = "") -> bytes:
        """An add-checkpoint request, its proof by the definition of RFC 6962."""
        leaves = trees.leaves(size, branch)
        proof = trees.subproof(old, leaves) if 0 < old <= size else []
        return submission(old, proof, self.note(size, branch))


def submission(old: int, proof: list[bytes], note: str) -> bytes:
    lines = "".join(f"{base64.b64encode(hash_).decode()}\n" for hash_ in proof)
    return f"old {old}\n{lines}\n{note}".encode()


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
