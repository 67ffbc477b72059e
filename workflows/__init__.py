"""The law, as data: one file per workflow, the rules and ladders, the texts and the letters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog import Catalog, read_catalog
from engine.guards import GUARDS

if TYPE_CHECKING:
    from engine.checking.proof import Proof
    from engine.roster import Roster

HERE = Path(__file__).parent


def catalog(folder: Path | None = None) -> Catalog:
    """Read the workflows of a folder (this one by default).

    Raises DefinitionError with every finding of every file; a process that cannot read its
    workflows does not start.
    """
    return read_catalog(folder or HERE, GUARDS)


def prove(declared: Catalog, roster: Roster) -> list[Proof]:
    """The silence proof of every workflow in force, with these people."""
    from engine.checking.proof import prove_all  # a worker never proves

    return prove_all(declared.files, declared.rulebook, roster)
