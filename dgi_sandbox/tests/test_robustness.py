"""Whatever arrives, the e-MCF accepts it or says why not: it never breaks."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bonopay_dgi_sandbox.accounts import Accounts, Outlet
from bonopay_dgi_sandbox.device import Device
from bonopay_dgi_sandbox.errors import RefusalError
from bonopay_dgi_sandbox.faults import Clock, Faults
from bonopay_dgi_sandbox.store import Store
from bonopay_dgi_sandbox.tables import load_tables
from bonopay_dgi_sandbox.wire import decode, encode

from .sandbox import ISF, NIF, NIM, sale

OUTLET = Outlet(NIM, "Gombe", "12 avenue du Commerce", NIF, "SARL", ISF)
FULL = {
    **sale(),
    **{"reference": "", "referenceType": "", "cmta": "", "curCode": "", "curRate": 0, "curDate": ""},
}
ODD_TEXT = st.sampled_from(
    ["\ud800", "\x00", "1e400", "-0", "9" * 400, "0.00", "RRR", "FA", "AO", "L", "N", "TAX", "ht"]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), ODD_TEXT)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner))
PATHS = [
    *((name,) for name in FULL),
    *(("items", 0, name) for name in (*FULL["items"][0], "taxSpecificAmount", "originalPrice")),
    *(("payment", 0, name) for name in ("name", "amount", "currencyCode", "currencyRate")),
    *(
        (block, name)
        for block, names in (("client", ("type", "name", "nif")), ("operator", ("name",)))
        for name in names
    ),
    ("items", 0),
    ("payment", 0),
]


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(FULL)
    target: Any = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return document


@pytest.fixture
def device(tmp_path: Path) -> Device:
    faults = Faults()
    clock = Clock(faults, lambda: datetime(2026, 1, 5, tzinfo=UTC))
    return Device(Store(tmp_path / "dgi.sqlite"), load_tables(), Accounts([OUTLET]), clock, faults)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@example(path=("rn",), value="\ud800")
@example(path=("type",), value="\ud800")
@given(path=st.sampled_from(PATHS), value=VALUES)
def test_any_value_in_any_field_is_accepted_or_refused(device: Device, path: tuple[Any, ...], value: Any) -> None:
    body = json.dumps(changed(path, value)).encode()
    try:
        pending = device.submit(OUTLET, body)
    except RefusalError as refusal:
        encode(refusal.answer())
        return
    totals = {name: pending[name] for name in ("total", "vtotal")}
    assert device.confirm(OUTLET, pending["uid"], encode(totals))["counters"]
    with device.store.transaction() as transaction:
        transaction.erase()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(total=VALUES, vtotal=VALUES)
def test_any_totals_are_confirmed_or_refused(device: Device, total: Any, vtotal: Any) -> None:
    uid = device.submit(OUTLET, encode(sale()))["uid"]
    try:
        device.confirm(OUTLET, uid, json.dumps({"total": total, "vtotal": vtotal}).encode())
    except RefusalError as refusal:
        assert refusal.row.name in {"unreadable", "out_of_range", "totals_differ"}
    with device.store.transaction() as transaction:
        transaction.erase()


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        assert isinstance(decode(body), dict)
    except RefusalError as refusal:
        assert refusal.row.name == "unreadable"
