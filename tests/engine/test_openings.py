"""Each month one item for every open unit that is named: once, caught up, and never for a month gone by."""

from __future__ import annotations

import shutil
import threading
from datetime import date, datetime
from typing import TYPE_CHECKING

import pytest

from engine.catalog import install
from engine.errors import DefinitionError
from engine.openings import Openings
from engine.verification import spot_check
from engine.workdays import SHANGHAI
from tests.casebook import PERMITS, Casebook
from tests.workflows.sample import SAMPLE
from workflows import catalog, prove

if TYPE_CHECKING:
    from pathlib import Path

    from engine.births import Birth
    from engine.openings import Opening

TALLY = """\
workflow: tally
version: 1
title: 月度盘点
title_en: Monthly tally
number: 月盘
initial: opened
home: {field: unit}
opens: {every: month, day: 5, units: ["BR*", LAW], data: {kind: usual, places: "街,巷"}}
roles:
  unit_head: {title: 单位负责人, title_en: Head of unit}
fields:
  unit:   {title: 单位, title_en: Unit, type: unit}
  month:  {title: 月份, title_en: Month, type: text}
  kind:   {title: 种类, title_en: Kind, type: choice, choices: {usual: 例行, extra: 专项}}
  places: {title: 地点, title_en: Places, type: texts}
states:
  opened: {title: 待盘点, title_en: Opened, idle: idle.work}
  done:   {title: 已盘点, title_en: Done, final: true}
transitions:
  submit:
    title: 立项
    title_en: Open
    to: opened
    by: [sys, unit_head]
    requires: [unit, month, kind]
    optional: [places]
    effects:
      - notify: {to: unit_head, text: new_item}
  tally: {title: 盘点, title_en: Tally, from: [opened], to: done, by: [unit_head]}
"""


@pytest.fixture
def monthly(book: Casebook, tmp_path: Path) -> Casebook:
    """The office with a monthly tally of the branches and the law section."""
    return under(book, tmp_path, TALLY)


def under(book: Casebook, folder: Path, text: str) -> Casebook:
    """The office under the permit workflows and this one."""
    shutil.copytree(PERMITS, folder / "law", dirs_exist_ok=True)
    (folder / "law" / "tally.yaml").write_text(text, "utf-8")
    book.casework.catalog = catalog(folder / "law")
    book.do(lambda s: install(s, book.casework.catalog))
    return book


def on(text: str) -> datetime:
    """Ten in the morning of a day."""
    return datetime.fromisoformat(text).replace(hour=10, tzinfo=SHANGHAI)


def sweep(book: Casebook, day: str) -> int:
    """A sweeper without a memory comes by."""
    return Openings(book.database, book.casework).sweep(on(day))


def opened(book: Casebook) -> list[tuple[str, str]]:
    """(unit, month) of every tally."""
    rows = book.rows("SELECT data FROM item_data JOIN item ON id = item_id WHERE workflow = 'tally'"
                     " ORDER BY data ->> 'month', data ->> 'unit'")  # fmt: skip
    return [(row["data"]["unit"], row["data"]["month"]) for row in rows]


def test_each_month_one_for_every_unit_that_is_named(monthly: Casebook) -> None:
    """On the day and not before; again in the next month."""
    assert sweep(monthly, "2026-03-04") == 0
    assert sweep(monthly, "2026-03-05") == 3
    assert sweep(monthly, "2026-03-31") == 0
    assert sweep(monthly, "2026-04-05") == 3
    units = ("BR1", "BR2", "LAW")
    assert opened(monthly) == [(unit, m) for m in ("2026-03", "2026-04") for unit in units]


def test_it_begins_as_any_other_item(monthly: Casebook) -> None:
    """By the system, with its literals typed, in the unit's hands, its clock running, on record."""
    sweep(monthly, "2026-03-05")
    (row,) = monthly.rows(
        "SELECT number FROM item JOIN item_data d ON d.item_id = id"
        " WHERE workflow = 'tally' AND d.data ->> 'unit' = 'BR1'"
    )
    item = monthly.item(row["number"])
    assert item["data"] == {
        "unit": "BR1",
        "month": "2026-03",
        "kind": "usual",
        "places": ["街", "巷"],
    }
    assert item["channel"] == "opening"
    (unit,) = monthly.rows("SELECT code FROM unit WHERE id = %s", item["unit_id"])
    assert unit["code"] == "BR1"
    (event,) = monthly.events(row["number"])
    assert (event["act"], event["role"], event["actor_id"]) == ("submit", "sys", None)
    assert "idle" in monthly.clocks(row["number"])
    assert monthly.told(row["number"], "new_item") == {"branch1_head"}
    assert spot_check(monthly.database, monthly.casework.catalog) == []


def test_what_a_worker_missed_is_caught_up_within_the_month_and_not_later(
    monthly: Casebook,
) -> None:
    """Nobody needs the tally of a month that is over."""
    assert sweep(monthly, "2026-01-31") == 3
    assert sweep(monthly, "2026-05-01") == 0  # not the day yet, and February to April are gone
    assert sweep(monthly, "2026-05-28") == 3
    assert {month for _, month in opened(monthly)} == {"2026-01", "2026-05"}


def test_a_closed_unit_is_left_out_and_a_new_one_taken_in(monthly: Casebook) -> None:
    """The office of that day counts."""
    for code, closed in (("BR7", "2026-03-05"), ("BR8", "2026-03-06"), ("BR9", None)):
        monthly.run("INSERT INTO unit (code, name, parent_id, closed_on)"
                    " SELECT %s, %s, parent_id, %s FROM unit WHERE code = 'BR1'", code, code, closed)  # fmt: skip
    monthly.run("UPDATE bureau SET office_revision = office_revision + 1")
    assert sweep(monthly, "2026-03-05") == 5
    assert [unit for unit, _ in opened(monthly)] == ["BR1", "BR2", "BR8", "BR9", "LAW"]
    assert sweep(monthly, "2026-04-05") == 4


def test_many_sweepers_at_once_open_each_item_once(monthly: Casebook) -> None:
    """The key is unique: whoever comes second finds it there."""
    gate = threading.Barrier(4)

    def race() -> None:
        gate.wait()
        sweep(monthly, "2026-03-05")

    sweepers = [threading.Thread(target=race) for _ in range(4)]
    for each in sweepers:
        each.start()
    for each in sweepers:
        each.join()
    assert [unit for unit, _ in opened(monthly)] == ["BR1", "BR2", "LAW"]
    rows = monthly.rows("SELECT outside_key FROM item WHERE workflow = 'tally' ORDER BY 1")
    assert [row["outside_key"] for row in rows] == [
        f"opens {u} 2026-03" for u in ("BR1", "BR2", "LAW")
    ]


def test_a_sweeper_killed_on_the_way_is_taken_over(
    monthly: Casebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had opened is there, the rest comes with the next one."""
    whole = Openings._open
    done: list[str] = []

    def dies(self: Openings, opening: Opening, now: datetime | None) -> bool:
        if done:
            raise KeyboardInterrupt
        done.append(opening.key)
        return whole(self, opening, now)

    monkeypatch.setattr(Openings, "_open", dies)
    with pytest.raises(KeyboardInterrupt):
        sweep(monthly, "2026-03-05")
    monkeypatch.undo()
    assert [unit for unit, _ in opened(monthly)] == ["BR1"]
    assert sweep(monthly, "2026-03-06") == 2


def test_one_that_cannot_begin_stops_no_other_and_is_asked_again_in_an_hour(
    monthly: Casebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault is told once an hour, and not every few seconds."""
    whole = monthly.casework.submit_many
    asked: list[str] = []

    def refuses(*told: object, **more: object) -> object:
        births: list[Birth] = told[3]  # type: ignore[assignment]
        unit = births[0].data["unit"]
        asked.append(unit)
        if unit == "BR1":
            raise RuntimeError
        return whole(*told, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(monthly.casework, "submit_many", refuses)
    sweeper = Openings(monthly.database, monthly.casework)
    assert sweeper.sweep(on("2026-03-05")) == 2
    assert sweeper.sweep(on("2026-03-05")) == 0
    assert asked == ["BR1", "BR2", "LAW"]
    monkeypatch.undo()
    assert sweeper.sweep(on("2026-03-05").replace(hour=11)) == 1


def test_where_nothing_opens_nothing_is_asked(book: Casebook) -> None:
    """An office without such a workflow pays nothing; one with it pays one look."""
    book.database.close()
    assert Openings(book.database, book.casework).sweep() == 0


def test_it_follows_the_clock_of_the_office(monthly: Casebook) -> None:
    """Practice moves the clock forward, and the month with it."""
    sweeper = Openings(monthly.database, monthly.casework)
    sweeper.sweep()
    before = {month for _, month in opened(monthly)}
    monthly.run("UPDATE bureau SET practice_offset = practice_offset + interval '62 days'")
    sweeper.sweep()
    after = {month for _, month in opened(monthly)}
    assert len(after - before) <= 1
    assert all(date.fromisoformat(f"{month}-01") > date(2020, 1, 1) for month in after)


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("  month:  {title: 月份, title_en: Month, type: text}\n", "", "unknown-field"),
        ("title_en: Month, type: text", "title_en: Month, type: date", "wrong-field-type"),
        ("title_en: Unit, type: unit", "title_en: Unit, type: text", "wrong-field-type"),
        ("by: [sys, unit_head]", "by: [unit_head]", "spawn-not-allowed"),
        ("    requires: [unit, month, kind]", "    requires: [unit, kind]", "carried-in-vain"),
        ("data: {kind: usual,", "data: {kind: usuall,", "unknown-choice"),
        ("data: {kind: usual,", "data: {knid: usual,", "unknown-field"),
        ('data: {kind: usual, places: "街,巷"}', "data: {}", "opens-lacks-data"),
        ("day: 5", "day: 29", "malformed"),
        ("every: month", "every: week", "malformed"),
    ],
)
def test_a_wrong_opening_is_found_at_its_line(
    tmp_path: Path, old: str, new: str, finding: str
) -> None:
    """What the system is to give must be asked for, and all that is asked for must be given."""
    assert TALLY.count(old) == 1
    shutil.copytree(PERMITS, tmp_path / "law")
    (tmp_path / "law" / "tally.yaml").write_text(TALLY.replace(old, new), "utf-8")
    with pytest.raises(DefinitionError) as refused:
        catalog(tmp_path / "law")
    found = next(each for each in refused.value.findings if each.name == finding)
    assert found.file == "tally.yaml"
    assert found.line == TALLY[: TALLY.index("opens:")].count("\n") + 1 or "type" in old


def test_an_opening_for_no_unit_of_the_office_is_found(tmp_path: Path) -> None:
    """The proof is asked about an office: a pattern that fits none of its units opens nothing."""
    shutil.copytree(PERMITS, tmp_path / "law")
    path = tmp_path / "law" / "tally.yaml"
    for units, expected in (('["BR*", LAW]', set()), ('["BX*", LAW]', {"unknown-unit"})):
        path.write_text(TALLY.replace('["BR*", LAW]', units), "utf-8")
        proofs = prove(catalog(tmp_path / "law"), SAMPLE)
        assert {finding.name for proof in proofs for finding in proof.findings} == expected
