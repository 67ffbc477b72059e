"""An office at work in a test: a database, the invented permit workflows, and short ways to act."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from adapters import sample
from engine.casework import Casework
from engine.database import Database
from engine.people import SYS, Actor
from engine.walls import ENGINE
from engine.walls import SYS as AS_ENGINE
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from engine.births import Born
    from engine.dossier import Dossier

PERMITS = Path(__file__).parent / "fixtures" / "permit"
WORKSHOP = Path(__file__).parent / "fixtures" / "workshop"
MONDAY = datetime(2026, 3, 2, 10, tzinfo=SHANGHAI)
"""Nothing but weekends lies in the five weeks that follow it."""

TABLES = (
    *(
        "item",
        "item_data",
        "vault.data_key",
        "vault.payload",
        "event",
        "item_duty",
        "deadline",
        "climb",
    ),
    *("message", "document"),
)
Row = dict[str, Any]
ITEMS = """
SELECT id, number, workflow, version, state, revision, seq, head, unit_id, subject_unit_id,
  family_id, parent_id, mandatory, settled, sealed, channel, received_at, entered_at, closed_at,
  nullif(due_at, 'infinity') AS due_at, rung, d.data
FROM item JOIN item_data d ON d.item_id = item.id"""


def day(number: int, hour: int = 10) -> datetime:
    """So many days after that Monday."""
    return MONDAY.replace(hour=hour) + timedelta(days=number)


@dataclass
class Casebook:
    """Acts and looks at the rows; every act is one transaction of its own."""

    url: str
    casework: Casework
    database: Database
    _watcher: psycopg.Connection[Row] | None = None

    def who(self, account: str) -> Actor:
        """Somebody of the office."""
        office = self.database.perform(self.casework.house).office
        person = office.person_named(account)
        assert person is not None, account
        return Actor("person", person)

    def id(self, account: str) -> int:
        """Somebody's id."""
        found = self.who(account).id
        assert found is not None
        return found

    def accounts(self, people: object) -> set[str]:
        """The accounts of these ids."""
        rows = self.rows("SELECT account FROM person WHERE id = ANY(%s)", list(people))  # type: ignore[call-overload]
        return {row["account"] for row in rows}

    def do(self, deed: Callable[[Session], Any]) -> Any:
        """A deed in its own transaction."""
        return self.database.perform(deed)

    def submit(
        self,
        workflow: str = "permit",
        by: str | Actor = "intake",
        at: datetime | None = MONDAY,
        data: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> Born:
        """Begin an item."""
        actor = self.who(by) if isinstance(by, str) else by
        values = (
            {"wish": "摆摊卖红薯"} if data is None and workflow == "permit" else dict(data or {})
        )
        values |= given
        born: Born = self.do(lambda s: self.casework.submit(s, workflow, actor, values, at=at))
        return born

    def go(
        self,
        number: str,
        transition: str,
        by: str | Actor,
        at: datetime = MONDAY,
        revision: int | None = None,
        **given: Any,
    ) -> Dossier:
        """Make a transition."""
        actor = self.who(by) if isinstance(by, str) else by
        dossier: Dossier = self.do(
            lambda s: self.casework.advance(
                s, number, transition, actor, given, revision=revision, at=at
            )
        )
        return dossier

    def reassign(
        self, number: str, by: str, people: Sequence[str], at: datetime = MONDAY
    ) -> Dossier:
        """Give an item to other handlers."""
        data = {"declarations_signed": True}
        dossier: Dossier = self.do(
            lambda s: self.casework.assign(s, number, self.who(by), "handler", people, data, at=at)
        )
        return dossier

    def assigned(self, at: datetime = MONDAY, **given: Any) -> str:
        """The number of a permit that two handlers of the audit section check."""
        number = self.submit(at=at, **given).number
        handlers = ["handler1", "handler2"]
        self.go(number, "assign", "unit_head", at, handlers=handlers, declarations_signed=True)
        return number

    def extend(
        self,
        number: str,
        by: str,
        until: date,
        at: datetime | None = None,
        deadline: str = "decide",
    ) -> str:
        """Ask for more time; the number of the request."""
        born: Born = self.do(
            lambda s: self.casework.extend(
                s, number, self.who(by), deadline, until, "材料多", at=at or day(1)
            )
        )
        return born.number

    def refused(
        self, error: type[Exception], deed: Callable[[], object], match: str | None = None
    ) -> None:
        """The deed is refused in this way and leaves not one row changed."""
        before = self.everything()
        with pytest.raises(error, match=match):
            deed()
        assert self.everything() == before

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Every row of a query, over a connection beside the office's own."""
        return list(self._beside().execute(statement.encode(), values or None))

    def run(self, statement: str, *values: object) -> None:
        """A statement as the database's superuser gives it."""
        self._beside().execute(statement.encode(), values or None)

    def _beside(self) -> psycopg.Connection[Row]:
        if self._watcher is None or self._watcher.closed:
            self._watcher = psycopg.connect(self.url, autocommit=True, row_factory=dict_row)
        return self._watcher

    def close(self) -> None:
        """Give every connection back."""
        if self._watcher is not None:
            self._watcher.close()
        self.database.close()

    def item(self, number: str) -> Row:
        """An item's row with its data."""
        return self.rows(f"{ITEMS} WHERE number = %s", number)[0]

    def personal(self, number: str) -> dict[str, Any]:
        """An item's personal fields, in clear."""
        found: dict[str, Any] = self.do(
            lambda s: self.casework.look(s, number, SYS).personal,
        )
        return found

    def clocks(self, number: str, *, running: bool = True) -> dict[str, Row]:
        """An item's clocks by name."""
        rows = self.rows(
            "SELECT c.* FROM deadline c JOIN item i ON i.id = c.item_id WHERE i.number = %s"
            " AND (stopped_at IS NULL OR NOT %s) ORDER BY c.id",
            number,
            running,
        )
        return {row["name"]: row for row in rows}

    def events(self, number: str) -> list[Row]:
        """An item's journal."""
        return self.rows(
            "SELECT e.* FROM event e JOIN item i ON i.id = e.item_id WHERE number = %s ORDER BY seq",
            number,
        )

    def told(self, number: str, text: str) -> set[str]:
        """Who has a message of this text about an item."""
        rows = self.rows(
            "SELECT p.account FROM message m JOIN item i ON i.id = m.item_id"
            " JOIN person p ON p.id = m.recipient_id"
            " WHERE i.number = %s AND m.text = %s AND m.status <> 'withdrawn'",
            number,
            text,
        )
        return {row["account"] for row in rows}

    def children(self, number: str, workflow: str) -> list[Row]:
        """The items of a workflow that this item began."""
        return self.rows(
            f"{ITEMS} WHERE workflow = %s"
            " AND parent_id = (SELECT id FROM item WHERE number = %s) ORDER BY id",
            workflow,
            number,
        )

    def everything(self) -> dict[str, list[str]]:
        """Every row of every table an act may write, as text, to compare before and after."""
        found: dict[str, list[str]] = {}
        for table in TABLES:
            rows = self.rows(f"SELECT t::text AS row FROM {table} t")
            found[table] = sorted(row["row"] for row in rows)
        return found


@contextmanager
def furnished(admin: str, template: str, casework: Casework) -> Iterator[str]:
    """The name of a database with the sample office over these workflows, to be cloned."""
    with cloned(admin, template) as name:
        database = Database(f"{admin.rsplit('/', 1)[0]}/{name}", size=1)
        sample.load(database, casework)
        database.close()
        yield name


@contextmanager
def opened(admin: str, template: str, casework: Casework) -> Iterator[Casebook]:
    """An office of one's own, cloned from a furnished one."""
    with cloned(admin, template) as name:
        url = f"{admin.rsplit('/', 1)[0]}/{name}"
        book = Casebook(
            url,
            Casework(casework.catalog, keyring=casework.keyring),
            Database(url, role=ENGINE, principal=AS_ENGINE),
        )
        try:
            yield book
        finally:
            book.close()


@contextmanager
def cloned(admin: str, template: str) -> Iterator[str]:
    """A database like another one, dropped in the end."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode()
        )
    try:
        yield name
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
