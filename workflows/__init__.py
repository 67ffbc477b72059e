"""The law, as data: one file per workflow, the rules and ladders, the texts and the letters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog import Catalog, read_catalog
from engine.fills import FILLS
from engine.guards import GUARDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.checking.proof import Proof
    from engine.programmes import Programme
    from engine.roster import Roster

HERE = Path(__file__).parent
MOST_KNOWN = 8


def catalog(folder: Path | None = None) -> Catalog:
    """Read the workflows of a folder (this one by default).

    Raises DefinitionError with every finding of every file; a process that cannot read its
    workflows does not start.
    """
    return read_catalog(folder or HERE, GUARDS, FILLS)


def programmes(folder: Path | None = None) -> list[Programme]:
    """The programmes told beside the workflows of a folder (this one by default), by name.

    Raises DefinitionError like `catalog`.
    """
    from engine.loader import load
    from engine.programmes import read_programme  # nobody else needs it

    told = sorted(((folder or HERE) / "programmes").glob("*.yaml"))
    return [read_programme(load(path)) for path in told]


def prove(declared: Catalog, roster: Roster) -> list[Proof]:
    """The silence proof of every workflow in force, with these people."""
    from engine.checking.proof import prove_all  # a worker never proves

    return prove_all(declared.files, declared.rulebook, roster)


class Prover:
    """What may go silent, by roster; the last few rosters are remembered, a proof takes a second."""

    def __init__(self, declared: Catalog) -> None:
        self._declared = declared
        self._known: dict[str, Mapping[tuple[str, int, str], str]] = {}

    def __call__(self, roster: Roster) -> Mapping[tuple[str, int, str], str]:
        """(file, line, name of the finding) -> the finding, of every workflow in force."""
        key = repr(
            (
                sorted(roster.units.items()),
                sorted(roster.people.items()),
                sorted(roster.memberships),
                sorted(roster.away.items()),
                None if roster.certified is None else sorted(roster.certified),
            )
        )
        if key not in self._known:
            found = {
                (finding.file, finding.line, finding.name): str(finding)
                for proof in prove(self._declared, roster)
                for finding in proof.findings
            }
            while len(self._known) >= MOST_KNOWN:
                self._known.pop(next(iter(self._known)), None)
            self._known[key] = found
        return self._known[key]
