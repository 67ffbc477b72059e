"""recusal and declarations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "item_declaration",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "how IN ('signed', 'acted')", name=op.f("item_declaration_how_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["item.id"], name=op.f("item_declaration_item_id_exists")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("item_declaration_person_id_exists")
        ),
        sa.PrimaryKeyConstraint("item_id", "person_id", name=op.f("item_declaration_key")),
    )
    # What somebody declared is said; it stands beside the journal and is as little rewritten.
    op.execute(
        "CREATE TRIGGER declaration_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
        " ON item_declaration FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
    )


def downgrade() -> None:
    op.drop_table("item_declaration")
