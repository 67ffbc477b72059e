"""The threat table and the rows of ASVS name what is there, and leave no row out."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_docs import anchors

ROOT = Path(__file__).resolve().parents[1]
SECURITY = ROOT / "docs" / "security.md"
ASVS = ROOT / "docs" / "asvs.yaml"
TEST = re.compile(r"[\w/]+\.py::test_\w+")

SECTIONS = {
    "V1.1": 2,
    "V1.2": 10,
    "V1.3": 12,
    "V1.4": 3,
    "V1.5": 3,
    "V2.1": 3,
    "V2.2": 3,
    "V2.3": 5,
    "V2.4": 2,
    "V3.1": 1,
    "V3.2": 3,
    "V3.3": 5,
    "V3.4": 8,
    "V3.5": 8,
    "V3.6": 1,
    "V3.7": 5,
    "V4.1": 5,
    "V4.2": 5,
    "V4.3": 2,
    "V4.4": 4,
    "V5.1": 1,
    "V5.2": 6,
    "V5.3": 3,
    "V5.4": 3,
    "V6.1": 3,
    "V6.2": 12,
    "V6.3": 8,
    "V6.4": 6,
    "V6.5": 8,
    "V6.6": 4,
    "V6.7": 2,
    "V6.8": 4,
    "V7.1": 3,
    "V7.2": 4,
    "V7.3": 2,
    "V7.4": 5,
    "V7.5": 3,
    "V7.6": 2,
    "V8.1": 4,
    "V8.2": 4,
    "V8.3": 3,
    "V8.4": 2,
    "V9.1": 3,
    "V9.2": 4,
    "V10.1": 2,
    "V10.2": 3,
    "V10.3": 5,
    "V10.4": 16,
    "V10.5": 5,
    "V10.6": 2,
    "V10.7": 3,
    "V11.1": 4,
    "V11.2": 5,
    "V11.3": 5,
    "V11.4": 4,
    "V11.5": 2,
    "V11.6": 2,
    "V11.7": 2,
    "V12.1": 5,
    "V12.2": 2,
    "V12.3": 5,
    "V13.1": 4,
    "V13.2": 6,
    "V13.3": 4,
    "V13.4": 7,
    "V14.1": 2,
    "V14.2": 8,
    "V14.3": 3,
    "V15.1": 5,
    "V15.2": 5,
    "V15.3": 7,
    "V15.4": 4,
    "V16.1": 1,
    "V16.2": 5,
    "V16.3": 4,
    "V16.4": 3,
    "V16.5": 4,
    "V17.1": 2,
    "V17.2": 8,
    "V17.3": 2,
}
"""How many rows each section of ASVS 5.0.0 has."""
LEVEL_3 = frozenset(
    re.findall(
        r"\S+",
        """
1.2.10 1.3.12 1.5.3 2.3.5 2.4.2 3.1.1 3.2.3 3.3.5 3.4.7 3.4.8 3.5.6 3.5.7 3.5.8 3.6.1 3.7.3
3.7.4 3.7.5 4.1.4 4.1.5 4.2.2 4.2.3 4.2.4 4.2.5 5.2.4 5.2.5 5.2.6 5.3.3 6.3.5 6.3.6 6.3.7 6.3.8
6.4.5 6.4.6 6.5.6 6.5.7 6.5.8 6.6.4 6.7.1 6.7.2 7.5.3 8.1.3 8.1.4 8.2.4 8.3.2 8.3.3 8.4.2
10.2.3 10.3.5 10.4.12 10.4.13 10.4.14 10.4.15 10.4.16 11.1.3 11.1.4 11.2.4 11.2.5 11.3.4 11.3.5
11.5.2 11.6.2 11.7.1 11.7.2 12.1.4 12.1.5 12.3.5 13.1.2 13.1.3 13.1.4 13.2.6 13.3.3 13.3.4
13.4.6 13.4.7 14.2.5 14.2.6 14.2.7 14.2.8 15.1.4 15.1.5 15.2.4 15.2.5 15.4.1 15.4.2 15.4.3
15.4.4 16.5.4 17.1.2 17.2.5 17.2.6 17.2.7 17.2.8
""",
    )
)


def rows() -> dict[str, dict[str, Any]]:
    """The rows of the file."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(ASVS.read_text())["rows"]
    return found


@cache
def facts_of(file: str) -> frozenset[str]:
    """The names of the tests of a file below `tests`."""
    path = ROOT / "tests" / file
    assert path.is_file(), f"there is no {file}"
    return frozenset(
        node.name
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    )


def is_there(named: str) -> bool:
    """Whether a test, or a document with its heading, exists."""
    if "::" in named:
        file, _, name = named.partition("::")
        return name in facts_of(file)
    place, _, anchor = named.partition("#")
    path = ROOT / place
    return path.is_file() and (not anchor or anchor in anchors(path))


def threats() -> dict[str, list[str]]:
    """The rows of the threat table: number -> the other cells."""
    found = re.findall(r"^\| (T\d+) \| (.*) \|$", SECURITY.read_text(), re.MULTILINE)
    assert len(dict(found)) == len(found)
    return {number: rest.split(" | ") for number, rest in found}


def test_every_threat_has_its_row() -> None:
    """T1 to T46, in order, each with who, how it is stopped, and a test or what is missing."""
    found = threats()
    assert list(found) == [f"T{number}" for number in range(1, 47)]
    for number, cells in found.items():
        assert len(cells) == 3, number
        assert TEST.search(cells[2]) or "ot yet" in cells[1], number


@pytest.mark.parametrize("number", [f"T{number}" for number in range(1, 47)])
def test_every_test_of_a_threat_is_there(number: str) -> None:
    """No row leans on a test that was renamed or removed."""
    named = TEST.findall(threats()[number][2])
    assert [each for each in named if not is_there(each)] == []


def test_no_row_of_the_standard_is_left_out() -> None:
    """Every row of levels 1 and 2 stands there with its level, some of level 3, and none is made up."""
    every = {
        f"{section}.{number}" for section, most in SECTIONS.items() for number in range(1, most + 1)
    }
    third = {f"V{row}" for row in LEVEL_3}
    assert (len(every), len(third)) == (345, 92)
    assert third < every
    found = rows()
    assert every - third <= set(found) <= every
    levels = Counter(row["level"] for row in found.values())
    assert (levels[1], levels[2]) == (70, 183)
    assert {name for name, row in found.items() if row["level"] == 3} <= third


def test_every_row_says_how_it_stands() -> None:
    """Kept by a test or a document that is there; otherwise why not."""
    wrong = []
    for name, row in rows().items():
        kept = row["status"] == "kept"
        said = row.get("by", []) if kept else [row["why"]]
        assert set(row) == {"level", "asks", "status", "by" if kept else "why"}, name
        assert row["status"] in {"kept", "partly", "open", "does not apply"}, name
        assert said, name
        assert all(said), name
        wrong += [f"{name}: {each}" for each in said if kept and not is_there(each)]
    assert wrong == []


def test_what_is_not_there_is_missed() -> None:
    """The check can say no."""
    assert not is_there("test_security.py::test_of_something_else")
    assert not is_there("docs/security.md#nothing-of-the-kind")
    assert not is_there("docs/nowhere.md")
    assert is_there("docs/security.md#threats")
