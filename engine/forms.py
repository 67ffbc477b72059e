"""What may be put into an item: every value checked against the field the file declares.

Complaints come all at once, each with a JSON pointer and a sentence that never repeats the value.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from engine.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.definition import Transition, Workflow
    from engine.fieldspecs import Column, FieldSpec
    from engine.notation import Protection
    from engine.people import Office
    from engine.questionnaires import Questionnaire

_CALENDAR_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")  # no week dates, no other digits
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?")
MOST_TEXT = 200
MOST_LONG_TEXT = 20_000
MOST_NOTE = 2000
MOST_MESSAGE = 4000
MOST_LINES = 50
MOST_RECORDS = 500
MOST_ROLL = 2_000_000
MOST_NUMBER = 1_000_000_000
CONTACT = {"name": 60, "phone": 40, "address": 200, "email": 120}
UNKNOWN = "unknown"
NO_QUESTIONNAIRE = (
    "本事项没有可以作答的问卷。There is no questionnaire to be answered here; leave this out."
)
FIRST_YEAR, LAST_YEAR = 2000, 2100  # the range of the calendar
NEAREST, FARTHEST = 2001, 2095  # of a date some clock may be due on


class _WrongError(Exception):
    """A value does not fit its field; the sentence says what would."""


@dataclass
class Accepted:
    """What an act brings, apart: plain values, personal values, and the people named by field."""

    plain: dict[str, Any] = field(default_factory=dict)
    personal: dict[str, Any] = field(default_factory=dict)
    named: dict[str, list[int]] = field(default_factory=dict)
    kept_out: set[str] = field(default_factory=set)  # fields naming people who are to stay out

    @property
    def all(self) -> dict[str, Any]:
        """Both kinds of values."""
        return {**self.plain, **self.personal}

    @property
    def people(self) -> tuple[int, ...]:
        """Everybody named to take part, each once: the guards ask about these, not the accused."""
        taking_part = (people for name, people in self.named.items() if name not in self.kept_out)
        return tuple(dict.fromkeys(person for people in taking_part for person in people))


def missing(transition: Transition, given: Mapping[str, Any], held: Iterable[str]) -> list[str]:
    """The fields that still have to be given: `requires` now, `known` now or earlier."""
    here = {name for name, value in given.items() if not _empty(value)}
    known = here | set(held)
    return [
        *(name for name in transition.requires if name not in here),
        *(
            name
            for name in transition.known
            if name not in known and name not in transition.requires
        ),
    ]


def accept(
    workflow: Workflow,
    transition: Transition,
    given: Mapping[str, Any],
    held: Iterable[str],
    office: Office,
    *,
    demand: bool = True,
    asked: Questionnaire | None = None,
) -> Accepted:
    """The values of an act, typed as the file declares them.

    `held` names the fields already on the item. Raises Invalid with every fault; `demand` off lets
    required fields be absent (the system acting on its own). `asked` is what a field of type answers
    answers.
    """
    errors: list[tuple[str, str]] = []
    allowed = {*transition.requires, *transition.known, *transition.optional}
    found = Accepted()
    for name, value in given.items():
        spec = workflow.fields.get(name)
        if spec is None or name not in allowed or spec.derived:  # derived: once, at the beginning
            known = name if spec is not None else "?"  # a name somebody made up may be a name
            errors.append(
                (
                    f"/data/{known}",
                    "此处不收这一项,请删去。This is not asked for here; leave it out.",
                )
            )
        elif not _empty(value):
            errors += _wrong_answers(name, spec, value, asked)
            try:
                kept, people = _read(spec, value, office)
                if name in workflow.due_dates:
                    _countable(kept)
            except _WrongError as wrong:
                errors.append((f"/data/{name}", str(wrong)))
                continue
            (found.personal if spec.personal else found.plain)[name] = kept
            if people:
                found.named[name] = people
            if spec.duty in {"accused", "recused"}:
                found.kept_out.add(name)
    if demand:
        errors += [
            (
                f"/data/{name}",
                (
                    f"请填写“{workflow.fields[name].title}”。"
                    f"{workflow.fields[name].title_en} is needed."
                ),
            )
            for name in missing(transition, given, held)
        ]
    if errors:
        raise Invalid(errors)
    return found


def refuse_identities(workflow: Workflow, accepted: Accepted, protection: Protection) -> None:
    """Raise Invalid where somebody who is to stay anonymous would be named."""
    if protection == "anonymous" and (
        named := sorted(accepted.personal.keys() & workflow.identities)
    ):
        sentence = (
            "您选择了匿名,不收姓名和联系方式,请删去这一项再提交。"
            "This is anonymous: no name and no contact is taken; leave this out and send it again."
        )
        raise Invalid([(f"/data/{name}", sentence) for name in named])


def _empty(value: object) -> bool:
    """Nothing, or a list of nothings; what lies deeper no field takes, so it is not looked at."""
    if isinstance(value, list):
        return all(_blank(each) for each in value)
    return _blank(value)


def _blank(value: object) -> bool:
    if isinstance(value, str):
        return all(char.isspace() or unicodedata.category(char) == "Cf" for char in value)
    return value is None or value == {}


def _wrong_answers(
    name: str, spec: FieldSpec, value: object, asked: Questionnaire | None
) -> list[tuple[str, str]]:
    if spec.type != "answers":
        return []
    if asked is None:
        return [(f"/data/{name}", NO_QUESTIONNAIRE)]
    return [(f"/data/{name}{at}", why) for at, why in asked.judge(value)]


def _read(spec: FieldSpec, value: object, office: Office) -> tuple[Any, list[int]]:
    if spec.type in {"person", "people"}:
        return _people(spec, value, office)
    if spec.type == "unit":
        return _unit(value, office), []
    if spec.type == "units":
        return _units(value, office), []
    if spec.type in {"choice", "choices"}:
        return _choice(spec, value), []
    if spec.type == "records":
        return _records(spec, value, office), []
    return _READERS[spec.type](value), []


def plain_text(pointer: str, value: object, most: int) -> str:
    """A text of at most so many characters, or none. Raises Invalid."""
    try:
        return _text(value, most).strip()
    except _WrongError as wrong:
        raise Invalid([(pointer, str(wrong))]) from None


def note_text(value: object) -> str:
    """The text of a note. Raises Invalid where it is empty, too long or cannot be kept."""
    return _words("/text", value, MOST_NOTE)


def message_text(value: object) -> str:
    """The text of a message between petitioner and office. Raises Invalid like `note_text`."""
    return _words("/body", value, MOST_MESSAGE)


def _words(pointer: str, value: object, most: int) -> str:
    try:
        text = _text(value, most)
    except _WrongError as wrong:
        raise Invalid([(pointer, str(wrong))]) from None
    if _blank(text):
        raise Invalid([(pointer, "请填写内容。Write something.")])
    return text


def _text(value: object, most: int = MOST_TEXT) -> str:
    if not isinstance(value, str):
        raise _WrongError("应为文字。Give text.")
    if len(value) > most:
        raise _WrongError(f"最多{most}字。At most {most} characters; shorten it.")
    for char in value:
        if char not in "\n\r\t" and unicodedata.category(char) in {"Cc", "Cs"}:
            raise _WrongError(
                "含有控制字符,请删去。Holds control characters; take them out and send it again."
            )
    return value


def _long_text(value: object) -> str:
    return _text(value, MOST_LONG_TEXT)


def _roll(value: object) -> str:
    return _text(value, MOST_ROLL)


def _texts(value: object) -> list[str]:
    lines = [value] if isinstance(value, str) else value
    if not isinstance(lines, list) or len(lines) > MOST_LINES:
        raise _WrongError(f"应为至多{MOST_LINES}行文字。Give a list of at most {MOST_LINES} lines.")
    return [_text(line, MOST_LONG_TEXT // 10) for line in lines]


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("应为 true 或 false。Give true or false.")
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_NUMBER:
        raise _WrongError(f"应为0至{MOST_NUMBER}的整数。Give a whole number up to {MOST_NUMBER}.")
    return value


def _date(value: object) -> str:
    try:
        found = (
            date.fromisoformat(value)
            if isinstance(value, str) and _CALENDAR_DATE.fullmatch(value)
            else None
        )
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise _WrongError("应为日期,如 2026-09-24。Give a date like 2026-09-24.")
    return found.isoformat()


def _countable(day: str) -> None:
    """A clock may be due on this day: the calendar has room for its roll and its rungs."""
    if not NEAREST <= date.fromisoformat(day).year <= FARTHEST:
        raise _WrongError(
            f"日期须在{NEAREST}年至{FARTHEST}年之间。Give a date between {NEAREST} and {FARTHEST}."
        )


def _moment(value: object) -> str:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise _WrongError(
            "应为带时区的时间,如 2026-09-24T09:30:00+08:00。"
            "Give a time with its offset, like 2026-09-24T09:30:00+08:00."
        )
    return found.isoformat()


def _contact(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not set(value) <= set(CONTACT):
        raise _WrongError(
            "应为联系方式 {name, phone, address, email}。Give name, phone, address or email only."
        )
    return {
        str(name): _text(text, CONTACT[str(name)])
        for name, text in value.items()
        if text not in (None, "")
    }


_READERS: Mapping[str, Callable[[object], Any]] = {
    "text": _text,
    "long_text": _long_text,
    "roll": _roll,
    "texts": _texts,
    "boolean": _boolean,
    "number": _number,
    "date": _date,
    "moment": _moment,
    "item": _text,
    "contact": _contact,
    "answers": lambda value: value,  # judged against what was asked
}


def _offered(choices: Mapping[str, str]) -> str:
    """What may be chosen: the code to write, and what it means."""
    offered = ", ".join(f"{code}（{title}）" for code, title in choices.items())
    return f"应从下列各项中选择 (choose from): {offered}"


def _choice(spec: FieldSpec, value: object) -> str | list[str]:
    many = spec.type == "choices"
    chosen = value if many and isinstance(value, list) else [value]
    if not all(isinstance(each, str) and each in spec.choices for each in chosen):
        raise _WrongError(_offered(spec.choices))
    unique = list(dict.fromkeys(str(each) for each in chosen))
    return unique if many else unique[0]


def _unit(value: object, office: Office) -> str:
    unit = office.unit_named(value) if isinstance(value, str) else None
    if unit is None:
        names = "、".join(each.name for each in office.units.values())
        raise _WrongError(f"没有这个单位,请从下列单位中选择 (no such unit; choose from): {names}")
    return unit.code


def _units(value: object, office: Office) -> list[str]:
    words = value if isinstance(value, list) else [value]
    if not words or len(words) > MOST_LINES:
        raise _WrongError(f"应为至多{MOST_LINES}个单位。Give a list of at most {MOST_LINES} units.")
    return list(dict.fromkeys(_unit(word, office) for word in words))


def _people(spec: FieldSpec, value: object, office: Office) -> tuple[Any, list[int]]:
    if spec.or_unknown and value in (UNKNOWN, [UNKNOWN]):
        return UNKNOWN, []
    accounts = value if isinstance(value, list) else [value]
    if not accounts or (spec.type == "person" and len(accounts) != 1) or len(accounts) > MOST_LINES:
        raise _WrongError(
            "请填写账号。Give the account of one person, or a list where many may be."
        )
    people = [
        office.person_named(account) if isinstance(account, str) else None for account in accounts
    ]
    if not all(people):
        raise _WrongError("没有这个账号,请核对。No such account; check the spelling.")
    found = list(dict.fromkeys(person for person in people if person is not None))
    kept = [person.account for person in found]
    return (kept[0] if spec.type == "person" else kept), [person.id for person in found]


def _records(spec: FieldSpec, value: object, office: Office) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MOST_RECORDS:
        raise _WrongError(f"应为至多{MOST_RECORDS}条记录。Give at most {MOST_RECORDS} records.")
    found = [_record(spec.columns, record, office) for record in value]
    for name, column in spec.columns.items():
        if not isinstance(column, str) and column.each_once:
            given = [record[name] for record in found if name in record]
            if sorted(given) != sorted(column.choices):
                raise _WrongError(
                    f"“{column.title}”应逐项填写,不缺不重 (column {name}, each of these once): "
                    f"{', '.join(column.choices)}"
                )
    return found


def _record(columns: Mapping[str, str | Column], record: object, office: Office) -> dict[str, Any]:
    if not isinstance(record, dict) or not set(record) <= set(columns):
        raise _WrongError(f"每条记录的列为 (columns): {', '.join(columns)}")
    found: dict[str, Any] = {}
    for name, column in columns.items():
        value = record.get(name)
        if isinstance(column, str):
            if name in record:
                found[name] = _text(value)
        elif not _empty(value):
            try:
                found[name] = _cell(column, value, office)
            except _WrongError as wrong:
                raise _WrongError(f"“{column.title}”(column {name}): {wrong}") from None
        elif column.needed:
            raise _WrongError(f"每条记录都要填写“{column.title}”。Every record needs its {name}.")
    return found


def _cell(column: Column, value: object, office: Office) -> Any:
    if column.type == "unit":
        return _unit(value, office)
    if column.type == "choice":
        if isinstance(value, str) and value in column.choices:
            return value
        raise _WrongError(_offered(column.choices))
    return _COLUMNS[column.type](value)


def _decimal(value: object) -> str:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return value
    raise _WrongError("应为小数,如 0.15。Give a decimal as text, like 0.15.")


_COLUMNS: Mapping[str, Callable[[object], Any]] = {
    **{name: _READERS[name] for name in ("text", "long_text", "texts", "date")},
    "number": _number,
    "decimal": _decimal,
}


def holds(when: Mapping[str, tuple[str, ...]], values: Mapping[str, Any]) -> bool:
    """Whether each field holds (or contains) one of its values."""
    for name, wanted in when.items():
        value = values.get(name)
        have = value if isinstance(value, list) else [value]
        if not any(_word(each) in wanted for each in have):
            return False
    return True


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
