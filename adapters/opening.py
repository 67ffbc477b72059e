"""The office's database opened for a command: the one named, the one that runs, or one started now."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import psycopg

from adapters.embedded import Postgres, create_role
from engine.casework import Casework
from engine.catalog import install
from engine.database import Database, execute, migrate
from engine.errors import NotFound
from engine.keys import Keyring
from engine.walls import APP, ENGINE, SYS
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.catalog import Catalog
    from engine.settings import Settings

__all__ = ["Opened", "demand_tables", "furnish", "let_in", "opened", "owner_url"]


@dataclass(frozen=True, slots=True)
class Opened:
    """An office at work: its database and its verbs."""

    database: Database
    casework: Casework


@contextmanager
def owner_url(settings: Settings) -> Iterator[str]:
    """The address of the office's database as its owner, for the time of a block.

    Without BANJIE_OWNER_URL and BANJIE_DATABASE_URL it is the embedded server of the state folder:
    the running one, or one started for the block. Raises ServerError where it cannot start.
    """
    if (named := settings.owner_url or settings.database_url) is not None:
        yield named.get_secret_value()
        return
    with Postgres(settings.home) as server:
        yield server.url("banjie")


def furnish(url: str, declared: Catalog) -> None:
    """Bring tables and workflows up to date. Safe to call at once from several processes."""
    migrate(url)
    database = Database(url, 1)
    try:
        database.perform(lambda session: install(session, declared))
    finally:
        database.close()


def let_in(owner: str, settings: Settings) -> None:
    """Give the application's role the password that BANJIE_DATABASE_URL names, where the owner's
    address is another one.
    """
    if settings.owner_url is None or settings.database_url is None:
        return
    named = urlsplit(settings.database_url.get_secret_value())
    if named.username == APP and named.password:
        plain = owner.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(plain, autocommit=True) as connection:
            create_role(connection, APP, unquote(named.password))


@contextmanager
def opened(settings: Settings) -> Iterator[Opened]:
    """The office, for the time of a block.

    An embedded database is furnished on the way; one of somebody's own must have been, by
    `banjie migrate`. Raises DefinitionError, ServerError, KeyFault, NotFound, Busy.
    """
    declared = catalog(settings.workflows)
    keyring = Keyring(settings.keys_path)
    keyring.check()
    with owner_url(settings) as url:
        if settings.database_url is None:
            furnish(url, declared)
        database = Database(url, settings.pool_size, role=ENGINE, principal=SYS)
        try:
            demand_tables(database)
            database.perform(lambda session: install(session, declared))
            outward = "console" if settings.smtp_url is None else "mail"
            yield Opened(database, Casework(declared, outward, settings.address, keyring=keyring))
        finally:
            database.close()


def demand_tables(database: Database) -> None:
    """Raise NotFound, with what to do, where a database was never migrated."""
    with database.transaction() as session:
        row = execute(session, "SELECT to_regclass('bureau') IS NULL AS bare").fetchone()
    if row is None or row["bare"]:
        raise NotFound(
            "数据库尚未建表,请先运行 banjie migrate。The database has no tables yet; run `banjie migrate`."
        )
