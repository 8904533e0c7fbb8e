"""One signer per shard: a session advisory lock held for life, and a generation that fences out a late writer.

The lock keeps a second process from starting. The generation covers the moment that a lock cannot: a process whose
lock connection died, and whose database has already let another in, appends with an old generation and is refused.
"""

import asyncio
import logging

import psycopg

_logger = logging.getLogger(__name__)
_LOCK = 0x626F6E6F_73690000  # "bonosi", then the shard


class SecondSigner(Exception):
    """Another signer holds the lock of this shard."""


class LockLost(Exception):
    """The lock is not held (any more): nothing may be sealed."""


class ShardLock:
    """Holds the lock on a connection of its own; ``generation`` is None whenever it is not certain to be held."""

    def __init__(self, dsn: str, shard: int) -> None:
        self._dsn = dsn
        self.shard = shard
        self._connection: psycopg.AsyncConnection | None = None
        self._taking = asyncio.Lock()
        self.generation: int | None = None

    async def acquire(self) -> int:
        """Take the lock and open a new generation: whatever an older one still has on its way is decided by then.

        Raises SecondSigner, LookupError for an unknown shard, or psycopg.Error when the database is away.
        """
        async with self._taking:
            await self.release()
            connection = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, application_name="bonopay-signer lock", keepalives_idle=5, connect_timeout=5
            )
            try:
                generation = await self._take(connection)
            except BaseException:
                await connection.close()
                raise
            self._connection, self.generation = connection, generation
            return generation

    async def _take(self, connection: psycopg.AsyncConnection) -> int:
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK + self.shard])).fetchone()
        if row != (True,):
            raise SecondSigner("another signer is running on this shard of the database")
        # Waits for the row lock of an append that is still under way.
        cursor = await connection.execute(
            "UPDATE signer.shard SET generation = generation + 1, taken_at = now() WHERE id = %s RETURNING generation",
            [self.shard],
        )
        row = await cursor.fetchone()
        if row is None:
            raise LookupError(f"there is no shard {self.shard}")
        return row[0]

    def required_generation(self) -> int:
        """The generation to append with. Raises LockLost."""
        if self.generation is None:
            raise LockLost("the signer's lock on the database is not held")
        return self.generation

    async def check(self) -> None:
        """Ask over the lock's own connection. Raises LockLost; from then on the lock counts as lost."""
        connection = self._connection
        if connection is None:
            raise LockLost("the signer's lock on the database is not held")
        try:
            async with asyncio.timeout(5):
                await connection.execute("SELECT 1")
        except (psycopg.Error, TimeoutError) as error:
            if self._connection is connection:
                await self.release()
            raise LockLost("the connection that held the signer's lock was lost") from error

    async def hold(self) -> int:
        """The generation, taken anew when the lock was lost. Raises what ``acquire`` raises."""
        try:
            await self.check()
        except LockLost:
            generation = await self.acquire()
            _logger.warning("the signer's lock was lost and is held again, generation %d", generation)
        return self.required_generation()

    async def release(self) -> None:
        connection, self._connection, self.generation = self._connection, None, None
        if connection is not None:
            try:
                await connection.close()
            except psycopg.Error as error:
                _logger.info("closing the lock connection answered %s", type(error).__name__)
