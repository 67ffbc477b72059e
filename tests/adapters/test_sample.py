"""The sample office: the accounts people are told of, and nobody whose absence silences a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pwdlib import PasswordHash

from adapters import sample
from adapters.checking import check
from engine.casework import Casework
from engine.database import Database, execute
from engine.errors import Refused
from engine.people import read_office
from tests.casebook import MONDAY, PERMITS
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from engine.people import Office

ROLES = {
    "intake": ("intake", "BUR"),
    "handler1": ("handler", "AUD"),
    "handler2": ("handler", "AUD"),
    "branch1_handler": ("handler", "BR1"),
    "branch1_head": ("unit_head", "BR1"),
    "branch2_handler": ("handler", "BR2"),
    "unit_head": ("unit_head", "AUD"),
    "law_reviewer": ("law_reviewer", "BUR"),
    "law_hub": ("law_hub", "BUR"),
    "deputy": ("deputy", "BUR"),
    "head": ("head", "BUR"),
    "liaison": ("liaison", "BUR"),
    "mediator": ("mediator", "BUR"),
    "revisitor": ("revisitor", "BUR"),
    "counsellor": ("counsellor", "BUR"),
    "inspector": ("inspector", "BUR"),
    "reporter": ("reporter", "OFF"),
    "auditor": ("auditor", "BUR"),
    "discipline": ("discipline", "BUR"),
    "admin": ("admin", "BUR"),
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database without anybody."""
    found = Database(database_url)
    yield found
    found.close()


def load(database: Database) -> Office:
    """The office once the sample is loaded."""
    sample.load(database, Casework(catalog(PERMITS)))
    with database.transaction() as session:
        return read_office(session)


def test_every_promised_account_is_there_with_role_address_and_password(
    database: Database,
) -> None:
    """Whoever reads the banner of `make run` can log in as anybody on it."""
    office = load(database)
    assert set(ROLES) == set(sample.ACCOUNTS)
    for account, (role, code) in ROLES.items():
        person, unit = office.person_named(account), office.unit_named(code)
        assert person is not None
        assert unit is not None
        assert office.holds(person.id, role, unit.id), account
        assert person.email == f"{account}@banjie.example"
    with database.transaction() as session:
        hashes = {row["password_hash"] for row in execute(session, "SELECT * FROM person")}
    assert all(PasswordHash.recommended().verify(sample.PASSWORD, each) for each in hashes)


def test_units_are_known_by_code_name_and_alias(database: Database) -> None:
    """A citizen writes the squad's name as the notice does, or as its salutation does."""
    office = load(database)
    for word in ("SQD", "综合行政执法支队", "综合执法支队"):
        unit = office.unit_named(word)
        assert unit is not None
        assert unit.code == "SQD"
    names = {unit.name for unit in office.units.values()}
    assert {"第一分局", "第二分局", "执法稽查科", "法规科", "办公室"} <= names
    assert office.units[office.root].name == "许昌市市场监督管理局"


def test_loading_again_changes_nothing(database: Database) -> None:
    """A second `make run` finds the office as its people left it."""
    load(database)

    def everything() -> list[dict[str, Any]]:
        with database.transaction() as session:
            return [
                *execute(session, "SELECT * FROM unit ORDER BY id"),
                *execute(session, "SELECT * FROM person ORDER BY id"),
                *execute(session, "SELECT * FROM membership ORDER BY 1, 2, 3"),
            ]

    with database.transaction() as session:
        execute(session, "UPDATE person SET name = '改名' WHERE account = 'head'")
        execute(session, "DELETE FROM membership WHERE role = 'auditor'")
    before = everything()
    load(database)
    assert everything() == before


def test_a_real_office_is_never_mixed_with_the_sample(database: Database) -> None:
    """Accounts with a published password do not enter a database that has a bureau of its own."""
    with database.transaction() as session:
        execute(session, "INSERT INTO unit (code, name) VALUES ('REAL', '真实的局')")
    with pytest.raises(Refused):
        load(database)
    with database.transaction() as session:
        assert execute(session, "SELECT count(*) AS n FROM person").fetchone() == {"n": 0}


def test_no_case_goes_silent_in_the_sample_office() -> None:
    """The silence proof of Banjie's own workflows holds with these people."""
    text, holds = check(None, sample.roster())
    assert holds, text


def test_without_the_heads_of_sections_the_proof_fails() -> None:
    """The checker can say no: take every head of a unit away and it does."""
    roster = sample.roster()
    nobody = frozenset(
        member for member in roster.memberships if member[1] in {"unit_head", "deputy", "head"}
    )
    poorer = type(roster)(
        roster.units, roster.people, roster.memberships - nobody, certified=roster.certified
    )
    text, holds = check(None, poorer)
    assert not holds
    assert "✗" in text


def test_the_office_in_the_database_is_the_roster_without_one(database: Database) -> None:
    """`banjie check` says the same with and without a database, and sees leave and certificates."""
    office = load(database)
    today = MONDAY.date()
    assert office.roster(today) == sample.roster()
    with database.transaction() as session:
        execute(
            session,
            "INSERT INTO leave (person_id, first_on, last_on, substitute_id)"
            " SELECT a.id, %s, %s, b.id FROM person a, person b"
            " WHERE a.account = 'head' AND b.account = 'deputy'",
            (today, today),
        )
        execute(session, "UPDATE person SET left_on = %s WHERE account = 'deputy2'", (today,))
        execute(
            session,
            "UPDATE person SET certified_until = date '2020-01-01' WHERE account = 'handler1'",
        )
        changed = read_office(session).roster(today)
    assert changed.away == {"head": "deputy"}
    assert "deputy2" not in changed.people
    assert changed.certified is not None
    assert "handler1" not in changed.certified
