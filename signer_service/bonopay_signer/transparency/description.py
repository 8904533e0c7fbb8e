"""The log's operations: the routes with what ``/openapi.json`` says of them."""

from typing import Any

from bonopay_signer.api.operations import Answer, Body, Endpoint, Operation, Parameter, in_path, in_query
from bonopay_signer.transparency import routes
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

_NOTE = {"type": "string", "examples": ["bonopay.bono-cd-demo/0/1\n3\n…\n\n— bonopay.bono-cd-demo/0/1 …\n"]}
_SIZE = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "string", "examples": ["BONO-KIN001-01-000000001"]}
_CODE = {"type": "string", "maxLength": 40, "examples": ["7K3M-9QXD-R2TA"]}
_TILE = {"type": "string", "examples": ["0/000", "0/x001/067", "1/000.p/8"]}
_EPOCH = in_query("epoch", {"type": "integer", "minimum": 1, "maximum": 99})


def _get(
    path: str,
    endpoint: Endpoint,
    name: str,
    summary: str,
    answer: Answer,
    problems: tuple[str, ...],
    *parameters: Parameter,
    description: str = "",
) -> Operation:
    problems = (*problems, "ledger_unavailable")
    return Operation(
        "GET", path, endpoint, name, "log", summary, (answer,), problems, parameters, description=description
    )


def _post(
    path: str,
    endpoint: Endpoint,
    name: str,
    summary: str,
    body: dict[str, Any],
    problems: tuple[str, ...],
    *others: Answer,
) -> Operation:
    answers = (Answer(200, summary, _NOTE, NOTE_TYPE), *others)
    problems = (*problems, "checkpoint_malformed", "checkpoint_untrusted", "not_found", "too_large")
    sent = Body(body, "", NOTE_TYPE)
    return Operation(
        "POST", path, endpoint, name, "log", summary, answers, (*problems, "ledger_unavailable"), body=sent
    )


OPERATIONS = (
    _get(
        "/api/v1/log",
        routes.describe_log,
        "describeLog",
        "The open log of this signer",
        Answer(200, "The log", LogView),
        ("not_found", "parameter_invalid"),
        _EPOCH,
    ),
    _get(
        "/api/v1/log/checkpoint",
        routes.read_checkpoint,
        "readCheckpoint",
        "The last checkpoint, or the last that so many witnesses cosigned (C2SP tlog-checkpoint)",
        Answer(200, "The note", _NOTE, NOTE_TYPE),
        ("not_found", "parameter_invalid"),
        in_query("witnesses", {"type": "integer", "minimum": 0, "maximum": SIGNATURE_LIMIT}),
        _EPOCH,
    ),
    _get(
        "/api/v1/log/tile/{tile:path}",
        routes.read_tile,
        "readTile",
        "A tile of the tree, `<L>/<N>[.p/<W>]` (C2SP tlog-tiles); the slashes are part of the path",
        Answer(200, "Hashes of 32 bytes", {"type": "string", "contentMediaType": TILE_TYPE}, TILE_TYPE),
        ("not_found", "parameter_invalid", "log_contradiction"),
        in_path("tile", _TILE),
        _EPOCH,
    ),
    _get(
        "/api/v1/log/proof/inclusion",
        routes.include,
        "proveInclusion",
        "Proof that an entry is in the log",
        Answer(200, "The proof", InclusionProof),
        ("not_found", "parameter_invalid", "log_behind", "log_contradiction"),
        in_query("fiscal_number", _NUMBER),
        in_query("code", _CODE),
        in_query("position", _SIZE),
        in_query("size", _SIZE),
        _EPOCH,
        description="By fiscal number and short code, or by position; in the last checkpoint, or in the published one "
        "of `size`.",
    ),
    _get(
        "/api/v1/log/proof/consistency",
        routes.extend,
        "proveConsistency",
        "Proof that a checkpoint's tree begins with the tree of an older size",
        Answer(200, "The proof", ConsistencyProof),
        ("not_found", "parameter_invalid", "log_contradiction"),
        in_query("old", _SIZE, required=True),
        in_query("new", _SIZE),
        _EPOCH,
    ),
    _post(
        "/api/v1/log/cosignatures",
        routes.add_cosignatures,
        "addCosignatures",
        "Add the cosignatures of registered witnesses to a published checkpoint",
        _NOTE,
        ("checkpoint_forked",),
    ),
    _get(
        "/api/v1/witness",
        routes.describe_witness,
        "describeWitness",
        "The witness of other logs",
        Answer(200, "The witness", WitnessView),
        ("not_found",),
    ),
    _post(
        "/api/v1/witness/add-checkpoint",
        routes.add_checkpoint,
        "addCheckpoint",
        "Cosign a checkpoint of a known log (C2SP tlog-witness)",
        {"type": "string"},
        ("proof_invalid", "clock_behind"),
        Answer(409, "The size that was cosigned last", {"type": "string"}, SIZE_TYPE),
    ),
)
