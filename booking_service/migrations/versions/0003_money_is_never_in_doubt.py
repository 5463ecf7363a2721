"""Keep what is needed to leave no money in doubt.

Disputes, settlements outside Stripe, payouts and comparisons of the books become rows; an entry of
the ledger says which payment it is about and under which id Stripe moved the money; a case says how
it ended; a visit keeps when something was noted beside when it was.

Locks: ACCESS EXCLUSIVE on nine tables, each for milliseconds; the new checks scan their table.
Data: none changed. Entries written before have no Stripe id, and are named by the next comparison.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# The words a column may hold: table, column, the check's name, then the words, new ones last.
_WORDS = (
    ("memberships", "tender", "tender", ("saved_card", "recorded"), ("checkout_link",)),
    (
        "cases",
        "type",
        "casetype",
        (
            "refund_failed",
            "refund_blocked",
            "refunded_outside",
            "payment_mismatch",
            "work_stuck",
            "stripe_locked_out",
        ),
        (
            "goodwill_asked",
            "payment_unknown",
            "dispute_open",
            "desk_payout",
            "membership_twice",
            "books_differ",
            "promise_in_doubt",
        ),
    ),
    (
        "journal_lines",
        "account",
        "account",
        (
            "stripe_balance",
            "desk_takings",
            "refund_liability",
            "first_visit_revenue",
            "membership_revenue",
            "stripe_fees",
        ),
        ("bank", "disputed_funds", "unmatched_receipts", "dispute_losses"),
    ),
    (
        "journal_entries",
        "kind",
        "entrykind",
        (
            "payment",
            "payment_fee",
            "refund",
            "refund_reversed",
            "promise_lapsed",
            "membership_payment",
            "membership_fee",
        ),
        (
            "settlement",
            "unmatched_receipt",
            "dispute_withdrawn",
            "dispute_reinstated",
            "dispute_lost",
            "payout",
            "payout_failed",
            "adjustment",
        ),
    ),
    *(
        (
            table,
            "topic",
            "topic",
            (
                "notifications.booking_confirmed",
                "memberships.start",
                "notifications.membership_started",
                "refunds.execute",
                "notifications.refund_sent",
                "notifications.refund_failed",
                "webhooks.process",
            ),
            (
                "notifications.slot_lost",
                "notifications.booking_cancelled",
                "notifications.booking_moved",
                "notifications.refund_settled_otherwise",
                "reconciliation.asked",
            ),
        )
        for table in ("outbox_messages", "notifications")
    ),
)


def upgrade() -> None:
    """Make the tables and columns, and allow the new words."""
    op.create_table(
        "payouts",
        sa.Column("stripe_payout_id", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrives_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("stripe_payout_id", name=op.f("uq_payouts_stripe_payout_id")),
    )
    op.create_table(
        "stripe_movements",
        sa.Column("stripe_transaction_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("moved_under", sa.String(), nullable=False),
        sa.Column("payment_at_stripe", sa.String(), nullable=True),
        sa.Column("our_id", sa.Uuid(), nullable=True),
        sa.Column("membership_id", sa.Uuid(), nullable=True),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("net_cents", sa.Integer(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stripe_payout_id", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_movements")),
        sa.UniqueConstraint(
            "stripe_transaction_id", name=op.f("uq_stripe_movements_stripe_transaction_id")
        ),
    )
    for column in ("moved_under", "payment_at_stripe", "stripe_payout_id"):
        op.create_index(f"ix_stripe_movements_{column}", "stripe_movements", [column])
    op.create_table(
        "reconciliation_runs",
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("repaired", sa.Integer(), nullable=False),
        sa.Column("residue_cents", sa.BigInteger(), nullable=False),
        sa.Column("promises_checked", sa.Integer(), nullable=False),
        sa.Column("other_cents", sa.BigInteger(), nullable=False),
        sa.Column("promises_in_doubt", sa.Integer(), nullable=False),
        sa.Column("read_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_runs")),
    )
    op.create_index(
        "ix_reconciliation_runs_started_at", "reconciliation_runs", ["started_at"], unique=False
    )
    op.create_table(
        "discrepancies",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "payment_missing_here",
                "payment_missing_at_stripe",
                "payment_differs",
                "refund_missing_here",
                "refund_missing_at_stripe",
                "refund_differs",
                "membership_missing_here",
                "membership_missing_at_stripe",
                "dispute_differs",
                "payout_differs",
                "ledger_differs",
                name="discrepancykind",
                native_enum=False,
                create_constraint=True,
                length=64,
            ),
            nullable=False,
        ),
        sa.Column("our_id", sa.Uuid(), nullable=True),
        sa.Column("stripe_id", sa.String(), nullable=True),
        sa.Column("our_cents", sa.Integer(), nullable=True),
        sa.Column("stripe_cents", sa.Integer(), nullable=True),
        sa.Column("repaired", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reconciliation_runs.id"], name=op.f("fk_discrepancies_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discrepancies")),
    )
    op.create_index(op.f("ix_discrepancies_run_id"), "discrepancies", ["run_id"], unique=False)
    op.create_table(
        "disputes",
        sa.Column("stripe_dispute_id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("membership_id", sa.Uuid(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "warning_needs_response",
                "warning_under_review",
                "warning_closed",
                "needs_response",
                "under_review",
                "appeal_needs_response",
                "appeal_under_review",
                "prevented",
                "won",
                "lost",
                name="disputestatus",
                native_enum=False,
                create_constraint=True,
                length=64,
            ),
            nullable=False,
        ),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_disputes_amount_positive")),
        sa.CheckConstraint(
            "num_nonnulls(payment_id, membership_id) = 1", name=op.f("ck_disputes_about_one_thing")
        ),
        sa.ForeignKeyConstraint(
            ["membership_id"], ["memberships.id"], name=op.f("fk_disputes_membership_id")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("stripe_dispute_id", name=op.f("uq_disputes_stripe_dispute_id")),
    )
    op.create_index(op.f("ix_disputes_membership_id"), "disputes", ["membership_id"], unique=False)
    op.create_index(op.f("ix_disputes_payment_id"), "disputes", ["payment_id"], unique=False)
    op.create_table(
        "settlements",
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column(
            "method",
            sa.Enum(
                "cash",
                "check",
                "bank_transfer",
                name="settlementmethod",
                native_enum=False,
                create_constraint=True,
                length=64,
            ),
            nullable=False,
        ),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by_id", sa.Uuid(), nullable=True),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_settlements_amount_positive")),
        sa.CheckConstraint(
            "approved_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_settlements_one_ending")
        ),
        sa.CheckConstraint(
            "approved_by_id <> recorded_by_id", name=op.f("ck_settlements_approved_by_another")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds.id"], name=op.f("fk_settlements_refund_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlements")),
    )
    op.create_index(op.f("ix_settlements_refund_id"), "settlements", ["refund_id"], unique=False)
    op.create_index(
        "uq_settlements_one_standing",
        "settlements",
        ["refund_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.add_column(
        "bookings", sa.Column("arrived_noted_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "bookings", sa.Column("treatment_noted_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("bookings", sa.Column("choose_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("bookings", sa.Column("moves", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("cases", sa.Column("resolved_by", sa.String(), nullable=True))
    op.add_column("cases", sa.Column("resolution", sa.String(), nullable=True))
    op.add_column("cases", sa.Column("note", sa.String(), nullable=True))
    op.add_column("journal_entries", sa.Column("payment_id", sa.Uuid(), nullable=True))
    op.add_column("journal_entries", sa.Column("stripe_id", sa.String(), nullable=True))
    op.create_index(
        op.f("ix_journal_entries_payment_id"), "journal_entries", ["payment_id"], unique=False
    )
    op.create_index(
        op.f("ix_journal_entries_stripe_id"), "journal_entries", ["stripe_id"], unique=False
    )
    op.create_foreign_key(
        op.f("fk_journal_entries_payment_id"), "journal_entries", "payments", ["payment_id"], ["id"]
    )
    op.add_column(
        "memberships", sa.Column("stripe_checkout_session_id", sa.String(), nullable=True)
    )
    op.add_column("memberships", sa.Column("checkout_url", sa.String(), nullable=True))
    op.create_unique_constraint(
        op.f("uq_memberships_stripe_checkout_session_id"),
        "memberships",
        ["stripe_checkout_session_id"],
    )
    op.add_column(
        "payments",
        sa.Column(
            "tender",
            sa.Enum(
                "card",
                "cash",
                "terminal",
                name="paymenttender",
                native_enum=False,
                create_constraint=True,
                length=64,
            ),
            nullable=False,
            server_default="card",
        ),
    )
    op.add_column("patients", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payments", sa.Column("reference", sa.String(), nullable=True))
    op.add_column("attempts", sa.Column("stripe_id", sa.String(), nullable=True))
    op.create_index(op.f("ix_attempts_stripe_id"), "attempts", ["stripe_id"])
    op.add_column("refunds", sa.Column("asked_by_id", sa.Uuid(), nullable=True))
    op.add_column("refunds", sa.Column("note", sa.String(), nullable=True))
    op.add_column("refunds", sa.Column("approved_by_id", sa.Uuid(), nullable=True))
    op.add_column("refunds", sa.Column("approved_by", sa.String(), nullable=True))
    op.add_column("refunds", sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("bookings", "moves", server_default=None)
    op.alter_column("payments", "tender", server_default=None)
    op.create_check_constraint("approved_by_another", "refunds", "approved_by_id <> asked_by_id")
    op.create_index(
        "uq_refunds_one_goodwill_asked",
        "refunds",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text(
            "reason = 'goodwill' AND status = 'blocked' AND approved_at IS NULL"
        ),
    )
    op.drop_constraint("paid_is_proven", "payments", type_="check")
    op.create_check_constraint(
        "paid_is_proven",
        "payments",
        "status <> 'paid' OR (paid_at IS NOT NULL AND CASE tender WHEN 'card'"
        " THEN stripe_payment_intent_id ELSE reference END IS NOT NULL)",
    )
    for table, column, name, before, added in _WORDS:
        _may_hold(table, column, name, (*before, *added))


def downgrade() -> None:
    """Take them away; rows that use the new words must be gone."""
    for table, column, name, before, _added in _WORDS:
        _may_hold(table, column, name, before)
    op.drop_constraint("paid_is_proven", "payments", type_="check")
    op.create_check_constraint(
        "paid_is_proven",
        "payments",
        "status <> 'paid' OR (paid_at IS NOT NULL AND stripe_payment_intent_id IS NOT NULL)",
    )
    op.drop_index(
        "uq_refunds_one_goodwill_asked",
        table_name="refunds",
        postgresql_where=sa.text(
            "reason = 'goodwill' AND status = 'blocked' AND approved_at IS NULL"
        ),
    )
    op.drop_constraint("approved_by_another", "refunds", type_="check")
    op.drop_column("refunds", "approved_at")
    op.drop_column("refunds", "approved_by")
    op.drop_column("refunds", "approved_by_id")
    op.drop_column("refunds", "note")
    op.drop_column("refunds", "asked_by_id")
    op.drop_index(op.f("ix_attempts_stripe_id"), table_name="attempts")
    op.drop_column("attempts", "stripe_id")
    op.drop_column("payments", "reference")
    op.drop_column("patients", "erased_at")
    op.drop_column("payments", "tender")
    op.drop_constraint(
        op.f("uq_memberships_stripe_checkout_session_id"), "memberships", type_="unique"
    )
    op.drop_column("memberships", "checkout_url")
    op.drop_column("memberships", "stripe_checkout_session_id")
    op.drop_constraint(op.f("fk_journal_entries_payment_id"), "journal_entries", type_="foreignkey")
    op.drop_index(op.f("ix_journal_entries_stripe_id"), table_name="journal_entries")
    op.drop_index(op.f("ix_journal_entries_payment_id"), table_name="journal_entries")
    op.drop_column("journal_entries", "stripe_id")
    op.drop_column("journal_entries", "payment_id")
    op.drop_column("cases", "note")
    op.drop_column("cases", "resolution")
    op.drop_column("cases", "resolved_by")
    op.drop_column("bookings", "moves")
    op.drop_column("bookings", "choose_until")
    op.drop_column("bookings", "treatment_noted_at")
    op.drop_column("bookings", "arrived_noted_at")
    op.drop_index(
        "uq_settlements_one_standing",
        table_name="settlements",
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.drop_index(op.f("ix_settlements_refund_id"), table_name="settlements")
    op.drop_table("settlements")
    op.drop_index(op.f("ix_disputes_payment_id"), table_name="disputes")
    op.drop_index(op.f("ix_disputes_membership_id"), table_name="disputes")
    op.drop_table("disputes")
    op.drop_index(op.f("ix_discrepancies_run_id"), table_name="discrepancies")
    op.drop_table("discrepancies")
    op.drop_index("ix_reconciliation_runs_started_at", table_name="reconciliation_runs")
    op.drop_table("reconciliation_runs")
    op.drop_table("stripe_movements")
    op.drop_table("payouts")


def _may_hold(table: str, column: str, name: str, words: tuple[str, ...]) -> None:
    op.drop_constraint(name, table, type_="check")
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(name, table, f"{column} IN ({listed})")
