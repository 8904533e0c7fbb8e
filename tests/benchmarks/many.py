"""Many sealed invoices in an Odoo database, by SQL: rows as the addon wrote the first of them."""

from collections.abc import Mapping

import psycopg

from launcher.instance import Instance

#: States of the copies, most of them normalised, as after a year with a short outage.
STATES = "CASE WHEN mod(g, 200) = 0 THEN 'to_seal' WHEN mod(g, 333) = 0 THEN 'invalid' ELSE 'certified' END"
#: Columns that a copy may not share with its original; Odoo looks for doubles by date and amount.
_OWN_MOVE = {
    "name": "name || '-' || g",
    "sequence_number": "sequence_number + g",
    "invoice_date": "invoice_date - g / 300",
    "date": "date - g / 300",
    "amount_total": "amount_total + g",
}
_OWN_SEAL = {
    "document_id": "gen_random_uuid()::text",
    "fiscal_number": f"CASE WHEN {STATES} = 'certified' THEN fiscal_number || '-' || g END",
    "state": STATES,
    "issued_at": "issued_at - g * interval '5 minutes'",
    "deadline_at": "deadline_at - g * interval '5 minutes'",
    "next_attempt_at": "NULL",
}


def copy_seals(instance: Instance, database: str, move: int, count: int) -> None:
    """Copy an invoice and its seal so many times. Journal items are not copied: no list reads them."""
    with psycopg.connect(instance.cluster.url("odoo", database)) as connection:
        connection.execute(
            "CREATE TEMP TABLE copies AS"
            " SELECT nextval('account_move_id_seq')::int AS copy, g FROM generate_series(1, %s) g",
            [count],
        )
        _copy(connection, "account_move", "id", move, _OWN_MOVE)
        _copy(connection, "bonopay_seal", "move_id", move, _OWN_SEAL)
        connection.commit()
        connection.execute("ANALYZE")


def _copy(connection: psycopg.Connection, table: str, key: str, move: int, own: Mapping[str, str]) -> None:
    rows = connection.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
    shared = [name for (name,) in rows if name not in {"id", key, *own}]
    columns, values = ", ".join([key, *shared, *own]), ", ".join(["copy", *shared, *own.values()])
    connection.execute(
        f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, copies WHERE {key} = %s",  # noqa: S608
        [move],
    )
