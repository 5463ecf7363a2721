"""What happens after the desk starts a membership, told step by step while it happens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from booking_service.clock import local_day
from booking_service.models import ChargeStatus, MembershipStatus, RefundStatus, Tender
from booking_service.money import dollars, headline
from booking_service.queries.front_desk import RETURNED, MembershipView, VisitView
from booking_service.web.filters import long_day

_PATIENCE: Final = timedelta(seconds=20)  # later than this, Stripe is not answering
_MAIL_WAIT: Final = timedelta(minutes=1)  # mail that has not left by then may take hours
_BANK: Final = timedelta(days=14)  # ten business days, the longest a bank usually takes
_BROKEN: Final = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED, RefundStatus.BLOCKED})


class Phase(StrEnum):
    """Where a decision of the desk stands."""

    UNDO = "undo"  # may be taken back; nothing has been sent
    PHONE = "phone"  # the patient pays on their own phone; may be taken back for a while
    UNDERWAY = "underway"
    STALLED = "stalled"  # Stripe does not answer; we keep trying
    DECLINED = "declined"
    DONE = "done"
    PAYBACK = "payback"  # a member; the desk pays the first visit back, as it was paid
    BROKEN = "broken"  # a member, but the money did not go back


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `mark` is ok, go, wait or bad; `evidence` an id to quote."""

    mark: str
    title: str
    detail: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the desk sees after pressing the button."""

    phase: Phase
    steps: Sequence[Step]
    say: str | None
    news: str  # one sentence for who cannot see the steps
    is_live: bool  # something is still going to change
    undo_seconds: int  # left; 0 when it cannot be taken back
    undo_percent: int  # of the whole time, left
    version: str  # changes when anything shown has changed


def progress_of(visit: VisitView, now: datetime, undo: timedelta) -> Progress | None:
    """Return how far the visit's membership is, or None when none was started."""
    member = visit.membership
    if member is None or member.status in (MembershipStatus.CANCELLED, MembershipStatus.ENDED):
        return None
    phase = _phase(visit, member, now)
    may_undo = phase in (Phase.UNDO, Phase.PHONE)
    left = max((member.undo_until - now).total_seconds(), 0) if may_undo else 0
    is_mail_due = member.mailed_at is None and now - _last_change(member) < _MAIL_WAIT
    refund = member.refund
    return Progress(
        phase=phase,
        steps=list(_steps(visit, member, phase)),
        say=_say(visit, member, phase),
        news=_news(visit, phase),
        is_live=phase in (Phase.UNDO, Phase.PHONE, Phase.UNDERWAY, Phase.STALLED)
        or (phase is Phase.DONE and is_mail_due),
        undo_seconds=round(left),
        undo_percent=min(round(100 * left / undo.total_seconds()), 100),
        version=".".join(
            (
                phase,
                member.charge_status,
                refund.status if refund else "-",
                "mailed" if member.mailed_at else "-",
                # The link appears, and the undo button goes.
                "page" if member.checkout_url else "-",
                "undo" if left else "-",
            )
        ),
    )


def _phase(visit: VisitView, member: MembershipView, now: datetime) -> Phase:
    if member.status is MembershipStatus.PENDING:
        return _pending_phase(member, now)
    if visit.is_payback_due:
        return Phase.PAYBACK
    refund = member.refund
    if refund is None or refund.status in _BROKEN:
        return Phase.BROKEN
    if refund.status in RETURNED or refund.status is RefundStatus.PENDING:
        return Phase.DONE
    return Phase.STALLED if now - refund.requested_at > _PATIENCE else Phase.UNDERWAY


def _pending_phase(member: MembershipView, now: datetime) -> Phase:
    if member.charge_status is ChargeStatus.DECLINED:
        return Phase.DECLINED
    if member.tender is Tender.CHECKOUT_LINK:
        return Phase.PHONE
    if member.charge_status is ChargeStatus.SCHEDULED and now < member.undo_until:
        return Phase.UNDO
    is_slow = now - member.undo_until > _PATIENCE
    is_lost = member.charge_status is ChargeStatus.UNKNOWN
    return Phase.STALLED if is_lost or is_slow else Phase.UNDERWAY


def _last_change(member: MembershipView) -> datetime:
    refund = member.refund
    moments = [member.decided_at, member.active_at, refund.answered_at if refund else None]
    return max(moment for moment in moments if moment)


def first_name(visit: VisitView) -> str:
    """Return the name the desk calls out."""
    return visit.patient.split()[0]


def _steps(visit: VisitView, member: MembershipView, phase: Phase) -> Iterator[Step]:
    zone = visit.zone
    is_member = member.active_at is not None
    yield Step(
        "ok",
        "Membership started" if is_member else f"Recorded by {member.decided_by}",
        f"{_clock(member.decided_at, zone)} · {member.plan}, {dollars(member.amount_cents)} a month"
        + (f" · {member.decided_by}" if is_member else ""),
    )
    yield _payment_step(visit, member)
    yield from _refund_steps(visit, member, phase)
    if member.mailed_at:
        yield Step(
            "ok",
            "Welcome and receipt e-mailed",
            f"{visit.email} · {_clock(member.mailed_at, zone)}",
        )
    else:
        yield Step("wait", "E-mail the welcome and the receipt", visit.email)


def _payment_step(visit: VisitView, member: MembershipView) -> Step:
    amount = dollars(member.amount_cents)
    source = {
        Tender.SAVED_CARD: visit.card,
        Tender.CHECKOUT_LINK: f"On {first_name(visit)}'s phone",
        Tender.RECORDED: f"Recorded at the desk, {member.reference}",
    }[member.tender]
    match member.charge_status:
        case ChargeStatus.PAID:
            at = f" · {_clock(member.active_at, visit.zone)}" if member.active_at else ""
            return Step("ok", f"First payment: {amount}", source + at)
        case ChargeStatus.DECLINED:
            return Step("bad", f"Card declined: {amount}", source)
        case ChargeStatus.CHARGING | ChargeStatus.UNKNOWN:
            return Step("go", f"Taking the first payment: {amount}", source)
    if member.tender is Tender.CHECKOUT_LINK:
        return Step("go", f"Waiting for {first_name(visit)} to pay: {amount}", source)
    return Step("wait", f"Take the first payment: {amount}", source)


def _refund_steps(visit: VisitView, member: MembershipView, phase: Phase) -> Iterator[Step]:
    refund, zone = member.refund, visit.zone
    amount = dollars(refund.amount_cents if refund else visit.amount_cents)
    where = f"To {visit.card}"
    if refund is None:
        if phase is Phase.BROKEN:
            yield Step("bad", f"No refund of {amount} is owed", "Ask finance to look at this visit")
        else:
            way = "Pay back at the desk" if visit.is_paid_at_desk else "Send the refund to Stripe"
            yield Step("wait", f"{way}: {amount}", where)
        return
    if visit.is_paid_at_desk:
        is_back = refund.status is RefundStatus.SETTLED_OTHERWISE
        yield Step(
            "ok" if is_back else "go",
            f"Pay back at the desk: {amount}",
            f"As it was paid: {visit.card}",
        )
    elif refund.status is RefundStatus.SETTLED_OTHERWISE:
        yield Step("ok", f"{amount} paid back another way", "Recorded by finance")
    elif refund.status is RefundStatus.BLOCKED:
        yield Step(
            "bad", f"Refund waits for finance: {amount}", "The bank is looking at this payment"
        )
    elif refund.status in _BROKEN:
        yield Step("bad", f"Refund failed: {amount}", "Finance has it and will pay another way")
    elif refund.status is RefundStatus.PENDING:
        yield Step("go", f"Refund on its way: {amount}", where, refund.stripe_refund_id)
    elif refund.answered_at and refund.status in RETURNED:
        at = f"{where} · {_clock(refund.answered_at, zone)}"
        yield Step("ok", f"Refund accepted by Stripe: {amount}", at, refund.stripe_refund_id)
        by = long_day(local_day(refund.answered_at + _BANK, zone), zone)
        yield Step(
            "go",
            "The bank posts it",
            f"Usually by {by}. The {headline(refund.amount_cents)} charge may just disappear.",
        )
    else:
        yield Step("go", f"Sending the refund to Stripe: {amount}", where)


def _say(visit: VisitView, member: MembershipView, phase: Phase) -> str | None:
    if phase is Phase.DONE:
        return _say_at_the_end(visit, member)
    amount = headline(visit.amount_cents)
    return {
        Phase.PHONE: f"Please pay the first month on your phone. Your {amount} then goes back "
        f"to {'you here' if visit.is_paid_at_desk else f'the {visit.card} by itself'}.",
        Phase.STALLED: f"You're all set here. We'll e-mail you when the {amount} is on its way "
        "back.",
        Phase.PAYBACK: f"You're a member. Here is your {amount} back.",
        Phase.BROKEN: f"You're a member. We'll be in touch about your {amount}.",
    }.get(phase)


def _say_at_the_end(visit: VisitView, member: MembershipView) -> str:
    amount = headline(visit.amount_cents)
    if visit.is_paid_at_desk:
        return f"You're all set. You have your {amount} back."
    if member.refund and member.refund.status is RefundStatus.SETTLED_OTHERWISE:
        return "You're all set. Your first visit was paid back another way."
    mail = " You have an e-mail with the receipt." if member.mailed_at else ""
    return f"You're all set. Your {amount} is on its way back to the {visit.card}.{mail}"


def _news(visit: VisitView, phase: Phase) -> str:
    name, amount = first_name(visit), dollars(visit.amount_cents)
    return {
        Phase.UNDO: f"Starting {name}'s membership. It can be undone.",
        Phase.PHONE: f"Waiting for {name} to pay on their phone.",
        Phase.UNDERWAY: "Taking the first payment and sending the refund.",
        Phase.STALLED: f"Saved. We keep trying; you can let {name} go.",
        Phase.DECLINED: "The card was declined. Nothing was refunded.",
        Phase.DONE: f"{name} is a member. {amount} is on its way back.",
        Phase.PAYBACK: f"{name} is a member. Pay {amount} back at the desk now.",
        Phase.BROKEN: f"{name} is a member. The refund needs finance.",
    }[phase]


def _clock(at: datetime, zone: ZoneInfo) -> str:
    """Return a time to the second: steps of one decision are seconds apart."""
    return at.astimezone(zone).strftime("%I:%M:%S %p").lstrip("0")
