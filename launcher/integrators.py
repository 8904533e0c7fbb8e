"""`./bonopay sandbox`: the DGI sandbox alone, with sample accounts, for people who integrate their own software."""

from collections.abc import Sequence

from launcher.config import Home, Ports
from launcher.console import LauncherError, say, step
from launcher.packages import install_sandbox
from launcher.sandbox import Sandbox

SAMPLE_ACCOUNTS = (
    {
        "nif": "A1000001X",
        "name": "Alimentation du Fleuve SARL",
        "isf": "TST-SFE-01",
        "nim": "CD01000001-1",
        "outlet_name": "Gombe",
        "address": "12 avenue du Commerce, Kinshasa",
    },
    {
        "nif": "A1000001X",
        "name": "Alimentation du Fleuve SARL",
        "isf": "TST-SFE-01",
        "nim": "CD01000002-2",
        "outlet_name": "Limete",
        "address": "4 boulevard Lumumba, Kinshasa",
    },
    {
        "nif": "A2000002Y",
        "name": "Pharmacie de la Gare",
        "isf": "TST-SFE-02",
        "nim": "CD02000001-9",
        "outlet_name": "Matadi",
        "address": "1 place de la Gare, Matadi",
    },
)


def run_sandbox(home: Home, arguments: Sequence[str]) -> int:
    """`sandbox` starts it, `sandbox stop` ends it.

    :raises LauncherError: for any other word, or when it cannot start
    """
    if not arguments:
        install_sandbox(home)
        return start(lone_sandbox(home))
    if list(arguments) == ["stop"]:
        return stop(lone_sandbox(home))
    raise LauncherError(f"unknown arguments: {' '.join(arguments)}", "./bonopay sandbox, or ./bonopay sandbox stop")


def lone_sandbox(home: Home) -> Sandbox:
    """A folder of its own: the demo's accounts and invoices stay apart."""
    return Sandbox(home, home.root / "sandbox", Ports().sandbox)


def start(sandbox: Sandbox) -> int:
    """The accounts are written once: who changes the file keeps the change."""
    if not sandbox.accounts_file.exists():
        sandbox.prepare(SAMPLE_ACCOUNTS)
    with step("DGI sandbox"):
        sandbox.service.start()
    _tell(sandbox)
    return 0


def stop(sandbox: Sandbox) -> int:
    if not sandbox.service.pid():
        say("The sandbox does not run.")
        return 0
    with step("Stopping the DGI sandbox"):
        sandbox.service.stop()
    say(f"  Stopped. The data stays in {sandbox.folder}")
    return 0


def _tell(sandbox: Sandbox) -> None:
    say()
    say(f"  Base address      {sandbox.url}")
    say(f"  Page, checklist   {sandbox.page}")
    for account in sandbox.accounts():
        say(f"  {account['nif']}, ISF {account['isf']}   {account['name']}")
        for device in account["nims"]:
            say(f"    {device['nim']:14}  token in {sandbox.token_file(device['nim'])}")
    say(f"  Accounts          {sandbox.accounts_file}   (stop and start again after a change)")
    say(f"  Faults            POST {sandbox.page}admin/profile   token in {sandbox.admin_token_file}")
    say("  ./bonopay sandbox stop ends it; the data stays.")
