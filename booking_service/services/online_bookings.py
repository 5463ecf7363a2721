"""A first visit booked in one call: time, patient and terms at once, and Stripe's page."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from booking_service.db import transaction
from booking_service.errors import BookingServiceError
from booking_service.gateways.payments import PaymentGateway
from booking_service.links import Links
from booking_service.models import Booking
from booking_service.services import checkout, holds, orders, patients
from booking_service.services.orders import Consent
from booking_service.services.patient_details import PatientDetails


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be booked, for whom, and under which terms."""

    practitioner_id: UUID
    starts_at: datetime
    details: PatientDetails
    consent: Consent
    source: str | None


def book(
    wanted: Wanted, gateway: PaymentGateway, links: Links, lifetime: timedelta
) -> tuple[Booking, str]:
    """Hold a time for `lifetime`, and return the booking and where to pay for it; or hold nothing.

    Raises:
        Invalid: it is not a time that is offered.
        SlotTaken: somebody holds or has booked it.
        NotANewPatient: this person has had a first visit, or is a member.
        TooManyHolds: five times are kept for this address or number already, unpaid.
        TermsChanged: another version of the offer is on sale than the one agreed to.
        GatewayUnavailable: Stripe did not answer; nothing was charged, and the time is free again.
    """
    slot = (wanted.practitioner_id, wanted.starts_at)
    with holds.refusing_what_is_taken(*slot), transaction() as session:
        # The patient before the time: whoever locks both does it in this order.
        who = (patients.keep_holding(session, wanted.details), wanted.details.booked_by)
        booking = holds.put(session, slot, lifetime, wanted.source, who)
        asked = orders.agree(session, booking, wanted.consent)
        order = orders.write(session, booking, asked, wanted.consent, links)
    try:
        return booking, checkout.open_page(order, gateway)
    except BookingServiceError:
        # What cannot be let go now is let go by the sweep.
        with contextlib.suppress(BookingServiceError):
            holds.release(booking.id, gateway)
        raise
