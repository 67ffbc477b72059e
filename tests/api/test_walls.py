"""The second wall: what the database itself shows, with the engine's own check standing or switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from adapters.sample import PEOPLE
from engine import desk as engine_desk
from engine import sight
from engine.database import execute
from engine.models import Base
from engine.people import Actor
from engine.views import read_item
from engine.walls import APP, ENGINE, OPEN, POLICIES, RIGHTS
from tests.api.conftest import ACCEPTANCE
from tests.api.test_sight import furnish

if TYPE_CHECKING:
    from tests.api.conftest import Desk

NUMBERS = "SELECT array_agg(number ORDER BY number) FROM item"


def _as(desk: Desk, principal: str) -> psycopg.Connection[dict[str, object]]:
    connection = psycopg.connect(desk.url, autocommit=True, row_factory=dict_row)
    connection.execute(f"SET ROLE {APP}".encode())
    connection.execute("SELECT set_config('banjie.principal', %s, false)", (principal,))
    return connection


def test_every_table_has_its_rights_and_its_wall_or_a_reason() -> None:
    """A new table is either walled or says why it need not be; none is forgotten."""
    tables = {table.fullname for table in Base.metadata.sorted_tables}
    assert tables == RIGHTS.keys()
    assert tables == POLICIES.keys() | OPEN.keys()
    assert not POLICIES.keys() & OPEN.keys()


@pytest.mark.parametrize("principal", ["", "person:", "nobody", "item:", "sys"])
def test_a_transaction_that_stands_for_nobody_sees_no_item(desk: Desk, principal: str) -> None:
    """Deny by default: unset, empty, unknown and misspelt principals are shown nothing."""
    desk.submit()
    with _as(desk, principal) as connection:
        for table in POLICIES:
            try:
                found = connection.execute(f"SELECT count(*) AS n FROM {table}".encode()).fetchone()
            except psycopg.errors.InvalidTextRepresentation:
                continue  # no number at all
            assert found == {"n": 0}, table


def test_the_wall_shows_each_of_fifty_people_what_the_engine_does(desk: Desk) -> None:
    """For everybody: the rows the database shows are those the engine's rule allows, and those they
    were told of; nothing of a family that bars them.
    """
    numbers = furnish(desk)
    casework = desk.app.state.counter.casework
    with desk.worker.transaction() as session:
        office = casework.house(session).office
        dossiers = [read_item(session, casework, number) for number in numbers]
        told = {
            (row["recipient_id"], row["item_id"])
            for row in execute(session, "SELECT recipient_id, item_id FROM message")
        }
        hidden = 0
        for person in PEOPLE:
            actor = Actor("person", office.person_named(person.account))
            may = {
                d.number
                for d in dossiers
                if casework.sees(d, actor)
                or ((actor.id, d.id) in told and not d.shut_out(actor.id or 0))
            }
            with _as(desk, f"person:{actor.id}") as connection:
                row = connection.execute(NUMBERS.encode()).fetchone() or {}
                seen = set(row["array_agg"] or []) & set(numbers)  # type: ignore[call-overload]
            assert seen == may, person.account
            hidden += len(numbers) - len(seen)
    assert hidden > 100


def test_a_barred_officer_meets_the_wall_where_the_engine_forgets(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the engine's own check switched off, every address answers the accused as before: with
    the same bytes as for an item that was never there.
    """
    number = _accused(desk, "handler1")
    monkeypatch.setattr(engine_desk.Desk, "sees", lambda *_: True)
    monkeypatch.setattr(sight.Sight, "visible", lambda _: "true")
    same = {"X-Request-ID": "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"}
    unknown = "执诉2026-00000000"
    for path in ("", "/events", "/documents"):
        hidden = desk.client.get(
            f"/api/v1/items/{number}{path}", headers={**desk.headers("handler1"), **same}
        )
        never = desk.client.get(
            f"/api/v1/items/{unknown}{path}", headers={**desk.headers("handler1"), **same}
        )
        assert hidden.status_code == 404
        assert hidden.content == never.content
    for path, body in (
        ("/notes", {"text": "谁举报的"}),
        ("/transitions/assign", {"data": {}}),
        ("/messages", {"to": "holder", "text": "urge"}),
    ):
        refused = desk.send("handler1", f"/items/{number}{path}", body, If_Match='"3"')
        assert refused.status_code == 404, path
    for path in ("/items", "/stalls", "/messages"):
        assert number not in desk.look("handler1", path).text
    assert desk.look("handler1", "/messages", item=number).json()["items"] == []
    assert number in desk.look("intake", "/items").text


def _accused(desk: Desk, account: str) -> str:
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    row = desk.one("SELECT id FROM item WHERE number = %s", number)
    desk.one(
        "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
        " SELECT i.id, i.family_id, p.id, 'accused', 'accused', now() FROM item i, person p"
        " WHERE i.id = %s AND p.account = %s RETURNING id",
        row,
        account,
    )
    return number


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM event",
        "UPDATE event SET act = 'x'",
        "TRUNCATE event",
        "DELETE FROM item",
        "DELETE FROM item_duty",
        "UPDATE item_duty SET duty = 'work'",
        "UPDATE item SET code_hash = NULL",
        "UPDATE item SET number = number",
        "UPDATE item SET sealed = false",
        "UPDATE climb SET level = 1",
        "DELETE FROM document",
        "UPDATE document SET body = ''",
        "ALTER TABLE event DISABLE TRIGGER ALL",
        "ALTER TABLE item DISABLE ROW LEVEL SECURITY",
        "DROP POLICY known ON item",
        "DROP TABLE event",
        "CREATE TABLE spare (id int)",
        "CREATE FUNCTION wall_person(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET session_replication_role = replica",
        "SELECT * FROM pg_authid",
        "COPY item TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SET ROLE banjie",
        "UPDATE unit_above SET above_id = unit_id",
        "UPDATE workflow_version SET digest = ''",
        "UPDATE edge SET to_state = 'closed'",
    ],
)
@pytest.mark.parametrize("role", [APP, ENGINE])
def test_neither_the_application_nor_the_engine_may(
    database_url: str, statement: str, role: str
) -> None:
    """What no role of the programs must ever do, the database refuses it."""
    with psycopg.connect(database_url) as connection:
        connection.execute(f"SET SESSION AUTHORIZATION {APP}".encode())
        connection.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.parametrize("table", ["item", "item_data", "event", "item_duty", "message"])
def test_a_person_writes_nothing_past_the_engine(desk: Desk, table: str) -> None:
    """A transaction that stands for a person reads behind the wall and writes nowhere; only an act,
    which has passed it, does.
    """
    desk.move("intake", desk.submit()["number"], "register")
    person = desk.one("SELECT id FROM person WHERE account = 'intake'")
    column = {"item": "revision", "item_data": "data", "message": "attempts"}.get(table)
    with _as(desk, f"person:{person}") as connection:
        if column is not None:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"UPDATE {table} SET {column} = {column}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1".encode())


def test_what_a_head_may_do_stays_possible(desk: Desk) -> None:
    """The wall lets a lawful act through to the end."""
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    assert desk.move("unit_head", number, "accept", ACCEPTANCE)["state"] == "accepted"
