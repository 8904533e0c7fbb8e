"""The page of a scanned ticket: what it says of each state, and that nobody can take it for an invoice."""

import re
from html.parser import HTMLParser

import pytest

from ..support.stand import AUTHORITY, Outlet, Stand, document
from .browser import BrowserTill
from .calls import bring, now, post

NEVER = ("Facture authentique", "Authentic invoice", 'class="verdict verified"', 'class="yes"', "✓")


class Text(HTMLParser):
    """What is read, without the style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.words.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(stand: Stand, till: BrowserTill, ticket: dict, language: str = "", **members) -> str:
    """As it is read, with what holds for every one of them looked at."""
    answer = stand.http.get(f"/P/{till.qr(ticket, **members)}{language and f'?lang={language}'}")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert "script" not in answer.text and "default-src 'none'" in answer.headers["content-security-policy"]
    assert [words for words in NEVER if words in answer.text] == []
    text = str(Text(answer.text))
    stamp = "Provisional ticket – not fiscal" if language == "en" else "Ticket provisoire – non fiscal"
    assert text.startswith(stamp), "also in the browser's title, and where a link to it is shared"
    assert text.count(stamp) == 2 and text.rindex(stamp) < text.index(heading(answer.text)), "what it is comes first"
    return text


def heading(html: str) -> str:
    return re.search("<h1>(.*?)</h1>", html)[1].replace("&#x27;", "'")


def sold(stand: Stand, outlet: Outlet, till: BrowserTill) -> dict:
    """A sealed document and the ticket that it began as."""
    payload = document(outlet)
    sums = {"total": payload["totals"]["total"], "tax": payload["totals"]["tax"]}
    ticket = till.sell(payload["document_id"], issued_at=now(), **sums)
    bring(stand, till, ticket)
    answer = stand.post(payload)
    assert answer.status_code == 201, answer.text
    return {**ticket, "invoice": answer.json()}


def enrolled(stand: Stand, outlet: Outlet) -> BrowserTill:
    till = BrowserTill(outlet, "T1", AUTHORITY)
    till.credential_id = post(stand, "/api/v1/tills", till.enrolment).json()["credential_id"]
    return till


def test_ticket_that_only_the_paper_tells_of(stand: Stand, till: BrowserTill) -> None:
    text = page(stand, till, till.sell(issued_at=now()))
    assert "Facture attendue" in text and "ne l'a pas encore transmis" in text and "Ce n'est pas une facture" in text


def test_ticket_that_came_waits_with_its_deadline(stand: Stand, till: BrowserTill) -> None:
    ticket = till.sell(issued_at=now(hours=-47))
    bring(stand, till, ticket)
    text = page(stand, till, ticket)
    due = stand.http.get(f"/api/v1/verify/ticket/{till.qr(ticket)}").json()["deadline"]
    assert due == now(hours=1)[:14] + ticket["statement"]["issued_at"][14:]
    assert "et transmis" in text and "Facture due avant le" in text and "(heure de Kinshasa)" in text
    assert f"P-{till.outlet.id}-{till.terminal}-000001" in text and "11 600,00 CDF" in text
    english = page(stand, till, ticket, "en")
    assert "Invoice awaited" in english and "Invoice due before" in english


def test_ticket_without_an_invoice_after_48_hours_is_overdue(stand: Stand, till: BrowserTill) -> None:
    ticket = till.sell(issued_at=now(hours=-48))
    assert "Facture en retard" in page(stand, till, ticket), "the paper alone tells it"
    bring(stand, till, ticket)
    text = page(stand, till, ticket)
    assert "Facture en retard" in text and "La réclamer au vendeur" in text
    assert "Invoice overdue" in page(stand, till, ticket, "en")


def test_clock_of_a_till_that_is_ahead_moves_no_deadline(stand: Stand, till: BrowserTill) -> None:
    ticket = till.sell(issued_at=now(hours=24 * 365))
    bring(stand, till, ticket)
    found = stand.http.get(f"/api/v1/verify/ticket/{till.qr(ticket)}").json()
    assert now(hours=47) < found["deadline"] <= now(hours=48) and not found["overdue"]


def test_sale_that_is_normalised_leads_to_its_invoice(stand: Stand) -> None:
    outlet = stand.outlet()
    till = enrolled(stand, outlet)
    ticket = sold(stand, outlet, till)
    invoice = ticket["invoice"]
    text = page(stand, till, ticket)
    assert "La facture normalisée est établie" in text and "Ce ticket n'est pas une facture" in text
    assert "Facture due" not in text
    html = stand.http.get(f"/P/{till.qr(ticket)}").text
    link = re.search('class=onward href="([^"]+)"', html)[1].replace("&amp;", "&")
    assert link == invoice["verification_url"] and invoice["fiscal_number"] in text
    assert "Facture authentique" in stand.http.get(link).text


def test_sale_that_the_dgi_has_not_normalised_yet_says_so(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred", dgi_url="http://127.0.0.1:9/edef")
    till = enrolled(stand, outlet)
    text = page(stand, till, sold(stand, outlet, till))
    assert "Facture établie, pas encore normalisée" in text and "La facture normalisée est" not in text


def test_sale_that_the_dgi_refused_says_so(stand: Stand) -> None:
    outlet = stand.outlet()
    till = enrolled(stand, outlet)
    stand.relay.change("confirm", lambda _answer: {"errorCode": "150", "errorDesc": "Totaux différents"})
    text = page(stand, till, sold(stand, outlet, till))
    assert "Facture refusée par la DGI" in text and "pas de facture normalisée" in text


def test_sale_that_was_sealed_for_less_is_no_match(stand: Stand, outlet: Outlet, till: BrowserTill) -> None:
    payload = document(outlet)
    ticket = till.sell(payload["document_id"], issued_at=now(), total="999999.00", tax=payload["totals"]["tax"])
    assert stand.post(payload).status_code == 201
    text = page(stand, till, ticket)
    assert "La facture ne correspond pas au ticket" in text and "104 400,00" in text and "999 999,00" in text


def test_sealed_invoice_that_somebody_changed_is_no_match(stand: Stand, till: BrowserTill) -> None:
    """A mismatch is what its own page says of it, too."""
    other = stand.outlet()
    cheat = enrolled(stand, other)
    ticket = sold(stand, other, cheat)
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        where = "WHERE kind = 'invoice' AND outlet_id = %s"
        connection.execute(f"CREATE TEMP TABLE saved AS SELECT * FROM signer.entry {where}", [other.id])
        connection.execute(f"UPDATE signer.entry SET statement = 'x' {where}", [other.id])
        try:
            assert "La facture ne correspond pas" in page(stand, cheat, ticket)
        finally:
            connection.execute(f"UPDATE signer.entry SET statement = (SELECT statement FROM saved) {where}", [other.id])


def test_forged_ticket_and_unknown_key_say_nothing_of_the_seller(stand: Stand, till: BrowserTill) -> None:
    ticket = till.sell()
    stranger = BrowserTill(till.outlet, till.terminal, AUTHORITY)
    for text in (page(stand, till, ticket, total="1.00"), page(stand, stranger, stranger.sell())):
        assert "Ticket non conforme" in text and "Ne pas s'y fier" in text
        assert "Vendeur" not in text and "NIF" not in text and "CDF" not in text
    assert "Ticket does not hold" in page(stand, till, ticket, "en", total="1.00")


@pytest.mark.parametrize(("language", "words"), [("", "Ticket introuvable"), ("?lang=en", "No such ticket")])
def test_code_that_is_no_ticket_is_not_found(stand: Stand, language: str, words: str) -> None:
    answer = stand.http.get(f"/P/AEAQ{language}")
    assert answer.status_code == 404 and words in answer.text and 'class="verdict not_found"' in answer.text


def test_copied_and_revoked_tills_are_named(stand: Stand, till: BrowserTill) -> None:
    mine, theirs = till.copy().sell(), till.sell()
    bring(stand, till, mine, theirs)
    assert "a servi à deux endroits" in page(stand, till, mine)
    post(stand, f"/api/v1/tills/{till.device_id}/revoke")
    assert "Le vendeur n'emploie plus cette caisse" in page(stand, till, mine)


def test_what_is_odd_about_a_ticket_is_told(stand: Stand, till: BrowserTill) -> None:
    late = page(stand, till, till.sell(issued_at=now(hours=73)))
    assert "daté d'après la fin de l'admission" in late
    assert "n'était pas admise" in page(stand, till, till.sell(credential_id=2**40))
    till.counter = 20_000
    assert "pas de ceux qui étaient attribués" in page(stand, till, till.sell(issued_at=now()))
    one = till.sell(issued_at=now())
    two = till.sell(one["statement"]["document_id"], issued_at=now())
    bring(stand, till, one)
    assert "Un autre ticket a été signé pour la même vente" in page(stand, till, two)
    assert "Un autre ticket" not in page(stand, till, one)
