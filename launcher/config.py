"""Folders, ports and versions. Every value can be set by an environment variable of the same name in upper case."""

import os
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
REQUIREMENTS = CHECKOUT / "requirements"
ADDONS = CHECKOUT / "addons"
HOST = "127.0.0.1"


def _port(name: str, default: int) -> int:
    return int(os.environ.get(f"BONOPAY_{name}_PORT", default))


@dataclass(frozen=True)
class Ports:
    """One port per server, all on 127.0.0.1; `BONOPAY_ODOO_PORT` and the like override the defaults."""

    postgres: int = field(default_factory=lambda: _port("POSTGRES", 17432))
    odoo: int = field(default_factory=lambda: _port("ODOO", 17469))
    gevent: int = field(default_factory=lambda: _port("GEVENT", 17472))
    signer: int = field(default_factory=lambda: _port("SIGNER", 17480))
    sandbox: int = field(default_factory=lambda: _port("SANDBOX", 17481))


@dataclass(frozen=True)
class Home:
    """The one folder that holds everything the launcher creates (`BONOPAY_HOME`, default `.bonopay`)."""

    root: Path = field(default_factory=lambda: Path(os.environ.get("BONOPAY_HOME", CHECKOUT / ".bonopay")).resolve())

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def install_log(self) -> Path:
        return self.logs / "install.log"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def bytecode(self) -> Path:
        """Where Python keeps what it compiled, for every program that the launcher starts: not beside the sources."""
        return self.cache / "bytecode"

    def venv(self, name: str) -> Path:
        return self.root / "venv" / name

    def python(self, name: str) -> Path:
        return self.venv(name) / "bin" / "python"
