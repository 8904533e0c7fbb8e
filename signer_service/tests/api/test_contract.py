"""The HTTP face: what is published is what is answered, whatever is sent."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from bonopay_signer.api.catalogue import PROBLEMS
from bonopay_signer.fiscal.fingerprint import CORE_VERSION, fingerprint

from ..support.processes import wait_until
from ..support.stand import Stand, document


@pytest.fixture(scope="module")
def description(stand: Stand) -> dict[str, Any]:
    return stand.http.get("/openapi.json").json()


def test_every_route_of_the_contract_is_described(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1")
    assert set(description["paths"]) == {
        "/api/v1/invoices",
        "/api/v1/invoices/batch",
        "/api/v1/invoices/{fiscal_number}",
        "/api/v1/outlets",
        "/api/v1/outlets/{outlet_id}",
        "/api/v1/outlets/{outlet_id}/sync/restart",
        "/api/v1/outlets/{outlet_id}/tills",
        "/api/v1/tills",
        "/api/v1/tills/{device_id}/credential",
        "/api/v1/tills/{device_id}/revoke",
        "/api/v1/tills/{device_id}/tickets",
        "/api/v1/reference",
        "/api/v1/sync/status",
        "/api/v1/events",
        "/api/v1/verify/{fiscal_number}",
        "/api/v1/verify/qr/{base32}",
        "/verify",
        "/verify/{fiscal_number}",
        "/V/{base32}",
        "/api/v1/verify/ticket/{base32}",
        "/P/{base32}",
        "/.well-known/till-keys/{outlet_id}",
        "/.well-known/fiscal-keys.json",
        "/api/v1/log",
        "/api/v1/log/checkpoint",
        "/api/v1/log/tile/{tile}",
        "/api/v1/log/proof/inclusion",
        "/api/v1/log/proof/consistency",
        "/api/v1/log/cosignatures",
        "/api/v1/witness",
        "/api/v1/witness/add-checkpoint",
        "/health",
        "/ready",
        "/openapi.json",
    }


def test_every_problem_is_described_somewhere_under_its_status(description: dict[str, Any]) -> None:
    described = {
        (status, code)
        for path in description["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        for code in _codes(answer)
    }
    # 405 is the answer to methods that are not described.
    expected = {(str(kind.status), code) for code, kind in PROBLEMS.items() if kind.status != 405}
    assert described == expected


def _codes(answer: dict[str, Any]) -> list[str]:
    problem = answer.get("content", {}).get("application/problem+json")
    return problem["schema"]["allOf"][1]["properties"]["code"]["enum"] if problem else []


def test_every_reference_of_the_description_exists(description: dict[str, Any]) -> None:
    text = json.dumps(description)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        target: Any = description
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]
        assert isinstance(target, dict)


def test_row_57_health_names_version_and_fingerprint_of_the_fiscal_core(stand: Stand) -> None:
    body = stand.http.get("/health").json()
    assert body["status"] == "ok"
    assert body["fiscal_core"] == {"version": CORE_VERSION, "fingerprint": fingerprint()}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/invoices/", 404, "not_found"),
        ("DELETE", "/api/v1/invoices", 405, "method_not_allowed"),
        ("PUT", "/api/v1/invoices/batch", 405, "method_not_allowed"),
        ("POST", "/api/v1/invoices/", 404, "not_found"),
        ("PUT", "/verify", 405, "method_not_allowed"),
    ],
)
def test_unknown_routes_and_methods_are_problems_too(
    stand: Stand, method: str, path: str, status: int, code: str
) -> None:
    response = stand.http.request(method, path)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert (status == 405) == ("allow" in response.headers)


def test_every_problem_speaks_both_languages() -> None:
    for problem in PROBLEMS.values():
        assert problem.fr.endswith(".") and problem.en.endswith(".") and problem.fr != problem.en
        assert problem.retryable == (problem.status == 429 or problem.status >= 500)


@pytest.mark.parametrize("name", ["%00", "%FF", "%F0%9F%92%B6", "a" * 5000])
@pytest.mark.parametrize(
    "path", ["/api/v1/invoices/{}", "/api/v1/outlets/{}", "/api/v1/verify/{}?code={}", "/verify/{}?code={}", "/V/{}"]
)
def test_names_that_cannot_be_are_not_found(stand: Stand, path: str, name: str) -> None:
    response = stand.get(path.format(name, name))
    assert response.status_code == (200 if path.startswith("/api/v1/verify") else 404)
    assert "internal_error" not in response.text


def test_request_id_is_taken_over_when_sound_and_made_otherwise(stand: Stand) -> None:
    sound = stand.http.get("/health", headers={"X-Request-Id": "till-7.2026-11-21"})
    assert sound.headers["x-request-id"] == "till-7.2026-11-21"
    unsound = stand.http.get("/health", headers={"X-Request-Id": "x" * 200}).headers["x-request-id"]
    assert unsound != "x" * 200 and len(unsound) == 32


def test_answers_are_not_cached_but_the_keys_are(stand: Stand) -> None:
    assert stand.post(document(stand.outlet())).headers["cache-control"] == "no-store"
    assert "public" in stand.http.get("/.well-known/fiscal-keys.json").headers["cache-control"]


def test_defect_is_answered_as_a_problem_and_logged_once_under_its_request_id(stand: Stand) -> None:
    outlet = stand.outlet()
    with stand.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM signer.outlet_head WHERE outlet_id = %s", [outlet.id])
    headers = {"Authorization": f"Bearer {stand.key}", "X-Request-Id": f"defect-{outlet.id}"}
    response = stand.http.get(f"/api/v1/outlets/{outlet.id}", headers=headers)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.headers["x-request-id"] == f"defect-{outlet.id}"
    assert response.headers["cache-control"] == "no-store"
    # The answer leaves before the request is logged.
    wait_until(lambda: len(_logged(stand, f"defect-{outlet.id}")) == 2, "the request is logged")
    mine = _logged(stand, f"defect-{outlet.id}")
    assert [(line["event"], line["level"]) for line in mine] == [("defect", "error"), ("request", "info")]
    assert f"outlet {outlet.id} has no chain" in mine[0]["exception"]
    told = [line for line in _lines(stand) if f"{outlet.id} has no chain" in line.get("exception", "")]
    assert told == [mine[0]], "told once"
    assert mine[1]["status"] == 500 and mine[1]["route"] == "/api/v1/outlets/{outlet_id}"


def _lines(stand: Stand) -> list[dict]:
    return [json.loads(line) for line in stand.log().splitlines()]


def _logged(stand: Stand, request_id: str) -> list[dict]:
    return [line for line in _lines(stand) if line.get("request_id") == request_id]


def test_description_is_openapi_3_1_by_the_published_schema(description: dict[str, Any]) -> None:
    """The OpenAPI Initiative's own schema of 3.1, as schemathesis brings it."""
    OPENAPI_31_VALIDATOR.validate(description)
    broken = {**description, "paths": {"/x": {"get": {"responses": {"200": {}}}}}}
    assert not OPENAPI_31_VALIDATOR.is_valid(broken), "it does find faults"


def test_operations_are_named_once_and_their_path_parameters_are_described(description: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in description["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    for path, operations in description["paths"].items():
        for operation in operations.values():
            described = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert described == set(re.findall(r"\{(\w+)\}", path)), path


def test_every_route_is_an_operation_and_needs_a_key_unless_it_is_public(
    stand: Stand, description: dict[str, Any]
) -> None:
    public = ("/api/v1/verify", "/api/v1/log", "/api/v1/witness", "/verify", "/V/", "/P/", "/.well-known", "/health")
    public += ("/ready", "/openapi.json")
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            secured = not path.startswith(public)
            assert ("security" in operation) == secured, path
            if secured:
                response = stand.http.request(method, path.replace("{", "").replace("}", ""))
                assert (response.status_code, response.json()["code"]) == (401, "unauthorized"), path
                assert response.headers["www-authenticate"] == "Bearer"


def test_headers_that_every_answer_has_are_described(stand: Stand, description: dict[str, Any]) -> None:
    for path, operations in description["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                assert "X-Request-Id" in answer["headers"], (path, status)
                assert ("Retry-After" in answer["headers"]) == (status in ("429", "503")), (path, status)
    sealed = stand.post(document(stand.outlet(mode="deferred")))
    described = description["paths"]["/api/v1/invoices"]["post"]["responses"]["201"]["headers"]
    assert set(described) <= {name.title() for name in sealed.headers}


def test_contract_page_names_every_problem_and_every_path(description: dict[str, Any]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text(encoding="utf-8")
    assert [code for code in PROBLEMS if f"`{code}`" not in page] == []
    of_the_log = ("/api/v1/log", "/api/v1/witness")
    assert [path for path in description["paths"] if path not in page and not path.startswith(of_the_log)] == []
