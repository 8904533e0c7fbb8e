"""``serve`` and ``migrate``."""

import argparse

from psycopg.conninfo import conninfo_to_dict

from bonopay_signer.commands.options import Commands, add
from bonopay_signer.db.migrate import migrate
from bonopay_signer.settings import SecretFileError, Settings


def register(commands: Commands) -> None:
    add(commands, "serve", _serve, "answer requests")
    add(commands, "migrate", _migrate, "bring the database up to date and grant the service's rights").add_argument(
        "--service-role", help="the service's role (default: the user of DATABASE_URL)"
    )


def _serve(_arguments: argparse.Namespace, settings: Settings) -> int:
    from bonopay_signer.api.server import serve

    serve(settings)
    return 0


def _migrate(arguments: argparse.Namespace, settings: Settings) -> int:
    role = arguments.service_role or conninfo_to_dict(settings.service_dsn()).get("user")
    if not role:
        raise SecretFileError("BONOPAY_SIGNER_DATABASE_URL names no user; pass --service-role")
    applied = migrate(settings.owner_dsn(), str(role))
    print("\n".join(f"applied {name}" for name in applied) or "nothing to apply")
    return 0
