"""Which alarm begins when, at which level, and that every one says what to do in both languages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bonopay_signer.sync.alarms import CODES, Alarm, alarms_of
from bonopay_signer.sync.facts import Facts, OutletRow, TableState, TokenState
from bonopay_signer.sync.tills import NOTHING, TillState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


READABLE, NO_TABLES = TokenState(True, None), TableState(0, None)


def facts(
    token: TokenState = READABLE, tables: TableState = NO_TABLES, tills: TillState = NOTHING, **members: Any
) -> Facts:
    quiet = {
        "outlet_id": "KIN001",
        "merchant_nif": "A1234567B",
        "mode": "deferred",
        "dgi_url": "http://dgi",
        "dgi_token": b"",
        "is_closed": False,
        "counts": {},
        "pending_uids": 0,
        "oldest_number": None,
        "oldest_at": None,
        "rejected": 0,
        "rejected_since": None,
        "answered_at": None,
        "silent_since": None,
        "differing": 0,
        "differing_since": None,
    }
    return Facts(OutletRow(**{**quiet, **members}), token, tables, tills)


def waiting(age: timedelta, **members: Any) -> Facts:
    return facts(oldest_number="BONO-KIN001-01-000000001", oldest_at=NOW - age, **members)


def one(given: Facts) -> tuple[str, str, datetime | None] | None:
    found = alarms_of(given, NOW)
    assert len(found) <= 1
    return (found[0].code, found[0].level, found[0].since) if found else None


def test_quiet_outlet_has_no_alarm() -> None:
    assert alarms_of(facts(), NOW) == []


@pytest.mark.parametrize(
    ("hours", "before", "level"),
    [(24, None, "notice"), (36, "notice", "warning"), (47, "warning", "critical"), (48, "critical", "overdue")],
)
def test_regularisation_steps_up_to_the_second(hours: int, before: str | None, level: str) -> None:
    found = one(waiting(hours * HOUR - SECOND))
    assert (found and found[1]) == before
    assert one(waiting(hours * HOUR)) == ("regularisation_due", level, NOW)
    assert one(waiting(hours * HOUR + 30 * timedelta(minutes=1))) == (
        "regularisation_due", level, NOW - 30 * timedelta(minutes=1)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pending", "level"), [(7, None), (8, "warning"), (9, "warning"), (10, "critical"), (11, "critical")]
)
def test_requests_near_the_e_mcfs_limit(pending: int, level: str | None) -> None:
    assert one(facts(pending_uids=pending)) == (level and ("pending_near_limit", level, None))


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (7 * DAY + SECOND, None),
        (7 * DAY, ("token_expiring", "warning", NOW)),
        (SECOND, ("token_expiring", "warning", NOW + SECOND - 7 * DAY)),
        (0 * DAY, ("token_expired", "critical", NOW)),
        (-3 * DAY, ("token_expired", "critical", NOW - 3 * DAY)),
    ],
)
def test_token_is_warned_of_for_seven_days_and_then_expired(left: timedelta, expected: object) -> None:
    assert one(facts(token=TokenState(True, NOW + left))) == expected


def test_token_that_does_not_decrypt() -> None:
    assert one(facts(token=TokenState(False, None))) == ("token_unreadable", "critical", None)


@pytest.mark.parametrize(
    ("silence", "level"),
    [(14 * timedelta(minutes=1), None), (HOUR, "notice"), (DAY, "warning"), (7 * DAY, "critical")],
)
def test_silence_grows_louder(silence: timedelta, level: str | None) -> None:
    found = one(facts(silent_since=NOW - silence))
    assert (found and found[:2]) == (level and ("dgi_silent", level))


def mcf(last_contact: datetime | None, registered: datetime = NOW - 30 * DAY, backlog: int | None = 0) -> Facts:
    return facts(mcf_nim="CD09", mcf_since=registered, mcf_last_contact=last_contact, mcf_backlog=backlog)


def test_mcf_without_contact_for_more_than_seven_days_with_a_backlog_or_not() -> None:
    assert one(mcf(NOW - 7 * DAY)) is None
    for backlog in (0, 12, None):
        found = one(mcf(NOW - 7 * DAY - SECOND, backlog=backlog))
        assert found == ("mcf_silent", "warning", NOW - SECOND)
    assert one(mcf(None)) == ("mcf_silent", "warning", NOW - 23 * DAY), "it never told of any since it is there"
    assert one(mcf(None, registered=NOW - DAY)) is None


def test_silent_mcf_is_told_to_have_had_a_contact_only_when_it_had_one() -> None:
    """Its registration is no contact, and of one that never answered nothing is known."""
    ((had,), (none,), (silent,)) = (
        alarms_of(given, NOW) for given in (mcf(NOW - 8 * DAY), mcf(None, backlog=3), mcf(None, backlog=None))
    )
    eight, registered = f"{NOW - 8 * DAY:%Y-%m-%d}", f"{NOW - 30 * DAY:%Y-%m-%d}"
    assert f"n'a pas joint la DGI depuis le {eight}" in had.message.fr and f"since {eight}" in had.message.en
    for alarm in (none, silent):
        assert f"enregistré le {registered}" in alarm.message.fr and "depuis" not in alarm.message.fr
        assert f"registered on {registered}" in alarm.message.en and "since" not in alarm.message.en
    assert none.message.fr.endswith(" : 3.") and none.message.en.endswith(": 3.")
    assert not any(character in silent.message.en for character in ":;"), "no backlog was told"


def test_documents_that_other_totals_block_are_counted_since_the_first() -> None:
    assert one(facts(differing=3, differing_since=NOW - DAY)) == ("totals_differ", "warning", NOW - DAY)


def test_lost_tickets_and_copied_keys_are_told_with_their_tills() -> None:
    lost = facts(tills=TillState(missing=12, missing_at=("T1", "T2"), missing_since=NOW - DAY))
    assert one(lost) == ("tickets_missing", "warning", NOW - DAY)
    copied = facts(tills=TillState(cloned=("T1",), cloned_since=NOW - HOUR))
    assert one(copied) == ("till_cloned", "critical", NOW - HOUR)
    (alarm,) = alarms_of(lost, NOW)
    assert "T1, T2" in alarm.message.fr and "12" in alarm.message.fr and "T1, T2" in alarm.message.en


def test_closed_outlet_still_has_to_regularise_and_nothing_else() -> None:
    tills = TillState(cloned=("T1",), cloned_since=NOW, missing=1, missing_at=("T1",), missing_since=NOW)
    noise = {"rejected": 1, "differing": 1, "pending_uids": 10, "silent_since": NOW - DAY, "tills": tills}
    closed = waiting(50 * HOUR, is_closed=True, **noise)
    assert one(closed) == ("regularisation_due", "overdue", NOW - 2 * HOUR)


def test_every_alarm_speaks_both_languages_and_says_what_to_do() -> None:
    everything = [
        *(waiting(hours * HOUR) for hours in (24, 48)),
        facts(pending_uids=9, rejected=2, rejected_since=NOW, silent_since=NOW - DAY, tables=TableState(3, NOW)),
        facts(differing=2, differing_since=NOW),
        *(facts(token=TokenState(True, NOW + days * DAY)) for days in (-1, 1)),
        facts(token=TokenState(False, None)),
        *(mcf(NOW - 8 * DAY), mcf(None), mcf(None, backlog=None)),
        facts(tills=TillState(("T1",), NOW, 3, ("T2",), NOW)),
    ]
    found: list[Alarm] = [alarm for given in everything for alarm in alarms_of(given, NOW)]
    assert {alarm.code for alarm in found} == set(CODES)
    for alarm in found:
        texts = [alarm.message.fr, alarm.message.en, alarm.next_step.fr, alarm.next_step.en]
        assert len(set(texts)) == 4 and all(text[-1] in ".?" and "{" not in text for text in texts)
