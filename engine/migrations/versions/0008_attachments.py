"""attachments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What was given is evidence: it can be judged by a scanner and erased, and nothing else of it changes.
PROMISES = (
    """
    CREATE FUNCTION refuse_rewriting_attachment() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' OR OLD.erased_at IS NOT NULL
        OR (OLD.scan = 'infected' AND NEW.scan <> 'infected')
        OR (NEW.id, NEW.item_id, NEW.seq, NEW.kind, NEW.size, NEW.sha256, NEW.copy_size, NEW.flags,
            NEW.from_public, NEW.to_public)
          IS DISTINCT FROM
          (OLD.id, OLD.item_id, OLD.seq, OLD.kind, OLD.size, OLD.sha256, OLD.copy_size, OLD.flags,
            OLD.from_public, OLD.to_public) THEN
        RAISE EXCEPTION 'an attachment can only be scanned and erased'
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'attachment_is_evidence';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER attachment_is_evidence BEFORE UPDATE OR DELETE ON attachment
      FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_attachment()
    """,
    """
    CREATE TRIGGER attachments_are_kept BEFORE TRUNCATE ON attachment
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
    """,
)


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("copy_size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("flags", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("from_public", sa.Boolean(), nullable=False),
        sa.Column("to_public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("original", sa.Text(), nullable=True),
        sa.Column("copy", sa.Text(), nullable=True),
        sa.Column("scan", sa.Text(), nullable=False),
        sa.Column("scan_attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "scan_after",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('jpg', 'png', 'webp', 'pdf', 'mp3', 'm4a', 'amr', 'mp4', 'txt', 'docx',"
            " 'xlsx')",
            name=op.f("attachment_kind_known"),
        ),
        sa.CheckConstraint(
            "scan IN ('pending', 'scanned', 'infected', 'not_scanned', 'failed')",
            name=op.f("attachment_scan_known"),
        ),
        sa.CheckConstraint(
            "size > 0 AND octet_length(sha256) = 32", name=op.f("attachment_has_a_digest")
        ),
        sa.CheckConstraint(
            "(erased_at IS NULL) = (original IS NOT NULL) AND (copy IS NULL OR erased_at IS NULL)",
            name=op.f("attachment_is_whole_or_erased"),
        ),
        sa.ForeignKeyConstraint(
            ["item_id", "seq"],
            ["event.item_id", "event.seq"],
            name=op.f("attachment_item_id_seq_exists"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("attachment_key")),
    )
    op.create_index("attachment_of_item", "attachment", ["item_id", "seq"], unique=False)
    op.create_index(
        "attachment_to_scan",
        "attachment",
        ["scan_after"],
        unique=False,
        postgresql_where=sa.text("scan IN ('pending', 'not_scanned') AND erased_at IS NULL"),
    )
    op.create_table(
        "stray_file",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("stray_file_key")),
    )
    op.create_index(op.f("stray_file_due_at"), "stray_file", ["due_at"], unique=False)
    for statement in PROMISES:
        op.execute(statement)


def downgrade() -> None:
    op.drop_index(op.f("stray_file_due_at"), table_name="stray_file")
    op.drop_table("stray_file")
    op.drop_table("attachment")
    op.execute("DROP FUNCTION refuse_rewriting_attachment()")
