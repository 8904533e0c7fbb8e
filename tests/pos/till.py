"""A till as a cashier has it: Chromium with a profile on the disk, which may be killed and started again."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, Playwright

from tests.pos.faulty_network import FaultyNetwork
from tests.pos.shop import CASH, LOGIN, RICE, Shop

READY = ".pos .product-screen, .pos .payment-screen, .pos .receipt-screen"
LOCKED = ".screen-login .open-register-btn"
OPENING = ".modal:has(.opening-cash-section, .opening-notes-container)"
BROKEN = ".pos-error"
RECEIPT = ".receipt-screen .pos-receipt"
NEXT = ".receipt-screen .button.next.validation"
DISMISS = ".modal .modal-footer .btn-primary"
PRODUCTS = ".product-screen .product-list"
POWER_FAILS = "/the-power-fails"
BOOT = 60  # seconds in which a till starts that can start at all; the first has the server build its files
PATIENCE = 20  # seconds for anything that a screen does
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@dataclass
class Till:
    """`network` lies in front of the server; `folder` keeps the profile over restarts."""

    playwright: Playwright
    network: FaultyNetwork
    shop: Shop
    folder: Path
    context: BrowserContext | None = field(default=None, repr=False)

    # --- the machine

    def switch_on(self) -> None:
        """Start the browser, with somebody logged in: a crash takes a cookie that is only seconds old."""
        self.context = self.playwright.chromium.launch_persistent_context(
            self.folder,
            executable_path=os.environ["BONOPAY_TEST_CHROMIUM"],
            args=OPTIONS,
            service_workers="allow",
            viewport={"width": 1280, "height": 800},
        )
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("dialog", lambda dialog: dialog.accept())
        self._log_in()

    @property
    def page(self) -> Page:
        assert self.context is not None, "the till is switched off"
        return self.context.pages[0] if self.context.pages else self.context.new_page()

    def switch_off(self) -> None:
        if self.context is not None:
            with suppress(Error):  # it was killed
                self.context.close()
            self.context = None

    def kill(self) -> None:
        """SIGKILL to the browser and all that it started, as when the power fails."""
        self._kill_processes()
        self.switch_off()

    def power_fails_at(self, selector: str, action: Callable[[], None]) -> None:
        """The power fails in the moment that `selector` comes up, which is a consequence of `action`.

        The page asks for its own end in a synchronous request, so that nothing of it runs between the two.
        """
        dead = threading.Event()

        def fail() -> None:
            self._kill_processes()
            dead.set()

        self.network.when(f"POST {POWER_FAILS}", fail)
        self.page.evaluate(
            """([selector, path]) => {
                new MutationObserver(() => {
                    if (document.querySelector(selector)) {
                        const request = new XMLHttpRequest();
                        request.open("POST", path, false);
                        request.send();
                    }
                }).observe(document.body, { subtree: true, childList: true });
            }""",
            [selector, POWER_FAILS],
        )
        with suppress(Error):  # the browser is gone while it is spoken to
            action()
        assert dead.wait(30), f"{selector} never came up"
        self.switch_off()

    def lose_local_storage(self) -> None:
        """What Chromium writes seconds later only, and a crash may take whole."""
        shutil.rmtree(self.folder / "Default" / "Local Storage")

    def wait_until_stored(self, text: str) -> None:
        """Until localStorage is on the disk with `text`."""
        ends = time.monotonic() + 30
        while not any(text.encode() in path.read_bytes() for path in self._local_storage()):
            assert time.monotonic() < ends, f"{text} never reached the disk"
            time.sleep(0.2)

    def _local_storage(self) -> list[Path]:
        return list((self.folder / "Default" / "Local Storage" / "leveldb").glob("*.log"))

    def _kill_processes(self) -> None:
        for pid in _with_descendants(_processes_of(self.folder)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # --- the cashier

    @property
    def url(self) -> str:
        return f"{self.network.url}/pos/ui/{self.shop.config}"

    def _log_in(self) -> None:
        """At the server, whatever the network does."""
        assert self.context is not None
        odoo = self.shop.server.odoo
        credentials = {"db": self.shop.server.database, "login": LOGIN[0], "password": LOGIN[1]}
        answer = self.context.request.post(
            f"{odoo.url}/web/session/authenticate", data={"jsonrpc": "2.0", "method": "call", "params": credentials}
        )
        assert answer.ok and "error" not in answer.json(), answer.text()

    def open(self, path: str = "") -> None:
        """The point of sale, with its session opened when it was not.

        :raises AssertionError: it did not start
        """
        assert self.starts(path), f"the till did not start:\n{self.page.inner_text('body')}"

    def starts(self, path: str = "") -> bool:
        """Whether the till comes up at its address, or at one within it."""
        try:
            self.page.goto(self.url + path, wait_until="commit", timeout=BOOT * 1000)
        except Error:
            return False  # the browser has nothing to show
        return self._comes_up()

    def reload(self) -> bool:
        """Whether the till comes up again where it stands."""
        try:
            self.page.reload(wait_until="commit", timeout=BOOT * 1000)
        except Error:
            return False
        return self._comes_up()

    def _comes_up(self) -> bool:
        """Through the screen that locks it and the opening of a session, when they come."""
        ends = time.monotonic() + BOOT
        while time.monotonic() < ends:
            if self._is_shown(BROKEN) or self._is_elsewhere():
                return False
            if self._is_shown(OPENING):
                self.page.locator(f"{OPENING} .modal-footer .btn-primary").click()
                self.page.locator(OPENING).wait_for(state="detached")
            elif self._is_shown(LOCKED):
                self.page.locator(LOCKED).click()
                self.page.locator(LOCKED).wait_for(state="detached")
            elif self._is_shown(READY) and self._is_opened():
                return True
            time.sleep(0.1)
        return False

    def _is_shown(self, selector: str) -> bool:
        return self.page.locator(selector).first.is_visible()

    def _is_elsewhere(self) -> bool:
        """A page is there, and it is not the till's."""
        return self.page.evaluate(
            "() => document.readyState === 'complete' && !('pos_config_id' in (window.odoo || {}))"
        )

    def _is_opened(self) -> bool:
        return self.page.evaluate("() => window.posmodel?.session?.state === 'opened'")

    def sell(self, product: str = RICE, method: str = CASH) -> None:
        """One article, paid in full by one method, until the receipt is there."""
        self.choose(product)
        self.pay(method)
        self.validate()

    def choose(self, product: str) -> None:
        self.page.locator(".product-list article.product", has_text=product).first.click()
        self.page.locator(".order-container .orderline", has_text=product).first.wait_for()

    def pay(self, method: str = CASH) -> None:
        self.page.locator(".product-screen .pay-order-button:visible").first.click()
        self.page.locator(".payment-screen .paymentmethods .paymentmethod", has_text=method).first.click()
        self.page.locator(".payment-screen .paymentline.selected").wait_for()

    def click_validate(self) -> None:
        self.page.locator(".payment-screen .validation-button.next").first.click()

    def validate(self) -> None:
        self.click_validate()
        self.page.wait_for_selector(RECEIPT)

    def receipt(self) -> str:
        """What the receipt on the screen says."""
        return self.page.inner_text(RECEIPT)

    def next_sale(self) -> None:
        """Through the messages that come meanwhile, as of a server that does not answer."""
        ends = time.monotonic() + PATIENCE
        while not self._is_shown(PRODUCTS):
            assert time.monotonic() < ends, "no next sale"
            button = DISMISS if self._is_shown(DISMISS) else NEXT
            with suppress(Error):  # a message came in its way, or it went by itself
                self.page.locator(button).first.click(timeout=1000)

    def choose_in_menu(self, option: str) -> None:
        self.page.locator(".pos-rightheader button:has(.fa-bars)").click()
        self.page.locator("span.dropdown-item", has_text=option).click()

    def close_register(self) -> None:
        """Count what the till expects and close the session."""
        self.choose_in_menu("Close Register")
        popup = self.page.locator(".close-pos-popup")
        popup.wait_for()
        for button in popup.locator("button.fa-clone").all():
            button.click()
        popup.locator(".modal-footer button.highlight").click()

    # --- what the browser knows

    def orders(self) -> list[dict[str, Any]]:
        """What Odoo's own till knows of its orders that have lines."""
        return self.page.evaluate(
            "() => posmodel.models['pos.order'].getAll().filter((order) => order.lines.length)"
            ".map(({ uuid, state, pos_reference, isSynced }) => ({ uuid, state, pos_reference, isSynced }))"
        )

    def wait_for_storage(self) -> None:
        """What Odoo's till writes a third of a second after a change is written."""
        self.page.wait_for_timeout(1000)


def _processes_of(folder: Path) -> set[int]:
    """The processes that were started with this profile."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                if f"--user-data-dir={folder}".encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    return found


def _with_descendants(ancestors: set[int]) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = set(ancestors)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found
