"""The slice through every room: a person posts an invoice, and outsiders verify what is printed."""

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from launcher.demo import ACCOUNTANT, seal_of
from tests import paper
from tests.conftest import Suite
from tests.odoo_web import Line, OdooPage
from tests.signer_api import SignerApi

CUSTOMER = "Client Entreprise"
LINES = (Line("Riz", "2"), Line("Livraison", "1"))


@pytest.fixture(scope="module")
def sale(suite: Suite, browser: Browser, tmp_path_factory: pytest.TempPathFactory):
    """The invoice that an accountant typed and confirmed in the browser: record id, seal, PDF, screenshot."""
    context = browser.new_context(locale="fr-FR", viewport={"width": 1400, "height": 1000})
    odoo = OdooPage(context, suite.instance.odoo.url, *ACCOUNTANT)
    odoo.enter_invoice(CUSTOMER, LINES)
    odoo.confirm()
    odoo.wait_until_sealed()
    _save_screenshot(odoo.page)
    invoice = _invoice_of(suite, odoo.fiscal_number())
    folder = tmp_path_factory.mktemp("sale")
    yield {
        "page": odoo.page,
        "seal": seal_of(suite.accountant, invoice),
        "pdf": odoo.download_pdf(invoice),
        "folder": folder,
    }
    context.close()


def _invoice_of(suite: Suite, fiscal_number: str) -> int:
    [seal] = suite.accountant.call("bonopay.seal", "search_read", [["fiscal_number", "=", fiscal_number]], ["move_id"])
    return seal["move_id"][0]


def _save_screenshot(page: Page) -> None:
    """Renew the README's picture where BONOPAY_SCREENSHOT names a file."""
    if target := os.environ.get("BONOPAY_SCREENSHOT"):
        page.screenshot(path=target)


def test_the_screen_says_in_french_that_it_is_normalised(sale) -> None:
    assert "Facture normalisée" in sale["page"].locator(".o_bonopay_state").first.inner_text()
    assert sale["seal"]["fiscal_number"] in sale["page"].locator(".o_form_view").inner_text()


def test_both_qr_codes_of_the_paper_decode_dgi_first(sale) -> None:
    dgi, ours = paper.qr_codes(sale["pdf"], sale["folder"])
    assert dgi.split(";")[:3] == ["RDCDEF01", "CD01000001-1", sale["seal"]["dgi_code"]]
    assert ours.startswith("HTTP://127.0.0.1:")


def test_the_paper_carries_what_was_sealed(sale) -> None:
    printed = paper.text(sale["pdf"], sale["folder"])
    payload = json.loads(sale["seal"]["payload"])
    for expected in (
        sale["seal"]["fiscal_number"],
        sale["seal"]["short_code"],
        payload["merchant_nif"],
        payload["client"]["name"],
        "EXIGEZ LA FACTURE NORMALISÉE",
    ):
        assert expected in printed


def test_openssl_verifies_the_signature_from_the_published_key_alone(suite: Suite, sale) -> None:
    document = SignerApi.of(suite.instance).invoice(sale["seal"]["fiscal_number"])
    [key] = [
        key
        for key in SignerApi(suite.instance.signer.url).get("/.well-known/fiscal-keys.json")["keys"]
        if key["kid"] == document["key_id"]
    ]
    statement = _canonical(document["statement"])
    preimage = (
        b"bonopay/entry/1\n" + bytes.fromhex(document["ledger"]["previous_hash"]) + hashlib.sha256(statement).digest()
    )
    signature = base64.urlsafe_b64decode(document["auth_code"] + "==")
    assert hashlib.sha256(preimage).hexdigest() == document["ledger"]["entry_hash"]
    assert paper.openssl_accepts(key["pem"], preimage, signature, sale["folder"])
    forged = statement.replace(b'"CDF"', b'"USD"')
    forged_preimage = preimage[:-32] + hashlib.sha256(forged).digest()
    assert not paper.openssl_accepts(key["pem"], forged_preimage, signature, sale["folder"])


def test_what_odoo_froze_is_what_the_signer_sealed_to_the_byte(suite: Suite, sale) -> None:
    document = SignerApi.of(suite.instance).invoice(sale["seal"]["fiscal_number"])
    frozen = sale["seal"]["payload"].encode()
    assert _canonical(document["payload"]) == frozen
    assert document["payload_hash"] == hashlib.sha256(frozen).hexdigest()
    assert document["statement"]["payload_hash"] == document["payload_hash"]


def test_the_qr_opens_a_page_that_verifies_the_invoice(sale, browser: Browser) -> None:
    _, ours = paper.qr_codes(sale["pdf"], sale["folder"])
    page = browser.new_page()
    page.goto(ours)
    shown = page.locator("body").inner_text()
    assert sale["seal"]["fiscal_number"] in shown
    assert "Client Entreprise" not in shown, "the buyer is nobody's business"
    page.close()


def test_verification_by_number_and_short_code(suite: Suite, sale) -> None:
    public = SignerApi(suite.instance.signer.url)
    path = f"/api/v1/verify/{sale['seal']['fiscal_number']}"
    assert public.get(f"{path}?code={sale['seal']['short_code']}")["result"] == "verified"
    assert public.get(f"{path}?code=0000-0000-0000")["result"] == "not_found"


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_pdf_attachments_let_an_auditor_start_from_the_file(sale, tmp_path: Path) -> None:
    source = tmp_path / "invoice.pdf"
    source.write_bytes(sale["pdf"])
    subprocess.run(["pdfdetach", "-saveall", "-o", tmp_path, source], check=True)
    assert (tmp_path / "facture.json").read_text() == sale["seal"]["payload"]
