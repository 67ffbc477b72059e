"""the log over all events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PROMISES = (
    *(
        f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        for table in ("log_leaf", "log_node", "checkpoint")
    ),
    """
    CREATE TRIGGER log_head_only_grows BEFORE UPDATE ON log_head FOR EACH ROW
      WHEN (NEW.size < OLD.size) EXECUTE FUNCTION refuse_rewriting()
    """,
    """
    CREATE TRIGGER log_head_is_kept BEFORE DELETE OR TRUNCATE ON log_head
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
    """,
    # Its first event's hash covers these (engine.journal.birth_digest), so they are for ever.
    "DROP TRIGGER item_only_moves_on ON item",
    """
    CREATE TRIGGER item_only_moves_on BEFORE UPDATE ON item FOR EACH ROW
      WHEN (NEW.seq < OLD.seq OR NEW.revision < OLD.revision
        OR (NEW.id, NEW.number, NEW.workflow, NEW.version, NEW.family_id, NEW.received_at,
            NEW.unit_id, NEW.parent_id, NEW.mandatory, NEW.sealed, NEW.channel, NEW.outside_key)
          IS DISTINCT FROM
          (OLD.id, OLD.number, OLD.workflow, OLD.version, OLD.family_id, OLD.received_at,
            OLD.unit_id, OLD.parent_id, OLD.mandatory, OLD.sealed, OLD.channel, OLD.outside_key))
      EXECUTE FUNCTION refuse_rewriting_item()
    """,
    "INSERT INTO log_head DEFAULT VALUES",
    "INSERT INTO log_queue SELECT item_id, seq FROM event",
)
BEFORE = (
    "DROP TRIGGER item_only_moves_on ON item",
    """
    CREATE TRIGGER item_only_moves_on BEFORE UPDATE ON item FOR EACH ROW
      WHEN (NEW.seq < OLD.seq OR NEW.revision < OLD.revision
        OR (NEW.id, NEW.number, NEW.workflow, NEW.version, NEW.family_id, NEW.received_at)
          IS DISTINCT FROM
          (OLD.id, OLD.number, OLD.workflow, OLD.version, OLD.family_id, OLD.received_at))
      EXECUTE FUNCTION refuse_rewriting_item()
    """,
)


def upgrade() -> None:
    op.create_table(
        "log_queue",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        postgresql_with={
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "10000",
        },
    )
    op.create_table(
        "log_head",
        sa.Column("single", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("single", name=op.f("log_head_is_one_row")),
        sa.PrimaryKeyConstraint("single", name=op.f("log_head_key")),
    )
    op.create_table(
        "log_leaf",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("log_leaf_counts_from_nought")),
        sa.ForeignKeyConstraint(
            ["item_id", "seq"], ["event.item_id", "event.seq"], name="log_leaf_stands_for_an_event"
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("log_leaf_key")),
        sa.UniqueConstraint("item_id", "seq", name="log_leaf_event_once"),
    )
    op.create_index("log_leaf_hash", "log_leaf", ["hash"], postgresql_using="hash")
    op.create_table(
        "log_node",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("rank", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("log_node_has_a_hash")),
        sa.PrimaryKeyConstraint("level", "rank", name=op.f("log_node_key")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("checkpoint_has_leaves")),
        sa.PrimaryKeyConstraint("size", name=op.f("checkpoint_key")),
    )
    for statement in PROMISES:
        op.execute(statement)


def downgrade() -> None:
    for statement in BEFORE:
        op.execute(statement)
    for table in ("checkpoint", "log_node", "log_leaf", "log_head", "log_queue"):
        op.drop_table(table)
