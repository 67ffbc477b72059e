"""The sample office as a roster, and a small sound set of files to break in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.checking.proof import Proof, prove_all
from engine.checking.soundness import complaints
from engine.loader import Document, parse
from engine.reading import Text, read_rulebook, read_texts, read_workflow
from engine.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.definition import Workflow
    from engine.errors import Finding
    from engine.rulebook import Rulebook

UNITS: dict[str, str | None] = {
    "BUR": None,
    "LAW": "BUR",
    "AUD": "BUR",
    "SQD": "BUR",
    "OFF": "BUR",
    "SVC": "BUR",
    "IPR": "BUR",
    "BR1": "BUR",
    "BR2": "BUR",
}

_PLACES = {
    "intake": ("OFF", {"intake": "BUR"}),
    "intake2": ("SVC", {"intake": "BUR"}),
    "handler1": ("AUD", {"handler": "BUR"}),
    "handler2": ("AUD", {"handler": "BUR"}),
    "handler3": ("LAW", {"handler": "BUR"}),
    "handler4": ("SQD", {"handler": "BUR"}),
    "branch1_handler": ("BR1", {"handler": "BR1"}),
    "branch2_handler": ("BR2", {"handler": "BR2"}),
    "branch1_head": ("BR1", {"unit_head": "BR1"}),
    "branch2_head": ("BR2", {"unit_head": "BR2"}),
    "unit_head": ("AUD", {"unit_head": "AUD"}),
    "law_head": ("LAW", {"unit_head": "LAW"}),
    "squad_head": ("SQD", {"unit_head": "SQD"}),
    "office_head": ("OFF", {"unit_head": "OFF"}),
    "service_head": ("SVC", {"unit_head": "SVC"}),
    "ip_head": ("IPR", {"unit_head": "IPR"}),
    "chief_of_staff": ("BUR", {"unit_head": "BUR"}),
    "law_reviewer": ("LAW", {"law_reviewer": "BUR"}),
    "law_reviewer2": ("OFF", {"law_reviewer": "BUR"}),
    "law_hub": ("LAW", {"law_hub": "BUR"}),
    "law_hub2": ("OFF", {"law_hub": "BUR"}),
    "deputy": ("BUR", {"deputy": "BUR", "party_group": "BUR"}),
    "deputy2": ("BUR", {"deputy": "BUR", "party_group": "BUR"}),
    "head": ("BUR", {"head": "BUR", "party_group": "BUR"}),
    "secretary": ("BUR", {"party_group": "BUR"}),
    "liaison": ("BUR", {"liaison": "BUR"}),
    "liaison2": ("BUR", {"liaison": "BUR"}),
    "mediator": ("BR1", {"mediator": "BUR"}),
    "mediator2": ("IPR", {"mediator": "BUR"}),
    "revisitor": ("SVC", {"revisitor": "BUR"}),
    "revisitor2": ("LAW", {"revisitor": "BUR"}),
    "counsellor": ("SVC", {"counsellor": "BUR"}),
    "inspector": ("SVC", {"inspector": "BUR"}),
    "inspector2": ("LAW", {"inspector": "BUR"}),
    "reporter": ("OFF", {"reporter": "BUR"}),
    "reporter2": ("AUD", {"reporter": "BUR"}),
    "audit1": ("AUD", {"audit": "BUR"}),
    "audit2": ("LAW", {"audit": "BUR"}),
    "auditor": ("OFF", {"auditor": "BUR"}),
    "discipline": ("BUR", {"discipline": "BUR"}),
}
SAMPLE = Roster(
    units=UNITS,
    people={person: home for person, (home, _) in _PLACES.items()},
    memberships=frozenset(
        (person, role, unit)
        for person, (_, roles) in _PLACES.items()
        for role, unit in roles.items()
    ),
)

GUARDS = frozenset(
    {
        "approver_not_requester",
        "attempts_made",
        "both_consent",
        "children_done",
        "collective",
        "declared",
        "head_approved",
        "lapsed",
        "law_review_done",
        "not_case_handler",
        "not_subject_unit",
        "notice_delivered",
        "two_handlers",
        "within_deadline",
    }
)

FILLS = {"what_was_found": ("findings",)}

LETTER = """\
workflow: letter
version: 1
title: 来信
title_en: Letter
number: 信
initial: received
subject: respondent
home: {unit: AUD, unless_subject: [AUD], instead: OFF}
roles:
  intake: {title: 受理登记员, title_en: Intake}
  handler: {title: 承办人, title_en: Handler, duty: work}
  unit_head: {title: 单位负责人, title_en: Head of unit}
  law_reviewer: {title: 法制审核人员, title_en: Law reviewer, duty: approve}
  deputy: {title: 分管局领导, title_en: Deputy, duty: approve}
  law_hub: {title: 法规科汇总员, title_en: Law hub}
  head: {title: 主要负责人, title_en: Head, duty: approve}
fields:
  narrative: {title: 事项, title_en: Matter, type: long_text, personal: true}
  respondent: {title: 被投诉单位, title_en: Respondent, type: unit}
  handlers: {title: 承办人, title_en: Handlers, type: people, duty: work}
  declarations_signed: {title: 声明, title_en: Declared, type: boolean}
  findings: {title: 查明事实, title_en: Findings, type: long_text}
  outcome: {title: 认定, title_en: Outcome, type: choice, choices: {yes: 属实, no: 不属实}}
  delivered_at: {title: 送达时间, title_en: Delivered at, type: moment}
states:
  received: {title: 已接收, title_en: Received, idle: stall.intake}
  handling: {title: 办理, title_en: Handling, idle: stall.work}
  suspended: {title: 中止, title_en: Suspended, idle: stall.pause}
  reviewing: {title: 审核, title_en: Reviewing, idle: stall.approval}
  deciding: {title: 待决定, title_en: Deciding, idle: stall.approval}
  replied: {title: 已答复, title_en: Replied}
  closed: {title: 办结, title_en: Closed, final: true}
transitions:
  submit:
    title: 提出
    title_en: Submit
    to: received
    by: [public, intake, sys]
    requires: [narrative, respondent]
    effects:
      - notify: {to: public, text: receipt}
  assign:
    title: 交办
    title_en: Assign
    from: [received]
    to: handling
    by: [unit_head]
    requires: [handlers, declarations_signed]
    guards: [two_handlers, declared, not_subject_unit]
    effects:
      - assign: {people: handlers, role: handler}
  note_progress:
    {title: 记进展, title_en: Note progress, from: [handling], to: handling, by: [handler]}
  suspend:
    {title: 中止, title_en: Suspend, from: [handling], to: suspended, by: [deputy]}
  resume:
    {title: 恢复, title_en: Resume, from: [suspended], to: handling, by: [handler, deputy]}
  conclude:
    title: 终结
    title_en: Conclude
    from: [handling]
    to: reviewing
    by: [handler]
    requires: [findings, outcome]
  return:
    - title: 退回
      title_en: Return
      from: [reviewing]
      to: handling
      by: [law_reviewer]
      returns: true
    - title: 退回
      title_en: Return
      from: [deciding]
      to: handling
      by: [deputy, head]
      returns: true
  pass:
    title: 通过
    title_en: Pass
    from: [reviewing]
    to: deciding
    by: [law_reviewer]
    guards: [not_case_handler]
  decide:
    title: 决定
    title_en: Decide
    from: [deciding]
    to: replied
    by: [deputy, head]
    optional: [delivered_at]
    guards: [law_review_done, approver_not_requester]
  object:
    title: 异议
    title_en: Object
    from: [replied]
    to: deciding
    by: [public]
    guards: [within_deadline.objection]
  close:
    title: 办结
    title_en: Close
    from: [replied]
    to: closed
    by: [unit_head, sys]
    guards: [lapsed.objection]
  reopen:
    title: 重启
    title_en: Reopen
    from: [closed]
    to: handling
    by: [deputy]
deadlines:
  handle:
    title: 办理
    title_en: Handle
    starts: [submit, reopen, object]
    stops: [decide]
    rule: letter.handle
    paused_in: [suspended]
    ladder: standard
  objection:
    title: 异议期
    title_en: Objection
    starts: [decide]
    stops: [object]
    rule: letter.objection
    lapses_into: close
"""

RULES = """\
rules:
  letter.handle:
    - {since: 2023-07-20, within: 30 days, extension: 20 days, weight: policy, source: 试行规定}
  letter.objection:
    - {since: 2023-07-20, within: 30 days, weight: policy, source: 试行规定}
  stall.intake: [{since: 2023-07-20, within: 3 working days, weight: internal, source: 试行规定}]
  stall.work: [{since: 2023-07-20, within: 5 working days, weight: internal, source: 试行规定}]
  stall.approval: [{since: 2023-07-20, within: 2 working days, weight: internal, source: 试行规定}]
  stall.pause: [{since: 2023-07-20, within: 30 days, weight: internal, source: 试行规定}]
  stall.ping_pong: [{since: 2023-07-20, within: 0 days, weight: internal, source: 试行规定}]
  stall.clock_abuse: [{since: 2023-07-20, within: 0 days, weight: internal, source: 试行规定}]
ladders:
  standard:
    - {at: 70%, level: 0, act: remind, tell: [holder]}
    - {at: due, level: 2, act: demand, tell: [holder, unit_head, deputy, law_hub]}
    - {at: 5 working days after, level: 3, act: supervise, tell: [head]}
    - {at: 10 working days after, level: 4, act: escalate, tell: [party_group, liaison]}
  idle:
    - {at: due, level: 1, act: urge, tell: [holder, unit_head]}
    - {at: 5 working days after, level: 3, act: supervise, tell: [head, liaison]}
  abuse:
    - {at: due, level: 3, act: supervise, tell: [head, liaison]}
"""

TEXTS = """\
receipt: {title: 收到, body: 已收到。, title_en: Received, body_en: We have it.}
"""


def document(text: str, name: str) -> Document:
    """A file of this text."""
    return parse(text.encode(), name)


def workflow(text: str = LETTER, name: str = "letter.yaml") -> tuple[Workflow, Document]:
    """The workflow of this text with its document."""
    told = document(text, name)
    return read_workflow(told), told


def rulebook(text: str = RULES) -> tuple[Rulebook, Document]:
    """The rulebook of this text with its document."""
    told = document(text, "rules.yaml")
    return read_rulebook(told), told


def texts() -> dict[str, Text]:
    """The texts the small set uses."""
    return read_texts(document(TEXTS, "texts.yaml"))


def unsound(
    *files: tuple[Workflow, Document],
    law: str = RULES,
    guards: Collection[str] = GUARDS,
) -> list[Finding]:
    """Complaints about these files (default: the letter) under this law."""
    book, told = rulebook(law)
    letters = {"demand_notice"}
    return complaints(files or [workflow()], book, told, texts(), letters, guards, FILLS)


def proofs(
    *files: tuple[Workflow, Document], law: str = RULES, roster: Roster = SAMPLE
) -> dict[str, Proof]:
    """The proofs of these files (default: the letter) in this office."""
    found = prove_all(files or [workflow()], rulebook(law)[0], roster)
    return {proof.workflow.workflow: proof for proof in found}


def changed(text: str, *edits: tuple[str, str]) -> str:
    """A text with each first string replaced by the second; the first must occur once."""
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        text = text.replace(old, new)
    return text


def names(findings: list[Finding]) -> set[str]:
    """The stable names of findings."""
    return {finding.name for finding in findings}
