"""One running set of servers in a folder of its own: the demo's, or a test run's."""

import secrets
import shutil
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from launcher.config import HOST, Home, Ports
from launcher.odoo import Odoo
from launcher.postgres import Cluster
from launcher.sandbox import Sandbox
from launcher.services import stop_process
from launcher.signer import Signer

DEMO_MERCHANT = {
    # What the demo company in addons/bonopay_fiscal/demo says of itself: signer, DGI and Odoo must agree on it.
    "nif": "A1234567B",
    "name": "Bono Démo SARL",
    "isf": "BON-DEM-01",
    "outlet": "KIN001",
    "outlet_name": "Bono Démo – Gombe",
    "address": "Boulevard du 30 Juin, Gombe, Kinshasa",
    "nim": "CD01000001-1",
}


@dataclass(frozen=True)
class Instance:
    """Folder and ports of one set of servers."""

    home: Home
    folder: Path
    ports: Ports

    @cached_property
    def cluster(self) -> Cluster:
        return Cluster(self.folder / "postgres", self.ports.postgres, self.folder / "log" / "postgres.log")

    @cached_property
    def signer(self) -> Signer:
        return Signer(self.home, self.folder / "signer", self.ports.signer, self.cluster)

    @cached_property
    def sandbox(self) -> Sandbox:
        return Sandbox(self.home, self.folder / "sandbox", self.ports.sandbox)

    @cached_property
    def odoo(self) -> Odoo:
        return Odoo(self.home, self.folder / "odoo", self.ports.odoo, self.ports.gevent, self.cluster)

    def prepare_trusted_side(self) -> None:
        """DGI sandbox with the demo merchant's account; signer with database, token, key, merchant, outlet, API key."""
        self.sandbox.prepare([DEMO_MERCHANT])
        self.sandbox.service.start()
        self.signer.prepare()
        self.signer.register(DEMO_MERCHANT, self.sandbox.url, self.sandbox.token_file(DEMO_MERCHANT["nim"]))
        self.signer.service.start()

    def start(self) -> None:
        self.cluster.start()
        self.sandbox.service.start()
        if not self.signer.service.pid():
            self.signer.upgrade()
            self.signer.service.start()

    def stop(self) -> None:
        """End whatever of this instance runs; needs no more than the folder, so it also ends what is half prepared."""
        for name in ("odoo", "signer", "sandbox"):
            stop_process(self.folder / name / f"{name}.pid")
        self.cluster.stop()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def demo_instance(home: Home) -> Instance:
    return Instance(home, home.root / "demo", Ports())


def throwaway_instance(home: Home) -> Instance:
    """An instance on free ports, in a folder that no other run shares."""
    folder = home.root / f"run-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    return Instance(home, folder, Ports(*free_ports(5)))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; kept open together while choosing, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
