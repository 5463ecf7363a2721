"""Book for somebody else, and offer a freed time to those who wait for one.

Who books for a patient is kept with the booking, by name. A time that a visit leaves is a row, and
so is each offer of it: nobody is offered one twice, and nobody has two offers at once.

Locks: ACCESS EXCLUSIVE on five tables, each for milliseconds; the checks scan their table.
Data: none changed. Times that were free before are offered to nobody.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

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
)
_NEW_TOPICS = ("waitlist.offer", "notifications.time_offered")


def upgrade() -> None:
    """Keep who booked, who waits, which times became free, and who was offered which."""
    op.add_column("bookings", sa.Column("booked_by", sa.String(), nullable=True))
    op.add_column(
        "practices", sa.Column("offer_minutes", sa.Integer(), nullable=False, server_default="30")
    )
    op.create_check_constraint("offer_positive", "practices", "offer_minutes > 0")
    op.create_table(
        "waitlist_entries",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["bookings.id"], name=op.f("fk_waitlist_entries_booking_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entries")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_waitlist_entries_booking_id")),
    )
    op.create_table(
        "freed_times",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("freed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["bookings.id"], name=op.f("fk_freed_times_booking_id")
        ),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name=op.f("fk_freed_times_practitioner_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freed_times")),
    )
    op.create_index("ix_freed_times_booking_id", "freed_times", ["booking_id"])
    op.create_table(
        "waitlist_offers",
        sa.Column("freed_time_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_taken", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "NOT is_taken OR ended_at IS NOT NULL", name=op.f("ck_waitlist_offers_taken_is_over")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["waitlist_entries.id"], name=op.f("fk_waitlist_offers_entry_id")
        ),
        sa.ForeignKeyConstraint(
            ["freed_time_id"], ["freed_times.id"], name=op.f("fk_waitlist_offers_freed_time_id")
        ),
        sa.ForeignKeyConstraint(
            ["hold_id"], ["bookings.id"], name=op.f("fk_waitlist_offers_hold_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_offers")),
        sa.UniqueConstraint(
            "freed_time_id", "entry_id", name=op.f("uq_waitlist_offers_freed_time_id")
        ),
        sa.UniqueConstraint("hold_id", name=op.f("uq_waitlist_offers_hold_id")),
    )
    op.create_index(
        "uq_waitlist_offers_one_open",
        "waitlist_offers",
        ["entry_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    for table in ("outbox_messages", "notifications", "reminders"):
        _may_hold(table, _TOPICS + _NEW_TOPICS)


def downgrade() -> None:
    """Take them away; rows that use the new words must be gone."""
    for table in ("reminders", "notifications", "outbox_messages"):
        _may_hold(table, _TOPICS)
    op.drop_table("waitlist_offers")
    op.drop_table("freed_times")
    op.drop_table("waitlist_entries")
    op.drop_constraint("offer_positive", "practices", type_="check")
    op.drop_column("practices", "offer_minutes")
    op.drop_column("bookings", "booked_by")


def _may_hold(table: str, topics: tuple[str, ...]) -> None:
    """Allow the topic of a table these words and no others."""
    listed = ", ".join(f"'{topic}'" for topic in topics)
    op.drop_constraint("topic", table, type_="check")
    op.create_check_constraint("topic", table, f"topic IN ({listed})")
