from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.leases import (
    BACKOFF,
    CRASHES,
    Claimed,
    Lane,
    Outcome,
    claim,
    release_expired,
    settle,
    verdict,
)

if TYPE_CHECKING:
    from uuid import UUID

    from engine.database import Database
    from tests.posting import Office


MAIL = Lane("mail", None)
SENT = Outcome("sent", "receipt")


def take(database: Database, limit: int = 50, *, crashed: bool = False) -> list[Claimed]:
    """Claim mail and commit."""
    with database.transaction() as session:
        return claim(session, None, limit, MAIL, crashed=crashed)


def finish(database: Database, claimed: Claimed, outcome: Outcome = SENT) -> str:
    """Settle and commit."""
    with database.transaction() as session:
        return settle(session, claimed, outcome)


def release(database: Database) -> tuple[int, int]:
    """Take back what was abandoned."""
    with database.transaction() as session:
        return release_expired(session)


# --- threads ----------------------------------------------------------------------------------


def test_only_the_first_unfinished_message_of_a_thread_can_be_taken(
    database: Database, office: Office
) -> None:
    """Whatever their ids and times say: the order of sending is the order of the item's events."""
    person, other = office.person(), office.person()
    third = office.message(seq=3, recipient_id=person, wait=-90)
    first = office.message(seq=1, recipient_id=person, wait=-10)
    second = office.message(seq=2, recipient_id=person, wait=-50)
    aside = office.message(seq=9, recipient_id=other)

    assert {row.id for row in take(database)} == {first, aside}
    assert take(database) == []
    office.run("UPDATE message SET status = 'sent', lease_token = NULL WHERE id = %s", first)
    (now,) = take(database)
    assert now.id == second
    finish(database, now, Outcome("failed", "450"))
    assert take(database) == [], "a message that waits for its next try holds its thread"
    office.hasten()
    (again,) = take(database)
    assert again.id == second
    finish(database, again)
    assert [row.id for row in take(database)] == [third]


def test_a_dead_message_frees_its_thread_and_is_named_in_the_next(
    database: Database, office: Office
) -> None:
    """Nobody waits for ever for what will never arrive, and nobody is kept in the dark about it."""
    person = office.person()
    lost = office.message(seq=1, recipient_id=person)
    office.message(seq=2, recipient_id=person)
    finish(database, take(database)[0], Outcome("hopeless", "SMTP 550 RCPT"))
    (following,) = take(database)
    assert following.missed == [lost]
    assert office.row(lost)["last_result"] == "SMTP 550 RCPT"


def test_endpoints_of_one_item_do_not_wait_for_each_other(
    database: Database, office: Office
) -> None:
    """Two endpoints have no recipient; they are two threads all the same."""
    ends = [office.endpoint(f"https://{name}.example") for name in "ab"]
    for end in ends:
        office.message(channel="webhook", endpoint_id=end)
    with database.transaction() as session:
        found = [claim(session, None, 9, Lane("webhook", end)) for end in ends]
    assert [len(rows) for rows in found] == [1, 1]
    assert found[1][0].address == "https://b.example"


def test_four_senders_send_two_hundred_messages_once_each(
    database: Database, office: Office
) -> None:
    """Forty threads of five: none lost, none twice, none out of its thread's order."""
    people = [office.person() for _ in range(40)]
    for seq in range(1, 6):
        for person in people:
            office.message(seq=seq, recipient_id=person)
    sent: list[UUID] = []

    def work(_: int) -> None:
        idle = 0
        while idle < 20:
            batch = take(database, 7)
            idle = 0 if batch else idle + 1
            for claimed in batch:
                sent.append(claimed.id)
                assert finish(database, claimed) == "sent"
            time.sleep(0 if batch else 0.01)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(sent) == len(set(sent)) == 200
    assert office.statuses() == {"sent": 200}
    place = {message: index for index, message in enumerate(sent)}
    rows = office.connection.execute("SELECT id, recipient_id FROM message ORDER BY seq").fetchall()
    for person in people:
        order = [place[row["id"]] for row in rows if row["recipient_id"] == person]
        assert order == sorted(order)


# --- leases -----------------------------------------------------------------------------------


def test_a_zombie_changes_no_state(database: Database, office: Office) -> None:
    """Its lease ran out and somebody else holds the message: its result is one more attempt."""
    message = office.message(recipient_id=office.person())
    (zombie,) = take(database)
    office.abandon(message)
    assert release(database) == (1, 0)
    (holder,) = take(database, crashed=True)
    assert finish(database, zombie) == ""
    row = office.row(message)
    assert (row["status"], row["attempts"]) == ("leased", 1)
    assert row["lease_token"] == holder.lease_token
    assert finish(database, holder) == "sent"
    assert finish(database, zombie, Outcome("failed", "timeout")) == ""
    row = office.row(message)
    assert (row["status"], row["receipt"], row["attempts"]) == ("sent", "receipt", 3)


def test_a_message_that_ends_its_senders_dies_and_the_innocent_do_not(
    database: Database, office: Office
) -> None:
    """After a crash each message of the batch travels alone, so only the poisonous one is counted."""
    poison = office.message(item=1, recipient_id=office.person())
    innocent = office.message(item=2, recipient_id=office.person())
    assert len(take(database)) == 2
    for _ in range(CRASHES):
        office.run("UPDATE message SET leased_until = now() WHERE status = 'leased'")
        release(database)
        office.hasten()
        assert take(database) == [], "whoever was there at a crash is taken alone"
        for _ in range(2):
            for claimed in take(database, crashed=True):
                if claimed.id == innocent:
                    finish(database, claimed)
    row = office.row(poison)
    assert (row["status"], row["crashes"]) == ("dead", CRASHES)
    row = office.row(innocent)
    assert (row["status"], row["crashes"]) == ("sent", 1)


def test_moving_the_practice_clock_abandons_nothing(database: Database, office: Office) -> None:
    """Leases run on the real clock; due times on the office's."""
    office.message(recipient_id=office.person())
    later = office.message(item=2, recipient_id=office.person(), wait=6 * 86400)
    assert len(take(database)) == 1
    office.run("UPDATE bureau SET practice_offset = '7 days'")
    assert release(database) == (0, 0)
    (claimed,) = take(database)
    assert claimed.id == later
    finish(database, claimed, Outcome("failed", "450"))
    wait = office.one(
        "SELECT extract(epoch FROM not_before - now() - interval '7 days') FROM message"
        " WHERE id = %s",
        later,
    )
    assert 4 <= wait <= 6


# --- when to try again ------------------------------------------------------------------------


def test_the_waits_are_those_of_the_promise() -> None:
    """5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 24 h, at most a tenth more, and then dead."""
    assert BACKOFF == (5, 30, 300, 1800, 7200, 18000, 36000, 86400)
    failed = Outcome("failed", "450")
    for attempt, wait in enumerate(BACKOFF, 1):
        status, seconds = verdict(failed, attempt)
        assert status == "ready"
        assert wait <= seconds <= wait * 1.1
    assert verdict(failed, 9) == ("dead", 0.0)
    assert verdict(Outcome("hopeless"), 1) == ("dead", 0.0)


@pytest.mark.parametrize(("wish", "least"), [(1, 5), (120, 120), (9e9, 86400)])
def test_a_wish_to_wait_is_respected_within_a_day(wish: float, least: float) -> None:
    """Retry-After lengthens a wait, never shortens it, and cannot silence us for ever."""
    _, seconds = verdict(Outcome("failed", retry_after=wish), 1)
    assert least <= seconds <= least * 1.1
