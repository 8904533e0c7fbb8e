"""A signer that asks the sandbox for its tables: kept with dates, alerted when they change, never a silent judge."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from bonopay_signer.fiscal.tables import in_force
from bonopay_signer.reference.told import fiscal_today

from ..support.processes import wait_until
from ..support.sandbox import OTHER_SELLER
from ..support.stand import Outlet, Stand, document

NOBODY = "http://127.0.0.1:9/edef"
Make = Callable[..., Stand]


def today() -> str:
    return str(fiscal_today(datetime.now(UTC)))


@pytest.fixture
def asking(new_stand: Make) -> Iterator[Stand]:
    """It asks about every second."""
    stand = new_stand(reference_interval=1)
    stand.start()
    yield stand


def view(stand: Stand, key: str | None = None) -> dict:
    response = stand.get("/api/v1/reference", key)
    assert response.status_code == 200, response.text
    return response.json()


def told(stand: Stand) -> dict:
    """The one address's tables, once they are there."""
    wait_until(lambda: view(stand)["addresses"][0]["answered_at"], "the DGI has told its tables")
    (address,) = view(stand)["addresses"]
    return address


def rates(address: dict) -> dict[str, str]:
    return {row["code"]: row["rate"] for row in address["tables"]["tax_groups"]}


def change_table(stand: Stand, **members: object) -> None:
    """Other tax groups, or another dollar, as the DGI would tell them."""

    def change(answer: object) -> object:
        if isinstance(answer, dict) and "b" in answer:
            return {**answer, **{name: value for name, value in members.items() if name != "usd"}}
        if isinstance(answer, list) and "usd" in members:
            return [{**row, "rate": members["usd"]} if row["type"] == "USD" else row for row in answer]
        return answer

    stand.relay.change("tables", change)


def events(stand: Stand, kind: str) -> list[tuple]:
    return stand.rows("SELECT code, detail FROM signer.dgi_event WHERE kind = %s ORDER BY number", kind)


def dollars(outlet: Outlet, rate: str) -> dict:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return document(outlet, issued_at=moment, foreign_currency={"code": "USD", "rate": rate, "date": today()})


def test_tables_are_told_with_their_dates_and_agree_with_the_core(asking: Stand) -> None:
    outlet = asking.outlet()
    address = told(asking)
    assert address["dgi_url"] == asking.relay.url and address["differences"] == []
    assert rates(address) == {
        code: str(row.rate) for code, row in in_force(fiscal_today(datetime.now(UTC))).tax_groups.items()
    }
    for name, rows in address["tables"].items():
        assert rows and {(row["nim"], row["valid_from"]) for row in rows} == {(outlet.nim, today())}, name
        assert all((row["rate"] is not None) == (name in ("tax_groups", "currency_rates")) for row in rows), name
    rows = asking.rows("SELECT count(*) FROM signer.reference")
    answered = address["answered_at"]
    wait_until(lambda: told(asking)["answered_at"] > answered, "it asks again")
    assert asking.rows("SELECT count(*) FROM signer.reference") == rows, "what is told again is not stored again"
    assert events(asking, "reference.changed") == []


def test_rate_of_the_day_judges_invoices_from_then_on(asking: Stand) -> None:
    outlet = asking.outlet()
    told(asking)
    host = asking.relay.url.split("/")[2]
    assert view(asking)["usd"] == {"currency": "USD", "rate": "2300", "valid_on": today(), "source": f"DGI {host}"}
    wait_until(lambda: asking.post(dollars(outlet, "2400")).status_code == 422, "2400 is more than 1 % off")
    assert asking.post(dollars(outlet, "2300")).status_code == 201
    change_table(asking, usd=2400)
    wait_until(lambda: view(asking)["usd"]["rate"] == "2400", "the same address corrects its own rate")
    wait_until(lambda: asking.post(dollars(outlet, "2400")).status_code == 201, "and it holds")
    ((number,),) = asking.rows("SELECT count(*) FROM signer.reference WHERE code = 'USD'")
    assert number == 2, "both are kept"


def test_operators_rate_of_the_day_stays(new_stand: Make) -> None:
    stand = new_stand(reference_interval=1)
    done = stand.command("rate", "set", "USD", today(), "2400", "--source", "BCC")
    assert done.returncode == 0, done.stderr
    stand.start()
    stand.outlet()
    told(stand)
    assert view(stand)["usd"] | {"valid_on": ""} == {"currency": "USD", "rate": "2400", "valid_on": "", "source": "BCC"}
    ((code, detail),) = events(stand, "rate.disagrees")
    assert (code, detail["told"], detail["in_register"]) == ("USD", "2300", "2400")


def test_absurd_rate_is_kept_but_not_used(asking: Stand) -> None:
    change_table(asking, usd=2300)
    asking.outlet()
    told(asking)
    change_table(asking, usd=23)
    wait_until(lambda: events(asking, "rate.implausible"), "the alert")
    assert view(asking)["usd"]["rate"] == "2300"
    assert "bonopay-signer rate set" in asking.log()


def test_another_rate_of_a_tax_group_alerts_and_does_not_judge(asking: Stand) -> None:
    outlet = asking.outlet()
    told(asking)
    change_table(asking, b=18)
    wait_until(lambda: rates(told(asking))["B"] == "18", "the new rate is told")
    assert told(asking)["differences"] == [{"table": "tax_groups", "code": "B", "told": "18 %", "core": "16 %"}]
    ((code, detail),) = events(asking, "reference.changed")
    assert code == "tax_groups" and detail["code"] == "B"
    assert (detail["before"]["rate"], detail["after"]["rate"]) == ("16", "18")
    lines = [json.loads(line) for line in asking.log().splitlines()]
    (alert,) = [line for line in lines if "are not the fiscal core's" in line["event"]]
    assert alert["level"] == "error" and "tax_groups B: the DGI has 18 %, the core 16 %" in alert["event"]
    assert asking.post(document(outlet)).status_code == 201, "16 % is still what the core asks for"
    (standing,) = asking.get(f"/api/v1/sync/status?outlet_id={outlet.id}").json()["outlets"]
    assert [(alarm["code"], alarm["level"]) for alarm in standing["alarms"]] == [("reference_differs", "warning")]
    change_table(asking, b=16)
    wait_until(lambda: told(asking)["differences"] == [], "the DGI takes it back")
    (standing,) = asking.get(f"/api/v1/sync/status?outlet_id={outlet.id}").json()["outlets"]
    assert standing["alarms"] == [] and len(events(asking, "reference.changed")) == 2


def test_tables_are_append_only(asking: Stand) -> None:
    asking.outlet()
    told(asking)
    for statement in (
        "UPDATE signer.reference SET rate = 1",
        "DELETE FROM signer.reference",
        "TRUNCATE signer.reference",
    ):
        with asking.database.as_admin() as connection, pytest.raises(Exception, match="never changed or deleted"):
            connection.execute(statement)


def test_silent_dgi_is_left_alone_and_then_asked_again(asking: Stand) -> None:
    asking.relay.drop("tables", "before", times=1000)
    outlet = asking.outlet()
    count = (
        "SELECT count(*) FROM signer.dgi_exchange WHERE outlet_id = %s AND step = 'tables' AND direction = 'request'"
    )
    wait_until(lambda: asking.rows(count, outlet.id)[0][0] >= 3, "it tries")
    assert view(asking)["addresses"][0]["answered_at"] is None
    asking.relay.calm()
    assert rates(told(asking))["B"] == "16"


def test_unreadable_table_changes_nothing_and_the_others_are_taken(asking: Stand) -> None:
    change_table(asking, b="seize")
    asking.outlet()
    address = told(asking)
    assert address["tables"]["tax_groups"] == [] and address["tables"]["item_types"] != []
    assert "table tax_groups" in asking.log() and "is not a rate" in asking.log()


def test_each_merchant_sees_its_own_and_a_key_only_its_outlets_addresses(asking: Stand) -> None:
    ours, theirs = asking.outlet(), asking.outlet(OTHER_SELLER, dgi_url=NOBODY)
    told(asking)
    (address,) = view(asking, asking.api_key(OTHER_SELLER))["addresses"]
    assert (address["dgi_url"], address["answered_at"], address["tables"]["tax_groups"]) == (NOBODY, None, [])
    away = asking.outlet(dgi_url=NOBODY)
    urls = {row["dgi_url"] for row in view(asking)["addresses"]}
    assert urls == {NOBODY, asking.relay.url}
    scoped = view(asking, asking.api_key(outlets=[away.id]))["addresses"]
    assert [row["dgi_url"] for row in scoped] == [NOBODY]
    assert theirs.id != ours.id and asking.get("/api/v1/reference?x=1").status_code == 400
    assert asking.get("/api/v1/reference", "bp_none").status_code == 401
