"""A private PostgreSQL cluster: Debian's binaries, our folder, durable settings, one role per purpose."""

import os
import secrets
import shutil
import time
from pathlib import Path

from launcher.config import HOST
from launcher.console import LauncherError
from launcher.shell import environment, output_of, run, tail

SETTINGS = {
    "listen_addresses": HOST,
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_connections": "400",
    "logging_collector": "off",
}
ROLES = {
    # role → attributes. The signer's own database keeps its owner and its service apart; Odoo creates its databases.
    "odoo": "LOGIN CREATEDB",
    "bonopay_owner": "LOGIN",
    "bonopay_service": "LOGIN",
}
UNPRIVILEGED_USER = "postgres"


class Cluster:
    """One cluster in `folder`, on `port`. Runs as an unprivileged user when the launcher is root."""

    def __init__(self, folder: Path, port: int, log: Path):
        self.folder = folder
        self.port = port
        self.log = log
        self.data = folder / "data"

    # --- life cycle

    def create(self) -> None:
        if self.data.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._own(self.folder)
        password = secrets.token_urlsafe(24)
        secret = self.folder / "superuser.password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        self._own(secret)
        self._run(
            "initdb",
            *("--pgdata", self.data, "--username", "postgres", "--pwfile", secret, "--auth", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums"),
        )

    def adopt(self) -> None:
        """Take over files that were copied by another user."""
        self._own_tree(self.folder)

    def start(self) -> None:
        if self.is_running():
            return
        options = " ".join(f"-c {key}={value}" for key, value in SETTINGS.items())
        sockets = f"-c unix_socket_directories={self.folder}" if len(str(self.folder)) < 80 else "-k ''"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._run(
            "pg_ctl",
            *("start", "--wait", "--timeout", "60", "--pgdata", self.data, "--log", self.folder / "postgres.log"),
            *("--options", f"-p {self.port} {options} {sockets}"),
            way_out=f"Is port {self.port} free? Set BONOPAY_POSTGRES_PORT to another one.",
        )

    def stop(self) -> None:
        if self.is_running():
            self._run("pg_ctl", "stop", "--wait", "--mode", "fast", "--pgdata", self.data)

    def is_running(self) -> bool:
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return False
        pid = int(pid_file.read_text().split()[0])
        return Path(f"/proc/{pid}/comm").exists() and "postgres" in Path(f"/proc/{pid}/comm").read_text()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- use

    def prepare_roles(self) -> None:
        """Create the roles that are missing, each with a password of its own."""
        for role, attributes in ROLES.items():
            if not self.query(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                self.query(f"CREATE ROLE {role} {attributes} PASSWORD '{self.password(role)}'")

    def has_database(self, name: str) -> bool:
        return bool(self.query(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"))

    def create_database(self, name: str, owner: str, template: str = "template0") -> None:
        self.query(f'CREATE DATABASE "{name}" OWNER {owner} TEMPLATE "{template}"')

    def drop_database(self, name: str) -> None:
        self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def query(self, sql: str) -> str:
        """Run one statement as the superuser.

        :raises LauncherError: with PostgreSQL's own words
        """
        command = [binary("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
        env = {"PGHOST": HOST, "PGPORT": str(self.port), "PGUSER": "postgres", "PGPASSWORD": self.password("postgres")}
        answer = self.folder.parent / f"psql-{os.getpid()}-{time.monotonic_ns()}.log"
        try:
            run([*command, "-f", "-"], answer, env=env, stdin=sql)
            return answer.read_text().strip()
        finally:
            answer.unlink(missing_ok=True)

    def password(self, role: str) -> str:
        name = "superuser" if role == "postgres" else role
        secret = self.folder / f"{name}.password"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_urlsafe(24))
        return secret.read_text()

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self.password(role)}@{HOST}:{self.port}/{database}"

    # --- as whom

    def _run(self, program: str, *arguments: str | Path, way_out: str = "") -> None:
        try:
            run([*self._as_user(), binary(program), *arguments], self.log, cwd=Path("/"), way_out=way_out)
        except LauncherError as error:
            server_log = self.folder / "postgres.log"
            if server_log.exists():
                raise LauncherError(f"{error}\n{tail(server_log)}", error.way_out) from error
            raise

    def _as_user(self) -> list[str]:
        """PostgreSQL refuses to run as root. Its user may lack the right to pass through the checkout's parent
        folders (a private home): then it gets the one capability for that."""
        if os.geteuid() != 0:
            return []
        prefix = ["setpriv", f"--reuid={UNPRIVILEGED_USER}", f"--regid={UNPRIVILEGED_USER}", "--init-groups"]
        if output_of([*prefix, "ls", "-d", self.folder], environment({})):
            return prefix
        return [*prefix, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, UNPRIVILEGED_USER, UNPRIVILEGED_USER)

    def _own_tree(self, path: Path) -> None:
        if os.geteuid() == 0:
            run(["chown", "-R", f"{UNPRIVILEGED_USER}:{UNPRIVILEGED_USER}", path], self.log)


def binary(name: str) -> Path:
    """A program of the newest PostgreSQL that Debian has installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    for folder in reversed(versions):
        if (folder / name).exists():
            return folder / name
    raise LauncherError(f"PostgreSQL's {name} was not found.", "apt-get install postgresql")
