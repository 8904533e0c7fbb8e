"""From what is known of an outlet to what somebody has to do. Pure: facts and a moment in, alarms out.

====================  ======================  =======================================================================
code                  level                   when
====================  ======================  =======================================================================
regularisation_due    notice … overdue        the oldest sealed document waits for 24, 36, 47, 48 h (033 art. 7 g)
pending_near_limit    warning, critical       the e-MCF may hold 8, or 10, unfinished requests: 10 is its most
documents_rejected    warning                 the DGI rejected sealed documents within 7 days
token_expiring        warning                 the token ends within 7 days
token_expired         critical                it has ended
token_unreadable      critical                the signer cannot decrypt it
dgi_silent            notice … critical       no answer for 15 minutes, 24 h, 7 days, although it was asked
reference_differs     warning                 the DGI's tables are not the fiscal core's
mcf_silent            warning                 the MCF last reached the DGI more than 7 days ago (SFE §1.6.1)
totals_differ         warning                 documents of 7 days were not sealed: the DGI's totals are not theirs
tickets_missing       warning                 tickets that a till signed never came, as it told within 7 days
till_cloned           critical                the key of a till was used at two places, and is not revoked
====================  ======================  =======================================================================
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, get_args

from msgspec import Struct

from bonopay_signer.sync.facts import REJECTED_DAYS, Facts, OutletRow
from bonopay_signer.sync.tills import GAP_DAYS
from bonopay_signer.sync.words import Words, words_of

Code = Literal[
    "regularisation_due",
    "pending_near_limit",
    "documents_rejected",
    "token_expiring",
    "token_expired",
    "token_unreadable",
    "dgi_silent",
    "reference_differs",
    "mcf_silent",
    "totals_differ",
    "tickets_missing",
    "till_cloned",
]
Level = Literal["notice", "warning", "critical", "overdue"]
CODES: tuple[Code, ...] = get_args(Code)
LEVELS: tuple[Level, ...] = get_args(Level)

REGULARISATION = timedelta(hours=48)
PENDING_LIMIT = 10
TOKEN_WARNING = timedelta(days=7)
_Steps = Sequence[tuple[timedelta, Level]]
_REGULARISATION_STEPS: _Steps = (
    (REGULARISATION, "overdue"),
    (timedelta(hours=47), "critical"),
    (timedelta(hours=36), "warning"),
    (timedelta(hours=24), "notice"),
)
_SILENCE_STEPS: _Steps = (
    (timedelta(days=7), "critical"),
    (timedelta(hours=24), "warning"),
    (timedelta(minutes=15), "notice"),
)
MCF_SILENCE = timedelta(days=7)
REMINDED: frozenset[Code] = frozenset({"mcf_silent"})
"""Told again on every further day (sync/watch.py)."""
_NEAR_LIMIT = 8
_HOUR = timedelta(hours=1)


class Alarm(Struct, frozen=True):
    """``since``: when it began to be of this level, null when that is not known."""

    code: Code
    level: Level
    since: datetime | None
    message: Words
    next_step: Words


def alarms_of(facts: Facts, now: datetime) -> list[Alarm]:
    """The alarms of an outlet. A closed outlet still has documents to regularise, and nothing else."""
    found = [*_regularisation(facts, now)]
    if not facts.row.is_closed:
        found += [*_pending(facts), *_rejected(facts), *_token(facts, now), *_silence(facts, now), *_tables(facts)]
        found += [*_mcf(facts, now), *_totals(facts), *_tills(facts)]
    return found


def _regularisation(facts: Facts, now: datetime) -> Iterator[Alarm]:
    oldest = facts.row.oldest_at
    reached = _reached(_REGULARISATION_STEPS, oldest, now)
    if reached is not None and oldest is not None:
        level, since = reached
        yield _alarm(
            "regularisation_due", level, since, number=facts.row.oldest_number, hours=int((now - oldest) / _HOUR)
        )


def _pending(facts: Facts) -> Iterator[Alarm]:
    pending = facts.row.pending_uids
    if pending >= _NEAR_LIMIT:
        level: Level = "critical" if pending >= PENDING_LIMIT else "warning"
        yield _alarm("pending_near_limit", level, None, pending=pending, limit=PENDING_LIMIT)


def _rejected(facts: Facts) -> Iterator[Alarm]:
    if facts.row.rejected:
        yield _alarm(
            "documents_rejected", "warning", facts.row.rejected_since, number=facts.row.rejected, days=REJECTED_DAYS
        )


def _token(facts: Facts, now: datetime) -> Iterator[Alarm]:
    expires_at = facts.token.expires_at
    if not facts.token.is_readable:
        yield _alarm("token_unreadable", "critical", None)
    elif expires_at is not None and expires_at <= now:
        yield _alarm("token_expired", "critical", expires_at, day=f"{expires_at:%Y-%m-%d %H:%M}")
    elif expires_at is not None and expires_at - TOKEN_WARNING <= now:
        yield _alarm("token_expiring", "warning", expires_at - TOKEN_WARNING, day=f"{expires_at:%Y-%m-%d %H:%M}")


def _silence(facts: Facts, now: datetime) -> Iterator[Alarm]:
    silent_since = facts.row.silent_since
    reached = _reached(_SILENCE_STEPS, silent_since, now)
    if reached is not None:
        yield _alarm("dgi_silent", reached[0], reached[1], day=f"{silent_since:%Y-%m-%d %H:%M}")


def _tables(facts: Facts) -> Iterator[Alarm]:
    if facts.tables.differences:
        yield _alarm("reference_differs", "warning", facts.tables.since, number=facts.tables.differences)


def _mcf(facts: Facts, now: datetime) -> Iterator[Alarm]:
    """An MCF that never told of a contact is counted from its registration."""
    row = facts.row
    last = row.mcf_last_contact or row.mcf_since
    if row.mcf_nim is not None and last is not None and last + MCF_SILENCE < now:
        values = {"nim": row.mcf_nim, "day": f"{last:%Y-%m-%d}", "backlog": row.mcf_backlog}
        yield _alarm("mcf_silent", "warning", last + MCF_SILENCE, _mcf_case(row), **values)


def _mcf_case(row: OutletRow) -> str:
    """Which words are true of a silent MCF."""
    if row.mcf_last_contact is not None:
        return ""
    return "no answer" if row.mcf_backlog is None else "no contact"


def _totals(facts: Facts) -> Iterator[Alarm]:
    """What was sealed first (deferred) and then rejected for its totals is among ``documents_rejected``."""
    row = facts.row
    if row.differing:
        yield _alarm("totals_differ", "warning", row.differing_since, number=row.differing, days=REJECTED_DAYS)


def _tills(facts: Facts) -> Iterator[Alarm]:
    tills = facts.tills
    if tills.missing:
        values = {"number": tills.missing, "days": GAP_DAYS, "tills": ", ".join(tills.missing_at)}
        yield _alarm("tickets_missing", "warning", tills.missing_since, **values)
    if tills.cloned:
        yield _alarm("till_cloned", "critical", tills.cloned_since, tills=", ".join(tills.cloned))


def _reached(steps: _Steps, begin: datetime | None, now: datetime) -> tuple[Level, datetime] | None:
    """The highest step that has been reached, and since when."""
    if begin is None:
        return None
    return next(((level, begin + after) for after, level in steps if begin + after <= now), None)


def _alarm(code: Code, level: Level, since: datetime | None, case: str = "", **values: object) -> Alarm:
    """``case``: what tells the words of an alarm apart besides its level."""
    message, next_step = words_of(code, case or level, values)
    return Alarm(code, level, since, message, next_step)
