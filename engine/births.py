"""How an item begins: checked, housed, numbered, its first clocks running.

The number is drawn at random, not counted: a count would betray items the reader may not know of.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine import effects
from engine.database import execute
from engine.dossier import READ, Attempt, Dossier, HeldDuty
from engine.errors import GuardRefused, Invalid, NotPermitted
from engine.fills.filling import Filling, filled
from engine.forms import Accepted, accept, refuse_identities
from engine.journal import birth_digest
from engine.marks import bare
from engine.notation import MONTH, OWN_FAMILY, PROTECTIONS, UNIT
from engine.people import SYS, Actor, Office
from engine.record import add_duties, due_at, end_duties, record
from engine.walls import principal_of, stand_for
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.definition import Transition, Workflow
    from engine.desk import Desk, House
    from engine.entries import Entries
    from engine.keys import Keyring
    from engine.machine import Bound

_CHINESE = re.compile("[\u3007\u3400-\u9fff\U00020000-\U0003ffff]")
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
TAKEN = "SELECT 1 FROM item WHERE workflow = %s AND outside_key = ANY(%s) LIMIT 1"
DUTIES = """
SELECT family_id, item_id, person_id, role, duty, assigned, ended_at IS NULL AS active
FROM item_duty WHERE family_id = ANY(%s) ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Birth:
    """An item about to begin.

    `received_at` is when the matter reached the office (default: now). The law counts from receipt,
    so the clocks start then; with `from_receipt` off (practice, old data) they start now.
    """

    data: Mapping[str, Any]
    channel: str = "staff"
    outside_key: str | None = None
    code_hash: Callable[[str], str] | None = (
        None  # of the petitioner's code, for the number drawn; made once all is accepted
    )
    parent: Dossier | None = None
    mandatory: bool = False
    duties: Sequence[HeldDuty] = ()  # what the family it joins bears already
    barred: Sequence[int] = ()  # people who stay out of it from the first
    hidden_with_parent: bool = False  # as sealed as its parent, and from the same unit's people
    acting_as: str | None = None  # where a verb lets somebody begin what no role may begin
    received_at: datetime | None = None
    from_receipt: bool = True


@dataclass(frozen=True, slots=True)
class Born:
    """An item that began."""

    id: int
    number: str
    state: str
    at: datetime  # of the first event
    hash: bytes  # of the first event: what the petitioner's receipt names


def begin(
    desk: Desk,
    session: Session,
    entries: Entries,
    bound: Bound,
    house: House,
    actor: Actor,
    birth: Birth,
    ids: tuple[int, int | None],
) -> tuple[Dossier, Accepted]:
    """Prepare the rows of one new item; raises without having added any.

    `ids` are its own and its family's (None: its own).
    """
    workflow = bound.workflow
    variant = workflow.transitions["submit"][0]
    item_id, family = ids
    role = birth.acting_as or _submitting_role(house.office, actor, variant)
    received_at = birth.received_at or house.now
    derived = _derived(bound, birth, received_at)
    data = {**{name: v for name, v in birth.data.items() if name not in derived}}
    if fill := bound.fill_of(variant):
        given = accept(workflow, variant, data, derived, house.office, demand=False)
        beginning = Filling(
            session, bound, house.office, house.calendar, house.now, actor, derived, given.all
        )
        data = filled(fill, beginning, data)
    accepted = accept(workflow, variant, data, derived, house.office, demand=actor is not SYS)
    accepted.plain |= derived
    subject = accepted.plain.get(workflow.subject or "")
    unit = _home(house.office, bound, actor, accepted.plain, subject, birth.parent)
    subject_unit = house.office.unit_named(subject) if isinstance(subject, str) else None
    number = (
        f"{workflow.number}{house.now.astimezone(SHANGHAI).year}-{secrets.randbelow(10**10):010d}"
    )
    row: dict[str, Any] = {
        "id": item_id,
        "number": number,
        "state": workflow.initial,
        "revision": 0,
        "seq": 0,
        "head": b"",
        "unit_id": unit,
        "subject_unit_id": subject_unit.id if subject_unit else None,
        "family_id": family or item_id,
        "parent_id": birth.parent.id if birth.parent else None,
        "mandatory": birth.mandatory,
        "sealed": workflow.sealed,
        "channel": birth.channel,
        "outside_key": birth.outside_key,
        "received_at": received_at,
        "entered_at": house.now,
        "closed_at": None,
        "rung": 0,
        "code_hash": birth.code_hash(number) if birth.code_hash else None,
        "data": accepted.plain,
        "clocks": [],
        "duties": [],
    }
    if birth.hidden_with_parent and birth.parent is not None:
        row["sealed"] = birth.parent.sealed
        row["subject_unit_id"] = birth.parent.subject_unit_id
    dossier = Dossier(session, row, bound, house.office, house.calendar, house.now, desk.keyring)
    refuse_identities(workflow, accepted, dossier.protection)
    dossier.duties = [*birth.duties]
    attempt = Attempt(dossier, actor, role, accepted.all, accepted.people)
    for text, sentence in bound.objections(variant, attempt).items():
        raise GuardRefused(sentence, guard=text)
    row["outside_key"] = (
        birth.outside_key
        or month_key(workflow, accepted.plain)
        or once(desk.keyring, session, workflow, accepted)
    )
    row["head"] = dossier.head = birth_digest(row)
    end_duties(dossier, variant, accepted)
    record(entries, dossier, "submit", actor, role, accepted.plain, accepted, "")
    dossier.revision = 1
    kept_out = [effects.barring(dossier, person) for person in birth.barred]
    own = effects.duties_of(dossier, variant, actor, role, accepted)
    add_duties(entries, dossier, [*kept_out, *own])
    turn = desk.clockwork(bound, house.calendar).turn(
        [],
        "submit",
        dossier.state,
        received_at if birth.from_receipt else house.now,
        returns=False,
        received_at=received_at,
        data=accepted.plain,
    )
    dossier.clocks = turn.started
    entries.start(item_id, turn.started)
    state = workflow.states[dossier.state]
    entries.add(
        "births",
        **{
            name: row[name]
            for name in ("id", "number", "unit_id", "subject_unit_id", "family_id", "parent_id")
        },
        workflow=workflow.workflow,
        version=workflow.version,
        state=dossier.state,
        head=dossier.head.hex(),
        mandatory=birth.mandatory,
        settled=state.settled or state.final,
        sealed=dossier.sealed,
        channel=birth.channel,
        received_at=received_at,
        entered_at=house.now,
        due_at=due_at(dossier.clocks),
        closed_at=house.now if state.final else None,
        code_hash=row["code_hash"],
        outside_key=row["outside_key"],
    )
    entries.add("facts", id=item_id, data=accepted.plain)
    effects.write_effects(entries, dossier, variant, accepted, desk.catalog.letters, desk.way)
    return dossier, accepted


def once(
    keyring: Keyring | None, session: Session, workflow: Workflow, accepted: Accepted
) -> str | None:
    """The key of an item of which there may be one for each value of a field, None for others.

    A keyed hash: the value may say who somebody is. An item set `apart` (a rating nobody gave) has a
    key of its own, so that it never keeps the real one out; but it comes too late after that one.
    Raises GuardRefused where the value was used before.
    """
    value = accepted.all.get(workflow.once.field) if workflow.once else None
    if workflow.once is None or value is None or keyring is None:
        return None
    plain = _reference(str(value), workflow.once.field)
    key, own = (
        f"once {keyring.mark(f'once {workflow.workflow}{apart}', plain).hex()}"
        for apart in ("", " apart")
    )
    is_apart = accepted.all.get(workflow.once.apart or "") is True
    execute(session, ONE_AT_A_TIME, (key,))
    taken = [key, own] if is_apart else [key]
    if execute(session, TAKEN, (workflow.workflow, taken)).fetchone():
        title = workflow.fields[workflow.once.field]
        raise GuardRefused(
            f"“{title.title}”相同的事项已经收到,每件只收一次;不是您本人提交的,请另行投诉。"
            f"One with the same {title.title_en} was received, and each is taken once; "
            "if it was not you, bring a complaint.",
            guard="once",
        )
    return own if is_apart else key


def _reference(value: str, field: str) -> str:
    """What of a reference tells it from another: its Chinese and Latin letters and its digits. Raises
    Invalid for letters of other scripts, which look like these and are not.
    """
    kept = "".join(
        char for char in bare(value) if unicodedata.category(char) in {"Ll", "Lo", "Nd", "Nl", "No"}
    )
    if kept and all(char.isascii() or _CHINESE.match(char) for char in kept):
        return kept
    raise Invalid(
        [
            (
                f"/data/{field}",
                "编号请用汉字、拉丁字母和数字书写。Write the number with Chinese or Latin letters and digits.",
            )
        ]
    )


def opening_key(unit: object, month: object) -> str:
    """The key of what begins once for a unit and month."""
    return f"opens {unit} {month}"


def month_key(workflow: Workflow, data: Mapping[str, Any]) -> str | None:
    """The same key where people begin it by hand, so that the schema lets one of the two begin."""
    if workflow.opens is None or "one_a_month" not in workflow.transitions["submit"][0].guards:
        return None
    return opening_key(data.get(UNIT), data.get(MONTH))


def families_of(
    desk: Desk, session: Session, bound: Bound, actor: Actor, births: Sequence[Birth]
) -> list[int | None]:
    """The family each birth joins: the one of the case it names, or its parent's.

    A case the actor may not know of is as one this office never had: naming it must neither join its
    family nor fail, or a number tried would tell whether it exists.
    """
    name = bound.workflow.family
    if name == OWN_FAMILY:
        return [None] * len(births)
    if name is None:
        return [birth.parent.family_id if birth.parent else None for birth in births]
    numbers = [str(birth.data.get(name, "")) for birth in births]
    if actor.id is not None:
        stand_for(session, principal_of(actor))
    rows = execute(session, f"{READ} WHERE i.number = ANY(%s)", (numbers,)).fetchall()
    cases = (desk.dossier(session, row, None) for row in rows)
    found = {case.number: case.family_id for case in cases if desk.sees(case, actor)}
    return [
        found.get(number) if number or birth.parent is None else birth.parent.family_id
        for number, birth in zip(numbers, births, strict=True)
    ]


def family_duties(session: Session, families: Sequence[int | None]) -> dict[int, list[HeldDuty]]:
    """Who bears what in these families: whoever is accused there hears nothing of a new item."""
    wanted = sorted({family for family in families if family is not None})
    found: dict[int, list[HeldDuty]] = {family: [] for family in wanted}
    if wanted:
        for row in execute(session, DUTIES, (wanted,)):
            found[row.pop("family_id")].append(HeldDuty(**row))
    return found


def _home(
    office: Office,
    bound: Bound,
    actor: Actor,
    data: Mapping[str, Any],
    subject: object,
    parent: Dossier | None,
) -> int:
    """The unit an item belongs to."""
    home = bound.workflow.home
    named = data.get(home.field or "") or data.get(home.or_field or "")
    code = named if isinstance(named, str) else home.unit
    subject_unit = office.unit_named(subject) if isinstance(subject, str) else None
    if subject_unit is not None and subject_unit.code in home.unless_subject:
        code = home.instead
    unit = office.unit_named(code) if code else None
    if unit is not None:
        return unit.id
    if parent is not None:
        return parent.unit_id
    return actor.person.unit_id if actor.person else office.root


def _submitting_role(office: Office, actor: Actor, variant: Transition) -> str:
    if actor.id is None:
        if actor.kind in variant.by:
            return actor.kind
    else:
        held = {role for role, _ in office.roles(actor.id)}
        for role in variant.by:
            if role in held:
                return role
    raise NotPermitted(
        "您无权登记此类事项。You may not begin items of this kind.", roles=list(variant.by)
    )


def _derived(bound: Bound, birth: Birth, received_at: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, spec in bound.workflow.fields.items():
        if spec.derived == "channel":
            found[name] = birth.channel
        elif spec.derived == "received_at":
            found[name] = received_at.isoformat()
        elif spec.derived == "identity":
            contact = birth.data.get("contact")
            named = isinstance(contact, Mapping) and bool(contact.get("name"))
            found[name] = "named" if named else "anonymous"
        elif spec.derived == "protection":
            found[name] = _protection(bound, birth, name)
    return found


def _protection(bound: Bound, birth: Birth, field: str) -> str:
    """The strongest of what the file says, what the parent has, and what was asked for."""
    asked = birth.data.get(field)
    if asked is not None and asked not in PROTECTIONS:
        raise Invalid(
            [(f"/data/{field}", f"应从下列各项中选择 (choose from): {', '.join(PROTECTIONS)}")]
        )
    ways = [bound.workflow.protection, birth.parent.protection if birth.parent else None, asked]
    return max((way for way in ways if way), key=PROTECTIONS.index)


def listed(bound: Bound, record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's columns as the child's fields; in a column of text, lists are written with commas."""
    return {
        name: literal(bound, name, value) if isinstance(value, str) else value
        for name, value in record.items()
        if value
    }


def literal(bound: Bound, name: str, value: str) -> Any:
    """A literal of a file as the value its field wants."""
    kind = bound.workflow.fields[name].type
    if kind in {"people", "choices", "texts", "units"}:
        return [part.strip() for part in value.replace(",", ",").split(",") if part.strip()]
    if kind == "boolean":
        return value == "true"
    return int(value) if kind == "number" else value
