"""Let patients sign the membership agreement on their own phone.

The texts are kept by version, and each signature with the text's hash, the plan and the price. The
database refuses to change or delete either. Only what tells who signed can be overwritten, and only
with the words for an erased patient: forgetting somebody must not take the proof away.

Locks: ACCESS EXCLUSIVE on memberships, outbox_messages, notifications and reminders, each for
milliseconds; the checks scan their table. Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

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
)
_NEW_TOPICS = ("notifications.agreement_to_sign", "notifications.agreement_signed")


def upgrade() -> None:
    """Keep texts and signatures as they are, and let a membership name its signature."""
    _make_tables()
    op.add_column("memberships", sa.Column("signature_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_memberships_signature_id"),
        "memberships",
        "agreement_signatures",
        ["signature_id"],
        ["id"],
    )
    op.execute(
        """
        CREATE TRIGGER agreement_versions_append_only
        BEFORE UPDATE OR DELETE ON agreement_versions
        FOR EACH ROW EXECUTE FUNCTION refuse_change()
        """
    )
    op.execute(
        """
        CREATE FUNCTION keep_signature() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            personal text[] := ARRAY['signed_name', 'address', 'user_agent'];
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.signed_name = 'Erased'
                AND NEW.address = 'erased' AND NEW.user_agent = 'erased'
                AND to_jsonb(NEW) - personal = to_jsonb(OLD) - personal THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER agreement_signatures_append_only
        BEFORE UPDATE OR DELETE ON agreement_signatures
        FOR EACH ROW EXECUTE FUNCTION keep_signature()
        """
    )
    for table in ("outbox_messages", "notifications", "reminders"):
        _may_hold(table, _TOPICS + _NEW_TOPICS)


def downgrade() -> None:
    """Take it away, signatures and all; rows that use the new words must be gone."""
    for table in ("reminders", "notifications", "outbox_messages"):
        _may_hold(table, _TOPICS)
    op.drop_column("memberships", "signature_id")
    op.drop_table("agreement_signatures")
    op.drop_table("agreement_versions")
    op.execute("DROP FUNCTION keep_signature()")


def _make_tables() -> None:
    op.create_table(
        "agreement_versions",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("text_hash", sa.String(), nullable=False),
        sa.Column("text_es", sa.String(), nullable=False),
        sa.Column("text_hash_es", sa.String(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_versions")),
        sa.UniqueConstraint("version", name=op.f("uq_agreement_versions_version")),
    )
    table = "agreement_signatures"
    op.create_table(
        table,
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=False),
        sa.Column("visits_a_month", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("language", _words("language", "en", "es"), nullable=False),
        sa.Column("text_hash", sa.String(), nullable=False),
        sa.Column("how", _words("signedhow", "phone", "paper"), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_name", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.Column("seen_by", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("price_cents > 0", name=op.f(f"ck_{table}_price_positive")),
        sa.CheckConstraint(
            "CASE how WHEN 'phone' THEN num_nulls(signed_name, address, user_agent) = 0"
            " AND seen_by IS NULL ELSE num_nonnulls(signed_name, address, user_agent) = 0"
            " AND seen_by IS NOT NULL END",
            name=op.f(f"ck_{table}_somebody_answers_for_it"),
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["bookings.id"], name=op.f(f"fk_{table}_booking_id")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f(f"fk_{table}_plan_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["agreement_versions.id"], name=op.f(f"fk_{table}_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("booking_id", "number", name=op.f(f"uq_{table}_booking_id")),
    )


def _words(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=64)


def _may_hold(table: str, topics: tuple[str, ...]) -> None:
    """Allow the topic of a table these words and no others."""
    listed = ", ".join(f"'{topic}'" for topic in topics)
    op.drop_constraint("topic", table, type_="check")
    op.create_check_constraint("topic", table, f"topic IN ({listed})")
