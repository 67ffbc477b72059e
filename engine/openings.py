"""Items that begin by themselves: each month one for every unit a workflow's `opens` names (定期立项).

The sweep begins what is due and not there yet, so a day without a worker is caught up within the
month; a month gone by is not. Safe to run any number of times at once: each item is a transaction of
its own, and the schema lets one key of a workflow exist once. What this process remembers only keeps
it from asking a refused one again every few seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.births import Birth, literal, opening_key
from engine.database import execute, passing
from engine.errors import BanjieError, Repeated
from engine.notation import MONTH, UNIT
from engine.people import SYS
from engine.telling import tell, told_of
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database
    from engine.machine import Bound

CHANNEL = "opening"
PUT_OFF = timedelta(hours=1)

THERE = """
SELECT i.workflow, i.outside_key FROM unnest(%s::text[], %s::text[]) AS w(workflow, key)
JOIN item i ON i.workflow = w.workflow AND i.outside_key = w.key
"""


class Opening(NamedTuple):
    """An item that is to begin, and by which key it begins once."""

    workflow: str
    key: str
    data: dict[str, Any]


@dataclass
class Openings:
    """What opens by itself, for one process."""

    database: Database
    casework: Casework
    _put_off: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def sweep(self, now: datetime | None = None) -> int:
        """Begin what is due this month and not there yet; returns how many items began.

        `now` (default: the office's clock) decides the month and the day.
        """
        if not any(bound.workflow.opens for bound in self.casework.catalog.current.values()):
            return 0
        return sum(self._open(opening, now) for opening in self._waiting(now))

    def _waiting(self, now: datetime | None) -> list[Opening]:
        with self.database.transaction() as session:
            moment, due = self._due(session, now)
            known = ([each.workflow for each in due], [each.key for each in due])
            rows = execute(session, THERE, known).fetchall() if due else []
        there = {(row["workflow"], row["outside_key"]) for row in rows}
        refused = {key for key, until in self._put_off.items() if until > moment}
        return [o for o in due if (o.workflow, o.key) not in there | refused]

    def _due(self, session: Session, now: datetime | None) -> tuple[datetime, list[Opening]]:
        house = self.casework.house(session)
        moment = now or house.now
        today = moment.astimezone(SHANGHAI).date()
        open_units = sorted(
            unit.code
            for unit in house.office.units.values()
            if unit.closed_on is None or unit.closed_on > today
        )
        return moment, [
            opening
            for _, bound in sorted(self.casework.catalog.current.items())
            if bound.workflow.opens and today.day >= bound.workflow.opens.day
            for opening in _openings(bound, open_units, f"{today:%Y-%m}")
        ]

    def _open(self, opening: Opening, now: datetime | None) -> bool:
        birth = Birth(opening.data, channel=CHANNEL, outside_key=opening.key)

        def begin(session: Session) -> None:
            (born,) = self.casework.submit_many(session, opening.workflow, SYS, [birth], at=now)
            if isinstance(born, BanjieError):
                raise born

        try:
            self.database.perform(begin)
        except Repeated:
            return False  # another sweeper was faster
        except Exception as error:
            if passing(error):
                raise
            tell("opening.failed", workflow=opening.workflow, **told_of(error))
            moment = now or self.database.perform(self.casework.house).now
            self._put_off[opening.workflow, opening.key] = moment + PUT_OFF
            return False
        return True


def _openings(bound: Bound, units: list[str], month: str) -> Iterator[Opening]:
    """One for each of the units that is named; the key says which month it is for."""
    spec = bound.workflow.opens
    if spec is None:
        return
    fixed = {name: literal(bound, name, value) for name, value in spec.data.items()}
    for unit in units:
        if any(fnmatchcase(unit, pattern) for pattern in spec.units):
            data = {**fixed, UNIT: unit, MONTH: month}
            yield Opening(bound.workflow.workflow, opening_key(unit, month), data)
