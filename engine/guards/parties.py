"""The guards of what is done with parties: complaints, mediation, revisits, and what is put right for them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from engine.guards.register import guard
from engine.workdays import due

if TYPE_CHECKING:
    from engine.definition import Deadline
    from engine.dossier import Attempt
    from engine.rulebook import Rule

VISITORS = "rvt.home_visitors"
"""The quantity of `rules.yaml` that says how many go to somebody's home."""
FEWEST_JOINT = 2  # 两人以上为共同投诉（令121第十二条）


@guard
def asked_before(attempt: Attempt, _: str) -> str | None:
    """Asking again overrides what was told once: before that there is nothing to override."""
    if any(act.act == "ask_supplement" for act in attempt.dossier.history):
        return None
    return (
        "还没有告知过补正事项,请先一次性告知(ask_supplement)。"
        "Nothing was asked for yet; tell everything missing at once first (ask_supplement)."
    )


@guard
def leader_named(attempt: Attempt, _: str) -> str | None:
    """Who complains of a leader of the bureau says whom, so that this person is shut out at once."""
    if attempt.known.get("matter") != "leader":
        return None
    if isinstance(attempt.known.get("subject_officers_or_unknown"), list):
        return None
    return (
        "反映局领导的,请写明是哪一位(subject_officers_or_unknown),以便其即时回避。"
        "Name the leader complained of (subject_officers_or_unknown), who must stay out from now on."
    )


@guard
def announced(attempt: Attempt, _: str) -> str | None:
    """Mediation on the spot is announced before its time (Order 121 art. 20)."""
    if attempt.known.get("mode") != "on_site":
        return None
    told, held = (str(attempt.known.get(name, "")) for name in ("delivered_at", "time"))
    if told and held and datetime.fromisoformat(told) < datetime.fromisoformat(held):
        return None
    return (
        "现场调解须在调解时间之前送达通知;送达晚于调解时间的,请核对送达时间(delivered_at)。"
        "Mediation on the spot is announced before its time; check when the notice was delivered."
    )


@guard
def represented_consent(attempt: Attempt, _: str) -> str | None:
    """Of a joint complaint nothing is conceded without those represented (Order 121 art. 12)."""
    if int(attempt.known.get("complainants") or 1) < FEWEST_JOINT:
        return None
    if attempt.given.get("others_consent") is True:
        return None
    return (
        "共同投诉的代表人变更、放弃请求或者和解,须经被代表的投诉人同意(others_consent)。"
        "Those represented in a joint complaint must consent to the terms (others_consent)."
    )


@guard
def document_made(attempt: Attempt, _: str) -> str | None:
    """An agreement on the spot gets a document, unless performed at once or both waive it (art. 24)."""
    if attempt.known.get("mode") != "on_site":
        return None
    if attempt.given.get("agreement_or_record") == "agreement" or attempt.given.get(
        "document_waived"
    ):
        return None
    return (
        "现场达成协议的应当制作调解书;即时履行或者双方同意不制作的,请写明(document_waived)。"
        "An agreement on the spot gets a document; if it was waived, say why (document_waived)."
    )


@guard
def not_of_case_unit(attempt: Attempt, _: str) -> str | None:
    """Nobody of the unit that handled a case asks about it: who handled it is told by that unit, where
    it comes from another system, and may be told wrongly.
    """
    dossier = attempt.dossier
    if not dossier.office.shut_out_of(dossier.case_unit_id) & {*attempt.concerned}:
        return None
    return (
        "办案单位的人员不得回访本单位的案件,请换其他单位的人员。"
        "Nobody of the unit that handled the case asks about it; choose somebody else."
    )


@guard
def two_visitors(attempt: Attempt, _: str) -> str | None:
    """A visit at home takes two who had no part in the case."""
    if attempt.given.get("method") != "home_visit":
        return None
    wanted = attempt.dossier.bound.rulebook.quantity(VISITORS, attempt.dossier.today)
    if len({*attempt.concerned}) >= wanted:
        return None
    return (
        f"上门回访须{wanted}人同行,请填写同行回访人员(companions)。"
        f"A visit at home takes {wanted} people; name who comes along (companions)."
    )


@guard
def complex_explained(attempt: Attempt, _: str) -> str | None:
    """What is not put right at once says why (立行立改以外的须说明理由)."""
    if attempt.known.get("kind") != "complex" or attempt.known.get("due_reason"):
        return None
    return (
        "限期整改的,请说明不能立行立改的理由(due_reason)。"
        "Say why this cannot be put right at once (due_reason)."
    )


@guard
def due_date_allowed(attempt: Attempt, name: str) -> str | None:
    """The fixed date of a deadline lies between today and the last day its rule allows."""
    dossier = attempt.dossier
    spec = dossier.workflow.deadlines[name]
    told = attempt.known.get(spec.until or "")
    if not isinstance(told, str):
        return None
    rule = _rule(attempt, spec)
    last = due(dossier.calendar, dossier.now, rule.within, rule.roll)
    if last is None or dossier.today <= date.fromisoformat(told) <= last.on:
        return None
    return (
        f"期限应在今天至 {last.on} 之间({rule.within.chinese})。"
        f"The date must lie between today and {last.on} ({rule.within})."
    )


def _rule(attempt: Attempt, spec: Deadline) -> Rule:
    """The rule a deadline would follow if it started now."""
    name = spec.rule
    if spec.instead is not None:
        name = spec.instead.rules.get(str(attempt.known.get(spec.instead.field)), name)
    return attempt.dossier.bound.rulebook.rule(name, attempt.dossier.today)
