"""The worklist: what a person may see, next due first.

Plain SQL, visibility inside it, keyset pages only; what is chosen is read behind the wall. The worklist is built as a UNION ALL of index
scans, one for each scope and unit, because an OR over scopes leaves the planner no ordered index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.paging import Page, Search, last_moment, last_text, unknown
from engine.sight import NOT_HIDDEN, sight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.desk import House
    from engine.paging import Key
    from engine.people import Actor


@dataclass(frozen=True)
class Filters:
    """What a worklist is narrowed to; `number` is the beginning of one."""

    workflow: str | None = None
    state: str | None = None
    unit: str | None = None
    assignee: str | None = None
    stalled: bool | None = None
    due_before: datetime | None = None
    number: str | None = None


ROWS = """
SELECT i.id, i.number, i.workflow, i.version, i.state, i.revision, i.unit_id, i.channel,
  i.received_at, i.entered_at, nullif(i.due_at, 'infinity') AS due_at, i.rung, i.closed_at,
  i.due_at::text AS due_text, i.closed_at::text AS closed_text,
  ARRAY(SELECT h.person_id FROM item_duty h WHERE h.item_id = i.id AND h.assigned
    AND h.ended_at IS NULL ORDER BY h.id) AS holders
FROM item i WHERE i.id = ANY(%s) ORDER BY {order}
"""


def worklist(
    session: Session,
    desk: Casework,
    actor: Actor,
    filters: Filters,
    *,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """What the actor may see, next due first: open items, unless a final state is asked for (then
    the last closed first) or a number is searched (then by number, open and closed).

    Raises Invalid for a unit, account, workflow or state that does not exist.
    """
    house = desk.house(session)
    look = sight(desk, house, actor)
    search = Search(look, limit)
    final, workflows = _narrow(search, desk, house, filters)
    if filters.number is not None:
        order, key = "i.number", ["number"]
        chosen = _by_number(search, filters.number, after)
    elif final:
        order, key = "i.closed_at DESC, i.id DESC", ["closed_text", "id"]
        chosen = _closed(search, after)
    else:
        order, key = "i.due_at, i.id", ["due_text", "id"]
        chosen = _open(search, filters, workflows, after)
    ids = search.choose(session, chosen)
    rows = execute(session, ROWS.format(order=order), (ids,)).fetchall()
    return search.page(rows, key, lambda row: _entry(desk, house, row))


def _narrow(
    search: Search, desk: Casework, house: House, filters: Filters
) -> tuple[bool, frozenset[str]]:
    """Put the filters into conditions; returns whether closed items are asked for, and the
    workflows that can have any.
    """
    workflows = [b.workflow for b in desk.catalog.bound.values()]
    if filters.workflow is not None:
        workflows = [w for w in workflows if w.workflow == filters.workflow]
        if not workflows:
            raise unknown("workflow", "没有这个流程。There is no such workflow.")
        search.demand("i.workflow = %(workflow)s", workflow=filters.workflow)
    final = False
    if filters.state is not None:
        workflows = [w for w in workflows if filters.state in w.states]
        if not workflows:
            raise unknown("state", "没有这个环节。There is no such state.")
        final = all(w.states[filters.state].final for w in workflows)
        search.demand("i.state = %(state)s", state=filters.state)
    search.narrow_to(house, filters.unit)
    if filters.assignee is not None:
        person = house.office.person_named(filters.assignee)
        if person is None:
            raise unknown("assignee", "没有这个账号。There is no such account.")
        search.values["holder"] = person.id
    if filters.stalled is not None:
        search.demand("i.rung > 0" if filters.stalled else "i.rung = 0")
    if filters.due_before is not None:
        search.demand("i.due_at <= %(before)s", before=filters.due_before)
    return final, frozenset(w.workflow for w in workflows)


HELD = """i.id IN (SELECT a.item_id FROM item_duty a WHERE a.person_id = %(holder)s
  AND a.assigned AND a.ended_at IS NULL)"""


def _by_number(search: Search, number: str, after: Key | None) -> str:
    search.in_units()
    if "holder" in search.values:
        search.demand(HELD)
    # a range, because LIKE uses an index only under the C collation
    search.demand("i.number >= %(from)s AND i.number < %(to)s", to=number + "\U0010ffff")
    search.demand("starts_with(i.number, %(prefix)s)", prefix=number)
    search.values["from"] = number
    if after is not None:
        search.demand("i.number > %(last)s", last=last_text(after))
    return (
        f"SELECT i.id FROM item i WHERE {search.where(search.look.visible())}"  # noqa: S608 - constants
        " ORDER BY i.number LIMIT %(n)s"
    )


def _closed(search: Search, after: Key | None) -> str:
    search.in_units()
    if "holder" in search.values:
        search.demand(HELD)
    if after is not None:
        moment, last = last_moment(after)
        search.demand("(i.closed_at, i.id) < (%(moment)s::timestamptz, %(last)s)")
        search.values |= {"moment": moment, "last": last}
    return (
        "SELECT i.id FROM item i WHERE i.closed_at IS NOT NULL AND"  # noqa: S608 - constants
        f" {search.where(search.look.visible())} ORDER BY i.closed_at DESC, i.id DESC LIMIT %(n)s"
    )


OPEN = "i.closed_at IS NULL"
STALLED = """i.id IN (SELECT c.item_id FROM deadline c
  WHERE c.stopped_at IS NULL AND c.rung >= 1)"""
PICK = "SELECT i.due_at, i.id FROM item i WHERE {where} ORDER BY i.due_at, i.id LIMIT %(n)s"


def _open(search: Search, filters: Filters, workflows: frozenset[str], after: Key | None) -> str:
    if after is not None:
        moment, last = last_moment(after)
        search.demand("(i.due_at, i.id) > (%(moment)s::timestamptz, %(last)s)")
        search.values |= {"moment": moment, "last": last}
    look = search.look
    if filters.assignee is not None:
        search.in_units()
        branches = [PICK.format(where=search.where(OPEN, HELD, look.visible()))]
    elif filters.stalled:
        search.in_units()
        branches = [PICK.format(where=search.where(OPEN, STALLED, look.visible()))]
    else:
        search.values["covered"] = list(look.covered)
        branches = [
            _scope(search, filters, at)
            for at, scope in enumerate(look.scopes)
            if workflows.intersection(scope.workflows)
        ]
        search.in_units()
        if not branches:
            return PICK.format(where=search.where(OPEN, OWN_DUTY, NOT_HIDDEN))
        own = PICK.format(where=search.where(OPEN, OWN_DUTY, UP_TO_THE_LAST, NOT_HIDDEN))
        scoped = _union(branches)
        return f"WITH scoped AS MATERIALIZED ({scoped}) {_union(['TABLE scoped', own])}"
    return _union(branches)


OWN_DUTY = """i.id IN (SELECT d.item_id FROM item_duty d WHERE d.person_id = ANY(%(mine)s::int[])
  AND d.ended_at IS NULL AND d.role <> d.duty AND d.role <> ALL(%(covered)s)
  AND (d.assigned OR d.person_id = %(me)s))"""
UP_TO_THE_LAST = """(i.due_at, i.id) <= (
  coalesce((SELECT s.due_at FROM scoped s OFFSET %(n)s - 1), 'infinity'),
  coalesce((SELECT s.id FROM scoped s OFFSET %(n)s - 1), 9223372036854775807))"""
"""Where the page that the scopes fill ends. Nobody's own duties are read beyond it: a head of unit
has a hundred thousand of them, nearly all on items the scopes show anyway.
"""


def _union(branches: Sequence[str]) -> str:
    union = " UNION ALL ".join(f"({branch})" for branch in branches)
    return f"SELECT DISTINCT due_at, id FROM ({union}) AS found ORDER BY due_at, id LIMIT %(n)s"  # noqa: S608


def _scope(search: Search, filters: Filters, at: int) -> str:
    """One scope: the whole house by `item_due`, else each unit by an index of its own."""
    look = search.look
    units = look.scopes[at].units & set(search.units or look.everywhere)
    common = (OPEN, look.within(at, units=False), NOT_HIDDEN)
    if units == look.everywhere and filters.state is None:
        return PICK.format(where=search.where(*common))
    search.values[f"s{at}"] = sorted(units)
    where = search.where("i.unit_id = e.unit", *common)
    return _each(f"unnest(%(s{at})s::int[]) AS e(unit)", where)


def _each(source: str, where: str) -> str:
    return f"SELECT x.due_at, x.id FROM {source} CROSS JOIN LATERAL ({PICK.format(where=where)}) x"  # noqa: S608


def _entry(desk: Casework, house: House, row: Mapping[str, Any]) -> dict[str, Any]:
    office = house.office
    workflow = desk.catalog.of(row["workflow"], row["version"]).workflow
    state = workflow.states[row["state"]]
    return {
        "number": row["number"],
        "workflow": row["workflow"],
        "version": row["version"],
        "title": workflow.title,
        "title_en": workflow.title_en,
        "state": row["state"],
        "state_title": state.title,
        "state_title_en": state.title_en,
        "revision": row["revision"],
        "unit": office.units[row["unit_id"]].code,
        "channel": row["channel"],
        "received_at": row["received_at"],
        "entered_at": row["entered_at"],
        "due_at": row["due_at"],
        "rung": row["rung"],
        "stalled": row["rung"] > 0,
        "closed_at": row["closed_at"],
        "assignees": [office.people[person].account for person in row["holders"]],
    }
