"""Pages of a list: keyset only, so that the ten-thousandth page costs what the first does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from engine.database import execute
from engine.errors import Invalid
from engine.walls import as_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from engine.desk import House
    from engine.sight import Sight

Key = list[Any]
"""Where a page ended: the values of its last row in the order of the list."""


@dataclass(frozen=True)
class Page:
    """Some rows, and where the next page begins (None: this is the last)."""

    items: list[dict[str, Any]]
    next: Key | None = None


@dataclass
class Search:
    """Conditions on the item `i` of a list, and their values; one row more than a page is read."""

    look: Sight
    limit: int
    values: dict[str, Any] = field(default_factory=dict)
    units: list[int] | None = None
    conditions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = {**self.look.values, "n": self.limit + 1}

    def demand(self, condition: str, **values: Any) -> None:
        """One more condition on the item `i`."""
        self.conditions.append(condition)
        self.values |= values

    def where(self, *more: str) -> str:
        """All conditions as SQL."""
        return " AND ".join([*more, *self.conditions]) or "true"

    def narrow_to(self, house: House, unit: str | None) -> None:
        """Only items of a unit (code, name or alias) and of those below it. Raises Invalid."""
        if unit is None:
            return
        found = house.office.unit_named(unit)
        if found is None:
            raise unknown("unit", "没有这个单位。There is no such unit.")
        self.units = house.office.below(found.id)

    def in_units(self) -> None:
        """Demand the units narrowed to, for statements that do not walk them one by one."""
        if self.units is not None:
            self.demand("i.unit_id = ANY(%(units)s::int[])", units=self.units)

    def choose(self, session: Session, statement: str) -> list[Any]:
        """The ids of a page, found by these conditions alone; its rows are then read behind the wall.

        The wall in every branch of a search would be planned and asked for each row passed over.
        The statement is planned for these very values: one that is short for one person is long for
        another.
        """
        with as_engine(session):
            found = execute(session, statement, self.values, prepare=False).fetchall()
        return [row["id"] for row in found]

    def page(
        self,
        rows: Sequence[Mapping[str, Any]],
        key: Sequence[str],
        shown: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> Page:
        """The rows of a page as people see them, and the key of the next."""
        kept = rows[: self.limit]
        at = [_plain(kept[-1][name]) for name in key] if len(rows) > self.limit else None
        return Page([shown(row) for row in kept], at)


def unknown(parameter: str, sentence: str) -> Invalid:
    """A filter names something that does not exist."""
    return Invalid([(f"/{parameter}", sentence)])


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)


def _bad_cursor() -> Invalid:
    return unknown("cursor", "游标不属于这个列表。This cursor belongs to another list.")


def last_text(after: Key) -> str:
    """The key of a list in the order of one text."""
    match after:
        case [str(last)]:
            return last
    raise _bad_cursor()


def last_id(after: Key) -> UUID:
    """The key of a list in the order of ids that are UUIDs."""
    try:
        return UUID(last_text(after))
    except ValueError:
        raise _bad_cursor() from None


def last_number(after: Key) -> int:
    """The key of a list in the order of one number."""
    match after:
        case [int(last)]:
            return last
    raise _bad_cursor()


def last_moment(after: Key) -> tuple[str, int]:
    """The key of a list in the order of (moment, id)."""
    match after:
        case [str(moment), int(last)]:
            return moment, last
    raise _bad_cursor()


def last_stall(after: Key) -> tuple[int, str, int]:
    """The key of the stalls: (rung, due moment, clock)."""
    match after:
        case [int(height), str(moment), int(clock)]:
            return height, moment, clock
    raise _bad_cursor()
