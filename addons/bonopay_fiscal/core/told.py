"""Values out of JSON that somebody else wrote: taken when they are what was agreed, else as not told."""

from datetime import UTC, datetime


def text(value: object, longest: int) -> str | None:
    """A text that the database can hold, cut at ``longest`` characters; ``None`` for nothing and for other types.

    >>> text("a\\x00b", 200), text("a\\ud800", 9), text("abc", 2), text("", 9), text(7, 9)
    ('ab', 'a?', 'ab', None, None)
    """
    if not isinstance(value, str):
        return None
    # PostgreSQL stores neither NUL nor a lone surrogate; JSON can carry both
    return value.replace("\0", "").encode("utf-8", "replace").decode()[:longest] or None


def count(value: object) -> int:
    """A number of things that fits into a column; 0 for everything else.

    >>> count(3), count(-1), count(True), count("3"), count(10**12)
    (3, 0, 0, 0, 2147483647)
    """
    return min(value, 2**31 - 1) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def moment(value: object) -> datetime | None:
    """RFC 3339 to naive UTC, whole seconds.

    >>> moment("2026-11-21T09:30:01.5+01:00"), moment("hier"), moment("2026-11-21T09:30:01")
    (datetime.datetime(2026, 11, 21, 8, 30, 1), None, None)
    """
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        # without an offset the moment would be a guess
        aware = parsed.astimezone(UTC) if parsed and parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return aware.replace(tzinfo=None, microsecond=0) if aware else None
