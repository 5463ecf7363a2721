"""Memberships that run: paused, resumed, cancelled, kept after all, moved to another plan.

A decision is committed first; a worker tells Stripe (`membership_orders`). Without a
subscription at Stripe (its months are taken at the desk) a decision holds at once.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import FieldError, Invalid, NotAllowed
from booking_service.languages import Sentence
from booking_service.models import (
    Actor,
    ActorKind,
    ChangeKind,
    Membership,
    MembershipChange,
    MembershipStatus,
    Plan,
    Practice,
    Topic,
)
from booking_service.services import (
    audit,
    membership_news,
    memberships,
    outbox,
    periods,
)

_NOT_RUNNING: Final = Sentence("This membership has ended, or hasn't started.")
_UNDER_WAY: Final = Sentence("The last change is still on its way. Please try again in a minute.")
_DATE_MOVED: Final = Sentence("The date has changed. Please look at the new one first.")
_AS_IT_IS: Final = Sentence("That is how it is already.")


def pause(membership_id: UUID, actor: Actor) -> None:
    """Charge nothing until it is resumed; the months in between are never charged.

    Raises:
        NotFound: there is no such membership.
        NotAllowed: it does not run, is paused already, or an earlier change is not confirmed.
    """
    with transaction() as session:
        membership = _running(session, membership_id)
        _refuse_if(membership.paused_at is not None)
        _decide(session, membership, actor, ChangeKind.PAUSE)


def resume(membership_id: UUID, actor: Actor) -> None:
    """Charge again from the next period on.

    Raises:
        NotFound: there is no such membership.
        NotAllowed: it does not run, is not paused, or an earlier change is not confirmed.
    """
    with transaction() as session:
        membership = _running(session, membership_id)
        _refuse_if(membership.paused_at is None)
        _decide(session, membership, actor, ChangeKind.RESUME)


def cancel(membership_id: UUID, said: datetime | None, actor: Actor) -> None:
    """End a membership with the first period that ends after the practice's notice.

    Args:
        membership_id: the membership.
        said: the date that was shown before somebody pressed.
        actor: who cancels.

    Raises:
        NotFound: there is no such membership.
        NotAllowed: another date holds by now, it is cancelled already or does not run, or an
            earlier change is not confirmed.
    """
    with transaction() as session:
        membership = _running(session, membership_id)
        _refuse_if(membership.cancels_at is not None)
        practice = session.scalars(select(Practice)).one()
        ends_at = periods.cancelled_at(
            membership.billing_anchor_at,
            membership.period_ends_at,
            practice.notice_days,
            utc_now(),
        )
        if ends_at is None or ends_at != said:
            raise NotAllowed(_DATE_MOVED)
        _decide(session, membership, actor, ChangeKind.CANCEL, ends_at=ends_at)


def cancel_now(membership_id: UUID, actor: Actor) -> None:
    """End a membership now. Nothing goes back by that, and it cannot be taken back.

    Raises:
        NotFound: there is no such membership.
        NotAllowed: it does not run, or an earlier change is not confirmed.
    """
    with transaction() as session:
        _decide(session, _running(session, membership_id), actor, ChangeKind.CANCEL_NOW)


def keep(membership_id: UUID, actor: Actor) -> None:
    """Take a cancellation back, until the membership has ended.

    Raises:
        NotFound: there is no such membership.
        NotAllowed: it has ended, was not cancelled, or an earlier change is not confirmed.
    """
    with transaction() as session:
        membership = _running(session, membership_id)
        _refuse_if(membership.cancels_at is None)
        _decide(session, membership, actor, ChangeKind.KEEP)


def change_plan(membership_id: UUID, plan_id: UUID | None, actor: Actor) -> None:
    """Bill another plan from the next charge on; what was paid for stays as it is.

    Raises:
        NotFound: there is no such membership.
        Invalid: no such plan on sale.
        NotAllowed: it has that plan, does not run, or an earlier change is not confirmed.
    """
    with transaction() as session:
        membership = _running(session, membership_id)
        plan = session.get(Plan, plan_id) if plan_id else None
        is_back = plan is not None and plan.id == membership.plan_id  # on sale or not
        if plan is None or not (plan.is_on_sale or is_back):
            raise Invalid(FieldError("plan_id", "unknown", "Choose one of the plans on sale"))
        _refuse_if(plan.id == (membership.next_plan_id or membership.plan_id))
        _decide(session, membership, actor, ChangeKind.PLAN, plan_id=plan.id)


def _running(session: Session, membership_id: UUID) -> Membership:
    membership = memberships.with_patient(session, membership_id)
    if not membership.is_running:
        raise NotAllowed(_NOT_RUNNING)
    return membership


def _refuse_if(is_so: bool) -> None:  # noqa: FBT001 - the one thing it is about
    if is_so:
        raise NotAllowed(_AS_IT_IS)


def _decide(
    session: Session,
    membership: Membership,
    actor: Actor,
    kind: ChangeKind,
    *,
    plan_id: UUID | None = None,
    ends_at: datetime | None = None,
) -> None:
    """Write a decision down, and owe Stripe the news or, without Stripe, follow it at once."""
    earlier = select(MembershipChange.id).where(
        MembershipChange.membership_id == membership.id,
        MembershipChange.confirmed_at.is_(None),
        MembershipChange.refused_at.is_(None),
    )
    if session.scalar(earlier) is not None:
        raise NotAllowed(_UNDER_WAY)
    by = "the patient" if actor.kind is ActorKind.PATIENT else actor.name
    change = MembershipChange(
        membership_id=membership.id,
        kind=kind,
        plan_id=plan_id,
        ends_at=ends_at,
        decided_at=utc_now(),
        decided_by=by,
    )
    session.add(change)
    session.flush()
    about = {"plan": str(plan_id)} if plan_id else {}
    about |= {"ends": ends_at.isoformat()} if ends_at else {}
    audit.record(session, actor, f"membership.{kind}", membership.id, **about)
    if membership.stripe_subscription_id is None:
        _follow_here(session, membership, change)
        change.confirmed_at = utc_now()
    else:
        outbox.post(session, Topic.MEMBERSHIP_CHANGED, change.id)


def _follow_here(session: Session, membership: Membership, change: MembershipChange) -> None:
    """Do to our row what Stripe's billing would have told of."""
    match change.kind:
        case ChangeKind.PAUSE:
            membership.paused_at = change.decided_at
        case ChangeKind.RESUME:
            membership.paused_at = None
        case ChangeKind.CANCEL | ChangeKind.KEEP:
            membership.cancels_at = change.ends_at
        case ChangeKind.PLAN:
            is_back = change.plan_id == membership.plan_id
            membership.next_plan_id = None if is_back else change.plan_id
        case ChangeKind.CANCEL_NOW:
            memberships.move(session, membership, MembershipStatus.CANCELLED)
            membership_news.end(session, membership, change.decided_at)
