"""what the policies of `engine.walls` look up: who watches a workflow, which unit lies below which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PROMISES = (
    # Units are a handful and move once in years: the whole table is made anew.
    """
    CREATE FUNCTION renew_unit_above() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    BEGIN
      DELETE FROM unit_above;
      INSERT INTO unit_above
        WITH RECURSIVE up AS (
          SELECT id AS unit_id, id AS above_id, parent_id FROM unit
          UNION ALL SELECT up.unit_id, u.id, u.parent_id FROM up JOIN unit u ON u.id = up.parent_id
        ) CYCLE above_id SET turns USING path
        SELECT unit_id, above_id FROM up WHERE NOT turns;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER unit_above_follows_the_tree AFTER INSERT OR UPDATE OF parent_id OR DELETE ON unit
      FOR EACH STATEMENT EXECUTE FUNCTION renew_unit_above()
    """,
    # judged at the commit, when the transaction may again stand for somebody who no longer sees it
    "ALTER FUNCTION refuse_stray_event() SECURITY DEFINER SET search_path = public, pg_temp",
)


def upgrade() -> None:
    op.create_table(
        "unit_above",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("above_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["above_id"], ["unit.id"], name="unit_above_above_id_exists"),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name="unit_above_unit_id_exists"),
        sa.PrimaryKeyConstraint("unit_id", "above_id", name="unit_above_key"),
    )
    op.create_table(
        "watch",
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("version", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workflow", "version"],
            ["workflow_version.workflow", "workflow_version.version"],
            name="watch_workflow_version_exists",
        ),
        sa.PrimaryKeyConstraint("workflow", "version", "role", "sealed", name="watch_key"),
    )
    op.create_index("leave_of_substitute", "leave", ["substitute_id"], unique=False)
    for statement in PROMISES:
        op.execute(statement)
    op.execute("UPDATE unit SET parent_id = parent_id")  # an office that is there already


# What `engine.walls` raised over these tables comes down with them.
LOWER = """
DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT * FROM pg_policies WHERE schemaname IN ('public', 'vault') LOOP
    EXECUTE format('DROP POLICY %I ON %I.%I', p.policyname, p.schemaname, p.tablename);
    EXECUTE format('ALTER TABLE %I.%I DISABLE ROW LEVEL SECURITY', p.schemaname, p.tablename);
  END LOOP;
END $$
"""


def downgrade() -> None:
    op.execute(LOWER)
    op.execute("ALTER FUNCTION refuse_stray_event() SECURITY INVOKER RESET ALL")
    op.execute("DROP TRIGGER unit_above_follows_the_tree ON unit")
    op.execute("DROP FUNCTION renew_unit_above")
    op.drop_index("leave_of_substitute", table_name="leave")
    op.drop_table("watch")
    op.drop_table("unit_above")
