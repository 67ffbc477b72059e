"""The guards of procedure: told once, reviewed, delivered, minuted, on paper only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.guards.register import guard
from engine.marks import bare

if TYPE_CHECKING:
    from engine.dossier import Attempt

MOST_LISTS = 1


@guard
def law_review_done(attempt: Attempt, _: str) -> str | None:
    """A law reviewer who never worked on the item passed it, after its last return."""
    for act in reversed(attempt.dossier.history):
        if act.act == "pass":
            if act.actor_id in attempt.dossier.handlers:
                break
            return None
        if act.act in {"conclude", "return"}:
            break
    return (
        "尚未通过法制审核,请先送法制审核。"
        "The law section has not passed this yet; send it to legal review first."
    )


@guard
def complete_once(attempt: Attempt, _: str) -> str | None:
    """What is missing is told once, in one list (行政许可法 art. 32(4)); the override is another act."""
    asked = [act for act in attempt.dossier.history if act.act == "ask_supplement"]
    if len(asked) < MOST_LISTS:
        return None
    return (
        "补正事项应当一次性告知,不得再次要求补正;确有必要的,由单位负责人特批(ask_again)。"
        "What is missing must be told at once; only the head of the unit may ask again (ask_again)."
    )


@guard
def route_free(attempt: Attempt, _: str) -> str | None:
    """The matter is not before another body (行政执法监督条例 art. 33(3); 信访工作条例 art. 31), and where
    it suits administrative review or a lawsuit, the person was told so.
    """
    if attempt.known.get("other_route_pending") is True:
        return (
            "同一事项正在复议、诉讼、信访或纪检途径办理,不能重复受理。"
            "The same matter is before another body; it cannot be accepted here as well."
        )
    if attempt.known.get("suits_other_route") is True and not attempt.known.get("other_route_text"):
        return (
            "本事项可以申请行政复议或者提起诉讼,须先告知当事人(other_route_text)。"
            "The matter suits administrative review or a lawsuit: tell the person so first."
        )
    return None


@guard
def sealed_ok(attempt: Attempt, _: str) -> str | None:
    """No outgoing text holds the identity of whoever complained (信访工作条例 art. 30)."""
    outgoing = " ".join(
        bare(str(value))
        for name, value in attempt.given.items()
        if not attempt.dossier.workflow.fields[name].personal
    )
    if not outgoing:
        return None
    contacts = [*attempt.dossier.contacts, attempt.given.get("contact")]
    if any(secret in outgoing for contact in contacts for secret in _identities(contact)):
        return (
            "文书中含有投诉举报人的身份信息,请删除后再办理。"
            "The text holds the identity of the person who complained; take it out first."
        )
    return None


def _identities(contact: object) -> list[str]:
    if not isinstance(contact, dict):
        return []
    plain = [bare(value) for value in contact.values() if isinstance(value, str)]
    return [value for value in plain if len(value) > 1]


@guard
def notice_delivered(attempt: Attempt, field: str) -> str | None:
    """The notice has a record of delivery (程序规定 arts. 81-83)."""
    name = field or "delivered_at"
    if attempt.known.get(name):
        return None
    spec = attempt.dossier.workflow.fields.get(name)
    return (
        f"尚未登记“{spec.title if spec else '送达时间'}”({name}),请先登记。"
        f"{name} has no record yet; record when it was delivered or told first."
    )


@guard
def children_done(attempt: Attempt, _: str) -> str | None:
    """Every mandatory child item has come to its end."""
    if waiting := attempt.dossier.open_children:
        kinds = "、".join(sorted({number.rstrip("0123456789-") for number in waiting}))
        return (
            f"尚有{len(waiting)}件必办的关联事项未办结({kinds})。"
            f"{len(waiting)} mandatory child item(s) are still open; finish them first."
        )
    return None


@guard
def collective(attempt: Attempt, _: str) -> str | None:
    """Minutes of a collective discussion are attached (程序规定 art. 64)."""
    if attempt.given.get("minutes"):
        return None
    return "须经集体讨论并附会议纪要(minutes)。A collective discussion is needed; give its minutes."


@guard
def not_paper_only(attempt: Attempt, _: str) -> str | None:
    """A classified clue is not handled in this system (保守国家秘密法)."""
    if attempt.known.get("paper_only") is True:
        return "涉密线索只能在线下办理。A classified clue is handled on paper only."
    return None


@guard
def candidate_confirmed(attempt: Attempt, _: str) -> str | None:
    """A candidate the ladder opened is confirmed by the liaison before anybody works on it."""
    if attempt.known.get("candidate") is not True:
        return None
    if any(act.act == "confirm" for act in attempt.dossier.history):
        return None
    return (
        "本线索由超期督办自动生成,须先由纪检联络员确认。"
        "The ladder opened this candidate; the discipline liaison must confirm it first."
    )


@guard
def paper_stub(attempt: Attempt, _: str) -> str | None:
    """Of a classified clue only number, date and custodian are kept here."""
    if attempt.known.get("paper_only") is not True or not attempt.given.get("facts"):
        return None
    return (
        "涉密线索不得录入内容,请只登记编号、日期和保管人。"
        "A classified clue takes no narrative here; give its number, date and custodian only."
    )
