"""A page of every kind that a patient can meet, for somebody with a long name and address."""

from datetime import timedelta
from itertools import count
from uuid import UUID

from flask import current_app

from booking_service.links import Purpose
from booking_service.models import Actor, Booking, BookingStatus, Payment, Tender
from booking_service.services import (
    bookings,
    checkout,
    choices,
    membership_pages,
    memberships,
    patients,
    visit_steps,
    waitlist,
)
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.factories import (
    HALF_AN_HOUR,
    PRIYA,
    at_stripe,
    change,
    converted,
    details,
    free_slot,
    hold,
    in_treatment,
    no_show,
    paid,
    plan,
    signed,
    slot_in,
)

NAME = "José Luis Fernández-Villanueva"
_NUMBERS = count(10)


def person(**more: str) -> dict[str, str]:
    """Return somebody new with the longest name, and an address of 60 letters."""
    number = next(_NUMBERS)
    email = f"jose.luis.fernandez-villanueva.{number}@correo-de-familias.example"
    assert len(email) == 60
    return {"name": NAME, "email": email, "phone": f"518 555 01{number}"} | more


class EveryState:
    """Makes one booking in each state; `paths` are the addresses of its pages."""

    def __init__(self, stripe, gateway) -> None:
        self._stripe, self._gateway = stripe, gateway
        self.links = current_app.extensions["links"]
        public = ("/", "/book", "/book?part=evening", "/terms", "/privacy", "/embed", "/nothing")
        self.paths = dict(zip(public, public, strict=True))
        self._on_the_way()
        self._without_a_time()
        self._at_the_desk()
        self._ahead()

    def hold_path(self, booking_id: UUID, page: str) -> str:
        return f"/book/{self.links.token(Purpose.HOLD, booking_id)}/{page}"

    def _visit(self, words: str, booking_id: UUID, page: str = "") -> None:
        self.paths[words] = f"/v/{self.links.token(Purpose.VISIT, booking_id)}{page}"

    def _on_the_way(self) -> None:
        self.held = hold(slot_in(12))
        self.paths["details"] = self.hold_path(self.held, "details")
        self.checked = hold(slot_in(13))
        for_child = details(**person(booked_by="María de los Ángeles Villanueva"))
        patients.set_details(self.checked, for_child, HALF_AN_HOUR)
        self.paths["review"] = self.hold_path(self.checked, "review")
        waiting = at_stripe(slot_in(14), **person()).booking_id
        for page in ("review", "done", "done?look=10"):
            self.paths[f"back from Stripe: {page}"] = self.hold_path(waiting, page)
        free, gone = hold(slot_in(15)), hold(slot_in(16))
        change(Booking, free, status=BookingStatus.EXPIRED)
        change(Booking, gone, status=BookingStatus.EXPIRED)
        hold(slot_in(16))
        self.paths["hold ended, free"] = self.hold_path(free, "review")
        self.paths["hold ended, gone"] = self.hold_path(gone, "review")

    def _without_a_time(self) -> None:
        for words, hours in (("lost", 17), ("money back", 18)):
            payment = self._lost(hours)
            self._visit(words, payment.booking_id)
        choices.send_back(payment.booking_id)
        odd = at_stripe(slot_in(19), **person())
        change(Payment, odd.id, amount_cents=4000)
        self._paid_on_stripes_page(odd)
        self._visit("looked at", odd.booking_id)

    def _lost(self, hours: int) -> Payment:
        late = at_stripe(slot_in(hours), **person())
        change(Booking, late.booking_id, status=BookingStatus.EXPIRED)
        paid(self._stripe, slot=slot_in(hours), **person())
        self._paid_on_stripes_page(late)
        return late

    def _paid_on_stripes_page(self, payment: Payment) -> None:
        self._stripe.pay(payment.stripe_checkout_session_id)
        checkout.confirm(payment.stripe_checkout_session_id, self._gateway)

    def _at_the_desk(self) -> None:
        visits = [paid(self._stripe, slot=free_slot(2 * n), **person()) for n in range(3)]
        no_show(visits[0])
        visit_steps.arrive(visits[1].booking_id, PRIYA)
        bookings.cancel(visits[2].booking_id, Actor.patient())
        treated = in_treatment(self._stripe, slot=free_slot(10), **person())
        done = in_treatment(self._stripe, slot=free_slot(13), **person())
        visit_steps.complete(done.booking_id, PRIYA)
        member = converted(self._stripe, slot=free_slot(16), **person())
        for words, visit in (
            ("missed", visits[0]),
            ("arrived", visits[1]),
            ("cancelled late", visits[2]),
            ("in treatment", treated),
            ("done", done),
            ("member", member),
        ):
            self._visit(words, visit.booking_id)
        for words, visit in (
            ("before check-in", paid(self._stripe, slot=free_slot(19), **person())),
            ("open", visits[1]),
            ("signed", treated),
            ("over", done),
        ):
            token = self.links.token(Purpose.AGREE, visit.booking_id)
            self.paths[f"agreement {words}"] = f"/agree/{token}"
        signed(treated.booking_id)
        joins, _ = memberships.convert(
            treated.booking_id,
            plan().id,
            Tendered(Tender.CHECKOUT_LINK),
            PRIYA,
            timedelta(0),
            agreement=Ground.SIGNATURE,
        )
        membership_pages.open_(joins, self._gateway, self.links)
        self.paths["joining"] = f"/m/{self.links.token(Purpose.JOIN, joins)}"

    def _ahead(self) -> None:
        self.known = person()
        self.booked = paid(self._stripe, slot=slot_in(90), **self.known).booking_id
        for page in ("", "/move", "/cancel"):
            self._visit(f"booked{page}", self.booked, page)
        soon = paid(self._stripe, slot=slot_in(20), **person())
        self._visit("soon", soon.booking_id)
        self._visit("soon/cancel", soon.booking_id, "/cancel")
        waits = paid(self._stripe, slot=slot_in(80), **person())
        waitlist.join(waits.booking_id)
        cancels = paid(self._stripe, slot=slot_in(60), **person())
        bookings.cancel(cancels.booking_id, Actor.patient())
        self._visit("cancelled in time", cancels.booking_id)
        self._visit("an earlier time", waits.booking_id)
