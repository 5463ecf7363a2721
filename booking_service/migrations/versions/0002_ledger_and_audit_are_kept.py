"""Make the ledger balanced and append-only, and the audit log append-only and chained.

Finance signs off on monthly totals, and an auditor must be able to trust who did what
(docs/adr/0007). An entry that could still change would make a signed total a lie, so the database
refuses UPDATE and DELETE whoever asks, and refuses to commit an entry whose lines do not add up to
zero. Each committed audit row gets a link that holds the hash of itself and of the link before, so
that a row taken out or altered by a database administrator is found by `booking audit verify`.

The link is forged by a deferred trigger, at commit: the lock that puts the links in one order is
then held for the last moment of a transaction only, and can deadlock with nothing.

Locks: CREATE TRIGGER takes SHARE ROW EXCLUSIVE on five tables for milliseconds. Data: none changed.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_APPEND_ONLY = ("journal_entries", "journal_lines", "audit_rows", "audit_links")


def upgrade() -> None:
    """Refuse changes to what was written, and entries that do not balance; chain the audit log."""
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
        END $$
        """
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"""
            CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_change()
            """
        )
    op.execute(
        """
        CREATE FUNCTION refuse_unbalanced_entry() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT coalesce(sum(amount_cents), 1) FROM journal_lines
                WHERE entry_id = NEW.entry_id) <> 0 THEN
                RAISE EXCEPTION 'journal entry % does not balance', NEW.entry_id;
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE CONSTRAINT TRIGGER journal_lines_balance AFTER INSERT ON journal_lines
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced_entry()
        """
    )
    op.execute(
        """
        CREATE FUNCTION audit_hash(previous text, r audit_rows) RETURNS text
        LANGUAGE sql STABLE AS $$
            SELECT encode(sha256(convert_to(concat_ws('|', previous, r.id,
                to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), r.actor_kind,
                coalesce(r.actor_id::text, '-'), r.action, r.subject_id, r.before, r.after
            ), 'UTF8')), 'hex')
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION forge_audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            last_hash text;
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('audit chain'));
            SELECT hash INTO last_hash FROM audit_links ORDER BY number DESC LIMIT 1;
            last_hash := coalesce(last_hash, repeat('0', 64));
            INSERT INTO audit_links (id, row_id, previous_hash, hash)
            VALUES (gen_random_uuid(), NEW.id, last_hash, audit_hash(last_hash, NEW));
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE CONSTRAINT TRIGGER audit_rows_chained AFTER INSERT ON audit_rows
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION forge_audit_link()
        """
    )


def downgrade() -> None:
    """Allow changes again, and stop chaining; the links that exist stay."""
    op.execute("DROP TRIGGER audit_rows_chained ON audit_rows")
    op.execute("DROP FUNCTION forge_audit_link()")
    op.execute("DROP FUNCTION audit_hash(text, audit_rows)")
    op.execute("DROP TRIGGER journal_lines_balance ON journal_lines")
    op.execute("DROP FUNCTION refuse_unbalanced_entry()")
    for table in _APPEND_ONLY:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    op.execute("DROP FUNCTION refuse_change()")
