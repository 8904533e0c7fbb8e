"""One integrator passes the whole checklist by following what the page says."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from .sandbox import NIM, Client, Sandbox, credit_note, line, sale
from .test_checklist import CERTIFIED, checklist, lose
from .test_profiles import choose


def read_what_the_emcf_says(client: Client) -> None:
    for table in ("status", "taxGroups", "currencyRates"):
        client.http.get(f"/api/info/{table}").raise_for_status()


def sell_everything(client: Client, numbers: Iterator[str]) -> None:
    for changes, _ in CERTIFIED:
        client.certify({**sale(**changes), "rn": next(numbers)})
    for sold, credited in (("FV", "FA"), ("EV", "EA")):
        for nature in ("COR", "RAN", "RAM"):
            code = client.certify(sale(next(numbers), type=sold))["codeDEFDGI"]
            client.certify(credit_note(code, next(numbers), type=credited, referenceType=nature))


def lose_a_reply(client: Client, service: Sandbox, rn: str) -> None:
    choose(service, "reponse-perdue", nim=NIM)
    pending = client.submit(sale(rn))
    lose(lambda: client.confirm(pending))
    assert client.details(pending)["state"] == "confirmed"


def lose_a_confirmation(client: Client, service: Sandbox, rn: str) -> None:
    choose(service, "confirmation-coupee", nim=NIM)
    pending = client.submit(sale(rn))
    lose(lambda: client.confirm(pending))
    client.confirm(pending)


def refuse_false_totals(client: Client, service: Sandbox, rn: str) -> None:
    choose(service, "totaux-differents", nim=NIM)
    client.cancel(client.submit(sale(rn)))


def follow_a_new_rate(client: Client, service: Sandbox, rn: str) -> None:
    choose(service, "changement-de-taux", nim=NIM)
    client.certify(sale(rn))


def live_through_an_outage(client: Client, service: Sandbox, rn: str) -> None:
    choose(service, "panne", nim=NIM)
    lose(lambda: client.submit(sale(rn)))
    choose(service, "normal", nim=NIM)
    client.certify(sale(rn))


def renew_a_token(client: Client, service: Sandbox, rn: str) -> None:
    choose(service, "jeton-expire", nim=NIM)
    assert client.http.post("/api/invoice", json=sale(rn)).status_code == 401
    choose(service, "normal", nim=NIM)
    client.certify(sale(rn))


def correct_a_refused_invoice(client: Client, _: Sandbox, rn: str) -> None:
    assert client.submit(sale(rn, client={"type": "PM", "name": "Kivu SARL"}))["errorCode"] == "112"
    client.certify(sale(rn, client={"type": "PM", "name": "Kivu SARL", "nif": "A7654321Z"}))


def let_an_invoice_expire(client: Client, service: Sandbox, rn: str) -> None:
    client.submit(sale(rn, items=[line(name="Farine")]))
    service.faults(nim=NIM, clock_offset_s=121)
    client.certify(sale(rn, items=[line(name="Farine")]))


INCIDENTS: list[tuple[Callable[[Client, Sandbox, str], None], set[str]]] = [
    (lose_a_reply, {"lost_reply"}),
    (lose_a_confirmation, {"cut_confirm"}),
    (refuse_false_totals, {"totals_differ", "cancelled"}),
    (follow_a_new_rate, {"new_rate"}),
    (live_through_an_outage, {"outage"}),
    (renew_a_token, {"token"}),
    (correct_a_refused_invoice, {"corrected"}),
    (let_an_invoice_expire, {"expired"}),
]


def open_scenarios(service: Sandbox) -> set[str]:
    return {one["key"] for one in checklist(service)["scenarios"] if not one["passed"]}


@pytest.fixture
def numbers() -> Iterator[str]:
    return (f"FV-2026-{rank:06d}" for rank in range(1, 1000))


def test_whole_checklist_can_be_passed(client: Client, service: Sandbox, numbers: Iterator[str]) -> None:
    read_what_the_emcf_says(client)
    sell_everything(client, numbers)
    left = open_scenarios(service)
    assert left == set().union(*(keys for _, keys in INCIDENTS))
    for live_through, keys in INCIDENTS:
        live_through(client, service, next(numbers))
        left -= keys
        assert open_scenarios(service) == left, live_through.__name__
    assert "prêt pour la DGI" in httpx.get(f"{service.url}/").text


def test_every_profile_that_the_checklist_names_exists(service: Sandbox) -> None:
    with service.admin as admin:
        profiles: list[dict[str, Any]] = admin.get("/profile").json()
    known = {profile["name"] for profile in profiles}
    named: set[str] = set()
    for scenario in checklist(service)["scenarios"]:
        words = scenario["todo"].replace(",", " ").replace(":", " ").split()
        named |= {after for word, after in zip(words, words[1:], strict=False) if word.lower() == "profil"}
    assert named <= known and len(named) >= 7
