"""Every statement and connection of a simulated process is an effect."""

import re
from typing import Any

import psycopg

from .faults import BEFORE, Fault, Late, current

_NAME = re.compile(r"signer\.(\w+)")
_execute = psycopg.AsyncCursor.execute
_connect = psycopg.AsyncConnection.connect.__func__


def name_of(query: str) -> str:
    """For people and plans: "INSERT submission", "SELECT append", "SELECT 1"."""
    verb = query.split(None, 1)[0]
    table = _NAME.search(query)
    return f"{verb} {table[1]}" if table else query.strip()[:24]


async def execute(cursor: psycopg.AsyncCursor, query: Any, params: Any = None, **options: Any) -> psycopg.AsyncCursor:
    """Stands in for psycopg.AsyncCursor.execute."""
    effects = current.get()
    if effects is None or not str(query).strip():  # psycopg_pool checks a connection with an empty statement
        return await _execute(cursor, query, params, **options)
    name = name_of(str(query))
    fault = effects.begin(name)
    if fault is Fault.STALL_BEFORE:
        await effects.stall()
    if fault is Fault.LATE:
        effects.late.append(Late(query, params))
    if fault in (Fault.ERROR_BEFORE, Fault.LATE):
        await _cut(cursor.connection)
    result = await _execute(cursor, query, params, **options)
    if name == "UPDATE shard":
        await effects.another_generation_began()
    effects.end(name, fault)
    if fault is Fault.ERROR_AFTER:
        await _cut(cursor.connection)
    if fault is Fault.STALL_AFTER:
        await effects.stall()
    return result


async def connect(cls: type, *args: Any, **options: Any) -> psycopg.AsyncConnection:
    """Stands in for psycopg.AsyncConnection.connect."""
    effects = current.get()
    if effects is None:
        return await _connect(cls, *args, **options)
    fault = effects.begin("connect")
    if fault in BEFORE or fault is Fault.ERROR_AFTER:
        raise psycopg.OperationalError("simulated: the database does not answer")
    connection = await _connect(cls, *args, **options)
    effects.connections.append(connection)
    effects.end("connect", fault)
    return connection


async def _cut(connection: psycopg.AsyncConnection) -> None:
    await connection.close()
    raise psycopg.OperationalError("simulated: the connection was cut")
