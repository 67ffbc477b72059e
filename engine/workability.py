"""Whether an open item can still be worked by lawful people, and the smallest change that helps.

It looks at one item and an office, the one there is or the one a change would make of it (somebody
away, gone, barred, without a role), and moves nothing. What it finds is a warning before the act;
an act that would leave nobody, inside or outside, is refused by `engine.bars`.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Literal

from engine.desk import REQUESTS
from engine.dossier import Attempt, HeldDuty
from engine.effects import ACCUSED, BARRING, SUBJECT
from engine.guards import FEWEST_HANDLERS, GUARDS
from engine.notation import BUILT_IN_ROLES
from engine.people import Actor
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from engine.definition import Transition
    from engine.dossier import Dossier
    from engine.people import Office

LASTING = frozenset({"work", "approve", "revisit"})
"""Duties of one family that nobody ever bears two of."""
OUTSIDE = ("discipline", "supervisor_ext")
"""Who stands outside the bureau and takes what nobody here may touch."""
ABOUT_PEOPLE = frozenset(
    {"not_subject", "not_subject_unit", "not_case_handler", "approver_not_requester", "not_named"}
)
"""Guards that a different person may satisfy."""


@dataclass(frozen=True)
class Change:
    """What might happen: people barred from the family, away (in the form of `Office.leave`), or
    with other roles, each (person, role, unit).
    """

    barred: frozenset[int] = frozenset()
    away: tuple[tuple[int, date, date, int | None], ...] = ()
    revoked: frozenset[tuple[int, str, int]] = frozenset()
    given: frozenset[tuple[int, str, int]] = frozenset()

    def of(self, office: Office) -> Office:
        """The office it would make."""
        if not (self.away or self.revoked or self.given):
            return office
        held = {
            role: [each for each in members if (each[0], role, each[1]) not in self.revoked]
            for role, members in office.members.items()
        }
        for person, role, unit in sorted(self.given):
            held.setdefault(role, []).append((person, unit))
        members = {role: tuple(people) for role, people in held.items()}
        return replace(office, members=members, leave=(*self.away, *office.leave))


def gone(people: Iterable[int]) -> tuple[tuple[int, date, date, int | None], ...]:
    """Absence without end and without a substitute: as `Change.away` says that somebody leaves."""
    return tuple((person, date.min, date.max, None) for person in people)


@dataclass(frozen=True)
class Remedy:
    """The smallest change that lets an item be worked: `kind` says what it takes, from nothing but
    an act to a change of the office; `people` are accounts.
    """

    kind: Literal["reassign", "substitute", "role", "outside"]
    people: tuple[str, ...]
    role: str
    sentence: str


@dataclass(frozen=True)
class Gap:
    """What a change would do to an item: its holders must be replaced, or nobody could move it."""

    kind: Literal["reassign", "nobody"]
    roles: tuple[str, ...]
    sentence: str
    remedy: Remedy | None


def imagine(
    dossier: Dossier, change: Change, office: Office | None = None, on: date | None = None
) -> Dossier:
    """The item as it would stand after a change, on a day; `office` is `change.of` its own, for
    whoever asks about many items.
    """
    other = copy(dossier)
    other.office = office or change.of(dossier.office)
    if on is not None:
        other.now = datetime.combine(on, time(12), SHANGHAI)
    if change.barred:
        other.duties = [
            replace(d, active=False)
            if d.person_id in change.barred and d.duty not in BARRING
            else d
            for d in dossier.duties
        ]
        other.duties += [
            HeldDuty(dossier.id, person, SUBJECT, ACCUSED, assigned=False, active=True)
            for person in change.barred
        ]
    return other


def lack(dossier: Dossier) -> Literal["reassign", "nobody"] | None:
    """Whether lawful people can move an item on: None they can, `reassign` once somebody who is
    there names others for its holders, `nobody` not even so.
    """
    workflow = dossier.workflow
    state = workflow.states[dossier.state]
    turn = workflow.holders(dossier.state)
    if state.final or state.waits_on or not turn:
        return None  # ended, or it waits for a child, the public or time
    if any(_can(dossier, variant) for variant in workflow.onward(dossier.state)):
        return "reassign" if _alone(dossier, turn) else None
    return "reassign" if _successors(dossier, turn) else "nobody"


def gap(dossier: Dossier, change: Change = Change()) -> Gap | None:
    """What stands between an item and lawful people, with the cheapest way out; None where nothing
    does. `dossier` already stands after the change, which is told so that a substitute can be sought.
    """
    kind = lack(dossier)
    if kind is None:
        return None
    turn = dossier.workflow.holders(dossier.state)
    roles = dossier.workflow.roles
    who, who_en = (
        "、".join(roles[r].title for r in turn),
        ", ".join(roles[r].title_en for r in turn),
    )
    remedy = _remedy(dossier, change)
    if kind == "reassign":
        sentence = f"须改派{who}。Other people must be assigned as {who_en}."
    else:
        sentence = f"“{who}”将无人可依法办理。Nobody could lawfully act as {who_en}."
    return Gap(kind, tuple(turn), sentence, remedy)


def outside(dossier: Dossier) -> list[int]:
    """The people outside the bureau who may be told of an item."""
    for role in OUTSIDE:
        members = (person for person, _ in dossier.office.members.get(role, ()))
        if found := dossier.office.there(members, dossier.today, dossier.excluded):
            return found
    return []


def assigners(dossier: Dossier, role: str) -> list[Transition]:
    """The transitions by which people become an item's holders in a role."""
    return [
        variant
        for _, variant in dossier.workflow.moves()
        for effect in variant.effects
        if effect.assign and effect.assign.role == role
    ]


def _can(dossier: Dossier, variant: Transition) -> bool:
    """Whether somebody may make a transition, and there is whom it must name."""
    if not movers(dossier, variant):
        return False
    return all(
        len(_candidates(dossier, effect.assign.role, variant)) >= _fewest(variant)
        for effect in variant.effects
        if effect.assign and effect.assign.people in variant.requires
    )


def movers(dossier: Dossier, variant: Transition) -> list[int]:
    """Everybody present who may lawfully make a transition: by role, sight, duties and the guards
    that ask who acts.
    """
    found: list[int] = []
    for role in variant.by:
        if role not in BUILT_IN_ROLES:
            found += [p for p in _bearers(dossier, role) if _lawful(dossier, p, role, variant)]
    return list(dict.fromkeys(found))


def _bearers(dossier: Dossier, role: str) -> list[int]:
    office = dossier.office
    if assigned := dossier.assigned(role):
        return office.there(assigned, dossier.today, dossier.excluded)
    sealed = dossier.sealed and (dossier.workflow.sealed or dossier.workflow.workflow in REQUESTS)
    if sealed and role not in dossier.workflow.watchers(sealed=True):
        return []
    path = office.above(dossier.unit_id)
    members = (person for person, unit in office.members.get(role, ()) if unit in path)
    return office.there(members, dossier.today, dossier.excluded)


def _lawful(dossier: Dossier, person: int, role: str, variant: Transition) -> bool:
    spec = dossier.workflow.roles.get(role)
    if spec is not None and not _fits(dossier, person, spec.duty):
        return False
    attempt = Attempt(dossier, Actor("person", dossier.office.people[person]), role, {})
    return not any(
        GUARDS[name](attempt, argument)
        for name, _, argument in (text.partition(".") for text in variant.guards)
        if name in ABOUT_PEOPLE
    )


def _fits(dossier: Dossier, person: int, duty: str | None) -> bool:
    """Whether the exclusions of `item_duty` let somebody bear a duty of the family."""
    if duty is None:
        return True
    return not any(
        held.person_id == person
        and held.duty != duty
        and (held.active or {held.duty, duty} <= LASTING)
        for held in dossier.duties
    )


def _fewest(variant: Transition) -> int:
    return FEWEST_HANDLERS if "two_handlers" in variant.guards else 1


def _certified(dossier: Dossier, people: Iterable[int]) -> list[int]:
    entries = dossier.office.people
    return [
        person
        for person in people
        if (until := entries[person].certified_until) is not None and until >= dossier.today
    ]


def _candidates(dossier: Dossier, role: str, variant: Transition) -> list[int]:
    """Who may be named for a role, nearest to the item's unit first."""
    office = dossier.office
    duty = dossier.workflow.roles[role].duty or "work"
    members = sorted(
        {person for person, _ in office.members.get(role, ())}, key=_near(office, dossier.unit_id)
    )
    found = [
        person
        for person in office.there(members, dossier.today, dossier.excluded)
        if _fits(dossier, person, duty)
    ]
    return _certified(dossier, found) if "two_handlers" in variant.guards else found


def _near(office: Office, unit: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    path = office.above(unit)

    def far(person: int) -> tuple[int, int]:
        home = office.people[person].unit_id
        return (path.index(home) if home in path else len(path), person)

    return far


def _alone(dossier: Dossier, turn: Collection[str]) -> bool:
    """Whether fewer are left of an item's holders than were to be named."""
    for role in turn:
        named = {
            d.person_id
            for d in dossier.duties
            if d.item_id == dossier.id and d.assigned and d.role == role
        }
        for variant in assigners(dossier, role) if named else ():
            there = dossier.office.there(dossier.assigned(role), dossier.today, dossier.excluded)
            if len(_certified(dossier, there)) < _fewest(variant) and _fewest(variant) > 1:
                return True
    return False


def _successors(dossier: Dossier, turn: Collection[str]) -> tuple[int, str, list[int]] | None:
    """Who could name whom for a role whose turn it is and in which people were named before."""
    for role in turn:
        if not any(
            d.item_id == dossier.id and d.assigned and d.role == role for d in dossier.duties
        ):
            continue
        for variant in assigners(dossier, role):
            naming = movers(dossier, variant)
            fewest = _fewest(variant)
            staying = dossier.office.there(dossier.assigned(role), dossier.today, dossier.excluded)
            fresh = [p for p in _candidates(dossier, role, variant) if p not in staying]
            if naming and len(staying) + len(fresh) >= fewest:
                return naming[0], role, [*staying, *fresh][: max(fewest, 1)]
    return None


def _remedy(dossier: Dossier, change: Change) -> Remedy | None:
    turn = dossier.workflow.holders(dossier.state)
    return (
        _reassigning(dossier, turn)
        or _standing_in(dossier, change)
        or _giving(dossier, turn)
        or _handing_out(dossier)
    )


def _named(dossier: Dossier, people: Iterable[int]) -> tuple[str, ...]:
    return tuple(dossier.office.people[person].account for person in people)


def _reassigning(dossier: Dossier, turn: Collection[str]) -> Remedy | None:
    if (found := _successors(dossier, turn)) is None:
        return None
    by, role, people = found
    spec, accounts = dossier.workflow.roles[role], _named(dossier, people)
    (who,) = _named(dossier, [by])
    return Remedy(
        "reassign",
        accounts,
        role,
        f"可由{who}改派{spec.title}:{'、'.join(accounts)}。"
        f"{who} can assign as {spec.title_en}: {', '.join(accounts)}.",
    )


def _standing_in(dossier: Dossier, change: Change) -> Remedy | None:
    """A substitute for somebody who would be away."""
    absent = [entry for entry in change.away if entry[3] is None]
    for person, first, last, _ in absent:
        others = (entry for entry in dossier.office.leave if entry[:3] != (person, first, last))
        rest = tuple(others)
        for candidate in _everybody(dossier):
            if candidate == person:
                continue
            leave = ((person, first, last, candidate), *rest)
            other = copy(dossier)
            other.office = replace(dossier.office, leave=leave)
            if lack(other) is None:
                one, two = _named(dossier, [person, candidate])
                return Remedy(
                    "substitute",
                    (two,),
                    "",
                    f"可指定{two}为{one}的代理人。Name {two} as the substitute of {one}.",
                )
    return None


def _giving(dossier: Dossier, turn: Collection[str]) -> Remedy | None:
    """A role for somebody of the office, in the item's unit."""
    for role in turn:
        for candidate in _everybody(dossier):
            given = Change(given=frozenset({(candidate, role, dossier.unit_id)}))
            if lack(imagine(dossier, given)) is None:
                spec, (who,) = dossier.workflow.roles[role], _named(dossier, [candidate])
                unit = dossier.office.units[dossier.unit_id].name
                return Remedy(
                    "role",
                    (who,),
                    role,
                    f"可授予{who}“{spec.title}”职责({unit})。"
                    f"Give {who} the role {role} ({spec.title_en}) for {unit}.",
                )
    return None


def _handing_out(dossier: Dossier) -> Remedy | None:
    if not (people := outside(dossier)):
        return None
    accounts = _named(dossier, people[:1])
    return Remedy(
        "outside",
        accounts,
        "discipline",
        f"可由{accounts[0]}(本局以外)接手。Hand it to {accounts[0]}, outside the bureau.",
    )


def _everybody(dossier: Dossier) -> list[int]:
    """Everybody who is there and not barred, nearest to the item's unit first; not whoever stands
    outside or keeps the machine.
    """
    office = dossier.office
    aside = {p for role in (*OUTSIDE, "auditor", "admin") for p, _ in office.members.get(role, ())}
    people = sorted(set(office.people) - aside, key=_near(office, dossier.unit_id))
    return [p for p in office.there(people, dossier.today, dossier.excluded) if p in office.people]
