"""A rate off by more than 1 % of the day's reference is refused (SFE §1.30); without a reference nothing is judged."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ..fiscal.builders import cases
from ..support.databases import throw_away_database
from ..support.processes import wait_until
from ..support.stand import Outlet, Stand, document, number_of


@pytest.fixture(scope="module")
def own_stand(cluster, token, sandbox, tmp_path_factory) -> Iterator[Stand]:
    """With rates of its own: those of the shared one would be everybody's."""
    with throw_away_database(cluster) as database:
        stand = Stand(tmp_path_factory.mktemp("rates") / "signer", database, token, sandbox)
        stand.start()
        yield stand
        stand.close()


def record(stand: Stand, day: str, rate: str) -> None:
    with stand.database.as_admin() as connection:
        connection.execute(
            "INSERT INTO signer.currency_rate (currency, valid_on, rate, source) VALUES ('USD', %s, %s, 'test') "
            "ON CONFLICT (currency, valid_on) DO UPDATE SET rate = excluded.rate",
            [day, Decimal(rate)],
        )


def in_dollars(outlet: Outlet, rate: str, day: str = "2026-11-21", **members: Any) -> dict:
    """Made out in dollars, paid in francs."""
    foreign = {"code": "USD", "rate": rate, "date": day}
    return document(outlet, issued_at=f"{day}T08:30:00Z", foreign_currency=foreign, **members)


def refusal(stand: Stand, payload: dict) -> tuple[str, str, str]:
    response = stand.post(payload)
    assert (response.status_code, response.json()["code"]) == (422, "payload_invalid"), response.text
    (finding,) = response.json()["findings"]
    assert finding["code"] == "rate.not_of_the_day" and all(finding["message"].values())
    return finding["pointer"], finding["expected"], finding["actual"]


def wait_until_judged(stand: Stand, rate: str, day: str) -> None:
    """Until the signer refuses a rate: the registry tells it of changes, within a moment."""
    other = stand.outlet()
    wait_until(lambda: stand.post(in_dollars(other, rate, day=day)).status_code == 422, f"{rate} is refused")


def test_the_rate_in_force_is_the_latest_that_is_not_after_the_day(own_stand: Stand) -> None:
    outlet = own_stand.outlet()
    before = own_stand.post(in_dollars(outlet, "9999", day="2026-11-01"))
    assert before.status_code == 201, before.text  # no reference is known yet
    record(own_stand, "2026-11-10", "2300")
    record(own_stand, "2026-11-20", "2400")
    wait_until_judged(own_stand, "9999", "2026-11-19")
    assert refusal(own_stand, in_dollars(outlet, "2323.000001", day="2026-11-19")) == (
        "/foreign_currency/rate",
        "2277 – 2323",
        "2323.000001",
    )
    assert refusal(own_stand, in_dollars(outlet, "2300")) == ("/foreign_currency/rate", "2376 – 2424", "2300")
    for rate, day in (("2323", "2026-11-19"), ("2376", "2026-11-20"), ("2424", "2026-11-21"), ("1", "2026-11-09")):
        answer = own_stand.post(in_dollars(outlet, rate, day=day))
        assert answer.status_code == 201, answer.text
    own_stand.assert_sound(outlet, 5)


def test_a_payment_in_dollars_is_judged_too_and_its_number_is_handed_on(own_stand: Stand) -> None:
    record(own_stand, "2026-11-20", "2400")
    outlet = own_stand.outlet()
    members = {"issued_at": "2026-11-20T08:30:00Z", "items": [cases.item("23000.00", "1", "A")]}
    paid = cases.CASH | {"amount": "10.00", "currency": "USD", "rate": "2300"}
    payload = document(outlet, **members, payments=[paid])
    assert refusal(own_stand, payload) == ("/payments/0/rate", "2376 – 2424", "2300")
    assert own_stand.entries(outlet) == []
    assert own_stand.sealed(outlet)["fiscal_number"] == number_of(outlet, 1)


def test_what_was_sealed_stays_sealed_when_the_reference_is_corrected(own_stand: Stand) -> None:
    outlet = own_stand.outlet()
    record(own_stand, "2026-11-20", "2400")
    payload = in_dollars(outlet, "2400", day="2026-11-20")
    first = own_stand.post(payload)
    assert first.status_code == 201, first.text
    record(own_stand, "2026-11-20", "3000")
    try:
        wait_until_judged(own_stand, "2400", "2026-11-20")
        again = own_stand.post(payload)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
        assert again.json()["fiscal_number"] == first.json()["fiscal_number"]
    finally:
        record(own_stand, "2026-11-20", "2400")
