"""Tables from outside: csv, json and xlsx as rows of text, read piece by piece where that is possible.

Nothing in a file is trusted: sizes are bounded, an encoding that is neither UTF-8 nor GB18030 is
refused, a damaged row is told by its number and the rest is read. A formula is text like any other
(in a workbook: its last value); nothing here computes it.
"""

from __future__ import annotations

import codecs
import csv
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson
from python_calamine import CalamineError, CalamineWorkbook

from engine.errors import BanjieError
from engine.importing import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Table", "TableError", "pieces", "read_table"]

MOST_BYTES = 100 * 1024 * 1024
MOST_UNPACKED = 1024 * 1024 * 1024
MOST_COLUMNS = 1000
MOST_CELL = 200_000
_PIECE = 1024 * 1024
_MARK = "\ufffd"
_UTF8_FOR_SURE = 8
"""So many characters of several bytes before the first fault, and a file is UTF-8 with a damage."""


class TableError(BanjieError):
    """A file cannot be read as a table; the sentence says what to do."""

    code = "unreadable-table"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns and its rows, numbered as a spreadsheet numbers them (json: from 1)."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


def read_table(path: Path) -> Table:
    """Open a table by the ending of its name. Raises TableError with a sentence."""
    readers = {".csv": _csv, ".json": _json, ".xlsx": _xlsx}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TableError(
            f"不认识的文件类型 {path.suffix or path.name!r}:请用 .csv、.json 或 .xlsx(压缩包请先解开)。"
            "Not a kind of table Banjie reads; give .csv, .json or .xlsx, unpacked."
        )
    try:
        size = path.stat().st_size
    except OSError as error:
        raise TableError(
            f"文件 {path.name} 打不开({error.strerror})。The file cannot be opened."
        ) from error
    if size > MOST_BYTES:
        raise TableError(
            "文件超过100 MB,请分成几份导入。The file is over 100 MB; split it and import the parts."
        )
    if size == 0:
        raise TableError("文件是空的。The file is empty.")
    try:
        return reader(path)
    except OSError as error:
        raise TableError(
            f"文件 {path.name} 读不出({error.strerror})。The file cannot be read."
        ) from error


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a megabyte at a time."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


# --- csv --------------------------------------------------------------------------------------


def _csv(path: Path) -> Table:
    encoding = _encoding(path)
    lines = _lines(path, encoding)
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    csv.field_size_limit(MOST_CELL)
    reader = csv.reader(chain([first], lines), delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise TableError("首行不是列名。The first row does not name the columns.") from error
    columns = _columns(header)
    return Table(columns, _csv_rows(reader, columns))


def _csv_rows(reader: Iterator[list[str]], columns: tuple[str, ...]) -> Iterator[Row]:
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Row(number, {}, "此行不是合法的 csv。This row is not sound csv; repair it.")
            continue
        if any(cell.strip() for cell in cells):
            yield _row(number, columns, cells)


def _row(number: int, columns: tuple[str, ...], cells: list[str]) -> Row:
    spare = cells[len(columns) :]
    if len(cells) < len(columns) or any(cell.strip() for cell in spare):
        return Row(
            number,
            {},
            f"有{len(cells)}格,应为{len(columns)}格。"
            f"Holds {len(cells)} cells where there are {len(columns)} columns.",
        )
    if any(_MARK in cell for cell in cells):
        return Row(
            number, {}, "有无法识别的字节,请核对编码。Holds bytes that are no text; check it."
        )
    return Row(number, dict(zip(columns, cells, strict=False)))


def _lines(path: Path, encoding: str) -> Iterator[str]:
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        yield from file


def _encoding(path: Path) -> str:
    """UTF-8 (with or without a mark) or GB18030; a UTF-8 file with a damage stays UTF-8."""
    if _damage(path, "utf-8") is None:
        return "utf-8-sig"
    with path.open("rb") as file:
        marked = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    if marked or (_damage(path, "utf-8") or 0) >= _UTF8_FOR_SURE:
        return "utf-8-sig"
    if _damage(path, "gb18030") is None:
        return "gb18030"
    raise TableError(
        "文件既不是 UTF-8 也不是 GB18030,请另存为 UTF-8。"
        "The file is neither UTF-8 nor GB18030; save it as UTF-8."
    )


def _damage(path: Path, encoding: str) -> int | None:
    """How many characters beyond ASCII come before the first that cannot be read; None: all can."""
    decoder = codecs.getincrementaldecoder(encoding)()
    good = 0
    for piece in chain(pieces(path), [b""]):
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, errors="ignore")
            return good + sum(not char.isascii() for char in before)
        if not text.isascii():
            good += sum(not char.isascii() for char in text)
    return None


# --- json -------------------------------------------------------------------------------------


def _json(path: Path) -> Table:
    try:
        told = orjson.loads(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise TableError(
            f"第{error.lineno}行第{error.colno}列:不是合法的 json。"
            f"Line {error.lineno}, column {error.colno}: not sound json in UTF-8."
        ) from error
    if not isinstance(told, list):
        raise TableError(
            "应为对象的列表 [{...}, ...]。The file must hold a list of objects: [{...}, ...]."
        )
    names = dict.fromkeys(key for record in told if isinstance(record, dict) for key in record)
    return Table(_columns(list(names)), _json_rows(told))


def _json_rows(told: list[Any]) -> Iterator[Row]:
    for number, record in enumerate(told, 1):
        if not isinstance(record, dict):
            yield Row(number, {}, "不是一个对象。Not an object; give {column: value}.")
        elif any(isinstance(value, dict | list) for value in record.values()):
            yield Row(number, {}, "含有嵌套的值。Holds nested values; give text and numbers only.")
        else:
            yield Row(number, {name: _text(value) for name, value in record.items()})


# --- xlsx -------------------------------------------------------------------------------------


def _xlsx(path: Path) -> Table:
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
    except zipfile.BadZipFile as error:
        raise TableError("不是合法的 xlsx 文件。Not a sound xlsx file; save it again.") from error
    if unpacked > MOST_UNPACKED:
        raise TableError("工作簿展开后过大,请分开。The workbook is too large unpacked; split it.")
    try:
        sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
        rows: Iterator[list[Any]] = iter(sheet.iter_rows())
        above = sheet.start[0] if sheet.start else 0
        numbered = ((above + at, cells) for at, cells in enumerate(rows, 1))
        _, header = next(numbered, (0, []))
        while header and not any(_text(cell).strip() for cell in header):
            _, header = next(numbered, (0, []))
    except CalamineError as error:
        raise TableError(
            "不是可读的 xlsx 文件。Not a readable xlsx file; save it again."
        ) from error
    names = [_text(cell).strip() for cell in header]
    while names and not names[-1]:
        names.pop()
    columns = _columns(names)
    return Table(columns, _xlsx_rows(numbered, columns))


def _xlsx_rows(
    numbered: Iterable[tuple[int, list[Any]]], columns: tuple[str, ...]
) -> Iterator[Row]:
    for number, cells in numbered:
        texts = [_text(cell) for cell in cells]
        if any(text.strip() for text in texts):
            texts += [""] * (len(columns) - len(texts))
            yield _row(number, columns, texts)


# --- both -------------------------------------------------------------------------------------


def _columns(names: list[str]) -> tuple[str, ...]:
    """The header, judged: named, not twice, not too many. A column without a name is not read."""
    if not any(names) or len(names) > MOST_COLUMNS:
        raise TableError(
            "首行应为列名。The first row must name the columns (at most "
            f"{MOST_COLUMNS}); put it there."
        )
    named = [name or f"({at})" for at, name in enumerate(names, 1)]
    if twice := {name for name in named if named.count(name) > 1}:
        raise TableError(
            f"列名重复(column named twice): {'、'.join(sorted(twice))[:200]}。请改名。Rename one."
        )
    return tuple(named)


def _text(value: object) -> str:
    """A cell as text: whole numbers without a point, dates as ISO 8601, nothing as blank."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)
