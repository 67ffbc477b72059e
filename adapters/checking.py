"""`banjie check`: are the workflow files sound, and can no item of theirs go silent in this office?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.opening import demand_tables
from engine.checking.verdict import report
from engine.database import Database, execute
from engine.errors import DefinitionError
from engine.people import read_office
from engine.workdays import SHANGHAI
from workflows import catalog, prove

if TYPE_CHECKING:
    from pathlib import Path

    from engine.roster import Roster

__all__ = ["check", "real_roster"]


def check(folder: Path | None, roster: Roster) -> tuple[str, bool]:
    """What the check of a folder (default: Banjie's own) says, and whether everything holds."""
    try:
        declared = catalog(folder)
    except DefinitionError as error:
        return report([], error.findings), False
    proofs = prove(declared, roster)
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
    return office.roster(row["now"].astimezone(SHANGHAI).date())
