"""Payouts: what Stripe paid to the practice's bank, and what each is made of."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.db import transaction
from booking_service.gateways.books import BooksGateway, PayoutNews
from booking_service.models import Account, EntryKind, Payout, StripeMovement
from booking_service.services import ledger
from booking_service.services.ledger import Movement

_BATCH: Final = 500


def apply_news(stripe_payout_id: str, gateway: BooksGateway) -> None:
    """Look up a payout Stripe told us about, and bring our row and our ledger up to date."""
    news = gateway.find_payout(stripe_payout_id)
    with transaction() as session:
        write_down(session, news)


def write_down(session: Session, news: PayoutNews) -> None:
    """Keep a payout as Stripe has it now; its money is booked once, and once if it came back.

    Stripe's balance moves when a payout is made, days before the bank has it.
    """
    facts = {
        "status": news.status,
        "amount_cents": news.amount_cents,
        "arrives_at": news.arrives_at,
    }
    kept = (
        insert(Payout)
        .values(
            stripe_payout_id=id_,  # noqa: F821
            is_automatic=news.is_automatic,
            created_at=news.created_at,
            **facts,
        )
        .on_conflict_do_update(index_elements=[Payout.stripe_payout_id], set_=facts)
        .returning(Payout.id)
    )
    payout_id = session.scalars(kept).one()
    out = Movement(EntryKind.PAYOUT, payout_id, id_, stripe_id=id_)  # noqa: F821
    ledger.write(session, out, {Account.BANK: cents, Account.STRIPE_BALANCE: -cents})  # noqa: F821
    if news.came_back:
        back = Movement(EntryKind.PAYOUT_FAILED, payout_id, id_, stripe_id=id_)  # noqa: F821
        ledger.write(session, back, {Account.BANK: -cents, Account.STRIPE_BALANCE: cents})  # noqa: F821


def link_movements(gateway: BooksGateway) -> None:
    """Note of each automatic payout which movements it is made of, once; that never changes.

    What a manual payout is made of, Stripe does not say.
    """
    linked = exists().where(StripeMovement.stripe_payout_id == Payout.stripe_payout_id)
    with transaction() as session:
        unlinked = session.scalars(
            select(Payout.stripe_payout_id).where(Payout.is_automatic, ~linked)
        ).all()
    for stripe_id in unlinked:
        parts = gateway.movements_of(stripe_id)
        while batch := _some(parts):
            with transaction() as session:
                session.execute(
                    update(StripeMovement)
                    .where(StripeMovement.stripe_transaction_id.in_(batch))
                    .values(stripe_payout_id=stripe_id)
                )


def _some(ids: Iterator[str]) -> list[str]:
    return [id_ for id_, _ in zip(ids, range(_BATCH), strict=False)]
