"""The servers of the `seal` benchmark: signers with a database each, the parts beside them, and etcd as the peer."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from launcher.config import CHECKOUT, HOST
from launcher.instance import Instance, free_ports
from launcher.sandbox import Sandbox
from launcher.services import Service
from launcher.shell import environment
from launcher.signer import OWNER, SERVICE, Signer
from tests.benchmarks.outlets import Outlet, register

Measurement = dict[str, float]
_PYTHON_PATH = os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "signer_service")))


class BenchSigner(Signer):
    """A signer of the instance with a database and a head store of its own; they share the token."""

    def __init__(self, instance: Instance, name: str, **settings: str) -> None:
        super().__init__(instance.home, instance.signer.folder, free_ports(1)[0], instance.cluster)
        self.name = name
        self.database = f"bench_{name}"
        self._settings = settings

    @property
    def api_key_file(self) -> Path:
        return self.folder / "secrets" / f"{self.name}.apikey"

    def environment(self, admin: bool = False) -> dict[str, str]:
        settings = {
            "BONOPAY_SIGNER_DATABASE_URL": self.cluster.url(SERVICE, self.database),
            "BONOPAY_SIGNER_HEAD_STORE": str(self.folder / f"heads-{self.name}"),
            "BONOPAY_SIGNER_LOG_LEVEL": "WARNING",
            # What is measured is the ledger's speed, not what a single client is granted of it.
            "BONOPAY_SIGNER_KEY_RATE": "0",
            "BONOPAY_SIGNER_OUTLET_RATE": "0",
            **self._settings,
        }
        if admin:
            settings["BONOPAY_SIGNER_OWNER_DATABASE_URL"] = self.cluster.url(OWNER, self.database)
        return {**super().environment(), **settings}

    @property
    def service(self) -> Service:
        return Service(
            name=f"signer-{self.name}",
            command=[*self.command, "serve"],
            ready_url=f"{self.url}/ready",
            folder=self.folder,
            env=self.environment(),
            cwd=self.folder,
        )

    def make(self, sandbox: Sandbox, known: list[Outlet], mode: str, dgi_url: str) -> None:
        """Database, registry and API key."""
        self.cluster.create_database(self.database, OWNER)
        self.run("migrate", "--service-role", SERVICE)
        register(self, sandbox, known, mode, dgi_url)

    def make_like(self, other: "BenchSigner") -> None:
        """A copy of what ``make`` made of another, which does not serve yet."""
        self.cluster.create_database(self.database, OWNER, template=other.database)
        self.run("migrate", "--service-role", SERVICE)
        shutil.copy(other.api_key_file, self.api_key_file)

    def rows(self, query: str) -> list[tuple]:
        with psycopg.connect(self.cluster.url("postgres", self.database), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def python(self, module: str, *arguments: str, **options: Any) -> subprocess.Popen:
        """A module of the benchmarks in the signer's environment."""
        return subprocess.Popen(
            [str(self.home.python("signer")), "-m", module, *arguments],
            env=environment({**self.environment(), "PYTHONPATH": _PYTHON_PATH}),
            cwd=self.folder,
            text=True,
            **options,
        )

    def verify(self) -> tuple[int, str]:
        done = subprocess.run(
            [*self.command, "verify"],
            env=environment(self.environment()),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


class Parts:
    """`tests.benchmarks.parts` as a process."""

    def __init__(self, signer: BenchSigner, outlets: int, folder: Path) -> None:
        self._process = signer.python(
            "tests.benchmarks.parts", str(outlets), str(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._answer()

    def measure(self, part: str, seconds: float) -> Measurement:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"part": part, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the parts ended with exit code {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


class Echo:
    """`tests.benchmarks.echo` as a process."""

    def __init__(self, signer: BenchSigner, port: int) -> None:
        self.port = port
        self._process = signer.python("tests.benchmarks.echo", str(port), stdin=subprocess.DEVNULL)
        _wait_for_port(port, self._process)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def _wait_for_port(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the echo does not start") from None
            time.sleep(0.1)


class Etcd:
    """One etcd server, durable as it comes: every put is synced before it is answered."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._folder = folder
        self.port, peer_port = free_ports(2)
        client, peer = f"http://{HOST}:{self.port}", f"http://{HOST}:{peer_port}"
        with (folder.parent / "etcd.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(program, "--data-dir", folder),
                    *("--listen-client-urls", client, "--advertise-client-urls", client),
                    *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                    *("--initial-cluster", f"default={peer}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait(client)

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
                    if json.load(answer)["health"] == "true":
                        return
            except (urllib.error.URLError, OSError):
                pass  # not yet
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("etcd does not start")
            time.sleep(0.1)

    def requests(self, value: bytes, count: int) -> Iterator[bytes]:
        """Puts of ``value`` under so many different keys, made before the first is asked for."""
        keys = os.urandom(18 * count)
        encoded = base64.b64encode(value).decode()
        return iter([_put(self.port, keys[start : start + 18], encoded) for start in range(0, 18 * count, 18)])

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)


def _put(port: int, key: bytes, value: str) -> bytes:
    body = b'{"key":"%b","value":"%b"}' % (base64.b64encode(key), value.encode())
    return (
        f"POST /v3/kv/put HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
