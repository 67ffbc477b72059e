"""Items as they stood at a moment, folded from their events alone, and counted where they lie.

The journal is only ever added to, so what is folded up to a moment is the same today and in ten
years. Of the item's row nothing is read but what never changes (unit, family, parent, channel), and,
to pass over what ended before the period began, when it was closed: an item that is closed now and
was closed before a moment has had no move since.

Every statement is put together from the declarations of this package and from nothing else; what is
asked for travels as parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.notation import ENGINE_ACTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from engine.figures.figure import Stage
    from engine.people import Office

NOT_TOLD_TO = """
(i.subject_unit_id IS NULL OR i.subject_unit_id <> ALL(%(above)s::int[]))
AND i.family_id <> ALL(ARRAY(SELECT b.family_id FROM item_duty b WHERE b.person_id = ANY(%(readers)s::int[])
  AND b.duty IN ('accused', 'recused') AND b.ended_at IS NULL))
AND (NOT i.sealed OR (i.workflow, i.unit_id) IN
  (SELECT * FROM unnest(%(confided)s::text[], %(confided_units)s::int[])))"""
"""What the readers may know of: the rule of `engine.sight` for whoever is shown a number."""

FACTS = "(e.act <> ALL(%(at_rest)s::text[]))"
BEGAN = "c.born_at >= %(begins)s AND c.born_at < %(ends)s"
"""The item began in the period."""
ENDED = "c.entered_at >= %(begins)s AND c.entered_at < %(ends)s"
"""The item came to the state it stands in within the period."""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a figure is counted: nothing of a family that bars one of `people`, nothing about the
    units `above` (those they belong to), sealed work only where it is `confided` to them.
    """

    people: tuple[int, ...]
    above: tuple[int, ...]
    confided: tuple[tuple[str, int], ...] = ()  # (sealed workflow, unit)

    def knows_of(self, workflow: str, units: Sequence[int]) -> bool:
        """Whether sealed work of these units is told to them."""
        return {(workflow, unit) for unit in units} <= set(self.confided)


def reader_of_unit(office: Office, unit: int) -> Reader:
    """Everybody of a unit at once: its report is read by all of them, so it counts what every one of
    them may know of.
    """
    within = {unit} if unit == office.root else set(office.below(unit))
    people = tuple(p.id for p in office.people.values() if within & set(office.units_of(p.id)))
    own = dict.fromkeys([*office.above(unit), *within])
    return Reader(people, tuple(each for each in own if each != office.root))


@dataclass(frozen=True, slots=True)
class Scope:
    """What is counted: the items of these units, up to a moment, as far as the reader may know."""

    stage: Stage
    units: tuple[int, ...]
    reader: Reader

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of every statement of this package."""
        period, reader = self.stage.period, self.reader
        return {
            "begins": period.begins,
            "ends": period.ends,
            "as_of": self.stage.as_of,
            "units": list(self.units),
            "readers": list(reader.people),
            "above": list(reader.above),
            "confided": [workflow for workflow, _ in reader.confided],
            "confided_units": [unit for _, unit in reader.confided],
            "at_rest": sorted(ENGINE_ACTS - {"assignment"}),
        }


@dataclass(frozen=True, slots=True)
class Sheet:
    """The columns folded of each item of a workflow, as `c`, beside `id`, `unit_id`, `family_id`,
    `parent_id`, `channel`, `born_at`, `state` and `entered_at` (when it came to that state).

    `fields`: the last value given of a field, as text (a list as JSON). `first`: column -> acts, the
    first moment one of them was made. `reached`: column -> states, the first moment it came to one of
    them. `times`: column -> acts, how often. `actors`: column -> roles, who first acted in one.
    """

    workflow: str
    fields: tuple[str, ...] = ()
    anywhere: bool = (
        False  # also items of other units: conditions say what ties them to those asked
    )
    ever: bool = False  # also what was closed before the period: for registers, which stay small
    first: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reached: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    times: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    actors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def folded(self) -> str:
        """SQL: the folded items of the scope, as a query."""
        columns = [
            *(
                f"(array_agg(e.data ->> '{name}' ORDER BY e.seq DESC)"
                f" FILTER (WHERE e.data ? '{name}' AND {FACTS}))[1] AS {name}"
                for name in self.fields
            ),
            *(
                f"min(e.at) FILTER (WHERE e.act IN ({_listed(acts)})) AS {column}"
                for column, acts in self.first.items()
            ),
            *(
                f"min(e.at) FILTER (WHERE e.to_state IN ({_listed(states)})) AS {column}"
                for column, states in self.reached.items()
            ),
            *(
                f"count(*) FILTER (WHERE e.act IN ({_listed(acts)})) AS {column}"
                for column, acts in self.times.items()
            ),
            *(
                f"(array_agg(e.actor_id ORDER BY e.seq) FILTER (WHERE e.role IN ({_listed(roles)})))[1]"
                f" AS {column}"
                for column, roles in self.actors.items()
            ),
        ]
        closed = "" if self.ever else " AND (i.closed_at IS NULL OR i.closed_at >= %(begins)s)"
        units = "" if self.anywhere else " AND i.unit_id = ANY(%(units)s::int[])"
        return f"""
SELECT i.id, i.unit_id, i.family_id, i.parent_id, i.channel, min(e.at) AS born_at,
  (array_agg(e.to_state ORDER BY e.seq DESC))[1] AS state,
  max(e.at) FILTER (WHERE e.from_state <> e.to_state) AS entered_at{"".join(f", {c}" for c in columns)}
FROM item i JOIN event e ON e.item_id = i.id AND e.at <= %(as_of)s
WHERE i.workflow = '{self.workflow}'{closed}{units} AND {NOT_TOLD_TO}
GROUP BY i.id"""  # noqa: S608 - declarations of this package


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def count(
    session: Session, scope: Scope, sheet: Sheet, counted: Mapping[str, str], **values: Any
) -> dict[str, int]:
    """How many folded items meet each condition (SQL on `c`): name -> count, in one statement."""
    wanted = ", ".join(
        f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in counted.items()
    )
    statement = f"WITH c AS MATERIALIZED ({sheet.folded}) SELECT {wanted} FROM c"  # noqa: S608 - declarations of this package
    found = execute(session, statement, {**scope.values, **values}, prepare=False).fetchone()
    return dict(found or {})


def ask(
    session: Session, scope: Scope, sheet: Sheet, query: str, **values: Any
) -> list[dict[str, Any]]:
    """The rows of a query over the folded items `c`."""
    statement = f"WITH c AS MATERIALIZED ({sheet.folded}) {query}"
    return execute(session, statement, {**scope.values, **values}, prepare=False).fetchall()
