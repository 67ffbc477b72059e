"""A thousand races for two duties of one person in one family: never do both stand."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine.births import Birth
from engine.database import Database
from engine.errors import BanjieError, GuardRefused, NotFound, NotPermitted
from engine.recusals import Application
from tests.casebook import MONDAY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from tests.casebook import Casebook

RACES = 250
LAWFUL = (GuardRefused, NotFound, NotPermitted)
"""How the loser of a race is told; never a deadlock, a fault or a silent half."""
FORBIDDEN = """
SELECT family_id, person_id FROM item_duty GROUP BY 1, 2
HAVING count(DISTINCT duty) FILTER (WHERE ended_at IS NULL) > 1
OR count(DISTINCT duty) FILTER (WHERE duty IN ('work', 'approve', 'revisit')) > 1
"""

Deed = tuple[str, str, str, dict[str, Any]]  # number, transition, account, what is given


def families(book: Casebook, count: int = RACES) -> list[tuple[str, str]]:
    """So many permits, each with a survey in its family: their numbers."""

    def born(workflow: str, by: str, births: Sequence[Birth]) -> list[str]:
        found = book.do(
            lambda s: book.casework.submit_many(s, workflow, book.who(by), births, at=MONDAY)
        )
        return [each.number for each in found]

    permits = born("permit", "intake", [Birth({"wish": "x"})] * count)
    surveys = born("survey", "unit_head", [Birth({"case": number}) for number in permits])
    return list(zip(permits, surveys, strict=True))


def race(book: Casebook, pairs: Sequence[tuple[Deed, Deed]]) -> list[tuple[object, object]]:
    """Two threads do the two deeds of each pair at one moment; what came of each."""
    gate = threading.Barrier(2, timeout=30)
    office = Database(book.url, size=2)
    who = {deed[2]: book.who(deed[2]) for pair in pairs for deed in pair}

    def run(side: int) -> list[object]:
        came: list[object] = []
        for pair in pairs:
            number, name, account, given = pair[side]

            def deed(
                session: Session, n: str = number, t: str = name, a: str = account, g: Any = given
            ) -> None:
                book.casework.advance(session, n, t, who[a], g, at=MONDAY)

            gate.wait()
            try:
                came.append(office.perform(deed))
            except BanjieError as error:
                came.append(error)
        return came

    try:
        with ThreadPoolExecutor(2) as pool:
            return list(zip(*pool.map(run, (0, 1)), strict=True))
    finally:
        office.close()


def assign_against_name(book: Casebook) -> list[tuple[Deed, Deed]]:
    """X becomes revisitor of the survey as X is named accused in the permit."""
    return [
        (
            (survey, "assign", "unit_head", {"revisitors": ["revisitor"]}),
            (permit, "name", "head", {"officers": ["revisitor"]}),
        )
        for permit, survey in families(book)
    ]


def visit_against_handle(book: Casebook) -> list[tuple[Deed, Deed]]:
    """X visits the party as X is given the permit to handle."""
    handlers = {"handlers": ["law_handler", "handler1"], "declarations_signed": True}
    return [
        (
            (survey, "visit", "law_handler", {"answers": "好"}),
            (permit, "assign", "unit_head", handlers),
        )
        for permit, survey in families(book)
    ]


def approve_against_bar(book: Casebook) -> list[tuple[Deed, Deed]]:
    """X approves in the survey as X is named accused in the permit."""
    return [
        (
            (survey, "assign", "unit_head", {"revisitors": ["revisitor2"]}),
            (permit, "name", "head", {"officers": ["unit_head"]}),
        )
        for permit, survey in families(book)
    ]


def recuse_against_assign(book: Casebook) -> list[tuple[Deed, Deed]]:
    """X is recused by the deputy as the head of the unit gives X the permit."""
    asked = Application(("handler1",), "interest", "有利害关系")
    handlers = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    pairs: list[tuple[Deed, Deed]] = []
    for permit, _ in families(book):
        request = book.do(
            lambda s, n=permit: book.casework.ask_recusal(  # type: ignore[misc]
                s, n, book.who("intake"), asked, at=MONDAY
            )
        )
        pairs.append(
            (
                (request.number, "grant", "deputy", {"decision": "同意"}),
                (permit, "assign", "unit_head", handlers),
            )
        )
    return pairs


@pytest.mark.parametrize(
    "kind",
    [assign_against_name, visit_against_handle, approve_against_bar, recuse_against_assign],
    ids=lambda kind: kind.__name__,
)
def test_of_a_thousand_races_not_one_lets_both_duties_stand(
    book: Casebook, kind: Callable[[Casebook], list[tuple[Deed, Deed]]]
) -> None:
    """250 of each kind, in two items of one family: both may be done, one after the other and each
    ending what excludes it, or the loser is refused in words; a bar always takes effect.
    """
    book.run(
        "INSERT INTO membership SELECT p.id, 'revisitor', u.id FROM person p, unit u"
        " WHERE p.account = 'law_handler' AND u.code = 'BUR'"
    )
    outcomes = race(book, kind(book))
    assert len(outcomes) == RACES
    assert book.rows(FORBIDDEN) == []
    failed = [error for pair in outcomes for error in pair if isinstance(error, BanjieError)]
    assert all(isinstance(error, LAWFUL) for error in failed), Counter(map(repr, failed))
    bars = {"assign_against_name": 1, "approve_against_bar": 1, "recuse_against_assign": 0}
    if kind.__name__ in bars:
        assert not any(isinstance(pair[bars[kind.__name__]], BanjieError) for pair in outcomes)


def test_without_the_constraints_both_duties_would_stand(book: Casebook) -> None:
    """The same race on the bare table: lost by one with the constraints, by nobody without them."""
    insert = (
        "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
        " VALUES (%s, %s, %s, %s, %s, now())"
    )

    def both(count: int) -> int:
        born = book.do(
            lambda s: book.casework.submit_many(
                s, "permit", book.who("intake"), [Birth({"wish": "x"})] * count, at=MONDAY
            )
        )
        person, gate = book.id("handler1"), threading.Barrier(2, timeout=30)

        def session(duty: str) -> None:
            with psycopg.connect(book.url) as connection:
                for each in born:
                    gate.wait()
                    try:
                        with connection.transaction():
                            values = [each.id, each.id, person, duty, duty]
                            connection.execute(insert.encode(), values)
                    except (psycopg.errors.ExclusionViolation, psycopg.errors.DeadlockDetected):
                        pass

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(session, ("work", "revisit")))
        return len(book.rows(FORBIDDEN))

    assert both(50) == 0
    for name in ("duty_never_two_at_once", "duty_never_two_ever"):
        book.run(f"ALTER TABLE item_duty DROP CONSTRAINT {name}")
    assert both(50) > 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM item_duty",
        "UPDATE item_duty SET ended_at = NULL WHERE ended_at IS NOT NULL",
        "UPDATE item_duty SET duty = 'approve'",
        "UPDATE item_duty SET person_id = person_id + 1",
        "TRUNCATE item_duty",
    ],
)
def test_duties_cannot_be_undone_in_sql(book: Casebook, statement: str) -> None:
    """Not deleted, not taken back, not given to somebody else, whoever writes the statement."""
    number = book.assigned()
    book.go(number, "name", "head", officers=["handler1"])
    with pytest.raises(psycopg.errors.RestrictViolation):
        book.run(statement)
