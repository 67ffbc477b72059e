"""Legality in the schema: what the database itself refuses, whoever asks and however it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.casebook import Casebook

EVENT = (
    "INSERT INTO event (item_id, seq, prev_seq, workflow, version, act, from_state, to_state,"
    " role, at, data, hash) SELECT id, {seq}, {prev}, {workflow}, {version}, '{act}', '{old}', '{new}',"
    " 'sys', now(), '{{}}', sha256('') FROM item WHERE number = %(number)s"
)


def event(
    act: str = "check",
    old: str = "checking",
    new: str = "deciding",
    seq: str = "3",
    prev: str = "2",
    workflow: str = "workflow",
    version: str = "version",
) -> str:
    """An event appended by hand to an item that was submitted and assigned."""
    return EVENT.format(
        act=act, old=old, new=new, seq=seq, prev=prev, workflow=workflow, version=version
    )


ITEM = "UPDATE item SET {} WHERE number = %(number)s"
MINE = "item_id = (SELECT id FROM item WHERE number = %(number)s)"
DUTY = (
    "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
    " SELECT d.item_id, d.family_id, d.person_id, 'x', '{}', now() FROM item_duty d"
    " WHERE d.assigned AND d.item_id = (SELECT id FROM item WHERE number = %(number)s) LIMIT 1"
)
STOPPED = f"UPDATE deadline SET stopped_at = now(), next_rung_at = NULL WHERE {MINE}; "

EDITS = {
    # the path of an item
    "an edge no file declares": (
        event("grant", "checking", "granted") + "; " + ITEM.format("seq = 3, state = 'granted'"),
        "event_follows_a_declared_edge",
    ),
    "an event that skips one": (event(seq="4", prev="2"), "event_counts_without_gaps"),
    "an event after one that is not there": (
        event(seq="5", prev="4"),
        "event_continues_where_the_last_one_ended",
    ),
    "an event that begins elsewhere": (
        event("resume", "waiting", "checking"),
        "event_continues_where_the_last_one_ended",
    ),
    "a second beginning": (
        event("submit", "", "received", seq="1", prev="NULL"),
        "event_key",
    ),
    "an event of a version nobody released": (
        event(version="2"),
        "event_follows_a_declared_edge",
    ),
    "an event of another released version": (
        "INSERT INTO workflow_version VALUES ('permit', 2, ''); "
        "INSERT INTO edge SELECT workflow, 2, act, from_state, to_state FROM edge"
        " WHERE workflow = 'permit' AND version = 1; "
        + event(version="2")
        + "; "
        + ITEM.format("seq = 3, state = 'deciding'"),
        "event_belongs_to_its_item",
    ),
    "an item moved to another version": (ITEM.format("version = 2"), "item_only_moves_on"),
    "an event of another workflow": (
        event("note", "checking", "checking", workflow="'inquiry'"),
        "event_follows_a_declared_edge",
    ),
    "an event without its item moving": (event(), "event_belongs_to_its_item"),
    "an event of no item": (
        event()
        .replace("SELECT id,", "SELECT id + 1000,")
        .replace("'checking'", "''")
        .replace("3, 2,", "1, NULL,")
        .replace("'check', '', 'deciding'", "'submit', '', 'received'"),
        "event_belongs_to_its_item",
    ),
    "a state without an event": (
        ITEM.format("state = 'granted'"),
        "item_stands_where_its_last_event_left_it",
    ),
    "a count without an event": (
        ITEM.format("seq = 3"),
        "item_stands_where_its_last_event_left_it",
    ),
    "an item set back to where it was": (
        ITEM.format("seq = 1, state = 'received'"),
        "item_only_moves_on",
    ),
    "a revision set back": (ITEM.format("revision = 1"), "item_only_moves_on"),
    "a number changed": (ITEM.format("number = 'x'"), "item_only_moves_on"),
    "a receipt backdated": (
        ITEM.format("received_at = received_at - interval '1 year'"),
        "item_only_moves_on",
    ),
    "a family changed": (ITEM.format("family_id = 0"), "item_only_moves_on"),
    "a number taken": (
        (
            "INSERT INTO item (number, workflow, version, state, revision, seq, head, unit_id,"
            " family_id, channel, received_at, entered_at) SELECT number, workflow, version, state, 1,"
            " 1, head, unit_id, family_id, channel, now(), now() FROM item WHERE number = %(number)s"
        ),
        "item_number_once",
    ),
    "an item removed": (
        "DELETE FROM item WHERE number = %(number)s",
        "item_is_never_removed",
    ),
    # history
    "an event changed": (f"UPDATE event SET at = now() WHERE {MINE}", "journal_is_append_only"),
    "an event deleted": (f"DELETE FROM event WHERE {MINE} AND seq = 2", "journal_is_append_only"),
    "the journal emptied": ("TRUNCATE event CASCADE", "journal_is_append_only"),
    "a climb changed": ("UPDATE climb SET level = 0", "journal_is_append_only"),
    "a climb deleted": ("DELETE FROM climb", "journal_is_append_only"),
    "the climbs emptied": ("TRUNCATE climb", "journal_is_append_only"),
    # duties
    "work and recusal": (DUTY.format("recused"), "duty_never_two_at_once"),
    "work and revisit": (DUTY.format("revisit"), "duty_never_two_ever"),
    "work and accusation": (DUTY.format("accused"), "duty_never_two_at_once"),
    "revisit after work": (
        f"UPDATE item_duty SET ended_at = now() WHERE {MINE}; " + DUTY.format("revisit"),
        "duty_never_two_ever",
    ),
    "a duty nobody knows": (DUTY.format("owner"), "item_duty_is_known"),
    "a duty deleted": (f"DELETE FROM item_duty WHERE {MINE}", "duty_only_ends"),
    "a duty given to another": (
        f"UPDATE item_duty SET person_id = 1, ended_at = now() WHERE {MINE}",
        "duty_only_ends",
    ),
    "a duty made another": (
        f"UPDATE item_duty SET duty = 'revisit', ended_at = now() WHERE {MINE}",
        "duty_only_ends",
    ),
    "a holder made a bystander": (
        f"UPDATE item_duty SET assigned = NOT assigned, ended_at = now() WHERE {MINE}",
        "duty_only_ends",
    ),
    "a duty revived": (
        (
            f"UPDATE item_duty SET ended_at = now() WHERE {MINE};"
            f" UPDATE item_duty SET ended_at = NULL WHERE {MINE}"
        ),
        "duty_only_ends",
    ),
    "the duties emptied": ("TRUNCATE item_duty", "journal_is_append_only"),
    # clocks
    "a paused clock that rings": (
        f"UPDATE deadline SET paused_at = now() WHERE {MINE} AND next_rung_at IS NOT NULL",
        "deadline_paused_clock_never_rings",
    ),
    "a stopped clock that rings": (
        f"UPDATE deadline SET stopped_at = now() WHERE {MINE} AND next_rung_at IS NOT NULL",
        "deadline_stopped_clock_never_rings",
    ),
    "a clock of an unknown kind": (
        f"UPDATE deadline SET kind = 'egg timer' WHERE {MINE}",
        "deadline_kind_known",
    ),
    "a rung climbed twice": (
        "INSERT INTO climb SELECT * FROM climb LIMIT 1",
        "climb_key",
    ),
    "a rung of a clock that is not there": (
        (
            "INSERT INTO climb SELECT 0, rung, item_id, seq, level, act, due_at, climbed_at FROM climb"
            " LIMIT 1"
        ),
        "climb_deadline_id_exists",
    ),
    # the house
    "a second bureau": ("INSERT INTO bureau (one) VALUES (true)", "bureau_key"),
    "a message of unknown fate": ("UPDATE message SET status = 'lost'", "message_status_known"),
    "a leave that ends before it begins": (
        "INSERT INTO leave (person_id, first_on, last_on) VALUES (1, '2026-03-02', '2026-03-01')",
        "leave_ends_after_it_begins",
    ),
}


@pytest.fixture
def number(book: Casebook) -> str:
    """A permit two people check, on which a rung was climbed."""
    number = book.assigned()
    book.run(
        "INSERT INTO climb SELECT id, 0, item_id, 1, 1, 'urge', now(), now() FROM deadline LIMIT 1"
    )
    return number


def by_hand(book: Casebook, statements: str, number: str) -> None:
    """Statements of one transaction."""
    with psycopg.connect(book.url) as connection, connection.transaction():
        for part in statements.split("; "):
            connection.execute(part.encode(), {"number": number})


@pytest.mark.parametrize("edit", EDITS)
def test_the_database_refuses(book: Casebook, number: str, edit: str) -> None:
    """A direct edit that no lawful act could be is refused by a constraint with a name."""
    statement, constraint = EDITS[edit]
    before = book.everything()
    with pytest.raises(psycopg.Error) as caught:
        by_hand(book, statement, number)
    assert caught.value.diag.constraint_name == constraint
    assert book.everything() == before


def test_a_lawful_path_by_hand_is_accepted(book: Casebook, number: str) -> None:
    """The same kind of statements pass where event and item move together along an edge."""
    with psycopg.connect(book.url) as connection, connection.transaction():
        connection.execute(event().encode(), {"number": number})
        move = ITEM.format("seq = 3, revision = 3, state = 'deciding'")
        connection.execute(move.encode(), {"number": number})
    assert book.item(number)["state"] == "deciding"


def test_every_workflow_edge_is_in_the_database(book: Casebook) -> None:
    """The edges kept are those of the files, and what the engine itself writes."""
    for (name, version), bound in book.casework.catalog.bound.items():
        kept = book.rows("SELECT act, from_state, to_state FROM edge WHERE workflow = %s", name)
        declared = {
            (act, source, move.to)
            for act, move in bound.workflow.moves()
            for source in move.sources
        }
        assert declared <= {(row["act"], row["from_state"], row["to_state"]) for row in kept}
        assert version == 1
