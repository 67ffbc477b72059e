"""citizens' sessions and messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "portal_session",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("began_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["item.id"], name=op.f("portal_session_item_id_exists")
        ),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("portal_session_key")),
    )
    op.create_index("portal_session_expires_at", "portal_session", ["expires_at"])
    op.create_table(
        "portal_try",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("tried_at", MOMENT, nullable=False),
        sa.CheckConstraint("octet_length(key) = 32", name=op.f("portal_try_key_is_a_keyed_hash")),
        sa.PrimaryKeyConstraint("key", name=op.f("portal_try_key")),
    )
    op.create_index("portal_try_tried_at", "portal_try", ["tried_at"])
    op.create_table(
        "spent_proof",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("spent_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("spent_proof_key")),
    )
    op.create_index("spent_proof_spent_at", "spent_proof", ["spent_at"])
    op.create_table(
        "petitioner_read",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["item.id"], name=op.f("petitioner_read_item_id_exists")
        ),
        sa.PrimaryKeyConstraint("item_id", name=op.f("petitioner_read_key")),
    )


def downgrade() -> None:
    for table in ("petitioner_read", "spent_proof", "portal_try", "portal_session"):
        op.drop_table(table)
