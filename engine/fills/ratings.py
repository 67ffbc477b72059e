"""What the system computes of ratings and questionnaires: where a service was given, which version of
a questionnaire is sent, what an answer holds, and what it is coded as.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.fills.filling import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.fills.filling import Filling
    from engine.questionnaires import Questionnaire

THROUGH = {
    **{name: name for name in ("hall", "online", "mobile", "self_service", "hotline", "other")},
    "web": "online",
    "wechat": "mobile",
    "visit": "hall",
    "phone": "hotline",
    "12345": "hotline",
    "12315": "hotline",
}
"""The six channels of a rating, and which of them the office's other ways in belong to."""
HASTE = "qnr.haste"
"""The quantity of `rules.yaml`: seconds from opening to submitting below which somebody looks."""


@fill("owner_unit", "window_or_channel", "rater_type", "rated_through", "is_default")
def where_it_was_served(filling: Filling) -> Mapping[str, Any]:
    """The unit in charge by window and item, else as the rater says, else the service section; and
    whether anybody rated at all: what staff register is a default, what the public brings never is.
    """
    given = filling.given
    through = THROUGH.get(filling.held["channel"], "other")
    window = given.get("window_or_channel")
    known = filling.bound.beside.services.unit_of(window, given.get("item_code"))
    named = filling.office.unit_named(known) if known else None
    titles = filling.bound.workflow.fields["rated_through"].choices
    return {
        "owner_unit": named.code if named else given.get("owner_unit", "SVC"),
        "window_or_channel": window or titles[through],
        "rater_type": given.get("rater_type", "unstated"),
        "rated_through": through,
        "is_default": filling.actor.kind == "person" and given.get("is_default") is True,
    }


@fill("template_version")
def newest_questionnaire(filling: Filling) -> Mapping[str, Any]:
    """The version an invitation is sent with; it keeps it, whatever is published later."""
    versions = filling.bound.beside.questionnaires.values()
    newest = max(versions, key=lambda each: each.version, default=None)
    return {"template_version": newest.label} if newest else {}


@fill("proxy", "choices_made", "sound")
def what_was_answered(filling: Filling) -> Mapping[str, Any]:
    """Whose hand gave the answers, which options were chosen, and whether nothing speaks against them."""
    asked = _asked(filling)
    answers = filling.given.get("answers") or {}
    proxy = filling.actor.kind == "person"
    if asked is None or asked.judge(answers):
        return {"proxy": proxy, "sound": False}  # refused for itself a moment later
    return {
        "proxy": proxy,
        "choices_made": [
            {"question": question.id, "option": str(option.n), "issue": option.issue or ""}
            for question, option in asked.chosen(answers)
        ],
        "sound": not _doubts(filling, proxy=proxy),
    }


@fill("checks")
def what_was_checked(filling: Filling) -> Mapping[str, Any]:
    """The checks an answer went through, each with what it found."""
    doubts = _doubts(filling, proxy=filling.held.get("proxy") is True)
    return {
        "checks": [
            f"必答题已答,选项有效,按 {filling.held.get('template_version', '')} 作答",
            "一份邀请只收一份答卷",
            *(doubts or ["未见异常"]),
        ]
    }


@fill("issue_codes", "named_units", "unit_signals", "signal", "complaint")
def how_it_is_coded(filling: Filling) -> Mapping[str, Any]:
    """Options as issue codes (domain 5.3); each unit named beside one, with the kinds of conduct.

    A unit the office does not have is named in the answer only: it is nobody's to answer for here.
    """
    asked = _asked(filling)
    if asked is None or filling.dossier is None:
        return {"issue_codes": ["none"], "signal": "none"}
    answers = filling.dossier.personal.get("answers", {})
    chosen = list(asked.chosen(answers))
    issues = [option.issue for _, option in chosen if option.issue]
    kinds_by_unit: dict[str, list[str]] = {}
    said_of_unit: dict[str, list[str]] = {}
    for question, option in chosen:
        words = str(answers[question.id].get("follow_up") or "")
        if option.issue:
            for unit in _units_in(filling, words):
                kinds_by_unit.setdefault(unit, []).extend(option.kinds)
                said_of_unit.setdefault(unit, []).append(option.text)
    agreed = filling.held.get("contact_agreed") is True
    return {
        "issue_codes": list(dict.fromkeys(issues)) or ["none"],
        "named_units": [
            {"respondent": unit, "categories": ",".join(dict.fromkeys(kinds))}
            for unit, kinds in kinds_by_unit.items()
        ],
        "unit_signals": [
            {"about_unit": unit, "scope": f"问卷反映:{'、'.join(said)}"}
            for unit, said in said_of_unit.items()
        ],
        "signal": ("grievance" if agreed else "analysis") if kinds_by_unit else "none",
        "complaint": _in_words(asked, answers) if kinds_by_unit and agreed else None,
    }


def _asked(filling: Filling) -> Questionnaire | None:
    return filling.dossier.questionnaire if filling.dossier else None


def _doubts(filling: Filling, *, proxy: bool) -> list[str]:
    """What somebody of the law section should look at before the answers count."""
    dossier = filling.dossier
    if dossier is None or proxy:
        return []  # read out to a person: how fast it was typed says nothing
    opened = next((act.at for act in reversed(dossier.history) if act.act == "open"), None)
    given = next(
        (a.at for a in reversed(dossier.history) if a.act == "submit_answers"), filling.now
    )
    haste = int(filling.rulebook.quantity(HASTE, dossier.today))
    if opened is not None and (given - opened).total_seconds() < haste:
        return [f"打开后不到{haste}秒即提交,请人工核对"]
    return []


def _units_in(filling: Filling, words: str) -> list[str]:
    """The units a person named in their own words, by name or alias."""
    return [
        unit.code
        for unit in filling.office.units.values()
        if unit.id != filling.office.root
        and any(name in words for name in (unit.name, *unit.aliases))
    ]


def _in_words(asked: Questionnaire, answers: Mapping[str, Any]) -> str:
    """What somebody complains of, put together from what they chose and wrote."""
    lines = [
        f"{question.id}：{option.text}；{answers[question.id].get('follow_up') or ''}"
        for question, option in asked.chosen(answers)
        if option.issue
    ]
    lines += [str(answers[name]) for name in asked.questions if isinstance(answers.get(name), str)]
    return "\n".join(lines)
