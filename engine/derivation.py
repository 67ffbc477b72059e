"""What of an item's rows follows from its events (推导), so that a change by hand shows: when it was
closed, by when it is due, which unit it is about, who bears a duty, which rungs were climbed, and what
its clocks show.

The due date of a running clock is counted anew from its start, span, pauses and extension.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.deadlines import Clock
from engine.desk import Desk, read_calendar
from engine.notation import ENGINE_ACTS
from engine.record import due_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session

    from engine.calendars import Calendar
    from engine.catalog import Catalog
    from engine.definition import Workflow
    from engine.journal import Chain

    Row = Mapping[str, Any]

PUT_OFF = timedelta(days=2)
"""A clock whose item could not be moved is asked again after an hour or a day; never later."""

NOW = "SELECT now() + practice_offset AS now FROM bureau"
CLOCKS = """
SELECT item_id, to_jsonb(c) AS clock FROM deadline c
WHERE item_id > %s AND item_id <= %s AND stopped_at IS NULL ORDER BY id
"""
DUTIES = """
SELECT d.item_id, d.person_id, p.account, d.role, d.began_at FROM item_duty d
JOIN person p ON p.id = d.person_id WHERE d.item_id > %s AND d.item_id <= %s
"""
STRAY = """
SELECT DISTINCT i.number FROM item_duty d JOIN item i ON i.id = d.item_id
WHERE d.item_id > %s AND d.item_id <= %s AND (d.family_id <> i.family_id
  OR NOT EXISTS (SELECT FROM item k JOIN event e ON e.item_id = k.id
    WHERE k.family_id = i.family_id AND e.at = d.began_at)
  OR d.ended_at IS NOT NULL AND NOT EXISTS (SELECT FROM item k JOIN event e ON e.item_id = k.id
    WHERE k.family_id = i.family_id AND e.at = d.ended_at))
"""
CLIMBS = """
SELECT c.item_id, c.seq, c.rung, c.level, c.act, c.due_at, c.climbed_at, d.name FROM climb c
LEFT JOIN deadline d ON d.id = c.deadline_id AND d.item_id = c.item_id
WHERE c.item_id > %s AND c.item_id <= %s
"""


class Derivation:
    """The workflows, the calendar and the units by which rows follow from events."""

    def __init__(self, session: Session, catalog: Catalog) -> None:
        self.desk = Desk(catalog)
        self.calendar: Calendar = read_calendar(session)
        row = execute(session, NOW).fetchone()
        self.now: datetime = row["now"] if row else datetime.max.replace(tzinfo=UTC)
        self.units = {r["code"]: r["id"] for r in execute(session, "SELECT id, code FROM unit")}

    def examine(
        self, session: Session, chains: Sequence[Chain], after: int, upto: int
    ) -> Iterator[str]:
        """A sentence for each item of (after, upto] whose rows are not what its events say."""
        span = (after, upto)
        clocks, duties, climbs = (
            _by_item(execute(session, statement, span)) for statement in (CLOCKS, DUTIES, CLIMBS)
        )
        for item, events in chains:
            if (item["workflow"], item["version"]) not in self.desk.catalog.bound:
                continue  # of a program newer than this one; its chain and its place were judged
            running = [Clock.of_row(row["clock"]) for row in clocks.get(item["id"], ())]
            for wrong in (
                self._closing(item, events),
                self._subject(item, events),
                self._times(item, running, events),
                self._duties(item, events, duties.get(item["id"], ())),
                _climbs(events, climbs.get(item["id"], ())),
                _reveals(events),
            ):
                if wrong:
                    yield f"{item['number']}: {wrong}"
        for row in execute(session, STRAY, span):
            yield f"{row['number']}: {DUTY}"

    def _closing(self, item: Row, events: Sequence[Row]) -> str | None:
        """Closed is an item since it came to a final state, for as long as it stays in one."""
        states = self.desk.catalog.of(item["workflow"], item["version"]).workflow.states
        since = None
        for event in events:
            final = states[event["to_state"]].final
            since = (since or event["at"]) if final else None
        if since != item["closed_at"]:
            return "办结时间与记录不符。When it was closed is not what its events say."
        return None

    def _subject(self, item: Row, events: Sequence[Row]) -> str | None:
        """The unit complained of is the last one named; one hidden with its parent has its parent's."""
        field = self.desk.catalog.of(item["workflow"], item["version"]).workflow.subject
        named = [e["data"][field] for e in events if field and field in e["data"]]
        told = self.units.get(named[-1]) if named else None
        if told is not None and told != item["subject_unit_id"]:
            return "被反映单位与记录不符。The unit it is about is not what its events say."
        if not named and item["subject_unit_id"] is not None and item["parent_id"] is None:
            return "被反映单位与记录不符。It is about a unit that no event names."
        return None

    def _times(self, item: Row, running: Sequence[Clock], events: Sequence[Row]) -> str | None:
        """The item shows what its clocks show, and they what follows from their start."""
        rung = max((clock.rung or 0 for clock in running), default=0)
        if item["rung"] != rung or item["due_at"] != due_at(running):
            return "期限与时钟不符。Its due date or rung is not what its clocks show."
        bound = self.desk.catalog.of(item["workflow"], item["version"])
        clockwork = self.desk.clockwork(bound, self.calendar)
        for clock in running:
            if clock.until and not _named(bound.workflow, clock, events):
                return f"时钟 {clock.name} 被改动。Its clock {clock.name} was changed."
            shown = (clock.due_on, clock.due_at, clock.next_rung_at)
            clockwork.project(clock)
            latest = max(filter(None, (clock.next_rung_at, self.now + PUT_OFF)))
            if shown[:2] != (clock.due_on, clock.due_at) or not _rings(
                shown[2], clock.next_rung_at, latest
            ):
                return f"时钟 {clock.name} 被改动。Its clock {clock.name} was changed."
        return None

    def _duties(self, item: Row, events: Sequence[Row], duties: Sequence[Row]) -> str | None:
        """Whoever acted in a role that makes a duty of it, or was named in a field that does, has it."""
        workflow = self.desk.catalog.of(item["workflow"], item["version"]).workflow
        borne = {(duty["person_id"], duty["role"]) for duty in duties}
        accounts = {duty["account"] for duty in duties}
        fields = [name for name, spec in workflow.fields.items() if spec.duty]
        for event in events:
            if event["act"] in ENGINE_ACTS:
                continue
            role = workflow.roles.get(event["role"])
            bears = event["actor_id"] is not None and role is not None and role.duty
            if bears and (event["actor_id"], event["role"]) not in borne:
                return DUTY
            for name in fields:
                told = event["data"].get(name)
                if isinstance(told, list) and not accounts.issuperset(told):
                    return DUTY
        return None


DUTY = "职责与记录不符。Who bears a duty on it is not what its events say."


def _named(workflow: Workflow, clock: Clock, events: Sequence[Row]) -> bool:
    """Whether an act named the date a clock is due on."""
    spec = workflow.deadlines.get(clock.name)
    field = spec.until if spec else None
    return any(event["data"].get(field) == str(clock.until) for event in events if field)


def _rings(shown: datetime | None, derived: datetime | None, latest: datetime) -> bool:
    """Whether an alarm is the one derived, or that one put off a little."""
    if shown is None or derived is None:
        return shown == derived
    return shown == derived or derived < shown <= latest


def _climbs(events: Sequence[Row], climbs: Sequence[Row]) -> str | None:
    """Each rung of the journal was climbed once, and no other was."""
    told = {
        event["seq"]: (
            *(event["data"].get(name) for name in ("deadline", "rung", "level", "act")),
            event["at"],
        )
        for event in events
        if event["act"] == "rung"
    }
    kept = {
        row["seq"]: (row["name"], row["rung"], row["level"], row["act"], row["climbed_at"])
        for row in climbs
    }
    if told != kept or len(kept) != len(climbs):
        return "督办登级与记录不符。The rungs climbed are not what its events say."
    return None


def _reveals(events: Sequence[Row]) -> str | None:
    """Nobody saw an identity before the journal granted it."""
    granted = set()
    for event in events:
        if event["act"] == "reveal_grant":
            granted.add(event["data"].get("reveal"))
        elif event["act"] == "reveal_view" and event["data"].get("reveal") not in granted:
            return "未经批准查看了身份。An identity was seen that no event before grants."
    return None


def _by_item(rows: Any) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["item_id"], []).append(row)
    return found
