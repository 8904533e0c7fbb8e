"""The public log (C2SP tlog-tiles under ``/api/v1/log``), proofs, cosignatures, and the witness of other logs.

Anybody may ask. No answer holds an entry's signature, of which the receipt's short code is made: entry bundles are not
served, and who asks by fiscal number must bring the code, as for the verification.
"""

import hmac
from collections.abc import Awaitable
from typing import TypeVar

import structlog
from msgspec import Struct
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bonopay_signer.api.bodies import json_response, read_body
from bonopay_signer.api.problems import Problem
from bonopay_signer.fiscal.numbering import parse_fiscal_number
from bonopay_signer.fiscal.security import normalize_short_code, short_code
from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.checkpoints import encode_hash, origin_of, parse_size
from bonopay_signer.transparency.cosignatures import (
    CheckpointForked,
    CheckpointUnknown,
    accept_cosignatures,
    published_note,
)
from bonopay_signer.transparency.merkle import HASH_SIZE, ProofInvalid
from bonopay_signer.transparency.notes import SIGNATURE_LIMIT, EcdsaVerifier, NoteMalformed, NoteUntrusted
from bonopay_signer.transparency.proofs import prove_consistency, prove_inclusion
from bonopay_signer.transparency.store import EntryPlace, LogContradiction, LogId, LogStore, StoredCheckpoint
from bonopay_signer.transparency.tiles import parse_tile_path, width_at
from bonopay_signer.transparency.witness import CosignedLater, OtherSize, UnknownLog, Witness

SIZE_TYPE = "text/x.tlog.size"
NOTE_TYPE = "text/plain"
TILE_TYPE = "application/octet-stream"
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_Stored = TypeVar("_Stored")
_logger = structlog.get_logger(__name__)


class TransparencyLog:
    """What the routes need of the service: the rows, who keeps them, and the witness if this signer is one."""

    def __init__(
        self, pool: AsyncConnectionPool, authority: str, shard: int, checkpointer: Checkpointer, witness: Witness | None
    ) -> None:
        self.store = LogStore(pool)
        self.authority = authority
        self.shard = shard
        self.checkpointer = checkpointer
        self.witness = witness

    def origin(self, log: LogId) -> str:
        return origin_of(self.authority, log.shard, log.epoch)


class InclusionProof(Struct, frozen=True):
    """That the leaf at ``position`` (from 0) is in the tree of the signed ``checkpoint``, of ``size`` entries.

    Hashes in base64; ``proof`` from the leaf to the root (RFC 6962 §2.1.1).
    """

    origin: str
    position: int
    size: int
    leaf_hash: str
    proof: list[str]
    checkpoint: str


class ConsistencyProof(Struct, frozen=True):
    """That the tree of the signed ``checkpoint`` begins with the tree of ``old`` entries (RFC 6962 §2.1.2)."""

    origin: str
    old: int
    new: int
    proof: list[str]
    checkpoint: str


class LogHead(Struct, frozen=True):
    origin: str
    size: int


class LogView(Struct, frozen=True):
    """The open log, with the size of its last checkpoint; ``others``: of this authority, that have a checkpoint too.

    ``backlog``: entries after it. ``healthy``: none waits for longer than it should. ``alarm``: what is stored is not
    what was signed; nothing is signed until that is right again. ``keys``: the log's verifier keys (C2SP signed-note),
    ``witnesses``: those whose cosignatures are taken.
    """

    origin: str
    size: int
    backlog: int
    healthy: bool
    alarm: bool
    keys: list[str]
    witnesses: list[str]
    others: list[LogHead]


class WitnessedLog(Struct, frozen=True):
    """A log that this witness cosigns, and the size that it cosigned last; 0 before the first."""

    origin: str
    size: int


class WitnessView(Struct, frozen=True):
    verifier_key: str
    logs: list[WitnessedLog]


# --- the log


async def describe_log(request: Request) -> Response:
    log = _log(request)
    state = log.checkpointer.state()
    origin = log.origin(await _asked_log(request, log))
    heads = {log.origin(head.log): head.size for head in await log.store.heads()}
    view = LogView(
        origin,
        heads.pop(origin, 0),
        state.backlog,
        state.healthy,
        state.alarm,
        [EcdsaVerifier(origin, der).verifier_key for der in await log.store.public_keys()],
        await log.store.witnesses(),
        [LogHead(*head) for head in heads.items()],
    )
    return json_response(view)


async def read_checkpoint(request: Request) -> Response:
    log = _log(request)
    witnesses = _number(request, "witnesses") or 0
    if witnesses > SIGNATURE_LIMIT:
        raise Problem("parameter_invalid", f"witnesses: at most {SIGNATURE_LIMIT}")
    checkpoint = await log.store.latest_checkpoint(await _asked_log(request, log), witnesses)
    if checkpoint is None:
        raise Problem("not_found", "there is no such checkpoint yet")
    return _note(await published_note(log.store, checkpoint))


async def read_tile(request: Request) -> Response:
    """Full and partial tiles that a published checkpoint covers; they never change."""
    log = _log(request)
    try:
        tile, width = parse_tile_path(request.path_params["tile"])
    except ValueError as error:
        raise Problem("not_found", str(error)) from error
    latest = await log.store.latest_checkpoint(await _asked_log(request, log))
    if latest is None or width_at(tile, latest.size) < width:
        raise Problem("not_found", "no published checkpoint covers this tile")
    hashes = (await _told(log.store.tiles(latest.log, [tile], latest.size)))[tile]
    return Response(hashes[: width * HASH_SIZE], media_type=TILE_TYPE, headers=_FOR_EVER)


async def include(request: Request) -> Response:
    log = _log(request)
    if ("fiscal_number" in request.query_params) == ("position" in request.query_params):
        raise Problem("parameter_invalid", "give either fiscal_number and code, or position")
    place = await _place(request, log)
    shard, position = (place.shard, place.position) if place else (log.shard, _required(request, "position"))
    checkpoint = await _covering(request, log, shard)
    if checkpoint is None or position >= checkpoint.size:
        if place is not None and "size" not in request.query_params:
            raise Problem("log_behind")
        raise Problem("not_found", "the checkpoint does not cover this entry")
    leaf = place.leaf if place else (await _told(log.store.leaves(shard, position, position + 1)))[0]
    proof = await _told(prove_inclusion(log.store, position, leaf, checkpoint))
    return json_response(
        InclusionProof(
            log.origin(checkpoint.log),
            position,
            checkpoint.size,
            encode_hash(leaf),
            [encode_hash(hash_) for hash_ in proof],
            await published_note(log.store, checkpoint),
        )
    )


async def extend(request: Request) -> Response:
    log = _log(request)
    old = _required(request, "old")
    current = await _asked_log(request, log)
    new = _number(request, "new")
    checkpoint = await (log.store.latest_checkpoint(current) if new is None else log.store.checkpoint(current, new))
    if checkpoint is None:
        raise Problem("not_found", "no checkpoint of the new size was published")
    if old > checkpoint.size:
        raise Problem("parameter_invalid", "old: above the new size")
    proof = await _told(prove_consistency(log.store, checkpoint.log, old, checkpoint.size))
    return json_response(
        ConsistencyProof(
            log.origin(checkpoint.log),
            old,
            checkpoint.size,
            [encode_hash(hash_) for hash_ in proof],
            await published_note(log.store, checkpoint),
        )
    )


async def add_cosignatures(request: Request) -> Response:
    log = _log(request)
    try:
        checkpoint = await accept_cosignatures(log.store, log.authority, await read_body(request))
    except NoteMalformed as error:
        raise Problem("checkpoint_malformed", str(error)) from error
    except NoteUntrusted as error:
        raise Problem("checkpoint_untrusted", str(error)) from error
    except CheckpointUnknown as error:
        raise Problem("not_found", f"no such checkpoint was published: {error}") from error
    except CheckpointForked as error:
        raise Problem("checkpoint_forked", str(error)) from error
    return _note(await published_note(log.store, checkpoint))


# --- the witness of other logs


async def describe_witness(request: Request) -> Response:
    witness = _witness(request)
    logs = [WitnessedLog(origin, (await witness.last(origin)).size) for origin in witness.origins]
    return json_response(WitnessView(witness.verifier_key, logs))


async def add_checkpoint(request: Request) -> Response:
    """Status codes of C2SP tlog-witness; all but 409 are problem details."""
    witness = _witness(request)
    try:
        line = await witness.add_checkpoint(await read_body(request))
    except OtherSize as error:
        return Response(f"{error.size}\n", 409, {"Content-Type": SIZE_TYPE})
    except NoteMalformed as error:
        raise Problem("checkpoint_malformed", str(error)) from error
    except NoteUntrusted as error:
        raise Problem("checkpoint_untrusted", str(error)) from error
    except UnknownLog as error:
        raise Problem("not_found", f"this witness does not know the log {error}") from error
    except ProofInvalid as error:
        raise Problem("proof_invalid", str(error)) from error
    except CosignedLater as error:
        raise Problem("clock_behind", str(error)) from error
    return _note(line)


# --- what was asked


def _log(request: Request) -> TransparencyLog:
    return request.app.state.service.log


def _witness(request: Request) -> Witness:
    witness = _log(request).witness
    if witness is None:
        raise Problem("not_found", "this signer is no witness")
    return witness


async def _asked_log(request: Request, log: TransparencyLog, shard: int | None = None) -> LogId:
    """The shard's open log, or that of ``?epoch=``. Raises Problem where there never was one."""
    wanted = log.shard if shard is None else shard
    open_ = next((found for found, _ in await log.store.shards() if found.shard == wanted), None)
    if open_ is None:
        raise Problem("not_found", "there is no log yet")
    epoch = _number(request, "epoch")
    epoch = open_.epoch if epoch is None else epoch
    if not 1 <= epoch <= open_.epoch:
        raise Problem("not_found", f"there is no log epoch {epoch}")
    return LogId(wanted, epoch)


async def _place(request: Request, log: TransparencyLog) -> EntryPlace | None:
    """The entry of ``?fiscal_number=``; an unknown number and a wrong code are answered alike."""
    number = request.query_params.get("fiscal_number")
    if number is None:
        return None
    try:
        parse_fiscal_number(number)
        code = normalize_short_code(request.query_params.get("code", ""))
    except ValueError as error:
        raise Problem("not_found") from error
    place = await log.store.invoice(number)
    if place is None or not hmac.compare_digest(short_code(place.signature), code):
        raise Problem("not_found")
    return place


async def _covering(request: Request, log: TransparencyLog, shard: int) -> StoredCheckpoint | None:
    """The last checkpoint, or the one of ``?size=``, which must have been published."""
    asked = await _asked_log(request, log, shard)
    size = _number(request, "size")
    if size is None:
        return await log.store.latest_checkpoint(asked)
    checkpoint = await log.store.checkpoint(asked, size)
    if checkpoint is None:
        raise Problem("not_found", f"no checkpoint of {size} entries was published")
    return checkpoint


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    try:
        return None if text is None else parse_size(text)
    except NoteMalformed as error:
        raise Problem("parameter_invalid", f"{name}: {error}") from error


def _required(request: Request, name: str) -> int:
    number = _number(request, name)
    if number is None:
        raise Problem("parameter_invalid", f"{name} is missing")
    return number


def _note(text: str) -> Response:
    return PlainTextResponse(text, headers={"Cache-Control": "no-cache"})


async def _told(stored: Awaitable[_Stored]) -> _Stored:
    """Raises Problem ``log_contradiction`` instead of LogContradiction."""
    try:
        return await stored
    except LogContradiction as error:
        _logger.error("the log contradicts itself", reason=str(error))
        raise Problem("log_contradiction") from error
