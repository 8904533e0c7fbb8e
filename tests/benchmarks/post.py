"""Posting with the addon, sealed and certified, against posting without it and against its peers, in one run.

Four databases of one server take turns, so that all meet the same noise:

=========  ==========================================================================================================
sealed     the addon: sealed by the signer, certified by the DGI sandbox before the screen shows the invoice
plain      Odoo alone
hashed     Odoo with the journal's own hash chain (``restrict_mode_hash_table``)
chained    a chained document per invoice in the user's transaction, as Veri*Factu makes it (``addons``)
=========  ==========================================================================================================

One by one in the browser, from the click on Confirm to the sign on the screen; then a hundred at once by RPC, in turns;
then ``--batch`` of ours.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from launcher.demo import ADMINISTRATOR, connect, invoice_values
from launcher.instance import Instance
from launcher.odoo import Odoo, Session
from launcher.suites import INSTALLED_DATABASE
from tests.conftest import described_instance
from tests.odoo_web import POSTED as POSTED_SIGN
from tests.odoo_web import SEALED as SEALED_SIGN
from tests.odoo_web import TIMEOUT, OdooPage

WARM_UP = 2
SEALED, PLAIN, HASHED, CHAINED = "bench_sealed", "bench_plain", "bench_hashed", "bench_chained"
PEERS = {"plain": PLAIN, "hashed": HASHED, "chained": CHAINED}
PEER_ADDONS = Path(__file__).parent / "addons"
AT_ONCE = 100  # drafts of one call, as somebody ticks in a list
TURNS = 3  # of each contender, with so many
PATIENCE = 600  # seconds until everything of a batch is certified


@dataclass(frozen=True)
class Contender:
    """One database: the invoice that it posts, and what shows that it is done."""

    page: OdooPage
    session: Session
    invoice: dict[str, Any]
    wait: Callable[[], None]
    times: list[float] = field(default_factory=list)

    def post_one(self) -> float:
        """Milliseconds from the click to the sign on the screen."""
        self.page.open_invoice(*self.drafts(1))
        started = time.perf_counter()
        self.page.confirm()
        self.wait()
        return (time.perf_counter() - started) * 1000

    def drafts(self, count: int) -> list[int]:
        """So many of the same invoice, in one call."""
        return self.session.call("account.move", "create", [self.invoice] * count)

    def post_hundred(self) -> tuple[list[int], float]:
        """Post as many drafts as somebody ticks in a list, and the seconds that they wait."""
        drafts = self.drafts(AT_ONCE)
        started = time.perf_counter()
        self.session.call("account.move", "action_post", drafts)
        return drafts, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="invoices of each contender, one by one")
    parser.add_argument("--batch", type=int, default=1000, help="invoices posted at once; 0: none")
    asked = parser.parse_args()
    instance = described_instance()
    _make_databases(instance)
    instance.odoo.service.start()
    try:
        connect(instance, SEALED)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ["BONOPAY_TEST_CHROMIUM"], args=["--no-sandbox", "--disable-gpu"]
            )
            contenders = _contenders(browser, instance.odoo.url)
            figures = {**_one_by_one(contenders, asked.rounds), **_in_batch(contenders, asked.batch)}
            browser.close()
    finally:
        instance.odoo.service.stop()
    print("post " + " ".join(f"{name}={value}" for name, value in figures.items()))


def _make_databases(instance: Instance) -> None:
    odoo = instance.odoo
    odoo.create_database(SEALED, template=INSTALLED_DATABASE)
    odoo.create_database(PLAIN)
    odoo.create_database(HASHED)
    _configure(odoo)
    odoo.create_database(CHAINED, "chained_document")


def _configure(odoo: Odoo) -> None:
    """The server's configuration, with the peers' addons beside ours."""
    odoo.configure()
    text = odoo.config_file.read_text()
    odoo.config_file.write_text(text.replace("addons_path = ", f"addons_path = {PEER_ADDONS},"))


def _one_by_one(contenders: dict[str, Contender], rounds: int) -> dict[str, str]:
    for round_number in range(WARM_UP + rounds):
        for contender in contenders.values():
            elapsed = contender.post_one()
            if round_number >= WARM_UP:
                contender.times.append(elapsed)
    for name, contender in contenders.items():
        print(f"{name}, ms: {[round(value) for value in contender.times]}")
    medians = {name: statistics.median(contender.times) for name, contender in contenders.items()}
    figures = {f"{name}_ms": f"{median:.0f}" for name, median in medians.items()}
    return figures | {f"to_{name}": f"{medians['sealed'] / medians[name]:.2f}" for name in PEERS}


def _in_batch(contenders: dict[str, Contender], count: int) -> dict[str, str]:
    """What a hundred at once take, in turns; then of `count` of ours the time until the last of them is certified."""
    if not count:
        return {}
    hundreds: dict[str, list[float]] = {name: [] for name in contenders}
    for _turn in range(TURNS):
        for name, contender in contenders.items():
            drafts, seconds = contender.post_hundred()
            hundreds[name].append(seconds)
            if name == "sealed":
                _wait_until_certified(contender.session, drafts)  # what is still under way would slow the others
    for name, times in hundreds.items():
        print(f"{name}, {AT_ONCE} at once, s: {[round(seconds, 1) for seconds in times]}")
    medians = {name: statistics.median(times) for name, times in hundreds.items()}
    return {
        f"of_{AT_ONCE}_s": f"{medians['sealed']:.1f}",
        **{f"of_{AT_ONCE}_to_{name}": f"{medians['sealed'] / medians[name]:.2f}" for name in PEERS},
        **_whole_batch(contenders["sealed"], count),
    }


def _whole_batch(sealed: Contender, count: int) -> dict[str, str]:
    """Seconds that the author of `count` documents waits, and until the last of them is certified."""
    drafts = [draft for _hundred in range(0, count, AT_ONCE) for draft in sealed.drafts(AT_ONCE)][:count]
    started = time.perf_counter()
    for first in range(0, count, AT_ONCE):
        sealed.session.call("account.move", "action_post", drafts[first : first + AT_ONCE])
    posted = time.perf_counter() - started
    _wait_until_certified(sealed.session, drafts)
    return {
        "batch": str(count),
        "batch_s": f"{posted:.1f}",
        "batch_certified_s": f"{time.perf_counter() - started:.1f}",
    }


def _wait_until_certified(session: Session, drafts: list[int]) -> None:
    domain = [["move_id", "in", drafts], ["state", "=", "certified"]]
    deadline = time.monotonic() + PATIENCE
    while (done := session.call("bonopay.seal", "search_count", domain)) < len(drafts):
        if time.monotonic() > deadline:
            raise SystemExit(f"only {done} of {len(drafts)} documents were certified in {PATIENCE} s")
        time.sleep(0.5)


# --- the contenders ---------------------------------------------------------------------------------------------------


def _contenders(browser: Browser, url: str) -> dict[str, Contender]:
    contenders = {"sealed": _contender(browser, url, SEALED)}
    return contenders | {name: _contender(browser, url, database) for name, database in PEERS.items()}


def _contender(browser: Browser, url: str, database: str) -> Contender:
    page = OdooPage(browser.new_context(), url, *ADMINISTRATOR, database=database)
    session = Session(url, database, *ADMINISTRATOR)
    company = session.reference("base", "demo_company_cd")
    page.choose_company(company)
    session.use_company(company)
    if database == SEALED:
        return Contender(page, session, invoice_values(session), partial(_shown, page, SEALED_SIGN))
    if database == HASHED:
        domain = [["type", "=", "sale"], ["company_id", "=", company]]
        session.call(
            "account.journal",
            "write",
            session.call("account.journal", "search", domain),
            {"restrict_mode_hash_table": True},
        )
    contender = Contender(page, session, _plain_invoice(session), partial(_shown, page, POSTED_SIGN))
    _is_what_it_says(contender, database)
    return contender


def _shown(page: OdooPage, sign: str) -> None:
    """Wait until a sign is on the screen, to the frame: Playwright's own waits look at intervals of up to a second."""
    page.page.wait_for_function("sign => document.querySelector(sign)?.checkVisibility()", arg=sign, timeout=TIMEOUT)


def _is_what_it_says(contender: Contender, database: str) -> None:
    """A peer that does nothing would make a fine ratio."""
    [draft] = contender.drafts(1)
    contender.session.call("account.move", "action_post", [draft])
    [move] = contender.session.call("account.move", "read", [draft], ["inalterable_hash"])
    if bool(move["inalterable_hash"]) != (database == HASHED):
        raise SystemExit(f"{database}: the posted invoice's hash is {move['inalterable_hash']!r}")
    if database == CHAINED:
        [document] = contender.session.call(
            "ir.attachment", "search_read", [["res_model", "=", "chained.document"]], ["name"]
        )
        print(f"{database}: {document['name']}")


def _plain_invoice(session: Session) -> dict[str, Any]:
    """The demo invoice for a peer, which has Odoo alone."""
    [partner] = session.call("res.partner", "create", [{"name": "Client", "is_company": True}])
    products = session.call(
        "product.product",
        "create",
        [{"name": name, "list_price": price} for name, price in (("Riz", 50000), ("L", 15000))],
    )
    lines = [{"product_id": product, "quantity": quantity} for product, quantity in zip(products, (2, 1), strict=True)]
    return {"move_type": "out_invoice", "partner_id": partner, "invoice_line_ids": [[0, 0, line] for line in lines]}


if __name__ == "__main__":
    main()
