"""`banjie check`: are the workflow files sound, and can no item of theirs go silent in this office?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.opening import demand_tables
from engine.catalog import RULES, TEXTS
from engine.checking.proof import prove_all
from engine.checking.verdict import report
from engine.database import Database, execute
from engine.errors import DefinitionError
from engine.loader import load
from engine.people import read_office
from engine.reading import read_workflow
from engine.roster import Roster
from engine.workdays import SHANGHAI
from workflows import HERE, catalog

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from engine.people import Office

__all__ = ["check", "real_roster", "roster_of"]


def check(folder: Path | None, roster: Roster) -> tuple[str, bool]:
    """What the check of a folder (default: Banjie's own) says, and whether everything holds."""
    place = folder or HERE
    try:
        declared = catalog(place)
    except DefinitionError as error:
        return report([], error.findings), False
    files = [load(path) for path in sorted(place.glob("*.yaml")) if path.name not in {RULES, TEXTS}]
    workflows = [(read_workflow(document), document) for document in files]
    proofs = prove_all(workflows, declared.rulebook, roster)
    return report(proofs), all(proof.holds for proof in proofs)


def real_roster(url: str) -> Roster | None:
    """The roster of the office in a database, as of its clock; None where nobody is in it yet."""
    database = Database(url, 1)
    try:
        demand_tables(database)
        with database.transaction() as session:
            office = read_office(session)
            row = execute(session, "SELECT now() + practice_offset AS now FROM bureau").fetchone()
    finally:
        database.close()
    if row is None or not office.units:
        return None
    return roster_of(office, row["now"].astimezone(SHANGHAI).date())


def roster_of(office: Office, today: date) -> Roster:
    """The real office as the silence proof sees it on a day."""
    there = {
        person.id: person.account
        for person in office.people.values()
        if person.left_on is None or person.left_on > today
    }
    codes = {unit.id: unit.code for unit in office.units.values()}
    return Roster(
        units={
            unit.code: codes[unit.parent_id] if unit.parent_id is not None else None
            for unit in office.units.values()
        },
        people={there[id_]: codes[office.people[id_].unit_id] for id_ in there},
        memberships=frozenset(
            (there[person], role, codes[unit])
            for role, members in office.members.items()
            for person, unit in members
            if person in there
        ),
        away={
            there[person]: there.get(substitute) if substitute is not None else None
            for person, first, last, substitute in office.leave
            if person in there and first <= today <= last
        },
        certified=frozenset(
            there[person.id]
            for person in office.people.values()
            if person.id in there
            and person.certified_until is not None
            and person.certified_until >= today
        ),
    )
