"""The demo practice, written into an empty database; safe to repeat.

Passwords and tokens follow from the installation's secret key: they are the same each time, differ
between installations, and stand in no file of ours.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from booking_service.clock import day_bounds, local_day, utc_now
from booking_service.db import db, transaction
from booking_service.errors import NotAllowed
from booking_service.models import (
    NEWEST_AGREEMENT,
    Actor,
    AgreementVersion,
    ApiToken,
    Offer,
    Plan,
    Practice,
    Practitioner,
    Role,
    StaffMember,
    TimeOff,
    WorkingHours,
)
from booking_service.models.schedule import MINUTES_A_DAY
from booking_service.services import audit, demo_data, staff

_WEEKDAYS: Final = range(7)
_THURSDAY: Final = 3
_NOVEMBER: Final = 11
_CLOSED_DAYS: Final = 2  # Thanksgiving and the Friday after it


@dataclass(frozen=True)
class Seeded:
    """Who can enter the demo, as `demo.json` lists them. Holds passwords: never logged."""

    staff: list[dict[str, Any]]
    api_tokens: dict[str, str]


def seed(
    secret_key: str, *, is_live: bool, days: int | None = None, all_hours: bool = False
) -> Seeded:
    """Write the demo practice where there is none, and return who can enter.

    What staff changed since stays, except what is asked for: `days` sets how far ahead patients
    may book, and `all_hours` opens around the clock, every day, without lead time.

    Raises:
        NotAllowed: a live Stripe key is set; demo people must not be able to move money.
    """
    if is_live:
        raise NotAllowed("The demo cannot be set up with a live Stripe key.")
    with transaction() as session:
        practice = session.scalar(select(Practice)) or _practice(session)
        if session.scalar(NEWEST_AGREEMENT) is None:  # or a practice of before there was one
            session.add(_agreement())
        practice.horizon_days = practice.horizon_days if days is None else days
        if all_hours:
            _open_around_the_clock(session, practice)
    entries = [_entry(member, secret_key) for member in demo_data.STAFF]
    tokens = {scope.value: _token(scope, secret_key) for scope in Role}
    return Seeded(entries, tokens)


def _practice(session: Session) -> Practice:
    practice = Practice(**demo_data.PRACTICE)
    session.add(practice)
    for position, person in enumerate(demo_data.PRACTITIONERS):
        practitioner = Practitioner(name=person.name, room=person.room, position=position)
        session.add(practitioner)
        session.flush()
        session.add_all(
            WorkingHours(practitioner_id=practitioner.id, **shift._asdict())
            for shift in person.week
        )
    session.add(_closure(practice))
    session.add(
        Offer(
            version=1,
            price_cents=demo_data.PRICE_CENTS,
            currency=demo_data.CURRENCY,
            includes=list(demo_data.INCLUDES),
            promise=demo_data.PROMISE,
            terms=demo_data.TERMS,
            terms_hash=_hash(demo_data.TERMS),
            includes_es=list(demo_data.INCLUDES_ES),
            promise_es=demo_data.PROMISE_ES,
            terms_es=demo_data.TERMS_ES,
            terms_hash_es=_hash(demo_data.TERMS_ES),
            published_at=utc_now(),
        )
    )
    session.add_all(
        Plan(**plan._asdict(), position=position) for position, plan in enumerate(demo_data.PLANS)
    )
    return practice


def _agreement() -> AgreementVersion:
    return AgreementVersion(
        version=1,
        text=demo_data.AGREEMENT,
        text_hash=_hash(demo_data.AGREEMENT),
        text_es=demo_data.AGREEMENT_ES,
        text_hash_es=_hash(demo_data.AGREEMENT_ES),
        published_at=utc_now(),
    )


def _hash(terms: str) -> str:
    return hashlib.sha256(terms.encode()).hexdigest()


def _closure(practice: Practice) -> TimeOff:
    today = local_day(utc_now(), practice.zone)
    first = next(
        day for day in (_thanksgiving(today.year), _thanksgiving(today.year + 1)) if day >= today
    )
    last = first + timedelta(days=_CLOSED_DAYS - 1)
    return TimeOff(
        practitioner_id=None,
        starts_at=day_bounds(first, practice.zone)[0],
        ends_at=day_bounds(last, practice.zone)[1],
        reason=demo_data.CLOSURE_REASON,
    )


def _thanksgiving(year: int) -> date:
    """Return the fourth Thursday of November."""
    first = date(year, _NOVEMBER, 1)
    return first + timedelta(days=(_THURSDAY - first.weekday()) % 7 + 21)


def _open_around_the_clock(session: Session, practice: Practice) -> None:
    practice.lead_minutes = 0
    session.execute(delete(TimeOff))
    session.execute(delete(WorkingHours))
    session.add_all(
        WorkingHours(
            practitioner_id=id_, weekday=weekday, opens_minute=0, closes_minute=MINUTES_A_DAY
        )
        for id_, weekday in product(session.scalars(select(Practitioner.id)), _WEEKDAYS)
    )


def _entry(member: demo_data.Member, secret_key: str) -> dict[str, Any]:
    password = _derived(secret_key, "password", member.email)
    known = db.session.scalar(select(StaffMember).where(StaffMember.email == member.email))
    # Somebody the demo's owner has shut out stays out.
    if known is None or known.disabled_at is None:
        staff.set_up(staff.invite(member.email, member.name, member.role), password)
    return {
        "email": member.email,
        "password": password,
        "role": member.role.value,
        "totp_secret": None,
    }


def _token(scope: Role, secret_key: str) -> str:
    token = f"fv_{_derived(secret_key, 'token', scope)}"
    # Kept the way `services.staff` reads it.
    digest = hashlib.sha256(token.encode()).hexdigest()
    with transaction() as session:
        if session.scalar(select(ApiToken.id).where(ApiToken.token_hash == digest)) is None:
            made = ApiToken(
                name=f"demo {scope}", scope=scope, token_hash=digest, created_at=utc_now()
            )
            session.add(made)
            session.flush()
            audit.record(session, Actor.system(), "token.create", made.id, scope=scope)
    return token


def _derived(secret_key: str, kind: str, name: str) -> str:
    mac = hmac.digest(secret_key.encode(), f"demo:{kind}:{name}".encode(), hashlib.sha256)
    return urlsafe_b64encode(mac).decode().rstrip("=")
