"""Tables are taken in through the same door as everything else: nothing twice, nothing lost."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from engine import importing
from engine.errors import Busy, DefinitionError, NotPermitted
from engine.importing import BATCH, REPEATED, Import, Progress, Row, run_digest
from engine.loader import parse
from engine.mapping import Mapper, missing_columns, read_map
from engine.people import PUBLIC
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.people import Actor
    from tests.casebook import Casebook

NAUGHTY = Path(__file__).parents[3] / "shared" / "data" / "naughty" / "blns.json"
MAP = """
key: no
received_at: {column: came, format: "%Y/%m/%d %p %I:%M:%S", zone: Asia/Taipei}
channel: {column: way, values: {PHONE: phone}, default: import}
fields:
  wish: {columns: [kind, text], join: "："}
  place: {column: place}
  respondent: {column: unit, values: {交通局: SQD, 环保局: BR1}, default: BR2}
  urgency: {column: urgent, values: {"1": urgent, "0": normal}}
  contact: {name: {column: name}, phone: {column: phone}}
"""
COLUMNS = ("no", "came", "way", "kind", "text", "place", "unit", "urgent", "name", "phone")


def cells(number: int, **given: str) -> dict[str, str]:
    """A sound row."""
    row = dict.fromkeys(COLUMNS, "")
    row |= {"no": f"INS{number:06}", "came": "2017/8/21 下午 05:23:52", "kind": "摆摊"}
    return row | {"text": f"第{number}件", "unit": "交通局", "urgent": "0"} | given


def rows(count: int, *dirty: tuple[int, dict[str, str]]) -> list[Row]:
    """So many rows, numbered from 2; some of them changed."""
    changed = dict(dirty)
    return [Row(n + 2, cells(n, **changed.get(n, {}))) for n in range(count)]


def mapper(book: Casebook, text: str = MAP) -> Mapper:
    """The map of this text over permits."""
    workflow = book.casework.catalog.named("permit").workflow
    return Mapper(read_map(parse(text.encode(), "map.yaml"), workflow), workflow)


def run_of(book: Casebook, text: str = MAP, file: bytes = b"", actor: Actor = PUBLIC) -> Import:
    """A run over a file of these bytes."""
    digest = run_digest([file], text.encode(), "permit")
    return Import(book.database, book.casework, mapper(book, text), digest, actor)


def count(book: Casebook, what: str = "item") -> int:
    """How many rows of a table."""
    return int(book.rows(f"SELECT count(*) AS n FROM {what}")[0]["n"])


def reasons(run: Import) -> dict[int, str]:
    """The refused rows and why."""
    return {refusal.row: refusal.reason for refusal in run.refusals()}


def test_rows_become_items_with_their_own_receipt_and_key(book: Casebook) -> None:
    """Columns are joined, translated and dated; a Taiwanese afternoon is an afternoon."""
    run = run_of(book)
    assert run.take([Row(2, cells(1, way="PHONE", name="王", unit="不明"))]) == Progress(1, 1, 0)
    item = book.rows("SELECT * FROM item JOIN item_data ON item_id = id")[0]
    came = datetime(2017, 8, 21, 17, 23, 52, tzinfo=ZoneInfo("Asia/Taipei"))
    assert (item["outside_key"], item["received_at"], item["channel"]) == (
        "INS000001",
        came,
        "phone",
    )
    assert item["data"]["respondent"] == "BR2"
    assert item["data"]["received_on"] == came.isoformat()
    assert book.personal(item["number"]) == {"wish": "摆摊：第1件", "contact": {"name": "王"}}


def test_clocks_count_from_receipt_or_from_import_as_the_map_says(book: Casebook) -> None:
    """The law counts from receipt; practice may say `starts: import`. The event's time is now."""
    run_of(book).take([Row(2, cells(1))])
    practice = run_of(book, MAP + "starts: import\n")
    practice.take([Row(2, cells(2))])
    clocks = book.rows(
        "SELECT i.outside_key AS key, c.started_at, e.at FROM deadline c JOIN item i"
        " ON i.id = c.item_id JOIN event e ON e.item_id = i.id WHERE c.name = 'decide'"
    )
    started = {row["key"]: (row["started_at"], row["at"]) for row in clocks}
    assert started["INS000001"][0].year == 2017
    assert started["INS000001"][1].year > 2017
    assert started["INS000002"][0] == started["INS000002"][1]


def test_what_the_system_does_at_once_happens_to_a_whole_batch(book: Casebook) -> None:
    """Urgent ones are flagged by the system, each in its own chain, and nobody else is."""
    run_of(book).take(rows(40, *((n, {"urgent": "1"}) for n in range(0, 40, 2))))
    flagged = book.rows(
        "SELECT i.outside_key AS key FROM event e JOIN item i ON i.id = e.item_id"
        " WHERE e.act = 'flag_urgent' AND e.role = 'sys' AND e.seq = 2 AND i.seq = 2 ORDER BY 1"
    )
    assert [row["key"] for row in flagged] == [f"INS{n:06}" for n in range(0, 40, 2)]
    assert book.do(journal_faults) == []


def journal_faults(session: Any) -> list[str]:
    """What the journal's verification says."""
    from engine.journal import verify

    return verify(session)[1]


def test_accepted_and_refused_make_up_what_was_read(book: Casebook) -> None:
    """One broken row in each batch is told with number and reason; its neighbours are taken."""
    total = BATCH * 2 + 7
    table = rows(
        total,
        (3, {"kind": "", "text": ""}),
        (BATCH + 3, {"came": "昨天下午"}),
        (BATCH * 2 + 3, {"urgent": "随便"}),
        (BATCH * 2 + 4, {"text": "控制\x00字符"}),
        (BATCH * 2 + 5, {"no": "INS000001"}),
    )
    table[BATCH + 4] = Row(BATCH + 6, {}, "有9格,应为10格。")
    run = run_of(book)
    heard: list[Progress] = []
    assert run.take(table, heard.append) == Progress(total, total - 6, 6)
    assert [progress.read for progress in heard] == [BATCH, BATCH * 2, total]
    assert all(told.read == told.accepted + told.refused for told in heard)
    found = reasons(run)
    assert set(found) == {
        *(5, BATCH + 5, BATCH + 6),
        *(BATCH * 2 + 5, BATCH * 2 + 6, BATCH * 2 + 7),
    }
    assert "/data/wish" in found[5]
    assert "/received_at" in found[BATCH + 5]
    assert found[BATCH + 6].startswith("有9格")
    assert found[BATCH * 2 + 7] == REPEATED
    assert count(book) == total - 6


def test_a_refusal_names_fields_and_never_values(book: Casebook) -> None:
    """Whoever reads the report learns what to repair and nothing about anybody."""
    canary = "红薯摊主柳如烟\x07"
    run = run_of(book)
    run.take([Row(2, cells(1, text=canary, urgent=canary, came=canary, no=canary, unit=canary))])
    assert "红薯" not in json.dumps(reasons(run), ensure_ascii=False)
    assert run.begun() == Progress(1, 0, 1)


def test_a_receipt_in_the_future_is_refused(book: Casebook) -> None:
    """A clock that starts tomorrow would hide its item today."""
    tomorrow = (datetime.now(SHANGHAI) + timedelta(days=2)).isoformat()
    run = run_of(book)
    run.take([Row(2, cells(1, came=tomorrow))])
    assert "/received_at" in reasons(run)[2]


class StoppedError(Exception):
    """The process dies here."""


def dying(table: Sequence[Row], after: int) -> Iterator[Row]:
    """Rows that stop with the process."""
    yield from islice(table, after)
    raise StoppedError


@pytest.mark.parametrize("after", [BATCH - 1, BATCH, BATCH + 1, BATCH * 2])
def test_a_run_cut_off_goes_on_where_it_stood(book: Casebook, after: int) -> None:
    """Whatever was not committed is read again: nothing twice, nothing lost."""
    table = rows(BATCH * 2 + 9, (7, {"urgent": "x"}), (BATCH + 7, {"urgent": "x"}))
    with pytest.raises(StoppedError):
        run_of(book).take(dying(table, after))
    assert run_of(book).begun().read == after // BATCH * BATCH
    assert run_of(book).take(table) == Progress(len(table), len(table) - 2, 2)
    assert count(book) == len(table) - 2
    assert len(reasons(run_of(book))) == 2


def test_a_finished_run_takes_nothing_a_second_time(book: Casebook) -> None:
    """The same file, map and workflow are the same run; with another map the keys protect."""
    table = rows(5)
    run_of(book).take(table)
    assert run_of(book).take(table) == Progress(5, 5, 0)
    other = run_of(book, MAP + "starts: import\n")
    assert other.take(table) == Progress(5, 0, 5)
    assert set(reasons(other).values()) == {REPEATED}
    assert count(book) == 5


def test_two_imports_of_one_file_at_once_do_not_both_write(book: Casebook) -> None:
    """The one that comes second to a batch is told so, and has written nothing of it."""
    table, first, second = rows(BATCH + 1), run_of(book), run_of(book)

    def meanwhile() -> Iterator[Row]:
        yield from table[:BATCH]
        second.take(table)
        yield table[BATCH]

    with pytest.raises(Busy):
        first.take(meanwhile())
    assert first.begun() == Progress(BATCH + 1, BATCH + 1, 0)
    assert count(book) == BATCH + 1


def test_a_row_the_database_refuses_takes_no_other_with_it(
    book: Casebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a batch fails as a whole, it is halved until the one row stands alone."""
    book.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END $$"
    )
    book.run(
        "CREATE TRIGGER refuse BEFORE INSERT ON item FOR EACH ROW"
        " WHEN (NEW.outside_key = 'INS000013') EXECUTE FUNCTION refuse()"
    )
    monkeypatch.setattr(importing, "BATCH", 32)
    run = run_of(book)
    assert run.take(rows(64)) == Progress(64, 63, 1)
    assert set(reasons(run)) == {15}
    assert count(book) == 63


def test_somebody_who_may_not_begin_such_items_takes_nothing(book: Casebook) -> None:
    """The run is not spoilt: with the right account it takes every row."""
    with pytest.raises(NotPermitted):
        run_of(book, actor=book.who("mediator")).take(rows(3))
    assert run_of(book, actor=book.who("intake")).take(rows(3)) == Progress(3, 3, 0)
    assert {row["role"] for row in book.rows("SELECT role FROM event WHERE act = 'submit'")} == {
        "intake"
    }


@pytest.mark.skipif(not NAUGHTY.exists(), reason="the list of naughty strings is not here")
def test_naughty_strings_are_kept_as_they_are_or_refused(book: Casebook) -> None:
    """Formulas, scripts, marks of direction: text like any other; control characters are refused."""
    strings = [text for text in json.loads(NAUGHTY.read_text("utf-8")) if text.strip()]
    strings += ["=1+1", '=HYPERLINK("http://x")', "@SUM(A1)", "-2+3", "'; DROP TABLE item;--"]
    run = run_of(book)
    progress = run.take(Row(n, cells(n, text=text)) for n, text in enumerate(strings))
    assert progress.read == len(strings) == progress.accepted + progress.refused
    assert progress.refused < 10
    numbers = [row["number"] for row in book.rows("SELECT number FROM item")]
    kept = {book.personal(number)["wish"] for number in numbers}
    assert {f"摆摊：{text.strip()}" for text in strings[-5:]} <= kept
    assert book.do(journal_faults) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fields: {wish: {column: a, columns: [b]}}", "one of value, column, columns"),
        ("fields: {wish: {column: a, formula: b}}", "formula"),
        ("fields: {nonsense: {column: a}}", "nonsense"),
        ("fields: {handlers: {column: a}}", "handlers"),
        ("fields: {channel: {column: a}}", "channel"),
        ("fields: {contact: {column: a}}", "contact"),
        ("fields: {wish: {column: a, zone: Mars/Base}}", "time zone"),
        ("fields: {}", "fields"),
        ("starts: whenever\nfields: {wish: {column: a}}", "starts"),
    ],
)
def test_a_wrong_map_is_told_with_its_line(book: Casebook, text: str, said: str) -> None:
    """The language of maps is closed; what it does not know is a finding, not a guess."""
    with pytest.raises(DefinitionError) as caught:
        mapper(book, text)
    assert said in str(caught.value)
    assert all(finding.line for finding in caught.value.findings)


def test_a_map_over_columns_the_table_lacks_is_told_before_anything_is_taken(
    book: Casebook,
) -> None:
    """Every missing column with the line that asks for it."""
    document = parse(MAP.encode(), "map.yaml")
    found = missing_columns(mapper(book).map, ["no", "came", "kind"], document)
    assert [finding.sentence.split("“")[1].split("”")[0] for finding in found[:-1]] == [
        *("way", "text", "place", "unit", "urgent", "name", "phone")
    ]
    assert all(finding.line > 1 for finding in found[:-1])
    assert found[-1].sentence.endswith("no、came、kind")


def test_a_run_is_named_by_file_map_and_workflow() -> None:
    """A change in any of the three is another run; how the file was cut into pieces is not."""
    names = {
        run_digest([b"ab", b"c"], b"map", "permit"),
        run_digest([b"abc"], b"map", "permit"),
        run_digest([b"abcm"], b"ap", "permit"),
        run_digest([b"abc"], b"map", "inquiry"),
        run_digest([b"abd"], b"map", "permit"),
    }
    assert len(names) == 4


def test_a_row_without_a_key_column_is_taken_by_its_place_alone(book: Casebook) -> None:
    """Without `key` two equal rows are two items, and the run still goes on where it stood."""
    text = "fields: {wish: {column: text}}"
    table: Iterable[Row] = [replace_cells(row, text="同样") for row in rows(3)]
    run = run_of(book, text)
    assert run.take(table) == Progress(3, 3, 0)
    assert run.take(table) == Progress(3, 3, 0)
    assert count(book) == 3


def replace_cells(row: Row, **given: str) -> Row:
    """A row with other cells."""
    return row._replace(cells={**row.cells, **given})


def test_examples_of_maps_fit_the_workflows_they_name() -> None:
    """docs/examples stay true while the workflows change."""
    from workflows import catalog

    folder = Path(__file__).parents[2] / "docs" / "examples"
    for path in sorted(folder.glob("*.map.yaml")):
        (name,) = re.findall(r"--workflow (\w+)", path.read_text("utf-8"))
        workflow = catalog().named(name).workflow
        assert read_map(parse(path.read_bytes(), path.name), workflow).fields
