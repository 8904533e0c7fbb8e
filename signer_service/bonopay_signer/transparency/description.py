"""The log's part of ``/openapi.json``."""

from typing import Any

from bonopay_signer.api.catalogue import PROBLEMS
from bonopay_signer.api.problems import MEDIA_TYPE
from bonopay_signer.transparency.notes import SIGNATURE_LIMIT
from bonopay_signer.transparency.routes import (
    NOTE_TYPE,
    SIZE_TYPE,
    TILE_TYPE,
    ConsistencyProof,
    InclusionProof,
    LogView,
    WitnessView,
)

TYPES = (LogView, InclusionProof, ConsistencyProof, WitnessView)

_NOTE = {"type": "string", "examples": ["bonopay.bono-cd-demo/0/1\n3\n…\n\n— bonopay.bono-cd-demo/0/1 …\n"]}
_SIZE = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "string", "examples": ["BONO-KIN001-01-000000001"]}
_CODE = {"type": "string", "maxLength": 40, "examples": ["7K3M-9QXD-R2TA"]}
_TILE = {"type": "string", "examples": ["0/000", "0/x001/067", "1/000.p/8"]}


def paths() -> dict[str, Any]:
    epoch = _query("epoch", {"type": "integer", "minimum": 1, "maximum": 99})
    return {
        "/api/v1/log": {
            "get": _operation(
                "The open log of this signer", _json(LogView), [epoch], ("not_found", "parameter_invalid")
            )
        },
        "/api/v1/log/checkpoint": {"get": _read_checkpoint(epoch)},
        "/api/v1/log/tile/{tile}": {"get": _read_tile(epoch)},
        "/api/v1/log/proof/inclusion": {"get": _include(epoch)},
        "/api/v1/log/proof/consistency": {"get": _extend(epoch)},
        "/api/v1/log/cosignatures": {"post": _add_cosignatures()},
        "/api/v1/witness": {
            "get": _operation("The witness of other logs", _json(WitnessView), [], ("not_found",)),
        },
        "/api/v1/witness/add-checkpoint": {"post": _add_checkpoint()},
    }


def _read_checkpoint(epoch: dict[str, Any]) -> dict[str, Any]:
    witnesses = _query("witnesses", {"type": "integer", "minimum": 0, "maximum": SIGNATURE_LIMIT})
    return _operation(
        "The last checkpoint, or the last that so many witnesses cosigned (C2SP tlog-checkpoint)",
        _content(NOTE_TYPE, _NOTE),
        [witnesses, epoch],
        ("not_found", "parameter_invalid"),
    )


def _read_tile(epoch: dict[str, Any]) -> dict[str, Any]:
    tile = {"name": "tile", "in": "path", "required": True, "schema": _TILE}
    return _operation(
        "A tile of the tree, `<L>/<N>[.p/<W>]` (C2SP tlog-tiles); the slashes are part of the path",
        _content(TILE_TYPE, {"type": "string", "contentMediaType": TILE_TYPE}),
        [tile, epoch],
        ("not_found", "parameter_invalid", "log_contradiction"),
    )


def _include(epoch: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        _query("fiscal_number", _NUMBER),
        _query("code", _CODE),
        _query("position", _SIZE),
        _query("size", _SIZE),
        epoch,
    ]
    operation = _operation(
        "Proof that an entry is in the log",
        _json(InclusionProof),
        parameters,
        ("not_found", "parameter_invalid", "log_behind", "log_contradiction"),
    )
    words = (
        "By fiscal number and short code, or by position; in the last checkpoint, or in the published one of `size`."
    )
    return operation | {"description": words}


def _extend(epoch: dict[str, Any]) -> dict[str, Any]:
    parameters = [_query("old", _SIZE) | {"required": True}, _query("new", _SIZE), epoch]
    return _operation(
        "Proof that a checkpoint's tree begins with the tree of an older size",
        _json(ConsistencyProof),
        parameters,
        ("not_found", "parameter_invalid", "log_contradiction"),
    )


def _add_cosignatures() -> dict[str, Any]:
    codes = ("checkpoint_malformed", "checkpoint_untrusted", "not_found", "checkpoint_forked", "too_large")
    operation = _operation(
        "Add the cosignatures of registered witnesses to a published checkpoint", _content(NOTE_TYPE, _NOTE), [], codes
    )
    return operation | {"requestBody": {"required": True, "content": {NOTE_TYPE: {"schema": _NOTE}}}}


def _add_checkpoint() -> dict[str, Any]:
    codes = ("checkpoint_malformed", "checkpoint_untrusted", "not_found", "proof_invalid", "clock_behind", "too_large")
    operation = _operation(
        "Cosign a checkpoint of a known log (C2SP tlog-witness)", _content(NOTE_TYPE, _NOTE), [], codes
    )
    conflict = {
        "description": "The size that was cosigned last",
        "content": {SIZE_TYPE: {"schema": {"type": "string"}}},
    }
    operation["responses"]["409"] = conflict
    return operation | {"requestBody": {"required": True, "content": {NOTE_TYPE: {"schema": {"type": "string"}}}}}


def _operation(
    summary: str, content: dict[str, Any], parameters: list[dict[str, Any]], codes: tuple[str, ...]
) -> dict[str, Any]:
    responses = {"200": {"description": summary, "content": content}, **_problems(codes)}
    return {"summary": summary, "tags": ["log"], "parameters": parameters, "responses": responses}


def _problems(codes: tuple[str, ...]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in (*codes, "ledger_unavailable", "internal_error"):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _problem(status, names) for status, names in by_status.items()}


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/ProblemDetails"}
    schema = {"allOf": [reference, {"properties": {"code": {"enum": codes}}}]}
    answer: dict[str, Any] = {
        "description": "\n\n".join(f"`{code}`: {PROBLEMS[code].en}" for code in codes),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    if status == 503:
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "required": True}}
    return answer


def _json(kind: type) -> dict[str, Any]:
    return _content("application/json", {"$ref": f"#/components/schemas/{kind.__name__}"})


def _content(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {media_type: {"schema": schema}}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}
