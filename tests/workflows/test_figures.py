"""What the figures say of an office at work: what is counted, what is left out, and that a past moment
stays as it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import stalls
from engine.calendars import Roll
from engine.disclosure import disclose
from engine.errors import Busy
from engine.figures import board, obligations
from engine.figures.periods import Period
from engine.people import PUBLIC
from engine.walls import principal_of, stand_for
from tests.casebook import MONDAY, day
from tests.workflows.test_grievance import REPLIED, complain, follow
from tests.workflows.test_review import NAMED, rate, verified
from tests.workflows.test_revisits import CALL, campaign, register, running
from tests.workflows.test_walks import Walk, walked

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.figures.figure import Figure
    from tests.casebook import Casebook

__all__ = ["walked"]
MARCH = Period.parse("2026-03")


def told(
    book: Casebook, as_of: datetime, unit: str = "BUR", period: Period = MARCH
) -> dict[str, Figure]:
    """The figures of a unit by their ids."""

    def read(session: Session) -> list[Figure]:
        house = book.casework.house(session)
        found = house.office.unit_named(unit)
        assert found is not None
        rulebook = book.casework.catalog.rulebook
        services = book.casework.catalog.named("review").beside.services
        return board.figures(
            session, house.office, house.calendar, found.id, period, as_of, rulebook, services
        )

    return {figure.id: figure for figure in book.do(read)}


def test_every_figure_is_there_of_an_office_without_work(book: Casebook) -> None:
    """Each figure of the list is told once, and none of them says 0 of what was never counted."""
    found = told(book, day(20))
    assert list(found) == list(dict.fromkeys(found))
    assert found.keys() == board.formulas().keys()


def test_every_statement_is_sound(book: Casebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of workflows that are not loaded: their figures can be counted the day they are."""
    monkeypatch.setattr(board, "SEALED", frozenset())
    names = ", ".join(f"('{source.workflow}')" for source in board.SOURCES)
    monkeypatch.setattr(board, "LOADED", f"SELECT * FROM (VALUES {names}) AS v(workflow)")
    found = told(book, day(20))
    assert not [f.id for f in found.values() if any(n[0] == "not_loaded" for n in f.notes)]


def decided(book: Casebook, at: datetime, disposition: str) -> str:
    """A grievance that ran to its answer in one day."""
    number = complain(book, at)
    steps = [
        (name, by, data | ({"disposition": disposition} if name == "conclude" else {}))
        for name, by, data in REPLIED
    ]
    steps[-1][2]["delivered_at"] = at.isoformat()
    assert follow(book, number, steps, at) == "replied"
    return number


def test_findings_are_shares_of_what_was_decided(book: Casebook) -> None:
    """Numerator, denominator, interval and the warning of too few; another month has none of it."""
    for at, disposition in enumerate(("substantiated", "partly", "not_substantiated")):
        decided(book, day(at), disposition)
    found = told(book, day(20))
    figure = found["K-QLT-8"]
    assert (figure.numerator, figure.denominator, figure.value) == (2, 3, 0.6667)
    assert figure.interval == (0.2077, 0.9385)
    assert [note[1] for note in figure.notes] == ["样本不足"]
    assert found["K-QLT-9"].value == 0.3333
    assert found["K-QLT-10"].value == 0
    empty = told(book, day(60), period=Period.parse("2026-04"))["K-QLT-8"]
    assert (empty.value, empty.denominator, empty.notes[0][0]) == (None, 0, "nothing_due")
    assert told(book, day(20), "IPR")["K-QLT-8"].denominator == 0
    assert told(book, day(20), "AUD")["K-QLT-8"].denominator == 3


def test_a_closed_item_is_judged_by_its_clocks(book: Casebook) -> None:
    """Closed in time and late, how long it took in each clock's own unit, and how late it was."""
    prompt, slow = complain(book), complain(book)
    follow(book, prompt, [("register", "intake", {"matter": "conduct"})], day(0, 11))
    follow(book, slow, [("register", "intake", {"matter": "conduct"})], day(9))
    left: dict[str, Any] = {"voluntary_statement": "自愿撤回"}
    book.go(prompt, "withdraw", PUBLIC, day(2), **left)
    book.go(slow, "withdraw", PUBLIC, day(10), **left)
    found = told(book, day(20))
    late = found["K-TIM-2"]
    assert (late.numerator, late.denominator) == (1, 2)
    lines = {spread.name: spread for spread in found["K-TIM-6"].spreads}
    register = lines["grievance.register"]
    assert (register.measure, register.n, register.mean) == ("working days", 2, 3.5)
    assert {line.measure for line in lines.values()} == {"working days", "days"}
    assert found["K-TIM-5"].spreads[0].n == 1
    assert found["K-TIM-1"].denominator == 2
    assert told(book, day(9))["K-TIM-2"].denominator == 1


def test_a_past_moment_stays_as_it_was(book: Casebook) -> None:
    """Figures recorded after every act of a month are the same when all is over, and again later."""
    recorded: list[tuple[datetime, dict[str, Figure]]] = []

    def write_down(at: datetime) -> None:
        recorded.append((at, told(book, at)))

    number = complain(book)
    for at, (name, by, data) in enumerate(REPLIED):
        book.go(number, name, by, day(at), **data)
        write_down(day(at, 23))
    other = complain(book, day(12))
    book.go(other, "withdraw", PUBLIC, day(13), voluntary_statement="自愿撤回")
    write_down(day(13, 23))
    stalls.sweep(book.database, book.casework, day(41))
    write_down(day(41, 23))
    assert book.item(number)["state"] == "closed"
    visit = book.children(number, "revisit")[0]["number"]
    contact: dict[str, Any] = {
        "method": "phone",
        "attempted_at": day(42).isoformat(),
        "declarations_signed": True,
    }
    book.go(visit, "attempt", "revisitor", day(43), **contact)
    write_down(day(43, 23))
    for moment, then in recorded:
        assert told(book, moment) == then
    assert len({repr(then) for _, then in recorded}) > 4, "the figures said nothing"


@pytest.mark.parametrize("workflow", ["grievance", "mediation", "revisit", "misconduct"])
def test_no_walk_changes_a_past_moment(walked: tuple[Casebook, Any], workflow: str) -> None:
    """Whatever is tried on an item, what was counted before it is counted again."""

    @settings(max_examples=2, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.randoms(use_true_random=False, note_method_calls=False))
    def walk(dice: Random) -> None:
        made = Walk(*walked, dice)
        made.begin(workflow)
        recorded: list[tuple[datetime, dict[str, Figure]]] = []
        for step in range(24):
            if made.last_id() > made.first:
                made.step()
            if step % 6 == 5:
                before = made.at - timedelta(microseconds=1)  # more may happen at this very moment
                year = Period.parse(f"{before:%Y}")
                recorded.append((before, told(made.book, before, period=year)))
        made.end()
        for moment, then in recorded:
            assert told(made.book, moment, period=Period.parse(f"{moment:%Y}")) == then

    walk()


def test_too_much_at_once_is_refused_with_a_sentence(
    book: Casebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count that takes longer than a statement may says what to ask for instead."""
    monkeypatch.setattr(board, "LOADED", "SELECT pg_sleep(5)::text AS workflow")

    def hurried(session: Session) -> None:
        head = book.who("head")
        stand_for(session, principal_of(head))
        session.connection().exec_driver_sql("SET LOCAL statement_timeout = '300ms'")
        disclose(session, book.casework, head, period="2026-03")

    with pytest.raises(Busy, match="缩小"):
        book.do(hurried)


def test_what_is_due_of_whom_is_what_the_files_say(laws: Casework) -> None:
    """The units a figure counts are those for which the workflow opens items, and a report's day is the
    rule's.
    """
    bound = {
        "revisit_campaign": obligations.REVISITING,
        "inspection": obligations.INSPECTING,
        "monthly_report": obligations.REPORTING,
    }
    for name, units in bound.items():
        opens = laws.catalog.named(name).workflow.opens
        assert opens is not None, name
        assert set(opens.units) == set(units), name
    (rule,) = laws.catalog.rulebook.rules["mrp.report"]
    assert (rule.day_of_month, rule.roll) == (obligations.REPORT_DAY, Roll.BEFORE)


def default(book: Casebook, at: datetime) -> None:
    """What the system enters where nobody rated."""
    data = {
        "level": "fairly_satisfied",
        "item_code": "GTDJ-01",
        "window_or_channel": "BR1-01",
        "is_default": True,
    }
    book.do(
        lambda s: book.casework.submit(
            s, "review", book.who("intake"), data, channel="staff", at=at
        )
    )


def test_ratings_are_counted_without_defaults_and_what_was_ruled_invalid(book: Casebook) -> None:
    """Both are shown; contact, terminals and haste stand beside; the share with defaults is another."""
    for level in ("very_satisfied", "satisfied", "satisfied"):
        rate(book, level)
    rate(book, "fairly_satisfied", served_at=(MONDAY - timedelta(seconds=5)).isoformat())
    rate(book, "dissatisfied", served_at=(MONDAY - timedelta(hours=1)).isoformat())
    bad = verified(book, **NAMED)
    book.go(bad, "appeal", "branch1_head", evidence=["录音"], claim_kind="mistaken")
    book.go(bad, "rule_invalid", "law_hub", ruling="评的是另一窗口")
    verified(book, **NAMED)
    for _ in range(2):
        default(book, MONDAY)
    found = told(book, day(20))
    good = found["K-RVW-1"]
    assert (good.numerator, good.denominator) == (4, 6)
    assert [(out.name, out.count) for out in good.exclusions] == [
        ("defaults", 2),
        ("ruled_invalid", 1),
    ]
    assert (good.target, good.beside[0]) == ("100 %", "K-INT-1")
    assert (found["K-RVW-1b"].numerator, found["K-RVW-1b"].denominator) == (6, 8)
    assert (found["K-RVW-4"].numerator, found["K-RVW-4"].denominator) == (0, 2)
    assert (found["K-RVW-4b"].numerator, found["K-RVW-4b"].denominator) == (1, 1)
    assert found["K-INT-1"].value == 0.75
    assert (found["K-INT-2"].numerator, found["K-INT-2"].denominator) == (1, 2)
    assert found["K-INT-3"].value == 1
    entropy = found["K-INT-4"].value
    assert entropy is not None
    assert 2 < entropy < 2.33  # of five levels at most log2(5)
    assert (found["K-INT-5"].numerator, found["K-INT-6"].value) == (1, 1)
    assert (found["K-RVW-3b"].numerator, found["K-RVW-3b"].denominator) == (1, 4)
    assert told(book, day(20), "BR1")["K-RVW-3b"].value == 1
    assert told(book, day(20), "BR2")["K-RVW-1"].denominator == 0


def test_a_full_score_by_default_proves_nothing(book: Casebook) -> None:
    """One person rated of their own accord, nine did not: 100 % and 样本不足以证明."""
    rate(book, "very_satisfied")
    for _ in range(9):
        default(book, MONDAY)
    good = told(book, day(20))["K-RVW-1"]
    assert good.value == 1
    assert [note[0] for note in good.notes] == ["too_few", "no_proof"]


def test_satisfaction_is_counted_of_those_who_answered(book: Casebook) -> None:
    """Of four visits: two say whether it is resolved, three whether they are content, one refuses; all
    were made by somebody apart from the case.
    """
    register(book, 4, procedure="ordinary")
    answers: list[dict[str, Any]] = [
        {"satisfaction": "satisfied", "resolved": "resolved"},
        {"satisfaction": "dissatisfied", "resolved": "partly"},
        {"satisfaction": "fairly_satisfied"},
        {},
    ]
    for visit, said in zip(running(book, campaign(book)).values(), answers, strict=True):
        book.go(visit, "attempt", "revisitor", **CALL)
        if not said:
            book.go(visit, "party_refuses", "revisitor", statement="不愿受访")
        else:
            book.go(visit, "interview", "revisitor", answers="无", identity_confirmed=True, **said)
    found = told(book, day(20))
    counted = [
        (name, found[name].numerator, found[name].denominator)
        for name in ("K-SAT-2", "K-SAT-3", "K-RVT-4")
    ]
    assert counted == [("K-SAT-2", 1, 2), ("K-SAT-3", 2, 3), ("K-RVT-4", 4, 4)]
    assert [aside.count for aside in found["K-SAT-2"].exclusions] == [1, 0]
