"""Members who come again: visits that their plan includes, booked on their own page."""

from datetime import UTC, timedelta
from urllib.parse import urlsplit

from booking_service.links import Purpose
from tests.month.actions import Story, Visit, aftermath
from tests.month.bookings import at
from tests.month.clinic import Clinic
from tests.month.visits import press

_MINUTE = timedelta(minutes=1)
_WANTED = 5  # more than a plan includes: the last ones are refused


@aftermath(weight=40)
def comes_again(clinic: Clinic, visit_: Visit) -> Story:
    """Book as many visits as the plan has, and more; come to some, cancel or miss the others."""
    if not visit_.is_member:
        return
    random = visit_.patient.random
    for _ in range(_WANTED):
        yield clinic.world.now + random.uniform(1, 30) * _MINUTE
        booked = _books(clinic, visit_)
        if booked is None:
            continue
        booking_id, token = booked
        what = random.choice(("comes", "comes", "cancels", "leaves_it"))
        if what == "cancels":
            path = f"bookings/{booking_id}/cancel?token={token}"
            told = yield from press(clinic, path, scope="")
            if told.is_ok:
                clinic.remember("cancelled", booking_id)
        elif what == "comes":
            shown = clinic.ask("GET", f"/api/v1/bookings/{booking_id}?token={token}")
            if shown.is_ok:
                yield at(shown.body)
                for step, done in (("arrive", "arrived"), ("complete", "completed")):
                    yield from press(clinic, f"bookings/{booking_id}/{step}", what=done)


def _books(clinic: Clinic, visit_: Visit) -> tuple[str, str] | None:
    """Tap a free time of one of the next days; return the visit and the token of its page."""
    soon = timedelta(hours=visit_.patient.random.uniform(1, 60))
    free = clinic.free_times(clinic.local_day(clinic.world.now + soon))
    free = [slot for slot in free if at(slot) > clinic.world.now + 10 * _MINUTE]
    if not free:
        return None
    wanted = visit_.patient.random.choice(free)
    slot = f"{wanted['practitioner']['id']}@{at(wanted).astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    page = f"/v/{visit_.token}/book"
    told = clinic.tap(page, page, {"slot": slot})
    path = urlsplit(told.body.get("location") or "").path
    if not path.startswith("/v/") or path.removeprefix("/v/") == visit_.token:
        return None
    token = path.removeprefix("/v/")
    booking_id, _ = clinic.world.app.extensions["links"].read(Purpose.VISIT, token)
    return str(booking_id), token
