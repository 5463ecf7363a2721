"""The months of a membership, counted as Stripe counts them."""

import calendar
from datetime import datetime
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
