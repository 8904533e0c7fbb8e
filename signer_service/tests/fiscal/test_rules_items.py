"""The rules on lines. Each invoice is accepted but for the one fault, so that nothing else can explain the finding."""

import pytest

from .builders import accepted, faults
from .published import cases

item, specific = cases.item, cases.specific


def test_an_invoice_without_fault_has_no_findings():
    assert faults(accepted()) == []


def test_sfe_1_6_at_least_one_item():
    empty = accepted(items=[], payments=[])
    assert faults(empty) == [("/items", "items.empty")]


def test_sfe_1_21_prices_are_not_zero():
    assert faults(accepted(items=[item(), item("0.00")])) == [("/items/1/unit_price", "item.unit_price.zero")]


def test_sfe_1_21_prices_are_not_zero_original_ones_neither():
    changes = {"/items/0/original_unit_price": "0.00", "/items/0/price_change": "Remise"}
    assert faults(accepted(), changes) == [("/items/0/original_unit_price", "item.original_unit_price.zero")]


def test_sfe_1_21_quantities_are_not_zero():
    assert faults(accepted(items=[item(), item(quantity="0")])) == [("/items/1/quantity", "item.quantity.zero")]


@pytest.mark.parametrize(("price", "quantity"), [("0.01", "0.499"), ("0.04", "0.124")])
def test_sfe_1_22_lines_are_not_zero_when_rounded(price, quantity):
    assert faults(accepted(items=[item(), item(price, quantity)])) == [("/items/1", "item.line.zero")]


def test_sfe_1_22_lines_are_not_zero_from_half_a_centime():
    assert faults(accepted(items=[item("0.01", "0.5")])) == []


@pytest.mark.parametrize("group", "ABCDEFGHIJKMOP")
def test_annex_ii_item_type_fits_tax_group_levies_only_l_and_n(group):
    assert faults(accepted(items=[item(tax_group=group, type="TAX")])) == [
        ("/items/0/tax_group", "item.tax_group.not_allowed")
    ]


@pytest.mark.parametrize("group", "LN")
@pytest.mark.parametrize("item_type", ["BIE", "SER"])
def test_annex_ii_item_type_fits_tax_group_supplies_never_l_and_n(group, item_type):
    assert faults(accepted(items=[item(tax_group=group, type=item_type)])) == [
        ("/items/0/tax_group", "item.tax_group.not_allowed")
    ]


@pytest.mark.parametrize("group", "ABCDEFGHIJKMOP")
@pytest.mark.parametrize("item_type", ["BIE", "SER"])
def test_annex_ii_item_type_fits_tax_group_supplies_every_other(group, item_type):
    assert faults(accepted(items=[item(tax_group=group, type=item_type)])) == []


@pytest.mark.parametrize("group", "OP")
def test_sfe_1_12_tax_group_is_in_force_o_and_p_from_june_2026(group):
    payload = accepted(items=[item(tax_group=group)])
    not_in_force = [("/items/0/tax_group", "item.tax_group.not_in_force")]
    assert faults(payload, {"/issued_at": "2026-05-31T22:59:59Z"}) == not_in_force
    assert faults(payload, {"/issued_at": "2026-05-31T23:00:00Z"}) == []


@pytest.mark.parametrize("invoice_type", ["EV", "ET"])
@pytest.mark.parametrize("group", "BCFGNOP")
def test_sfe_1_7_exports_carry_no_vat(invoice_type, group):
    payload = accepted(invoice_type=invoice_type, items=[item(tax_group="E"), item(tax_group=group)])
    assert faults(payload) == [("/items/1/tax_group", "item.tax_group.export")]


def test_sfe_1_7_exports_carry_no_vat_but_every_group_without_it():
    payload = accepted(invoice_type="EV", items=[item(tax_group=group) for group in "ADEHIJKLM"])
    assert faults(payload) == []


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"original_unit_price": "50000.00"}, "price_change"),
        ({"price_change": "Remise 10 %"}, "original_unit_price"),
    ],
)
def test_sfe_1_2_l_price_change_is_complete(given, missing):
    assert faults(accepted(items=[item(**given)])) == [(f"/items/0/{missing}", f"item.{missing}.missing")]


@pytest.mark.parametrize("group", "LN")
def test_sfe_1_13_levies_carry_no_specific_tax(group):
    payload = accepted(items=[item(tax_group=group, specific_tax=specific("amount", "10", "10.00"))])
    assert faults(payload) == [("/items/0/specific_tax", "item.specific_tax.not_allowed")]


@pytest.mark.parametrize(
    ("tax", "off_by_a_centime"),
    [
        (specific("amount", "12.5", "12.50"), "12.51"),
        (specific("quantity", "0.0025", "0.01"), "0.00"),
        (specific("percent", "2.5", "2250.00"), "2249.99"),
    ],
)
def test_sfe_1_13_specific_tax_follows_its_basis(tax, off_by_a_centime):
    assert faults(accepted(items=[item(specific_tax=tax)])) == []
    payload = accepted(items=[item(specific_tax=tax | {"amount": off_by_a_centime})])
    assert faults(payload) == [("/items/0/specific_tax/amount", "item.specific_tax.amount")]


@pytest.mark.parametrize("value", ["0", "0.002"])
def test_sfe_1_13_specific_tax_follows_its_basis_and_is_not_zero(value):
    payload = accepted(items=[item(specific_tax=specific("quantity", value, "0.00"))])
    assert faults(payload) == [("/items/0/specific_tax/amount", "item.specific_tax.zero")]


def test_every_line_at_fault_is_named():
    payload = accepted(items=[item(), item(quantity="0"), item(), item("0.00")])
    assert faults(payload) == [
        ("/items/3/unit_price", "item.unit_price.zero"),
        ("/items/1/quantity", "item.quantity.zero"),
    ]
