"""The DGI spells its tables in several ways; a table that could be read in two ways is not read at all."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from bonopay_signer.dgi.mapping import decode, encode
from bonopay_signer.reference.told import CURRENCY_RATES, TAX_GROUPS, Told, Unreadable, fiscal_today, read_table

TODAY = date(2026, 11, 21)
DOLLAR = Told("USD", None, Decimal("2300.5"), TODAY)


def read(name: str, content: object) -> dict[str, Told]:
    """As the driver hands it over: decoded from JSON, numbers exact."""
    return read_table(name, decode(encode(content)), TODAY)


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "USD", "date": "2026-11-21", "rate": 2300.5}],
        [{"type": "usd", "date": "2026-11-21T08:00:00", "rate": "2300.50"}],
        [{"curCode": "USD", "curDate": "2026-11-21 08:00:00", "curRate": "2300,5"}],
        [{"code": "USD", "date": "21/11/2026", "rate": 2300.5}],
        {"rates": [{"currencyCode": "USD", "date": "21/11/2026 08:00", "rate": 2300.5}]},
        {"Rates": [{"Currency": " USD ", "Date": "2026-11-20T23:30:00Z", "Rate": 2300.5}]},
        [{"type": "BCC", "code": "USD", "rate": 2300.5}],
        [{"type": "USD", "date": None, "rate": 2300.5}],
    ],
)
def test_rate_of_a_currency_is_read_whatever_its_spelling(content: object) -> None:
    assert read(CURRENCY_RATES, content) == {"USD": DOLLAR}


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        None,
        "USD 2300",
        [{"type": "USD", "rate": 0}],
        [{"type": "USD", "rate": -2300}],
        [{"type": "USD", "rate": "2 300"}],
        [{"type": "USD", "rate": "2.300,50"}],
        [{"type": "USD", "rate": 1e40}],
        [{"type": "USD", "rate": "NaN"}],
        [{"type": "USD", "rate": True}],
        [{"type": "USD"}],
        [{"type": "dollar", "rate": 2300}],
        [{"type": "USD", "rate": 2300, "date": "11/21/2026"}],
        [{"type": "USD", "rate": 2300, "date": 20261121}],
        [{"type": "USD", "rate": 2300, "date": "2029-01-01"}],
        [{"type": "USD", "rate": 2300, "date": "0001-01-01T00:00:00+14:00"}],
        [{"type": "USD", "rate": 2300}, {"type": "USD", "rate": 2400}],
        [{"type": "USD", "rate": 2300}] * 501,
    ],
)
def test_rates_that_leave_room_for_a_guess_are_refused(content: object) -> None:
    with pytest.raises(Unreadable):
        read(CURRENCY_RATES, content)


@pytest.mark.parametrize(
    "content",
    [
        {"a": 0, "b": 16},
        {"A": "0 %", "B": "16.00"},
        [{"type": "A", "rate": 0}, {"type": "B", "rate": 16}],
        [{"group": "a", "value": "0"}, {"group": "b", "value": "16%"}],
    ],
)
def test_rates_of_tax_groups_as_an_object_or_as_rows(content: object) -> None:
    assert read(TAX_GROUPS, content) == {
        "A": Told("A", None, Decimal(0), TODAY),
        "B": Told("B", None, Decimal(16), TODAY),
    }


@pytest.mark.parametrize("content", [{"a": 0, "A": 16}, {"z": 1}, {"b": None}, {"b": [16]}, [{"type": "B"}], {}])
def test_tax_groups_that_leave_room_for_a_guess_are_refused(content: object) -> None:
    with pytest.raises(Unreadable):
        read(TAX_GROUPS, content)


def test_types_keep_the_dgis_own_label() -> None:
    told = read("item_types", [{"type": "BIE", "description": "Bien "}, {"code": "SER", "libelle": "Service"}])
    assert told == {"BIE": Told("BIE", "Bien", None, TODAY), "SER": Told("SER", "Service", None, TODAY)}


def test_day_is_that_of_kinshasa() -> None:
    assert fiscal_today(datetime(2026, 11, 21, 22, 59, tzinfo=UTC)) == TODAY
    assert fiscal_today(datetime(2026, 11, 21, 23, 0, tzinfo=UTC)) == TODAY + timedelta(days=1)
