"""The guards of ratings and answers: what two people decide, what has a day, what was really asked."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from engine.guards.register import guard
from engine.workdays import due

if TYPE_CHECKING:
    from engine.dossier import Attempt


@guard
def proposed_by_another(attempt: Attempt, act: str) -> str | None:
    """Two people: somebody else proposed it first, by the transition named after the dot."""
    proposals = [past for past in attempt.dossier.history if past.act == act]
    if proposals and proposals[-1].actor_id != attempt.actor.id:
        return None
    title = attempt.dossier.workflow.transitions[act][0].title
    return (
        f"须先由另一人“{title}”,再由您认定。"
        f"Two people decide this: somebody else must first make {act}."
    )


@guard
def only_once(attempt: Attempt, act: str) -> str | None:
    """An act that was decided on is not made again, by the transition named after the dot: whoever asks
    over and over stops what waits for the answer.
    """
    if all(past.act != act for past in attempt.dossier.history):
        return None
    title = attempt.dossier.workflow.transitions[act][0].title
    return (
        f"“{title}”只能一次,已有结论,请继续办理。This can be done once; go on by what was decided."
    )


@guard
def asked_once(attempt: Attempt, _: str) -> str | None:
    """A person asks each party of a matter once: a second invitation would be a second vote. What the
    system asks at the end of a matter is not held up by it.
    """
    party = attempt.known.get("party") or "petitioner"
    if attempt.actor.id is None or party not in attempt.dossier.parties_asked:
        return None
    return (
        "已就本事项邀请过同一当事人作答,请勿重复邀请。"
        "This party was asked about this matter already; do not ask twice."
    )


@guard
def dated_if_complex(attempt: Attempt, _: str) -> str | None:
    """What cannot be put right at once has a reason and a fixed day, no later than the rule allows."""
    if attempt.known.get("kind") != "complex":
        return None
    dossier, law = attempt.dossier, attempt.dossier.bound.rulebook
    fixed_on, why = attempt.given.get("fixed_on"), attempt.given.get("complex_reason")
    if not fixed_on or not why:
        return (
            "限期整改须写明理由(complex_reason)和完成日期(fixed_on)。"
            "What takes longer needs a reason and the day it will be done."
        )
    rule = law.rule("rvw.complex", dossier.today)
    last = due(dossier.calendar, dossier.now, rule.within, rule.roll)
    if last is not None and dossier.today <= date.fromisoformat(str(fixed_on)) <= last.on:
        return None
    return (
        f"完成日期应在今天至 {last.on if last else dossier.today} 之间({rule.within.chinese}内)。"
        f"The day must lie between today and {last.on if last else dossier.today}."
    )


@guard
def same_questionnaire(attempt: Attempt, _: str) -> str | None:
    """Answers are given to the version that was sent, and to no other."""
    sent = attempt.dossier.data.get("template_version")
    if attempt.given.get("template_version") == sent:
        return None
    return (
        f"邀请您填写的是 {sent} 版问卷,请按该版作答。"
        f"You were asked to answer version {sent}; answer that one."
    )


@guard
def agreed_to_contact(attempt: Attempt, _: str) -> str | None:
    """Nobody who answers leaves a contact without having agreed to be contacted (个人信息保护法 art. 13)."""
    if not attempt.given.get("contact") or attempt.given.get("contact_agreed") is True:
        return None
    return (
        "留下联系方式的,请先表明同意联系(contact_agreed);不同意的,请删去联系方式。"
        "To leave a contact, agree to be contacted first, or leave it out."
    )
