"""The law as loaded: what was released never changes quietly, and nothing open loses its ground."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from engine.catalog import Catalog, install
from engine.errors import DefinitionError
from tests.casebook import PERMITS
from workflows import catalog

if TYPE_CHECKING:
    from pathlib import Path

    from tests.casebook import Casebook

CHANGES = {
    "a transition's role": ("permit.yaml", "by: [head, deputy]", "by: [head]", "changed-quietly"),
    "a deadline's rule": (
        "permit.yaml",
        "rule: permit.tell",
        "rule: permit.check",
        "changed-quietly",
    ),
    "a rule struck out": ("rules.yaml", "  permit.tell: ", "  permit.told: ", "rule-gone"),
    "a ladder struck out": ("rules.yaml", "  counter:\n", "  counters:\n", "rule-gone"),
}
"""Edits of files; those of rules.yaml are followed by the workflow files in a new version."""


def edited(folder: Path, file: str, old: str, new: str) -> Catalog:
    """The permit workflows with one word changed."""
    shutil.copytree(PERMITS, folder)
    path = folder / file
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    if file == "rules.yaml":
        word, other = old.strip(" :\n"), new.strip(" :\n")
        for each in ("permit.yaml", "survey.yaml"):
            text = (folder / each).read_text("utf-8").replace("version: 1", "version: 2")
            text = text.replace(f"rule: {word}", f"rule: {other}")
            (folder / each).write_text(text.replace(f"ladder: {word}", f"ladder: {other}"), "utf-8")
    return catalog(folder)


def installed(book: Casebook, law: Catalog) -> set[str]:
    """The names of the findings of a start under these files."""
    try:
        book.do(lambda s: install(s, law))
    except DefinitionError as error:
        return {finding.name for finding in error.findings}
    return set()


@pytest.mark.parametrize("change", CHANGES)
def test_what_items_follow_does_not_change_under_them(
    book: Casebook, tmp_path: Path, change: str
) -> None:
    """The process does not start, and says in which file what must be kept."""
    book.submit()
    *edit, finding = CHANGES[change]
    assert finding in installed(book, edited(tmp_path / "law", *edit))


def test_titles_may_change_and_a_second_start_changes_nothing(
    book: Casebook, tmp_path: Path
) -> None:
    """A better title is no new version; installing again is no event."""
    book.submit()
    before = book.rows("SELECT * FROM edge ORDER BY 1, 2, 3, 4, 5")
    assert (
        installed(book, edited(tmp_path / "law", "permit.yaml", "占道许可", "占道经营许可"))
        == set()
    )
    assert book.rows("SELECT * FROM edge ORDER BY 1, 2, 3, 4, 5") == before


def test_a_new_version_leaves_open_items_on_the_old_one(book: Casebook, tmp_path: Path) -> None:
    """With the old file in `retired`, what began under it goes on under it."""
    number = book.assigned()
    folder = tmp_path / "law"
    shutil.copytree(PERMITS, folder)
    (folder / "retired").mkdir()
    shutil.copy(PERMITS / "permit.yaml", folder / "retired" / "permit-1.yaml")
    text = (folder / "permit.yaml").read_text("utf-8").replace("version: 1", "version: 2")
    (folder / "permit.yaml").write_text(text.replace("by: [head, deputy]", "by: [head]"), "utf-8")
    law = catalog(folder)
    assert installed(book, law) == set()
    book.casework.catalog = law
    book.go(number, "check", "handler1", opinion="可")
    assert book.go(number, "grant", "deputy").state == "granted"
    assert book.item(number)["version"] == 1
    assert book.item(book.submit().number)["version"] == 2
    shutil.rmtree(folder / "retired")
    book.assigned()
    book.rows("SELECT 1")
    assert "version-gone" not in installed(book, catalog(folder))  # nothing open follows it
