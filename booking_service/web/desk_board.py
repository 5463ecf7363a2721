"""The day as the desk sees it: where each card stands, and the one fact that matters on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from booking_service.clock import local_day, utc_now
from booking_service.models import BookingKind, ChargeStatus, MembershipStatus, RefundStatus
from booking_service.money import dollars
from booking_service.queries.front_desk import Column, DayBoard, DeskState, Off, Visit
from booking_service.web.filters import clock_time

_ROW: Final = timedelta(minutes=5)  # one row of the grid; staff.css has a class for each
_HOUR: Final = timedelta(hours=1)
_LATE: Final = timedelta(minutes=15)  # a patient who waits longer is shown in red
_SMALL: Final = 6  # fewer rows than this hold one line of text

# State: word, icon.
STATES: Final = {
    DeskState.UNPAID: ("Unpaid", "hourglass"),
    DeskState.EXPECTED: ("Expected", "circle-dashed"),
    DeskState.ARRIVED: ("Arrived", "log-in"),
    DeskState.IN_TREATMENT: ("In treatment", "stethoscope"),
    DeskState.MEMBER: ("Member", "badge-check"),
    DeskState.DONE: ("Done", "check"),
    DeskState.NO_SHOW: ("No-show", "user-x"),
    DeskState.CANCELLED: ("Cancelled", "x"),
}

_REFUND_FACTS: Final = {
    RefundStatus.FAILED: "refund failed · finance has it",
    RefundStatus.CANCELED: "refund failed · finance has it",
    RefundStatus.BLOCKED: "refund waits for finance",
    RefundStatus.EXTERNAL: "refunded in Stripe",
    RefundStatus.SETTLED_OTHERWISE: "paid back another way",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter: the state it shows (None: all) and how many visits are in it."""

    state: DeskState | None
    word: str
    icon: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Card:
    """One visit and its place: column from 1, rows of five minutes from the grid's start."""

    visit: Visit
    word: str
    icon: str
    fact: str
    is_late: bool
    is_small: bool
    column: int
    row: int
    rows: int


@dataclass(frozen=True, slots=True)
class Block:
    """A span in which nobody is seen, and why."""

    reason: str
    column: int
    row: int
    rows: int


@dataclass(frozen=True, slots=True)
class Board:
    """A day laid out. `now_row` is None on other days and outside the hours shown."""

    day: DayBoard
    chips: Sequence[Chip]
    chosen: DeskState | None
    cards: Sequence[Card]
    blocks: Sequence[Block]
    hours: Sequence[tuple[int, str]]  # row, label
    rows: int
    now_row: int | None
    now: datetime
    is_today: bool
    before: date
    after: date


def lay_out(day: DayBoard, chosen: DeskState | None) -> Board:
    """Place a day's visits on the grid. Cancelled ones are shown only when asked for."""
    now = utc_now()
    starts_at, ends_at = _span(day)
    places = {column.practitioner_id: n for n, column in enumerate(day.columns, start=1)}
    shown = [
        visit
        for visit in day.visits
        if visit.state is chosen or (chosen is None and visit.state is not DeskState.CANCELLED)
    ]
    now_row = (now - starts_at) // _ROW if starts_at <= now < ends_at else None
    return Board(
        day=day,
        chips=_chips(day),
        chosen=chosen,
        cards=[_card(visit, places, starts_at, now, day.zone) for visit in shown],
        blocks=_blocks(day.columns, starts_at, ends_at, shown),
        hours=[
            (row, clock_time(at, day.zone).replace(":00", ""))
            for row, at in _hours(starts_at, ends_at)
            # The time now stands in the same place and would cover half of it.
            if now_row is None or abs(row - now_row) > 1
        ],
        rows=(ends_at - starts_at) // _ROW,
        now_row=now_row,
        now=now,
        is_today=local_day(now, day.zone) == day.date,
        before=day.date - timedelta(days=1),
        after=day.date + timedelta(days=1),
    )


def _chips(day: DayBoard) -> list[Chip]:
    counts = {state: sum(visit.state is state for visit in day.visits) for state in STATES}
    everyone = len(day.visits) - counts[DeskState.CANCELLED]
    some = [
        Chip(state, word, icon, counts[state])
        for state, (word, icon) in STATES.items()
        if counts[state]
    ]
    return [Chip(None, "All", None, everyone), *some]


def _span(day: DayBoard) -> tuple[datetime, datetime]:
    """Return the whole hours that hold every opening and every visit, in UTC."""
    firsts = [opens for column in day.columns for opens, _ in column.hours]
    lasts = [closes for column in day.columns for _, closes in column.hours]
    firsts += [visit.starts_at for visit in day.visits]
    lasts += [visit.ends_at for visit in day.visits]
    if not firsts:
        now = utc_now()
        return now, now
    epoch = datetime.fromtimestamp(0, tz=min(firsts).tzinfo)
    first, last = min(firsts), max(lasts)
    return first - (first - epoch) % _HOUR, last + (epoch - last) % _HOUR


def _hours(starts_at: datetime, ends_at: datetime) -> Iterator[tuple[int, datetime]]:
    at = starts_at
    while at < ends_at:
        yield (at - starts_at) // _ROW, at
        at += _HOUR


def _blocks(
    columns: Sequence[Column], starts_at: datetime, ends_at: datetime, visits: Sequence[Visit]
) -> list[Block]:
    return [
        Block(
            # A card would hide half of the words.
            reason="" if _is_visited(column, off, visits) else off.reason,
            column=place,
            row=(off.starts_at - starts_at) // _ROW,
            rows=max((off.ends_at - off.starts_at) // _ROW, 1),
        )
        for place, column in enumerate(columns, start=1)
        for off in _closed(column, starts_at, ends_at)
    ]


def _is_visited(column: Column, off: Off, visits: Sequence[Visit]) -> bool:
    return any(
        visit.practitioner_id == column.practitioner_id
        and visit.starts_at < off.ends_at
        and visit.ends_at > off.starts_at
        for visit in visits
    )


def _closed(column: Column, starts_at: datetime, ends_at: datetime) -> Iterator[Off]:
    """Yield the spans of the shown hours in which a practitioner sees nobody."""
    closed_from = starts_at
    for opens, closes in [*column.hours, (ends_at, ends_at)]:
        if opens - closed_from >= _ROW:
            is_edge = closed_from == starts_at or opens == ends_at
            yield Off(closed_from, opens, "Not working" if is_edge else "Break")
        closed_from = closes
    for off in column.off:
        span = Off(max(off.starts_at, starts_at), min(off.ends_at, ends_at), off.reason)
        if span.starts_at < span.ends_at:
            yield span


def _card(
    visit: Visit, places: dict[UUID, int], starts_at: datetime, now: datetime, zone: ZoneInfo
) -> Card:
    word, icon = STATES[visit.state]
    rows = max((visit.ends_at - visit.starts_at) // _ROW, 1)
    return Card(
        visit=visit,
        word=word,
        icon=icon,
        fact=_fact(visit, now, zone),
        is_late=_is_late(visit, now),
        is_small=rows < _SMALL,
        column=places[visit.practitioner_id],
        row=(visit.starts_at - starts_at) // _ROW,
        rows=rows,
    )


def _is_late(visit: Visit, now: datetime) -> bool:
    """Whether somebody has waited too long past both arriving and the time that was booked."""
    if visit.state is not DeskState.ARRIVED or visit.arrived_at is None:
        return False
    return now - max(visit.arrived_at, visit.starts_at) > _LATE


def _fact(visit: Visit, now: datetime, zone: ZoneInfo) -> str:
    """Return the one thing about a visit that the desk needs to know now."""
    if visit.kind is BookingKind.FOLLOW_UP:
        return _follow_up_fact(visit, now, zone)
    amount = dollars(visit.amount_cents)
    facts = {
        DeskState.UNPAID: "pays on their phone",
        DeskState.EXPECTED: f"{amount} paid" + (" · Español" if visit.locale == "es" else ""),
        DeskState.ARRIVED: f"{amount} paid · {_waiting(visit, now, zone)}",
        DeskState.IN_TREATMENT: f"{amount} paid · {_in_treatment(visit, zone)}",
        DeskState.MEMBER: f"{amount} {_refund_fact(visit, zone)}",
        DeskState.DONE: f"Not today · {amount} kept",
        DeskState.NO_SHOW: f"{amount} kept",
        DeskState.CANCELLED: "Cancelled",
    }
    return facts[visit.state]


def _follow_up_fact(visit: Visit, now: datetime, zone: ZoneInfo) -> str:
    """Return the same for a visit of which no money is known: its plan includes it, or did."""
    facts = {
        DeskState.EXPECTED: "Español" if visit.locale == "es" else "",
        DeskState.ARRIVED: _waiting(visit, now, zone),
        DeskState.IN_TREATMENT: _in_treatment(visit, zone),
        DeskState.CANCELLED: "cancelled",
    }
    kind = "Follow-up" if visit.is_covered else "Membership ended"
    fact = facts.get(visit.state)
    return f"{kind} · {fact}" if fact else kind


def _waiting(visit: Visit, now: datetime, zone: ZoneInfo) -> str:
    if visit.arrived_at is None:
        return "arrived"
    waited = max(now - visit.arrived_at, timedelta())
    if waited < _HOUR:
        return f"waiting {waited // timedelta(minutes=1)} min"
    return f"since {clock_time(visit.arrived_at, zone)}"


def _in_treatment(visit: Visit, zone: ZoneInfo) -> str:
    if visit.membership_status is MembershipStatus.PENDING:
        is_declined = visit.charge_status is ChargeStatus.DECLINED
        return "card declined" if is_declined else "membership starting"
    return f"since {clock_time(visit.treatment_began_at, zone)}" if visit.treatment_began_at else ""


def _refund_fact(visit: Visit, zone: ZoneInfo) -> str:
    if visit.refund_status is RefundStatus.SUCCEEDED and visit.refunded_at:
        return f"refund accepted {clock_time(visit.refunded_at, zone)}"
    if visit.is_paid_at_desk:
        is_back = visit.refund_status is RefundStatus.SETTLED_OTHERWISE
        return "paid back" if is_back else "to be paid back"
    if visit.refund_status is None:
        return "paid · no refund"
    return _REFUND_FACTS.get(visit.refund_status, "refund on its way")
