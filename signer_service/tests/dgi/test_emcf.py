"""The e-MCF driver: what it sends, how it reads every kind of answer, what it writes into the journal."""

from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.pool import make_pool
from bonopay_signer.dgi.device import (
    Busy,
    Document,
    Elements,
    Fate,
    NoUsableAnswer,
    Refused,
    UnknownOutcome,
    Unreachable,
)
from bonopay_signer.dgi.emcf import EmcfDevice, TokenScheme
from bonopay_signer.dgi.journal import Journal
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.secrets import SecretBox, new_key

from ..fiscal.builders import accepted, as_bytes
from ..support.databases import Database
from .twin import Expected, Twin

TOKEN = "the.secret.token"
NUMBER = "BONO-KIN001-01-000000001"
UID = "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11"
DOCUMENT = Document(NUMBER, "ABC-DEF-01", parse(as_bytes(accepted())))
CONFIRM = f"/edef/api/invoice/{UID}/confirm"
ELEMENTS = {
    "dateTime": "2026-11-21T09:30:01+01:00",
    "qrCode": "RDCDEF01;CD01000001-1;TESTAAAAAAAAAAAAAAAAAAAA;A1234567B;20261121093001",
    "codeDEFDGI": "TESTAAAAAAAAAAAAAAAAAAAA",
    "counters": "1/1 FV",
    "nim": "CD01000001-1",
    "errorCode": None,
    "errorDesc": None,
}


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[AsyncConnectionPool]:
    with psycopg.connect(database.owner) as connection:
        admin.add_merchant(connection, "A1234567B", "Vendeur", False)
        outlet = admin.NewOutlet(
            "KIN001", "A1234567B", "Kin", "1 av.", "CD01000001-1", "ABC-DEF-01", "inline", "http://dgi"
        )
        admin.add_outlet(connection, outlet, TOKEN, SecretBox.from_text(new_key()), False)
    async with make_pool(database.service, 2) as pool:
        yield pool


def _device(pool: AsyncConnectionPool, *script: Expected, scheme: TokenScheme = "bearer") -> tuple[EmcfDevice, Twin]:
    twin = Twin(f"Bearer {TOKEN}" if scheme == "bearer" else TOKEN, list(script))
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    client = httpx.AsyncClient(transport=twin.transport(), headers=headers)
    return EmcfDevice(client, "http://dgi/edef/", TOKEN, "KIN001", Journal(pool), scheme), twin


def _json(body: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


async def _journal(pool: AsyncConnectionPool) -> list[tuple]:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT direction, step, http_status, body, error FROM signer.dgi_exchange ORDER BY id"
        )
        return await cursor.fetchall()


async def test_prepare_sends_the_document_and_reads_totals_as_exact_decimals(pool: AsyncConnectionPool) -> None:
    answer = httpx.Response(
        200, content=b'{"uid": "u1", "total": 104400.00, "vtotal": 0.1, "hab": 90000.1, "vab": 0.1, "tab": 104400.00}'
    )
    device, twin = _device(pool, Expected("POST", "/edef/api/invoice", answer))
    pending = await device.prepare(DOCUMENT)
    assert (pending.uid, pending.totals.total, pending.totals.tax) == ("u1", Decimal("104400.00"), Decimal("0.1"))
    assert pending.totals.groups["B"].base == Decimal("90000.1")
    assert set(pending.totals.groups) == {"B"}
    assert b'"price":45000.00' in twin.bodies[0], "amounts are the decimal's own digits"


async def test_sfe_1_3_request_carries_number_mode_isf_and_no_more_than_applies(
    pool: AsyncConnectionPool,
) -> None:
    expected = {
        "nif": "A1234567B",
        "rn": NUMBER,
        "mode": "ht",
        "isf": "ABC-DEF-01",
        "type": "FV",
        "items": [
            {
                "code": "RIZ25",
                "type": "BIE",
                "name": "Riz 25 kg",
                "price": 45000.00,
                "quantity": 2,
                "taxGroup": "B",
            }
        ],
        "client": {"type": "PP"},
        "operator": {"id": "6", "name": "Comptable"},
        "payment": [{"name": "ESPECES", "amount": 104400.00}],
    }
    device, _ = _device(pool, Expected("POST", "/edef/api/invoice", _json({"errorCode": "8"}), expected))
    with pytest.raises(Refused):
        await device.prepare(DOCUMENT)


async def test_confirm_sends_both_totals_and_returns_the_elements_unchanged(pool: AsyncConnectionPool) -> None:
    device, _ = _device(pool, Expected("PUT", CONFIRM, _json(ELEMENTS), {"total": 104400.00, "vtotal": 14400.00}))
    elements = await device.confirm(NUMBER, UID, Decimal("104400.00"), Decimal("14400.00"))
    assert elements == Elements(
        ELEMENTS["codeDEFDGI"], ELEMENTS["nim"], ELEMENTS["counters"], ELEMENTS["dateTime"], ELEMENTS["qrCode"]
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_json({"errorCode": "3", "errorDesc": "type"}), Refused),
        (_json({"errorCode": 3, "errorDesc": "type"}, 400), Refused),
        (_json({"title": "Bad Request"}, 400), Refused),
        (_json({"errorCode": "1", "errorDesc": "trop"}), Busy),
        (_json({"errorCode": "10", "errorDesc": "plus tard"}), Busy),
        (_json({"errorCode": "99", "errorDesc": "traitement"}), UnknownOutcome),
        (_json({}, 401), Unreachable),
        (_json({}, 403), Unreachable),
        (_json({}, 404), Unreachable),
        (_json({}, 429), Busy),
        (httpx.Response(302, headers={"Location": "http://elsewhere/"}), Unreachable),
        (_json({}, 500), NoUsableAnswer),
        (_json({}, 503), NoUsableAnswer),
        (httpx.Response(200, content=b"<html>"), NoUsableAnswer),
        (httpx.Response(200, content=b"[]"), NoUsableAnswer),
        (_json({**ELEMENTS, "codeDEFDGI": ""}), UnknownOutcome),
        (_json({**ELEMENTS, "qrCode": None}), UnknownOutcome),
        (httpx.ConnectError("down"), Unreachable),
        (httpx.ConnectTimeout("slow"), Unreachable),
        (httpx.ReadTimeout("silent"), NoUsableAnswer),
        (httpx.ReadError("cut"), NoUsableAnswer),
        (httpx.RemoteProtocolError("cut"), NoUsableAnswer),
    ],
)
async def test_every_failure_is_told_apart(
    pool: AsyncConnectionPool, answer: httpx.Response | Exception, error: type[Exception]
) -> None:
    device, _ = _device(pool, Expected("PUT", CONFIRM, answer))
    with pytest.raises(error) as caught:
        await device.confirm(NUMBER, UID, Decimal(1), Decimal(0))
    assert type(caught.value) is error
    assert TOKEN not in str(caught.value) + repr(caught.value)


async def test_journal_holds_the_bytes_both_ways_and_never_the_token(pool: AsyncConnectionPool) -> None:
    answer = httpx.Response(200, content=b'{"errorCode": "3",  "errorDesc": "x"}')
    device, twin = _device(
        pool,
        Expected("PUT", CONFIRM, answer),
        Expected("PUT", CONFIRM, httpx.ReadTimeout("silent")),
    )
    for expected in (Refused, UnknownOutcome):
        with pytest.raises(expected):
            await device.confirm(NUMBER, UID, Decimal(1), Decimal(0))
    rows = await _journal(pool)
    assert [(direction, status, error) for direction, _, status, _, error in rows] == [
        ("request", None, None),
        ("answer", 200, None),
        ("request", None, None),
        ("answer", None, "ReadTimeout"),
    ]
    assert rows[0][3] == twin.bodies[0]
    assert rows[1][3] == b'{"errorCode": "3",  "errorDesc": "x"}'
    assert all(TOKEN.encode() not in body for _, _, _, body, _ in rows)


async def test_token_is_sent_alone_where_the_dgi_wants_it_so(pool: AsyncConnectionPool) -> None:
    device, twin = _device(pool, Expected("PUT", CONFIRM, _json(ELEMENTS)), scheme="raw")
    await device.confirm(NUMBER, UID, Decimal("104400.00"), Decimal("14400.00"))
    assert twin.script == []


async def test_request_is_on_record_before_it_is_sent(pool: AsyncConnectionPool) -> None:
    seen: list[tuple] = []
    device, _ = _device(pool)

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.extend(await _journal(pool))
        return _json(ELEMENTS)

    device._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    await device.confirm(NUMBER, UID, Decimal(1), Decimal(0))
    assert [row[:2] for row in seen] == [("request", "confirm")]


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (_json({**ELEMENTS, "state": "confirmed"}), "elements"),
        (_json({"uid": UID, "state": "pending", "errorCode": None}), Fate.PENDING),
        (_json({"uid": UID, "state": "expired"}), Fate.NOT_FINALISED),
        (_json({"uid": UID, "state": "cancelled"}), Fate.NOT_FINALISED),
        (_json({"uid": UID, "total": 1}), Fate.NOT_TOLD),
        (_json({"errorCode": "20", "errorDesc": "inconnu"}), Fate.NOT_TOLD),
    ],
)
async def test_fate_believes_only_what_is_plain(
    pool: AsyncConnectionPool, answer: httpx.Response, fate: object
) -> None:
    device, _ = _device(pool, Expected("GET", f"/edef/api/invoice/{UID}", answer))
    told = await device.fate(NUMBER, UID)
    assert isinstance(told, Elements) if fate == "elements" else told is fate


async def test_recall_finds_an_answer_on_record_without_asking(pool: AsyncConnectionPool) -> None:
    device, twin = _device(
        pool, Expected("PUT", CONFIRM, _json({"errorCode": "99"})), Expected("PUT", CONFIRM, _json(ELEMENTS))
    )
    assert await device.recall(NUMBER, UID) is None
    with pytest.raises(UnknownOutcome):
        await device.confirm(NUMBER, UID, Decimal(1), Decimal(0))
    assert await device.recall(NUMBER, UID) is None
    elements = await device.confirm(NUMBER, UID, Decimal(1), Decimal(0))
    assert await device.recall(NUMBER, UID) == elements
    assert await device.recall(NUMBER, "another-uid") is None
    assert twin.script == []


async def test_uid_cannot_lead_the_token_to_another_path(pool: AsyncConnectionPool) -> None:
    device, _ = _device(pool)
    paths: list[bytes] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return _json({})

    device._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    await device.cancel(NUMBER, "../../admin?x=")
    assert paths == [b"/edef/api/invoice/..%2F..%2Fadmin%3Fx%3D/cancel"]


async def test_status_reads_pending_uids_and_refuses_an_unreadable_list(pool: AsyncConnectionPool) -> None:
    status = {
        "status": True,
        "nim": "CD1",
        "nif": "A1",
        "tokenValid": "2027-01-01",
        "pendingRequestsList": [{"uid": UID}],
    }
    device, _ = _device(
        pool,
        Expected("GET", "/edef/api/invoice", _json(status)),
        Expected("GET", "/edef/api/invoice", _json({**status, "pendingRequestsList": [{}]})),
    )
    assert (await device.status()).pending_uids == {UID}
    with pytest.raises(UnknownOutcome):
        await device.status()


async def test_reference_tables_are_read_whole_with_exact_rates(pool: AsyncConnectionPool) -> None:
    names = ["taxGroups", "invoiceTypes", "paymentTypes", "clientTypes", "referenceTypes", "itemTypes", "currencyRates"]
    answers = {name: httpx.Response(200, content=b"[]") for name in names}
    answers["taxGroups"] = httpx.Response(200, content=b'{"a": 0, "b": 16, "c": 0.1}')
    device, twin = _device(pool, *[Expected("GET", f"/edef/api/info/{name}", answers[name]) for name in names])
    tables = await device.reference_tables()
    assert tables["taxGroups"]["c"] == Decimal("0.1") and set(tables) == set(names)
    assert twin.script == []


async def test_table_that_is_not_served_leaves_the_others_and_a_silent_dgi_is_asked_once(
    pool: AsyncConnectionPool,
) -> None:
    names = ["taxGroups", "invoiceTypes", "paymentTypes", "clientTypes", "referenceTypes", "itemTypes", "currencyRates"]
    served = [_json({}) if name == "taxGroups" else httpx.Response(404) for name in names]
    script = [Expected("GET", f"/edef/api/info/{name}", answer) for name, answer in zip(names, served, strict=True)]
    device, twin = _device(pool, *script)
    assert set(await device.reference_tables()) == {"taxGroups"} and twin.script == []
    device, twin = _device(pool, Expected("GET", "/edef/api/info/taxGroups", httpx.ConnectError("nobody")))
    with pytest.raises(Unreachable):
        await device.reference_tables()
    assert twin.script == []
