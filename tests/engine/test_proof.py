from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from engine.calendars import Roll, carried
from engine.checking import silence
from engine.checking.configurations import Configuration, explore
from engine.checking.verdict import report
from engine.deadlines import Clock, Clockwork
from engine.roster import CHAIN, Roster
from engine.workdays import Moment, Span, point
from tests.workflows.sample import (
    LETTER,
    RULES,
    SAMPLE,
    changed,
    names,
    proofs,
    rulebook,
    unsound,
    workflow,
)

if TYPE_CHECKING:
    from engine.checking.proof import Proof

HANDLING = "handling: {title: 办理, title_en: Handling, idle: stall.work}"
CONCLUDE = "    requires: [findings, outcome]\n"
PARENT = changed(
    LETTER,
    (
        "  suspended: {title: 中止, title_en: Suspended, idle: stall.pause}",
        "  suspended: {title: 中止, title_en: Suspended, waits_on: [note]}",
    ),
    (
        "title_en: Suspend, from: [handling], to: suspended, by: [deputy]}",
        (
            "title_en: Suspend, from: [handling], to: suspended, by: [deputy], "
            "effects: [{spawn: {workflow: note, mandatory: true}}]}"
        ),
    ),
    ("to: handling, by: [handler, deputy]}", "to: handling, by: [handler, sys]}"),
    ("    starts: [submit, reopen, object]", "    starts: [submit, resume, reopen, object]"),
    ("    stops: [decide]", "    stops: [decide, suspend]"),
    ("    paused_in: [suspended]\n", ""),
)
NOTE = """\
workflow: note
version: 1
title: 附记
title_en: Note
number: 记
initial: open
home: {unit: LAW}
roles:
  handler: {title: 承办人, title_en: Handler}
fields: {}
states:
  open: {title: 待办, title_en: Open, idle: stall.work}
  done: {title: 办结, title_en: Done, final: true}
transitions:
  submit: {title: 提出, title_en: Submit, to: open, by: [sys]}
  finish:
    title: 办结
    title_en: Finish
    from: [open]
    to: done
    by: [handler]
    effects: [{parent: {transition: resume}}]
"""


def without(*roles: str, roster: Roster = SAMPLE) -> Roster:
    """The office with nobody in these roles."""
    kept = frozenset(m for m in roster.memberships if m[1] not in roles)
    return replace(roster, memberships=kept)


def only(role: str, *people: str) -> Roster:
    """The office with nobody but these people in a role."""
    kept = frozenset(m for m in SAMPLE.memberships if m[1] != role or m[0] in people)
    return replace(SAMPLE, memberships=kept)


def letter(*edits: tuple[str, str], law: str = RULES, roster: Roster = SAMPLE) -> Proof:
    """The proof of the letter workflow after these edits, which keep it sound."""
    file = workflow(changed(LETTER, *edits))
    assert unsound(file, law=law) == []
    return proofs(file, law=law, roster=roster)["letter"]


def test_a_workflow_with_a_clock_everywhere_is_proven() -> None:
    """The small workflow holds in the sample office, and the figure of its silence is told."""
    proof = letter()
    assert proof.findings == []
    assert proof.longest_silence is not None
    assert proof.longest_silence.state == "suspended"
    assert proof.longest_silence.wait.chinese == "30日"
    assert proof.longest_silence.wait.days >= 30


def test_a_state_without_a_clock_is_found_with_the_way_there() -> None:
    """The shortest path from submit to the silent state is in the sentence, in both languages."""
    proof = letter(
        ("  closed: {", "  appraisal: {title: 鉴定, title_en: Appraisal}\n  closed: {"),
        (
            "  suspend:\n",
            (
                "  appraise: {title: 送鉴, title_en: Appraise, from: [replied], to: appraisal, "
                "by: [deputy]}\n"
                "  appraised: {title: 鉴毕, title_en: Appraised, from: [appraisal], to: closed, "
                "by: [deputy]}\n"
                "  suspend:\n"
            ),
        ),
        ("    stops: [object]", "    stops: [object, appraise]"),
    )
    (finding,) = proof.findings
    assert finding.name == "silent-state"
    assert finding.file == "letter.yaml"
    assert "提出→交办→终结→通过→决定→送鉴→“鉴定”" in finding.sentence
    assert "submit > assign > conclude > pass > decide > appraise > appraisal" in finding.sentence


def test_a_pause_without_a_clock_of_its_own_is_silent() -> None:
    """A clock that stands still covers nothing."""
    proof = letter(("title_en: Suspended, idle: stall.pause}", "title_en: Suspended}"))
    assert names(proof.findings) == {"paused-silence"}


def test_a_clock_started_long_ago_covers_nothing_by_itself() -> None:
    """Its ladder may have rung out before the item came here."""
    proof = letter(("title_en: Deciding, idle: stall.approval}", "title_en: Deciding}"))
    assert names(proof.findings) == {"spent-clock"}


def test_a_window_that_closes_by_itself_covers_its_state() -> None:
    """Only where nothing but the passing of time is asked: another guard could keep it open."""
    assert letter().holds
    proof = letter(
        ("guards: [lapsed.objection]", "guards: [lapsed.objection, notice_delivered]"),
    )
    assert "silent-state" in names(proof.findings)


def test_a_clock_due_on_a_date_that_people_name_covers_nothing_by_itself() -> None:
    """Whoever names a day in forty years would keep the item silent until then."""
    edits = (
        ("rule: letter.objection\n", "rule: letter.objection\n    until: held_on\n"),
        ("  findings: {", "  held_on: {title: 日期, title_en: Held on, type: date}\n  findings: {"),
    )
    proof = proofs(workflow(changed(LETTER, *edits)))["letter"]
    assert names(proof.findings) == {"distant-date"}
    assert "objection" in proof.findings[0].sentence
    replied = "replied: {title: 已答复, title_en: Replied"
    idle = (f"  {replied}}}", f"  {replied}, idle: stall.pause}}")
    assert proofs(workflow(changed(LETTER, *edits, idle)))["letter"].holds


def test_a_clock_without_a_ladder_is_refused() -> None:
    """It would run out and nobody would know."""
    proof = letter(("    ladder: standard\n", ""))
    assert "clock-without-ladder" in names(proof.findings)


def test_a_ladder_that_tells_only_the_holder_is_refused() -> None:
    """Nobody above and outside would ever hear."""
    law = changed(RULES, ("tell: [holder, unit_head]}", "tell: [holder]}")).replace(
        "supervise, tell: [head, liaison]}\n  abuse", "supervise, tell: [holder]}\n  abuse"
    )
    assert names(letter(law=law).findings) == {"ladder-ends-inside"}


def test_a_ladder_that_ends_in_the_unit_it_watches_is_refused() -> None:
    """The head of the unit is no outsider to it."""
    law = RULES.replace(
        "supervise, tell: [head, liaison]}\n  abuse", "supervise, tell: [unit_head]}\n  abuse"
    )
    assert "ladder-ends-inside" in names(letter(law=law).findings)


def test_an_accused_outsider_does_not_end_the_ladder() -> None:
    """Where a rung's one outsider is accused himself, somebody else above must hear."""
    law = RULES.replace(
        "supervise, tell: [head, liaison]}\n  abuse", "supervise, tell: [discipline]}\n  abuse"
    )
    alone = proofs(workflow(), law=law, roster=without("party_group", "liaison", "head"))
    assert "nobody-hears" in names(alone["letter"].findings)


def test_an_office_where_nobody_above_is_there_fails() -> None:
    """Everybody of the chain on leave without a substitute: no rung can be heard."""
    assert "nobody-hears" in names(letter(roster=without(*CHAIN)).findings)
    everybody = replace(SAMPLE, away=dict.fromkeys(SAMPLE.people))
    assert "nobody-hears" in names(letter(roster=everybody).findings)


def test_a_substitute_hears_and_acts_for_somebody_on_leave() -> None:
    """Leave with a substitute changes nothing; leave without one can."""
    away = dict.fromkeys(("deputy", "deputy2", "head"))
    assert "nobody-can-act" in names(letter(roster=replace(SAMPLE, away=away)).findings)
    stands_in = {"deputy": "chief_of_staff", "deputy2": "chief_of_staff", "head": "secretary"}
    assert letter(roster=replace(SAMPLE, away=stands_in)).holds


def test_two_handlers_must_be_certified_and_outside_the_unit_complained_of() -> None:
    """One certified handler cannot be two."""
    few = replace(SAMPLE, certified=frozenset({"handler1"}))
    (finding,) = letter(roster=few).findings
    assert finding.name == "nobody-can-act"
    assert "不足两人" in finding.sentence
    inside = only("handler", "handler1", "handler2")
    assert "被反映单位 AUD" in letter(roster=inside).findings[0].sentence


def test_whoever_asked_may_not_be_the_only_one_to_approve() -> None:
    """Four eyes need two people."""
    asked = ("by: [law_reviewer]\n    guards: [not_case_handler]", "by: [deputy]")
    one = without("head", roster=only("deputy", "deputy"))
    assert letter(asked).holds
    assert "nobody-can-act" in names(letter(asked, roster=one).findings)


def test_duties_that_one_person_would_have_to_join_are_refused() -> None:
    """The only law reviewer is one of the only two handlers."""
    joined = frozenset(m for m in SAMPLE.memberships if m[1] not in {"handler", "law_reviewer"}) | {
        ("squad_head", "handler", "BUR"),
        ("law_head", "handler", "BUR"),
        ("law_head", "law_reviewer", "BUR"),
    }
    proof = letter(roster=replace(SAMPLE, memberships=joined))
    assert any("分不开" in finding.sentence for finding in proof.findings)


@pytest.mark.parametrize(
    "edit",
    [
        ("    guards: [not_case_handler]", "    guards: [notice_delivered]"),
        ("    guards: [not_case_handler]", "    guards: [within_deadline.objection]"),
        ("    guards: [not_case_handler]", "    guards: [head_approved]"),
        ("  pass:\n", "  let_through:\n"),
        ("requires: [handlers, declarations_signed]", "requires: [handlers]"),
        (
            "    guards: [not_case_handler]",
            "    guards: [lapsed.objection, within_deadline.objection]",
        ),
    ],
)
def test_guards_that_cannot_hold_leave_no_exit(edit: tuple[str, str]) -> None:
    """A field nobody can give, a clock that does not run, an approval nobody may give."""
    assert "no-exit" in names(letter(edit).findings)


def test_a_field_that_need_not_be_given_may_leave_no_exit() -> None:
    """What is optional on the way may be missing at the end."""
    late = (
        "    optional: [delivered_at]\n    guards: [",
        "    guards: [notice_delivered, ",
    )
    given = "    requires: [narrative, respondent]\n"
    perhaps = (given, f"{given}    optional: [delivered_at]\n")
    assert "no-exit" in names(letter(late, perhaps).findings)
    always = (given, "    requires: [narrative, respondent, delivered_at]\n")
    assert letter(late, always).holds


def test_a_move_of_the_system_that_nothing_triggers_is_no_exit() -> None:
    """`sys` acts only when a window lapses, a child tells, or another move says `then`."""
    proof = letter(("    by: [deputy, head]\n    optional", "    by: [sys]\n    optional"))
    assert "no-exit" in names(proof.findings)


def test_a_holder_cannot_start_the_clock_anew_for_ever() -> None:
    """A self-loop restarts the idle clock; some other clock must run through it."""
    assert letter().holds
    proof = letter(
        ("    starts: [submit, reopen, object]", "    starts: [submit, reopen]"),
        ("    stops: [decide]", "    stops: [assign, decide]"),
        ("    paused_in: [suspended]\n", ""),
    )
    assert "restarted-for-ever" in names(proof.findings)


@pytest.mark.parametrize(
    ("span", "roll", "at"),
    [
        ("5 working days", Roll.RESTDAY, "due"),
        ("5 working days", Roll.NONE, "70%"),
        ("10 working days", Roll.RESTDAY, "85%"),
        ("30 days", Roll.RESTDAY, "due"),
        ("30 days", Roll.RESTDAY, "70%"),
        ("15 days", Roll.HOLIDAY, "3 working days after"),
        ("3 months", Roll.RESTDAY, "due"),
        ("2 hours", Roll.RESTDAY, "5 working days after"),
        ("4 working hours", Roll.RESTDAY, "85%"),
    ],
)
def test_the_longest_wait_is_that_of_some_day_of_ten_years(span: str, roll: Roll, at: str) -> None:
    """What is left out of the search could not have been longer: every day tried says the same."""
    term, moment, calendar = Span.parse(span), Moment.parse(at), carried()
    every = [(start, point(calendar, start, term, roll, moment)) for start in silence._starts()]
    longest = max(silence._days(start, end) for start, end in every if end is not None)
    assert silence._worst(*silence._plainly(term, roll, moment)) == longest


def test_an_absurd_term_is_refused() -> None:
    """A term of ten years is no term."""
    law = changed(RULES, ("within: 5 working days", "within: 3650 days"))
    assert names(letter(law=law).findings) == {"absurd-span"}


def test_a_unit_the_office_lacks_is_refused() -> None:
    """An item would belong to nobody."""
    assert "unknown-unit" in names(letter(("home: {unit: AUD,", "home: {unit: AUDIT,")).findings)


def test_a_state_may_wait_on_a_child_that_is_sure_to_be_there_and_to_report() -> None:
    """The child's own clocks run meanwhile; without it, or without its report, nobody hears."""
    parent, child = workflow(PARENT), workflow(NOTE, "note.yaml")
    assert unsound(parent, child) == []
    both = proofs(parent, child)
    assert [proof.findings for proof in both.values()] == [[], []]
    perhaps = changed(PARENT, ("mandatory: true", "mandatory: true, when: {outcome: [yes]}"))
    assert names(proofs(workflow(perhaps), child)["letter"].findings) == {"waits-for-nobody"}
    mute = changed(NOTE, ("effects: [{parent: {transition: resume}}]", "effects: []"))
    told = proofs(parent, workflow(mute, "note.yaml"))
    assert "waits-for-nobody" in names(told["letter"].findings)
    silent = changed(NOTE, (", idle: stall.work}", "}"))
    told = proofs(parent, workflow(silent, "note.yaml"))
    assert names(told["note"].findings) == {"silent-state"}
    assert "waits-for-nobody" in names(told["letter"].findings)


def test_the_engine_never_leaves_what_was_explored() -> None:
    """A thousand random moves on the engine's own clocks stand only where the proof looked, and in
    every open stand an alarm is set.
    """
    chance = random.Random(20260924)
    spec, _ = workflow()
    book, _ = rulebook()
    known = {(c.state, c.running, c.paused) for c in explore(spec, {"letter": spec}).first}
    clockwork = Clockwork(spec, book, carried())
    for _ in range(60):
        now = datetime(2026, 3, 2, 1, tzinfo=UTC)
        clocks: list[Clock] = []
        state, name, move = "", "submit", spec.transitions["submit"][0]
        while True:
            turn = clockwork.turn(
                clocks, name, move.to, now, returns=move.returns, received_at=now, data={}
            )
            clocks = [c for c in [*clocks, *turn.started] if c.stopped_at is None]
            state = move.to
            limits = [c for c in clocks if c.kind == "limit"]
            stand = Configuration(
                state,
                frozenset(c.name for c in limits if c.paused_at is None),
                frozenset(c.name for c in limits if c.paused_at is not None),
                frozenset(),
            )
            assert stand[:3] in known
            if spec.states[state].final:
                break
            assert any(c.next_rung_at or c.name == "objection" for c in clocks)
            now += timedelta(hours=chance.randrange(1, 24 * 9))
            name, move = chance.choice(spec.leaving(state))


def test_the_report_is_read_in_chinese_first() -> None:
    """A proven and a failing workflow, each a block, with counts, verdict and longest silence."""
    good, bad = (
        letter(),
        letter(("title_en: Suspended, idle: stall.pause}", "title_en: Suspended}")),
    )
    text = report([good, bad])
    assert "来信 letter v1" in text
    assert "7 个环节、13 个流转、7 个时限，查遍 13 种情形" in text
    assert "✓ 不沉默" in text
    assert "✗ 1 处可能沉默" in text
    assert "letter.yaml:" in text
    assert "[paused-silence]" in text
    assert "最长静默：30日（最多 40 个自然日），在“中止”" in text
    assert "2 个流程中有 1 个可能沉默" in text
