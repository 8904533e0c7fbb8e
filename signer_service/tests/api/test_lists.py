"""Lists: filters, cursors, and that nobody lists what is another's."""

import base64
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from bonopay_signer.api.cursors import BadCursor, Cursors
from bonopay_signer.sealing.listing import STATUSES, Filters, statement

from ..support.processes import wait_until
from ..support.sandbox import OTHER_SELLER, SELLER
from ..support.stand import Outlet, Stand, document


def _page(stand: Stand, key: str, **parameters: Any) -> dict[str, Any]:
    response = stand.http.get("/api/v1/invoices", params=parameters, headers={"Authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text
    return response.json()


def _all(stand: Stand, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while cursor is not None:
        page = _page(stand, key, **parameters, **({"cursor": cursor} if cursor else {}))
        assert len(page["invoices"]) <= parameters.get("limit", 50)
        yield from page["invoices"]
        cursor = page["next_cursor"]


def _numbers(invoices: Any) -> list[str]:
    return [invoice["fiscal_number"] for invoice in invoices]


def _seal(stand: Stand, outlet: Outlet, minute: int, **members: Any) -> dict[str, Any]:
    response = stand.post(document(outlet, issued_at=f"2026-11-20T10:{minute:02d}:00Z", **members))
    assert response.status_code == 201, response.text
    return response.json()


@pytest.fixture(scope="module")
def outlet(stand: Stand) -> Outlet:
    return stand.outlet(mode="deferred")


@pytest.fixture(scope="module")
def sealed(stand: Stand, outlet: Outlet) -> list[dict[str, Any]]:
    """Twelve invoices of one outlet, a minute apart, settled; not sealed in the order of their times."""
    order = [3, 1, 2, 0, 5, 4, 7, 6, 9, 8, 11, 10]
    invoices = {minute: _seal(stand, outlet, minute) for minute in order}
    wait_until(lambda: stand.settled(outlet), "the DGI has judged all", timeout=60)
    return [invoices[minute] for minute in range(12)]


@pytest.fixture(scope="module")
def key(stand: Stand, outlet: Outlet) -> str:
    """Reads this outlet alone."""
    return stand.api_key(outlets=[outlet.id], operations=("read",))


def test_latest_issued_comes_first_and_every_page_follows_the_one_before(
    stand: Stand, sealed: list[dict[str, Any]], key: str
) -> None:
    expected = _numbers(reversed(sealed))
    for limit in (1, 5, 12, 200):
        assert _numbers(_all(stand, key, limit=limit)) == expected
    assert _page(stand, key, limit=12)["next_cursor"] is None, "no empty page at the end"


def test_invoice_that_is_sealed_between_two_pages_moves_nothing(
    stand: Stand, outlet: Outlet, sealed: list[dict[str, Any]]
) -> None:
    own = stand.outlet(mode="deferred")
    key = stand.api_key(outlets=[own.id], operations=("read",))
    numbers = [_seal(stand, own, minute)["fiscal_number"] for minute in (10, 20, 30, 40)]
    first = _page(stand, key, limit=2)
    assert _numbers(first["invoices"]) == numbers[:1:-1]
    _seal(stand, own, 50)  # before the first page
    _seal(stand, own, 35)  # inside the first page
    late = _seal(stand, own, 15)["fiscal_number"]  # inside what is still to come
    second = _page(stand, key, limit=10, cursor=first["next_cursor"])
    assert _numbers(second["invoices"]) == [numbers[1], late, numbers[0]]


def test_items_are_what_reading_them_answers(stand: Stand, sealed: list[dict[str, Any]], key: str) -> None:
    for listed in _page(stand, key)["invoices"]:
        record = stand.get(f"/api/v1/invoices/{listed['fiscal_number']}", key).json()
        payload, sealed_statement = record.pop("payload"), record.pop("statement")
        shown = {
            "outlet_id": payload["outlet_id"],
            "invoice_type": payload["invoice_type"],
            "issued_at": payload["issued_at"],
            **{name: sealed_statement[name] for name in ("total", "tax", "currency")},
        }
        assert listed == record | shown


def test_each_filter_restricts(stand: Stand, outlet: Outlet, sealed: list[dict[str, Any]], key: str) -> None:
    def found(**parameters: Any) -> list[str]:
        return _numbers(_all(stand, key, **parameters))

    numbers = _numbers(sealed)
    assert found(outlet_id=outlet.id) == numbers[::-1]
    assert found(type="FV") == numbers[::-1] and found(type="EA") == []
    assert found(issued_from="2026-11-20T10:09:00Z") == numbers[:8:-1], "from is included"
    assert found(issued_to="2026-11-20T10:02:00Z") == numbers[1::-1], "to is not"
    assert found(issued_from="2026-11-20T10:04:00Z", issued_to="2026-11-20T10:06:00Z", limit=1) == numbers[5:3:-1]
    assert found(document_id=sealed[4]["document_id"]) == [numbers[4]]
    assert found(document_id="00000000-0000-4000-8000-000000000000") == []
    assert found(dgi_status="certified") == numbers[::-1]
    assert all(found(dgi_status=status) == [] for status in ("pending", "unknown", "rejected"))


def test_states_of_the_dgi_are_told_apart(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred", dgi_url="http://127.0.0.1:9/edef")
    key = stand.api_key(outlets=[outlet.id], operations=("read",))
    numbers = [_seal(stand, outlet, minute)["fiscal_number"] for minute in range(3)]
    assert {invoice["dgi"]["status"] for invoice in _page(stand, key)["invoices"]} == {"pending"}
    assert _numbers(_all(stand, key, dgi_status="pending", limit=1)) == numbers[::-1]
    with stand.database.as_admin() as connection:
        connection.execute("UPDATE signer.submission SET state = 'unknown' WHERE fiscal_number = %s", [numbers[1]])
    assert _numbers(_all(stand, key, dgi_status="unknown")) == [numbers[1]]
    assert _numbers(_all(stand, key, dgi_status="pending")) == [numbers[2], numbers[0]]
    for status in STATUSES:
        assert {i["dgi"]["status"] for i in _page(stand, key, dgi_status=status)["invoices"]} <= {status}


def test_rejected_invoice_is_listed_as_such(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    key = stand.api_key(outlets=[outlet.id], operations=("read",))
    good = _seal(stand, outlet, 1)["fiscal_number"]
    wait_until(lambda: stand.settled(outlet), "the DGI has judged it")
    stand.change_outlet(outlet, isf="WRONG-ISF")
    bad = _seal(stand, outlet, 2)["fiscal_number"]
    wait_until(lambda: stand.settled(outlet), "the DGI has judged both", timeout=60)
    assert _numbers(_all(stand, key, dgi_status="rejected")) == [bad]
    assert _numbers(_all(stand, key, dgi_status="certified")) == [good]


@pytest.mark.parametrize(
    ("parameters", "faults"),
    [
        ([("limit", "0")], [("/limit", "parameter.form")]),
        ([("limit", "201")], [("/limit", "parameter.form")]),
        ([("limit", "1e1")], [("/limit", "parameter.form")]),
        ([("limit", "٣")], [("/limit", "parameter.form")]),
        ([("limit", "")], [("/limit", "parameter.form")]),
        ([("type", "fv")], [("/type", "parameter.form")]),
        ([("issued_from", "2026-02-30T00:00:00Z")], [("/issued_from", "parameter.form")]),
        ([("issued_from", "2026-11-20")], [("/issued_from", "parameter.form")]),
        ([("issued_from", "2026-11-20T10:00:00Z\x00")], [("/issued_from", "parameter.form")]),
        (
            [("issued_from", "2026-11-21T00:00:00Z"), ("issued_to", "2026-11-20T00:00:00Z")],
            [("/issued_to", "parameter.range")],
        ),
        ([("dgi_status", "done")], [("/dgi_status", "parameter.form")]),
        ([("document_id", "x")], [("/document_id", "parameter.form")]),
        ([("outlet_id", "a b")], [("/outlet_id", "parameter.form")]),
        ([("cursor", "x")], [("/cursor", "parameter.cursor")]),
        ([("cursor", "é")], [("/cursor", "parameter.cursor")]),
        ([("limit", "1"), ("limit", "2")], [("/limit", "parameter.repeated")]),
        ([("outletid", "KIN001")], [("/outletid", "parameter.unknown")]),
        ([("a/b~c", "1")], [("/a~1b~0c", "parameter.unknown")]),
        ([("limit", "x"), ("type", "y")], [("/limit", "parameter.form"), ("/type", "parameter.form")]),
    ],
)
def test_bad_parameter_is_named(stand: Stand, parameters: list[tuple[str, str]], faults: list[tuple[str, str]]) -> None:
    headers = {"Authorization": f"Bearer {stand.key}"}
    response = stand.http.get("/api/v1/invoices", params=parameters, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "parameter_invalid"), response.text
    assert [(finding["pointer"], finding["code"]) for finding in response.json()["findings"]] == faults
    for finding in response.json()["findings"]:
        assert finding["message"]["fr"] != finding["message"]["en"]


def test_cursor_is_good_for_its_own_list_only(stand: Stand, sealed: list[dict[str, Any]], key: str) -> None:
    cursor = _page(stand, key, limit=2)["next_cursor"]
    headers = {"Authorization": f"Bearer {key}"}
    altered = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for other in (
        {"cursor": cursor, "type": "FV"},
        {"cursor": base64.urlsafe_b64encode(altered[:-1] + bytes([altered[-1] ^ 1])).decode().rstrip("=")},
        {"cursor": cursor[:-2]},
        {"cursor": cursor + "A"},
    ):
        response = stand.http.get("/api/v1/invoices", params=other, headers=headers)
        assert (response.status_code, response.json()["code"]) == (400, "parameter_invalid"), other
    response = stand.http.get("/api/v1/outlets", params={"cursor": cursor}, headers=headers)
    assert response.status_code == 400
    foreign = stand.api_key(nif=OTHER_SELLER)
    response = stand.get(f"/api/v1/invoices?cursor={cursor}", foreign)
    assert response.status_code == 400, "nor for another merchant"


def test_cursor_outlives_a_change_of_the_secrets_key() -> None:
    old, new = "0" * 64, "1" * 64
    cursor = Cursors(old).give(["list", 1], ["a", 1])
    assert Cursors(f"{new}\n{old}").take(["list", 1], cursor) == ["a", 1]
    with pytest.raises(BadCursor):
        Cursors(new).take(["list", 1], cursor)
    with pytest.raises(BadCursor):
        Cursors(old).take(["list", 2], cursor)


def test_key_lists_what_it_covers_and_nothing_else(stand: Stand, outlet: Outlet, sealed: list[dict[str, Any]]) -> None:
    foreign = stand.outlet(nif=OTHER_SELLER, mode="deferred")
    foreign_key = stand.api_key(nif=OTHER_SELLER)
    theirs = stand.post(document(foreign), key=foreign_key).json()["fiscal_number"]
    assert theirs not in _numbers(_all(stand, stand.key, limit=200))
    assert set(_numbers(_all(stand, foreign_key))).isdisjoint(_numbers(sealed))
    for unseen in (foreign.id, "NOSUCH"):
        assert stand.get(f"/api/v1/invoices?outlet_id={unseen}").status_code == 403
    other = stand.outlet(mode="deferred")
    narrow = stand.api_key(outlets=[other.id])
    assert _numbers(_all(stand, narrow)) == []
    assert stand.get(f"/api/v1/invoices?outlet_id={outlet.id}", narrow).status_code == 403
    assert stand.get("/api/v1/invoices", stand.api_key(operations=("seal",))).status_code == 403
    listed = [o["outlet_id"] for o in stand.get("/api/v1/outlets", narrow).json()["outlets"]]
    assert listed == [other.id]


def test_outlets_are_listed_by_pages(stand: Stand) -> None:
    outlets = sorted(stand.outlet(mode="deferred").id for _ in range(3))
    key = stand.api_key(outlets=outlets)
    first = stand.get("/api/v1/outlets?limit=2", key).json()
    second = stand.get(f"/api/v1/outlets?limit=2&cursor={first['next_cursor']}", key).json()
    assert [o["outlet_id"] for o in first["outlets"] + second["outlets"]] == outlets
    assert second["next_cursor"] is None
    assert first["outlets"][0]["nif"] == SELLER and first["outlets"][0]["dgi_mode"] == "deferred"
    for bad in ("limit=501", "cursor=x", "page=2"):
        assert stand.get(f"/api/v1/outlets?{bad}", key).json()["code"] == "parameter_invalid"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"type": "FV"},
        {"outlet_id": "OUT0001"},
        {"issued_from": "2026-11-20T10:00:00Z", "issued_to": "2026-11-20T11:00:00Z"},
    ],
    ids=["all", "type", "outlet", "issued"],
)
@pytest.mark.parametrize("after", [None, ["2026-11-20T10:30:00Z", "OUT0001", 7]], ids=["first", "next"])
def test_index_gives_the_order_and_the_range(stand: Stand, values: dict[str, Any], after: Any) -> None:
    """As the service's role under row-level security, which lets only leakproof conditions into an index."""
    key = type("Key", (), {"merchant_nif": SELLER, "outlets": None})()
    query, parameters = statement(Filters.of(key, values), after, 51)
    with psycopg.connect(stand.database.service, options=f"-c bonopay.merchant={SELLER}") as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_sort = off")
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {query}", parameters).fetchall())
    assert "Seq Scan" not in plan and "Sort  (" not in plan, plan
    condition = next(line for line in plan.splitlines() if "Index Cond" in line)
    assert "merchant_nif = " in condition
    for name, column in (("type", "document_type"), ("outlet_id", "outlet_id"), ("issued_from", "issued_at >=")):
        assert name not in values or column in condition, plan
    assert after is None or "ROW(" in condition, plan
