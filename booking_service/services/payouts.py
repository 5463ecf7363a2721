"""Payouts: what Stripe paid to the practice's bank, and what each is made of."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.db import transaction
from booking_service.errors import GatewayRefused
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
    cents, id_ = news.amount_cents, news.stripe_id
    facts = {
        "status": news.status,
        "amount_cents": cents,
        "arrives_at": news.arrives_at,
    }
    kept = (
        insert(Payout)
        .values(
            stripe_payout_id=id_,
            is_automatic=news.is_automatic,
            created_at=news.created_at,
            **facts,
        )
        .on_conflict_do_update(index_elements=[Payout.stripe_payout_id], set_=facts)
        .returning(Payout.id)
    )
    payout_id = session.scalars(kept).one()
    out = Movement(EntryKind.PAYOUT, payout_id, id_, stripe_id=id_)
    ledger.write(session, out, {Account.BANK: cents, Account.STRIPE_BALANCE: -cents})
    if news.came_back:
        back = Movement(EntryKind.PAYOUT_FAILED, payout_id, id_, stripe_id=id_)
        ledger.write(session, back, {Account.BANK: -cents, Account.STRIPE_BALANCE: cents})


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
        with suppress(GatewayRefused):  # one that Stripe does not have is named by comparing
            _link(stripe_id, gateway.movements_of(stripe_id))


def _link(stripe_payout_id: str, parts: Iterator[str]) -> None:
    while batch := list(islice(parts, _BATCH)):
        with transaction() as session:
            session.execute(
                update(StripeMovement)
                .where(StripeMovement.stripe_transaction_id.in_(batch))
                .values(stripe_payout_id=stripe_payout_id)
            )
