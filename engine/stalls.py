"""The sweep: what rings is climbed, one rung of one clock once and never again.

Safe to run any number of times at once: a sweeper takes only clocks nobody else holds, reads them
again under the lock, and the rung's row is unique. An item that moved in the meantime has no clock
left to ring. One broken item stops nothing: it is put off for an hour and told in the log.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine import effects
from engine.database import execute, passing
from engine.deadlines import titles
from engine.dossier import READ_MANY, Dossier
from engine.entries import Entries
from engine.errors import Refused
from engine.people import SYS
from engine.record import record, settle
from engine.telling import tell, told_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database
    from engine.deadlines import Clock, Clockwork
    from engine.rulebook import Rung

BATCH = 250
PUT_OFF = timedelta(hours=1)
SEALED_STALL = "sealed_stall"  # names neither item nor workflow
NEXT_DAY = timedelta(days=1)
ACTS = {
    "remind": "提醒",
    "urge": "催办",
    "demand": "催办通知",
    "supervise": "督办",
    "escalate": "提级",
}

NOW = "SELECT now() + practice_offset AS now FROM bureau"
CLAIM = """
SELECT c.id, c.item_id FROM deadline c JOIN item i ON i.id = c.item_id
WHERE c.next_rung_at <= %s ORDER BY c.next_rung_at, c.id LIMIT %s
FOR NO KEY UPDATE OF i, c SKIP LOCKED
"""
"""The item first: passing over an item somebody holds must not leave its clock locked."""


def sweep(
    database: Database, casework: Casework, now: datetime | None = None, limit: int = BATCH
) -> int:
    """Climb every rung that is due, in batches of at most `limit` clocks; returns how many.

    `now` (default: the office's clock) is the moment up to which rungs are due.
    """
    total = 0
    while True:
        claimed, climbed = database.perform(lambda session: _batch(session, casework, now, limit))
        total += climbed
        if claimed < limit:
            return total


def _batch(
    session: Session, casework: Casework, now: datetime | None, limit: int
) -> tuple[int, int]:
    row = execute(session, NOW).fetchone()
    moment: datetime = now or (row or {})["now"]
    claims = execute(session, CLAIM, (moment, limit)).fetchall()
    if not claims:
        return 0, 0
    ringing = {claim["id"] for claim in claims}
    items = sorted({claim["item_id"] for claim in claims})
    dossiers = _read(session, casework, items, moment)
    if len(dossiers) < len(items):
        _put_off_unknown(session, ringing, {dossier.id for dossier in dossiers}, moment)
    try:
        apart = [dossier for dossier in dossiers if _stands_apart(casework, dossier, ringing)]
        together = [dossier for dossier in dossiers if dossier not in apart]
        with session.begin_nested():
            climbed = _climb_all(session, casework, together, ringing)
    except Exception as error:
        if passing(error):
            raise
        tell("sweep.split", **told_of(error))
        climbed, apart = 0, _read(session, casework, items, moment)
    for dossier in apart:
        climbed += _climb_alone(session, casework, dossier, ringing)
    return len(claims), climbed


def _read(
    session: Session, casework: Casework, items: Sequence[int], now: datetime
) -> list[Dossier]:
    """The items, but for those of a workflow version this process has not read."""
    rows = execute(session, READ_MANY, (list(items),)).fetchall()
    return [
        casework.dossier(session, row, now)
        for row in rows
        if (row["workflow"], row["version"]) in casework.catalog.bound
    ]


def _climb_all(
    session: Session, casework: Casework, dossiers: Iterable[Dossier], ringing: set[int]
) -> int:
    entries, climbed = Entries(), 0
    for dossier in dossiers:
        climbed += len(_climb(casework, entries, dossier, ringing))
    entries.write(session)
    return climbed


def _climb_alone(session: Session, casework: Casework, dossier: Dossier, ringing: set[int]) -> int:
    """One item with what follows from its rungs, in a savepoint of its own."""
    try:
        with session.begin_nested():
            lapsing = _lapsing(casework, dossier, ringing)
            entries = Entries()
            rungs = _climb(casework, entries, dossier, ringing)
            entries.write(session)
            for rung in rungs:
                if rung.spawn is not None and not _has_child(dossier, rung.spawn.workflow):
                    casework.spawn(dossier, rung.spawn, dossier.data)
    except Exception as error:
        if passing(error):
            raise
        tell("sweep.put_off", item=dossier.number, **told_of(error))
        _put_off(session, ringing, dossier, PUT_OFF)
        return 0
    for transition in lapsing:
        try:
            with session.begin_nested():
                casework.advance_by_sys(session, dossier.id, transition, dossier.now)
        except Refused as refusal:
            # not yet lawful (no record of delivery, say): asked again tomorrow
            tell("lapse.waits", item=dossier.number, code=refusal.code)
        except Exception as error:
            if passing(error):
                raise
            tell("lapse.failed", item=dossier.number, **told_of(error))
    return len(rungs) + len(lapsing)


def _has_child(dossier: Dossier, workflow: str) -> bool:
    """Whether a child of this kind is open already: ten clocks of one item are one neglect."""
    found = execute(
        dossier.session,
        "SELECT 1 FROM item WHERE parent_id = %s AND workflow = %s AND closed_at IS NULL LIMIT 1",
        (dossier.id, workflow),
    )
    return found.fetchone() is not None


def _put_off(session: Session, ringing: set[int], dossier: Dossier, by: timedelta) -> None:
    execute(
        session,
        "UPDATE deadline SET next_rung_at = %s"
        " WHERE item_id = %s AND id = ANY(%s) AND next_rung_at IS NOT NULL",
        (dossier.now + by, dossier.id, list(ringing)),
    )


def _put_off_unknown(session: Session, ringing: set[int], known: set[int], now: datetime) -> None:
    """Leave what only a newer process can read to that process, for an hour."""
    put_off = execute(
        session,
        "UPDATE deadline SET next_rung_at = %s"
        " WHERE id = ANY(%s) AND item_id <> ALL(%s) RETURNING item_id",
        (now + PUT_OFF, list(ringing), list(known)),
    ).rowcount
    if put_off:
        tell("sweep.unknown", count=put_off)


def _stands_apart(casework: Casework, dossier: Dossier, ringing: set[int]) -> bool:
    """Whether more than messages follows: a child, or a lapse."""
    clockwork = casework.clockwork(dossier.bound, dossier.calendar)
    for clock in _due(dossier, ringing):
        if clockwork.lapses_at(clock):
            return True
        for at, rung in enumerate(clockwork.rungs(clock)):
            if rung.spawn and at >= clock.next_rung:
                due_at = clockwork.rung_at(clock, at)
                if due_at is not None and due_at <= dossier.now:
                    return True
    return False


def _due(dossier: Dossier, ringing: set[int]) -> list[Clock]:
    return [
        clock
        for clock in dossier.clocks
        if clock.id in ringing and clock.next_rung_at and clock.next_rung_at <= dossier.now
    ]


def _lapsing(casework: Casework, dossier: Dossier, ringing: set[int]) -> list[str]:
    """The transitions the system makes because a clock of the item ran out."""
    clockwork = casework.clockwork(dossier.bound, dossier.calendar)
    found: list[str] = []
    for clock in _due(dossier, ringing):
        lapse_at = clockwork.lapses_at(clock)
        into = dossier.workflow.deadlines[clock.name].lapses_into if lapse_at else None
        if lapse_at and lapse_at <= dossier.now and into:
            found.append(into)
    return found


def _climb(casework: Casework, entries: Entries, dossier: Dossier, ringing: set[int]) -> list[Rung]:
    """Climb every due rung of an item's ringing clocks, in order."""
    clockwork = casework.clockwork(dossier.bound, dossier.calendar)
    climbed: list[Rung] = []
    for clock in _due(dossier, ringing):
        rungs = clockwork.rungs(clock)
        while clock.next_rung < len(rungs):
            due_at = clockwork.rung_at(clock, clock.next_rung)
            if due_at is None or due_at > dossier.now:
                break
            _climb_one(casework, entries, dossier, clock, rungs[clock.next_rung], due_at)
            climbed.append(rungs[clock.next_rung])
            clock.next_rung += 1
        clockwork.project(clock)
        if clock.next_rung_at and clock.next_rung_at <= dossier.now:
            clock.next_rung_at = dossier.now + NEXT_DAY  # a lapse: asked again if refused
        entries.change([clock])
    settle(entries, dossier, dossier.entered_at)
    return climbed


def _climb_one(
    casework: Casework,
    entries: Entries,
    dossier: Dossier,
    clock: Clock,
    rung: Rung,
    due_at: datetime,
) -> None:
    told = list(dict.fromkeys(p for role in rung.tell for p in effects.recipients(dossier, role)))
    office = dossier.office
    record(
        entries,
        dossier,
        "rung",
        SYS,
        "sys",
        {
            "deadline": clock.name,
            "kind": clock.kind,
            "rule": clock.rule,
            "rung": clock.next_rung,
            "level": rung.level,
            "act": rung.act,
            "due_at": due_at.isoformat(),
            "told": [office.people[person].account for person in told],
        },
    )
    clock.rung = max(rung.level, clock.rung or 0)
    entries.add(
        "climbs",
        deadline_id=clock.id,
        rung=clock.next_rung,
        item_id=dossier.id,
        seq=dossier.seq,
        level=rung.level,
        act=rung.act,
        due_at=due_at,
        climbed_at=dossier.now,
    )
    extra = _extra(dossier, clock, rung)
    text = SEALED_STALL if dossier.sealed else rung.act
    effects.tell(entries, dossier, told, text, casework.way, extra)
    effects.tell_endpoints(entries, dossier, rung.act, casework.way, extra)
    if rung.document:
        effects.draft(entries, casework.catalog.letters, rung.document, dossier, extra)


def _extra(dossier: Dossier, clock: Clock, rung: Rung) -> dict[str, Any]:
    return {
        "deadline": titles(dossier.workflow, clock, dossier.state)[0],
        "due_on": clock.due_on.isoformat() if clock.due_on else "",
        "act": ACTS[rung.act],
        "level": rung.level,
        "rule": clock.rule,
        "deadline_id": clock.id,
        "rung": clock.next_rung,
    }


CLOCKS_OF = """
SELECT i.id FROM item i WHERE i.id > %s
AND EXISTS (SELECT 1 FROM deadline c WHERE c.item_id = i.id AND c.stopped_at IS NULL)
ORDER BY i.id LIMIT %s FOR NO KEY UPDATE OF i
"""


def reproject(database: Database, casework: Casework, limit: int = BATCH) -> int:
    """Derive every running clock anew after a calendar was loaded; returns how many dates moved.

    A date that was told to somebody never moves in silence: each change is an event.
    """
    moved, after = 0, 0
    while True:
        after, changed = database.perform(
            lambda session, start=after: _reproject_some(session, casework, start, limit)  # type: ignore[misc]
        )
        moved += changed
        if not after:
            return moved


def _reproject_some(
    session: Session, casework: Casework, after: int, limit: int
) -> tuple[int, int]:
    items = [row["id"] for row in execute(session, CLOCKS_OF, (after, limit))]
    row = execute(session, NOW).fetchone()
    if not items or row is None:
        return 0, 0
    entries, moved = Entries(), 0
    for dossier in _read(session, casework, items, row["now"]):
        clockwork = casework.clockwork(dossier.bound, dossier.calendar)
        changes = [clock for clock in dossier.clocks if _moves(clockwork, clock)]
        for clock in changes:
            told = {
                "deadline": clock.name,
                "due_on": str(clock.due_on),
                "provisional": clock.provisional,
                "calendar": dossier.calendar.edition,
            }
            record(entries, dossier, "projection", SYS, "sys", told)
        if changes:
            moved += len(changes)
            entries.change(changes)
            settle(entries, dossier, dossier.entered_at)
    entries.write(session)
    return items[-1], moved


def _moves(clockwork: Clockwork, clock: Clock) -> bool:
    before = (clock.due_on, clock.provisional)
    return (clockwork.project(clock).due_on, clock.provisional) != before
