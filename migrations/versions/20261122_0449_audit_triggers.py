"""Triggers on every table: who changed what; rows that never change; the chain that seals the trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.trail import append_only, audited

revision = "202611220449"
down_revision = "202611220446"
branch_labels = None
depends_on = None

# Columns that the trail never holds: secrets, signs of life, progress, and what is derived from other columns.
# A table made by a migration between 0440 and this one gets a line here if its model declares UNTRAILED.
EXCLUDED: dict[str, tuple[str, ...]] = {
    "ab_api_key": ("key_hash", "lookup_hash", "last_used_on"),
    "ab_register_user": ("password", "registration_hash"),
    "ab_user": ("password", "last_login", "login_count", "fail_login_count", "changed_on"),
    "api_key": ("key_hash", "last_used_at"),
    "background_task": ("done_count", "said", "checkpoint"),
    "contact_record": ("caller_hash",),
    "customer": ("id_hash", "search_terms"),
    "customer_contact": ("value_hash",),
    "import_batch": ("rows_done", "links_done"),
    "import_finding": ("value", "facts"),
    "job_heartbeat": ("beat_at",),
    "login_account": ("totp_last_step", "totp_pending", "totp_seed"),
    "login_attempt": ("failures", "last_at"),
    "login_session": ("last_seen_at", "token_hash"),
    "number_counter": ("last",),
    "one_time_code": ("code_hash",),
    "password_history": ("password_hash",),
}
# Left out of every table that has a row version: the entry itself says who and when.
OF_RECORDED = ("updated_at", "updated_by_id", "row_version")

APPEND_ONLY = ("print_job", "sensitive_view_log", "report_run", "audit_seal", "audit_prune")

# A row that an act or a form of ours changed, written in the same transaction. An insert keeps the row as it became,
# a delete as it was; an update keeps the changed columns alone, before and after: with them every state of a row can
# be told, and wide rows cost little. A table without a numeric id keeps whole rows, so that its key is always there.
# While keys rotate, values change their cipher and nothing else: the owner, and nobody else, may say so.
ROW = """
CREATE FUNCTION audit_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  who text := current_setting('app.actor', true);
  number bigint := pg_current_xact_id()::text::bigint;
  excluded text[] := coalesce(TG_ARGV::text[], '{}');
  was jsonb; becomes jsonb; keyed jsonb;
BEGIN
  IF TG_OP = 'UPDATE' AND session_user = current_user AND current_setting('app.rekey', true) = 'on' THEN
    RETURN NULL;
  END IF;
  IF coalesce(who, '') = '' THEN
    RAISE EXCEPTION 'a write to % without an actor', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP IN ('UPDATE', 'DELETE') THEN was := to_jsonb(OLD) - excluded; keyed := was; END IF;
  IF TG_OP IN ('UPDATE', 'INSERT') THEN becomes := to_jsonb(NEW) - excluded; keyed := becomes; END IF;
  IF TG_OP = 'UPDATE' THEN
    IF was = becomes THEN RETURN NULL; END IF;
    IF jsonb_typeof(keyed -> 'id') = 'number' THEN
      SELECT jsonb_object_agg(now_.key, was -> now_.key), jsonb_object_agg(now_.key, now_.value)
        INTO was, becomes
        FROM jsonb_each(becomes) now_ WHERE now_.value IS DISTINCT FROM was -> now_.key;
    END IF;
  END IF;
  INSERT INTO audit_log (actor, request, address, table_name, record_id, operation, before, after, transaction_id)
  VALUES (who, coalesce(current_setting('app.request', true), ''), coalesce(current_setting('app.address', true), ''),
          TG_TABLE_NAME, CASE WHEN jsonb_typeof(keyed -> 'id') = 'number' THEN (keyed ->> 'id')::bigint END,
          lower(TG_OP), was, becomes, number);
  RETURN NULL;
END $$
"""

# As in 0440; the transaction's number is new, and that only the owner's own session tells of a pruning.
EVENT = """
CREATE OR REPLACE FUNCTION audit_event(happened text, about text, about_id bigint, told jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE made bigint;
BEGIN
  IF coalesce(current_setting('app.actor', true), '') = '' THEN
    RAISE EXCEPTION 'an event without an actor' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF happened IN ('insert', 'update', 'delete', 'truncate') THEN
    RAISE EXCEPTION 'changes of rows are written by their triggers' USING ERRCODE = 'insufficient_privilege';
  END IF;{guard}
  INSERT INTO audit_log (actor, request, address, table_name, record_id, operation, after{column})
  VALUES (current_setting('app.actor', true), coalesce(current_setting('app.request', true), ''),
          coalesce(current_setting('app.address', true), ''), about, about_id, happened, told{value})
  RETURNING id INTO made;
  RETURN made;
END $$
"""

OWNERS_EVENT = """
  IF happened = 'prune' AND session_user <> current_user THEN
    RAISE EXCEPTION 'only the owner prunes the trail' USING ERRCODE = 'insufficient_privilege';
  END IF;"""

# Rows that never change. One that its own transaction has just inserted may be completed where that is declared: the
# trail itself says who inserted it.
KEPT = """
CREATE FUNCTION audit_kept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND session_user = current_user AND current_setting('app.rekey', true) = 'on' THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND coalesce(TG_ARGV[0], '') = 'until commit' THEN
    PERFORM 1 FROM audit_log
      WHERE table_name = TG_TABLE_NAME AND record_id = OLD.id AND operation = 'insert'
        AND transaction_id = pg_current_xact_id()::text::bigint AND at >= transaction_timestamp();
    IF FOUND THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, lower(TG_OP) USING ERRCODE = 'insufficient_privilege';
END $$
"""

# The trail loses a row only to audit_prune_segment, and never one younger than six months. White paper H.2.
KEPT_TRAIL = """
CREATE FUNCTION audit_kept_trail() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' AND coalesce(current_setting('app.pruning', true), '') = 'yes' THEN
    IF OLD.at < clock_timestamp() - interval '6 months' THEN RETURN OLD; END IF;
    RAISE EXCEPTION 'entry % is younger than six months', OLD.id USING ERRCODE = 'insufficient_privilege';
  END IF;
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, lower(TG_OP) USING ERRCODE = 'insufficient_privilege';
END $$
"""

# One line of text for an entry, every column in it; nothing of it depends on a session's settings.
LINE = """
jsonb_build_array(id, (extract(epoch from at) * 1000000)::bigint, actor, request, address, table_name, record_id,
                  operation, before::text, after::text, transaction_id)::text
"""

# Seals what is settled. A number of the sequence may be held by a transaction that commits later, so a mark is set
# first: the last number given out, then who was writing the trail at that moment. Whoever holds a number holds the
# table's lock since before he took it. Once none of them is writing any more, no number up to the mark can appear.
SEAL = """
CREATE FUNCTION audit_seal_rows() RETURNS SETOF audit_seal
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  mark audit_mark; chain audit_seal; made audit_seal; horizon bigint; digest_ text; found_ int; upto bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the trail is sealed under read committed';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('audit_seal', 7));
  SELECT * INTO mark FROM audit_mark;
  PERFORM 1 FROM pg_locks WHERE relation = 'audit_log'::regclass AND mode = 'RowExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (virtualtransaction = ANY(mark.writing) OR virtualtransaction LIKE '-1/%');
  IF FOUND THEN RETURN; END IF;
  horizon := mark.upto_id;
  SELECT last_value INTO mark.upto_id FROM audit_log_id_seq;
  SELECT coalesce(array_agg(virtualtransaction), '{}') INTO mark.writing FROM pg_locks
    WHERE relation = 'audit_log'::regclass AND mode = 'RowExclusiveLock'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
  UPDATE audit_mark SET upto_id = mark.upto_id, writing = mark.writing;
  SELECT * INTO chain FROM audit_seal ORDER BY id DESC LIMIT 1;
  IF NOT EXISTS (SELECT FROM audit_log WHERE id > chain.to_id AND id <= horizon
                 AND (actor <> 'house:job:trail.seal' OR at < clock_timestamp() - interval '1 hour')) THEN
    RETURN;
  END IF;
  LOOP
    SELECT count(*), max(id), encode(sha256(convert_to(coalesce(string_agg(LINE_, E'\\n' ORDER BY id), ''), 'UTF8')), 'hex')
      INTO found_, upto, digest_
      FROM (SELECT * FROM audit_log WHERE id > chain.to_id AND id <= horizon ORDER BY id LIMIT 1000) entries;
    EXIT WHEN found_ = 0;
    made.id := chain.id + 1;
    made.from_id := chain.to_id + 1;
    made.to_id := CASE WHEN found_ < 1000 THEN horizon ELSE upto END;
    made.entries := found_;
    made.digest := digest_;
    made.previous_hash := chain.hash;
    made.sealed_at := clock_timestamp();
    made.hash := encode(sha256(convert_to(concat_ws('|', made.previous_hash, made.id, made.from_id, made.to_id, made.entries,
      made.digest, (extract(epoch from made.sealed_at) * 1000000)::bigint), 'UTF8')), 'hex');
    INSERT INTO audit_seal SELECT made.*;
    RETURN NEXT made;
    chain := made;
  END LOOP;
END $$
""".replace("LINE_", LINE.strip())

# Takes the entries of a sealed segment away that an archive file holds. Its seal stays, and so does what is kept.
PRUNE = """
CREATE FUNCTION audit_prune_segment(segment bigint, gone bigint[], archive text, archive_digest text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE sealed audit_seal; removed int; kept int; kept_digest_ text;
BEGIN
  SELECT * INTO sealed FROM audit_seal WHERE id = segment AND id > 0;
  IF NOT FOUND THEN RAISE EXCEPTION 'segment % is not sealed', segment; END IF;
  IF sealed.sealed_at >= clock_timestamp() - interval '6 months' THEN
    RAISE EXCEPTION 'segment % is younger than six months', segment USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM set_config('app.pruning', 'yes', true);
  DELETE FROM audit_log WHERE id BETWEEN sealed.from_id AND sealed.to_id AND id = ANY(gone);
  GET DIAGNOSTICS removed = ROW_COUNT;
  PERFORM set_config('app.pruning', '', true);
  SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(LINE_, E'\\n' ORDER BY id), ''), 'UTF8')), 'hex')
    INTO kept, kept_digest_ FROM audit_log WHERE id BETWEEN sealed.from_id AND sealed.to_id;
  INSERT INTO audit_prune (id, removed, kept, kept_digest, archive, archive_digest, pruned_at)
  VALUES (segment, removed, kept, kept_digest_, archive, archive_digest, clock_timestamp());
  PERFORM audit_event('prune', 'audit_seal', segment, jsonb_build_object('removed', removed, 'kept', kept,
    'kept_digest', kept_digest_, 'archive', archive, 'archive_digest', archive_digest));
END $$
""".replace("LINE_", LINE.strip())

NEW_FUNCTIONS = (
    "audit_row()",
    "audit_kept()",
    "audit_kept_trail()",
    "audit_seal_rows()",
    "audit_prune_segment(bigint, bigint[], text, text)",
)


def upgrade() -> None:
    op.add_column("audit_log", sa.Column("transaction_id", sa.BigInteger(), nullable=True))
    op.execute("UPDATE audit_log SET transaction_id = 0")
    op.alter_column("audit_log", "transaction_id", nullable=False)
    op.create_index("ix_audit_log_actor", "audit_log", ["actor", "id"])
    _make_chain()
    with_number = EVENT.format(
        column=", transaction_id", value=", pg_current_xact_id()::text::bigint", guard=OWNERS_EVENT
    )
    for function in (ROW, with_number, KEPT, KEPT_TRAIL, SEAL, PRUNE):
        op.execute(function)
    op.execute("REVOKE ALL ON FUNCTION audit_prune_segment(bigint, bigint[], text, text) FROM PUBLIC")
    for table, columns in _standing_tables().items():
        recorded = OF_RECORDED if "row_version" in columns else ()
        audited(table, *sorted({*recorded, *EXCLUDED.get(table, ())}))
    append_only("audit_log", guard="audit_kept_trail")
    append_only("act_run", until_commit=True)
    for table in APPEND_ONLY:
        append_only(table)


def _make_chain() -> None:
    """Make the chain's tables; its first link is a random one, so that no two chains can be mistaken."""
    op.create_table(
        "audit_seal",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_id", sa.BigInteger(), nullable=False),
        sa.Column("to_id", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_seal")),
    )
    op.create_table(
        "audit_prune",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("kept_digest", sa.String(length=64), nullable=False),
        sa.Column("archive", sa.String(length=200), nullable=False),
        sa.Column("archive_digest", sa.String(length=64), nullable=False),
        sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_prune")),
    )
    op.create_table(
        "audit_mark",
        sa.Column("upto_id", sa.BigInteger(), nullable=False),
        sa.Column("writing", postgresql.ARRAY(sa.Text()), nullable=False),
    )
    op.execute("INSERT INTO audit_mark VALUES (0, '{}')")
    op.execute(
        "INSERT INTO audit_seal SELECT 0, 0, 0, 0, '', '', encode(sha256(convert_to(gen_random_uuid()::text, 'UTF8')), 'hex'),"
        " clock_timestamp()"
    )


def _standing_tables() -> dict[str, set[str]]:
    """Return the tables that stand, with their columns: all but the trail's own and those of other libraries."""
    rows = op.get_bind().execute(
        sa.text(
            "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'"
            " AND c.relname NOT LIKE 'procrastinate%' AND c.relname NOT LIKE 'audit%' AND c.relname <> 'rate_limit' GROUP BY 1 ORDER BY 1"
        )
    )
    return {name: set(columns) for name, columns in rows}


def downgrade() -> None:
    op.drop_table("audit_mark")
    for function in NEW_FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.drop_table("audit_prune")
    op.drop_table("audit_seal")
    op.execute(EVENT.format(column="", value="", guard=""))
    op.drop_index("ix_audit_log_actor", "audit_log")
    op.drop_column("audit_log", "transaction_id")
