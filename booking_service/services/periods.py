"""The months of a membership, counted as Stripe counts them, and when it would end."""

import calendar
from datetime import datetime, timedelta
from itertools import count

_MONTHS_A_YEAR = 12


def months_after(anchor: datetime, months: int) -> datetime:
    """Return the same day and time so many months later, or the month's last day if it is shorter.

    In UTC, as Stripe counts: January 31, February 28, March 31.
    """
    number = anchor.month - 1 + months
    year, month = anchor.year + number // _MONTHS_A_YEAR, number % _MONTHS_A_YEAR + 1
    last = calendar.monthrange(year, month)[1]
    return anchor.replace(year=year, month=month, day=min(anchor.day, last))


def first_end_after(anchor: datetime, moment: datetime) -> datetime:
    """Return the first end of a period at or after a moment."""
    ends = (months_after(anchor, months) for months in count(1))
    return next(end for end in ends if end >= moment)


def cancelled_at(
    anchor: datetime | None, period_ends_at: datetime | None, notice_days: int, now: datetime
) -> datetime | None:
    """Return when a membership ends that is cancelled now; None while its period is not known.

    That is the first end of a period that leaves the practice its notice.
    """
    if anchor is None or period_ends_at is None:
        return None
    earliest = now + timedelta(days=notice_days)
    return period_ends_at if period_ends_at >= earliest else first_end_after(anchor, earliest)
