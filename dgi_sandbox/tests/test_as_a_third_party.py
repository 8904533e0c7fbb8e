"""Programs of others speak the interface in their own ways: all are understood alike, and refused alike.

The client is this file's own, on the standard library, and asks for nothing that the published interface does not have.
"""

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from .sandbox import ISF, NIF, NIM, Sandbox

Body = dict[str, Any]


class FailedError(Exception):
    """What such a program reports: an HTTP status that is not of success, or any error code that is not null."""

    def __init__(self, status: int, code: object) -> None:
        super().__init__(f"{status}, {code}")
        self.status, self.code = status, code


@dataclass(frozen=True)
class Dialect:
    """``text``: numbers as JSON strings. ``blank``: a field that is not used is sent as "" or 0, else left out.
    ``rate_names``: of a payment's currency and rate. ``slash``: after the collection's address. ``capitals``: of the
    action. ``scheme``: before the token. ``day``: the form of ``curDate``."""

    name: str
    text: bool = False
    blank: bool = False
    rate_names: tuple[str, str] = ("currencyCode", "currencyRate")
    slash: bool = False
    capitals: bool = False
    scheme: str = "Bearer "
    day: str = "2026-11-21T00:00:00.000"

    def number(self, text: str) -> str | float:
        return text if self.text else float(text)


DIALECTS = [
    Dialect("everything as text and nothing left out", text=True, blank=True, capitals=True),
    Dialect("numbers, and what is empty left out", rate_names=("curCode", "curRate"), day="2026-11-21 00:00:00"),
    Dialect("numbers and nothing left out", blank=True, slash=True),
    Dialect("text, and what is empty left out", text=True, rate_names=("curCode", "curRate"), slash=True),
    Dialect("the token alone", scheme="", capitals=True),
]


class Program:
    """Status, submit, compare, confirm; no more than an answer's own members is believed."""

    def __init__(self, service: Sandbox, dialect: Dialect, token: str | None = None) -> None:
        self._address = urlsplit(service.url).netloc
        self._token = service.token() if token is None else token
        self.dialect = dialect
        self._collection = "/edef/api/invoice" + ("/" if dialect.slash else "")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Raises FailedError."""
        connection = http.client.HTTPConnection(self._address, timeout=30)
        headers = {"Authorization": self.dialect.scheme + self._token, "Accept": "application/json"}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        read = json.loads(text) if text.startswith((b"{", b"[")) else {}
        code = read.get("errorCode") if isinstance(read, dict) else None
        if answer.status >= 400 or code is not None:
            raise FailedError(answer.status, code)
        return read

    def status(self) -> Body:
        return self.call("GET", self._collection)

    def submit(self, document: Body) -> Body:
        return self.call("POST", self._collection, document)

    def confirm(self, pending: Body, total: str | None = None) -> Body:
        number = self.dialect.number
        totals = {"total": number(total or str(pending["total"])), "vtotal": number(str(pending["vtotal"]))}
        return self.call("PUT", self._action(pending, "confirm"), totals)

    def cancel(self, pending: Body) -> Body:
        return self.call("PUT", self._action(pending, "cancel"))

    def certify(self, document: Body) -> Body:
        return self.confirm(self.submit(document))

    def _action(self, pending: Body, name: str) -> str:
        return f"/edef/api/invoice/{pending['uid']}/{name.upper() if self.dialect.capitals else name}"

    # --- documents

    def sale(self, rn: str = "V-1", **members: Any) -> Body:
        """Two bags of rice at 1 160 francs with VAT, for nobody in particular, paid cash."""
        rest = {"curCode": "", "curDate": "", "curRate": 0, "reference": "", "referenceType": "", "referenceDesc": ""}
        rest |= {f"cmt{letter}": "" for letter in "abcdefgh"}
        document = {
            "nif": NIF,
            "rn": rn,
            "mode": "ttc",
            "isf": ISF,
            "type": "FV",
            "items": [self.item()],
            "client": {"type": "PP"} | self._blank({"name": "PP", "nif": "", "contact": "", "address": ""}),
            "operator": {"id": "3", "name": "Mado"},
            "payment": [self.paid("2320.00")],
        }
        return self._blank(rest) | document | members

    def item(self, price: str = "1160.00", quantity: str = "2", **members: Any) -> Body:
        number = self.dialect.number
        rest = {"taxSpecificValue": "", "taxSpecificAmount": 0, "originalPrice": 0, "priceModification": ""}
        line = {"code": "SAC", "type": "BIE", "name": "Sac de riz", "taxGroup": "B"}
        return self._blank(rest) | line | {"price": number(price), "quantity": number(quantity)} | members

    def paid(self, amount: str, currency: str = "", rate: str = "0") -> Body:
        """In francs, whatever the currency."""
        named = dict(zip(self.dialect.rate_names, (currency, self.dialect.number(rate)), strict=True))
        payment = {"name": "ESPECES", "amount": self.dialect.number(amount)}
        return payment | (named if currency else self._blank(named))

    def in_dollars(self, rn: str) -> Body:
        rate = self.dialect.number("2320")
        members = {"curCode": "USD", "curDate": self.dialect.day, "curRate": rate}
        return self.sale(rn, **members, payment=[self.paid("2320.00", "USD", "2320")])

    def credit(self, code: str, rn: str = "A-1", **members: Any) -> Body:
        """All of a sale, taken back: quantities, prices and payments are positive."""
        return self.sale(rn, **{"type": "FA", "reference": code, "referenceType": "COR", **members})

    def _blank(self, members: Body) -> Body:
        return members if self.dialect.blank else {}


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.name)
def program(request: pytest.FixtureRequest, service: Sandbox) -> Program:
    return Program(service, request.param)


def test_sale_refund_and_cancel_in_each_way_of_speaking(program: Program) -> None:
    assert (program.status()["nim"], program.status()["pendingRequestsCount"]) == (NIM, 0)
    pending = program.submit(program.sale())
    found = [pending[name] for name in ("hab", "vab", "tab", "tb", "total", "vtotal")]
    assert found == [2000, 320, 2320, 16, 2320, 320] and len(pending["uid"]) == 36
    elements = program.confirm(pending)
    assert elements["counters"] == "1/1 FV" and elements["nim"] == NIM and elements["dateTime"]
    assert elements["qrCode"].split(";")[:4] == ["RDCDEF01", NIM, elements["codeDEFDGI"], NIF]
    assert len(elements["codeDEFDGI"]) == 24
    assert program.certify(program.in_dollars("V-2"))["counters"] == "2/2 FV"
    assert program.certify(program.credit(elements["codeDEFDGI"]))["counters"] == "1/3 FA"
    cancelled = program.cancel(program.submit(program.sale("V-3")))
    assert not any(cancelled[name] for name in ("codeDEFDGI", "qrCode", "counters"))
    assert program.status()["pendingRequestsCount"] == 0


def test_each_way_of_speaking_is_computed_alike(service: Sandbox) -> None:
    answers = []
    for number, dialect in enumerate(DIALECTS):
        answer = Program(service, dialect).submit(Program(service, dialect).in_dollars(f"V-{number}"))
        answers.append({name: value for name, value in answer.items() if name != "uid"})
    assert all(answer == answers[0] for answer in answers)


Wrong = Callable[[Program], Body]
REFUSED: dict[str, Wrong] = {
    "an unknown type": lambda p: p.sale(type="FX"),
    "another seller": lambda p: p.sale(nif="A9999999Z"),
    "an unknown ISF": lambda p: p.sale(isf="NOBODY"),
    "a company without its NIF": lambda p: p.sale(client={"type": "PM", "name": "Sarl"}),
    "nobody at the till": lambda p: p.sale(operator={"id": "3", "name": ""}),
    "no lines": lambda p: p.sale(items=[]),
    "a tax as goods": lambda p: p.sale(items=[p.item(type="TAX")]),
    "goods as a levy": lambda p: p.sale(items=[p.item(taxGroup="N")]),
    "a price of zero": lambda p: p.sale(items=[p.item(price="0")]),
    "a quantity below zero": lambda p: p.sale(items=[p.item(quantity="-2")]),
    "a franc that nobody paid": lambda p: p.sale(payment=[p.paid("2319.00")]),
    "dollars without a rate": lambda p: p.sale(payment=[p.paid("2320.00", "USD", "0")]),
    "a refund of nothing": lambda p: p.sale(type="FA", referenceType="COR"),
    "a refund of an unknown sale": lambda p: p.credit("TEST" + "A" * 20),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_refused_in_each_way_of_speaking_with_a_code_and_without_effect(program: Program, wrong: str) -> None:
    with pytest.raises(FailedError) as failed:
        program.submit(REFUSED[wrong](program))
    assert failed.value.status == 200 and failed.value.code is not None
    assert program.status()["pendingRequestsCount"] == 0


def test_refund_beyond_the_sale_or_of_another_price_is_refused(program: Program) -> None:
    code = program.certify(program.sale())["codeDEFDGI"]
    half = {"items": [program.item(quantity="1")], "payment": [program.paid("1160.00")]}
    dearer = {"items": [program.item(price="1161.00", quantity="1")], "payment": [program.paid("1161.00")]}
    assert program.certify(program.credit(code, "A-1", **half))["counters"] == "1/2 FA"
    for rn, members in (("A-2", {}), ("A-3", dearer)):
        with pytest.raises(FailedError):
            program.certify(program.credit(code, rn, **members))
    rebate = program.credit("RRR", "A-4", **half, referenceType="RRR")
    assert program.certify(rebate)["counters"] == "2/3 FA", "a rebate refers to no sale"


def test_totals_are_confirmed_to_the_centime_once_and_in_time(program: Program, service: Sandbox) -> None:
    pending = program.submit(program.sale())
    with pytest.raises(FailedError):
        program.confirm(pending, total="2320.01")
    assert program.confirm(pending)["counters"] == "1/1 FV", "a refused confirmation costs nothing"
    with pytest.raises(FailedError):
        program.confirm(pending)
    with pytest.raises(FailedError):
        program.submit(program.sale())  # the number is certified
    late = program.submit(program.sale("V-2"))
    service.faults(clock_offset_s=121)
    with pytest.raises(FailedError):
        program.confirm(late)


def test_eleventh_request_waits_until_another_is_finished(program: Program) -> None:
    waiting = [program.submit(program.sale(f"V-{number}")) for number in range(10)]
    assert {row["uid"] for row in program.status()["pendingRequestsList"]} == {one["uid"] for one in waiting}
    with pytest.raises(FailedError):
        program.submit(program.sale("V-10"))
    program.cancel(waiting[0])
    assert program.submit(program.sale("V-10"))["uid"]


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "{good}x"])
def test_token_that_is_not_the_e_mcf_s_is_unauthorised(program: Program, service: Sandbox, token: str) -> None:
    stranger = Program(service, program.dialect, token.format(good=service.token()))
    for ask in (stranger.status, lambda: stranger.submit(stranger.sale())):
        with pytest.raises(FailedError) as failed:
            ask()
        assert failed.value.status == 401


@pytest.mark.parametrize("body", [b"", b"  ", b"{", b"[1]", b"null"])
def test_body_that_is_no_document_is_a_bad_request(program: Program, body: bytes) -> None:
    with pytest.raises(FailedError) as failed:
        program.call("POST", "/edef/api/invoice", body)
    assert failed.value.status == 400


def test_tables_are_served_without_asking_twice(program: Program) -> None:
    rates = program.call("GET", "/edef/api/info/taxGroups")
    assert (rates["a"], rates["b"], rates["p"]) == (0, 16, 1)
    for name in ("invoiceTypes", "paymentTypes", "clientTypes", "referenceTypes", "itemTypes"):
        assert all(row["type"] and row["description"] for row in program.call("GET", f"/edef/api/info/{name}"))
    assert program.call("GET", "/edef/api/info/status")["nim"] == NIM
    (dollar,) = (row for row in program.call("GET", "/edef/api/info/currencyRates") if row["type"] == "USD")
    assert dollar["rate"] > 0
