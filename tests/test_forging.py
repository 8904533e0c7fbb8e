"""Nobody writes a seal: not an accountant, not an administrator, by no door of the web server."""

import pytest

from launcher.console import LauncherError
from launcher.demo import draft_invoice, seal_of
from launcher.odoo import Session
from tests.conftest import Suite

FORGED = "BONO-FORGED-01-000000001"
MOVE_FIELDS = ("bonopay_fiscal_number", "bonopay_short_code", "bonopay_state", "bonopay_seal_id")
SEAL_FIELDS = ("fiscal_number", "state", "payload", "response", "dgi_code", "auth_code", "print_count")


@pytest.fixture(params=["accountant", "administrator"])
def user(request: pytest.FixtureRequest, suite: Suite) -> Session:
    return getattr(suite, request.param)


@pytest.fixture(scope="module")
def sealed(suite: Suite) -> int:
    session = suite.accountant
    invoice = draft_invoice(session)
    session.call("account.move", "action_post", [invoice])
    assert seal_of(session, invoice)["state"] == "certified"
    return invoice


def _refused_or_ignored(session: Session, model: str, method: str, *args) -> None:
    """The call may be refused or may change nothing; the caller checks that nothing changed."""
    try:
        session.call(model, method, *args)
    except LauncherError as error:
        assert str(error), "a refusal says why"


@pytest.mark.parametrize("field", MOVE_FIELDS)
def test_writing_a_fiscal_field_of_an_invoice_changes_nothing(suite: Suite, user: Session, sealed: int, field) -> None:
    before = _fiscal_values(suite, sealed)
    _refused_or_ignored(user, "account.move", "write", [sealed], {field: FORGED})
    assert _fiscal_values(suite, sealed) == before


@pytest.mark.parametrize("field", SEAL_FIELDS)
def test_writing_a_seal_is_refused(suite: Suite, user: Session, sealed: int, field: str) -> None:
    [seal] = suite.administrator.call("bonopay.seal", "search_read", [["move_id", "=", sealed]], [])
    with pytest.raises(LauncherError):
        user.call("bonopay.seal", "write", [seal["id"]], {field: 7 if field == "print_count" else FORGED})
    [after] = suite.administrator.call("bonopay.seal", "search_read", [["move_id", "=", sealed]], [])
    assert after == seal


def test_a_seal_is_neither_created_nor_deleted(suite: Suite, user: Session, sealed: int) -> None:
    count = suite.administrator.call("bonopay.seal", "search_count", [])
    [seal] = suite.administrator.call("bonopay.seal", "search", [["move_id", "=", sealed]])
    for method, args in (
        ("create", [[{"move_id": sealed, "fiscal_number": FORGED, "state": "certified"}]]),
        ("unlink", [[seal]]),
        ("copy", [[seal]]),
    ):
        with pytest.raises(LauncherError):
            user.call("bonopay.seal", method, *args)
    imported = _import(user, "bonopay.seal", ["fiscal_number", "state"], [[FORGED, "certified"]])
    assert not imported
    assert suite.administrator.call("bonopay.seal", "search_count", []) == count


def test_creating_an_invoice_with_seal_fields_takes_nothing(suite: Suite, user: Session) -> None:
    invoice = draft_invoice(suite.accountant)
    [values] = suite.administrator.call("account.move", "copy_data", [invoice])
    taken = {**values, **dict.fromkeys(MOVE_FIELDS[:3], FORGED)}
    _refused_or_ignored(user, "account.move", "create", [taken])
    assert not suite.administrator.call("account.move", "search_count", [["bonopay_fiscal_number", "=", FORGED]])
    assert not suite.administrator.call("bonopay.seal", "search_count", [["fiscal_number", "=", FORGED]])


def test_importing_an_invoice_with_seal_fields_takes_nothing(suite: Suite, user: Session) -> None:
    _import(user, "account.move", ["move_type", "bonopay_fiscal_number"], [["out_invoice", FORGED]])
    assert not suite.administrator.call("account.move", "search_count", [["bonopay_fiscal_number", "=", FORGED]])


@pytest.mark.parametrize("method", ["button_draft", "button_cancel", "unlink"])
def test_a_sealed_invoice_is_not_undone(suite: Suite, user: Session, sealed: int, method: str) -> None:
    with pytest.raises(LauncherError):
        user.call("account.move", method, [sealed])
    [move] = suite.administrator.call("account.move", "read", [sealed], ["state"])
    assert move["state"] == "posted"


def test_the_key_to_the_signer_cannot_be_read(suite: Suite, user: Session) -> None:
    secret = suite.instance.signer.api_key()
    for model in ("res.company", "res.config.settings", "bonopay.outlet", "ir.config_parameter"):
        try:
            rows = user.call(model, "search_read", [], [])
        except LauncherError:
            continue  # no right to read the model at all
        assert secret not in str(rows), model


def _import(session: Session, model: str, fields: list[str], rows: list[list[str]]) -> list[int]:
    """What the import screen does; the ids it made, or none when it was refused."""
    try:
        return session.call(model, "load", fields, rows)["ids"] or []
    except LauncherError:
        return []


def _fiscal_values(suite: Suite, invoice: int) -> dict:
    [values] = suite.administrator.call("account.move", "read", [invoice], list(MOVE_FIELDS))
    return values
