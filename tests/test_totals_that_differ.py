"""The DGI computes other totals than Odoo: nothing is sealed, the accountant sees both sides and can correct."""

import json
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from launcher.demo import ACCOUNTANT, draft_invoice, seal_of
from launcher.instance import DEMO_MERCHANT
from tests.conftest import Suite
from tests.odoo_web import TIMEOUT, OdooPage
from tests.signer_api import SignerApi


def _rate_of_group_b(suite: Suite, rates: dict[str, str]) -> None:
    """What the DGI's e-MCF of the demo takes the rates for; none: what they are."""
    sandbox = suite.instance.sandbox
    token = sandbox.admin_token_file.read_text().strip()
    request = urllib.request.Request(
        f"{sandbox.page}admin/faults",
        json.dumps({"nim": DEMO_MERCHANT["nim"], "rate_change": rates}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="module")
def refused(suite: Suite) -> Iterator[int]:
    """An invoice with prices that include VAT, posted while the DGI computes group B at 17 %."""
    _rate_of_group_b(suite, {"B": "17"})
    try:
        invoice = _with_vat_included(suite)
        suite.accountant.call("account.move", "action_post", [invoice])
        yield invoice
    finally:
        _rate_of_group_b(suite, {})


def _with_vat_included(suite: Suite) -> int:
    session = suite.administrator
    invoice = draft_invoice(suite.accountant)
    [move] = session.call("account.move", "read", [invoice], ["invoice_line_ids", "company_id"])
    domain = [
        ["company_id", "=", move["company_id"][0]],
        ["bonopay_group", "=", "B"],
        ["type_tax_use", "=", "sale"],
    ]
    [tax] = session.call("account.tax", "search", domain, limit=1)
    values = {"name": "TVA 16 % incluse", "price_include_override": "tax_included"}
    copy = session.call("account.tax", "copy", [tax], values)
    included = copy[0] if isinstance(copy, list) else copy
    session.call("account.move.line", "write", move["invoice_line_ids"], {"tax_ids": [[6, 0, [included]]]})
    return invoice


def test_the_accountant_sees_both_sides_line_by_line(suite: Suite, refused: int, browser: Browser) -> None:
    head = SignerApi.of(suite.instance).head()
    seal = seal_of(suite.accountant, refused)
    assert (seal["state"], seal["fiscal_number"]) == ("invalid", False), "nothing was sealed"
    context = browser.new_context(locale="fr-FR", viewport={"width": 1400, "height": 1000})
    try:
        odoo = OdooPage(context, suite.instance.odoo.url, *ACCOUNTANT)
        odoo.open_invoice(refused)
        table = odoo.page.locator(".o_bonopay_comparison").first
        expect(table).to_be_visible(timeout=TIMEOUT)
        shown = table.inner_text()
    finally:
        context.close()
    assert "Groupe B (facture 16 %, DGI 17 %)" in shown
    assert "Total TVA comprise" in shown
    assert SignerApi.of(suite.instance).head() == head


def test_the_outlet_is_alarmed_and_its_events_tell(suite: Suite, refused: int) -> None:
    api = SignerApi.of(suite.instance)
    code = DEMO_MERCHANT["outlet"]
    [outlet] = api.get(f"/api/v1/sync/status?outlet_id={code}")["outlets"]
    assert "totals_differ" in {alarm["code"] for alarm in outlet["alarms"]}
    [device] = outlet["devices"]
    assert (device["kind"], device["role"], device["nim"]) == ("emcf", "main", DEMO_MERCHANT["nim"])
    [event] = api.get(f"/api/v1/events?outlet_id={code}&kind=totals.differ")["events"]
    assert event["detail"]["document_id"] == json.loads(seal_of(suite.accountant, refused)["payload"])["document_id"]


def test_once_the_rates_agree_the_corrected_invoice_is_certified(suite: Suite, refused: int) -> None:
    _rate_of_group_b(suite, {})
    session = suite.accountant
    session.call("account.move", "action_bonopay_correct", [refused])
    session.call("account.move", "action_post", [refused])
    assert seal_of(session, refused)["state"] == "certified"


def test_a_manager_restarts_the_sending_and_reads_how_the_outlet_stands(suite: Suite) -> None:
    session = suite.administrator
    [outlet] = session.call("bonopay.outlet", "search", [["code", "=", DEMO_MERCHANT["outlet"]]])
    told = session.call("bonopay.outlet", "action_restart_sending", [outlet])
    assert told["params"]["type"] == "success"
    [read] = session.call("bonopay.outlet", "read", [outlet], ["dgi_error", "dgi_read_at", "device_ids"])
    assert (read["dgi_error"], len(read["device_ids"])) == (False, 1)
    events = SignerApi.of(suite.instance).get("/api/v1/events?kind=sync.restarted")["events"]
    assert [event["outlet_id"] for event in events] == [DEMO_MERCHANT["outlet"]]
