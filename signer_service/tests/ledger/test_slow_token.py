"""A token that hangs: the database's connections stay for everybody else."""

import asyncio
import uuid

import psycopg
import pytest

from bonopay_signer.db.pool import make_pool
from bonopay_signer.hsm.token import HsmUnavailable
from bonopay_signer.ledger.writer import Draft, LedgerWriter
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.secrets import SecretBox, new_key

from ..fiscal.statements import TYPICAL
from ..support.databases import Database

OUTLETS = ("KIN001", "KIN002", "KIN003")


class _HangingSealer:
    authority, key_id = TYPICAL.authority, TYPICAL.key_id

    async def sign(self, _batch: object) -> None:
        await asyncio.sleep(2)
        raise HsmUnavailable("the token did not answer")


class _Lock:
    def required_generation(self) -> int:
        return 0


def _draft(outlet_id: str) -> Draft:
    number = f"BONO-{outlet_id}-01-000000001"
    amounts = ("FV", "116.00", "16.00", "CDF")

    async def nothing(_connection: object) -> None: ...

    return Draft(outlet_id, "A1234567B", "invoice", uuid.uuid4(), number, *amounts, b"{}", nothing)


async def test_appends_that_wait_for_the_token_hold_no_connection(database: Database) -> None:
    with psycopg.connect(database.owner) as connection:
        admin.add_merchant(connection, "A1234567B", "Vendeur", False)
        for outlet_id in OUTLETS:
            outlet = admin.NewOutlet(outlet_id, "A1234567B", "Kin", "1 av.", "nim", "isf", "inline", "http://dgi")
            admin.add_outlet(connection, outlet, "token", SecretBox.from_text(new_key()), False)
    async with make_pool(database.service, 2) as pool:
        writer = LedgerWriter(pool, _HangingSealer(), _Lock(), "http://127.0.0.1")  # type: ignore[arg-type]
        appends = [asyncio.create_task(writer.append([_draft(outlet_id)])) for outlet_id in OUTLETS]
        await asyncio.sleep(0.5)
        async with asyncio.timeout(1), pool.connection() as connection:
            await connection.execute("SELECT 1")
        for append in appends:
            with pytest.raises(HsmUnavailable):
                await append
