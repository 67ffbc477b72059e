"""The guards of who may act: bars, duties kept apart, four eyes, devices.

They hold for the actor and for everybody named in the act (an eligible head cannot assign an ineligible
handler), and are asked again at every later act.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.guards.register import guard
from engine.notation import ENGINE_ACTS

if TYPE_CHECKING:
    from engine.dossier import Attempt, HeldDuty
FEWEST_HANDLERS = 2  # 不得少于两人
_OF_RECUSAL = frozenset({"apply_recusal", "decide_recusal", "recusal_over"})


def _who(attempt: Attempt, person: int) -> str:
    if person == attempt.actor.id:
        return "您 (you)"
    return attempt.dossier.office.people[person].account


@guard
def not_subject(attempt: Attempt, _: str) -> str | None:
    """Nobody named in the item acts on it or is given it (公务员法 art. 76)."""
    for person in attempt.concerned:
        if person in attempt.dossier.barred:
            return (
                f"{_who(attempt, person)}应当回避本事项,请换人办理。"
                "This person must stay out of the item; choose somebody else."
            )
    return None


@guard
def not_subject_unit(attempt: Attempt, field: str) -> str | None:
    """Nobody of the unit complained of acts on the item (程序规定 art. 4), or of the unit in a field,
    where one is named: who is assessed may see the item and not verify it.
    """
    dossier = attempt.dossier
    named = dossier.office.unit_named(str(attempt.known.get(field) or "")) if field else None
    subject = named.id if named else dossier.subject_unit_id
    for person in attempt.concerned:
        if person in dossier.office.shut_out_of(subject):
            return (
                f"{_who(attempt, person)}属于被投诉单位,不得办理,请换其他单位的人员。"
                "This person belongs to the unit complained of; choose somebody of another unit."
            )
    return None


@guard
def not_case_handler(attempt: Attempt, _: str) -> str | None:
    """Nobody who handled, approved or reviewed the case (plan: 实行回访人员和办案人员分离)."""
    for person in attempt.concerned:
        if any(
            duty.person_id == person and _counts(attempt, duty) for duty in attempt.dossier.duties
        ):
            return (
                f"{_who(attempt, person)}曾承办、审批或审核本案,须由他人进行。"
                "This person handled, approved or reviewed the case; somebody else must do this."
            )
    return None


def _counts(attempt: Attempt, duty: HeldDuty) -> bool:
    """Whether a duty makes somebody part of the case for this act.

    Handling counts in the whole family. Approving counts there too for whoever comes from outside
    (a revisitor), but among approvers only in this item: the head may review a decision of a deputy
    though he assigned the handlers of a finding beside it. A law reviewer who sent the papers back
    may pass them when they return: it is one review.
    """
    if duty.duty != "approve":
        return duty.duty == "work"
    acting = attempt.dossier.workflow.roles.get(attempt.role)  # the public and the system bear none
    if acting is None or acting.duty != "approve":
        return True
    one_review = duty.role == attempt.role == "law_reviewer"
    return duty.item_id == attempt.dossier.id and not one_review


@guard
def approver_not_requester(attempt: Attempt, _: str) -> str | None:
    """Four eyes: whoever asked for it does not approve it."""
    for act in reversed(attempt.dossier.history):
        if act.actor_id is None or act.act in ENGINE_ACTS:
            continue
        if act.actor_id == attempt.actor.id:
            return (
                "提出的人不能自己批准,请由另一人办理。"
                "Whoever asked for this cannot approve it; somebody else must."
            )
        return None
    return None


@guard
def two_handlers(attempt: Attempt, _: str) -> str | None:
    """At least two handlers, each with a certificate valid today (行政处罚法 art. 42)."""
    people = [attempt.dossier.office.people[person] for person in attempt.named]
    if len(set(people)) < FEWEST_HANDLERS:
        return "承办人不得少于两人,请再指定一人。At least two handlers are needed; name another."
    for person in people:
        if person.certified_until is None or person.certified_until < attempt.dossier.today:
            return (
                f"{person.account} 没有有效的行政执法证,请换人。"
                f"{person.account} holds no valid enforcement certificate; choose somebody else."
            )
    return None


@guard
def declared(attempt: Attempt, _: str) -> str | None:
    """Everybody concerned signed that there is no conflict of interest (公务员法 art. 77): those named,
    or the actor where nobody is. Whoever assigns may vouch for them (`declarations_signed`).
    """
    if attempt.given.get("declarations_signed") is True:
        return None
    signing = attempt.named or attempt.concerned
    if signing and attempt.dossier.declared.issuperset(signing):
        return None
    return (
        "被指派的人员须先签署无利害关系声明(declarations_signed)。"
        "Those assigned must first sign that they have no conflict of interest."
    )


@guard
def no_open_recusal(attempt: Attempt, _: str) -> str | None:
    """No undecided recusal application (Order 121 art. 21: it suspends the mediation): neither one
    made here, nor a request against the actor or somebody named.
    """
    concerned = {attempt.dossier.office.people[person].account for person in attempt.concerned}
    here = (act.act for act in reversed(attempt.dossier.history) if act.act in _OF_RECUSAL)
    if concerned & attempt.dossier.asked_to_stay_out or next(here, "") == "apply_recusal":
        return "回避申请尚未决定。A recusal application is still undecided; decide it first."
    return None


@guard
def not_named(attempt: Attempt, field: str) -> str | None:
    """Nobody decides about themselves: the actor is not among those the field names."""
    named = attempt.known.get(field) or []
    if attempt.actor.account not in ([named] if isinstance(named, str) else named):
        return None
    return (
        "不能决定关于自己的申请,请由另一人办理。"
        "Nobody decides on a request about themselves; somebody else must."
    )


@guard
def self_device(attempt: Attempt, _: str) -> str | None:
    """A rating or an answer comes from the person it is asked of, and not from an account of the staff
    (GB/T 39734 art. 4.1: nobody forces or interferes); a revisitor may enter it on that person's
    behalf and says so (`proxy`), and staff register a default rating as what it is (`is_default`);
    both are counted apart. What comes from a browser in which staff are logged in is staff's too.
    """
    if attempt.actor.id is None and not attempt.actor.at_desk:
        return None
    if attempt.actor.id is not None and attempt.given.get("is_default") is True:
        return None
    if attempt.role == "revisitor" and attempt.known.get("proxy") is True:
        return None
    return (
        "评价和答卷须由本人用自己的设备或者凭本人身份提交;回访人员代为录入的,须注明代填(proxy)。"
        "A rating or an answer comes from the person themselves; a revisitor who enters it for them"
        " says so (proxy)."
    )


@guard
def both_consent(attempt: Attempt, _: str) -> str | None:
    """Both parties agreed to mediation (Order 121 art. 18)."""
    if attempt.known.get("applicant_consents") is True and (
        attempt.known.get("respondent_consents") is True
    ):
        return None
    return "须双方当事人同意调解。Both parties must agree to mediation; record their consent first."


@guard
def replacement_named(attempt: Attempt, _: str) -> str | None:
    """A mediator who is replaced goes, and somebody named in the same act comes (Order 121 art. 21)."""
    if attempt.given.get("replacement_or_stay") != "replaced":
        return None
    before = set(attempt.dossier.assigned("mediator"))
    if attempt.named and (not before or before - set(attempt.named)):
        return None  # nobody is left where a recusal was granted meanwhile
    return (
        "决定更换调解员的,须同时指定接替的人(mediators)。"
        "A mediator is to be replaced: name who takes over (mediators)."
    )


@guard
def head_approved(attempt: Attempt, _: str) -> str | None:
    """Signed by the head, or whoever is in charge of the work (国务院令310号 art. 5)."""
    if attempt.role == "head":
        return None
    return "须由主要负责人批准。Only the head of the bureau may do this."


@guard
def head_is_subject(attempt: Attempt, _: str) -> str | None:
    """The head is named in the item, so it leaves without a bureau signature."""
    office = attempt.dossier.office
    if any(person in attempt.dossier.barred for person, _unit in office.members.get("head", ())):
        return None
    return (
        "须先由主要负责人签发;只有主要负责人应当回避时才可不经签发。"
        "The head signs first; only where the head is named may this go out unsigned."
    )
