"""How the columns of a table become the fields of an item: a small closed language, one file a source.

    key: FileNo                      # column that tells rows apart, kept as the item's outside key
    received_at: {column: Created, format: "%m/%d/%Y %I:%M:%S %p", zone: Asia/Shanghai}
    starts: receipt                  # when clocks start: receipt (the law) or import (practice)
    channel: "12345"                 # or {column: Source, values: {PHONE: phone}, default: import}
    fields:
      narrative: {columns: [Type, Text], join: " "}
      respondent: {column: Section, values: {交通局: SQD}, default: SQD}
      categories: {value: V01}
      contact: {name: {column: Caller}, phone: {column: Tel}}

A field takes `value` (a constant), `column` or `columns` (joined by `join`, blanks left out). Then
`values` translates, `default` stands in for what is blank or not listed, `split` cuts a list,
`format` reads dates (strptime; 上午/下午 count as AM/PM; ISO 8601 is always read).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.births import Birth
from engine.errors import DefinitionError, Finding, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from engine.definition import Transition, Workflow
    from engine.fieldspecs import FieldSpec
    from engine.loader import Document

MOST_KEY = 200
_HALVES = (("上午", "AM"), ("下午", "PM"))
_LISTS = frozenset({"choices", "texts", "people", "units"})
_PARTED = "contact"
_UNMAPPABLE = frozenset({"records"})
_TRUTHS = {"true": True, "false": False}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Where one value comes from."""

    value: str | None = None
    column: str | None = None
    columns: tuple[str, ...] = ()
    join: str = " "
    values: dict[str, str] | None = None
    default: str | None = None
    split: str | None = Field(default=None, min_length=1)
    format: str | None = Field(default=None, pattern="%")
    zone: str = "Asia/Shanghai"

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> Self:
        given = (self.value is not None, self.column is not None, bool(self.columns))
        if sum(given) != 1:
            raise ValueError("say one of value, column, columns")
        try:
            ZoneInfo(self.zone)
        except (LookupError, ValueError, OSError) as error:
            raise ValueError("zone is not a time zone, like Asia/Shanghai") from error
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it needs."""
        return self.columns or ((self.column,) if self.column is not None else ())

    def text(self, cells: Mapping[str, str]) -> str:
        """The value as text; blank where there is none. _Unread where `values` does not list it."""
        if self.value is not None:
            return self.value
        parts = (cells.get(column, "").strip() for column in self.reads)
        found = self.join.join(part for part in parts if part)
        if self.values is not None and found:
            translated = self.values.get(found, self.default)
            if translated is None:
                raise _UnreadError(
                    f"列“{'、'.join(self.reads)}”的值不在映射表中,请补充 values 或 default。"
                    "The map does not list this value; add it to values, or give a default."
                )
            return translated
        return found or self.default or ""


class Map(_Part):
    """One map file."""

    key: str | None = None
    received_at: Source | None = None
    starts: Literal["receipt", "import"] = "receipt"
    channel: Source | str = "import"
    fields: dict[str, Source | dict[str, Source]] = Field(min_length=1)

    def sources(self) -> list[tuple[tuple[str, ...], Source]]:
        """Every source with its place in the file."""
        found: list[tuple[tuple[str, ...], Source]] = []
        if self.received_at is not None:
            found.append((("received_at",), self.received_at))
        if isinstance(self.channel, Source):
            found.append((("channel",), self.channel))
        for name, told in self.fields.items():
            if isinstance(told, Source):
                found.append((("fields", name), told))
            else:
                found += [(("fields", name, part), source) for part, source in told.items()]
        return found


class _UnreadError(Exception):
    """A cell cannot be read as what the map says; the sentence names no value."""


def read_map(document: Document, workflow: Workflow) -> Map:
    """The map a file declares for a workflow. Raises DefinitionError with every finding."""
    try:
        found = Map.model_validate(document.data)
    except ValidationError as error:
        findings = [
            Finding(document.name, document.line(_path(fault["loc"])), "malformed", _told(fault))
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise DefinitionError(list(dict.fromkeys(findings))) from error
    findings = [
        Finding(document.name, document.line(("fields", name)), "unknown-field", sentence)
        for name, told in found.fields.items()
        if (sentence := _misplaced(workflow, name, told))
    ]
    if findings:
        raise DefinitionError(findings)
    return found


def missing_columns(found: Map, columns: Collection[str], document: Document) -> list[Finding]:
    """A finding for every column the map reads and the table lacks, and what columns there are."""
    needed = [(path, column) for path, source in found.sources() for column in source.reads]
    if found.key is not None:
        needed.insert(0, (("key",), found.key))
    lacking = [(path, column) for path, column in needed if column not in columns]
    findings = [
        Finding(
            document.name,
            document.line(path),
            "no-column",
            f"表中没有列“{column}” · no such column",
        )
        for path, column in lacking
    ]
    if findings:
        sentence = f"表中的列 · the table's columns: {'、'.join(columns)[:2000]}"
        findings.append(Finding(document.name, document.line(()), "columns", sentence))
    return findings


def _path(told: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A place without the names pydantic gives the branches of a choice."""
    return tuple(step for step in told if not str(step).startswith(("Source", "dict[", "str")))


def _told(fault: Mapping[str, Any]) -> str:
    where = ".".join(str(step) for step in _path(fault["loc"]))
    return f"{where}: {fault['msg']}"


def _misplaced(workflow: Workflow, name: str, told: Source | dict[str, Source]) -> str | None:
    variant: Transition = workflow.transitions["submit"][0]
    allowed = [*variant.requires, *variant.known, *variant.optional]
    spec = workflow.fields.get(name)
    if spec is None or name not in allowed or spec.derived:
        asked = "、".join(
            each for each in dict.fromkeys(allowed) if not workflow.fields[each].derived
        )
        return f"{name} 不能在登记时填写,可用的有 (cannot be given here; there are): {asked}"
    if spec.type in _UNMAPPABLE:
        return f"{name} 不能由表格导入 (holds a table itself and cannot come from a column)"
    if (spec.type == _PARTED) == isinstance(told, Source):
        return f"{name} 的写法不对 (contact is written {{name: {{column: ...}}}}, others {{column: ...}})"
    return None


@dataclass(frozen=True, slots=True)
class Mapper:
    """Rows of cells into births of one workflow."""

    map: Map
    workflow: Workflow

    def birth(self, cells: Mapping[str, str], now: datetime) -> Birth:
        """What a row would begin. Raises Invalid with every fault, naming columns and no values.

        The values themselves are checked where every item's are (`engine.forms`).
        """
        errors: list[tuple[str, str]] = []
        data: dict[str, Any] = {}
        for name, told in self.map.fields.items():
            spec = self.workflow.fields[name]
            try:
                data[name] = (
                    _typed(spec, told, cells)
                    if isinstance(told, Source)
                    else {part: source.text(cells) for part, source in told.items()}
                )
            except _UnreadError as unread:
                errors.append((f"/data/{name}", str(unread)))
        received_at = None
        try:
            received_at = self._received_at(cells, now)
        except _UnreadError as unread:
            errors.append(("/received_at", str(unread)))
        channel = ""
        try:
            told_by = self.map.channel
            channel = told_by if isinstance(told_by, str) else told_by.text(cells)
        except _UnreadError as unread:
            errors.append(("/channel", str(unread)))
        outside_key = None
        if self.map.key is not None:
            outside_key = cells.get(self.map.key, "").strip()
            if not 0 < len(outside_key) <= MOST_KEY or not outside_key.isprintable():
                sentence = (
                    "编号为空、过长或含控制字符。The key is blank, too long or holds control marks."
                )
                errors.append(("/key", sentence))
        if errors:
            raise Invalid(errors)
        return Birth(
            data,
            channel=channel or "import",
            outside_key=outside_key,
            received_at=received_at,
            from_receipt=self.map.starts == "receipt",
        )

    def _received_at(self, cells: Mapping[str, str], now: datetime) -> datetime | None:
        source = self.map.received_at
        if source is None:
            return None
        text = source.text(cells)
        if not text:
            raise _UnreadError("接收时间为空。The time of receipt is blank.")
        found = _moment(source, text)
        if found > now:
            raise _UnreadError(
                "接收时间在将来,请核对。The time of receipt lies in the future; check it."
            )
        return found


def _typed(spec: FieldSpec, source: Source, cells: Mapping[str, str]) -> Any:
    text = source.text(cells)
    if spec.type in _LISTS:
        parts = text.split(source.split) if source.split else [text]
        return [part.strip() for part in parts if part.strip()]
    reader = _READERS.get(spec.type)
    return reader(source, text) if reader and text else text


def _number(_: Source, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len("1000000000")):
        raise _UnreadError("应为整数。Give a whole number.")
    return int(text)


def _boolean(_: Source, text: str) -> bool:
    if text not in _TRUTHS:
        raise _UnreadError(
            "应为 true 或 false,请在 values 中翻译。Give true or false; translate it in values."
        )
    return _TRUTHS[text]


def _day(source: Source, text: str) -> date:
    if len(text) == len("2026-09-24"):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    return _moment(source, text).date()


def _moment(source: Source, text: str) -> datetime:
    """A point in time, in the zone of the source where the text names none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        if source.format is None:
            raise _UnreadError("日期无法识别,请写明 format。Not a date; give its format.") from None
        for chinese, latin in _HALVES:
            text = text.replace(chinese, latin)
        try:
            found = datetime.strptime(text, source.format)  # noqa: DTZ007 - the zone follows
        except ValueError:
            raise _UnreadError(
                "日期与 format 不符,请核对。The date does not fit its format; check both."
            ) from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(source.zone))


_READERS: Mapping[str, Callable[[Source, str], Any]] = {
    "number": _number,
    "boolean": _boolean,
    "moment": lambda source, text: _moment(source, text).isoformat(),
    "date": lambda source, text: _day(source, text).isoformat(),
}
