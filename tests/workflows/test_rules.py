"""Every figure stands in rules.yaml once, with where it comes from; no other file holds a limit."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from engine.loader import load
from engine.workdays import Span
from workflows import HERE, catalog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.loader import Value
    from engine.rulebook import Quantity, Rule

MARKS = {
    "S": "stated in the plan",
    "V": "verified in the text of the law, and binding here",
    "L": "verified, but of another place or trade: a default",
    "N": "read in a report or a mirror only",
    "P": "proposed by us",
    "U": "not verified",
}
MARK = re.compile(r"\[([SVLNPU])(?:→([P]))?\]")
UNSURE = {"P", "U"}
LIMIT = re.compile(
    r"\d+\s*(?:(?:working |calendar )?(?:day|hour|month)s?\b|个?工作日|个?自然日|日内|天|小时|个月|%)"
    r"|[一二三四五六七八九十百]+个?(?:工作日|自然日|日内|小时|个月)"
)
NO_LIMITS = ("ladders", "opens")
"""Parts of a workflow file that may say a number: the moments of a ladder, the day something opens."""


@cache
def figures() -> dict[str, Rule | Quantity]:
    """Every version of every term and quantity, by its name and the day it is in force from."""
    law = catalog().rulebook
    rules = {f"{n} {v.since}": v for n, versions in law.rules.items() for v in versions}
    return {**rules, **{f"{n} {q.since}": q for n, qs in law.quantities.items() for q in qs}}


def marks(source: str) -> set[str]:
    """The marks of a source; one taken over by analogy counts as ours."""
    return {mark for found in MARK.findall(source) for mark in found if mark}


@pytest.mark.parametrize("name", figures())
def test_a_figure_says_where_it_comes_from(name: str) -> None:
    """It begins with a mark, and then names an instrument, a place or our own word for it."""
    source = figures()[name].source
    assert MARK.match(source), source
    assert len(MARK.sub("", source).strip()) > 3, source


@pytest.mark.parametrize("name", figures())
def test_what_is_proposed_or_not_verified_is_marked_so(name: str) -> None:
    """The office confirms it before it counts as a rule: the mark shows everywhere; nothing else has it."""
    figure = figures()[name]
    assert figure.proposed == bool(marks(figure.source) & UNSURE), figure.source


def test_every_mark_is_one_of_six() -> None:
    """A seventh would be a way around saying how sure we are; statutory is only what the law says."""
    for name, figure in figures().items():
        assert set(re.findall(r"\[(\w)[\]→]", figure.source)) <= MARKS.keys(), name
        if figure.weight == "statutory":
            assert "V" in marks(figure.source), name


def test_a_figure_stands_once() -> None:
    """No name is a term and a quantity; no two versions are of one day."""
    law = catalog().rulebook
    assert not law.rules.keys() & law.quantities.keys()
    for versions in law.rules.values():
        assert len({rule.since for rule in versions}) == len(versions)
    for quantities in law.quantities.values():
        assert len({quantity.since for quantity in quantities}) == len(quantities)


def values(told: Value, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every value of a file, and every key, with the keys around it."""
    if isinstance(told, dict):
        for key, value in told.items():
            yield path, key
            yield from values(value, (*path, key))
    elif isinstance(told, list):
        for value in told:
            yield from values(value, path)
    else:
        yield path, told


@pytest.mark.parametrize(
    "said",
    [
        "30 days",
        "within 24 hours",
        "30天内",
        "5个工作日",
        "2小时内",
        "70%",
        "三十日内办结",
        "五个工作日",
    ],
)
def test_a_limit_is_known_when_it_is_seen(said: str) -> None:
    """In either language, in figures or in words."""
    assert LIMIT.search(said)


@pytest.mark.parametrize(
    "path",
    sorted([*HERE.glob("*.yaml"), *HERE.glob("retired/*.yaml")]),
    ids=lambda path: str(path.relative_to(HERE)),
)
def test_no_file_but_the_rules_holds_a_limit(path: Path) -> None:
    """A workflow names a rule; only its ladders say when a rung rings."""
    if path.name == "rules.yaml":
        return
    for place, value in values(load(path).data):
        if not place or place[0] in NO_LIMITS:
            continue
        assert not LIMIT.search(value), f"{'.'.join(place)}: {value}"
        with pytest.raises(ValueError, match="is not a length of time"):
            Span.parse(value)
