"""`./bonopay demo`: from a machine with nothing on it to sealed, printed invoices, told as a short story."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launcher.config import ADDONS, Home
from launcher.console import LauncherError, say, step
from launcher.instance import Instance, demo_instance
from launcher.odoo import Session, restore_base
from launcher.packages import install_runtime
from launcher.shell import environment
from launcher.story import ACCOUNTANT, ADMINISTRATOR, Story

DATABASE = "bonopay_demo"
ADDON = "bonopay_fiscal"
MODULES = (ADDON, "sale_management")  # with sales orders, whose bridge installs itself


def run_demo(home: Home) -> int:
    say("Bono Pay demo: Odoo 19, DGI sandbox, signer with HSM token, sealed invoices\n")
    install_runtime(home)
    instance = demo_instance(home)
    _create(instance)
    _start(instance)
    story = Story(instance, DATABASE)
    story.play()
    _tell(story, instance)
    return 0


def serve(home: Home) -> int:
    instance = _existing(home)
    install_runtime(home)
    _start(instance)
    _tell_addresses(instance)
    return 0


def stop(home: Home) -> int:
    instance = demo_instance(home)
    if not instance.folder.exists():
        say("Nothing runs here.")
        return 0
    with step("Stopping Odoo, signer, DGI sandbox and PostgreSQL"):
        instance.stop()
    say(f"  Stopped. The data stays in {instance.folder}")
    return 0


def status(home: Home) -> int:
    instance = demo_instance(home)
    for service in (instance.odoo.service, instance.signer.service, instance.sandbox.service):
        pid = service.pid()
        say(f"  {service.name:9} {'runs, process ' + str(pid) if pid else 'stopped':24} {service.ready_url}")
    running = "runs" if instance.cluster.data.exists() and instance.cluster.is_running() else "stopped"
    say(f"  postgres  {running:24} port {instance.ports.postgres}")
    return 0


def forward_odoo(home: Home, arguments: Sequence[str]) -> int:
    """Replace this process by the demo's Odoo command."""
    odoo = _existing(home).odoo
    os.execve(odoo.command[0], [*odoo.command, *arguments], environment(odoo.environment()))


def forward_signer(home: Home, arguments: Sequence[str]) -> int:
    """Replace this process by the demo's signer command, with the rights of its administrator."""
    signer = _existing(home).signer
    os.execve(signer.command[0], [*signer.command, *arguments], environment(signer.environment(admin=True)))


def _existing(home: Home) -> Instance:
    instance = demo_instance(home)
    if not (instance.folder / "ready").exists():
        raise LauncherError("There is no demo yet.", "./bonopay demo")
    return instance


# --- creation --------------------------------------------------------------------------------------------------------


def _create(instance: Instance) -> None:
    """Databases, token and configuration; an interrupted first creation is made anew from nothing."""
    ready = instance.folder / "ready"
    if ready.exists():
        return
    instance.remove()
    instance.folder.mkdir(parents=True)
    restore_base(instance.odoo, instance.folder / "log" / "base.log")
    with step("DGI sandbox, HSM token with its P-256 key, signer"):
        instance.prepare_trusted_side()
    with step("Odoo database with the Congolese demo company"):
        instance.odoo.create_database(DATABASE, *MODULES)
    instance.odoo.configure(DATABASE)
    with step("Odoo"):
        instance.odoo.service.start()
    with step("Connecting Odoo to the signer"):
        connect(instance, DATABASE)
    ready.write_text(_addons_digest())


def connect(instance: Instance, database: str) -> None:
    """Give the demo company of `database` the signer's address and key, as an administrator would in the settings."""
    administrator = Session(instance.odoo.url, database, *ADMINISTRATOR)
    company = administrator.reference("base", "demo_company_cd")
    administrator.call("res.company", "bonopay_configure", [company], instance.signer.url, instance.signer.api_key())


def _start(instance: Instance) -> None:
    instance.odoo.configure(DATABASE)
    with step("PostgreSQL, DGI sandbox and signer"):
        instance.start()
    _upgrade(instance)
    with step("Odoo"):
        instance.odoo.service.start()


def _upgrade(instance: Instance) -> None:
    """Bring the demo's Odoo database to the addons as they are now; no work while these did not change."""
    ready, digest = instance.folder / "ready", _addons_digest()
    if ready.read_text() == digest:
        return
    with step("The demo's Odoo database is brought to these addons"):
        instance.odoo.service.stop()
        instance.odoo.run("-d", DATABASE, "-i", ",".join(MODULES), "-u", ADDON)
    ready.write_text(digest)


def _addons_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(ADDONS.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ADDONS)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


# --- the story -------------------------------------------------------------------------------------------------------


def _print(instance: Instance, session: Session, invoice: int, fiscal_number: str | bool) -> Path:
    """The PDF of an invoice; printed once, since the next print of it is a duplicate."""
    path = instance.folder / "invoices" / f"{fiscal_number or 'provisional'}.pdf"
    if not path.exists():
        with step("The first of them is printed"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(session.get(f"/report/pdf/account.report_invoice/{invoice}"))
    return path


def draft_invoice(session: Session) -> int:
    """A draft as the demo accountant would enter it. Gives its database id."""
    created = session.call("account.move", "create", [invoice_values(session)])
    return created[0] if isinstance(created, list) else created


def invoice_values(session: Session) -> dict[str, Any]:
    """Goods and a service for a company."""
    partner = session.reference("bonopay_fiscal", "demo_partner_pm")
    lines = [
        {"product_id": session.reference("bonopay_fiscal", "demo_product_rice"), "quantity": 2},
        {"product_id": session.reference("bonopay_fiscal", "demo_product_delivery"), "quantity": 1},
    ]
    return {"move_type": "out_invoice", "partner_id": partner, "invoice_line_ids": [[0, 0, line] for line in lines]}


def seal_of(session: Session, invoice: int) -> dict[str, Any]:
    """The live seal of an invoice, as its accountant reads it."""
    fields = ["fiscal_number", "short_code", "dgi_code", "dgi_counters", "verification_url", "state", "payload"]
    domain = [["move_id", "=", invoice], ["superseded", "=", False]]
    [seal] = session.call("bonopay.seal", "search_read", domain, fields)
    return seal


def _tell(story: Story, instance: Instance) -> None:
    first = story.documents["demo_invoice_sale"]
    seal = seal_of(story.accountant, first)
    pdf = _print(instance, story.accountant, first, seal["fiscal_number"])
    payload = json.loads(seal["payload"])
    say()
    for move in story.listed():
        say(f"  {_row(move)}")
    say()
    total = f"{payload['totals']['total']} {payload['totals']['currency']}"
    say(f"  {payload['reference_number']} for {payload['client']['name']}: {total}, taxes included")
    say(f"  Fiscal number     {seal['fiscal_number'] or '—'}")
    say(f"  Short code        {seal['short_code'] or '—'}")
    say(f"  DGI code          {seal['dgi_code'] or '— (' + seal['state'] + ')'}   {seal['dgi_counters'] or ''}")
    say(f"  PDF               {_shown(pdf)}")
    say(f"  Verification      {seal['verification_url'] or '—'}")
    _tell_addresses(instance)


def _row(move: dict[str, Any]) -> str:
    """One line on a document: type, name, total and where it stands."""
    state = move["bonopay_state"] or move["state"]
    if move["state"] == "cancel":
        state = f"{state}, cancelled and replaced"
    total = f"{move['amount_total']:,.2f} {move['currency_id'][1]}"
    return f"{move['bonopay_invoice_type']}  {move['name'] or 'draft':16} {total:>18}  {state}"


def _tell_addresses(instance: Instance) -> None:
    say()
    say("  Go on by hand:")
    say(f"  Odoo              {instance.odoo.url}   login {' / '.join(ACCOUNTANT)}, or {' / '.join(ADMINISTRATOR)}")
    say(f"  What the DGI got  {instance.sandbox.page}")
    say(f"  The signer's keys {instance.signer.url}/.well-known/fiscal-keys.json")
    say("  ./bonopay stop ends it all; ./bonopay serve starts it again, and Lubumbashi is on the network then.")


def _shown(path: Path) -> str:
    """A path relative to where the user stands, when that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
