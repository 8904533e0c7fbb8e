"""Who may speak for an e-MCF."""

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import jwt
import pytest

from bonopay_dgi_sandbox.accounts import Accounts, AccountsError, Outlet, load_accounts
from bonopay_dgi_sandbox.tokens import TokenError, Tokens, kept_secret, token_of

from .sandbox import ACCOUNTS, NIF, NIM, Sandbox

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
OUTLET = Outlet(NIM, "Gombe", "12 avenue du Commerce", NIF, "SARL", "ISF")
SECRET = "s" * 64


def tokens(secret: str = SECRET, *outlets: Outlet) -> Tokens:
    return Tokens(secret, Accounts(list(outlets or (OUTLET,))))


def ask(service: Sandbox, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return httpx.get(f"{service.url}/edef/api/invoice", headers=headers)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "Bearer   ", ""])
def test_token_opens_with_or_without_its_scheme(service: Sandbox, scheme: str) -> None:
    assert ask(service, scheme + service.token()).json()["nim"] == NIM


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic YTpi", "x.y.z"])
def test_no_or_bad_token_is_refused(service: Sandbox, header: str | None) -> None:
    answer = ask(service, header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_forged_token_is_refused(service: Sandbox) -> None:
    claims = jwt.decode(service.token(), options={"verify_signature": False})
    for forged in (jwt.encode(claims, "f" * 64, "HS256"), jwt.encode(claims, None, "none")):
        assert ask(service, f"Bearer {forged}").status_code == 401


def test_every_route_of_the_interface_asks_for_a_token(service: Sandbox) -> None:
    calls = [("POST", "invoice"), ("PUT", "invoice/u/confirm"), ("PUT", "invoice/u/cancel"), ("GET", "invoice/u")]
    tables = ["status", "taxGroups", "invoiceTypes", "currencyRates"]
    for method, path in [*calls, ("GET", "invoice"), *(("GET", f"info/{name}") for name in tables)]:
        assert httpx.request(method, f"{service.url}/edef/api/{path}").status_code == 401, path


def test_token_expires_by_the_clock_of_the_service(service: Sandbox) -> None:
    service.faults(clock_offset_s=364 * 86_400)
    assert ask(service, service.token()).status_code == 200
    service.faults(clock_offset_s=365 * 86_400 + 60)
    assert ask(service, service.token()).status_code == 401


def test_expiry_is_exact() -> None:
    token = tokens().issue(OUTLET, NOW, YEAR)
    assert tokens().check(token, NOW + YEAR - timedelta(seconds=1)) == (OUTLET, (NOW + YEAR).timestamp())
    with pytest.raises(TokenError, match="expired_token"):
        tokens().check(token, NOW + YEAR)


def test_token_of_a_device_that_was_removed_or_moved_is_refused() -> None:
    token = tokens().issue(OUTLET, NOW, YEAR)
    others = [
        Outlet("CD01000009-9", "", "", NIF, "", ""),
        Outlet(NIM, "", "", "A9999999Z", "", ""),
    ]
    for other in others:
        with pytest.raises(TokenError, match="unknown_device"):
            tokens(SECRET, other).check(token, NOW)


def test_token_without_expiry_is_refused() -> None:
    claims = {"iss": "bonopay-dgi-sandbox", "nif": NIF, "nim": NIM, "iat": 0}
    with pytest.raises(TokenError):
        tokens().check(jwt.encode(claims, SECRET, "HS256"), NOW)


def test_raw_token_that_looks_like_a_scheme_is_kept_whole() -> None:
    assert token_of("Bearer abc") == token_of("abc") == "abc"
    assert token_of("Basic abc") == "Basic abc"


def test_secrets_are_readable_by_their_owner_only(launch: Callable[..., Sandbox]) -> None:
    service = launch()
    names = ["dgi.sqlite", "dgi.sqlite.jwt-secret", "dgi.sqlite.admin-token", f"tokens/{NIM}.jwt"]
    assert [stat.S_IMODE((service.folder / name).stat().st_mode) for name in names] == [0o600] * 4
    assert stat.S_IMODE((service.folder / "tokens").stat().st_mode) == 0o700


def test_token_files_stay_the_same_across_restarts(launch: Callable[..., Sandbox]) -> None:
    service = launch()
    first = service.token()
    service.stop()
    assert service.start().token() == first


def test_accepted_token_file_is_left_alone(tmp_path: Path) -> None:
    tokens().write_files(tmp_path, NOW, YEAR)
    first = (tmp_path / f"{NIM}.jwt").read_text()
    tokens().write_files(tmp_path, NOW + timedelta(days=1), YEAR)
    assert (tmp_path / f"{NIM}.jwt").read_text() == first


def test_secret_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        secret = kept_secret(tmp_path / "secret")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert len(secret) == 64 and kept_secret(tmp_path / "secret") == secret


def test_expired_or_foreign_token_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / f"{NIM}.jwt"
    for stale in (tokens().issue(OUTLET, NOW - 2 * YEAR, YEAR), tokens("t" * 64).issue(OUTLET, NOW, YEAR), "", "x"):
        path.write_text(stale)
        tokens().write_files(tmp_path, NOW, YEAR)
        assert tokens().check(path.read_text().strip(), NOW)[0] == OUTLET


def test_lifetime_is_an_option(launch: Callable[..., Sandbox]) -> None:
    claims = jwt.decode(launch("--token-days", "2").token(), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 2 * 86_400


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '[{"nif": "A1"}]',
        "[3]",
        json.dumps(ACCOUNTS + ACCOUNTS),
        json.dumps([{**ACCOUNTS[0], "nif": "A;1"}]),
        json.dumps([{**ACCOUNTS[0], "nims": [{"nim": "../x", "shop_name": "", "address": ""}]}]),
    ],
    ids=["json", "missing", "shape", "duplicate NIM", "NIF in QR", "NIM as path"],
)
def test_faulty_accounts_file_stops_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(text, "utf-8")
    with pytest.raises(AccountsError):
        load_accounts(path)
