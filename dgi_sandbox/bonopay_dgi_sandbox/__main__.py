"""Command line: `python -m bonopay_dgi_sandbox --port N --database FILE --accounts FILE`."""

import argparse
import os
import sys
from datetime import timedelta
from pathlib import Path

from .accounts import AccountsError
from .api import Options
from .faults import Clock, Faults
from .server import Settings, build, serve

OWNER_ONLY = 0o077


def main() -> None:
    arguments = _parser().parse_args()
    settings = Settings(
        database=arguments.database,
        accounts=arguments.accounts,
        tokens_dir=arguments.tokens_dir or arguments.database.parent / "tokens",
        token_lifetime=timedelta(days=arguments.token_days),
        pending_seconds=arguments.pending_seconds,
        options=Options(error_status=arguments.error_status, get_uid=arguments.get_uid),
    )
    os.umask(OWNER_ONLY)
    faults = Faults()
    try:
        app = build(settings, faults, Clock(faults))
    except AccountsError as error:
        sys.exit(f"bonopay-dgi-sandbox: {error}")
    serve(app, arguments.host, arguments.port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bonopay-dgi-sandbox", description="A test double of the DGI's e-MCF.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True, help="SQLite file, made on first use")
    parser.add_argument("--accounts", type=Path, required=True, help="JSON list of taxpayers and their NIMs")
    parser.add_argument("--tokens-dir", type=Path, help="where <nim>.jwt go (default: tokens, beside the database)")
    parser.add_argument("--token-days", type=_positive, default=365, help="lifetime of a new token (default: 365)")
    parser.add_argument("--pending-seconds", type=_positive, default=120, help="time to confirm (default: 120)")
    parser.add_argument(
        "--error-status", type=int, choices=(200, 400, 422), default=200, help="HTTP status of refusals"
    )
    parser.add_argument("--no-get-uid", dest="get_uid", action="store_false", help="no GET /api/invoice/{uid}")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("a whole number above zero is expected")
    return number


if __name__ == "__main__":
    main()
