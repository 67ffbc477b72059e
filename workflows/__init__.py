"""The law, as data: one file per workflow, the rules and ladders, the texts and the letters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog import RULES, TEXTS, Catalog, read_catalog
from engine.guards import GUARDS
from engine.loader import load
from engine.reading import read_workflow

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


def prove(declared: Catalog, roster: Roster, folder: Path | None = None) -> list[Proof]:
    """The silence proof of every workflow in force of a folder whose catalog was read."""
    from engine.checking.proof import prove_all  # a worker never proves

    paths = sorted((folder or HERE).glob("*.yaml"))
    documents = [load(path) for path in paths if path.name not in {RULES, TEXTS}]
    files = [(read_workflow(document), document) for document in documents]
    return prove_all(files, declared.rulebook, roster)
