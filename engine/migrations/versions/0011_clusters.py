"""concentrated complaints: the days they were counted on, and which items were behind an analysis."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("counted_on", name="tally_key"),
    )
    op.create_table(
        "cluster_member",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="cluster_member_item_id_exists"),
        sa.ForeignKeyConstraint(["member_id"], ["item.id"], name="cluster_member_member_id_exists"),
        sa.PrimaryKeyConstraint("item_id", "member_id", name="cluster_member_key"),
    )
    op.create_index("cluster_member_of_cluster", "cluster_member", ["cluster", "item_id"])
    op.create_index("cluster_member_counted", "cluster_member", ["member_id"])
    # blocks of rows, not rows: it costs an insert next to nothing and an update nothing at all
    op.create_index("item_received", "item", ["received_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("item_received", table_name="item")
    op.drop_table("cluster_member")
    op.drop_table("tally")
