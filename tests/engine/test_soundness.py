from __future__ import annotations

import pytest

from tests.workflows.sample import LETTER, RULES, changed, names, unsound, workflow

CHILD = """\
workflow: note
version: 1
title: 附记
title_en: Note
number: 记
initial: open
roles:
  handler: {title: 承办人, title_en: Handler}
fields:
  about: {title: 事项, title_en: About, type: text}
  secret: {title: 秘密, title_en: Secret, type: long_text, personal: true}
  unit: {title: 单位, title_en: Unit, type: unit}
states:
  open: {title: 待办, title_en: Open, idle: stall.work}
  done: {title: 办结, title_en: Done, final: true}
transitions:
  submit: {title: 提出, title_en: Submit, to: open, by: [sys], requires: [about]}
  finish:
    title: 办结
    title_en: Finish
    from: [open]
    to: done
    by: [handler]
    effects:
      - parent: {transition: close}
"""
SPAWN = "      - spawn: {workflow: note, carry: {about: outcome}}\n"
CONCLUDE = "    requires: [findings, outcome]\n"
WITH_CHILD = changed(LETTER, (CONCLUDE, f"{CONCLUDE}    effects:\n{SPAWN}"))

FAULTS = [
    ("initial: received", "initial: recieved", "unknown-state", "initial: recieved"),
    ("subject: respondent", "subject: respondant", "unknown-field", "subject:"),
    ("subject: respondent", "subject: narrative", "wrong-field-type", "subject:"),
    ("subject: respondent", "subject: respondent\nfamily: outcome", "wrong-field-type", "family:"),
    ("idle: stall.intake}", "idle: stall.intakes}", "unknown-rule", "idle: stall.intakes"),
    ("    from: [received]\n", "    from: [receved]\n", "unknown-state", "from: [receved]"),
    ("    to: reviewing\n", "    to: review\n", "unknown-state", "to: review\n"),
    ("by: [public, intake, sys]", "by: [public, intaker]", "unknown-role", "intaker"),
    ("requires: [findings, outcome]", "requires: [findngs]", "unknown-field", "findngs"),
    ("optional: [delivered_at]", "optional: [delivered]", "unknown-field", "[delivered]"),
    ("guards: [not_case_handler]", "guards: [not_case_handlers]", "unknown-guard", "handlers]"),
    ("guards: [not_case_handler]", "guards: [lapsed.handel]", "unknown-deadline", "handel"),
    ("guards: [not_case_handler]", "guards: [attempts_made.findings]", "unknown-quantity", "made."),
    ("guards: [not_case_handler]", "guards: [attempts_made.found]", "unknown-field", "made."),
    ("guards: [not_case_handler]", "guards: [collective]", "unknown-field", "collective"),
    (
        "guards: [not_case_handler]",
        "guards: [notice_delivered.sent_at]",
        "unknown-field",
        "sent_at",
    ),
    ("    guards: [not_case_handler]\n", "    fill: what_was_foundd\n", "unknown-fill", "foundd"),
    ("    guards: [not_case_handler]\n", "    fill: what_was_found\n", "filled-in-vain", "fill:"),
    ("text: receipt}", "text: reciept}", "unknown-text", "reciept"),
    ("notify: {to: public,", "notify: {to: publik,", "unknown-role", "publik"),
    ("notify: {to: public, text: receipt}", "document: {template: letterhead}", "unknown-template",
     "letterhead"),
    ("text: receipt}", "text: receipt, when: {outcome: [maybe]}}", "unknown-choice", "maybe"),
    ("text: receipt}", "text: receipt, when: {findings: [x]}}", "wrong-field-type", "findings: ["),
    ("assign: {people: handlers,", "assign: {people: outcome,", "wrong-field-type", "outcome, role"),
    ("role: handler}", "role: handlers}", "unknown-role", "role: handlers"),
    ("    starts: [submit, reopen, object]", "    starts: [submited]", "unknown-transition",
     "submited"),
    ("    stops: [decide]", "    stops: [decided]", "unknown-transition", "[decided]"),
    ("    paused_in: [suspended]", "    paused_in: [paused]", "unknown-state", "[paused]"),
    ("    paused_in: [suspended]", "    paused_in: [closed]", "pause-never", "paused_in: [closed]"),
    ("    rule: letter.handle", "    rule: letter.handel", "unknown-rule", "letter.handel"),
    ("    ladder: standard", "    ladder: standard\n    until: held_on", "unknown-field", "held_on"),
    ("    ladder: standard", "    ladder: standard\n    until: findings", "wrong-field-type",
     "until: findings"),
    ("    ladder: standard", "    ladder: standart", "unknown-ladder", "standart"),
    ("    lapses_into: close", "    lapses_into: closes", "unknown-transition", "closes"),
    ("    lapses_into: close", "    lapses_into: assign", "lapse-nowhere", "lapses_into: assign"),
    ("    by: [unit_head, sys]", "    by: [unit_head]", "sys-not-allowed", "lapses_into: close"),
    ("  submit:\n", "  begin:\n", "submit-missing", "transitions:"),
    ("    to: received\n", "    to: handling\n", "submit-elsewhere", "    to: handling\n    by: [pub"),
    ("    to: received\n", "    from: [closed]\n    to: received\n", "submit-has-source",
     "from: [closed]\n    to: received"),
    ("    from: [received]\n", "", "no-source", "  assign:\n"),
    ("  object:\n", "  note:\n", "reserved-name", "  note:\n"),
    ("      from: [deciding]\n      to: handling", "      from: [reviewing]\n      to: deciding",
     "two-destinations", "- title: 退回\n      title_en: Return\n      from: [reviewing]\n      to: d"),
    ("  reopen:\n", "  revive:\n", "final-left", "from: [closed]"),
    ("  closed: {", "  lost: {title: 失, title_en: Lost, idle: stall.work}\n  closed: {",
     "unreachable-state", "lost:"),
    ("  closed: {title: 办结, title_en: Closed, final: true}",
     "  closed: {title: 办结, title_en: Closed, final: true, idle: stall.work}",
     "final-state-waits", "closed:"),
    ("from: [suspended], to: handling, by", "from: [suspended], to: suspended, by", "no-way-out",
     "  suspended: {"),
    ("  closed: {title: 办结, title_en: Closed, final: true}",
     "  closed: {title: 办结, title_en: Closed}", "no-end", "  received: {"),
    ("    stops: [object]", "    stops: [submit]", "clock-never-stops", "stops: [submit]"),
    ("number: 信", "number: 记", "number-taken", "number: 记"),
    ("transition: close}", "transition: shut}", "unknown-transition", "transition: shut"),
    ("about: outcome}", "abuot: outcome}", "unknown-field", "spawn:"),
    ("about: outcome}", "about: outcomes}", "unknown-field", "spawn:"),
    ("about: outcome}", "about: narrative}", "personal-carried", "spawn:"),
    ("about: outcome}", "about: respondent}", "wrong-field-type", "spawn:"),
    ("about: outcome}", "secret: narrative}", "carried-in-vain", "spawn:"),
    ("workflow: note, carry", "workflow: notes, carry", "unknown-workflow", "spawn:"),
    ("to: open, by: [sys]", "to: open, by: [public]", "spawn-not-allowed", "spawn:"),
    ("    - {at: due, level: 2,", "    - {at: 60%, level: 2,", "ladder-falls", "at: 60%"),
    ("5 working days after, level: 3, act: supervise, tell: [head]}",
     "5 working days after, level: 1, act: supervise, tell: [head]}", "ladder-falls", "level: 1"),
    ("tell: [party_group, liaison]", "tell: [party_grup]", "unknown-role", "party_grup"),
    ("since: 2023-07-20, within: 30 days, extension: 20 days, weight: policy, source: 试行规定}\n",
     ("since: 2023-07-20, within: 30 days, weight: policy, source: 试行规定}\n"
     "    - {since: 2023-07-20, within: 9 days, weight: policy, source: 试行规定}\n"),
     "same-since", "within: 9 days"),
    ("  stall.ping_pong:", "  stall.pingpong:", "unknown-rule", ""),
    ("  abuse:\n", "  misuse:\n", "unknown-ladder", ""),
]  # fmt: skip


def test_a_sound_set_has_no_complaints() -> None:
    """The small set of files is accepted, alone and with a child workflow."""
    assert unsound() == []
    assert unsound(workflow(WITH_CHILD), workflow(CHILD, "note.yaml")) == []


@pytest.mark.parametrize(("old", "new", "name", "place"), FAULTS)
def test_a_fault_is_named_at_its_line(old: str, new: str, name: str, place: str) -> None:
    """Every planted fault is found under its name, on the line where it was written."""
    texts = {"letter.yaml": WITH_CHILD, "note.yaml": CHILD, "rules.yaml": RULES}
    home = next(file for file, text in texts.items() if text.count(old) == 1)
    texts[home] = changed(texts[home], (old, new))
    found = unsound(
        workflow(texts["letter.yaml"]),
        workflow(texts["note.yaml"], "note.yaml"),
        law=texts["rules.yaml"],
    )
    hits = [finding for finding in found if finding.name == name]
    assert hits, f"{name} is not among {names(found)}"
    line = {
        text[: text.index(place)].count("\n") + 1
        for text in texts.values()
        if place and place in text
    }
    assert not place or line & {hit.line for hit in hits}
    assert all(" / " in hit.sentence for hit in found)


def test_all_complaints_come_at_once() -> None:
    """Two faults in two files are both told."""
    broken = changed(LETTER, ("initial: received", "initial: recieved"))
    law = changed(RULES, ("tell: [party_group, liaison]", "tell: [party_grup]"))
    assert {"unknown-state", "unknown-role"} <= names(unsound(workflow(broken), law=law))


def test_an_endless_chain_of_spawns_is_refused() -> None:
    """Two workflows whose submits beget one another would fill the office overnight."""
    looping = changed(
        CHILD,
        (
            "by: [sys], requires: [about]}",
            (
                "by: [sys], requires: [about], effects: "
                "[{spawn: {workflow: note, carry: {about: about}}}]}"
            ),
        ),
    )
    found = unsound(workflow(WITH_CHILD), workflow(looping, "note.yaml"))
    assert names(found) == {"spawn-loop"}


BY_HAND = "    effects:\n      - parent: {transition: close}\n"
BACK = "      - spawn: {workflow: letter, carry: {respondent: unit}, fixed: {narrative: 再次}}\n"
RISING = (
    "- {at: 10 working days after, level: 4, act: escalate, tell: [party_group, liaison]}",
    (
        "- {at: 10 working days after, level: 4, act: escalate, tell: [party_group, liaison],"
        " spawn: {workflow: note, fixed: {about: 逾期}}}"
    ),
)


def loops(letter: str, note: str, law: str = RULES) -> set[str]:
    """The workflows that beget themselves, by the file a finding names."""
    found = unsound(workflow(letter), workflow(note, "note.yaml"), law=law)
    assert names(found) <= {"spawn-loop"}
    return {finding.file for finding in found}


def test_a_spawn_a_person_makes_is_no_loop() -> None:
    """A revisit whose reader decides that it is a new complaint begins one by hand."""
    assert loops(WITH_CHILD, changed(CHILD, (BY_HAND, BY_HAND + BACK))) == set()


def test_a_window_that_closes_by_itself_closes_a_loop() -> None:
    """Whoever may also act there does not: the clock makes the move."""
    ending = changed(
        LETTER, ("guards: [lapsed.objection]", f"guards: [lapsed.objection]\n    effects:\n{SPAWN}")
    )
    born = changed(
        CHILD,
        (
            "by: [sys], requires: [about]}",
            f"by: [sys], requires: [about], effects: [{BACK.strip()[2:]}]}}",
        ),
    )
    assert loops(ending, born) == {"letter.yaml", "note.yaml"}
    by_hand = changed(ending, ("    lapses_into: close\n", ""))
    assert loops(by_hand, born) == set()


def test_a_rung_that_spawns_closes_a_loop() -> None:
    """A neglected item begets one that, neglected, begets the next."""
    law = changed(RULES, RISING)
    assert loops(LETTER, CHILD, law) == set()
    climbing = changed(CHILD, ("initial: open\n", "initial: open\nidle_ladder: standard\n"))
    assert loops(LETTER, climbing, law) == {"note.yaml"}


def test_what_opens_each_month_begets_itself_no_more_than_others() -> None:
    """Opening is no loop; what an opened item begins at its birth may be one."""
    months = "  unit: {title: 单位, title_en: Unit, type: unit}\n"
    opening = changed(
        CHILD,
        (months, f"{months}  month: {{title: 月份, title_en: Month, type: text}}\n"),
        ("initial: open\n", "initial: open\nopens: {every: month, day: 1, units: [AUD], data: {about: 月度}}\n"),
        ("requires: [about]}", "requires: [about], optional: [unit, month]}"),
    )  # fmt: skip
    assert loops(WITH_CHILD, opening) == set()
    itself = "spawn: {workflow: note, carry: {about: about}}"
    looping = changed(
        opening, ("optional: [unit, month]}", f"optional: [unit, month], effects: [{{{itself}}}]}}")
    )
    assert loops(WITH_CHILD, looping) == {"note.yaml"}


def test_a_child_that_moves_its_parent_by_itself_closes_a_loop() -> None:
    """The parent's move is the system's, and begins the child anew."""
    telling = "effects: [{parent: {transition: note_progress}}]}"
    child = changed(
        CHILD, ("by: [sys], requires: [about]}", f"by: [sys], requires: [about], {telling}")
    )
    parent = changed(
        WITH_CHILD,
        ("to: handling, by: [handler]}\n", "to: handling, by: [handler, sys], effects: [{spawn: {workflow: note, carry: {about: outcome}}}]}\n"),
    )  # fmt: skip
    assert loops(parent, child) == {"note.yaml"}


def test_a_wrong_name_is_answered_with_the_nearest_right_one() -> None:
    """The sentence suggests what was probably meant."""
    broken = changed(LETTER, ("initial: received", "initial: recieved"))
    assert "'received'" in next(f for f in unsound(workflow(broken))).sentence
