"""a clock may be due on a date the item names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deadline", sa.Column("until", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("deadline", "until")
