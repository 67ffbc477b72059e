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


def downgrade() -> None:
    op.drop_table("payload", schema="vault")
    op.drop_table("data_key", schema="vault")
    op.execute("DROP SCHEMA vault")
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
