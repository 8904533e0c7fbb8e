"""What the database refuses, as the option or the command that sets it right."""

import psycopg

_MERCHANT_ADD = "no such merchant; run: bonopay-signer merchant add"
_CONSTRAINTS = {
    "merchant_nif_check": "--nif: a NIF is 5 to 20 capital letters and digits",
    "merchant_name_check": "--name must not be empty",
    "outlet_id_check": "--id: an outlet id is 3 to 12 capital letters and digits",
    "outlet_name_check": "--name must not be empty",
    "outlet_address_check": "--address must not be empty",
    "outlet_nim_check": "--nim must not be empty",
    "outlet_isf_check": "--isf must not be empty",
    "outlet_dgi_url_check": "--dgi-url must begin with http:// or https://",
    "outlet_merchant_nif_fkey": f"--merchant: {_MERCHANT_ADD}",
    "api_key_merchant_nif_fkey": f"--merchant: {_MERCHANT_ADD}",
    "operator_merchant_nif_fkey": f"--merchant: {_MERCHANT_ADD}",
    "mcf_nim_check": "--nim: an MCF's number is 1 to 40 letters, digits and hyphens, as the device tells it (C1h)",
    "mcf_port_check": "--port: give the absolute path of a device file without spaces, e.g. /dev/ttyUSB0",
    "terminal_id_check": "--id: a terminal's id is 1 to 200 characters, as payloads name it",
    "terminal_name_check": "--name must not be empty",
    "terminal_current": "this terminal is registered already",
    "operator_id_check": "--id: a user's id is 1 to 200 characters, as invoices name it",
    "operator_name_check": "--name: a user's name is 1 to 200 characters, as invoices print it",
    "operator_current": "this user is registered already; change or revoke it first",
    "currency_rate_source_check": "--source must not be empty",
}
_NOT_MIGRATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName)


def database_words(error: psycopg.Error) -> str:
    """One line for the operator."""
    if isinstance(error, _NOT_MIGRATED):
        return "the database is not migrated to this version; run: bonopay-signer migrate"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"{error.diag.message_primary}; run as the owner: bonopay-signer migrate"
    words = _CONSTRAINTS.get(error.diag.constraint_name or "", error.diag.message_primary or str(error))
    if isinstance(error, psycopg.OperationalError):
        return f"{words}; check BONOPAY_SIGNER_DATABASE_URL and _OWNER_DATABASE_URL, and that PostgreSQL runs"
    return words
