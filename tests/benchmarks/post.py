"""From pressing Confirm to "sealed" in the browser, against posting in the same Odoo without the addon.

Two databases of one server, one with the addon and one without, take turns, so that both meet the same noise. The
sealed time includes the signer's own work and two exchanges with the DGI sandbox.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import sync_playwright

from launcher.demo import ADMINISTRATOR, connect, draft_invoice
from launcher.odoo import Session
from launcher.testing import INSTALLED_DATABASE
from tests.conftest import described_instance
from tests.odoo_web import OdooPage

ROUNDS = 10
WARM_UP = 2
SEALED, PLAIN = "bench_sealed", "bench_plain"


@dataclass(frozen=True)
class Contender:
    """One of the two: how it drafts an invoice, and what shows that it is done."""

    page: OdooPage
    draft: Callable[[], int]
    wait: Callable[[], None]
    times: list[float]

    def post_one(self) -> float:
        """Milliseconds from the click to the sign on the screen."""
        self.page.open_invoice(self.draft())
        started = time.perf_counter()
        self.page.confirm()
        self.wait()
        return (time.perf_counter() - started) * 1000


def main() -> None:
    instance = described_instance()
    odoo = instance.odoo
    odoo.create_database(SEALED, template=INSTALLED_DATABASE)
    odoo.create_database(PLAIN)
    odoo.configure()
    odoo.service.start()
    try:
        connect(instance, SEALED)
        sealed, plain = _measure(odoo.url)
    finally:
        odoo.service.stop()
    print(f"sealed, ms: {[round(value) for value in sealed]}")
    print(f"plain, ms: {[round(value) for value in plain]}")
    medians = statistics.median(sealed), statistics.median(plain)
    print(f"post sealed_ms={medians[0]:.0f} plain_ms={medians[1]:.0f} ratio={medians[0] / medians[1]:.2f}")


def _measure(url: str) -> tuple[list[float], list[float]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["BONOPAY_TEST_CHROMIUM"], args=["--no-sandbox", "--disable-gpu"]
        )
        with_addon, without = (_contender(browser, url, database) for database in (SEALED, PLAIN))
        for round_number in range(WARM_UP + ROUNDS):
            for contender in (with_addon, without):
                elapsed = contender.post_one()
                if round_number >= WARM_UP:
                    contender.times.append(elapsed)
        browser.close()
    return with_addon.times, without.times


def _contender(browser, url: str, database: str) -> Contender:
    page = OdooPage(browser.new_context(), url, *ADMINISTRATOR, database=database)
    session = Session(url, database, *ADMINISTRATOR)
    if database == SEALED:
        company = session.reference("base", "demo_company_cd")
        page.choose_company(company)
        session.use_company(company)
        return Contender(page, lambda: draft_invoice(session), page.wait_until_sealed, [])
    company = session.reference("base", "demo_company_cd")
    page.choose_company(company)
    session.use_company(company)
    return Contender(page, _plain_draft(session), page.wait_until_posted, [])


def _plain_draft(session: Session) -> Callable[[], int]:
    """The demo invoice of the other contender, made with Odoo alone."""
    [partner] = session.call("res.partner", "create", [{"name": "Client", "is_company": True}])
    products = session.call(
        "product.product",
        "create",
        [{"name": name, "list_price": price} for name, price in (("Riz", 50000), ("L", 15000))],
    )
    lines = [{"product_id": product, "quantity": quantity} for product, quantity in zip(products, (2, 1), strict=True)]
    values = {"move_type": "out_invoice", "partner_id": partner, "invoice_line_ids": [[0, 0, line] for line in lines]}
    return lambda: session.call("account.move", "create", [values])[0]


if __name__ == "__main__":
    main()
