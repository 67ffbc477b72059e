"""The questionnaire as data: what is asked, what is withheld, and which answers fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import DefinitionError
from engine.loader import load, parse
from engine.reading import read_questionnaire
from workflows import HERE

if TYPE_CHECKING:
    from engine.questionnaires import Questionnaire

FILE = HERE / "questionnaires" / "xc-yfxz-2023.yaml"
GOOD: dict[str, Any] = {
    "Q1": {"chosen": [1, 3], "follow_up": "第一分局"},
    "Q2": {"chosen": [5]},
    "Q3": {"chosen": [1]},
}


def printed() -> Questionnaire:
    """The bureau's questionnaire."""
    return read_questionnaire(load(FILE))


def changed(old: str, new: str) -> Questionnaire:
    """The same file with one thing changed."""
    text = FILE.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    return read_questionnaire(parse(text.replace(old, new).encode(), FILE.name))


def test_every_word_of_the_annex_is_there_and_only_they() -> None:
    """Stems and options are the source's own, in its order."""
    shown = printed().shown()
    assert [section["heading"] for section in shown["sections"]] == ["一、必答项", "问答项"]
    asked = [question for section in shown["sections"] for question in section["questions"]]
    assert [question["id"] for question in asked] == ["Q1", "Q2", "Q3", "E1", "E2"]
    assert [option["text"] for option in asked[1]["options"]] == [
        *("越权执法", "执法不公开", "执法简单粗暴", "乱收费、乱罚款", "不存在以上情况"),
    ]
    assert [question["required"] for question in asked] == [True, True, True, False, False]
    assert [question["many"] for question in asked] == [True, True, False, False, False]


def test_what_is_withheld_is_nowhere_in_what_is_published() -> None:
    """Of the fourth question the source has a stem and no options: nobody is shown either."""
    told = str(printed().shown())
    assert "Q4" not in told
    assert "久拖不决" not in told
    assert "issue" not in told


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("        publishable: false\n", "", "Q4 lacks options, follow_up of its source"),
        (
            "        missing: [options, follow_up]\n        publishable: false\n",
            "        publishable: true\n",
            "Q4 has no options and cannot be published",
        ),
        ("{n: 2, text: 执法不公开", "{n: 1, text: 执法不公开", "numbers two options alike"),
        ("- id: Q2", "- id: Q1", "two questions have one id"),
        (
            "        selection: unspecified\n        reading: one",
            "        selection: some",
            "selection",
        ),
    ],
)
def test_a_questionnaire_that_completes_its_source_is_refused(
    old: str, new: str, said: str
) -> None:
    """A question without options cannot be published, whatever the file says."""
    with pytest.raises(DefinitionError) as refusal:
        changed(old, new)
    assert said in str(refusal.value)


def test_with_the_options_supplied_the_question_can_be_published() -> None:
    """Once the bureau says what the options are, a new version may ask it."""
    supplied = changed(
        "        missing: [options, follow_up]\n        publishable: false\n",
        "        options: [{n: 1, text: 有}, {n: 2, text: 没有}]\n",
    )
    assert "Q4" in str(supplied.shown())
    assert supplied.label != printed().label


def test_a_version_changed_quietly_has_another_label() -> None:
    """One word more and the label fits no invitation that was sent."""
    assert printed().label.startswith("XC-YFXZ-2023.1.")
    assert changed("执法简单粗暴,", "执法粗暴,").label != printed().label


def test_good_answers_are_taken() -> None:
    """Several options, an exclusive one alone, the optional words in part."""
    assert printed().judge(GOOD) == []
    assert printed().judge({**GOOD, "E2": "总体不错,希望一次说清。"}) == []


@pytest.mark.parametrize(
    ("wrong", "pointer", "said"),
    [
        ({"Q4": {"chosen": [1]}}, "/Q4", "尚未发布"),
        ({"Q9": {"chosen": [1]}}, "/?", "没有这一题"),
        ({"Q1": {"chosen": [9]}}, "/Q1/chosen/0", "没有这个选项"),
        ({"Q1": {"chosen": [1, True]}}, "/Q1/chosen/1", "没有这个选项"),
        ({"Q1": {"chosen": [1, 4]}}, "/Q1/chosen", "不能与其他选项同时选择"),
        ({"Q1": {"chosen": [1, 1]}}, "/Q1/chosen", "只能选一次"),
        ({"Q1": {"chosen": []}}, "/Q1/chosen", "至少选择一项"),
        ({"Q1": {"follow_up": "第一分局"}}, "/Q1/chosen", "至少选择一项"),
        ({"Q1": [1]}, "/Q1", "chosen"),
        ({"Q1": {"chosen": [1], "why": "x"}}, "/Q1", "chosen"),
        ({"Q1": {"chosen": [1], "follow_up": "x" * 201}}, "/Q1/follow_up", "最多200字"),
        ({"Q1": {"chosen": [1], "follow_up": ["x"]}}, "/Q1/follow_up", "应为文字"),
        ({"Q3": {"chosen": [1, 2]}}, "/Q3/chosen", "只能选一项"),
        ({"E1": "长" * 2001}, "/E1", "最多2000字"),
        ({"E1": {"chosen": [1]}}, "/E1", "应为文字"),
        ({"E1": "\x07"}, "/E1", "控制字符"),
    ],
)
def test_a_wrong_answer_is_pointed_at(wrong: dict[str, Any], pointer: str, said: str) -> None:
    """Each fault has its place and a sentence; a made-up name is not repeated."""
    errors = printed().judge({**GOOD, **wrong})
    assert [at for at, _ in errors] == [pointer]
    assert said in errors[0][1]


def test_what_must_be_answered_must_be() -> None:
    """The three published questions of the first part, all complained of at once."""
    assert [at for at, _ in printed().judge({"E1": "无"})] == ["/Q1", "/Q2", "/Q3"]
    assert printed().judge("no")[0][0] == ""


def test_the_choices_of_an_answer_come_with_their_coding() -> None:
    """What was chosen leads to the issue codes and the kinds of conduct of the domain."""
    found = [(q.id, o.n, o.issue, o.kinds) for q, o in printed().chosen({**GOOD, "E1": "无"})]
    assert found == [
        ("Q1", 1, "procedure", ()),
        ("Q1", 3, "not_disclosed", ()),
        ("Q2", 5, None, ()),
        ("Q3", 1, None, ()),
    ]


@pytest.mark.parametrize(
    "answers",
    [
        {f"X{at}": 1 for at in range(5000)},
        {"Q1": {"chosen": ["x"] * 10_000}},
        {"Q1": {"chosen": [1] * 10_000}},
    ],
)
def test_a_refusal_is_no_longer_than_what_it_refuses(answers: dict[str, object]) -> None:
    """Thousands of wrong names or options are told once."""
    assert len(printed().judge({**GOOD, **answers})) == 1
