"""What comes in too often is noticed once, by whoever counts first, and names nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from engine import clusters
from engine.errors import NotPermitted
from engine.people import PUBLIC
from engine.verification import spot_check
from tests.casebook import Casebook, furnished, opened
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.casework import Casework
    from engine.keys import Keyring


@pytest.fixture(scope="module")
def laws(keyring: Keyring) -> Casework:
    """The verbs over the workflows of the bureau."""
    from engine.casework import Casework

    return Casework(catalog(), keyring=keyring)


@pytest.fixture(scope="module")
def furnished_office(_servers: dict[str, str], _template: str, laws: Casework) -> Iterator[str]:
    """A sample office to be cloned."""
    with furnished(_servers["postgres"], _template, laws) as name:
        yield name


@pytest.fixture
def book(_servers: dict[str, str], furnished_office: str, laws: Casework) -> Iterator[Casebook]:
    """A sample office of one's own, in which nothing was ever counted."""
    with opened(_servers["postgres"], furnished_office, laws) as casebook:
        yield casebook


def now(book: Casebook) -> datetime:
    """The office's moment."""
    found: datetime = book.do(book.casework.house).now
    return found


def complain(book: Casebook, number: int = 1, days: int = 1, **more: Any) -> list[str]:
    """So many citizens complain of the first branch, so many days ago."""
    at = now(book) - timedelta(days=days)
    given = {"narrative": "收费不开票", "respondent": "第一分局", "categories": ["M03"], **more}
    return [
        book.submit(
            "grievance", PUBLIC, at, {"contact": {"phone": f"1390000{n:04d}"}, **given}
        ).number
        for n in range(number)
    ]


def analyses(book: Casebook) -> list[dict[str, Any]]:
    """The data of every analysis, oldest first."""
    rows = book.rows(
        "SELECT d.data, i.number, i.channel FROM item i JOIN item_data d ON d.item_id = i.id"
        " WHERE workflow = 'analysis' ORDER BY i.id"
    )
    return [row["data"] | {"number": row["number"]} for row in rows]


def next_day(book: Casebook, days: int = 1) -> None:
    """The office's clock moves on."""
    book.run(f"UPDATE bureau SET practice_offset = practice_offset + interval '{days} days'")


def test_six_of_a_kind_against_one_unit_begin_one_analysis(book: Casebook) -> None:
    """With counts, query, topic and period; not again the same day, nor the next, while it is open."""
    assert clusters.tally_daily(book.database, book.casework) == 0
    complain(book, 6)
    assert clusters.tally_daily(book.database, book.casework) == 0, "counted today already"
    next_day(book)
    assert clusters.tally_daily(book.database, book.casework) == 1
    (found,) = analyses(book)
    assert (found["trigger"], found["about_unit"]) == ("category_unit", "BR1")
    assert {"measure": "窗口期内件数", "figure": "6"} in found["counts"]
    assert found["topics"] == ["不使用法定收费、罚款、没收财物票据"]
    assert {"query", "period_from", "data_snapshot_id", "scope"} <= found.keys()
    complain(book, 6)
    next_day(book)
    assert clusters.tally_daily(book.database, book.casework) == 0
    assert len(analyses(book)) == 1


@pytest.mark.parametrize(
    ("days", "count", "more", "opens"),
    [
        (1, 4, {}, False),
        (1, 5, {}, True),
        (31, 6, {}, False),
        (1, 5, {"categories": ["M03", "M06"]}, True),
    ],
)
def test_the_threshold_and_the_window_are_those_of_the_rules(
    book: Casebook, days: int, count: int, more: dict[str, Any], *, opens: bool
) -> None:
    """Five in thirty days are enough, four are not, and what is older does not count."""
    clusters.tally_daily(book.database, book.casework)
    complain(book, count, days, **more)
    next_day(book)
    clusters.tally_daily(book.database, book.casework)
    found = [each for each in analyses(book) if each["trigger"] == "category_unit"]
    assert len(found) == (len(more.get("categories", "x")) if opens else 0)


def test_three_times_the_mean_of_the_year_before_is_a_surge(book: Casebook) -> None:
    """Two a year are a mean of a sixth: three in a month are a surge; without a year before they are not."""
    clusters.tally_daily(book.database, book.casework)
    complain(book, 2, days=120)
    complain(book, 3)
    complain(book, 3, respondent="第二分局")
    next_day(book)
    clusters.tally_daily(book.database, book.casework)
    assert [(each["trigger"], each["about_unit"]) for each in analyses(book)] == [("surge", "BR1")]


def test_what_was_behind_an_analysis_begins_no_second_one(book: Casebook) -> None:
    """Closed without issue, it takes as many new complaints again."""
    clusters.tally_daily(book.database, book.casework)
    complain(book, 5)
    next_day(book)
    clusters.tally_daily(book.database, book.casework)
    number = analyses(book)[0]["number"]
    at = now(book)
    book.go(number, "start", "law_hub", at)
    rows = [{"cluster_id": "1", "problem": "票据", "unit": "第一分局", "count": "5"}]
    book.go(number, "analyse", "law_hub", at, clusters=rows, method="逐件阅卷")
    book.go(number, "no_issue", "deputy", at, reason="同一摊位纠纷")
    complain(book, 2)
    next_day(book)
    assert clusters.tally_daily(book.database, book.casework) == 0
    complain(book, 5)
    next_day(book)
    assert clusters.tally_daily(book.database, book.casework) == 1


def test_three_people_about_one_day_are_one_matter(book: Casebook) -> None:
    """Told apart by their telephone; one person thrice is one person."""
    clusters.tally_daily(book.database, book.casework)
    complain(book, 3, happened_on="2026-03-01")
    for _ in range(3):
        complain(book, 1, happened_on="2026-03-02", respondent="第二分局")
    next_day(book)
    clusters.tally_daily(book.database, book.casework)
    assert [(each["trigger"], each["about_unit"]) for each in analyses(book)] == [("matter", "BR1")]


def test_three_bad_ratings_of_one_window_begin_an_analysis(book: Casebook) -> None:
    """For the window, and for the service item; good ratings and default ones do not count."""
    clusters.tally_daily(book.database, book.casework)
    at = now(book)
    window = {"item_code": "GTDJ-01", "window_or_channel": "BR1-01"}
    for level in ("very_dissatisfied", "dissatisfied", "satisfied", "very_dissatisfied"):
        book.submit("review", PUBLIC, at, {"level": level, **window})
    next_day(book)
    assert clusters.tally_daily(book.database, book.casework) == 2
    found = analyses(book)
    assert {(each["trigger"], each["about_unit"]) for each in found} == {("reviews", "BR1")}
    assert {each["topics"][0] for each in found} == {"GTDJ-01", "BR1-01"}
    assert all(each["counts"] == [{"measure": "差评件数", "figure": "3"}] for each in found)


def test_two_about_one_officer_go_to_the_liaison_and_to_no_list(book: Casebook) -> None:
    """A sealed candidate that the liaison is told of; no analysis, and nothing for the officer."""
    clusters.tally_daily(book.database, book.casework)
    at = now(book)
    given: dict[str, Any] = {
        "subject_officers_or_unknown": ["branch1_handler"],
        "risk_level": "low",
        "category_codes": ["M06"],
    }
    for number in complain(book, 2):
        book.go(number, "register", "intake", at, matter="conduct")
        book.go(number, "accept", "unit_head", at, **given)
    next_day(book)
    assert clusters.tally_daily(book.database, book.casework) == 1
    assert analyses(book) == []
    (row,) = book.rows(
        "SELECT i.number, i.sealed, d.data FROM item i JOIN item_data d ON d.item_id = i.id"
        " WHERE workflow = 'misconduct'"
    )
    assert row["sealed"]
    assert row["data"]["candidate"] is True
    assert row["data"]["subject_officers"] == ["branch1_handler"]
    assert {"liaison", "liaison2"} <= book.told(row["number"], "sealed_work")
    assert (
        book.rows("SELECT FROM message WHERE recipient_id = %s", book.id("branch1_handler")) == []
    )
    next_day(book)
    assert clusters.tally_daily(book.database, book.casework) == 0
    assert list(spot_check(book.database, book.casework.catalog)) == []


def test_everything_since_2021_is_looked_at_once(book: Casebook) -> None:
    """What lay there before the first count, in one analysis with a line for each unit and kind."""
    complain(book, 3, days=900)
    complain(book, 3, days=400, respondent="第二分局", categories=["M06"])
    assert clusters.tally_daily(book.database, book.casework) == 1
    (found,) = analyses(book)
    assert found["trigger"] == "base"
    assert [row["figure"] for row in found["counts"]] == ["3", "3"]
    next_day(book)
    assert clusters.tally_daily(book.database, book.casework) == 0


def test_the_unit_counted_cannot_count_itself(book: Casebook, laws: Casework) -> None:
    """The analysis is hidden from the people of the unit it is about."""
    clusters.tally_daily(book.database, book.casework)
    complain(book, 5)
    next_day(book)
    clusters.tally_daily(book.database, book.casework)
    number = analyses(book)[0]["number"]
    dossier = book.do(lambda s: laws.look(s, number, book.who("law_hub")))
    assert not laws.sees(dossier, book.who("branch1_head"))


@pytest.mark.committed
def test_many_counters_at_once_count_once(book: Casebook) -> None:
    """Eight at the same moment begin one analysis."""
    clusters.tally_daily(book.database, book.casework)
    complain(book, 5)
    next_day(book)
    begun: list[int] = []
    threads = [
        Thread(target=lambda: begun.append(clusters.tally_daily(book.database, book.casework)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(begun) == [0] * 7 + [1]
    assert len(analyses(book)) == 1


def test_who_may_ask_for_a_count(book: Casebook) -> None:
    """The hub may at any hour; a handler may not."""
    clusters.tally_daily(book.database, book.casework)
    complain(book, 5)
    with pytest.raises(NotPermitted, match="法规科汇总员"):
        book.do(lambda s: clusters.tally_when_asked(s, book.casework, book.who("handler1")))
    begun = book.do(lambda s: clusters.tally_when_asked(s, book.casework, book.who("law_hub")))
    assert begun == [analyses(book)[0]["number"]]


def test_whoever_is_barred_from_a_complaint_does_not_meet_it_in_a_count(
    book: Casebook, laws: Casework
) -> None:
    """Five counted and four listed would say that there is one: the analysis is not theirs to know of."""
    clusters.tally_daily(book.database, book.casework)
    number, *_ = complain(book, 5)
    at = now(book)
    book.go(number, "register", "intake", at, matter="conduct")
    named: dict[str, Any] = {"subject_officers_or_unknown": ["law_hub2"]}
    book.go(number, "accept", "unit_head", at, risk_level="low", category_codes=["M03"], **named)
    next_day(book)
    clusters.tally_daily(book.database, book.casework)
    (found,) = analyses(book)

    def knows(account: str) -> bool:
        dossier = book.do(lambda s: laws.look(s, found["number"], book.who("law_hub")))
        return laws.sees(dossier, book.who(account))

    assert knows("law_hub")
    assert not knows("law_hub2")
    assert "law_hub2" not in book.told(found["number"], "new_item")


def test_whoever_is_barred_later_loses_sight_of_the_count_too(
    book: Casebook, laws: Casework
) -> None:
    """Named after the count, somebody meets neither the complaint nor the number it is in."""
    clusters.tally_daily(book.database, book.casework)
    number, *_ = complain(book, 5)
    next_day(book)
    clusters.tally_daily(book.database, book.casework)
    (found,) = analyses(book)
    at = now(book)
    book.go(number, "register", "intake", at, matter="conduct")
    named: dict[str, Any] = {"subject_officers_or_unknown": ["law_hub2"]}
    book.go(number, "accept", "unit_head", at, risk_level="low", category_codes=["M03"], **named)
    dossier = book.do(lambda s: laws.look(s, found["number"], book.who("law_hub")))
    assert not laws.sees(dossier, book.who("law_hub2"))


def test_nobody_counts_their_own_units_complaints_in_the_first_survey(
    book: Casebook, laws: Casework
) -> None:
    """What lies about the law section is an analysis of its own, which the section does not see."""
    complain(book, 5, days=400)
    complain(book, 2, days=400, respondent="法规科")
    assert clusters.tally_daily(book.database, book.casework) == 2
    common, own = analyses(book)
    assert "法规科" not in str(common["counts"])
    assert own["about_unit"] == "LAW"
    dossier = book.do(lambda s: laws.look(s, own["number"], book.who("law_hub2")))
    assert not laws.sees(dossier, book.who("law_hub"))
    assert clusters.tally_daily(book.database, book.casework) == 0
