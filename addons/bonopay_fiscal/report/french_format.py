"""Figures and dates of the contract (docs/contracts.md §2) as a French reader expects them. No ORM, no clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

THIN_SPACE = "\u202f"  # narrow no-break space: separates thousands, never breaks a figure over two lines


def grouped(plain: str) -> str:
    """Write a plain decimal string with French separators, keeping every digit that it has.

    >>> grouped("1234567.5").replace(THIN_SPACE, "_"), grouped("-0.5")
    ('1_234_567,5', '-0,5')
    """
    whole, _, fraction = plain.partition(".")
    sign = "-" if whole.startswith("-") else ""
    thousands = sign + f"{abs(int(whole)):,}".replace(",", THIN_SPACE)
    return f"{thousands},{fraction}" if fraction else thousands


def money(plain: str, currency: str | None = None) -> str:
    """Write a money string, with its currency code when given.

    >>> money("104400.50", "CDF").replace(THIN_SPACE, "_")
    '104_400,50_CDF'
    """
    return f"{grouped(plain)}{THIN_SPACE}{currency}" if currency else grouped(plain)


def percent(plain: str) -> str:
    """Write a percentage.

    >>> percent("16").replace(THIN_SPACE, "_")
    '16_%'
    """
    return f"{grouped(plain)}{THIN_SPACE}%"


def utc_time(stamp: str) -> datetime:
    """Read a UTC time of the contract, with or without milliseconds.

    >>> utc_time("2026-11-21T08:30:01.123Z").isoformat()
    '2026-11-21T08:30:01.123000+00:00'
    """
    return datetime.fromisoformat(stamp).astimezone(UTC)


def local_time(moment: datetime, zone: str) -> str:
    """Write an aware instant in the outlet's own zone.

    >>> local_time(utc_time("2026-11-21T23:30:00Z"), "Africa/Kinshasa")
    '22/11/2026 à 00:30:00'
    """
    return moment.astimezone(ZoneInfo(zone)).strftime("%d/%m/%Y à %H:%M:%S")


def date(iso: str) -> str:
    """Write a date of the contract.

    >>> date("2026-11-21")
    '21/11/2026'
    """
    return datetime.strptime(iso, "%Y-%m-%d").strftime("%d/%m/%Y")


def in_fours(code: str) -> str:
    """Split a code in groups of four for the eye; a code that has separators of its own is left alone.

    >>> in_fours("TESTAB12CD34")
    'TEST AB12 CD34'
    >>> in_fours("TEST-AB12")
    'TEST-AB12'
    """
    if not code.isalnum():
        return code
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))
