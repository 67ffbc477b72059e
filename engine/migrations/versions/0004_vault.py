"""the vault."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CLEAR = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM personal_data) THEN
    RAISE EXCEPTION 'personal data of an unreleased version lie here in clear, and what their events '
      'commit to cannot be encrypted afterwards; begin with an empty database';
  END IF;
END $$
"""

TRIGGERS = (
    # What was given is history: it is there as it was given, or it is erased.
    """
    CREATE TRIGGER payload_is_never_rewritten BEFORE UPDATE OR TRUNCATE ON vault.payload
      FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_rewriting()
    """,
    # Two steps, and none under a hold, whoever deletes.
    """
    CREATE FUNCTION vault.refuse_erasing() RETURNS trigger LANGUAGE plpgsql
      SET search_path = vault, public AS $$
    BEGIN
      IF EXISTS (SELECT FROM vault.legal_hold WHERE item_id = OLD.item_id AND lifted_seq IS NULL) THEN
        RAISE EXCEPTION 'item % is under a legal hold', OLD.item_id
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payload_is_held';
      END IF;
      IF NOT EXISTS (SELECT FROM vault.erasure
          WHERE item_id = OLD.item_id AND shredded_at IS NULL) THEN
        RAISE EXCEPTION 'the data of item % were not restricted first', OLD.item_id
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payload_is_erased_in_two_steps';
      END IF;
      RETURN OLD;
    END $$
    """,
    """
    CREATE TRIGGER payload_is_kept BEFORE DELETE ON vault.payload
      FOR EACH ROW EXECUTE FUNCTION vault.refuse_erasing()
    """,
    """
    CREATE TRIGGER data_key_is_kept BEFORE DELETE ON vault.data_key
      FOR EACH ROW EXECUTE FUNCTION vault.refuse_erasing()
    """,
    # The one way to a letter's words, which are frozen otherwise: the same two conditions.
    """
    CREATE FUNCTION vault.erase_letters(of_item bigint, letters bigint[]) RETURNS SETOF integer
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = vault, public, pg_temp AS $$
    BEGIN
      IF EXISTS (SELECT FROM legal_hold WHERE item_id = of_item AND lifted_seq IS NULL)
        OR NOT EXISTS (SELECT FROM erasure WHERE item_id = of_item AND shredded_at IS NULL) THEN
        RAISE EXCEPTION 'the letters of item % are kept', of_item
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'letters_are_kept';
      END IF;
      RETURN QUERY UPDATE document SET body = NULL
        WHERE item_id = of_item AND id = ANY(letters) RETURNING seq;
    END $$
    """,
    "REVOKE ALL ON FUNCTION vault.erase_letters FROM PUBLIC",
    # Nobody barred in the family asks or grants; what was decided stays decided.
    """
    CREATE FUNCTION vault.refuse_reveal() RETURNS trigger LANGUAGE plpgsql
      SET search_path = vault, public AS $$
    BEGIN
      IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.status <> 'asked'
          OR (NEW.id, NEW.item_id, NEW.fields, NEW.protection, NEW.requester_id, NEW.asked_at)
            IS DISTINCT FROM
            (OLD.id, OLD.item_id, OLD.fields, OLD.protection, OLD.requester_id, OLD.asked_at)) THEN
        RAISE EXCEPTION 'reveal % was decided', OLD.id
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'reveal_is_decided_once';
      END IF;
      IF NEW.status IN ('asked', 'granted')
          AND EXISTS (SELECT FROM item_duty d JOIN item i ON i.family_id = d.family_id
          WHERE i.id = NEW.item_id AND d.ended_at IS NULL AND d.duty IN ('accused', 'recused')
          AND d.person_id IN (NEW.requester_id, NEW.approver_id)) THEN
        RAISE EXCEPTION 'a barred person and reveal %', NEW.id
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'reveal_by_the_unbarred';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER reveal_is_lawful BEFORE INSERT OR UPDATE OR DELETE ON vault.reveal
      FOR EACH ROW EXECUTE FUNCTION vault.refuse_reveal()
    """,
)


def upgrade() -> None:
    op.execute(CLEAR)
    op.drop_table("personal_data")
    op.execute("CREATE SCHEMA vault")
    op.create_table(
        "data_key",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(commitment) = 32", name=op.f("data_key_has_a_commitment")),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("data_key_item_id_exists")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("data_key_key")),
        schema="vault",
    )
    op.create_table(
        "payload",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(salt) = 32", name=op.f("payload_has_a_salt")),
        sa.ForeignKeyConstraint(
            ["item_id"], ["vault.data_key.item_id"], name=op.f("payload_item_id_exists")
        ),
        sa.PrimaryKeyConstraint("item_id", "seq", name=op.f("payload_key")),
        schema="vault",
    )

    op.create_table(
        "reveal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("protection", sa.Text(), nullable=False),
        sa.Column("requester_id", sa.Integer(), nullable=False),
        sa.Column("approver_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shown_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('asked', 'granted', 'refused', 'lapsed')", name=op.f("reveal_status_known")
        ),
        sa.CheckConstraint("approver_id <> requester_id", name=op.f("reveal_takes_two")),
        sa.CheckConstraint(
            "(status = 'granted') = (shown_until IS NOT NULL)",
            name=op.f("reveal_shown_once_granted"),
        ),
        sa.CheckConstraint(
            "protection = 'open' OR status <> 'granted' OR approver_id IS NOT NULL",
            name=op.f("reveal_granted_by_somebody"),
        ),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("reveal_item_id_exists")),
        sa.ForeignKeyConstraint(
            ["requester_id"], ["person.id"], name=op.f("reveal_requester_id_exists")
        ),
        sa.ForeignKeyConstraint(
            ["approver_id"], ["person.id"], name=op.f("reveal_approver_id_exists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("reveal_key")),
        schema="vault",
    )
    op.create_index(
        "reveal_asked_once",
        "reveal",
        ["item_id", "requester_id"],
        unique=True,
        schema="vault",
        postgresql_where=sa.text("status = 'asked'"),
    )
    op.create_index(
        "reveal_waiting",
        "reveal",
        ["lapses_at"],
        schema="vault",
        postgresql_where=sa.text("status = 'asked'"),
    )
    op.create_index("reveal_of_item", "reveal", ["item_id", "id"], schema="vault")
    op.create_table(
        "trace",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("trace_item_id_exists")),
        sa.PrimaryKeyConstraint("item_id", "purpose", "mark", name=op.f("trace_key")),
        schema="vault",
    )
    op.create_index("trace_mark", "trace", ["mark"], schema="vault")
    op.create_table(
        "legal_hold",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("set_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lifted_seq", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("legal_hold_item_id_exists")),
        sa.PrimaryKeyConstraint("item_id", "set_seq", name=op.f("legal_hold_key")),
        schema="vault",
    )
    op.create_index(
        "legal_hold_once",
        "legal_hold",
        ["item_id"],
        unique=True,
        schema="vault",
        postgresql_where=sa.text("lifted_seq IS NULL"),
    )
    op.create_table(
        "erasure",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("restricted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shreds_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shredded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ground IN ('request', 'retention')", name=op.f("erasure_ground_known")),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("erasure_item_id_exists")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("erasure_key")),
        schema="vault",
    )
    op.create_index(
        "erasure_waiting",
        "erasure",
        ["shreds_at"],
        schema="vault",
        postgresql_where=sa.text("shredded_at IS NULL"),
    )
    op.alter_column("document", "body", nullable=True)
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    op.execute("UPDATE document SET body = '' WHERE body IS NULL")
    op.alter_column("document", "body", nullable=False)
    for table in ("erasure", "legal_hold", "trace", "reveal", "payload", "data_key"):
        op.drop_table(table, schema="vault")
    op.execute("DROP SCHEMA vault CASCADE")
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
