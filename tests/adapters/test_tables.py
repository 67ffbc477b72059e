"""Tables from outside are read as they are, and a damaged row is told by its number."""

from __future__ import annotations

import datetime as dt
import zipfile
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pytest

from adapters import tables
from adapters.tables import TableError, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from engine.importing import Row


def read(path: Path) -> tuple[tuple[str, ...], list[Row]]:
    """Columns and rows."""
    table = read_table(path)
    return table.columns, list(table.rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_in_the_encodings_offices_use(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    """Excel's own csv is GB18030 in China; a file from elsewhere is UTF-8 with or without a mark."""
    path = tmp_path / "calls.csv"
    text = f'编号{delimiter}内容\r\n1{delimiter}"夜里 ""噪音""\n扰民"\r\n\r\n2{delimiter}污水\r\n'
    path.write_bytes(text.encode(encoding))
    columns, rows = read(path)
    assert columns == ("编号", "内容")
    assert [row.number for row in rows] == [2, 4]
    assert [row.cells["内容"] for row in rows] == ['夜里 "噪音"\n扰民', "污水"]


def test_a_utf8_file_with_a_damage_stays_utf8(tmp_path: Path) -> None:
    """One bad byte must not turn a hundred rows of Chinese into other Chinese."""
    path = tmp_path / "calls.csv"
    body = "编号,内容\n1,噪音扰民请查处\n".encode() + b"2,\xff\xfe\n" + "3,污水横流\n".encode()
    path.write_bytes(body)
    _, rows = read(path)
    assert [row.cells.get("内容") for row in rows] == ["噪音扰民请查处", None, "污水横流"]
    assert rows[1].number == 3
    assert "no text" in (rows[1].fault or "")


def test_rows_with_too_few_or_too_many_cells_are_faults(tmp_path: Path) -> None:
    """A shifted row would put a name where the unit belongs. Empty cells beyond the last are none."""
    path = tmp_path / "calls.csv"
    path.write_text("a,b,c\n1,2\n1,2,3,4\n1,2,3,,\n", "utf-8")
    _, rows = read(path)
    assert [row.fault is None for row in rows] == [False, False, True]


def test_formulas_stay_text(tmp_path: Path) -> None:
    """Nothing is computed, whatever a cell begins with."""
    path = tmp_path / "calls.csv"
    path.write_text("a\n=1+1\n\"=cmd|' /C calc'!A0\"\n", "utf-8")
    _, rows = read(path)
    assert [row.cells["a"] for row in rows] == ["=1+1", "=cmd|' /C calc'!A0"]


def test_json_is_a_list_of_flat_objects(tmp_path: Path) -> None:
    """Numbers and truths become text, absent members are blank, nested ones are faults."""
    path = tmp_path / "calls.json"
    path.write_text('\ufeff[{"a": 1, "b": null}, {"b": true}, {"a": [1]}, 7]', "utf-8")
    columns, rows = read(path)
    assert columns == ("a", "b")
    assert [dict(row.cells) for row in rows[:2]] == [{"a": "1", "b": ""}, {"b": "true"}]
    assert [row.fault is not None for row in rows] == [False, False, True, True]
    assert [row.number for row in rows] == [1, 2, 3, 4]


def test_a_workbook_gives_the_values_its_cells_show(tmp_path: Path) -> None:
    """Dates as ISO, whole numbers without a point, a formula's last value, rows as it counts them."""
    path = tmp_path / "calls.xlsx"
    workbook(
        path,
        [
            (1, [("A", "编号"), ("B", "来电"), ("C", "内容"), ("D", "次数")]),
            (
                2,
                [
                    ("A", 7),
                    ("B", dt.datetime(2017, 8, 21, 17, 23, 52)),  # noqa: DTZ001 - a workbook knows no zones
                    ("C", "路灯"),
                    ("D", "=1+1"),
                ],
            ),
            (4, [("A", 8.5), ("C", "<=5>")]),
        ],
    )
    columns, rows = read(path)
    assert columns == ("编号", "来电", "内容", "次数")
    assert dict(rows[0].cells) == {
        "编号": "7",
        "来电": "2017-08-21T17:23:52",
        "内容": "路灯",
        "次数": "2",
    }
    assert rows[1].cells["编号"] == "8.5"
    assert rows[1].cells["内容"] == "<=5>"
    assert [row.number for row in rows] == [2, 4]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"a,a\n1,2\n", "twice"),
        ("a.csv", b"\n1,2\n", "first row"),
        ("a.csv", b"a,b\n\x80\xff\xff,\x81\x20\n", "UTF-8"),
        ("a.json", b"{", "json"),
        ("a.json", b'{"a": 1}', "list"),
        ("a.json", b'[{"a": "\\ud800"}]', "json"),
        ("a.xlsx", b"PK not really", "xlsx"),
        ("a.csv.gz", b"\x1f\x8b", "unpacked"),
        ("a.txt", b"a\n1\n", ".csv"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """What is wrong and what to do about it, in both languages."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError) as caught:
        read(path)
    assert said in caught.value.detail


def test_a_file_beyond_the_limit_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 MB on the disk, and a workbook that unpacks to too much, are refused."""
    path = tmp_path / "big.csv"
    path.write_text("a\n1\n")
    monkeypatch.setattr(tables, "MOST_BYTES", 3)
    with pytest.raises(TableError, match="100 MB"):
        read_table(path)
    monkeypatch.undo()
    book = tmp_path / "bomb.xlsx"
    workbook(book, [(1, [("A", "a")])])
    monkeypatch.setattr(tables, "MOST_UNPACKED", 100)
    with pytest.raises(TableError, match="unpacked"):
        read_table(book)


EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook knows no zones
TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
RELATIONS = (
    '<?xml version="1.0"?><Relationships'
    ' xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
)
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(path: Path, rows: list[tuple[int, list[tuple[str, object]]]]) -> None:
    """A small workbook (ECMA-376): rows of (number, [(column, value)])."""
    told = "".join(
        f'<row r="{number}">{"".join(cell(f"{column}{number}", value) for column, value in cells)}</row>'
        for number, cells in rows
    )
    relation = '<Relationship Id="r1" Type="{}/{}" Target="{}"/>'
    style = relation.format(OFFICE, "styles", "styles.xml").replace("r1", "r2")
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("[Content_Types].xml", TYPES)
        packed.writestr(
            "_rels/.rels",
            RELATIONS.format(relation.format(OFFICE, "officeDocument", "xl/workbook.xml")),
        )
        packed.writestr(
            "xl/workbook.xml",
            f'<workbook {MAIN} xmlns:r="{OFFICE}"><sheets>'
            '<sheet name="表" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        packed.writestr(
            "xl/_rels/workbook.xml.rels",
            RELATIONS.format(relation.format(OFFICE, "worksheet", "worksheets/s.xml") + style),
        )
        packed.writestr(
            "xl/styles.xml",
            f'<styleSheet {MAIN}><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
            "</styleSheet>",
        )
        packed.writestr(
            "xl/worksheets/s.xml",
            f"<worksheet {MAIN}><sheetData>{told}</sheetData></worksheet>",
        )


def cell(place: str, value: object) -> str:
    """One cell: a formula with the value it had, a date as Excel counts days, a number, a text."""
    if isinstance(value, str) and value.startswith("="):
        return f'<c r="{place}"><f>{escape(value[1:])}</f><v>2</v></c>'
    if isinstance(value, dt.datetime):
        days = (value - EPOCH) / dt.timedelta(days=1)
        return f'<c r="{place}" s="1"><v>{days!r}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'
