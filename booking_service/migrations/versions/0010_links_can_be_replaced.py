"""Let the link of a patient's page be replaced.

A link opens a visit's page only in the version the booking has; the front desk makes a new one when
the old one is in wrong hands. Links sent before are of version 0 and go on working.

Locks: ACCESS EXCLUSIVE on three tables, each for milliseconds; the checks scan their table.
Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

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
)
_NEW_TOPICS = ("notifications.visit_link",)


def upgrade() -> None:
    """Count the links of a booking, and allow the mail that brings a new one."""
    op.add_column(
        "bookings",
        sa.Column("link_version", sa.SmallInteger(), nullable=False, server_default="0"),
    )
    for table in ("outbox_messages", "notifications", "reminders"):
        _may_hold(table, _TOPICS + _NEW_TOPICS)


def downgrade() -> None:
    """Take it away: every link works again. Rows that use the new word must be gone."""
    for table in ("reminders", "notifications", "outbox_messages"):
        _may_hold(table, _TOPICS)
    op.drop_column("bookings", "link_version")


def _may_hold(table: str, topics: tuple[str, ...]) -> None:
    """Allow the topic of a table these words and no others."""
    listed = ", ".join(f"'{topic}'" for topic in topics)
    op.drop_constraint("topic", table, type_="check")
    op.create_check_constraint("topic", table, f"topic IN ({listed})")
