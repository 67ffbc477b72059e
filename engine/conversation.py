"""What petitioner and office write to each other about an item (书信往来).

Free words stay in the house: they lie in the vault like anything personal, the petitioner reads
them in the portal, staff on the item's page, and what is pushed says only that there is a message.
The petitioner is told a role and a unit, never a name. No message is a substantive act: no revision
rises and no clock of the workflow moves. But a petitioner's message starts a clock of its own, which
only an answer or the item's end stops, so that nobody's question goes silent.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from engine import effects
from engine.database import execute
from engine.deadlines import UNANSWERED
from engine.entries import Entries
from engine.errors import NotAvailable, NotPermitted, TooMany
from engine.forms import Accepted, message_text
from engine.notation import HOLDER
from engine.paging import Page, last_number
from engine.people import PUBLIC
from engine.record import record, settle
from engine.views import may_work
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.dossier import Dossier
    from engine.paging import Key
    from engine.people import Actor

MOST_A_DAY = 20
"""Messages of one petitioner on one day of the office."""
FROM_PETITIONER, FROM_OFFICE = "petitioner_wrote", "office_wrote"
FROM_PETITIONER_SEALED = "sealed_work"

WRITTEN = """
SELECT e.seq, e.at, e.actor_id, e.role, p.sealed
FROM event e LEFT JOIN vault.payload p ON p.item_id = e.item_id AND p.seq = e.seq
WHERE e.item_id = %(item)s AND e.act = 'message' AND e.seq > %(last)s ORDER BY e.seq LIMIT %(n)s
"""
OF_TODAY = """
SELECT count(*) AS count FROM event
WHERE item_id = %s AND act = 'message' AND actor_id IS NULL AND at >= %s
"""
READ = """
INSERT INTO petitioner_read AS r (item_id, seq) VALUES (%s, %s)
ON CONFLICT (item_id) DO UPDATE SET seq = excluded.seq WHERE r.seq < excluded.seq
"""


def write(session: Session, desk: Casework, number: str, words: str) -> Dossier:
    """The petitioner writes to the office; whoever holds the item is told that there is a message.

    Raises NotAvailable where the item has ended, TooMany after twenty on one day, Invalid.
    """
    dossier = desk.hold(session, number, PUBLIC)
    if dossier.workflow.states[dossier.state].final:
        raise NotAvailable(
            "事项已经结束,来信已无人办理;有新的情况请重新提出。"
            "The item has ended and nobody would read this; bring new facts as a new submission.",
            state=dossier.state,
            available=[],
        )
    accepted = Accepted(personal={"message": message_text(words)})
    _stay_within_a_day(session, dossier)
    entries = Entries()
    record(entries, dossier, "message", PUBLIC, PUBLIC.kind, {}, accepted)
    rule = _answer_rule(desk, dossier)
    if rule is not None and dossier.clock(UNANSWERED) is None:
        clockwork = desk.clockwork(dossier.bound, dossier.calendar)
        ladder = dossier.workflow.idle_ladder
        clock = clockwork.start(UNANSWERED, rule, dossier.now, ladder=ladder)
        entries.start(dossier.id, [clock])
        dossier.clocks = [*dossier.clocks, clock]
    settle(entries, dossier, dossier.entered_at)
    text = FROM_PETITIONER_SEALED if dossier.sealed else FROM_PETITIONER
    told = effects.recipients(dossier, HOLDER)
    effects.tell(entries, dossier, told, text, desk.way, {})
    entries.write(session)
    return dossier


def answer(
    session: Session,
    desk: Casework,
    number: str,
    actor: Actor,
    words: str,
    *,
    revision: int | None = None,
) -> Dossier:
    """Staff write to the petitioner, who is told that there is a message.

    Raises NotFound, Stale, NotPermitted (those who work on the item), NotAvailable where nobody
    holds a code to read it with, Invalid.
    """
    dossier = desk.hold(session, number, actor, revision=revision)
    _must_work(dossier, actor)
    if dossier.code_hash is None:
        raise NotAvailable(
            "本事项没有查询码,当事人在网上看不到;请另行书面或者电话答复并记录。"
            "Nobody has a code for this item; write or telephone, and note it.",
            state=dossier.state,
            available=[],
        )
    accepted = Accepted(personal={"message": message_text(words)})
    entries = Entries()
    record(entries, dossier, "message", actor, desk.role_seen(dossier, actor), {}, accepted)
    if (clock := dossier.clock(UNANSWERED)) is not None:
        clock.stopped_at, clock.next_rung_at = dossier.now, None
        entries.change([clock])
        dossier.clocks = [each for each in dossier.clocks if each is not clock]
    settle(entries, dossier, dossier.entered_at)
    effects.tell_public(entries, dossier, FROM_OFFICE, desk.way)
    entries.write(session)
    return dossier


def shown_to_petitioner(
    session: Session, desk: Casework, number: str, *, after: Key | None = None, limit: int = 50
) -> Page:
    """What was written, oldest first, as the petitioner sees it; what they see is read."""
    dossier = desk.look(session, number, PUBLIC)
    unit = dossier.office.units[dossier.unit_id].name

    def shown(row: Mapping[str, Any]) -> dict[str, Any]:
        own = row["actor_id"] is None
        role = dossier.workflow.roles.get(row["role"])
        return {
            "from": "petitioner" if own else "office",
            "unit": None if own else unit,
            "role": None if own else (role.title if role else "工作人员"),
        }

    page = _written(session, dossier, shown, after, limit)
    if page.items:
        execute(session, READ, (dossier.id, page.items[-1]["seq"]))
    return page


def shown_to_staff(
    session: Session,
    desk: Casework,
    actor: Actor,
    number: str,
    *,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """What was written, oldest first, for those who work on the item. Raises NotFound, NotPermitted."""
    dossier = desk.look(session, number, actor)
    _must_work(dossier, actor)
    people = dossier.office.people

    def shown(row: Mapping[str, Any]) -> dict[str, Any]:
        own = row["actor_id"] is None
        return {
            "from": "petitioner" if own else "office",
            "actor": None if own else people[row["actor_id"]].account,
            "role": row["role"],
        }

    return _written(session, dossier, shown, after, limit)


def _written(
    session: Session,
    dossier: Dossier,
    shown: Callable[[Mapping[str, Any]], dict[str, Any]],
    after: Key | None,
    limit: int,
) -> Page:
    values = {"item": dossier.id, "last": last_number(after) if after else 0, "n": limit + 1}
    rows = execute(session, WRITTEN, values).fetchall()
    found = [
        {
            "seq": row["seq"],
            "at": row["at"],
            **shown(row),
            # None: it was erased
            "body": dossier.vault.open(row["seq"], row["sealed"] or {}, {"message"}).get("message"),
        }
        for row in rows[:limit]
    ]
    return Page(found, [found[-1]["seq"]] if len(rows) > limit else None)


def _must_work(dossier: Dossier, actor: Actor) -> None:
    if not may_work(dossier, actor):
        raise NotPermitted(
            "只有办理本事项的人可以看来信、写回信。"
            "Only those who work on the item read and write its messages."
        )


def _stay_within_a_day(session: Session, dossier: Dossier) -> None:
    midnight = datetime.combine(dossier.today, time(), SHANGHAI)
    row = execute(session, OF_TODAY, (dossier.id, midnight)).fetchone()
    if row is not None and row["count"] >= MOST_A_DAY:
        left = midnight + timedelta(days=1) - dossier.now
        raise TooMany(
            int(left.total_seconds()) + 1,
            f"每日最多写{MOST_A_DAY}条,请明天再写。 At most {MOST_A_DAY} messages a day; write tomorrow.",
        )


def _answer_rule(desk: Casework, dossier: Dossier) -> str | None:
    """The rule of an answer; in an office whose rules know none, that of standing in this state."""
    if f"stall.{UNANSWERED}" in desk.catalog.rulebook.rules:
        return f"stall.{UNANSWERED}"
    return dossier.workflow.states[dossier.state].idle
