"""A till as a cashier has it: Chromium with a profile on the disk, which may be killed and started again."""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright

from tests.odoo_web import TIMEOUT

#: Fresh or not: until the service worker has the page, a second load is needed.
OPENED = ".pos .pos-topheader"


@dataclass
class Till:
    """`url` is that of the network in front of the server; `folder` keeps the profile over restarts."""

    playwright: Playwright
    url: str
    folder: Path
    config: int
    login: str = "admin"
    password: str = "admin"
    context: BrowserContext | None = field(default=None, repr=False)

    # --- the machine

    def switch_on(self) -> Page:
        self.context = self.playwright.chromium.launch_persistent_context(
            self.folder,
            executable_path=os.environ["BONOPAY_TEST_CHROMIUM"],
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
            service_workers="allow",
            viewport={"width": 1280, "height": 800},
        )
        page = self.context.pages[0] if self.context.pages else self.context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("dialog", lambda dialog: dialog.accept())
        return page

    @property
    def page(self) -> Page:
        assert self.context is not None, "the till is switched off"
        return self.context.pages[0]

    def switch_off(self) -> None:
        if self.context is not None:
            self.context.close()
            self.context = None

    def kill(self) -> None:
        """As when the power fails: SIGKILL to the browser and all that it started."""
        for pid in _processes_of(self.folder):
            os.kill(pid, signal.SIGKILL)
        assert self.context is not None
        self.context.close()
        self.context = None

    # --- the cashier

    def log_in(self, database: str) -> None:
        self.page.goto(f"{self.url}/web/login?db={database}")
        self.page.fill("input[name=login]", self.login)
        self.page.fill("input[name=password]", self.password)
        self.page.click(".oe_login_form button[type=submit]")
        self.page.wait_for_selector(".o_main_navbar")

    def open(self) -> None:
        """The point of sale, with its session opened when it was not."""
        self.page.goto(f"{self.url}/pos/ui/{self.config}")
        self.page.wait_for_selector(OPENED)
        self.page.wait_for_function("() => window.posmodel")
        opening = self.page.locator(".opening-control-popup, .modal:has-text('Opening Control')")
        if opening.count():
            opening.locator(".modal-footer .btn-primary").click()
            opening.wait_for(state="detached")

    def sell(self, product: str, method: str) -> None:
        """One article, paid in full by one method, until the receipt is there."""
        self.choose(product)
        self.pay(method)
        self.validate()

    def choose(self, product: str) -> None:
        self.page.locator(".product-list article.product", has_text=product).first.click()

    def pay(self, method: str) -> None:
        self.page.locator(".pay-order-button:visible, .pay:visible").first.click()
        self.page.locator(".paymentmethods .paymentmethod", has_text=method).first.click()

    def validate(self) -> None:
        self.page.locator(".validation-button.next, .payment-screen .next.validation").first.click()
        self.page.wait_for_selector(".receipt-screen .pos-receipt")

    def next_sale(self) -> None:
        self.page.locator(".receipt-screen .button.next, .receipt-screen button.validation").first.click()
        self.page.wait_for_selector(".product-list")

    def orders_in_memory(self) -> list[dict[str, Any]]:
        """What Odoo's own till knows of its orders."""
        return self.page.evaluate(
            "() => posmodel.models['pos.order'].getAll()"
            ".map(o => ({uuid: o.uuid, state: o.state, name: o.pos_reference, synced: o.isSynced}))"
        )


def _processes_of(folder: Path) -> list[int]:
    """The processes that were started with this profile."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue  # it ended meanwhile
            if f"--user-data-dir={folder}" in command:
                found.append(int(entry.name))
    return found
