"""How alembic reaches the database: handed a URL by `engine.database.migrate` or the tests."""

from __future__ import annotations

import os

import sqlalchemy
from alembic import context

from engine.models import Base
from engine.walls import raise_walls

LOCK = 0x62616E6A6965  # "banjie": one migration at a time, whoever starts it

url = context.config.attributes.get("url") or os.environ["BANJIE_DATABASE_URL"]
pool = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
with pool.connect() as connection:
    connection.execute(sqlalchemy.text("SET lock_timeout = '10s'"))
    connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    raise_walls(connection)
    connection.commit()
pool.dispose()
