"""Let two records of one person be merged, with everything kept.

Visits go to the record that counts, and say which one they came from, so that it can be undone;
memberships go with their visits. One first visit a patient stays the rule for what is booked; what
came from another record happened, and is not undone by finding out. The desk finds people by the
last digits of their card, and reads an index for that.

Locks: ACCESS EXCLUSIVE on patients for milliseconds, and on bookings while the index of first visits
is built anew. Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_VISITING = "status IN ('confirmed', 'arrived', 'in_treatment', 'completed')"


def upgrade() -> None:
    """Say which record counts, and where a visit came from."""
    op.add_column("patients", sa.Column("merged_into_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "fk_patients_merged_into_id", "patients", "patients", ["merged_into_id"], ["id"]
    )
    op.create_check_constraint("merged_into_another", "patients", "merged_into_id <> id")
    op.create_index("ix_patients_merged_into", "patients", ["merged_into_id"])
    op.add_column("bookings", sa.Column("merged_from_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "fk_bookings_merged_from_id", "bookings", "patients", ["merged_from_id"], ["id"]
    )
    op.create_index("ix_payments_card_last4", "payments", ["card_last4"])
    _one_first_visit(f"{_VISITING} AND merged_from_id IS NULL")


def downgrade() -> None:
    """Take it away. No record may be merged: each must have been separated again."""
    _one_first_visit(_VISITING)
    op.drop_index("ix_payments_card_last4", "payments")
    op.drop_column("bookings", "merged_from_id")
    op.drop_column("patients", "merged_into_id")


def _one_first_visit(where: str) -> None:
    op.drop_index("uq_bookings_one_first_visit", "bookings")
    op.create_index(
        "uq_bookings_one_first_visit",
        "bookings",
        ["patient_id"],
        unique=True,
        postgresql_where=sa.text(where),
    )
