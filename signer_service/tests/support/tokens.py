"""A real SoftHSM token in a folder of its own, made by the signer's own commands."""

from pathlib import Path

from .processes import run_signer_command, run_signer_command_here


class Token:
    LABEL, KEY_LABEL = "bonopay-test", "bonopay-seal"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / "tokens"
        self.objects.mkdir(parents=True)
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(
            f"directories.tokendir = {self.objects}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.pin_file, self.so_pin_file = folder / "pin", folder / "so-pin"
        for path in (self.pin_file, self.so_pin_file):
            self.run("secret", "create", "pin", str(path))
        self.run("token", "init", "--so-pin-file", str(self.so_pin_file))
        self.run("key", "create")

    @property
    def pin(self) -> str:
        return self.pin_file.read_text().strip()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SOFTHSM2_CONF": str(self.configuration),
            "BONOPAY_SIGNER_TOKEN_LABEL": self.LABEL,
            "BONOPAY_SIGNER_KEY_LABEL": self.KEY_LABEL,
            "BONOPAY_SIGNER_TOKEN_PIN_FILE": str(self.pin_file),
        }

    def run(self, *arguments: str) -> str:
        here = arguments[0] == "secret"  # needs no module, of which a process can load one
        done = (run_signer_command_here if here else run_signer_command)(*arguments, environment=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout
