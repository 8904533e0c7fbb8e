"""Server time of the screens that show many sealed invoices: what the browser waits for, summed over its calls."""

import argparse
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Response, sync_playwright

from launcher.demo import ADMINISTRATOR, connect, draft_invoice
from launcher.instance import Instance
from launcher.odoo import Session
from launcher.suites import INSTALLED_DATABASE
from tests.benchmarks.many import copy_seals
from tests.conftest import described_instance
from tests.odoo_web import OdooPage

DATABASE = "bench_board"
LIMIT_MS = 1000
ROUNDS = 5
SETTLED_MS = 1500  # after the first rows; the web client asks for no more then
#: name → path, what shows that it is there
SCREENS = {
    "invoices": ("/odoo/customer-invoices", ".o_list_view .o_data_row"),
    "board": ("/odoo/action-bonopay_fiscal.bonopay_seal_board_action", ".o_kanban_view .o_kanban_group"),
    "seals": ("/odoo/action-bonopay_fiscal.bonopay_seal_action", ".o_list_view .o_data_row"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invoices", type=int, default=100_000)
    asked = parser.parse_args()
    instance = described_instance()
    instance.odoo.create_database(DATABASE, template=INSTALLED_DATABASE)
    instance.odoo.configure(DATABASE)
    instance.odoo.service.start()
    try:
        figures = _measure(instance, asked.invoices)
    finally:
        instance.odoo.service.stop()
    worst = max(figures.values())
    shown = " ".join(f"{name}_ms={value:.0f}" for name, value in figures.items())
    print(f"board invoices={asked.invoices} {shown} worst_to_limit={worst / LIMIT_MS:.2f}")


def _measure(instance: Instance, count: int) -> dict[str, float]:
    connect(instance, DATABASE)
    session = Session(instance.odoo.url, DATABASE, *ADMINISTRATOR)
    company = session.reference("base", "demo_company_cd")
    session.use_company(company)
    first = draft_invoice(session)
    session.call("account.move", "action_post", [first])
    copy_seals(instance, DATABASE, first, count)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["BONOPAY_TEST_CHROMIUM"], args=["--no-sandbox", "--disable-gpu"]
        )
        page = OdooPage(browser.new_context(), instance.odoo.url, *ADMINISTRATOR)
        page.choose_company(company)
        figures = {name: _open(page, name) for name in SCREENS}
        browser.close()
    return figures


def _open(page: OdooPage, name: str) -> float:
    """Median milliseconds of the server for one opening of a screen."""
    path, sign = SCREENS[name]
    times = []
    for number in range(ROUNDS + 1):
        with _calls(page) as calls:
            page.page.goto(page.url + path)
            page.page.locator(sign).first.wait_for()
            page.page.wait_for_timeout(SETTLED_MS)
        if number:  # the first fills the caches
            times.append(sum(calls.values()))
    slowest = sorted(calls.items(), key=lambda call: -call[1])[:3]
    print(f"{name}: {[round(value) for value in times]} ms, of which {[(call, round(ms)) for call, ms in slowest]}")
    return statistics.median(times)


@contextmanager
def _calls(page: OdooPage) -> Iterator[dict[str, float]]:
    """Milliseconds between request and answer of each call of a model, by its name; those of one name are summed."""
    calls: dict[str, float] = {}

    def note(response: Response) -> None:
        timing = response.request.timing
        if "/web/dataset/" in response.url:
            name = "/".join(response.url.split("?")[0].split("/")[-2:])
            calls[name] = calls.get(name, 0.0) + timing["responseStart"] - timing["requestStart"]

    page.page.on("response", note)
    try:
        yield calls
    finally:
        page.page.remove_listener("response", note)


if __name__ == "__main__":
    main()
