"""Lists written once in rules.yaml are drawn from as if every file wrote them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.catalog import digest
from engine.errors import DefinitionError
from engine.loader import parse
from engine.reading import read_rulebook, read_workflow
from tests.workflows.sample import LETTER, RULES, changed
from workflows import catalog

if TYPE_CHECKING:
    from engine.definition import Workflow

LISTS = """\
vocabularies:
  colours: {red: {title: 红, title_en: red, law: [甲法1]}, blue: {title: 蓝}}
  sizes: {big: {title: 大}}
"""
OWN = "choices: {yes: 属实, no: 不属实}"


def letter(choices: str) -> Workflow:
    """The letter with other choices in one field."""
    shared = read_rulebook(parse((RULES + LISTS).encode(), "rules.yaml")).vocabularies
    text = changed(LETTER, (OWN, f"choices: {choices}"))
    return read_workflow(parse(text.encode(), "letter.yaml"), shared)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("{from: colours}", {"red": "红", "blue": "蓝"}),
        ("{from: [colours, sizes]}", {"red": "红", "blue": "蓝", "big": "大"}),
        ("{from: colours, only: [blue]}", {"blue": "蓝"}),
        ("{from: colours, only: [blue, red]}", {"red": "红", "blue": "蓝"}),
        ("{from: colours, also: {other: 其他}}", {"red": "红", "blue": "蓝", "other": "其他"}),
        ("{also: {none: 无}, from: colours}", {"none": "无", "red": "红", "blue": "蓝"}),
        ("{from: 来自, to: 去往}", {"from": "来自", "to": "去往"}),  # a choice may be called so
    ],
)
def test_choices_are_drawn_in_the_order_they_are_written(told: str, found: dict[str, str]) -> None:
    """All of a list, some of it, and own ones before or after."""
    assert list(letter(told).fields["outcome"].choices.items()) == list(found.items())


def test_drawn_choices_are_the_same_file_as_written_ones() -> None:
    """The digest is that of the choices written out: nobody has to raise a version."""
    assert digest(letter("{from: colours}")) == digest(letter("{red: 红, blue: 蓝}"))
    assert digest(letter("{from: colours}")) != digest(letter("{from: sizes}"))


@pytest.mark.parametrize(
    ("told", "name", "word"),
    [
        ("{from: colors}", "unknown-vocabulary", "'colours'"),
        ("{from: colours, only: [rad]}", "unknown-choice", "'red'"),
        ("{from: []}", "malformed", "choices"),
        ("{from: colours, also: [other]}", "malformed", "choices"),
    ],
)
def test_a_list_that_is_not_there_is_found_at_its_line(told: str, name: str, word: str) -> None:
    """With the name that was probably meant."""
    with pytest.raises(DefinitionError) as refused:
        letter(told)
    (finding,) = refused.value.findings
    assert (finding.name, finding.file) == (name, "letter.yaml")
    assert finding.line == LETTER[: LETTER.index(OWN)].count("\n") + 1
    assert word in finding.sentence


def test_the_lists_of_the_plan_are_whole() -> None:
    """Seven kinds of misconduct, others, retaliation; six signals of a revisit: each with its law."""
    lists = catalog().rulebook.vocabularies
    kinds, signals = lists["misconduct_categories"], lists["revisit_signals"]
    assert list(kinds) == [*(f"M0{n}" for n in range(1, 8)), "M99", "R01"]
    assert list(signals) == ["V01", "V02", "V03", "V04", "V05", "V09"]
    assert all(term.law and term.title_en for term in kinds.values())
    assert signals["V05"].law[0] == "行政许可法32(四)"
