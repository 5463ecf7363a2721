"""Keep what Stripe has for us, so that finance is warned before refunds must wait for money.

Locks: none. Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table of one row."""
    op.create_table(
        "stripe_balances",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("only_row", sa.Boolean(), nullable=False),
        sa.Column("available_cents", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("only_row", name="ck_stripe_balances_only_row"),
        sa.PrimaryKeyConstraint("id", name="pk_stripe_balances"),
        sa.UniqueConstraint("only_row", name="uq_stripe_balances_only_row"),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_table("stripe_balances")
