"""Public verification: true for what was sealed, silent about everything else."""

import re
import statistics
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bonopay_signer.fiscal import qr

from ..fiscal.statements import TYPICAL
from ..support.stand import Stand, document

SECRET_WORDS = ("Comptable", "Riz 25 kg", "ESPECES", "RIZ25", "INV/2026/00001")


@pytest.fixture(scope="module")
def invoice(stand: Stand) -> dict:
    outlet = stand.outlet()
    stand.sealed(outlet)
    return stand.sealed(outlet)


def _blob(invoice: dict) -> str:
    return invoice["qr_payload"].rpartition("/V/")[2]


def _by_number(stand: Stand, number: str, code: str | None) -> dict:
    return stand.http.get(f"/api/v1/verify/{number}", params={"code": code} if code is not None else {}).json()


def test_number_and_short_code_verify_without_lines_buyer_or_payments(stand: Stand, invoice: dict) -> None:
    response = stand.http.get(f"/api/v1/verify/{invoice['fiscal_number']}", params={"code": invoice["short_code"]})
    body = response.json()
    assert body["result"] == "verified"
    assert (body["total"], body["tax"], body["currency"]) == ("104400.00", "14400.00", "CDF")
    assert body["dgi"]["status"] == "certified" and body["dgi"]["code"] == invoice["dgi"]["code"]
    assert {check["name"]: check["passed"] for check in body["checks"]} == dict.fromkeys(
        ("short_code", "content", "signature", "ledger"), True
    )
    assert not any(word in response.text for word in SECRET_WORDS)


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", " "), lambda code: code.replace("0", "O")])
def test_short_code_may_be_typed_as_people_type(stand: Stand, invoice: dict, typed) -> None:
    assert _by_number(stand, invoice["fiscal_number"], typed(invoice["short_code"]))["result"] == "verified"


def test_wrong_code_no_code_and_unknown_number_are_answered_alike(stand: Stand, invoice: dict) -> None:
    number, code = invoice["fiscal_number"], invoice["short_code"]
    wrong = ("Z" if code[0] != "Z" else "Y") + code[1:]
    unknown = stand.http.get(f"/api/v1/verify/{number[:-1]}9", params={"code": code})
    for candidate in (wrong, "", "é", "0000-0000-0000", "x" * 500):
        response = stand.http.get(f"/api/v1/verify/{number}", params={"code": candidate})
        assert (response.status_code, response.content) == (unknown.status_code, unknown.content)
    assert unknown.json()["result"] == "not_found"


def test_scanned_qr_verifies(stand: Stand, invoice: dict) -> None:
    body = stand.http.get(f"/api/v1/verify/qr/{_blob(invoice)}").json()
    assert body["result"] == "verified" and body["fiscal_number"] == invoice["fiscal_number"]


def test_forged_amount_in_a_qr_is_a_mismatch_that_shows_no_forged_field(stand: Stand, invoice: dict) -> None:
    content = qr.from_base32(_blob(invoice))
    forged = content._replace(statement=msgspec.structs.replace(content.statement, total="1.00", tax="0.00"))
    body = stand.http.get(f"/api/v1/verify/qr/{qr.to_base32(forged)}").json()
    assert body["result"] == "mismatch"
    assert body["total"] is None and body["seller"] is None
    assert {check["name"]: check["passed"] for check in body["checks"]} == {"signature": False, "ledger": False}


def test_right_statement_under_another_signature_is_a_mismatch(stand: Stand, invoice: dict) -> None:
    content = qr.from_base32(_blob(invoice))
    forged = content._replace(signature=bytes(64))
    assert stand.http.get(f"/api/v1/verify/qr/{qr.to_base32(forged)}").json()["result"] == "mismatch"


def test_signature_of_an_unknown_key_is_a_mismatch(stand: Stand) -> None:
    blob = qr.to_base32(qr.QrContent(TYPICAL, bytes(32), bytes(64)))
    assert stand.http.get(f"/api/v1/verify/qr/{blob}").json()["result"] == "mismatch"


@pytest.mark.parametrize("blob", ["A", "7777", "A" * 2000, "aaaa", "%00", "..", "é"])
def test_what_is_no_qr_of_ours_is_not_found(stand: Stand, blob: str) -> None:
    response = stand.http.get(f"/api/v1/verify/qr/{blob}")
    assert response.status_code in (200, 404)
    assert response.json().get("result", "not_found") == "not_found"


def test_address_in_the_answer_leads_people_to_the_verified_page(stand: Stand, invoice: dict) -> None:
    page = stand.http.get(invoice["verification_url"])
    assert page.status_code == 200 and "Facture authentique" in page.text
    assert "104\u202f400,00\u00a0CDF" in page.text
    assert "Cette page ne remplace pas la vérification de la DGI" in page.text
    assert not any(word in page.text for word in SECRET_WORDS)


def test_time_on_the_page_is_that_of_kinshasa_as_on_paper_and_says_so(stand: Stand, invoice: dict) -> None:
    sealed_at = datetime.fromisoformat(invoice["timestamp"])
    local = sealed_at.astimezone(ZoneInfo("Africa/Kinshasa")).strftime("%d/%m/%Y %H:%M:%S")
    url = invoice["verification_url"]
    assert f"{local} (heure de Kinshasa)" in stand.http.get(url).text
    assert f"{local} (Kinshasa time)" in stand.http.get(f"{url}&lang=en").text
    assert _by_number(stand, invoice["fiscal_number"], invoice["short_code"])["sealed_at"] == invoice["timestamp"]


def test_names_of_the_seller_are_never_markup(stand: Stand) -> None:
    outlet = stand.outlet()
    invoice = stand.sealed(outlet)
    with stand.database.as_admin() as connection:
        query = (
            "UPDATE signer.merchant SET name = %s WHERE nif = %s "
            "RETURNING (SELECT name FROM signer.merchant WHERE nif = %s)"
        )
        evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
        ((name,),) = connection.execute(query, [evil, outlet.nif, outlet.nif]).fetchall()
        page = stand.http.get(invoice["verification_url"]).text
        connection.execute("UPDATE signer.merchant SET name = %s WHERE nif = %s", [name, outlet.nif])
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page


def test_wrong_code_costs_no_more_work_than_an_unknown_number(stand: Stand) -> None:
    """An invoice of a thousand lines takes longer to read: only who knows its code may notice."""
    outlet = stand.outlet()
    line = document(outlet)["items"][0]
    long = stand.sealed(outlet, items=[{**line, "name": f"{line['name']} {'x' * 180}"}] * 1500)
    number = long["fiscal_number"]
    times: dict[str, list[float]] = {number: [], number[:-1] + "9": []}
    for _ in range(60):
        for asked, measured in times.items():
            response = stand.http.get(f"/api/v1/verify/{asked}", params={"code": "0000-0000-0000"})
            measured.append(response.elapsed.total_seconds())
    known, unknown = (statistics.median(measured) for measured in times.values())
    assert known < unknown * 2, (known, unknown)


def test_scanned_address_leads_people_to_the_verified_page(stand: Stand, invoice: dict) -> None:
    assert "Facture authentique" in stand.http.get(f"/V/{_blob(invoice)}").text


def test_form_leads_to_the_result_and_keeps_the_language(stand: Stand, invoice: dict) -> None:
    query = {"number": f" {invoice['fiscal_number'].lower()} ", "code": invoice["short_code"], "lang": "en"}
    response = stand.http.get("/verify", params=query, follow_redirects=True)
    assert response.history[0].status_code == 303
    assert "Authentic invoice" in response.text and '<html lang="en">' in response.text


def test_pages_speak_french_first_and_link_to_the_other_language(stand: Stand) -> None:
    french = stand.http.get("/verify").text
    assert '<html lang="fr">' in french and "Vérifier une facture" in french
    link = re.search(r'<a href="([^"]+)" hreflang="en"', french)[1]
    assert "Verify an invoice" in stand.http.get(link.replace("&amp;", "&")).text
    assert '<html lang="fr">' in stand.http.get("/verify", params={"lang": "xx"}).text


def test_wrong_code_on_the_page_is_not_found(stand: Stand, invoice: dict) -> None:
    page = stand.http.get(f"/verify/{invoice['fiscal_number']}", params={"code": "0000-0000-0000"})
    assert page.status_code == 404 and "Facture introuvable" in page.text
    assert "104" not in page.text.split("<main>")[1]


def test_invoice_that_the_dgi_refused_is_not_presented_as_a_normalised_one(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.change("confirm", lambda _answer: {"errorCode": "150", "errorDesc": "Client SARL"})
    refused = stand.post(document(outlet)).json()
    page = stand.http.get(refused["verification_url"])
    assert "Refusée par la DGI" in page.text and "Facture authentique" not in page.text
    body = stand.http.get(f"/api/v1/verify/qr/{_blob(refused)}").json()
    assert body["dgi"]["status"] == "rejected" and body["dgi"]["error"] is None, "its words may name the buyer"


@pytest.mark.parametrize("path", ["/verify?number=%3Cscript%3Ealert(1)%3C/script%3E", "/verify/%3Cscript%3E?code=x"])
def test_what_a_visitor_types_is_never_markup(stand: Stand, path: str) -> None:
    page = stand.http.get(path)
    assert "<script" not in page.text


def test_pages_load_nothing_and_allow_nothing_but_their_own_style(stand: Stand) -> None:
    page = stand.http.get("/verify")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.text)
    assert "<script" not in page.text and " style=" not in page.text
    assert page.headers["x-content-type-options"] == "nosniff" and page.headers["referrer-policy"] == "no-referrer"


def test_form_fields_have_labels_and_hints_for_assistive_technology(stand: Stand) -> None:
    page = stand.http.get("/verify").text
    for name in ("number", "code"):
        assert f'<label for="{name}">' in page and f'id="{name}"' in page
        assert f'aria-describedby="{name}-hint"' in page and f'id="{name}-hint"' in page
    assert 'name="viewport"' in page
