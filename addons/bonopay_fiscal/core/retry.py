"""When to try again: the ladders are data, the clock and the dice are the caller's."""

from datetime import timedelta

#: Minutes before attempt 1, 2, 3, …; the last step repeats.
LADDER_MINUTES = (0, 1, 2, 5, 15, 60)
#: About three days of hourly attempts: past the 48 h of arrêté 033 art. 7 g, somebody has to look.
MAX_ATTEMPTS = 77
#: A document that others woke often has used up its attempts early: none is given up while the law still gives time.
LEAST_AGE = timedelta(hours=48)
#: About a day: half of the 48 h have passed, and somebody should know.
LATE_ATTEMPTS = 28
#: Share of a delay by which it is spread, so that the tills of a merchant do not come back together.
JITTER = 0.2


def delay(attempts: int, draw: float) -> timedelta:
    """Time to wait after ``attempts`` failed attempts.

    :param attempts: attempts made so far, ≥ 0
    :param draw: a number in [0, 1[ that places the delay within the jitter

    >>> delay(0, 0.5), delay(1, 0.5), delay(4, 0.5), delay(40, 0.5)
    (datetime.timedelta(0), datetime.timedelta(seconds=60), datetime.timedelta(seconds=900), \
datetime.timedelta(seconds=3600))
    >>> delay(5, 0.0), delay(5, 0.999)
    (datetime.timedelta(seconds=2880), datetime.timedelta(seconds=4318, microseconds=560000))
    """
    minutes = LADDER_MINUTES[min(attempts, len(LADDER_MINUTES) - 1)]
    return timedelta(minutes=minutes * (1 - JITTER + 2 * JITTER * draw))


def exhausted(attempts: int, age: timedelta) -> bool:
    """Whether ``attempts`` failed attempts since ``age`` are enough to stop and to call a person.

    >>> exhausted(MAX_ATTEMPTS, timedelta(hours=47)), exhausted(MAX_ATTEMPTS, timedelta(hours=48))
    (False, True)
    """
    return attempts >= MAX_ATTEMPTS and age >= LEAST_AGE
