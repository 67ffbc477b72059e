"""The migrations and the models tell one story."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from engine.database import migrate
from engine.models import Base

if TYPE_CHECKING:
    import pytest


def test_up_from_nothing_equals_the_models(empty_database_url: str) -> None:
    """After all migrations nothing is left for autogenerate to do."""
    migrate(empty_database_url)
    pool = sqlalchemy.create_engine(empty_database_url)
    with pool.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_schemas": True},
        )
        assert compare_metadata(context, Base.metadata) == []
    pool.dispose()


def test_up_down_up_leaves_the_schema_whole(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration can be taken back to nothing, and made again."""
    monkeypatch.setenv("BANJIE_DATABASE_URL", empty_database_url)
    migrate(empty_database_url)
    config = Config()
    config.set_main_option("script_location", "engine/migrations")
    config.attributes["url"] = empty_database_url
    command.downgrade(config, "base")
    pool = sqlalchemy.create_engine(empty_database_url)
    assert sqlalchemy.inspect(pool).get_table_names() == ["alembic_version"]
    pool.dispose()
    migrate(empty_database_url)
