"""The go-live checklist ticks itself by what really happened, and by nothing else."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from .sandbox import NIM, SECOND_NIM, Client, Sandbox, cash, credit_note, line, sale


def checklist(service: Sandbox, nim: str = NIM) -> dict[str, Any]:
    with service.admin as admin:
        return admin.get("/checklist", params={"nim": nim}).raise_for_status().json()


def passed(service: Sandbox, nim: str = NIM) -> set[str]:
    return {one["key"] for one in checklist(service, nim)["scenarios"] if one["passed"]}


def lose(call: Callable[[], Any]) -> None:
    with pytest.raises(httpx.TransportError):
        call()


SALE = {"type_fv", "client_pp", "mode_ttc"}
NAMED = {"name": "Kivu SARL", "nif": "A7654321Z"}
LEVY = line(code="TX", type="TAX", name="Prélèvement", price="1.00", quantity="1", taxGroup="L")
CERTIFIED: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"type_fv", "client_pp", "mode_ttc"}),
    ({"type": "FT"}, {"type_ft", "client_pp", "mode_ttc"}),
    ({"type": "EV"}, {"type_ev", "client_pp", "mode_ttc"}),
    ({"type": "ET"}, {"type_et", "client_pp", "mode_ttc"}),
    ({"client": {"type": "PM", **NAMED}}, {"type_fv", "client_pm", "mode_ttc"}),
    ({"client": {"type": "PC", **NAMED}}, {"type_fv", "client_pc", "mode_ttc"}),
    ({"client": {"type": "PL", **NAMED}}, {"type_fv", "client_pl", "mode_ttc"}),
    ({"client": {"type": "AO", "name": "Ambassade"}, "cmta": "Réf. Exo. : 12"}, {"type_fv", "client_ao", "mode_ttc"}),
    ({"mode": "ht", "payment": [cash("34.77")]}, {"type_fv", "client_pp", "mode_ht"}),
    ({"items": [line(taxGroup="A")]}, SALE | {"exempt"}),
    ({"items": [line(), LEVY], "payment": [cash("30.97")]}, SALE | {"several_groups", "levy"}),
    ({"items": [line(taxSpecificAmount="1.00")], "payment": [cash("31.13")]}, SALE | {"specific_tax"}),
    ({"items": [line(type="SER")]}, SALE | {"service"}),
    ({"payment": [{**cash("29.97"), "currencyCode": "USD", "currencyRate": "2300"}]}, SALE | {"usd"}),
    ({"payment": [cash("20"), {"name": "MOBILEMONEY", "amount": "9.97"}]}, SALE | {"split", "mobile_money"}),
    ({"payment": [{"name": "CREDIT", "amount": "29.97"}]}, SALE | {"credit"}),
    (credit_note("RRR", referenceType="RRR"), {"type_fa", "nature_rrr", "client_pp", "mode_ttc"}),
]


@pytest.mark.parametrize(("changes", "ticks"), CERTIFIED)
def test_certified_invoice_ticks_what_it_shows(
    client: Client, service: Sandbox, changes: dict[str, Any], ticks: set[str]
) -> None:
    pending = client.submit(sale(**changes))
    assert passed(service) == set(), "a prepared invoice shows nothing"
    client.confirm(pending)
    assert passed(service) == ticks
    assert passed(service, SECOND_NIM) == set()


@pytest.mark.parametrize("nature", ["COR", "RAN", "RAM"])
@pytest.mark.parametrize(("sold", "credited"), [("FV", "FA"), ("EV", "EA")])
def test_credit_notes_tick_type_and_nature(
    client: Client, service: Sandbox, nature: str, sold: str, credited: str
) -> None:
    code = client.certify(sale(type=sold))["codeDEFDGI"]
    client.certify(credit_note(code, type=credited, referenceType=nature))
    natures = {key for key in passed(service) if key.startswith("nature")}
    assert natures == {f"nature_{nature.lower()}"}
    assert f"type_{credited.lower()}" in passed(service)


def test_reading_tables_and_status_ticks(client: Client, service: Sandbox) -> None:
    client.http.get("/api/info/itemTypes")
    assert passed(service) == set()
    for path, key in (("taxGroups", "tax_groups"), ("currencyRates", "currency_rates"), ("status", "status")):
        client.http.get(f"/api/info/{path}")
        assert key in passed(service)
    assert len(passed(service)) == 3


def test_answer_that_never_arrived_ticks_nothing(client: Client, service: Sandbox) -> None:
    service.faults(drop_after=1)
    lose(client.status)
    assert passed(service) == set()


def test_cancellation(client: Client, service: Sandbox) -> None:
    client.cancel(client.submit(sale()))
    assert passed(service) == {"cancelled"}


def test_lost_reply_is_recovered_by_asking(client: Client, service: Sandbox) -> None:
    pending = client.submit(sale())
    service.faults(drop_after={"step": "confirm", "count": 1})
    lose(lambda: client.confirm(pending))
    assert passed(service) == SALE
    client.details(pending)
    assert passed(service) == SALE | {"lost_reply"}


def test_asking_about_an_invoice_that_was_not_lost_shows_nothing(client: Client, service: Sandbox) -> None:
    pending = client.submit(sale())
    client.confirm(pending)
    client.details(pending)
    assert passed(service) == SALE


@pytest.mark.parametrize("rn", ["FV-1", "FV-2"], ids=["same number", "same content under another number"])
def test_lost_reply_is_not_recovered_by_sending_again(client: Client, service: Sandbox, rn: str) -> None:
    pending = client.submit(sale("FV-1"))
    service.faults(drop_after={"step": "confirm", "count": 1})
    lose(lambda: client.confirm(pending))
    client.submit(sale(rn))
    client.details(pending)
    assert "lost_reply" not in passed(service)


def test_sending_again_after_asking_takes_the_tick_back(client: Client, service: Sandbox) -> None:
    pending = client.submit(sale("FV-1"))
    service.faults(drop_after={"step": "confirm", "count": 1})
    lose(lambda: client.confirm(pending))
    client.details(pending)
    client.certify(sale("FV-2"))
    assert "lost_reply" in passed(service), "another customer may buy the same"
    client.submit(sale("FV-1"))
    assert "lost_reply" not in passed(service)


@pytest.mark.parametrize("end", [Client.confirm, Client.cancel])
def test_confirmation_that_never_arrived(client: Client, service: Sandbox, end: Callable[..., Any]) -> None:
    pending = client.submit(sale())
    service.faults(drop_before={"step": "confirm", "count": 1})
    lose(lambda: client.confirm(pending))
    assert "cut_confirm" not in passed(service)
    end(client, pending)
    assert "cut_confirm" in passed(service)


def test_confirmation_that_never_arrived_and_a_second_invoice(client: Client, service: Sandbox) -> None:
    pending = client.submit(sale())
    service.faults(drop_before={"step": "confirm", "count": 1})
    lose(lambda: client.confirm(pending))
    client.certify(sale())
    client.cancel(pending)
    assert "cut_confirm" not in passed(service)


def test_refused_invoice_is_corrected(client: Client, service: Sandbox) -> None:
    assert client.submit(sale(type="FX"))["errorCode"] == "3"
    client.certify(sale("FV-OTHER"))
    assert "corrected" not in passed(service)
    client.certify(sale())
    assert "corrected" in passed(service)


def test_refusal_by_a_fault_needs_no_correction(client: Client, service: Sandbox) -> None:
    service.faults(refuse_next={"count": 1, "code": 99})
    client.submit(sale(operator={"name": "Caisse 2"}))
    client.certify(sale())
    assert "corrected" not in passed(service)


def test_expired_invoice_is_sent_again(client: Client, service: Sandbox) -> None:
    client.submit(sale())
    service.faults(clock_offset_s=121)
    client.certify(sale("FV-OTHER"))
    assert "expired" not in passed(service)
    client.certify(sale())
    assert "expired" in passed(service)


def test_false_total_is_cancelled(client: Client, service: Sandbox) -> None:
    client.cancel(client.submit(sale("FV-1")))
    service.faults(totals_skew="0.01")
    pending = client.submit(sale("FV-2"))
    assert "totals_differ" not in passed(service)
    client.cancel(pending)
    assert "totals_differ" in passed(service)


def test_new_rate_is_followed(client: Client, service: Sandbox) -> None:
    service.faults(rate_change={"C": "6"})
    client.certify(sale("FV-1"))
    assert "new_rate" not in passed(service), "no article of that group"
    client.certify(sale("FV-2", items=[line(taxGroup="C")]))
    assert "new_rate" in passed(service)


@pytest.mark.parametrize(
    ("fault", "key"), [({"outage_s": 60}, "outage"), ({"expired_token": 1}, "token"), ({"fail_next": 1}, "")]
)
def test_sales_go_on_after_trouble(client: Client, service: Sandbox, fault: dict[str, int], key: str) -> None:
    service.faults(**fault)
    client.http.post("/api/invoice", json=sale())
    service.faults(outage_s=0)
    assert passed(service) == set()
    client.certify(sale())
    assert passed(service) - SALE == ({key} if key else set())


def test_report_says_what_to_do_and_which_invoice_shows_it(client: Client, service: Sandbox) -> None:
    client.certify(sale("FV-9"))
    report = checklist(service)
    assert (report["nim"], report["passed"], report["total"], report["behind"]) == (NIM, 3, 38, 0)
    by_key = {one["key"]: one for one in report["scenarios"]}
    assert len(by_key) == 38
    assert (by_key["type_fv"]["rn"], by_key["type_ft"]["rn"], by_key["type_ft"]["passed_at"]) == ("FV-9", "", None)
    assert by_key["type_fv"]["passed_at"].endswith("+01:00")
    assert all(one["todo"] and one["title"] and one["section"] for one in by_key.values())


def test_ticks_outlive_restarts_and_end_with_a_reset(launch: Callable[..., Sandbox]) -> None:
    service = launch()
    pending = service.client().submit(sale())
    service.faults(drop_after={"step": "confirm", "count": 1})
    lose(lambda: service.client().confirm(pending))
    before = passed(service)
    service.kill()
    service.start().client().details(pending)
    assert passed(service) == before | {"lost_reply"}
    service.reset()
    assert passed(service) == set()


def test_long_histories_are_judged_in_parts(client: Client, service: Sandbox) -> None:
    for _ in range(205):
        client.http.get("/api/info/itemTypes")
    client.status()
    assert checklist(service)["behind"] == 0
    assert passed(service) == {"status"}


def test_checklist_needs_the_admin_token_and_a_known_nim(service: Sandbox) -> None:
    assert httpx.get(f"{service.url}/admin/checklist", params={"nim": NIM}).status_code == 401
    with service.admin as admin:
        assert admin.get("/checklist").status_code == 400
        assert admin.get("/checklist", params={"nim": "CD0"}).status_code == 400
