"""What runs without a counter: the sweep, pages of the worklist, the import."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from bench.ground import CLOCK_IDS, person
from engine.database import execute
from engine.deadlines import IDLE, Clock
from engine.importing import Import, Row
from engine.mapping import Map, Mapper
from engine.queries import Filters, worklist
from engine.stalls import sweep
from engine.walls import principal_of, stand_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ground import Ground
    from engine.casework import Casework
    from engine.database import Database
    from engine.paging import Key

OVERDUE = 1000
IDLE_AT = 3  # the pattern's idle clock is its fourth

MAKE_DUE = """
UPDATE deadline SET started_at = %s, due_on = %s, due_at = %s, next_rung = 0, next_rung_at = %s
WHERE id = ANY(%s) AND name = 'idle' AND stopped_at IS NULL
"""
CLIMBED = """
SELECT count(*) AS climbs, count(e.seq) AS events,
  (SELECT count(*) FROM message m WHERE m.rung IS NOT NULL) AS messages
FROM climb c LEFT JOIN event e ON e.item_id = c.item_id AND e.seq = c.seq AND e.act = 'rung'
"""


def alarm(ground: Ground, database: Database, casework: Casework) -> None:
    """Let the idle clock of a thousand waiting items stand at its first rung."""
    start = ground.take(OVERDUE)
    ids = [ground.item(start + at) * CLOCK_IDS + IDLE_AT for at in range(OVERDUE)]
    with database.transaction() as session:
        clock = _overdue(casework, casework.house(session))
        values = (clock.started_at, clock.due_on, clock.due_at, clock.next_rung_at, ids)
        made = execute(session, MAKE_DUE, values).rowcount
    assert made == OVERDUE, "the idle clocks are not where they were laid"


def _overdue(casework: Casework, house: Any) -> Clock:
    bound = casework.catalog.named("grievance")
    clockwork = casework.clockwork(bound, house.calendar)
    rule = bound.workflow.states[bound.workflow.initial].idle
    assert rule is not None
    for hours in range(24, 24 * 60):
        began = house.now - timedelta(hours=hours)
        clock = clockwork.start(IDLE, rule, began, kind=IDLE, ladder=bound.workflow.idle_ladder)
        if clock.next_rung_at is not None and clock.next_rung_at < house.now:
            return clock
    raise AssertionError("no start makes an idle clock ring once")


def swept(database: Database, casework: Casework) -> float:
    """Seconds a sweep of a thousand alarms takes; every rung has its event and its messages."""
    before = _climbs(database)
    began = time.perf_counter()
    climbed = sweep(database, casework)
    took = time.perf_counter() - began
    after = _climbs(database)
    assert climbed >= OVERDUE, f"{climbed} rungs climbed"
    assert after["climbs"] - before["climbs"] == climbed, "a rung without its row"
    assert after["climbs"] == after["events"], "a rung without its event"
    assert after["messages"] - before["messages"] >= OVERDUE, "a rung that told nobody"
    return took


def _climbs(database: Database) -> dict[str, int]:
    with database.transaction() as session:
        row = execute(session, CLIMBED).fetchone()
    assert row is not None
    return row


def empty_sweeps(ground: Ground, database: Database, casework: Casework, count: int) -> list[float]:
    """What sweeps take that find nothing, on tables vacuumed as autovacuum would within a minute."""
    with psycopg.connect(ground.url, autocommit=True) as connection:
        connection.execute("VACUUM deadline, item, climb")
    for _ in range(20):
        sweep(database, casework)
    took = []
    for _ in range(count):
        began = time.perf_counter()
        assert sweep(database, casework) == 0
        took.append(time.perf_counter() - began)
    return took


ASKED = (
    ("intake", Filters()),
    ("unit_head", Filters()),
    ("deputy", Filters(state="received")),
    ("branch1_head", Filters()),
    ("handler1", Filters(workflow="grievance")),
    ("auditor", Filters(state="screening")),
)
"""Whose worklists are read: the whole house, some units, one state, and one where nothing is theirs."""


def pages(ground: Ground, database: Database, casework: Casework, count: int) -> list[float]:
    """What pages of fifty take, from random places of the worklists of several people."""
    with database.transaction() as session:
        people = [(person(casework, session, account), filters) for account, filters in ASKED]
    draw = random.Random(7)
    places = _places(ground, draw, count)
    took, full = [], 0
    for at, place in enumerate(places):
        actor, filters = people[at % len(people)]
        began = time.perf_counter()
        with database.transaction() as session:
            stand_for(session, principal_of(actor))
            page = worklist(session, casework, actor, filters, after=place, limit=50)
        took.append(time.perf_counter() - began)
        full += len(page.items) == 50
    assert full > count // 3, "too few pages are full to say anything"
    return took


def _places(ground: Ground, draw: random.Random, count: int) -> Iterator[Key]:
    ids = [ground.item(draw.randrange(ground.waiting)) for _ in range(count)]
    with psycopg.connect(ground.url) as connection:
        found = connection.execute(
            "SELECT due_at::text, id FROM item WHERE id = ANY(%s)", (ids,)
        ).fetchall()
    draw.shuffle(found)
    return iter([list(row) for row in found])


def imported(database: Database, casework: Casework, count: int, run: int) -> float:
    """Items a second through the import, from the cells of a table to all their rows."""
    told = Map.model_validate(
        {
            "key": "no",
            "received_at": {"column": "received", "format": "%Y-%m-%d %H:%M"},
            "fields": {
                "narrative": {"columns": ["kind", "text"]},
                "respondent": {"column": "unit"},
                "categories": {"value": "V02"},
                "contact": {"name": {"column": "caller"}, "phone": {"column": "tel"}},
            },
        }
    )
    workflow = casework.catalog.named("grievance").workflow
    taken = Import(database, casework, Mapper(told, workflow), f"bench {run}".encode())
    with database.transaction() as session:
        house = casework.house(session)
    received = house.now.strftime("%Y-%m-%d %H:%M")
    rows = (
        Row(
            at,
            {
                "no": f"{run}-{at}",
                "received": received,
                "kind": "市场监管",
                "text": f"第{at}号来件:反映办理超过期限,多次询问没有答复。",
                "unit": ("BR1", "BR2", "SQD", "SVC")[at % 4],
                "caller": f"来电人{at}",
                "tel": f"138{at:08d}",
            },
        )
        for at in range(count)
    )
    began = time.perf_counter()
    done = taken.take(rows)
    took = time.perf_counter() - began
    assert done.accepted == count, f"{done.refused} rows were refused"
    return count / took
