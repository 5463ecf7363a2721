"""Count what the desk took, and pay back at the terminal what was paid there.

Locks: ACCESS EXCLUSIVE on settlements for milliseconds; the check scans the table.
Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_METHODS = ("cash", "check", "bank_transfer")


def upgrade() -> None:
    """Create the counts, and allow the new way to pay back."""
    op.create_table(
        "desk_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("counted_cents", sa.Integer(), nullable=False),
        sa.Column("expected_cents", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted_by_id", sa.Uuid(), nullable=True),
        sa.Column("counted_by", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("counted_cents >= 0", name=op.f("ck_desk_counts_counted_not_negative")),
        sa.CheckConstraint(
            "counted_cents = expected_cents OR note <> ''",
            name=op.f("ck_desk_counts_difference_explained"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_counts")),
    )
    op.create_index(op.f("ix_desk_counts_day"), "desk_counts", ["day"], unique=False)
    _methods((*_METHODS, "terminal"))


def downgrade() -> None:
    """Take it away. Nothing may have been paid back at the terminal."""
    _methods(_METHODS)
    op.drop_table("desk_counts")


def _methods(methods: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{method}'" for method in methods)
    op.drop_constraint("settlementmethod", "settlements", type_="check")
    op.create_check_constraint("settlementmethod", "settlements", f"method IN ({listed})")
