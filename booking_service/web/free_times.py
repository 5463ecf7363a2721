"""Free times as patients' pages list them, finished and kept ready: see `queries.ready`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from flask import current_app, g, render_template
from markupsafe import Markup

from booking_service.clock import local_day, utc_now
from booking_service.models import Offer, Practice
from booking_service.queries import availability, patient_pages
from booking_service.queries.ready import Ready, good_until
from booking_service.web import languages
from booking_service.web.forms import TimesFilter, TimesWanted

DAYS_LISTED: Final = timedelta(days=7)
DAYS_ON_OFFER: Final = 14


class Doctor(NamedTuple):
    """Somebody who can be booked."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Listed:
    """What a page says of free times. The texts are HTML: the buttons inside a form."""

    practice: Practice
    offer: Offer
    practitioners: Sequence[Doctor]
    today: date
    wanted: TimesFilter
    next_first: date | None  # where the following page begins, if anything is bookable there
    slots: Sequence[availability.Slot]  # the soonest, at most three
    soonest: Markup  # the same; empty when nothing is free
    days: Markup  # empty when nothing fits
    said: str  # how many there are, for those who listen


def on_offer() -> Listed:
    """Return the next three times."""
    return _kept(TimesWanted(), DAYS_ON_OFFER)


def listed(wanted: TimesWanted) -> Listed:
    """Return a week of free times, as it was asked for."""
    return _kept(wanted, DAYS_LISTED.days)


def _kept(wanted: TimesWanted, days: int) -> Listed:
    ready = current_app.extensions["ready_answers"]
    question = ("page", languages.current(), wanted, days)
    found: Listed = ready.answer(question, lambda: _made(wanted, days))
    g.clinic = found.practice
    return found


def _made(asked: TimesWanted, number: int) -> Ready[Listed]:
    practice = patient_pages.practice()
    today = local_day(utc_now(), practice.zone)
    wanted = TimesFilter.of(asked, today, practice.horizon_days)
    free = availability.free_days(wanted.first, number, wanted.practitioner_id)
    days = patient_pages.times(free, practice.zone, wanted.part)
    words = {"practice": practice, "today": today, "days": days}
    following = wanted.first + DAYS_LISTED
    last = today + timedelta(days=practice.horizon_days)
    soonest = patient_pages.soonest(patient_pages.times(free, practice.zone))
    made = Listed(
        practice=practice,
        offer=patient_pages.current_offer(),
        practitioners=[Doctor(row.id, row.name) for row in availability.practitioners()],
        today=today,
        wanted=wanted,
        next_first=following if following <= last else None,
        slots=soonest,
        soonest=_html("book/soonest.html", soonest=soonest, **words) if soonest else Markup(),
        days=_html("book/days.html", **words) if any(day.slots for day in days) else Markup(),
        said=_html("book/said.html", **words).striptags(),
    )
    return Ready(made, good_until(practice, free), len(made.soonest) + len(made.days))


def _html(template: str, **words: object) -> Markup:
    return Markup(render_template(template, **words))  # noqa: S704 - a template of ours escaped it
