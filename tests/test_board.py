"""What waits, and what is to be mended, as an accountant sees it in the browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from launcher.demo import ACCOUNTANT, draft_invoice, seal_of
from tests.conftest import Suite
from tests.odoo_web import TIMEOUT, OdooPage


@pytest.fixture(scope="module")
def page(suite: Suite, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="fr-FR", viewport={"width": 1400, "height": 1000})
    yield OdooPage(context, suite.instance.odoo.url, *ACCOUNTANT).page
    context.close()


def test_row_42_the_board_shows_what_waits_and_opens_the_invoice(suite: Suite, page: Page) -> None:
    session, signer = suite.accountant, suite.instance.signer.service
    signer.stop()
    try:
        invoice = draft_invoice(session)
        session.call("account.move", "action_post", [invoice])
        assert seal_of(session, invoice)["state"] == "to_seal"
        [move] = session.call("account.move", "read", [invoice], ["name"])
        page.goto(f"{suite.instance.odoo.url}/odoo/bonopay-board")
        expect(page.locator(".o_kanban_group")).to_have_count(4, timeout=TIMEOUT)
        card = page.locator(".o_kanban_group").first.locator(".o_kanban_record", has_text=move["name"])
        expect(card.locator("[data-state=to_seal]")).to_be_visible()
        _save_screenshot(page, "board")
        card.click()
        expect(page.locator(".o_form_view [data-state=to_seal]")).to_be_visible(timeout=TIMEOUT)
        expect(page.locator("[name=bonopay_deadline_at]").first).to_be_visible()
    finally:
        signer.start()


def test_a_draft_says_what_is_to_be_mended_and_opens_the_customer(suite: Suite, page: Page) -> None:
    session = suite.accountant
    values = {"name": "Sans NIF SARL", "is_company": True, "bonopay_client_type": "PM"}
    customer = session.call("res.partner", "create", [values])
    customer = customer[0] if isinstance(customer, list) else customer
    invoice = draft_invoice(session)
    session.call("account.move", "write", [invoice], {"partner_id": customer})
    page.goto(f"{suite.instance.odoo.url}/odoo/customer-invoices/{invoice}")
    finding = page.locator(".o_bonopay_findings:visible li", has_text="Sans NIF SARL")
    expect(finding).to_be_visible(timeout=TIMEOUT)
    _save_screenshot(page, "findings")
    with page.context.expect_page() as opened:  # beside the draft, which may not be saved
        finding.locator("a").click()
    expect(opened.value.locator(".o_form_view [name=vat]").first).to_be_visible(timeout=TIMEOUT)
    assert opened.value.url == f"{suite.instance.odoo.url}/odoo/res.partner/{customer}"


def _save_screenshot(page: Page, name: str) -> None:
    """For people who want to see it: BONOPAY_SCREENSHOTS names a folder."""
    if folder := os.environ.get("BONOPAY_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
