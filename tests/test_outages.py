"""The signer is down: nothing posted is lost or undone, and it is sealed when the signer returns."""

import time
import urllib.error
from pathlib import Path

import pytest

from launcher.console import LauncherError
from launcher.demo import draft_invoice, seal_of
from launcher.odoo import Session
from tests import paper
from tests.conftest import Suite
from tests.signer_api import OUTLET, SignerApi

RECOVERY = 120  # seconds; the cron comes every minute


@pytest.fixture
def signer_down(suite: Suite):
    service = suite.instance.signer.service
    service.stop()
    yield service
    service.start()


def _post(session: Session) -> int:
    invoice = draft_invoice(session)
    session.call("account.move", "action_post", [invoice])
    return invoice


def _wait_for_state(session: Session, invoice: int, state: str) -> dict:
    deadline = time.monotonic() + RECOVERY
    while time.monotonic() < deadline:
        seal = seal_of(session, invoice)
        if seal["state"] == state:
            return seal
        time.sleep(1)
    raise AssertionError(f"still {seal['state']} after {RECOVERY} s")


def test_signer_down_the_invoice_posts_waits_and_is_sealed_by_the_cron(
    suite: Suite, signer_down, tmp_path: Path
) -> None:
    session = suite.accountant
    invoices = [_post(session) for _ in range(2)]
    for invoice in invoices:
        [move] = session.call("account.move", "read", [invoice], ["state", "bonopay_state"])
        assert (move["state"], move["bonopay_state"]) == ("posted", "to_seal")
    slip = session.get(f"/report/pdf/account.report_invoice/{invoices[0]}")
    printed = paper.text(slip, tmp_path)
    assert "BON PROVISOIRE" in printed
    assert "FACTURE DE VENTE" not in printed
    assert not paper.qr_codes(slip, tmp_path)
    signer_down.start()
    numbers = [_wait_for_state(session, invoice, "certified")["fiscal_number"] for invoice in invoices]
    assert len(set(numbers)) == 2


def test_a_copied_and_neutralised_database_leaves_the_ledger_alone(suite: Suite) -> None:
    """A partner copies the production database to try something: the copy must not issue fiscal documents."""
    odoo, copy = suite.instance.odoo, "bonopay_e2e_copy"
    session = suite.accountant
    certified = _post(session)
    before = SignerApi.of(suite.instance).head()
    odoo.service.stop()
    odoo.create_database(copy, template=suite.database)
    try:
        odoo.run_neutralize(copy)
        odoo.configure(copy)
        odoo.service.start()
        in_copy = Suite(suite.instance, copy).accountant
        invoice = _post(in_copy)
        assert seal_of(in_copy, invoice)["state"] == "to_seal"
        assert seal_of(in_copy, certified)["state"] == "certified", "history stays readable"
        assert SignerApi.of(suite.instance).head() == before
    finally:
        odoo.service.stop()
        odoo.drop_database(copy)
        odoo.configure(suite.database)
        odoo.service.start()
    assert seal_of(suite.accountant, _post(suite.accountant))["state"] == "certified"


def test_a_wrong_key_is_told_and_changes_nothing(suite: Suite) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        SignerApi(suite.instance.signer.url, "bp_nobody_nothing").get(f"/api/v1/outlets/{OUTLET}")
    assert caught.value.code == 401


def test_a_refused_posting_says_field_and_way_out_and_leaves_the_draft(suite: Suite) -> None:
    session = suite.accountant
    invoice = draft_invoice(session)
    [move] = session.call("account.move", "read", [invoice], ["invoice_line_ids"])
    session.call("account.move.line", "write", move["invoice_line_ids"][:1], {"price_unit": 0})
    with pytest.raises(LauncherError) as caught:
        session.call("account.move", "action_post", [invoice])
    assert "prix" in str(caught.value).lower()
    [move] = session.call("account.move", "read", [invoice], ["state"])
    assert move["state"] == "draft"
