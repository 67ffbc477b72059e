"""first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# What constraints cannot say. History is append-only for everybody, the owner included.
PROMISES = (
    """
    CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'the journal is append-only: % on % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'journal_is_append_only';
    END $$
    """,
    """
    CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
    """,
    """
    CREATE TRIGGER climb_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON climb
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
    """,
    # An event without its item having moved, or under another workflow than the item's own.
    """
    CREATE FUNCTION refuse_stray_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM 1 FROM item WHERE id = NEW.item_id AND seq >= NEW.seq
        AND workflow = NEW.workflow AND version = NEW.version;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'event % of item % is not the item''s own', NEW.seq, NEW.item_id
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'event_belongs_to_its_item';
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER event_belongs_to_its_item AFTER INSERT ON event
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_stray_event()
    """,
    # A duty's beginning is history too: it may end once, and nothing else about it may change.
    """
    CREATE FUNCTION refuse_rewriting_duty() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
        OR (NEW.item_id, NEW.family_id, NEW.person_id, NEW.role, NEW.duty, NEW.assigned,
            NEW.began_at)
          IS DISTINCT FROM
          (OLD.item_id, OLD.family_id, OLD.person_id, OLD.role, OLD.duty, OLD.assigned,
            OLD.began_at) THEN
        RAISE EXCEPTION 'a duty can only be ended, once'
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'duty_only_ends';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER duty_only_ends BEFORE UPDATE OR DELETE ON item_duty
      FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_duty()
    """,
    """
    CREATE TRIGGER duties_are_kept BEFORE TRUNCATE ON item_duty
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
    """,
    # An item is for ever, and what it is never changes; its state follows its journal forward only.
    # The conditions are judged without calling the function, so a lawful move pays next to nothing.
    """
    CREATE FUNCTION refuse_rewriting_item() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an item is never removed'
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'item_is_never_removed';
      END IF;
      RAISE EXCEPTION 'item % only moves on', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'item_only_moves_on';
    END $$
    """,
    """
    CREATE TRIGGER item_is_never_removed BEFORE DELETE ON item
      FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_item()
    """,
    """
    CREATE TRIGGER item_only_moves_on BEFORE UPDATE ON item FOR EACH ROW
      WHEN (NEW.seq < OLD.seq OR NEW.revision < OLD.revision
        OR (NEW.id, NEW.number, NEW.workflow, NEW.version, NEW.family_id, NEW.received_at)
          IS DISTINCT FROM
          (OLD.id, OLD.number, OLD.workflow, OLD.version, OLD.family_id, OLD.received_at))
      EXECUTE FUNCTION refuse_rewriting_item()
    """,
    # Every process keeps a copy of the office; this is how it learns that the copy is old.
    """
    CREATE FUNCTION raise_office_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      UPDATE bureau SET office_revision = office_revision + 1;
      RETURN NULL;
    END $$
    """,
    *(
        f"CREATE TRIGGER {table}_changes_the_office AFTER INSERT OR UPDATE OR DELETE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION raise_office_revision()"
        for table in ("unit", "membership", "leave", "endpoint")
    ),
    # a new password hash is no change of the office
    """
    CREATE TRIGGER person_changes_the_office
      AFTER INSERT OR DELETE OR UPDATE OF account, name, unit_id, email, certified_until, left_on
      ON person FOR EACH STATEMENT EXECUTE FUNCTION raise_office_revision()
    """,
    "INSERT INTO bureau DEFAULT VALUES",
)


def upgrade() -> None:
    for extension in ("btree_gist", "pg_trgm"):  # trusted: the database's owner may
        op.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    op.create_table(
        "answer",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("answer_key")),
    )
    op.create_index(op.f("answer_created_at"), "answer", ["created_at"], unique=False)
    op.create_table(
        "bureau",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("office_revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("calendar_revision", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("practice_offset", sa.Interval(), server_default=sa.text("'0'"), nullable=False),
        sa.CheckConstraint("one", name=op.f("bureau_has_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("bureau_key")),
    )
    op.create_table(
        "calendar_year",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("edition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("year", "edition", name=op.f("calendar_year_key")),
    )
    op.create_table(
        "import_run",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("accepted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("accepted + refused = done", name=op.f("import_run_loses_no_row")),
        sa.PrimaryKeyConstraint("digest", name=op.f("import_run_key")),
    )
    op.create_table(
        "unit",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("aliases", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["unit.id"], name=op.f("unit_parent_id_exists")),
        sa.PrimaryKeyConstraint("id", name=op.f("unit_key")),
        sa.UniqueConstraint("code", name=op.f("unit_code_once")),
        sa.UniqueConstraint("name", name=op.f("unit_name_once")),
    )
    op.create_table(
        "workflow_version",
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workflow", "version", name=op.f("workflow_version_key")),
    )
    op.create_table(
        "edge",
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workflow", "version"],
            ["workflow_version.workflow", "workflow_version.version"],
            name=op.f("edge_workflow_version_exists"),
        ),
        sa.PrimaryKeyConstraint(
            "workflow", "version", "act", "from_state", "to_state", name=op.f("edge_key")
        ),
    )
    op.create_table(
        "endpoint",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("endpoint_unit_id_exists")),
        sa.PrimaryKeyConstraint("id", name=op.f("endpoint_key")),
        sa.UniqueConstraint("url", name=op.f("endpoint_url_once")),
    )
    op.create_table(
        "import_refusal",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["import_run.digest"], name=op.f("import_refusal_digest_exists")
        ),
        sa.PrimaryKeyConstraint("digest", "row", name=op.f("import_refusal_key")),
    )
    op.create_table(
        "item",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("subject_unit_id", sa.Integer(), nullable=True),
        sa.Column("family_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("mandatory", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("settled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("'infinity'"),
            nullable=False,
        ),
        sa.Column("rung", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code_hash", sa.Text(), nullable=True),
        sa.Column("outside_key", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["id", "seq", "state"],
            ["event.item_id", "event.seq", "event.to_state"],
            name="item_stands_where_its_last_event_left_it",
            initially="DEFERRED",
            deferrable=True,
            use_alter=True,
        ),
        sa.ForeignKeyConstraint(
            ["subject_unit_id"], ["unit.id"], name=op.f("item_subject_unit_id_exists")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("item_unit_id_exists")),
        sa.PrimaryKeyConstraint("id", name=op.f("item_key")),
        sa.UniqueConstraint("number", name=op.f("item_number_once")),
        sa.UniqueConstraint("workflow", "outside_key", name="item_outside_key_once"),
        postgresql_with={"fillfactor": "85", "autovacuum_vacuum_scale_factor": "0.02"},
    )
    op.create_index(
        "item_closed",
        "item",
        ["closed_at", "id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "item_due",
        "item",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("item_family", "item", ["family_id"], unique=False)
    op.create_index(
        "item_parent",
        "item",
        ["parent_id"],
        unique=False,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_index(
        "item_queue",
        "item",
        ["unit_id", "state", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "item_unit_due",
        "item",
        ["unit_id", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("certified_until", sa.Date(), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("person_unit_id_exists")),
        sa.PrimaryKeyConstraint("id", name=op.f("person_key")),
        sa.UniqueConstraint("account", name=op.f("person_account_once")),
    )
    op.create_table(
        "deadline",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("rule_since", sa.Date(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("ladder", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "pauses",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("extension", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provisional", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rung", sa.SmallInteger(), nullable=True),
        sa.Column("next_rung", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_rung_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('limit', 'idle', 'ping_pong', 'clock_abuse')",
            name=op.f("deadline_kind_known"),
        ),
        sa.CheckConstraint(
            "paused_at IS NULL OR next_rung_at IS NULL",
            name=op.f("deadline_paused_clock_never_rings"),
        ),
        sa.CheckConstraint(
            "stopped_at IS NULL OR next_rung_at IS NULL",
            name=op.f("deadline_stopped_clock_never_rings"),
        ),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("deadline_item_id_exists")),
        sa.PrimaryKeyConstraint("id", name=op.f("deadline_key")),
        postgresql_with={"fillfactor": "85", "autovacuum_vacuum_scale_factor": "0.02"},
    )
    op.create_index(
        "deadline_alarm",
        "deadline",
        ["next_rung_at"],
        unique=False,
        postgresql_where=sa.text("next_rung_at IS NOT NULL"),
    )
    op.create_index(
        "deadline_climbed",
        "deadline",
        [sa.literal_column("rung DESC"), "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("stopped_at IS NULL AND rung >= 1"),
    )
    op.create_index(
        "deadline_running",
        "deadline",
        ["item_id"],
        unique=False,
        postgresql_where=sa.text("stopped_at IS NULL"),
    )
    op.create_table(
        "document",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("document_item_id_exists")),
        sa.PrimaryKeyConstraint("id", name=op.f("document_key")),
    )
    op.create_index("document_of_item", "document", ["item_id", "seq"], unique=False)
    op.create_table(
        "event",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prev_seq", sa.Integer(), nullable=True),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "(seq = 1 AND prev_seq IS NULL AND from_state = '') OR (seq > 1 AND prev_seq = seq - 1 AND from_state <> '')",
            name=op.f("event_counts_without_gaps"),
        ),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("event_has_a_hash")),
        sa.ForeignKeyConstraint(["actor_id"], ["person.id"], name=op.f("event_actor_id_exists")),
        sa.ForeignKeyConstraint(
            ["item_id", "prev_seq", "from_state"],
            ["event.item_id", "event.seq", "event.to_state"],
            name="event_continues_where_the_last_one_ended",
        ),
        sa.ForeignKeyConstraint(
            ["workflow", "version", "act", "from_state", "to_state"],
            ["edge.workflow", "edge.version", "edge.act", "edge.from_state", "edge.to_state"],
            name="event_follows_a_declared_edge",
        ),
        sa.PrimaryKeyConstraint("item_id", "seq", name=op.f("event_key")),
        sa.UniqueConstraint("item_id", "seq", "to_state", name="event_end_once"),
    )
    op.create_table(
        "item_data",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("item_data_item_id_exists")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("item_data_key")),
    )
    op.create_table(
        "item_duty",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("family_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("duty", sa.Text(), nullable=False),
        sa.Column("assigned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("family_id"), "="),
            (sa.column("person_id"), "="),
            (sa.column("duty"), "<>"),
            where=sa.text("duty IN ('work', 'approve', 'revisit')"),
            using="gist",
            name="duty_never_two_ever",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("family_id"), "="),
            (sa.column("person_id"), "="),
            (sa.column("duty"), "<>"),
            where=sa.text("ended_at IS NULL"),
            using="gist",
            name="duty_never_two_at_once",
        ),
        sa.CheckConstraint(
            "duty IN ('work', 'approve', 'revisit', 'accused', 'recused')",
            name=op.f("item_duty_is_known"),
        ),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("item_duty_item_id_exists")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("item_duty_person_id_exists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("item_duty_key")),
    )
    op.create_index(
        "item_duty_active_once",
        "item_duty",
        ["item_id", "person_id", "role"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("item_duty_of_family", "item_duty", ["family_id"], unique=False)
    op.create_index(
        "item_duty_of_person",
        "item_duty",
        ["person_id", "duty"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "leave",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("substitute_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("first_on <= last_on", name=op.f("leave_ends_after_it_begins")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("leave_person_id_exists")),
        sa.ForeignKeyConstraint(
            ["substitute_id"], ["person.id"], name=op.f("leave_substitute_id_exists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("leave_key")),
    )
    op.create_table(
        "login",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("login_person_id_exists")),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("login_key")),
    )
    op.create_index(op.f("login_person_id"), "login", ["person_id"], unique=False)
    op.create_table(
        "membership",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("membership_person_id_exists")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("membership_unit_id_exists")),
        sa.PrimaryKeyConstraint("person_id", "role", "unit_id", name=op.f("membership_key")),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("deadline_id", sa.BigInteger(), nullable=True),
        sa.Column("rung", sa.SmallInteger(), nullable=True),
        sa.Column("recipient_id", sa.Integer(), nullable=True),
        sa.Column("endpoint_id", sa.Integer(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("crashes", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("last_result", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'leased') = (lease_token IS NOT NULL)",
            name=op.f("message_lease_has_a_token"),
        ),
        sa.CheckConstraint(
            "status IN ('ready', 'leased', 'sent', 'dead', 'withdrawn')",
            name=op.f("message_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoint.id"], name=op.f("message_endpoint_id_exists")
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["person.id"], name=op.f("message_recipient_id_exists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("message_key")),
        postgresql_with={"fillfactor": "85"},
    )
    op.create_index(
        "message_inbox", "message", ["recipient_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "message_leased",
        "message",
        ["leased_until"],
        unique=False,
        postgresql_where=sa.text("status = 'leased'"),
    )
    op.create_index(
        "message_dead",
        "message",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status = 'dead'"),
    )
    op.create_index("message_of_item", "message", ["item_id", "seq"], unique=False)
    op.create_index(
        "message_ready",
        "message",
        ["not_before", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ready'"),
    )
    op.create_index(
        "message_thread",
        "message",
        ["item_id", "recipient_id", "channel", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('ready', 'leased')"),
    )
    op.create_table(
        "personal_data",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["item.id"], name=op.f("personal_data_item_id_exists")
        ),
        sa.PrimaryKeyConstraint("item_id", "seq", name=op.f("personal_data_key")),
    )
    op.create_table(
        "climb",
        sa.Column("deadline_id", sa.BigInteger(), nullable=False),
        sa.Column("rung", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("climbed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["deadline_id"], ["deadline.id"], name=op.f("climb_deadline_id_exists")
        ),
        sa.PrimaryKeyConstraint("deadline_id", "rung", name=op.f("climb_key")),
    )
    op.create_foreign_key(
        "item_stands_where_its_last_event_left_it",
        "item",
        "event",
        ["id", "seq", "state"],
        ["item_id", "seq", "to_state"],
        deferrable=True,
        initially="DEFERRED",
    )
    for statement in PROMISES:
        op.execute(statement)


def downgrade() -> None:
    op.drop_constraint("item_stands_where_its_last_event_left_it", "item", type_="foreignkey")
    op.drop_table("climb")
    op.drop_table("personal_data")
    op.drop_index(
        "message_thread",
        table_name="message",
        postgresql_where=sa.text("status IN ('ready', 'leased')"),
    )
    op.drop_index(
        "message_ready", table_name="message", postgresql_where=sa.text("status = 'ready'")
    )
    op.drop_index("message_dead", table_name="message", postgresql_where=sa.text("status = 'dead'"))
    op.drop_index("message_of_item", table_name="message")
    op.drop_index(
        "message_leased", table_name="message", postgresql_where=sa.text("status = 'leased'")
    )
    op.drop_index("message_inbox", table_name="message")
    op.drop_table("message")
    op.drop_table("membership")
    op.drop_index(op.f("login_person_id"), table_name="login")
    op.drop_table("login")
    op.drop_table("leave")
    op.drop_index(
        "item_duty_of_person", table_name="item_duty", postgresql_where=sa.text("ended_at IS NULL")
    )
    op.drop_index("item_duty_of_family", table_name="item_duty")
    op.drop_index(
        "item_duty_active_once",
        table_name="item_duty",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("item_duty")
    op.drop_table("item_data")
    op.drop_table("event")
    op.drop_index("document_of_item", table_name="document")
    op.drop_table("document")
    op.drop_index(
        "deadline_running", table_name="deadline", postgresql_where=sa.text("stopped_at IS NULL")
    )
    op.drop_index(
        "deadline_climbed",
        table_name="deadline",
        postgresql_where=sa.text("stopped_at IS NULL AND rung >= 1"),
    )
    op.drop_index(
        "deadline_alarm",
        table_name="deadline",
        postgresql_where=sa.text("next_rung_at IS NOT NULL"),
    )
    op.drop_table("deadline")
    op.drop_table("person")
    op.drop_index("item_unit_due", table_name="item", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_index("item_queue", table_name="item", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_index(
        "item_parent", table_name="item", postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.drop_index("item_family", table_name="item")
    op.drop_index("item_due", table_name="item", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_index(
        "item_closed", table_name="item", postgresql_where=sa.text("closed_at IS NOT NULL")
    )
    op.drop_table("item")
    op.drop_table("import_refusal")
    op.drop_table("endpoint")
    op.drop_table("edge")
    op.drop_table("workflow_version")
    op.drop_table("unit")
    op.drop_table("import_run")
    op.drop_table("calendar_year")
    op.drop_table("bureau")
    op.drop_index(op.f("answer_created_at"), table_name="answer")
    op.drop_table("answer")
    for function in (
        "refuse_rewriting",
        "refuse_stray_event",
        "refuse_rewriting_duty",
        "refuse_rewriting_item",
        "raise_office_revision",
    ):
        op.execute(f"DROP FUNCTION {function}()")
