"""Settings of PostgreSQL that an answered invoice depends on."""

import psycopg


class UnsafeDatabase(Exception):
    """The database's own settings break what an answer promises."""


async def refuse_unsafe(connection: psycopg.AsyncConnection) -> None:
    """A commit must be on the disk, and what the disk changed must be noticed. Raises UnsafeDatabase."""
    cursor = await connection.execute(
        "SELECT name FROM pg_settings WHERE setting = 'off' "
        "AND name IN ('fsync', 'full_page_writes', 'data_checksums') ORDER BY name"
    )
    off = [name for (name,) in await cursor.fetchall()]
    if off:
        raise UnsafeDatabase(f"PostgreSQL runs with {', '.join(off)} switched off: an answered invoice could be lost")
