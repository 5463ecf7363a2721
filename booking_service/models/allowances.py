"""What a membership includes: so many visits a month, and whether one may be booked. Pure.

Months are counted from the local day the membership became active on, at the practice: whoever
joined on the 28th has months from the 28th to the 27th. Who joined on the 31st has, where there is
no 31st, a month that begins on the last day.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select

from booking_service.clock import local_day
from booking_service.languages import Sentence
from booking_service.models.bookings import Booking
from booking_service.models.memberships import Membership, MembershipStatus

# When the visits are that use up a membership's months; `besides` is one that is about to move.
COUNTED: Final = select(Booking.starts_at).where(
    Booking.membership_id == bindparam("membership_id"),
    Booking.given_back.is_(False),
    Booking.id.is_distinct_from(bindparam("besides", type_=Booking.id.type)),
)

_NOT_YET: Final = Sentence(
    "The membership begins when its first month is paid. Visits can be booked from then on."
)
_PAST_DUE: Final = Sentence(
    "The last payment of the membership didn't go through. Once it is paid, visits can be booked "
    "again."
)
_PAUSED: Final = Sentence("The membership is paused. Once it goes on, visits can be booked again.")
_OVER: Final = Sentence("The membership has ended, so no more visits can be booked with it.")
_CLOSED: Final = {
    MembershipStatus.PENDING: _NOT_YET,
    MembershipStatus.PAST_DUE: _PAST_DUE,
    MembershipStatus.CANCELLED: _OVER,
    MembershipStatus.ENDED: _OVER,
    MembershipStatus.UNDONE: _OVER,
}


class Month(NamedTuple):
    """A month of a membership: local days, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Allowance:
    """One membership, and when the visits are that count against its plan."""

    membership: Membership
    zone: ZoneInfo
    plan: str
    visits_a_month: int
    taken: Sequence[datetime]

    def closed(self, at: datetime) -> str | None:
        """Return why no visit at an instant may be booked now, however many are left.

        The one place that decides it: pages ask before they offer, services before they book.
        """
        membership = self.membership
        if membership.status is not MembershipStatus.ACTIVE or membership.active_at is None:
            return _CLOSED.get(membership.status, _NOT_YET)
        if membership.paused_at is not None:
            return _PAUSED
        if not self.covers(at):
            return Sentence("The membership ends before that day. Choose an earlier one.")
        return None

    def refusal(self, at: datetime) -> str | None:
        """Return why a visit at an instant may not be booked now, or None if it may."""
        closed = self.closed(at)
        if closed or self.left(at) > 0:
            return closed
        return Sentence(
            "All %(count)s visits of that month are booked or used. Choose a day of another month.",
            count=self.visits_a_month,
        )

    def covers(self, at: datetime) -> bool:
        """Return whether a visit at an instant is before the membership's end."""
        return is_covered(self.membership, at)

    def left(self, at: datetime) -> int:
        """Return how many visits are left in the month an instant is in."""
        month = self.month(at)
        taken = sum(month.first <= local_day(one, self.zone) <= month.last for one in self.taken)
        return max(self.visits_a_month - taken, 0)

    def month(self, at: datetime) -> Month:
        """Return the month an instant is in; before the membership began, the first."""
        day = local_day(at, self.zone)
        joined = local_day(self.membership.active_at or at, self.zone)
        number = max((day.year - joined.year) * 12 + day.month - joined.month, 0)
        if number and day < _months_later(joined, number):
            number -= 1
        following = _months_later(joined, number + 1)
        return Month(_months_later(joined, number), following - timedelta(days=1))


def is_covered(membership: Membership, at: datetime) -> bool:
    """Return whether a visit at an instant is before the end of its membership, as it is known."""
    end = membership.ended_at or membership.cancels_at
    return end is None or at < end


def _months_later(day: date, months: int) -> date:
    """Return the same day of a later month, or its last day where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
