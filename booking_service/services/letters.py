"""Letters and texts: facts put into words, in the form the way out takes."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from booking_service import calendar_file
from booking_service.gateways.mail import Letter, Mailer
from booking_service.gateways.sms import Text, TextMessages
from booking_service.languages import Language
from booking_service.links import Links
from booking_service.models import Booking, Practice, Topic

_CALENDARS: Final = {
    Topic.BOOKING_CONFIRMED: calendar_file.build,
    Topic.BOOKING_MOVED: calendar_file.build,
    Topic.BOOKING_CANCELLED: calendar_file.cancellation,
}
Render = Callable[[str, Mapping[str, Any]], str]


class PostOffice:
    """What turns facts into a message: templates, links, and the ways out."""

    def __init__(
        self,
        mailer: Mailer,
        texts: TextMessages | None,
        render: Render,
        links: Links,
        lease: timedelta,
    ) -> None:
        self.mailer = mailer
        self.texts = texts  # none: the practice sends no text messages
        self.lease = lease
        self._render = render
        self._links = links

    def letter(self, topic: Topic, notification_id: UUID, facts: Mapping[str, Any]) -> Letter:
        """Write the three forms of a mail, and the calendar file where there is a visit to come."""
        practice: Practice = facts["practice"]
        words = self._words(facts)
        folder = f"emails/{topic.removeprefix('notifications.')}"
        return Letter(
            message_id=f"<{notification_id}@{practice.email.partition('@')[2]}>",
            to=facts["email"],
            sender_name=practice.name,
            reply_to=practice.email,
            subject=self._render(f"{folder}/subject.txt", words).strip(),
            text=self._render(f"{folder}/body.txt", words),
            html=self._render(f"{folder}/body.html", words),
            calendar=_calendar(topic, facts["booking"], practice, facts["locale"]),
        )

    def text(self, topic: Topic, notification_id: UUID, facts: Mapping[str, Any]) -> Text:
        """Write a text message."""
        template = f"sms/{topic.removeprefix('notifications.')}.txt"
        # Plain spaces: one that does not break would more than halve what a text can hold.
        body = " ".join(self._render(template, self._words(facts)).split())
        return Text(notification_id, facts["patient"].phone, body)

    def _words(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        booking, zone = facts["booking"], facts["practice"].zone
        if "newcomer" in facts:
            pages = {
                "hold_url": self._links.review(booking.id),
                "stop_url": self._links.stop_waiting(facts["newcomer"].id),
            }
        else:
            pages = {
                "visit_url": self._visit(booking),
                "agree_url": self._links.agree(booking.id, booking.link_version),
                "card_url": self._links.card(booking.id, booking.link_version),
                "book_url": self._links.book("missed-visit"),
            }
        visits = [(visit, self._visit(visit)) for visit in facts.get("visits", ())]
        return {**facts, **pages, "visits": visits, "zone": zone}

    def _visit(self, booking: Booking) -> str:
        return self._links.visit(booking.id, booking.link_version)


def _calendar(
    topic: Topic, booking: Booking, practice: Practice, language: Language
) -> bytes | None:
    """Return what puts the visit into a calendar, moves it there, or takes it out."""
    build = _CALENDARS.get(topic)
    if build is None:
        return None
    # Each file of a booking counts on from the one before: one a move, and one more at the end.
    sequence = booking.moves + (topic is Topic.BOOKING_CANCELLED)
    times = (booking.starts_at, booking.ends_at)
    entry = calendar_file.Entry(booking.id, booking.code, *times, language, sequence, booking.kind)
    return build(entry, practice)
