"""Remind patients of their visits, by mail and by text message.

A reminder is a row, unique for a visit at one time. A text message needs the patient's consent,
which is kept with the booking, and a number that has not answered STOP. Notifications say over
which channel they went and whether they came back.

Locks: ACCESS EXCLUSIVE on four tables, each for milliseconds; the new checks scan their table.
Data: none changed. Visits booked before have no consent to texts, and are reminded of by mail.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

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
)
_NEW_TOPICS = (
    "notifications.visit_reminder",
    "notifications.visit_soon",
    "notifications.visit_missed",
)
_STATUSES = ("sending", "sent", "skipped")
_NEW_STATUSES = ("queued", "delivered", "undelivered", "failed", "bounced")


def upgrade() -> None:
    """Keep reminders, consents and stops, and what became of a message."""
    op.create_table(
        "reminders",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column(
            "topic",
            sa.Enum(
                *_TOPICS,
                *_NEW_TOPICS,
                name="topic",
                native_enum=False,
                create_constraint=True,
                length=64,
            ),
            nullable=False,
        ),
        sa.Column("moves", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["bookings.id"], name=op.f("fk_reminders_booking_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
        sa.UniqueConstraint("booking_id", "topic", "moves", name=op.f("uq_reminders_booking_id")),
    )
    op.create_table(
        "text_stops",
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_text_stops")),
        sa.UniqueConstraint("phone", name=op.f("uq_text_stops_phone")),
    )
    op.add_column(
        "bookings", sa.Column("texts_agreed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("bookings", sa.Column("texts_agreed_version", sa.Integer(), nullable=True))
    op.add_column("practices", sa.Column("short_name", sa.String(), nullable=True))
    for name, hours in (("first_reminder_hours", "24"), ("last_reminder_hours", "2")):
        op.add_column(
            "practices", sa.Column(name, sa.Integer(), nullable=False, server_default=hours)
        )
    op.create_check_constraint(
        "reminders_in_order",
        "practices",
        "0 < last_reminder_hours AND last_reminder_hours + 4 < first_reminder_hours",
    )
    op.add_column("notifications", sa.Column("booking_id", sa.Uuid(), nullable=True))
    op.add_column("notifications", sa.Column("failure_code", sa.String(), nullable=True))
    op.create_foreign_key(
        op.f("fk_notifications_booking_id"), "notifications", "bookings", ["booking_id"], ["id"]
    )
    op.create_index("ix_notifications_booking_id", "notifications", ["booking_id"])
    op.alter_column("notifications", "channel", type_=sa.String(64))
    op.create_check_constraint("channel", "notifications", "channel IN ('email', 'sms')")
    _may_hold("notifications", "status", "notificationstatus", _STATUSES + _NEW_STATUSES)
    for table in ("outbox_messages", "notifications"):
        _may_hold(table, "topic", "topic", _TOPICS + _NEW_TOPICS)


def downgrade() -> None:
    """Take them away; rows that use the new words must be gone."""
    for table in ("notifications", "outbox_messages"):
        _may_hold(table, "topic", "topic", _TOPICS)
    _may_hold("notifications", "status", "notificationstatus", _STATUSES)
    op.drop_constraint("channel", "notifications", type_="check")
    op.alter_column("notifications", "channel", type_=sa.String())
    op.drop_index("ix_notifications_booking_id", table_name="notifications")
    op.drop_constraint("fk_notifications_booking_id", "notifications", type_="foreignkey")
    op.drop_column("notifications", "failure_code")
    op.drop_column("notifications", "booking_id")
    op.drop_constraint("reminders_in_order", "practices", type_="check")
    for name in ("last_reminder_hours", "first_reminder_hours", "short_name"):
        op.drop_column("practices", name)
    op.drop_column("bookings", "texts_agreed_version")
    op.drop_column("bookings", "texts_agreed_at")
    op.drop_table("text_stops")
    op.drop_table("reminders")


def _may_hold(table: str, column: str, name: str, words: tuple[str, ...]) -> None:
    """Allow a column these words and no others."""
    listed = ", ".join(f"'{word}'" for word in words)
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({listed})")
