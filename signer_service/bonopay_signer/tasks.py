"""Ending background tasks."""

import asyncio

_AGAIN = 1.0
"""Seconds; longer than an orderly end takes, such as PostgreSQL's answer to the cancellation of a query."""


async def ended(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: before Python 3.12 ``asyncio.wait_for``, with which psycopg's pool waits for a connection, drops
    a cancellation that comes at the same moment as what it waits for, and a task that runs for ever runs on.
    """
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN)
