"""The rules on tax groups and totals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal import rules, taxes

from .builders import accepted, faults, invoices, parsed
from .published import cases

item = cases.item
TWO_GROUPS = accepted(items=[item(), item("10.00", "1", "C")])
UNUSED = {"code": "A", "rate": "0", "base": "0.00", "tax": "0.00", "total": "0.00"}


def test_sfe_1_2_m_groups_used_are_listed():
    assert faults(TWO_GROUPS, {"/tax_groups/1": cases.REMOVED}) == [("/tax_groups", "tax_groups.missing")]


def test_sfe_1_2_m_groups_listed_are_used_once_or_more():
    listed = [UNUSED, *accepted()["tax_groups"]]
    assert faults(accepted(), {"/tax_groups": listed}) == [("/tax_groups/0", "tax_groups.unused")]


def test_sfe_1_2_m_groups_listed_are_used_once_not_twice():
    twice = [TWO_GROUPS["tax_groups"][0], *TWO_GROUPS["tax_groups"]]
    assert faults(TWO_GROUPS, {"/tax_groups": twice}) == [("/tax_groups/1", "tax_groups.duplicate")]


def test_groups_listed_are_used_once_and_a_split_group_is_one_fault():
    half = {"code": "B", "rate": "16", "base": "45000.00", "tax": "7200.00", "total": "52200.00"}
    assert faults(accepted(), {"/tax_groups": [half, half]}) == [("/tax_groups/1", "tax_groups.duplicate")]


def test_contract_groups_ascend():
    assert faults(TWO_GROUPS, {"/tax_groups": TWO_GROUPS["tax_groups"][::-1]}) == [("/tax_groups", "tax_groups.order")]


@pytest.mark.parametrize("rate", ["0", "15.99", "16.01", "18"])
def test_sfe_1_12_rates_are_those_in_force(rate):
    assert faults(accepted(), {"/tax_groups/0/rate": rate}) == [("/tax_groups/0/rate", "tax_group.rate")]


@pytest.mark.parametrize("group", "CG")
def test_sfe_1_12_rates_are_those_in_force_5_percent_from_june_2026_in_kinshasa(group):
    before = accepted(items=[item(tax_group=group)], issued_at="2026-05-31T22:59:59Z")
    after = accepted(items=[item(tax_group=group)], issued_at="2026-05-31T23:00:00Z")
    assert (before["tax_groups"][0]["rate"], after["tax_groups"][0]["rate"]) == ("8", "5")
    wrong_rate = [("/tax_groups/0/rate", "tax_group.rate")]
    assert faults(before, {"/issued_at": after["issued_at"]}) == wrong_rate
    assert faults(after, {"/issued_at": before["issued_at"]}) == wrong_rate


@pytest.mark.parametrize("member", ["base", "tax", "total"])
def test_sfe_1_5_group_amounts_are_computed(member):
    # The total follows the group, so that the group alone is at fault.
    changes = {f"/tax_groups/0/{member}": "100000.01", f"/totals/{member}": "100000.01"}
    if member == "total":
        changes["/payments/0/amount"] = "100000.01"
    assert faults(accepted(), changes) == [(f"/tax_groups/0/{member}", f"tax_group.{member}")]


@pytest.mark.parametrize("member", ["base", "tax", "specific_tax", "total"])
def test_sfe_1_5_7_totals_are_sums_of_groups(member):
    changes = {f"/totals/{member}": "0.01"}
    if member == "total":
        changes["/payments/0/amount"] = "0.01"
    assert faults(accepted(), changes) == [(f"/totals/{member}", f"totals.{member}")]


def test_totals_are_sums_of_groups_although_one_is_missing():
    changes = {"/tax_groups/1": cases.REMOVED, "/totals/tax": "14400.51"}
    assert faults(TWO_GROUPS, changes) == [("/tax_groups", "tax_groups.missing"), ("/totals/tax", "totals.tax")]


def test_totals_are_sums_of_groups_although_one_is_not_in_force():
    payload = accepted(items=[item(tax_group="O")])
    changes = {"/issued_at": "2026-05-31T22:59:59Z", "/totals/tax": "900.01"}
    not_in_force = ("/items/0/tax_group", "item.tax_group.not_in_force")
    assert faults(payload, changes) == [not_in_force, ("/totals/tax", "totals.tax")]


def test_a_group_that_is_missing_and_not_in_force_leaves_no_sum_to_compare():
    payload = accepted(items=[item(tax_group="O")])
    changes = {"/issued_at": "2026-05-31T22:59:59Z", "/tax_groups": [], "/totals/tax": "900.01"}
    not_in_force = ("/items/0/tax_group", "item.tax_group.not_in_force")
    assert faults(payload, changes) == [not_in_force, ("/tax_groups", "tax_groups.missing")]


def test_sfe_1_21_totals_are_sums_of_groups_and_not_zero():
    assert faults(accepted(), {"/totals/total": "0.00", "/payments": []}) == [("/totals/total", "totals.zero")]


def test_sfe_1_14_group_amounts_are_computed_group_n_as_wholly_vat():
    payload = accepted(items=[item("100.00", "1", "M"), item("16.00", "1", "N")])
    assert payload["tax_groups"][1] == {"code": "N", "rate": "0", "base": "0.00", "tax": "16.00", "total": "16.00"}
    as_base = {"code": "N", "rate": "0", "base": "16.00", "tax": "0.00", "total": "16.00"}
    changes = {"/tax_groups/1": as_base, "/totals/base": "116.00", "/totals/tax": "0.00"}
    assert faults(payload, changes) == [
        ("/tax_groups/1/base", "tax_group.base"),
        ("/tax_groups/1/tax", "tax_group.tax"),
    ]


def test_levies_are_outside_vat():
    assert accepted(items=[item("100.00", "1", "L")])["tax_groups"] == [
        {"code": "L", "rate": "0", "base": "100.00", "tax": "0.00", "total": "100.00"}
    ]


@given(invoices())
def test_what_is_computed_is_accepted(payload):
    assert faults(payload) == []


@given(invoices(), st.data())
def test_any_other_amount_is_refused(payload, data):
    """What passes `check` has exactly the computed amounts: one centime anywhere is found."""
    rows = [f"/tax_groups/{position}" for position in range(len(payload["tax_groups"]))]
    row = data.draw(st.sampled_from([*rows, "/totals"]))
    member = data.draw(st.sampled_from(["base", "tax", "total"]))
    target = payload["totals"] if row == "/totals" else payload["tax_groups"][int(row.rpartition("/")[2])]
    centimes = int(target[member].replace(".", "")) + data.draw(st.sampled_from([-1, 1, 100]))
    if centimes < 0:
        centimes = 1
    wrong = f"{centimes // 100}.{centimes % 100:02d}"
    assert f"{row}/{member}" in [pointer for pointer, _ in faults(payload, {f"{row}/{member}": wrong})]


@given(invoices())
def test_accepted_amounts_are_those_of_compute(payload):
    invoice = parsed(payload)
    assert rules.check(invoice) == ()
    assert taxes.compute(invoice) == (invoice.tax_groups, invoice.totals)
