"""Odoo as a process of an instance: base database from a cache, our addon on top, configuration, calls."""

import hashlib
import json
import shutil
import urllib.request
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from launcher.config import HOST, Home
from launcher.console import LauncherError, step
from launcher.packages import LOCKS, OdooSource, odoo_path
from launcher.postgres import Cluster, binary
from launcher.services import Service
from launcher.shell import run

BASE_OPTIONS = ("--with-demo", "--load-language", "fr_FR,en_US")


@dataclass(frozen=True)
class Base:
    """A database with Odoo's modules and demo data, and nothing of ours: what others are cloned from."""

    database: str
    modules: str
    contents: str


ACCOUNTING = Base("odoo_base", "account,l10n_cd", "accounting, the Congolese chart and demo data")
COMMERCE = Base(
    "odoo_commerce",
    f"{ACCOUNTING.modules},account_debit_note,delivery,payment_demo,sale_expense,sale_loyalty,sale_management,"
    "sale_stock,website_sale",
    "sales, stock, loyalty, expenses, a shop and demo data",
)
TILL = Base("odoo_till", f"{ACCOUNTING.modules},point_of_sale", "a point of sale and demo data")


class Odoo:
    """One Odoo server with its databases in `cluster`, and their files in `data_dir`."""

    def __init__(self, home: Home, folder: Path, port: int, gevent_port: int, cluster: Cluster):
        self.home = home
        self.folder = folder
        self.port = port
        self.gevent_port = gevent_port
        self.cluster = cluster
        self.data_dir = folder / "data"

    def another(self, folder: Path, port: int, gevent_port: int) -> "Odoo":
        """A second server of the same databases and files."""
        other = Odoo(self.home, folder, port, gevent_port, self.cluster)
        other.data_dir = self.data_dir
        folder.mkdir(parents=True, exist_ok=True)
        return other

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def config_file(self) -> Path:
        return self.folder / "odoo.conf"

    @property
    def command(self) -> list[str]:
        return [str(self.home.python("odoo")), "-m", "odoo"]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(odoo_path(self.home).path), "ODOO_RC": str(self.config_file)}

    def configure(self, database: str = "") -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        source = odoo_path(self.home)
        options = {
            "addons_path": ",".join(str(path) for path in source.addons),
            "data_dir": self.data_dir,
            "db_host": HOST,
            "db_port": self.cluster.port,
            "db_user": "odoo",
            "db_password": self.cluster.password("odoo"),
            "db_name": database,
            "dbfilter": f"^{database}$" if database else ".*",
            "list_db": False,
            "http_interface": HOST,
            "http_port": self.port,
            "gevent_port": self.gevent_port,
            "max_cron_threads": 1,
            "workers": 0,
        }
        self.config_file.touch(mode=0o600)
        self.config_file.write_text("[options]\n" + "".join(f"{key} = {value}\n" for key, value in options.items()))

    def run(self, *arguments: str) -> None:
        """Run an Odoo command that ends by itself (`-i`, `-u`, `neutralize`, …)."""
        run(
            [*self.command, *arguments, "--stop-after-init", "--no-http", "--max-cron-threads", "0"],
            self.folder / "command.log",
            env=self.environment(),
            cwd=self.folder,
        )

    def run_script(self, database: str, script: str) -> None:
        """Run Python in Odoo's shell, where `env` is the superuser's; what the script does not commit is lost."""
        run(
            [*self.command, "shell", "-d", database, "--no-http", "--max-cron-threads", "0"],
            self.folder / "command.log",
            env=self.environment(),
            cwd=self.folder,
            stdin=script,
        )

    def create_database(self, name: str, *modules: str, template: str = ACCOUNTING.database) -> None:
        """A database with Odoo's and our demo data, cloned from `template`, with `modules` installed on top."""
        self.cluster.create_database(name, "odoo", template)
        store = self.data_dir / "filestore"
        shutil.copytree(store / template, store / name, dirs_exist_ok=True)
        if modules:
            self.run("-d", name, "-i", ",".join(modules), "--with-demo")

    def run_neutralize(self, name: str) -> None:
        """What Odoo does to the copy of a production database."""
        run([*self.command, "neutralize", "-d", name], self.folder / "command.log", env=self.environment())

    def drop_database(self, name: str) -> None:
        self.cluster.drop_database(name)
        shutil.rmtree(self.data_dir / "filestore" / name, ignore_errors=True)

    @property
    def service(self) -> Service:
        return Service(
            name="odoo",
            command=self.command,
            ready_url=f"{self.url}/web/login",
            folder=self.folder,
            env=self.environment(),
            cwd=self.folder,
        )


class Session:
    """A user's session at a running Odoo, over the same routes that the web client uses."""

    def __init__(self, url: str, database: str, login: str, password: str):
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        answer = self._post("/web/session/authenticate", {"db": database, "login": login, "password": password})
        self.user_id: int = answer["uid"]
        self._context: dict[str, Any] = answer["user_context"]  # language and time zone, as the web client sends them

    def use_company(self, company: int) -> None:
        """Make `company` the one that later calls work in."""
        self._context = {**self._context, "allowed_company_ids": [company]}

    def reference(self, module: str, name: str) -> int:
        """The database id behind an external identifier."""
        [_, record_id] = self.call("ir.model.data", "check_object_reference", module, name)
        return record_id

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a public method as this user.

        :raises LauncherError: with Odoo's message
        """
        kwargs.setdefault("context", self._context)
        body = {"model": model, "method": method, "args": list(args), "kwargs": kwargs}
        return self._post(f"/web/dataset/call_kw/{model}/{method}", body)

    def get(self, path: str) -> bytes:
        with self._opener.open(self.url + path, timeout=120) as response:
            return response.read()

    def _post(self, path: str, params: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=120) as response:
            answer = json.load(response)
        if "error" in answer:
            raise LauncherError(answer["error"]["data"]["message"], f"Odoo refused {path}.")
        return answer.get("result")  # left out by Odoo for None


# --- the base databases, each made once per build of Odoo and cached --------------------------------------------------


def restore_base(odoo: Odoo, log: Path) -> None:
    """Give a new instance its cluster, with the accounting database in it."""
    with step("Private PostgreSQL cluster"):
        odoo.cluster.create()
        odoo.configure()
        odoo.cluster.start()
        odoo.cluster.prepare_roles()
    restore(odoo, ACCOUNTING, log)


def restore(odoo: Odoo, base: Base, log: Path) -> None:
    """Give an instance a base database.

    Making it takes Odoo half a minute or more; copying it, seconds. The cache is keyed by everything it is made of.
    """
    source = odoo_path(odoo.home)
    cached = odoo.home.cache / f"base-{_base_key(source, base)}"
    if not cached.exists():
        _make_base(odoo, base, cached, log)
    with step(f"Odoo database with {base.contents}"):
        odoo.cluster.create_database(base.database, "odoo")
        database = cached / "database"
        run([binary("pg_restore"), "--no-owner", "--jobs", "2", "--dbname", _url(odoo, base), database], log)
        shutil.copytree(cached / "filestore", odoo.data_dir / "filestore" / base.database, dirs_exist_ok=True)


def _make_base(odoo: Odoo, base: Base, cached: Path, log: Path) -> None:
    with step(f"Making an Odoo database with {base.contents} (once)"):
        odoo.cluster.create_database(base.database, "odoo")
        odoo.run("-d", base.database, "-i", base.modules, *BASE_OPTIONS)
        staging = cached.with_name(cached.name + ".making")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        dump = ("--format", "directory", "--compress", "1", "--file", staging / "database")
        run([binary("pg_dump"), *dump, _url(odoo, base)], log)
        store = odoo.data_dir / "filestore" / base.database
        if not store.is_dir():
            raise LauncherError(f"Odoo left no filestore at {store}.", f"Log: {odoo.folder / 'command.log'}")
        shutil.copytree(store, staging / "filestore")
        staging.rename(cached)
        odoo.drop_database(base.database)


def _url(odoo: Odoo, base: Base) -> str:
    return odoo.cluster.url("odoo", base.database)


def _base_key(source: OdooSource, base: Base) -> str:
    parts = [source.version, base.modules, *BASE_OPTIONS, LOCKS["odoo"][0].read_text()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
