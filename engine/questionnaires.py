"""Questionnaires as data: a file a version, verbatim from its source, and what an answer to it may be.

A question that lacks a part of its source is withheld, never completed by invention: it can be
neither published nor answered. An invitation keeps the label of the version it was sent with, and
the label holds a digest of the file, so that a file changed quietly fits no invitation any more.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from engine.notation import Name, Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_WORDS = 2000
MOST_FOLLOW_UP = 200
_DIGEST_SHOWN = 12

Words = Annotated[str, Field(min_length=1, max_length=500)]
Errors = list[tuple[str, str]]
"""(JSON pointer below the answers, sentence)."""

NOT_ASKED = "问卷没有这一题,请删去。The questionnaire has no such question; leave it out."
SHAPE = (
    "应为 {chosen: [选项序号], follow_up: 补充}。"
    'Give {"chosen": [numbers of options], "follow_up": "..."}.'
)
WITHHELD = "本题尚未发布,不能作答,请删去。This question is not published; leave it out."


class AnswerOption(Part):
    """One choice as printed. `issue` and `kinds` are our coding of it and are shown to nobody who
    answers; an `exclusive` one stands alone.
    """

    n: int = Field(ge=1, le=50)
    text: Words
    exclusive: bool = False
    issue: Name | None = None
    kinds: tuple[str, ...] = ()


class FollowUp(Part):
    """A line to be filled in after a question; never required."""

    text: Words
    kind: Literal["text"] = "text"


class Question(Part):
    """A question as printed: with options, or (`kind: long_text`) in the answerer's own words.

    `selection` is what the source says, `reading` how we take it where it says nothing.
    """

    id: str = Field(pattern=r"^[A-Z][A-Z0-9]{0,7}$")
    stem: Words
    kind: Literal["choice", "long_text"] = "choice"
    selection: Literal["one", "many", "unspecified"] = "unspecified"
    reading: Literal["one", "many"] = "many"
    options: tuple[AnswerOption, ...] = ()
    follow_up: FollowUp | None = None
    note: str | None = None
    missing: tuple[str, ...] = ()
    publishable: bool = True

    @model_validator(mode="after")
    def _nothing_invented(self) -> Self:
        if self.publishable and self.missing:
            raise ValueError(
                f"{self.id} lacks {', '.join(self.missing)} of its source and cannot be published;"
                " write `publishable: false` until the bureau supplies them"
            )
        if self.publishable and self.kind == "choice" and not self.options:
            raise ValueError(
                f"{self.id} has no options and cannot be published; write `publishable: false`"
                " until the bureau supplies them"
            )
        if len({option.n for option in self.options}) < len(self.options):
            raise ValueError(f"{self.id} numbers two options alike")
        return self

    @cached_property
    def by_number(self) -> dict[int, AnswerOption]:
        """The options by their printed number."""
        return {option.n: option for option in self.options}

    @property
    def many(self) -> bool:
        """Whether several options may be chosen together."""
        taken = self.reading if self.selection == "unspecified" else self.selection
        return taken == "many"


class Section(Part):
    """A part of the questionnaire. One that only says what is missing has no questions."""

    id: str = Field(pattern=r"^[A-Z]{1,8}$")
    heading: str | None = None
    required: bool | Literal["unspecified"] = "unspecified"
    questions: tuple[Question, ...] = ()
    note: str | None = None
    missing: str | None = None


class Questionnaire(Part):
    """One version of a questionnaire, never changed once it is out."""

    code: str = Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,30}$")
    version: int = Field(ge=1)
    title_annex: Words
    title_in_text: Words
    source_status: str
    sections: tuple[Section, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [question.id for section in self.sections for question in section.questions]
        if len(set(ids)) < len(ids):
            raise ValueError("two questions have one id")
        if not any(True for _ in self.published()):
            raise ValueError("no question can be published")
        return self

    @cached_property
    def label(self) -> str:
        """The version as an item names it: code, version, and a digest of all that the file says."""
        told = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(told).hexdigest()[:_DIGEST_SHOWN]
        return f"{self.code}.{self.version}.{digest}"

    @cached_property
    def questions(self) -> dict[str, Question]:
        """Every question by id, the withheld ones too."""
        return {q.id: q for section in self.sections for q in section.questions}

    @cached_property
    def required(self) -> frozenset[str]:
        """The questions without an answer to which nothing is taken."""
        return frozenset(q.id for section, q in self.published() if section.required is True)

    def published(self) -> Iterator[tuple[Section, Question]]:
        """What people are asked, in order."""
        for section in self.sections:
            for question in section.questions:
                if question.publishable:
                    yield section, question

    def judge(self, answers: object) -> Errors:
        """What is wrong with answers to it; [] where they can be taken."""
        if not isinstance(answers, dict):
            return [("", "应按题号填写,如 Q1。Give the answers by question, like Q1.")]
        errors: Errors = []
        for name, given in answers.items():
            question = self.questions.get(str(name))
            if question is None:
                if ("/?", NOT_ASKED) not in errors[:1]:
                    errors.insert(0, ("/?", NOT_ASKED))  # a name somebody made up may be a name
            elif not question.publishable:
                errors.append((f"/{question.id}", WITHHELD))
            else:
                errors += [(f"/{question.id}{at}", why) for at, why in _judge(question, given)]
        errors += [
            (f"/{question.id}", "这一题必须回答。This question must be answered.")
            for _, question in self.published()
            if question.id in self.required and question.id not in answers
        ]
        return errors

    def chosen(self, answers: Mapping[str, Any]) -> Iterator[tuple[Question, AnswerOption]]:
        """The options of answers that were taken, in the order of the questions."""
        for _, question in self.published():
            if question.kind == "choice" and question.id in answers:
                yield from (
                    (question, question.by_number[n]) for n in answers[question.id]["chosen"]
                )

    def shown(self) -> dict[str, Any]:
        """What is published of it: no withheld question, no note, no coding."""
        sections: dict[str, dict[str, Any]] = {}
        for section, question in self.published():
            shown = sections.setdefault(
                section.id, {"id": section.id, "heading": section.heading, "questions": []}
            )
            shown["questions"].append(
                {
                    "id": question.id,
                    "stem": question.stem,
                    "kind": question.kind,
                    "required": question.id in self.required,
                    "many": question.kind == "choice" and question.many,
                    "options": [
                        {"n": option.n, "text": option.text, "exclusive": option.exclusive}
                        for option in question.options
                    ],
                    "follow_up": question.follow_up.text if question.follow_up else None,
                    "most": MOST_WORDS if question.kind == "long_text" else None,
                }
            )
        return {
            "code": self.code,
            "version": self.version,
            "template_version": self.label,
            "title": self.title_annex,
            "title_in_text": self.title_in_text,
            "sections": list(sections.values()),
        }


def _judge(question: Question, given: object) -> Iterator[tuple[str, str]]:
    if question.kind == "long_text":
        yield from _judge_words("", given, MOST_WORDS)
        return
    if not isinstance(given, dict) or not set(given) <= {"chosen", "follow_up"}:
        yield "", SHAPE
        return
    yield from _judge_chosen(question, given.get("chosen"))
    if given.get("follow_up") is not None:
        if question.follow_up is None:
            yield "/follow_up", NOT_ASKED
        else:
            yield from _judge_words("/follow_up", given["follow_up"], MOST_FOLLOW_UP)


def _judge_chosen(question: Question, chosen: object) -> Iterator[tuple[str, str]]:
    if not isinstance(chosen, list) or not chosen:
        yield "/chosen", "请至少选择一项。Choose at least one option."
        return
    known = [
        isinstance(n, int) and not isinstance(n, bool) and n in question.by_number for n in chosen
    ]
    if not all(known):
        numbers = ", ".join(str(n) for n in question.by_number)
        at = known.index(False)  # the first is told: a refusal is no longer than what it refuses
        yield f"/chosen/{at}", f"没有这个选项,请从下列各项中选择 (choose from): {numbers}"
        return
    if len(set(chosen)) < len(chosen):
        yield "/chosen", "同一选项只能选一次。Choose each option once."
    if len(chosen) > 1 and any(question.by_number[n].exclusive for n in chosen):
        alone = next(question.by_number[n] for n in chosen if question.by_number[n].exclusive)
        yield (
            "/chosen",
            f"“{alone.text}”不能与其他选项同时选择。Option {alone.n} stands alone.",
        )
    elif len(chosen) > 1 and not question.many:
        yield "/chosen", "本题只能选一项。Choose one option only."


def _judge_words(at: str, given: object, most: int) -> Iterator[tuple[str, str]]:
    if not isinstance(given, str):
        yield at, "应为文字。Give text."
    elif len(given) > most:
        yield at, f"最多{most}字,请缩短。At most {most} characters; shorten it."
    elif any(c not in "\n\r\t" and unicodedata.category(c) in {"Cc", "Cs"} for c in given):
        yield at, "含有控制字符,请删去。Holds control characters; take them out."
