"""What the service counts and measures, for Prometheus. No label names a merchant, an outlet or a document.

Children of labelled metrics are looked up once, here or where they are used: an observation then costs about 1 µs.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_FINE = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_COARSE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

SEALS = Counter(
    "bonopay_signer_seals",
    "Documents by outcome: sealed, replayed, or the code of the problem.",
    ["outcome"],
    registry=REGISTRY,
)
SEAL_SECONDS = Histogram(
    "bonopay_signer_seal_seconds",
    "From the document's bytes to its answer.",
    ["mode"],
    buckets=_COARSE,
    registry=REGISTRY,
)
STAGE_SECONDS = Histogram(
    "bonopay_signer_stage_seconds",
    "Of a document: parse, judge (rules), queue (wait for the writer). Of a batch: look_up, sign, append, head_store.",
    ["stage"],
    buckets=_FINE,
    registry=REGISTRY,
)
BATCH_ENTRIES = Histogram("bonopay_signer_batch_entries", "Entries of a batch.", buckets=_SIZES, registry=REGISTRY)
HSM_ERRORS = Counter("bonopay_signer_hsm_errors", "Batches that the token did not sign.", registry=REGISTRY)
DGI_CALLS = Counter(
    "bonopay_signer_dgi_calls", "Requests to the DGI by step and outcome.", ["step", "outcome"], registry=REGISTRY
)
DGI_SECONDS = Histogram(
    "bonopay_signer_dgi_seconds", "Duration of requests to the DGI.", ["step"], buckets=_COARSE, registry=REGISTRY
)
REFERENCE_ANSWERS = Counter(
    "bonopay_signer_reference_answers",
    "Requests for the DGI's tables by outcome: answered, failed; unreadable counts tables.",
    ["outcome"],
    registry=REGISTRY,
)
REFERENCE_CHANGES = Counter(
    "bonopay_signer_reference_changes", "Rows that the DGI's tables gained, by table.", ["table"], registry=REGISTRY
)
REFERENCE_DIFFERENCES = Gauge(
    "bonopay_signer_reference_differences",
    "Codes and rates that the DGI's tables have otherwise than the fiscal core, over all its addresses.",
    registry=REGISTRY,
)
OUTLET_ALARMS = Gauge(
    "bonopay_signer_outlet_alarms",
    "Outlets with an alarm, by its code and level (sync/alarms.py).",
    ["code", "level"],
    registry=REGISTRY,
)
TICKETS = Counter(
    "bonopay_signer_tickets",
    "Provisional tickets that tills brought: accepted, known, refused.",
    ["result"],
    registry=REGISTRY,
)
TILLS_TOLD = Counter(
    "bonopay_signer_tills_told",
    "What the chains were told of tills: credential, offline_gap, till_cloned.",
    ["kind"],
    registry=REGISTRY,
)
LOG_LINES_LOST = Counter("bonopay_signer_log_lines_lost", "Request lines that could not be written.", registry=REGISTRY)
QUEUE_DOCUMENTS = Gauge("bonopay_signer_queue_documents", "Documents that wait for the writer.", registry=REGISTRY)
QUEUE_LIMIT = Gauge("bonopay_signer_queue_limit", "Documents that may wait for the writer.", registry=REGISTRY)
SIGNING_PROCESSES = Gauge("bonopay_signer_signing_processes", "Signing processes that live.", registry=REGISTRY)
LEDGER_ENTRIES = Gauge("bonopay_signer_ledger_entries", "Entries of this shard's ledger.", registry=REGISTRY)

parse, judge, queue = (STAGE_SECONDS.labels(stage) for stage in ("parse", "judge", "queue"))
look_up, sign = STAGE_SECONDS.labels("look_up"), STAGE_SECONDS.labels("sign")
append, head_store = STAGE_SECONDS.labels("append"), STAGE_SECONDS.labels("head_store")
seal_seconds = {mode: SEAL_SECONDS.labels(mode) for mode in ("inline", "deferred")}


@contextmanager
def timed(stage: Histogram) -> Iterator[None]:
    """Observe how long the block takes, also when it raises."""
    started = time.perf_counter()
    try:
        yield
    finally:
        stage.observe(time.perf_counter() - started)
