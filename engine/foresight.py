"""What would become of open items if something happened to their people: looked at, never done.

Only items the asker may know of are told. One reading serves a thousand items; items that stand
alike are judged once.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.dossier import READ_MANY, PastAct
from engine.errors import Invalid
from engine.notation import ENGINE_ACTS
from engine.sight import sight
from engine.walls import as_engine
from engine.workability import Change, Gap, gap, gone, imagine
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from engine.desk import Desk, House
    from engine.dossier import Dossier
    from engine.people import Actor, Office

BATCH = 1000
OPEN = "SELECT i.id FROM item i WHERE i.closed_at IS NULL AND i.id > %(after)s AND {visible}"
EVERY = "SELECT id FROM item WHERE closed_at IS NULL AND id > %s ORDER BY id LIMIT %s"
KIN = "SELECT id FROM item WHERE family_id = %s AND closed_at IS NULL ORDER BY id"
LAST_ACTS = """
SELECT e.* FROM unnest(%s::bigint[]) AS i(id) CROSS JOIN LATERAL (
  SELECT item_id, seq, act, actor_id, role, from_state, to_state, at FROM event
  WHERE item_id = i.id AND actor_id IS NOT NULL AND act <> ALL(%s)
  ORDER BY seq DESC LIMIT 1) e
"""
"""Who asked last: of an item's past, all that a guard about people looks at."""

Told = list[dict[str, Any]]


def foresee_item(
    session: Session,
    desk: Desk,
    number: str,
    actor: Actor,
    *,
    barred: Sequence[str] = (),
    left: Sequence[str] = (),
) -> Told:
    """The open items of a family that would lack lawful people, were these accounts barred from it
    or gone. Raises NotFound, Invalid.
    """
    dossier = desk.look(session, number, actor)
    office = dossier.office
    change = Change(
        barred=frozenset(_person(office, account, "accused") for account in barred),
        away=gone(_person(office, account, "gone") for account in left),
    )
    ids = [row["id"] for row in execute(session, KIN, (dossier.family_id,))]
    kin = (each for each in _read(session, desk, ids) if desk.sees(each, actor))
    return _judge(kin, change, [None])


def foresee_absence(
    session: Session,
    desk: Desk,
    actor: Actor,
    account: str,
    first: date | None = None,
    last: date | None = None,
    substitute: str | None = None,
) -> Told:
    """The open items that would lack lawful people, were somebody away from one day to another, or
    for good where no days are given. Raises Invalid.
    """
    house = desk.house(session)
    person = _person(house.office, account, "leave")
    change, days = _absence(house, person, (first, last), substitute)
    told: Told = []
    after = 0
    visible = sight(desk, house, actor)
    statement = f"{OPEN.format(visible=visible.visible())} ORDER BY i.id LIMIT {BATCH}"
    while True:
        values = {**visible.values, "after": after}
        ids = [row["id"] for row in execute(session, statement, values, prepare=False)]
        if ids:
            concerned = (d for d in _read(session, desk, ids) if _depends(d, person, house.office))
            told += _judge(concerned, change, days)
        if len(ids) < BATCH:
            return told
        after = ids[-1]


def absence_in_words(
    session: Session,
    desk: Desk,
    actor: Actor,
    account: str,
    first: date | None = None,
    last: date | None = None,
    substitute: str | None = None,
) -> list[str]:
    """What an absence would leave undone, for somebody who keeps the office and sees no items: how
    many, and the way out of the first. Sealed items and those that bar the asker are not counted.

    Of somebody who leaves for good (no days are given) only what nobody could take over is told.
    """
    with as_engine(session):
        house = desk.house(session)
        person = _person(house.office, account, "leave")
        change, days = _absence(house, person, (first, last), substitute)
        told = _every(session, desk, actor, person, change, days)
    return _in_words(told, KINDS[:1] if last is None and first is None else KINDS)


def revocation_in_words(
    session: Session, desk: Desk, actor: Actor, account: str, role: str, unit: str
) -> list[str]:
    """What the loss of a role would leave undone, likewise."""
    with as_engine(session):
        house = desk.house(session)
        person = _person(house.office, account, "account")
        scope = house.office.unit_named(unit)
        if scope is None:
            return []
        change = Change(revoked=frozenset({(person, role, scope.id)}))
        told = _every(session, desk, actor, person, change, [None])
    return _in_words(told, KINDS)


KINDS = (
    ("nobody", "无人可依法办理", "would have nobody who may go on with them"),
    ("reassign", "须改派", "would need other people"),
)


def _in_words(told: Told, kinds: Sequence[tuple[str, str, str]]) -> list[str]:
    said = []
    for kind, words, words_en in kinds:
        if found := [line for line in told if line["kind"] == kind]:
            remedy = found[0]["remedy"]
            way = remedy["detail"] if remedy else ""
            said.append(
                f"{len(found)}件在办事项将{words}。{len(found)} open items {words_en}. {way}"
            )
    return said


def _every(
    session: Session,
    desk: Desk,
    actor: Actor,
    person: int,
    change: Change,
    days: Sequence[date | None],
) -> Told:
    """The same for all open items but the sealed ones and those that bar the asker."""
    told: Told = []
    after = 0
    while True:
        ids = [row["id"] for row in execute(session, EVERY, (after, BATCH))]
        if ids:
            open_ones = (
                d
                for d in _read(session, desk, ids)
                if not d.sealed and not d.shut_out(actor.id or 0)
            )
            told += _judge((d for d in open_ones if _depends(d, person, d.office)), change, days)
        if len(ids) < BATCH:
            return told
        after = ids[-1]


def _absence(
    house: House, person: int, span: tuple[date | None, date | None], substitute: str | None
) -> tuple[Change, list[date | None]]:
    """An absence as a change, and the days to look at. Raises Invalid."""
    first, last = span
    if first is not None and last is not None and last < first:
        raise Invalid([("/last", "不能早于第一天。Must not lie before the first day.")])
    stands_in = _person(house.office, substitute, "substitute") if substitute else None
    begins = first or house.now.astimezone(SHANGHAI).date()
    ends = last or (first or date.max)
    change = Change(away=((person, begins, ends, stands_in),))
    return change, _days(house.office, person, begins, ends)


def _person(office: Office, account: str, where: str) -> int:
    person = office.person_named(account)
    if person is None:
        raise Invalid([(f"/{where}", "没有这个账号,请核对。No such account; check the spelling.")])
    return person.id


def _read(session: Session, desk: Desk, ids: Sequence[int]) -> list[Dossier]:
    """Items with as much of their past as a judgement needs."""
    rows = execute(session, READ_MANY, (list(ids),)).fetchall()
    dossiers = [desk.dossier(session, row, None) for row in rows]
    asked: dict[int, list[PastAct]] = {each.id: [] for each in dossiers}
    for row in execute(session, LAST_ACTS, (list(ids), sorted(ENGINE_ACTS))):
        asked[row.pop("item_id")].append(PastAct(**row))
    for dossier in dossiers:
        dossier.__dict__["history"] = asked[dossier.id]
    return dossiers


def _depends(dossier: Dossier, person: int, office: Office) -> bool:
    """Whether an item can miss somebody at all: they are assigned, or hold a role whose turn it is."""
    if person in dossier.assigned():
        return True
    turn = dossier.workflow.holders(dossier.state)
    return any(office.holds(person, role, dossier.unit_id) for role in turn)


def _days(office: Office, person: int, first: date, last: date) -> list[date | None]:
    """The days to look at: the first, and each on which somebody else's leave begins or has ended."""
    turns = {first}
    for other, begins, ends, _ in office.leave:
        if other != person:
            turns |= {day for day in (begins, ends + timedelta(days=1)) if first < day <= last}
    return [*sorted(turns)]


def _judge(dossiers: Iterable[Dossier], change: Change, days: Sequence[date | None]) -> Told:
    """What a change would do to items; of what is lacking already nothing is said."""
    told: Told = []
    offices: dict[int, Office] = {}
    judged: dict[Any, Gap | None] = {}
    for dossier in dossiers:
        office = offices.setdefault(dossier.office.revision, change.of(dossier.office))
        key = _likeness(dossier)
        if key not in judged:
            judged[key] = _worst(dossier, change, office, days)
        found = judged[key]
        if found is not None:
            told.append(_line(dossier, found))
    return sorted(told, key=lambda line: line["kind"])


def _worst(
    dossier: Dossier, change: Change, office: Office, days: Sequence[date | None]
) -> Gap | None:
    before = gap(dossier)
    worst: Gap | None = None
    for day in days:
        found = gap(imagine(dossier, change, office, day), change)
        if found is not None and (
            worst is None or (worst.kind, found.kind) == ("reassign", "nobody")
        ):
            worst = found
    return None if worst is None or (before is not None and before.kind == worst.kind) else worst


def _likeness(dossier: Dossier) -> tuple[object, ...]:
    """What a judgement rests on: items equal in it are judged alike."""
    workflow = dossier.workflow
    duties = frozenset(
        (d.person_id, d.role, d.duty, d.assigned, d.active, d.item_id == dossier.id)
        for d in dossier.duties
    )
    asked = dossier.history[-1].actor_id if dossier.history else None
    return (
        *(workflow.workflow, workflow.version, dossier.state, dossier.unit_id),
        *(dossier.subject_unit_id, dossier.sealed, duties, asked),
        str(dossier.data.get("officers")) if "officers" in workflow.fields else "",
    )


def _line(dossier: Dossier, found: Gap) -> dict[str, Any]:
    remedy = found.remedy
    return {
        "number": dossier.number,
        "workflow": dossier.workflow.workflow,
        "state": dossier.state,
        "kind": found.kind,
        "roles": list(found.roles),
        "detail": found.sentence,
        "remedy": None
        if remedy is None
        else {
            "kind": remedy.kind,
            "people": list(remedy.people),
            "role": remedy.role,
            "detail": remedy.sentence,
        },
    }
