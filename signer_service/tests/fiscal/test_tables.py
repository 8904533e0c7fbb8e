"""The DGI's tables: their rows by day, and that the schema admits exactly what they list."""

from datetime import date, timedelta
from decimal import Decimal
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal import schema, tables
from bonopay_signer.fiscal.tables import Code, Table

JUNE = date(2026, 6, 1)
MAY = JUNE - timedelta(days=1)
TODAY = date(2026, 11, 21)
ALL = "ABCDEFGHIJKLMNOP"
RATES_TODAY = dict.fromkeys("ADEHIJKLMN", "0") | {"B": "16", "F": "16", "C": "5", "G": "5", "O": "1", "P": "1"}
TABLES = {name: table for name, table in vars(tables).items() if isinstance(table, Table)}


@pytest.mark.parametrize(("group", "rate"), RATES_TODAY.items())
def test_rates_of_today(group, rate):
    assert tables.rate_of(group, TODAY) == Decimal(rate)


@pytest.mark.parametrize(
    ("group", "before", "after"), [("C", "8", "5"), ("G", "8", "5"), ("O", None, "1"), ("P", None, "1")]
)
def test_what_changed_in_june_2026(group, before, after):
    rate = tables.rate_of(group, MAY)
    assert rate == (None if before is None else Decimal(before))
    assert tables.rate_of(group, JUNE) == Decimal(after)


@pytest.mark.parametrize("group", ALL)
def test_no_group_is_in_force_before_the_tables_begin(group):
    assert tables.rate_of(group, date(2021, 12, 31)) is None


def test_nothing_at_all_is_in_force_before_the_tables_begin():
    _day, *rows = tables.in_force(tables.START - timedelta(days=1))
    assert not any(rows)
    assert all(tables.in_force(tables.START)[1:])


@given(st.sampled_from(ALL), st.dates(date(2022, 1, 1)))
def test_a_rate_once_given_never_ends(group, day):
    rate = tables.rate_of(group, day)
    assert rate is not None or (group in "OP" and day < JUNE)


def test_an_unknown_group_is_an_error():
    with pytest.raises(KeyError):
        tables.rate_of("Q", TODAY)


def test_labels_show_the_rate_of_the_day():
    assert tables.label_of("B", TODAY) == "Taxable 16%"
    assert tables.label_of("C", MAY) == "Taxable 8%"
    assert tables.label_of("C", JUNE) == "Taxable 5%"
    assert tables.label_of("A", TODAY) == "Exonéré"
    assert tables.label_of("O", MAY) is None


OLD = Code("X", "Ancien", "X", date(2022, 1, 1), date(2022, 12, 31))
NEW = Code("X", "Nouveau", "X", date(2023, 2, 1))


@pytest.mark.parametrize(
    ("day", "row"),
    [
        (date(2021, 12, 31), None),
        (date(2022, 1, 1), OLD),
        (date(2022, 12, 31), OLD),
        (date(2023, 1, 1), None),
        (date(2023, 1, 31), None),
        (date(2023, 2, 1), NEW),
        (date(2099, 12, 31), NEW),
    ],
)
def test_a_row_is_in_force_from_its_first_to_its_last_day(day, row):
    assert Table(OLD, NEW).on(day).get("X") == row


@pytest.mark.parametrize(
    "rows",
    [
        (OLD, NEW._replace(valid_from=date(2022, 12, 31))),
        (NEW, OLD),
        (OLD._replace(valid_to=None), NEW),
        (OLD._replace(valid_to=date(2021, 12, 31)),),
    ],
)
def test_rows_that_overlap_or_end_before_they_begin_are_an_error(rows):
    with pytest.raises(ValueError, match="code X"):
        Table(*rows)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_one_of_the_day(name):
    assert getattr(tables.in_force(TODAY), name.lower()) == TABLES[name].on(TODAY)


@pytest.mark.parametrize(
    ("struct", "member", "table"),
    [
        (schema.Invoice, "invoice_type", tables.INVOICE_TYPES),
        (schema.Item, "tax_group", tables.TAX_GROUPS),
        (schema.TaxGroup, "code", tables.TAX_GROUPS),
        (schema.Item, "type", tables.ITEM_TYPES),
        (schema.Client, "type", tables.CLIENT_TYPES),
        (schema.Payment, "method", tables.PAYMENT_METHODS),
        (schema.Payment, "currency", tables.CURRENCIES),
        (schema.Credit, "nature", tables.CREDIT_NATURES),
    ],
)
def test_the_schema_admits_what_the_table_lists(struct, member, table):
    assert set(get_args(get_type_hints(struct)[member])) == table.codes


def test_foreign_currencies_and_comment_lines_are_those_of_the_schema():
    foreign = set(get_args(get_type_hints(schema.ForeignCurrency)["code"]))
    assert foreign == tables.CURRENCIES.codes - {tables.LOCAL_CURRENCY}
    assert set(schema.Comments.__struct_fields__) == tables.COMMENT_LINES.codes


@pytest.mark.parametrize("client", tables.CLIENT_TYPES.rows, ids=lambda client: client.code)
def test_compulsory_fields_are_members_of_the_client(client):
    assert set(client.compulsory) <= set(schema.Client.__struct_fields__)
    assert client.mention.startswith(f"[{client.code}] ")


@pytest.mark.parametrize("line", tables.COMMENT_LINES.rows, ids=lambda line: line.code)
def test_a_labelled_comment_line_repeats_a_member_of_a_type_of_client(line):
    if line.label_fr:
        assert line.client_type in tables.CLIENT_TYPES.codes
        assert line.member in schema.Client.__struct_fields__
    else:
        assert (line.client_type, line.member) == (None, "")


@pytest.mark.parametrize("invoice_type", tables.INVOICE_TYPES.rows, ids=lambda row: row.code)
def test_a_credit_note_corrects_sales_of_its_own_family(invoice_type):
    corrected = [row for row in tables.INVOICE_TYPES.rows if row.code in invoice_type.corrects]
    assert len(corrected) == len(invoice_type.corrects)
    assert all(row.is_export == invoice_type.is_export and not row.corrects for row in corrected)


def test_fa_and_ea_are_the_credit_notes_and_every_sale_can_be_credited():
    corrects = {row.code: row.corrects for row in tables.INVOICE_TYPES.rows if row.corrects}
    assert corrects == {"FA": ("FV", "FT"), "EA": ("EV", "ET")}


@pytest.mark.parametrize("group", tables.TAX_GROUPS.rows, ids=str)
def test_levies_are_in_groups_l_and_n_and_supplies_in_the_others(group):
    assert group.item_types == (("TAX",) if group.code in "LN" else ("BIE", "SER"))
