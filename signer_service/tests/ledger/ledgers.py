"""Real ledgers without a service: the real writer, the real tables, the real head store; keys in memory."""

import base64
import uuid
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bonopay_signer.db.instance import ShardLock
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.statement import entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import CERTIFIED, REJECTED, Entry
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.queue import FairQueue
from bonopay_signer.ledger.tills import Credential, OfflineGap, TillCloned
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing import credits
from bonopay_signer.sealing.drafts import invoice_draft
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.secrets import SecretBox, new_key

from ..fiscal.builders import accepted, credit_note
from ..support.databases import Database

AUTHORITY = "BONO-CD-TEST"
NIF, OTHER_NIF = "A1234567B", "B7654321C"
ADDRESS = "http://127.0.0.1:17480"


class SoftSigner:
    """Signs what it is given, with a key in memory; ``key`` may be exchanged."""

    authority = AUTHORITY

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    @property
    def key_id(self) -> str:
        return self.public_key.key_id

    def raw(self, digest: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    async def sign(self, batch: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        return [self.raw(entry_hash(previous, statement)) for statement, previous in batch]

    async def sign_checkpoint(self, text: bytes) -> bytes:
        return self.private.sign(text, ec.ECDSA(hashes.SHA256()))


class Books:
    """A ledger to write to and to read as its owner's enemy would."""

    def __init__(self, database: Database, folder: Path, signer: SoftSigner | None = None) -> None:
        self.database = database
        self.folder = folder
        self.signer = signer or SoftSigner()
        self.writer: LedgerWriter | None = None

    def register(self, outlets: dict[str, str]) -> None:
        """Outlets by id, with their merchants."""
        with psycopg.connect(self.database.owner, autocommit=True) as connection:
            for outlet_id, nif in outlets.items():
                admin.add_merchant(connection, nif, f"Vendeur {nif}", True)
                outlet = admin.NewOutlet(
                    outlet_id, nif, "Boutique", "1 avenue du Port", "CD1", "isf", "deferred", "http://dgi"
                )
                admin.add_outlet(connection, outlet, "token", SecretBox.from_text(new_key()), False)
            connection.execute(
                "INSERT INTO signer.signing_key (key_id, public_der) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [self.signer.key_id, self.signer.public_key.der],
            )

    @asynccontextmanager
    async def open(self, dsn: str | None = None):
        """The writer at work."""
        lock = ShardLock(dsn or self.database.service, 0)
        await lock.acquire()
        queue = FairQueue(4096, 4096)
        self.writer = LedgerWriter(
            *(dsn or self.database.service, lock, self.signer, HeadStore(self.folder, 0), queue),
            *(credits.judge, ADDRESS),
        )
        try:
            await self.writer.open()
            yield self
        finally:
            await self.writer.close()
            await lock.release()

    async def seal(self, payload: dict[str, Any]) -> Entry:
        assert self.writer is not None
        encoded = canonical.encode(payload)
        (entry,) = await self.writer.append([invoice_draft(parse(encoded), encoded)])
        return entry

    async def invoice(self, outlet_id: str, nif: str = NIF, **members: Any) -> Entry:
        ids = {"document_id": str(uuid.uuid4()), "merchant_nif": nif, "outlet_id": outlet_id}
        return await self.seal(accepted(**ids, **members))

    async def credit(self, original: Entry, quantity: str = "1", outlet_id: str | None = None) -> Entry:
        """A credit note of so many of each of the original's items."""
        sale = original.payload_fields
        items = [{**item, "quantity": quantity} for item in sale["items"]]
        number = {"nature": "RAM", "original_fiscal_number": original.fiscal_number, "original_dgi_code": "CODE"}
        ids = {"document_id": str(uuid.uuid4()), "merchant_nif": original.merchant_nif}
        ids["outlet_id"] = outlet_id or original.outlet_id
        return await self.seal(credit_note(sale, items, credit=number, **ids))

    async def settle(self, invoice: Entry, kind: str = CERTIFIED) -> Entry:
        """The DGI's verdict on an invoice."""
        assert self.writer is not None
        payload: dict[str, Any] = {
            "schema": f"bonopay.{kind}/1",
            "document_id": str(invoice.document_id),
            "fiscal_number": invoice.fiscal_number,
            "invoice_entry_hash": invoice.entry_hash.hex(),
        }
        payload |= {"code": "CODE"} if kind == CERTIFIED else {"error": {"code": "1", "message": "non"}}
        statement = invoice.statement_values
        draft = Draft(
            *(invoice.outlet_id, invoice.merchant_nif, kind, invoice.document_id, invoice.fiscal_number),
            *(statement.document_type, statement.total, statement.tax, statement.currency, canonical.encode(payload)),
            submission=self.submission(invoice.fiscal_number),
        )
        (entry,) = await self.writer.append([draft])
        return entry

    async def tell(self, outlet_id: str, told: Credential | OfflineGap | TillCloned, nif: str = NIF) -> Entry:
        """What the outlet's chain tells of a till, whose row is there; nothing of it is judged."""
        assert self.writer is not None
        kind = told.schema.removeprefix("bonopay.").removesuffix("/1")
        draft = Draft(outlet_id, nif, kind, None, "", "", "0.00", "0.00", "CDF", canonical.encode(told))
        (entry,) = await self.writer.append([draft])
        if isinstance(told, Credential):
            row = (told.device_id, outlet_id, nif, told.terminal, told.key_id, told.key.der)
            with self.database.as_admin() as connection:
                connection.execute(
                    "INSERT INTO signer.till (device_id, outlet_id, merchant_nif, terminal, key_id, public_der) "
                    "VALUES (%s, %s, %s, %s, %s, %s)",
                    row,
                )
        return entry

    def submission(self, number: str) -> int:
        ((found,),) = self.rows("SELECT id FROM signer.submission WHERE fiscal_number = %s", number)
        return found

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        with self.database.as_admin() as connection:
            return connection.execute(query, parameters).fetchall()


async def trade(books: Books) -> None:
    """Two merchants, three outlets, every kind of entry that trade makes; positions interleave the outlets."""
    first = await books.invoice("KIN001")
    second = await books.invoice("KIN002")
    await books.settle(first)
    third = await books.invoice("LUB001", OTHER_NIF)
    await books.credit(first)
    refused = await books.invoice("KIN001")
    await books.settle(refused, REJECTED)
    await books.credit(first, outlet_id="KIN002")
    await books.settle(second)
    await books.settle(third)
    await books.invoice("LUB001", OTHER_NIF)


class TillKey:
    """A till with its key, and what a chain tells of it; ``members`` are told instead."""

    def __init__(self, terminal: str = "T1") -> None:
        self.terminal = terminal
        self.device_id = str(uuid.uuid4())
        self.public = SoftSigner().public_key

    def credential(self, **members: Any) -> Credential:
        own = {
            "public_key": base64.b64encode(self.public.der).decode(),
            "not_before": "2026-11-21T08:30:00Z",
            "not_after": "2026-11-24T08:30:00Z",
        }
        return Credential(**self._of("credential", counter_from=1, counter_to=10_000, **own) | members)

    def gap(self, first: int = 2, last: int = 3, **members: Any) -> OfflineGap:
        hashes = {"hash_before": "ab" * 32, "hash_after": "cd" * 32}
        return OfflineGap(**self._of("offline_gap", counter_from=first, counter_to=last, **hashes) | members)

    def clone(self, counter: int = 5, **members: Any) -> TillCloned:
        return TillCloned(**self._of("till_cloned", counter=counter, hashes=("ab" * 32, "cd" * 32)) | members)

    def _of(self, kind: str, **members: Any) -> dict[str, Any]:
        whose = {"device_id": self.device_id, "terminal": self.terminal, "key_id": self.public.key_id}
        return {"schema": f"bonopay.{kind}/1", **whose, **members}


OUTLETS = {"KIN001": NIF, "KIN002": NIF, "LUB001": OTHER_NIF}
