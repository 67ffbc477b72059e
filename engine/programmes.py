"""A programme of the government as data: its measures and duties, whose they are and by when.

`register` brings them into the task ledger, one row for each unit responsible, by the ordinary verb;
what is there already stays as it is.
"""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from engine.births import Birth
from engine.database import execute
from engine.errors import BanjieError, DefinitionError, Finding
from engine.notation import Part
from engine.people import SYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.loader import Document
    from engine.people import Office

LEDGER = "ledger"
RESPONSIBLE = "*M"
"""Whoever is responsible for any measure of the programme."""

Words = Annotated[str, Field(min_length=1, max_length=200)]


class Measure(Part):
    """A measure, or a duty (which has no date of its own); owners as the document names them."""

    id: Annotated[str, Field(pattern=r"^[A-Z][0-9]+\.[0-9]+[a-z]?$")]
    title: Words
    owners: tuple[Words, ...] = Field(min_length=1)
    due: date | None = None
    then: Words | None = None


class Programme(Part):
    """A programme file. `stands_for` says which units a collective name means: a pattern of codes, or
    `*M`.
    """

    programme: Words
    title: Words
    since: date
    start: Words
    end: Words
    stands_for: dict[str, str] = Field(default_factory=dict)
    measures: tuple[Measure, ...] = Field(min_length=1)
    duties: tuple[Measure, ...] = ()

    def units(self, measure: Measure, office: Office) -> list[str]:
        """The codes of the units responsible, in the document's order; groups by code."""
        found: dict[str, None] = {}
        for name in measure.owners:
            group = self.stands_for.get(name)
            unit = office.unit_named(name)
            if group == RESPONSIBLE:
                for each in self.measures:
                    found |= dict.fromkeys(self.units(each, office))
            elif group is not None:
                codes = sorted(u.code for u in office.units.values() if u.closed_on is None)
                found |= dict.fromkeys(code for code in codes if fnmatchcase(code, group))
            elif unit is not None:
                found[unit.code] = None
        return list(found)


_PROGRAMME = TypeAdapter(Programme)


def read_programme(document: Document) -> Programme:
    """The programme a file tells. Raises DefinitionError with every finding and its line."""
    try:
        return _PROGRAMME.validate_python(document.data)
    except ValidationError as error:
        raise DefinitionError(
            [
                Finding(document.name, document.line(fault["loc"]), "malformed", fault["msg"])
                for fault in error.errors()
            ]
        ) from error


def register(session: Session, casework: Casework, programme: Programme) -> int:
    """Bring a programme into the ledger; how many rows are new. An owner this office has no unit for
    has no row.
    """
    office = casework.house(session).office
    rows = dict(_rows(programme, office))
    known = execute(
        session,
        "SELECT outside_key FROM item WHERE workflow = %s AND outside_key = ANY(%s)",
        (LEDGER, list(rows)),
    ).fetchall()
    for row in known:
        del rows[row["outside_key"]]
    births = [Birth(data, channel="import", outside_key=key) for key, data in rows.items()]
    begun = casework.submit_many(session, LEDGER, SYS, births) if births else []
    for each in begun:
        if isinstance(each, BanjieError):
            raise each
    return len(begun)


def _rows(programme: Programme, office: Office) -> Sequence[tuple[str, dict[str, Any]]]:
    """(key, data) of every row: a measure for each of its units."""
    rows: list[tuple[str, dict[str, Any]]] = []
    for measure in (*programme.measures, *programme.duties):
        units = programme.units(measure, office)
        for unit in units:
            data: dict[str, Any] = {
                "programme": programme.programme,
                "measure_id": measure.id,
                "measure_title": measure.title,
                "unit": unit,
                "lead_unit": units[0],
                "lead_status": "proposed",
                "co_units": units,
            }
            if measure.due is not None:
                data["due_at"] = measure.due.isoformat()
            if measure.then is not None:
                data["keeping"] = measure.then
            rows.append((f"{programme.programme}/{measure.id}/{unit}", data))
    return rows
