"""An installation that would lose data, leak it or let history be rewritten does not serve."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.embedded import Postgres
from engine.database import Database, migrate
from engine.errors import Unfit
from engine.selftest import demand_fit
from engine.walls import APP
from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def _asked(url: str, keys: list[Path] | None = None, *, practice: bool = True) -> Iterator[None]:
    database = Database(url, 1, role=APP)
    try:
        with database.transaction() as session:
            demand_fit(session, keys or [], practice=practice)
            yield
    finally:
        database.close()


def _by_hand(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_sound_installation_serves(database_url: str, tmp_path: Path) -> None:
    """Nothing is found where nothing is wrong."""
    key = tmp_path / "secret.key"
    key.write_bytes(bytes(32))
    key.chmod(0o400)
    with _asked(database_url, [key, tmp_path / "none-yet"]):
        pass


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER ROLE {role} SET synchronous_commit = off", "synchronous_commit"),
        ("ALTER TABLE item DISABLE ROW LEVEL SECURITY", "for item;"),
        ("ALTER TABLE message DISABLE ROW LEVEL SECURITY", "for message;"),
        ("GRANT UPDATE ON event TO banjie_app", "UPDATE event"),
        ("GRANT TRUNCATE ON item TO banjie_app", "TRUNCATE item"),
        ("GRANT UPDATE ON item TO banjie_app", "UPDATE item"),
        ("GRANT DELETE ON item_duty TO banjie_app", "DELETE item_duty"),
        ("GRANT DELETE ON event TO banjie_engine", "DELETE event"),
        ("CREATE TABLE spare (); ALTER TABLE spare OWNER TO banjie_engine", "an owner of tables"),
        ("CREATE TABLE spare (); ALTER TABLE spare OWNER TO banjie_app", "an owner of tables"),
    ],
)
def test_what_is_wrong_in_the_database_is_refused(
    database_url: str, statement: str, named: str
) -> None:
    """Each setting that would break a promise stops the start with a sentence that names it."""
    name = database_url.rpartition("/")[2]
    role = "banjie IN DATABASE " + name
    _by_hand(database_url, statement.format(role=role))
    with pytest.raises(Unfit, match=named), _asked(database_url):
        pass


def test_a_real_office_is_not_served_by_a_superuser_who_stepped_down(database_url: str) -> None:
    """Stepping down to the application's role is enough to practise; it can be undone."""
    with pytest.raises(Unfit, match="superuser"), _asked(database_url, practice=False):
        pass


def test_a_real_office_whose_clock_was_moved_is_not_served(database_url: str) -> None:
    """No time limit would come when it is due; a sample office practises with a moved clock."""
    _by_hand(database_url, "UPDATE bureau SET practice_offset = '-400 days'")
    with pytest.raises(Unfit, match="moved by -400 days"), _asked(database_url, practice=False):
        pass
    with _asked(database_url):
        pass


def test_a_superuser_is_never_served(database_url: str) -> None:
    """Row-level security means nothing to one."""
    database = Database(database_url, 1)
    with (
        database.transaction() as session,
        pytest.raises(Unfit, match="superuser"),
    ):
        demand_fit(session, [], practice=True)
    database.close()


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o660, 0o777])
def test_a_key_that_others_may_read_is_refused(
    database_url: str, tmp_path: Path, mode: int
) -> None:
    """A readable key seals nothing."""
    key = tmp_path / "secret.key"
    key.write_bytes(bytes(32))
    key.chmod(mode)
    with pytest.raises(Unfit, match="chmod 400"), _asked(database_url, [key]):
        pass


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_database_that_forgets_is_refused(home: Path, setting: str) -> None:
    """Without it a power cut takes what was confirmed."""
    with Postgres(home, settings={setting: "off"}) as server:
        migrate(server.url("banjie"))
        with pytest.raises(Unfit, match=f"{setting}=off"), _asked(server.url("banjie")):
            pass


def test_a_refused_start_says_why(home: Path, database_url: str) -> None:
    """The counter ends with the sentence in its log, naming who logs in, not whom it became."""
    told = "应用以 banjie 登录.*Let BANJIE_DATABASE_URL name banjie_app"
    with pytest.raises(AssertionError, match=told), serving(home, database_url, sample="0"):
        pass


def test_a_start_without_tables_names_the_command(home: Path, database_url: str) -> None:
    """A database nobody migrated is told as that."""
    _by_hand(database_url, "DROP TABLE workflow_version, item CASCADE")
    told = "run `banjie migrate` first"
    with pytest.raises(AssertionError, match=told), serving(home, database_url):
        pass
