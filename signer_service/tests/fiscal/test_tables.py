"""The DGI's tables, and that the schema admits exactly what they list."""

from datetime import date, timedelta
from decimal import Decimal
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal import schema, tables

JUNE = date(2026, 6, 1)
TODAY = date(2026, 11, 21)
ALL = "ABCDEFGHIJKLMNOP"
RATES_TODAY = dict.fromkeys("ADEHIJKLMN", "0") | {"B": "16", "F": "16", "C": "5", "G": "5", "O": "1", "P": "1"}


@pytest.mark.parametrize(("group", "rate"), RATES_TODAY.items())
def test_rates_of_today(group, rate):
    assert tables.rate_of(group, TODAY) == Decimal(rate)


@pytest.mark.parametrize(
    ("group", "before", "after"), [("C", "8", "5"), ("G", "8", "5"), ("O", None, "1"), ("P", None, "1")]
)
def test_what_changed_in_june_2026(group, before, after):
    rate = tables.rate_of(group, JUNE - timedelta(days=1))
    assert rate == (None if before is None else Decimal(before))
    assert tables.rate_of(group, JUNE) == Decimal(after)


@pytest.mark.parametrize("group", ALL)
def test_nothing_is_in_force_before_the_tables_begin(group):
    assert tables.rate_of(group, date(2021, 12, 31)) is None


@given(st.sampled_from(ALL), st.dates(date(2022, 1, 1)))
def test_a_rate_once_given_never_ends(group, day):
    rate = tables.rate_of(group, day)
    assert rate is not None or (group in "OP" and day < JUNE)


@pytest.mark.parametrize("group", tables.TAX_GROUPS.values(), ids=lambda group: group.code)
def test_rates_ascend_by_day(group):
    days = [day for day, _ in group.rates]
    assert days == sorted(set(days))


def test_an_unknown_group_is_an_error():
    with pytest.raises(KeyError):
        tables.rate_of("Q", TODAY)


def test_labels_show_the_rate_of_the_day():
    assert tables.label_of("B", TODAY) == "Taxable 16%"
    assert tables.label_of("C", JUNE - timedelta(days=1)) == "Taxable 8%"
    assert tables.label_of("C", JUNE) == "Taxable 5%"
    assert tables.label_of("A", TODAY) == "Exonéré"
    assert tables.label_of("O", date(2026, 5, 31)) is None


@pytest.mark.parametrize(
    ("struct", "member", "table"),
    [
        (schema.Invoice, "invoice_type", tables.INVOICE_TYPES),
        (schema.Item, "tax_group", tables.TAX_GROUPS),
        (schema.TaxGroup, "code", tables.TAX_GROUPS),
        (schema.Item, "type", tables.ITEM_TYPES),
        (schema.Client, "type", tables.CLIENT_TYPES),
        (schema.Payment, "method", tables.PAYMENT_METHODS),
        (schema.Credit, "nature", tables.CREDIT_NATURES),
    ],
)
def test_the_schema_admits_what_the_table_lists(struct, member, table):
    assert set(get_args(get_type_hints(struct)[member])) == set(table)
    assert all(code == row.code for code, row in table.items())


@pytest.mark.parametrize("client", tables.CLIENT_TYPES.values(), ids=lambda client: client.code)
def test_compulsory_fields_are_members_of_the_client(client):
    assert set(client.compulsory) <= set(schema.Client.__struct_fields__)
    assert client.mention.startswith(f"[{client.code}] ")


def test_every_invoice_type_that_is_named_exists():
    assert set(tables.INVOICE_TYPES) >= tables.CREDIT_NOTES | tables.EXPORTS
