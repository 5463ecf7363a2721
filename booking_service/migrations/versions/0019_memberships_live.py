"""Keep where a membership stands, and what was decided about it.

Stripe's facts (the next charge, an end, a pause, an unpaid month, the card) are columns of the
membership; a decision of the desk or the patient is a row, open until Stripe has it.

Locks: ACCESS EXCLUSIVE on memberships and practices for milliseconds; the checks scan them, the
outbox and the notifications.
Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_TOPICS = (
    "notifications.booking_confirmed",
    "notifications.booking_moved",
    "notifications.booking_cancelled",
    "notifications.slot_lost",
    "memberships.start",
    "notifications.membership_started",
    "refunds.execute",
    "notifications.refund_sent",
    "notifications.refund_failed",
    "reconciliation.asked",
    "notifications.refund_settled_otherwise",
    "webhooks.process",
    "notifications.visit_reminder",
    "notifications.visit_soon",
    "notifications.visit_missed",
    "waitlist.offer",
    "notifications.time_offered",
    "notifications.visit_link",
    "notifications.visits_asked",
    "notifications.agreement_to_sign",
    "notifications.agreement_signed",
)
_NEW_TOPICS = ("memberships.change", "notifications.payment_failed", "notifications.card_link")

_INSTANTS = (
    *("billing_anchor_at", "period_ends_at", "cancels_at", "paused_at", "past_due_since"),
    *("retry_at", "looked_up_at", "card_page_made_at"),
)
_TEXTS = (
    *("past_due_code", "failed_invoice_id", "card_brand", "card_last4"),
    *("card_page_id", "card_page_url"),
)
_CHECKS = {
    "changes_while_running": "status IN ('active', 'past_due')"
    " OR num_nonnulls(paused_at, cancels_at, next_plan_id) = 0",
    "owes_while_past_due": "status = 'past_due'"
    " OR num_nonnulls(past_due_since, past_due_code, retry_at) = 0",
    "next_plan_is_another": "next_plan_id <> plan_id",
    "card_is_whole": "num_nulls(card_brand, card_last4) <> 1",
}
_KINDS = "kind IN ('pause', 'resume', 'cancel', 'cancel_now', 'keep', 'plan')"


def upgrade() -> None:
    """Make room for what memberships go through."""
    op.add_column(
        "practices", sa.Column("notice_days", sa.Integer(), server_default="0", nullable=False)
    )
    op.create_check_constraint("notice_within_a_year", "practices", "notice_days BETWEEN 0 AND 365")
    op.add_column("memberships", sa.Column("next_plan_id", sa.Uuid(), nullable=True))
    for name in _INSTANTS:
        op.add_column("memberships", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in _TEXTS:
        op.add_column("memberships", sa.Column(name, sa.String(), nullable=True))
    op.create_foreign_key(
        op.f("fk_memberships_next_plan_id"), "memberships", "plans", ["next_plan_id"], ["id"]
    )
    op.create_unique_constraint(
        op.f("uq_memberships_card_page_id"), "memberships", ["card_page_id"]
    )
    for name, rule in _CHECKS.items():
        op.create_check_constraint(name, "memberships", rule)
    op.create_index(
        "ix_memberships_past_due",
        "memberships",
        ["past_due_since"],
        postgresql_where=sa.text("status = 'past_due'"),
    )
    _create_changes()
    for table in ("outbox_messages", "notifications", "reminders"):
        _may_hold(table, _TOPICS + _NEW_TOPICS)


def downgrade() -> None:
    """Take it away; rows that use the new words must be gone."""
    for table in ("reminders", "notifications", "outbox_messages"):
        _may_hold(table, _TOPICS)
    op.drop_table("membership_changes")
    for name in _CHECKS:
        op.drop_constraint(name, "memberships", type_="check")
    for name in ("next_plan_id", *_INSTANTS, *_TEXTS):
        op.drop_column("memberships", name)
    op.drop_constraint("notice_within_a_year", "practices", type_="check")
    op.drop_column("practices", "notice_days")


def _create_changes() -> None:
    op.create_table(
        "membership_changes",
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal_code", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(_KINDS, name="changekind"),
        sa.CheckConstraint("(kind = 'plan') = (plan_id IS NOT NULL)", name="plan_is_named"),
        sa.CheckConstraint("(kind = 'cancel') = (ends_at IS NOT NULL)", name="end_is_named"),
        sa.CheckConstraint("num_nonnulls(confirmed_at, refused_at) <= 1", name="one_answer"),
        sa.CheckConstraint(
            "(refused_at IS NULL) = (refusal_code IS NULL)", name="refusal_has_a_code"
        ),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"]),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"]),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership_changes")),
    )
    op.create_index(
        op.f("ix_membership_changes_membership_id"), "membership_changes", ["membership_id"]
    )
    op.create_index(
        "uq_membership_changes_one_open",
        "membership_changes",
        ["membership_id"],
        unique=True,
        postgresql_where=sa.text("confirmed_at IS NULL AND refused_at IS NULL"),
    )


def _may_hold(table: str, topics: tuple[str, ...]) -> None:
    """Allow the topic of a table these words and no others."""
    listed = ", ".join(f"'{topic}'" for topic in topics)
    op.drop_constraint("topic", table, type_="check")
    op.create_check_constraint("topic", table, f"topic IN ({listed})")
