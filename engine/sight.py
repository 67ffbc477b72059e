"""Who sees what, as SQL: the same rule as `Desk.sees`, for lists that must not load what they hide.

A person sees an item by a role that watches its workflow and whose scope covers its unit, or by a
duty on it; never where the family bars them or they belong to the unit complained of. Scopes
are few and equal for most workflows, so they become a handful of (workflows, units) pairs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.desk import EXTENSION, RECUSAL
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.catalog import Catalog
    from engine.desk import Desk, House
    from engine.people import Actor

NOT_HIDDEN = """
  (i.subject_unit_id IS NULL OR i.subject_unit_id <> ALL(%(above)s::int[]))
  AND i.family_id <> ALL(ARRAY(SELECT b.family_id FROM item_duty b WHERE b.person_id = %(me)s
    AND b.duty IN ('accused', 'recused') AND b.ended_at IS NULL))
  AND (NOT i.sealed OR i.workflow NOT IN ('extension', 'recusal')
    OR i.unit_id = ANY(CASE i.workflow WHEN 'extension' THEN %(confided)s::int[]
      ELSE %(deciding)s::int[] END)
    OR EXISTS (SELECT FROM item_duty o WHERE o.item_id = i.id AND o.person_id = %(me)s
      AND o.ended_at IS NULL))"""
"""Nothing of a family that bars the person, nothing about the unit they belong to, and a request
about a sealed item only for those who would see it if its own workflow were sealed."""

OWN = """EXISTS (SELECT FROM item_duty o WHERE o.item_id = i.id AND o.person_id = ANY(%(mine)s::int[])
    AND o.ended_at IS NULL AND o.role <> o.duty AND (o.assigned OR o.person_id = %(me)s))"""
"""An item of one's own, or one assigned to somebody absent for whom one stands in."""


@dataclass(frozen=True)
class Scope:
    """Workflows (in these versions; None: in all) a person watches in the same units."""

    workflows: tuple[str, ...]
    versions: tuple[int, ...] | None
    units: frozenset[int]


@dataclass(frozen=True)
class Sight:
    """What one person may see today.

    `replaced`: absent people they stand in for. `above`: the units whose complaints are hidden from
    them. `confided`: the units in which they see extensions of sealed items, `deciding`: those in
    which they see recusals there. `covered`: roles whose duties add nothing, because whoever holds
    the role sees all its items anyway.
    """

    person: int
    replaced: tuple[int, ...]
    scopes: tuple[Scope, ...]
    above: tuple[int, ...]
    confided: tuple[int, ...]
    deciding: tuple[int, ...]
    covered: tuple[str, ...]
    everything: frozenset[str]
    everywhere: frozenset[int]

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of :data:`NOT_HIDDEN`, :data:`OWN` and :meth:`visible`."""
        values: dict[str, Any] = {"me": self.person, "above": list(self.above)}
        values["mine"] = [self.person, *self.replaced]
        values |= {"confided": list(self.confided), "deciding": list(self.deciding)}
        for at, scope in enumerate(self.scopes):
            values[f"w{at}"] = list(scope.workflows)
            values[f"u{at}"] = sorted(scope.units)
            values[f"v{at}"] = list(scope.versions or ())
        return values

    def within(self, at: int, *, units: bool = True) -> str:
        """SQL: the item `i` lies in a scope; conditions that everything meets are left out."""
        scope = self.scopes[at]
        parts = []
        if scope.versions is not None or set(scope.workflows) != self.everything:
            parts.append(f"i.workflow = ANY(%(w{at})s)")
        if scope.versions is not None:
            parts.append(f"i.version = ANY(%(v{at})s)")
        if units and scope.units != self.everywhere:
            parts.append(f"i.unit_id = ANY(%(u{at})s::int[])")
        return " AND ".join(parts) or "true"

    def visible(self) -> str:
        """SQL: whether the person may see the item `i`; for lists another condition keeps short."""
        ways = [f"({self.within(at)})" for at in range(len(self.scopes))]
        return f"{NOT_HIDDEN} AND ({' OR '.join([*ways, OWN])})"


def sight(desk: Desk, house: House, actor: Actor) -> Sight:
    """What a person may see, from their roles, the roles of those they stand in for, and homes."""
    office, person = house.office, actor.person
    if person is None:
        raise ValueError("only people look at lists")
    today = house.now.astimezone(SHANGHAI).date()
    held: dict[str, set[int]] = defaultdict(set)
    bearers = [person.id] + [
        absent
        for absent, first, last, substitute in office.leave
        if substitute == person.id and first <= today <= last
    ]
    for bearer in bearers if not office.left(person.id, today) else ():
        for role, unit in office.roles(bearer):
            held[role].add(unit)
    below = {unit: frozenset(office.below(unit)) for units in held.values() for unit in units}
    seen: dict[str, dict[int, frozenset[int]]] = defaultdict(dict)
    for (name, version), bound in desk.catalog.bound.items():
        units = (unit for role in bound.workflow.watchers() for unit in held.get(role, ()))
        seen[name][version] = frozenset().union(*(below[unit] for unit in units))
    confided, deciding = (
        {
            unit
            for (name, _), bound in desk.catalog.bound.items()
            if name == request
            for role in bound.workflow.watchers(sealed=True)
            for scope in held.get(role, ())
            for unit in below[scope]
        }
        for request in (EXTENSION, RECUSAL)
    )
    groups: dict[tuple[tuple[int, ...] | None, frozenset[int]], list[str]] = defaultdict(list)
    for name, versions in seen.items():
        if len(set(versions.values())) == 1:
            groups[None, next(iter(versions.values()))].append(name)
        else:
            for version, covers in versions.items():
                groups[(version,), covers].append(name)
    return Sight(
        person=person.id,
        replaced=tuple(each for each in bearers[1:] if office.present(each, today) == person.id),
        scopes=tuple(
            Scope(tuple(names), versions, units)
            for (versions, units), names in groups.items()
            if units
        ),
        above=tuple(
            dict.fromkeys(
                unit
                for own in office.units_of(person.id)
                for unit in office.above(own)
                if unit != office.root
            )
        ),
        confided=tuple(sorted(confided)),
        deciding=tuple(sorted(deciding)),
        covered=_covered(
            desk.catalog, {role for role, units in held.items() if office.root in units}
        ),
        everything=frozenset(seen),
        everywhere=frozenset(office.units),
    )


def _covered(catalog: Catalog, everywhere: Collection[str]) -> tuple[str, ...]:
    """Roles held for the whole bureau that watch every workflow in which anybody bears them."""
    return tuple(
        role
        for role in everywhere
        if all(
            role in bound.workflow.watchers()
            for bound in catalog.bound.values()
            if role in bound.workflow.roles
        )
    )
