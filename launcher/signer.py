"""The signer as a process of an instance: database, token, key, merchant and API key, each made by its own command."""

from collections.abc import Mapping
from pathlib import Path

from launcher.config import CHECKOUT, HOST, Home
from launcher.postgres import Cluster
from launcher.services import Service
from launcher.shell import run

DATABASE = "bonopay_signer"
OWNER, SERVICE = "bonopay_owner", "bonopay_service"
AUTHORITY = "BONO-CD-DEMO"
SECRETS = {"pin": "pin", "so-pin": "pin", "secrets-key": "key"}  # file → kind


class Signer:
    def __init__(self, home: Home, folder: Path, port: int, cluster: Cluster):
        self.home = home
        self.folder = folder
        self.port = port
        self.cluster = cluster

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def command(self) -> list[str]:
        return [str(self.home.python("signer")), "-m", "bonopay_signer"]

    # --- preparation, each step repeatable

    def prepare(self) -> None:
        """Database with two roles, secrets, SoftHSM token with a P-256 key."""
        self._configure_token()
        for name, kind in SECRETS.items():
            self.run("secret", "create", kind, str(self._secret(name)), "--if-missing")
        if not self.cluster.has_database(DATABASE):
            self.cluster.create_database(DATABASE, OWNER)
        self.run("migrate", "--service-role", SERVICE)
        self.run("token", "init", "--if-missing", "--so-pin-file", str(self._secret("so-pin")))
        self.run("key", "create", "--if-missing")

    def upgrade(self) -> None:
        """Bring what an older version left behind to this one: the schema, and a head store, which the first versions
        had not. Where there is one, it is never begun anew: that would hide a database that lost its end."""
        self.run("migrate", "--service-role", SERVICE)
        if not self._heads.exists():
            self.run("head-store", "adopt")

    def register(self, merchant: Mapping[str, str], dgi_url: str, dgi_token_file: Path) -> None:
        """Merchant, outlet and API key; `merchant` as `launcher.instance.DEMO_MERCHANT`."""
        self.run("merchant", "add", "--if-missing", "--nif", merchant["nif"], "--name", merchant["name"])
        self.run(
            *("outlet", "add", "--if-missing", "--id", merchant["outlet"], "--merchant", merchant["nif"]),
            *("--name", merchant["outlet_name"], "--address", merchant["address"]),
            *("--nim", merchant["nim"], "--isf", merchant["isf"]),
            *("--dgi-url", dgi_url, "--dgi-token-file", str(dgi_token_file)),
        )
        if not self.api_key_file.exists():
            self.run(
                "apikey", "create", "--merchant", merchant["nif"], "--label", "odoo", "--output", str(self.api_key_file)
            )

    def run(self, *arguments: str) -> None:
        run([*self.command, *arguments], self.folder / "command.log", env=self.environment(admin=True), cwd=self.folder)

    # --- use

    @property
    def api_key_file(self) -> Path:
        return self.folder / "secrets" / "odoo.apikey"

    def api_key(self) -> str:
        return self.api_key_file.read_text().strip()

    def environment(self, admin: bool = False) -> dict[str, str]:
        """Settings of the service; the owner's connection only for administrative commands."""
        settings = {
            "DATABASE_URL": self.cluster.url(SERVICE, DATABASE),
            "HOST": HOST,
            "PORT": str(self.port),
            "PUBLIC_URL": self.url,
            "AUTHORITY": AUTHORITY,
            "TOKEN_LABEL": "bonopay",
            "TOKEN_PIN_FILE": str(self._secret("pin")),
            "SECRETS_KEY_FILE": str(self._secret("secrets-key")),
            "HEAD_STORE": str(self._heads),
        }
        if admin:
            settings["OWNER_DATABASE_URL"] = self.cluster.url(OWNER, DATABASE)
        prefixed = {f"BONOPAY_SIGNER_{name}": value for name, value in settings.items()}
        return {
            **prefixed,
            "SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"),
            "PYTHONPATH": str(CHECKOUT / "signer_service"),
        }

    @property
    def service(self) -> Service:
        return Service(
            name="signer",
            command=[*self.command, "serve"],
            ready_url=f"{self.url}/ready",
            folder=self.folder,
            env=self.environment(),
            cwd=self.folder,
        )

    def _configure_token(self) -> None:
        """SoftHSM's own settings: tokens in a folder that only this user reads."""
        tokens = self.folder / "tokens"
        tokens.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / "secrets").mkdir(exist_ok=True, mode=0o700)
        self._heads.mkdir(exist_ok=True, mode=0o700)
        (self.folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
        )

    @property
    def _heads(self) -> Path:
        return self.folder / "heads"

    def _secret(self, name: str) -> Path:
        return self.folder / "secrets" / name
