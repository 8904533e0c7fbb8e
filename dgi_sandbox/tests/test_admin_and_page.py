"""What is kept and shown of the exchanges."""

import base64
import json
from collections.abc import Callable

import httpx
import pytest

from .sandbox import NIM, OTHER_NIM, SECOND_NIM, Client, Sandbox, sale


def test_exchanges_keep_the_exact_bytes(client: Client, service: Sandbox) -> None:
    body = json.dumps(sale(), indent=3).encode() + b"\n"
    answer = client.http.post("/api/invoice", content=body)
    kept = service.exchanges()[-1]
    assert base64.b64decode(kept["request_base64"]) == body
    assert base64.b64decode(kept["response_base64"]) == answer.content
    assert (kept["method"], kept["path"], kept["status"], kept["nim"]) == ("POST", "/edef/api/invoice", 200, NIM)
    assert kept["received_at"] <= kept["answered_at"]


def test_exchanges_never_hold_a_token(client: Client, service: Sandbox) -> None:
    client.certify(sale())
    assert service.token() not in json.dumps(service.exchanges())


def test_exchanges_are_filtered_and_paged(client: Client, service: Sandbox) -> None:
    for _ in range(3):
        client.status()
    service.client(SECOND_NIM).status()
    assert len(service.exchanges(SECOND_NIM)) == 1
    with service.admin as admin:
        everything = admin.get("/exchanges").json()
        assert [one["nim"] for one in everything] == [NIM] * 3 + [SECOND_NIM]
        second = admin.get("/exchanges", params={"after": everything[0]["id"], "limit": 1}).json()
        assert second == [everything[1]]
        for query in ({"limit": 0}, {"limit": "x"}, {"after": ""}, {"limit": 1001}):
            assert admin.get("/exchanges", params=query).status_code == 400


ADMIN_CALLS = [("GET", "exchanges"), ("POST", "reset")]
ADMIN_CALLS += [(method, path) for method in ("GET", "POST") for path in ("faults", "profile")]


@pytest.mark.parametrize(("method", "path"), ADMIN_CALLS)
def test_admin_routes_ask_for_the_admin_token(service: Sandbox, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {service.token()}"}):
        assert httpx.request(method, f"{service.url}/admin/{path}", headers=headers).status_code == 401


def test_reset_forgets_invoices_and_keeps_tokens(client: Client, service: Sandbox) -> None:
    client.certify(sale())
    service.reset()
    assert service.exchanges() == []
    assert client.certify(sale())["counters"] == "1/1 FV"


def page(service: Sandbox) -> httpx.Response:
    return httpx.get(f"{service.url}/").raise_for_status()


def test_page_says_what_it_is_and_how_to_begin(service: Sandbox) -> None:
    text = page(service).text
    assert "ce n’est pas la DGI" in text
    assert text.count("Aucune facture reçue") == 3
    assert all(nim in text for nim in (NIM, SECOND_NIM, OTHER_NIM))


def test_page_shows_states_totals_codes_and_refusals(client: Client, service: Sandbox) -> None:
    code = client.certify(sale("FV-1"))["codeDEFDGI"]
    client.submit(sale("FV-2"))
    client.cancel(client.submit(sale("FV-3")))
    client.submit(sale("FV-4", type="FX"))
    text = page(service).text
    for shown in (code, "1/1 FV", "29,97", "4,13", "Certifiée", "En attente", "Annulée", "FV-4", "Type de facture"):
        assert shown in text, shown
    service.faults(clock_offset_s=121)
    assert "Expirée" in page(service).text


def test_page_shows_calls_that_nobody_signed(service: Sandbox) -> None:
    httpx.post(f"{service.url}/edef/api/invoice", json=sale())
    text = page(service).text
    assert "Demandes non identifiées" in text and "Jeton absent" in text


def test_page_shows_the_faults_that_were_left_on(service: Sandbox) -> None:
    assert "Pannes provoquées" not in page(service).text
    service.faults(fail_next=2)
    assert "fail_next = 2" in page(service).text


def test_page_escapes_what_it_received(client: Client, service: Sandbox) -> None:
    client.submit(sale("<script>alert(1)</script>"))
    client.submit(sale("<img src=x>", type="<b>"))
    text = page(service).text
    assert "<script>alert" not in text and "<img" not in text and "<b>" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_page_loads_nothing_from_elsewhere(service: Sandbox) -> None:
    answer = page(service)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "http://" not in answer.text and "https://" not in answer.text and "src=" not in answer.text


def test_page_without_any_account_says_the_way_out(launch: Callable[..., Sandbox]) -> None:
    service = launch()
    service.stop()
    service.accounts.write_text("[]", "utf-8")
    assert "ajoutez un NIM au fichier des comptes" in page(service.start()).text


def test_page_shows_the_checklist_of_each_emcf(client: Client, service: Sandbox) -> None:
    client.certify(sale("FV-<b>7</b>"))
    client.submit(sale("FV-8", type="FX"))
    text = page(service).text
    assert text.count("<details") == 3
    assert "3 scénarios réussis sur 38" in text and text.count("0 scénario réussi sur 38") == 2
    assert "FV-&lt;b&gt;7&lt;/b&gt;, " in text
    assert text.count("Faites certifier une facture de type FV.") == 2, "what to do, where it is still to do"
