"""The real servers under fire: PostgreSQL on a small disk, SoftHSM, two signers of which one may write, the sandbox."""

import os
import secrets
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from launcher.config import HOST
from launcher.console import LauncherError
from launcher.instance import free_ports
from launcher.shell import environment, tail
from launcher.signer import DATABASE, SERVICE, Signer
from tests.benchmarks.outlets import Outlet, new_outlets, open_accounts, register
from tests.chaos.checker import COLUMNS, Row
from tests.chaos.faults import Clock, Disk
from tests.chaos.instance import ChaosInstance

HEALING = 60.0  # seconds
BY_ITSELF = 25.0  # seconds that a signer gets to recover before it is restarted as an operator would


class NotHealed(Exception):
    """The stack did not come back although every fault was taken back."""


def wait_until(condition: Callable[[], Any], what: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise NotHealed(f"{what}: not within {timeout:g} s")
        time.sleep(0.05)


class Node:
    """One signer process. The stack's two share database and token; each has a head store, as on two machines."""

    def __init__(self, name: str, signer: Signer, port: int, heads: Path) -> None:
        self.name = name
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.log = signer.folder / f"{name}.log"
        self._signer = signer
        self._variables = {"BONOPAY_SIGNER_PORT": str(port), "BONOPAY_SIGNER_HEAD_STORE": str(heads / name)}
        self._process: subprocess.Popen | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, clock: Clock | None = None) -> None:
        """Without waiting; by a clock that can be set back where one is given."""
        variables = {**self._signer.environment(), **self._variables, **(clock.variables if clock else {})}
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._signer.command, "serve"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(variables),
                cwd=self._signer.folder,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=3) as response:
                return response.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def is_ready_or_gone(self) -> bool:
        return not self.is_running() or self.is_ready()

    def children(self) -> list[int]:
        """The signing processes."""
        return children_of(self.pid) if self.is_running() else []

    def words(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL: nothing of it gets a chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ended_within(self, seconds: float) -> int | None:
        """The exit code; None while it runs on."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class Stack:
    """Prepared by `prepare`, ended by `remove`, in a folder of its own."""

    def __init__(self, instance: ChaosInstance, mode: str, outlets: int, disk_mb: int) -> None:
        self.instance = instance
        self.mode = mode
        self.folder = instance.folder
        self.cluster, self.signer, self.sandbox = instance.cluster, instance.signer, instance.sandbox
        self.outlets: list[Outlet] = new_outlets(outlets)
        self.database_disk = Disk(self.cluster.folder, disk_mb)
        self.head_disk = Disk(self.folder / "heads", 32)
        self.clock = Clock(self.folder / "clock")
        self.nodes: list[Node] = []
        self.leader_number = 0
        self.answered: Callable[[], int] = lambda: 0  # documents that the tills have an answer for

    # --- from nothing to serving, and back

    def prepare(self) -> None:
        self.database_disk.mount()
        self.head_disk.mount()
        self.cluster.create()
        self.cluster.start()
        self.cluster.prepare_roles()
        open_accounts(self.sandbox, self.outlets)
        self.sandbox.service.start()
        self.signer.prepare()
        register(self.signer, self.sandbox, self.outlets, self.mode, self.sandbox.url)
        self.nodes = [
            Node(f"signer-{name}", self.signer, port, self.head_disk.folder)
            for name, port in zip("ab", free_ports(2), strict=True)
        ]
        # A head store is made on an empty ledger only: both signers were there from the start.
        self._restart(self.follower)
        self.follower.kill()
        self._restart(self.leader)

    def remove(self) -> None:
        """End every process and undo every mount, whatever state they are in."""
        for node in self.nodes:
            node.kill()
        for disk in (self.database_disk, self.head_disk):
            disk.free()
        if self.cluster.is_running():
            self.kill_postgres()
        for disk in (self.database_disk, self.head_disk):
            disk.unmount()
        self.instance.remove()

    def keep_logs(self, folder: Path) -> None:
        """Copy the servers' logs to where they survive the removal."""
        folder.mkdir(parents=True, exist_ok=True)
        for log in (*(node.log for node in self.nodes), self.sandbox.service.log, self._server_log):
            if log.exists():
                shutil.copy(log, folder)

    # --- who leads

    @property
    def leader(self) -> Node:
        return self.nodes[self.leader_number]

    @property
    def follower(self) -> Node:
        return self.nodes[1 - self.leader_number]

    # --- healing

    def heal(self) -> str:
        """Bring everything back; says whether the signer had to be restarted.

        :raises NotHealed: with the signer's last words
        """
        self.heal_database()
        if not self.leader.is_running():
            self._restart(self.leader)
            return "signer started again"
        try:
            wait_until(self.leader.is_ready_or_gone, "the signer recovers by itself", BY_ITSELF)
        except NotHealed:
            self.leader.kill()
            self._restart(self.leader)
            return "signer restarted by hand: not ready by itself"
        if self.leader.is_running():
            return ""
        self._restart(self.leader)
        return "signer ended and was started again"

    def _restart(self, node: Node) -> None:
        """As a supervisor does: until the database has let go of the connection that died with the last one."""
        deadline = time.monotonic() + HEALING
        while not node.is_ready():
            if time.monotonic() > deadline:
                raise NotHealed(f"{node.name} does not start\n{tail(node.log)}")
            node.start()
            wait_until(node.is_ready_or_gone, f"{node.name} is ready", HEALING)
            if not node.is_running():
                time.sleep(0.3)

    def take_over(self) -> None:
        """The follower becomes the leader.

        :raises NotHealed: when it may not, although nothing holds the ledger any more
        """
        self._restart(self.follower)
        self.leader_number = 1 - self.leader_number

    def heal_database(self) -> None:
        deadline = time.monotonic() + HEALING
        while True:
            try:
                self.cluster.start()
                self.rows("SELECT 1")
                return
            except (LauncherError, psycopg.OperationalError) as error:
                if time.monotonic() > deadline:
                    raise NotHealed(f"PostgreSQL does not come back: {error}") from error
                time.sleep(0.2)

    # --- the database, as its superuser

    def rows(self, query: str) -> list[tuple]:
        with psycopg.connect(self.cluster.url("postgres", DATABASE), autocommit=True, connect_timeout=5) as connection:
            return connection.execute(query).fetchall()

    def backends(self) -> list[int]:
        """The signer's connections, as process ids."""
        return [pid for (pid,) in self.rows(f"SELECT pid FROM pg_stat_activity WHERE usename = '{SERVICE}'")]

    def postmaster(self) -> int:
        return int((self.cluster.data / "postmaster.pid").read_text().split()[0])

    def kill_postgres(self) -> None:
        """SIGKILL to the postmaster; its children see that and end. Until then no other may start."""
        pid = self.postmaster()
        left = [pid, *children_of(pid)]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(Path(f"/proc/{one}").exists() for one in left), "PostgreSQL is gone", HEALING)

    def ledger(self) -> list[Row]:
        return [
            Row(*(bytes(value) if isinstance(value, memoryview) else value for value in row))
            for row in self.rows(f"SELECT {COLUMNS} FROM signer.entry ORDER BY outlet_id, index")
        ]

    def keys(self) -> dict[str, bytes]:
        return {key: bytes(der) for key, der in self.rows("SELECT key_id, public_der FROM signer.signing_key")}

    @property
    def _server_log(self) -> Path:
        return self.cluster.folder / "postgres.log"

    def server_log(self) -> str:
        return self._server_log.read_text(errors="replace")

    # --- as an outsider

    def verify(self) -> tuple[int, str]:
        """Exit code and words of `bonopay-signer verify`."""
        done = subprocess.run(
            [*self.signer.command, "verify"],
            env=environment(self.signer.environment()),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


def children_of(pid: int) -> list[int]:
    """The live children of a process, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def new_document_id() -> str:
    digits = secrets.token_hex(16)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
