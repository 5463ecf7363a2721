"""What a screen needs around it: the practice, its patients, its money, and who looks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import NamedTuple
from uuid import UUID

from flask import current_app
from playwright.sync_api import Page

from booking_service.gateways.stripe import StripeGateway
from booking_service.languages import Language
from booking_service.links import Purpose
from tests import factories


class Shown(NamedTuple):
    """Where a screen is, and what is pressed there to see it."""

    path: str
    press: Callable[[Page], None] | None = None


@dataclass(frozen=True)
class Stage:
    """The service at a Monday noon, and somebody who reads `language`."""

    stripe: object
    gateway: StripeGateway
    work: Callable[[], list[str]]
    travel: Callable[[datetime], None]
    noon: datetime
    seeded: SimpleNamespace
    language: Language

    @property
    def name(self) -> str:
        """The longest name in the language."""
        return {"en": "Dana Whitfield", "es": "José Luis Fernández-Villanueva"}[self.language]

    def hold(self, page: str, booking_id: UUID) -> str:
        """The address of a page between picking a time and paying."""
        return f"/book/{self._token(Purpose.HOLD, booking_id)}/{page}"

    def visit(self, booking_id: UUID, page: str = "") -> str:
        """The address of a patient's own page."""
        return f"/v/{self._token(Purpose.VISIT, booking_id)}{page}"

    def join(self, membership_id: UUID) -> str:
        """The address of a membership that is paid for on the patient's phone."""
        return f"/m/{self._token(Purpose.JOIN, membership_id)}"

    def agree(self, booking_id: UUID, query: str = "") -> str:
        """Where a patient reads and signs the membership agreement."""
        return f"/agree/{self._token(Purpose.AGREE, booking_id)}{query}"

    def stop(self, entry_id: UUID) -> str:
        """Where a newcomer asks for no more mails."""
        return f"/wait/{self._token(Purpose.WAIT, entry_id)}"

    def held(self) -> UUID:
        """A time whose patient has not said who they are."""
        return factories.hold(lifetime=timedelta(minutes=10))

    def at_review(self) -> UUID:
        """A time whose patient has said who they are."""
        booking_id = self.held()
        person = replace(factories.details(name=self.name), locale=self.language)
        factories.patients.set_details(booking_id, person, timedelta(minutes=10))
        return booking_id

    def at_stripe(self, **more: object) -> SimpleNamespace:
        """A time whose patient is on Stripe's page."""
        return factories.at_stripe(language=self.language, name=self.name, **more)

    def paid(self, **more: object) -> SimpleNamespace:
        """A visit in three days, unless another slot is given."""
        more.setdefault("slot", factories.slot_in(72))
        return factories.paid(self.stripe, language=self.language, name=self.name, **more)

    def _token(self, purpose: Purpose, id_: UUID) -> str:
        return current_app.extensions["links"].token(purpose, id_)
