"""Odoo's web client, as a person uses it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as NotInTime

SEALED = ".o_bonopay_state[data-state=certified]"
POSTED = ".o_statusbar_status button.o_arrow_button_current[data-value=posted]"
TIMEOUT = 60_000  # milliseconds; the first page builds its assets
ATTEMPTS = 6


@dataclass(frozen=True)
class Line:
    product: str
    quantity: str


class OdooPage:
    """One tab, logged in."""

    def __init__(self, context: BrowserContext, url: str, login: str, password: str, database: str = ""):
        self.url = url
        self.context = context
        self.page: Page = context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.page.goto(f"{url}/web/login" + (f"?db={database}" if database else ""))
        self.page.fill("input[name=login]", login)
        self.page.fill("input[name=password]", password)
        self.page.click(".oe_login_form button[type=submit]")
        self.page.wait_for_selector(".o_main_navbar", timeout=TIMEOUT)

    def choose_company(self, company: int) -> None:
        """Work in this company, as its switcher in the top bar does."""
        self.context.add_cookies([{"name": "cids", "value": str(company), "url": self.url}])

    def open_invoice(self, invoice: int) -> None:
        self.page.goto(f"{self.url}/odoo/customer-invoices/{invoice}")
        self.page.wait_for_selector(".o_form_view")

    def enter_invoice(self, customer: str, lines: Sequence[Line]) -> None:
        """Type an invoice: customer, then one row per line."""
        self.page.goto(f"{self.url}/odoo/customer-invoices/new")
        self._choose("div[name=partner_id] input", customer)
        for line in lines:
            self._enter_line(line)

    def _enter_line(self, line: Line) -> None:
        self.page.locator("div[name=invoice_line_ids] .o_field_x2many_list_row_add a").first.click()
        row = self.page.locator("div[name=invoice_line_ids] .o_selected_row")
        self._choose("div[name=invoice_line_ids] .o_selected_row td[name=product_id] input", line.product)
        row.locator("td[name=quantity] input").fill(line.quantity)
        row.locator("td[name=quantity] input").press("Tab")

    def _choose(self, selector: str, text: str) -> None:
        """Type and take the first proposal; once more when the form was drawn anew meanwhile, as an onchange does."""
        # A tooltip of what the pointer rests on would take the clicks.
        self.page.mouse.move(0, 0)
        field = self.page.locator(selector).first
        proposal = self.page.locator(".o-autocomplete--dropdown-item:not(.o_m2o_dropdown_option)", has_text=text).first
        for _ in range(ATTEMPTS):
            field.fill("")
            field.fill(text)
            try:
                proposal.click(timeout=TIMEOUT / ATTEMPTS)
                return
            except NotInTime:
                continue
        raise AssertionError(f"{text} is not proposed")

    def confirm(self) -> None:
        self.page.locator("button[name=action_post]:visible").first.click()

    def wait_until_sealed(self) -> None:
        expect(self.page.locator(SEALED).first).to_be_visible(timeout=TIMEOUT)

    def wait_until_posted(self) -> None:
        status = self.page.locator(POSTED)
        expect(status.first).to_be_visible(timeout=TIMEOUT)

    def download_pdf(self, invoice: int) -> bytes:
        """What the browser gets when the invoice is printed."""
        answer = self.page.request.get(f"{self.url}/report/pdf/account.report_invoice/{invoice}")
        assert answer.ok, answer.status
        return answer.body()

    def fiscal_number(self) -> str:
        """The number that the open invoice shows."""
        shown = re.search(r"BONO-[A-Z0-9]+-\d\d-\d{9}", self.page.locator(".o_form_view").inner_text())
        assert shown, "the screen shows no fiscal number"
        return shown[0]
