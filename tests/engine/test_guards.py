"""Every named guard says yes and no, in a sentence in Chinese and English."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.calendars import carried
from engine.deadlines import Clock
from engine.dossier import Attempt, Dossier, HeldDuty, PastAct
from engine.errors import GuardRefused
from engine.guards import GUARDS
from engine.people import PUBLIC, SYS, Actor, Office, PersonEntry, UnitEntry
from engine.workdays import Span
from tests.casebook import MONDAY

if TYPE_CHECKING:
    from engine.casework import Casework
    from tests.casebook import Casebook

UNITS = {
    1: UnitEntry(1, "BUR", "市局", (), None),
    2: UnitEntry(2, "BR1", "第一分局", (), 1),
    3: UnitEntry(3, "SUB", "一分局中队", (), 2),
    4: UnitEntry(4, "AUD", "稽查科", (), 1),
}
CERTIFIED = date(2030, 1, 1)


def person(number: int, unit: int, certified: date | None = CERTIFIED) -> PersonEntry:
    """Somebody of a unit."""
    return PersonEntry(number, f"p{number}", "某", unit, None, certified, None)


PEOPLE = {
    each.id: each
    for each in (
        *(person(1, 4), person(2, 4), person(3, 2), person(4, 3), person(5, 1)),
        *(person(6, 4, None), person(7, 4, MONDAY.date()), person(8, 4, date(2026, 3, 1))),
    )
}
ROW: dict[str, Any] = dict.fromkeys(("parent_id", "closed_at", "code_hash")) | {
    "id": 1,
    "number": "占道2026-1",
    "state": "checking",
    "revision": 1,
    "seq": 1,
    "head": bytes(32),
    "unit_id": 4,
    "family_id": 1,
    "mandatory": False,
    "sealed": False,
    "channel": "staff",
    "received_at": MONDAY,
    "entered_at": MONDAY,
    "rung": 0,
    "clocks": [],
    "duties": [],
}
OFFICE = Office(1, UNITS, PEOPLE, {"head": ((5, 1),)}, (), ())


def actor(number: int | None) -> Actor:
    """A person, or the system."""
    return SYS if number is None else Actor("person", PEOPLE[number])


def duty(
    person: int, name: str, role: str = "handler", item: int = 1, *, active: bool = True
) -> HeldDuty:
    """Somebody's duty in the family."""
    return HeldDuty(item, person, role, name, assigned=False, active=active)


def act(name: str, by: int | None = None) -> PastAct:
    """Something done before."""
    return PastAct(1, name, by, "handler", "checking", "checking", MONDAY)


def asked(days: int) -> PastAct:
    """Somebody tried so many days later; in the permit workflow the act that requires missing_items."""
    return replace(act("ask_supplement", 1), at=MONDAY + timedelta(days=days))


def clock(name: str, due: timedelta) -> Clock:
    """A limit that is due so long from now."""
    span = Span.parse("5 days")
    return Clock(
        name, "limit", "permit.check", MONDAY.date(), span, None, MONDAY, due_at=MONDAY + due,
        due_on=(MONDAY + due).date(),
    )  # fmt: skip


def paused(name: str, due: timedelta, since: timedelta) -> Clock:
    """A limit that stands still since then; `due` is what was told before it did."""
    return replace(clock(name, due), paused_at=MONDAY + since)


SENT = {"template_version": "X.1"}


def risk(consequence: str, frequency: str, level: str) -> dict[str, Any]:
    """How a risk point is graded."""
    return {"consequence": consequence, "frequency": frequency, "level": level}


CLUSTERS = [{"cluster_id": "1", "problem": "多次要求补材料"}]


def items(*measures: str) -> dict[str, Any]:
    """The items of a report, one a measure."""
    return {"items": [{"measure_id": each} for each in measures]}


def indicator(name: str, formula: str = "K-RVT-2", floor: int = 30) -> dict[str, Any]:
    """An indicator of an assessment."""
    return {"indicator": name, "formula": formula, "floor": floor}


def weight(name: str, share: str) -> dict[str, Any]:
    """The weight of an indicator."""
    return {"indicator": name, "weight": share}


def year(**weights: str) -> dict[str, Any]:
    """A year's indicators with their weights."""
    return {
        "indicator_set": [indicator(name) for name in weights],
        "weights": [weight(name, share) for name, share in weights.items()],
    }


def scores(**given: str) -> dict[str, Any]:
    """A score for each indicator."""
    return {"scores": [{"indicator": n, "score": s, "sample": 40} for n, s in given.items()]}


MEASURES = ["M1.1", "M1.2"]
SOON, PAST, NOW = timedelta(days=1), timedelta(days=-1), timedelta()


@pytest.fixture
def attempt(permits: Casework) -> Any:
    """Make an attempt out of what a case tells."""

    def make(
        by: int | None = 1,
        *,
        role: str = "handler",
        named: tuple[int, ...] = (),
        given: dict[str, Any] | None = None,
        held: dict[str, Any] | None = None,
        subject: int | None = None,
        **told: Any,
    ) -> Attempt:
        row: dict[str, Any] = {
            **ROW,
            "subject_unit_id": subject,
            "data": held or {},
        }
        bound = permits.catalog.named("permit")
        dossier = Dossier(None, row, bound, OFFICE, carried(), MONDAY)  # type: ignore[arg-type]
        if "until" in told:
            check = dossier.workflow.deadlines["check"].model_copy(update={"until": told["until"]})
            deadlines = {**dossier.workflow.deadlines, "check": check}
            dossier.workflow = dossier.workflow.model_copy(update={"deadlines": deadlines})
        dossier.duties = list(told.get("duties", ()))
        dossier.clocks = list(told.get("clocks", ()))
        read = {
            "history": list(told.get("history", ())),
            "contacts": list(told.get("contacts", ())),
            "declared": frozenset(told.get("declared", ())),
            "asked_to_stay_out": frozenset(told.get("asked", ())),
            "open_children": list(told.get("children", ())),
            "measures": dict.fromkeys(told.get("measures", ()), ""),
            "months_begun": frozenset(told.get("months_begun", ())),
            "case_unit_id": told.get("case_unit"),
            "parties_asked": frozenset(told.get("parties_asked", ())),
            "_parent_clocks": list(told.get("parent_clocks", ())),
        }
        dossier.__dict__.update(read)  # what the database would have said
        return Attempt(dossier, actor(by), role, given or {}, named)

    return make


CONTACT = {"name": "柳如烟", "phone": "139 0000-4242", "email": ""}
APPROVED = duty(1, "approve", "deputy")
SUSPECT = {"subject_officers_or_unknown": ["p2"]}
ON_SITE = {"mode": "on_site"}
MORNING, NOON = "2026-03-02T09:00:00+08:00", "2026-03-02T12:00:00+08:00"
TWO = ["协商", "调解"]
TOLD = {
    "routes_told": ["settlement", "mediation"],
    **dict.fromkeys(("time_limits_told", "cost_told", "risk_told"), TWO),
}
CASES: list[tuple[str, dict[str, Any], bool]] = [
    ("not_subject", {}, True),
    ("not_subject", {"duties": [duty(1, "accused")]}, False),
    ("not_subject", {"duties": [duty(1, "recused")]}, False),
    ("not_subject", {"duties": [duty(1, "recused", active=False)]}, True),
    ("not_subject", {"duties": [duty(2, "accused")], "named": (2,)}, False),
    ("not_subject", {"duties": [duty(2, "accused", item=9)], "named": (2,)}, False),
    ("not_subject", {"by": None, "duties": [duty(1, "accused")]}, True),
    ("not_subject_unit", {"by": 3}, True),
    ("not_subject_unit", {"by": 3, "subject": 2}, False),
    ("not_subject_unit", {"by": 4, "subject": 2}, False),
    ("not_subject_unit", {"by": 3, "subject": 3}, True),
    ("not_subject_unit", {"by": 3, "subject": 1}, True),
    ("not_subject_unit", {"by": 1, "subject": 2, "named": (4,)}, False),
    ("not_case_handler", {"role": "head"}, True),
    ("not_case_handler", {"role": "head", "duties": [duty(1, "work", item=9)]}, False),
    ("not_case_handler", {"role": "head", "duties": [duty(1, "work", active=False)]}, False),
    ("not_case_handler", {"role": "head", "duties": [APPROVED]}, False),
    ("not_case_handler", {"role": "head", "duties": [replace(APPROVED, item_id=9)]}, True),
    ("not_case_handler", {"role": "revisitor", "duties": [replace(APPROVED, item_id=9)]}, False),
    ("not_case_handler", {"role": "handler", "duties": [APPROVED]}, False),
    (
        "not_case_handler",
        {"role": "law_reviewer", "duties": [duty(1, "approve", "law_reviewer")]},
        True,
    ),
    ("not_case_handler", {"role": "head", "named": (2,), "duties": [duty(2, "work")]}, False),
    ("not_case_handler", {"by": None, "role": "sys", "duties": [duty(2, "work")]}, True),
    (
        "not_case_handler",
        {"by": None, "role": "public", "named": (1,), "duties": [APPROVED]},
        False,
    ),
    ("approver_not_requester", {}, True),
    ("approver_not_requester", {"history": [act("check", 1)]}, False),
    ("approver_not_requester", {"history": [act("check", 1), act("return", 2)]}, True),
    ("approver_not_requester", {"history": [act("check", 1), act("note", 2)]}, False),
    ("approver_not_requester", {"history": [act("check", 1), act("rung")]}, False),
    ("approver_not_requester", {"by": None, "history": [act("check", 1)]}, True),
    ("law_review_done", {"history": [act("pass", 2)]}, True),
    ("law_review_done", {}, False),
    ("law_review_done", {"history": [act("pass", 2), act("return", 5)]}, False),
    ("law_review_done", {"history": [act("pass", 2), act("conclude", 1)]}, False),
    ("law_review_done", {"history": [act("conclude", 1), act("pass", 2)]}, True),
    ("law_review_done", {"history": [act("pass", 2)], "duties": [duty(2, "work")]}, False),
    ("two_handlers", {"named": (1, 2)}, True),
    ("two_handlers", {"named": (1,)}, False),
    ("two_handlers", {"named": ()}, False),
    ("two_handlers", {"named": (1, 1)}, False),
    ("two_handlers", {"named": (1, 6)}, False),
    ("two_handlers", {"named": (1, 7)}, True),
    ("two_handlers", {"named": (1, 8)}, False),
    ("declared", {"given": {"declarations_signed": True}}, True),
    ("declared", {"given": {"declarations_signed": False}}, False),
    ("declared", {"held": {"declarations_signed": True}}, False),
    ("declared", {"declared": [2, 4], "named": (2, 4)}, True),
    ("declared", {"declared": [2], "named": (2, 4)}, False),
    ("declared", {"declared": [1]}, True),
    ("declared", {"declared": [2]}, False),
    ("no_open_recusal", {}, True),
    ("no_open_recusal", {"history": [act("apply_recusal")]}, False),
    ("no_open_recusal", {"history": [act("apply_recusal"), act("decide_recusal", 5)]}, True),
    ("no_open_recusal", {"history": [act("decide_recusal", 5), act("apply_recusal")]}, False),
    ("no_open_recusal", {"history": [act("apply_recusal"), act("recusal_over")]}, True),
    ("no_open_recusal", {"asked": ["p1"]}, False),
    ("no_open_recusal", {"asked": ["p2"]}, True),
    ("no_open_recusal", {"asked": ["p2"], "named": (2,)}, False),
    ("not_named.officers", {"held": {"officers": ["p1"]}}, False),
    ("not_named.officers", {"held": {"officers": ["p2", "p4"]}}, True),
    ("not_named.officers", {"held": {"officers": "p1"}}, False),
    ("not_named.officers", {}, True),
    ("complete_once", {}, True),
    ("complete_once", {"history": [act("ask_supplement", 1)]}, False),
    ("complete_once", {"role": "unit_head", "history": [act("ask_supplement", 1)]}, False),
    ("asked_before", {"history": [act("ask_supplement", 1)]}, True),
    ("asked_before", {"history": [act("register", 1)]}, False),
    ("leader_named", {"given": {"matter": "conduct"}}, True),
    ("leader_named", {"given": {"matter": "leader"}}, False),
    ("leader_named", {"given": {"matter": "leader", **SUSPECT}}, True),
    (
        "leader_named",
        {"given": {"matter": "leader", "subject_officers_or_unknown": "unknown"}},
        False,
    ),
    ("announced", {"held": {"mode": "phone"}}, True),
    ("announced", {"held": {"mode": "on_site", "time": NOON}}, False),
    ("announced", {"held": {"mode": "on_site", "time": NOON, "delivered_at": MORNING}}, True),
    ("announced", {"held": {"mode": "on_site", "time": MORNING, "delivered_at": NOON}}, False),
    ("represented_consent", {"held": {"complainants": 1}}, True),
    ("represented_consent", {"held": {"complainants": 2}}, False),
    ("represented_consent", {"held": {"complainants": 2, "others_consent": True}}, False),
    (
        "represented_consent",
        {"held": {"complainants": 2}, "given": {"others_consent": True}},
        True,
    ),
    ("document_made", {"given": {"agreement_or_record": "record"}}, True),
    ("document_made", {"held": ON_SITE, "given": {"agreement_or_record": "agreement"}}, True),
    ("document_made", {"held": ON_SITE, "given": {"agreement_or_record": "record"}}, False),
    (
        "document_made",
        {
            "held": ON_SITE,
            "given": {"agreement_or_record": "record", "document_waived": "both_waive"},
        },
        True,
    ),
    ("two_visitors", {"given": {"method": "phone"}}, True),
    ("two_visitors", {"given": {"method": "home_visit"}}, False),
    ("two_visitors", {"given": {"method": "home_visit"}, "named": (1,)}, False),
    ("two_visitors", {"given": {"method": "home_visit"}, "named": (2,)}, True),
    ("complex_explained", {"given": {"kind": "simple"}}, True),
    ("complex_explained", {"given": {"kind": "complex"}}, False),
    ("complex_explained", {"given": {"kind": "complex", "due_reason": "须招标"}}, True),
    ("due_date_allowed.check", {"until": "on", "given": {"on": "2026-03-02"}}, True),
    ("due_date_allowed.check", {"until": "on", "given": {"on": "2026-03-01"}}, False),
    ("due_date_allowed.check", {"until": "on", "given": {"on": "2026-06-01"}}, False),
    ("due_date_allowed.check", {"until": "on"}, True),
    ("route_free", {}, True),
    ("route_free", {"given": {"other_route_pending": False}}, True),
    ("route_free", {"given": {"other_route_pending": True}}, False),
    ("route_free", {"held": {"other_route_pending": True}}, False),
    ("route_free", {"given": {"suits_other_route": True}}, False),
    ("route_free", {"given": {"suits_other_route": True, "other_route_text": "可复议"}}, True),
    ("route_free", {"given": {"suits_other_route": True}, "held": {"other_route_text": "x"}}, True),
    ("self_device", {"by": None, "role": "public"}, True),
    ("self_device", {"by": None, "role": "public", "given": {"proxy": True}}, True),
    ("self_device", {"role": "intake"}, False),
    ("self_device", {"role": "intake", "given": {"proxy": True}}, False),
    ("self_device", {"role": "revisitor"}, False),
    ("self_device", {"role": "revisitor", "given": {"proxy": False}}, False),
    ("self_device", {"role": "revisitor", "given": {"proxy": True}}, True),
    ("attempts_made.missing_items", {"history": [asked(0), asked(0), asked(1)]}, True),
    ("attempts_made.missing_items", {"history": [asked(0), asked(0), asked(0)]}, False),
    ("attempts_made.missing_items", {"history": [asked(0), asked(1)]}, False),
    ("attempts_made.missing_items", {}, False),
    ("attempts_made.materials", {"history": [asked(0), asked(0), asked(1)]}, False),
    ("both_consent", {"held": {"applicant_consents": True, "respondent_consents": True}}, True),
    ("both_consent", {"held": {"applicant_consents": True}}, False),
    ("both_consent", {}, False),
    (
        "both_consent",
        {"held": {"applicant_consents": True}, "given": {"respondent_consents": False}},
        False,
    ),
    ("replacement_named", {"given": {"replacement_or_stay": "stays"}}, True),
    ("replacement_named", {"given": {"replacement_or_stay": "replaced"}}, False),
    ("before_due", {"held": {"deadline": "d"}, "parent_clocks": [clock("d", SOON)]}, True),
    ("before_due", {"held": {"deadline": "d"}, "parent_clocks": [clock("d", NOW)]}, False),
    ("before_due", {"held": {"deadline": "d"}, "parent_clocks": [clock("e", SOON)]}, False),
    ("before_due", {}, False),
    ("within_deadline.d", {"clocks": [clock("d", SOON)]}, True),
    ("within_deadline.d", {"clocks": [clock("d", NOW)]}, False),
    ("within_deadline.d", {"clocks": [clock("d", PAST)]}, False),
    ("within_deadline.d", {"clocks": [clock("e", SOON)]}, False),
    ("within_deadline.d", {"clocks": [paused("d", PAST, timedelta(days=-2))]}, True),
    ("within_deadline.d", {"clocks": [paused("d", PAST, NOW)]}, False),
    ("lapsed.d", {"clocks": [paused("d", PAST, timedelta(days=-2))]}, False),
    ("lapsed.d", {"clocks": [paused("d", PAST, NOW)]}, True),
    ("lapsed.d", {"clocks": [clock("d", PAST)]}, True),
    ("lapsed.d", {"clocks": [clock("d", NOW)]}, True),
    ("lapsed.d", {"clocks": [clock("d", SOON)]}, False),
    ("lapsed.d", {}, True),
    ("sealed_ok", {"given": {"reason": "不符合条件"}, "contacts": [CONTACT]}, True),
    ("sealed_ok", {"given": {"reason": "柳如烟申请"}, "contacts": [CONTACT]}, False),
    ("sealed_ok", {"given": {"reason": "柳 如 烟"}, "contacts": [CONTACT]}, False),
    ("sealed_ok", {"given": {"reason": "电话13900004242"}, "contacts": [CONTACT]}, False),
    ("sealed_ok", {"given": {"reason": "1390000-4242"}, "contacts": [CONTACT]}, False),
    ("sealed_ok", {"given": {"missing_items": ["见13900004242"]}, "contacts": [CONTACT]}, False),
    ("sealed_ok", {"given": {"materials": "柳如烟"}, "contacts": [CONTACT]}, True),
    ("sealed_ok", {"given": {"reason": "x", "contact": CONTACT}}, True),
    ("sealed_ok", {"given": {"reason": "柳如烟", "contact": CONTACT}}, False),
    ("sealed_ok", {"given": {"reason": "王"}, "contacts": [{"name": "王"}]}, True),
    ("notice_delivered", {"held": {"delivered_at": "2026-03-01T09:00:00+08:00"}}, True),
    ("notice_delivered", {"given": {"delivered_at": "2026-03-01T09:00:00+08:00"}}, True),
    ("notice_delivered", {}, False),
    ("notice_delivered.told_at", {"held": {"delivered_at": "x"}}, False),
    ("notice_delivered.told_at", {"held": {"told_at": "x"}}, True),
    ("children_done", {}, True),
    ("children_done", {"children": ["问询2026-0000000018"]}, False),
    ("head_approved", {"role": "head"}, True),
    ("head_approved", {"role": "deputy"}, False),
    ("collective", {"given": {"minutes": "会议纪要"}}, True),
    ("collective", {"held": {"minutes": "会议纪要"}}, False),
    ("not_paper_only", {}, True),
    ("not_paper_only", {"held": {"paper_only": True}}, False),
    ("not_paper_only", {"given": {"paper_only": True}}, False),
    ("candidate_confirmed", {}, True),
    ("candidate_confirmed", {"held": {"candidate": True}}, False),
    ("candidate_confirmed", {"held": {"candidate": True}, "history": [act("confirm", 5)]}, True),
    ("paper_stub", {"given": {"facts": "某事"}}, True),
    ("paper_stub", {"given": {"paper_only": True}}, True),
    ("paper_stub", {"given": {"paper_only": True, "facts": "某事"}}, False),
    ("not_subject_unit.unit", {"by": 3, "held": {"unit": "BR1"}}, False),
    ("not_subject_unit.unit", {"by": 1, "held": {"unit": "BR1"}}, True),
    ("not_in_future.date", {"given": {"date": "2026-03-02"}}, True),
    ("not_in_future.date", {"given": {"date": "2026-03-03"}}, False),
    ("not_in_future.date", {}, True),
    ("not_in_future.at", {"given": {"at": "2026-03-02T10:00:00+08:00"}}, True),
    ("not_in_future.at", {"given": {"at": "2026-03-02T10:00:01+08:00"}}, False),
    ("counted_among.some", {"given": {"attendees": ["a", "b"], "some": 2}}, True),
    ("counted_among.some", {"given": {"attendees": ["a", "b"], "some": 3}}, False),
    ("voluntary", {"given": {"voluntary_notice": True}}, True),
    ("voluntary", {"given": {"voluntary_notice": False}}, False),
    ("level_fits", {"given": risk("major", "rare", "high")}, True),
    ("level_fits", {"given": risk("summary", "frequent", "high")}, True),
    ("level_fits", {"given": risk("summary", "rare", "low")}, True),
    ("level_fits", {"given": risk("summary", "occasional", "medium")}, True),
    ("level_fits", {"given": risk("ordinary", "rare", "low")}, False),
    ("month_named", {"given": {"month": "2026-03"}}, True),
    ("month_named", {"given": {"month": "2026-04"}}, False),
    ("month_named", {"given": {"month": "2026-13"}}, False),
    ("month_named", {"given": {"month": "26-9"}}, False),
    ("one_a_month", {"given": {"month": "2026-09"}, "months_begun": {"2026-08"}}, True),
    ("one_a_month", {"given": {"month": "2026-09"}, "months_begun": {"2026-09"}}, False),
    ("measures_known.items", {"given": items("M1.1", "M1.2"), "measures": MEASURES}, True),
    ("measures_known.items", {"given": items("M1.1", "M9.9"), "measures": MEASURES}, False),
    ("measures_known.items", {"given": items("M1.1", "M1.1"), "measures": MEASURES}, False),
    ("measures_known.items", {"given": items("M1.1"), "measures": []}, False),
    ("formulas_known", {"given": year(甲="1")}, True),
    ("formulas_known", {"given": {"indicator_set": [indicator("甲", "K-XXX-1")]}}, False),
    ("formulas_known", {"given": {"indicator_set": [indicator("甲", floor=0)]}}, False),
    ("formulas_known", {"given": {"indicator_set": [indicator("甲")] * 2}}, False),
    ("weights_whole", {"given": year(甲="0.15", 乙="0.85")}, True),
    ("weights_whole", {"given": year(甲="0.15", 乙="0.8499")}, False),
    ("weights_whole", {"given": year(甲="0", 乙="1")}, False),
    ("weights_whole", {"given": {**year(甲="1"), "indicator_set": []}}, False),
    ("weights_whole", {"given": {**year(甲="1"), "weights": [weight("甲", "0.5")] * 2}}, False),
    ("scores_complete", {"held": year(甲="1"), "given": scores(甲="100")}, True),
    ("scores_complete", {"held": year(甲="1"), "given": scores(甲="100.5")}, False),
    ("scores_complete", {"held": year(甲="1"), "given": scores(乙="50")}, False),
    ("voids_founded", {"held": year(甲="1")}, True),
    ("voids_founded", {"held": year(甲="1"), "given": {"voided": [{"indicator": "甲"}]}}, True),
    ("voids_founded", {"held": year(甲="1"), "given": {"voided": [{"indicator": "乙"}]}}, False),
    ("clusters_known", {"held": {"clusters": CLUSTERS}, "given": {"cluster_ids": ["1"]}}, True),
    ("clusters_known", {"held": {"clusters": CLUSTERS}, "given": {"cluster_ids": ["9"]}}, False),
    ("no_officer_named", {"given": {"reason": "票据管理不严"}}, True),
    ("no_officer_named", {"given": {"reason": "p3 态度差"}}, False),
    ("no_officer_named", {"given": {"reason": "p31 号窗口"}}, True),
    ("no_officer_named", {}, True),
    ("mediation_told", {"given": TOLD}, True),
    ("mediation_told", {"given": {**TOLD, "routes_told": ["litigation"]}}, False),
    ("mediation_told", {"given": {**TOLD, "risk_told": ["无"]}}, False),
    ("mediation_told", {"held": TOLD}, True),
    ("no_issue_found", {"held": {"checklist": [{"result": "good"}]}}, True),
    ("no_issue_found", {"held": {"checklist": [{"result": "good"}, {"result": "issue"}]}}, False),
    ("self_device", {"role": "intake", "given": {"is_default": True}}, True),
    ("self_device", {"role": "intake", "given": {"is_default": False}}, False),
    ("only_once.check", {}, True),
    ("only_once.check", {"history": [act("check", 2)]}, False),
    ("not_of_case_unit", {"case_unit": None}, True),
    ("not_of_case_unit", {"case_unit": 1}, True),
    ("not_of_case_unit", {"case_unit": 2}, True),
    ("not_of_case_unit", {"case_unit": 4}, False),
    ("asked_once", {"parties_asked": {"respondent"}}, True),
    ("asked_once", {"parties_asked": {"petitioner"}}, False),
    ("asked_once", {"given": {"party": "respondent"}, "parties_asked": {"respondent"}}, False),
    ("proposed_by_another.check", {"history": [act("check", 2)]}, True),
    ("proposed_by_another.check", {"history": [act("check", 1)]}, False),
    ("proposed_by_another.check", {"history": [act("check", 2), act("check", 1)]}, False),
    ("proposed_by_another.check", {}, False),
    ("dated_if_complex", {"given": {"kind": "simple"}}, True),
    ("dated_if_complex", {"given": {"kind": "complex"}}, False),
    ("dated_if_complex", {"given": {"kind": "complex", "fixed_on": "2026-03-03"}}, False),
    ("same_questionnaire", {"held": SENT, "given": {"template_version": "X.1"}}, True),
    ("same_questionnaire", {"held": SENT, "given": {"template_version": "X.2"}}, False),
    ("agreed_to_contact", {"given": {"contact": CONTACT, "contact_agreed": True}}, True),
    ("agreed_to_contact", {}, True),
    ("agreed_to_contact", {"given": {"contact": CONTACT}}, False),
    ("head_is_subject", {}, False),
    ("head_is_subject", {"duties": [duty(5, "accused", "subject")]}, True),
    ("head_is_subject", {"duties": [duty(1, "accused", "subject")]}, False),
]


@pytest.mark.parametrize(("guard", "told", "passes"), CASES)
def test_a_guard_passes_or_says_why_not(
    attempt: Any, guard: str, told: dict[str, Any], *, passes: bool
) -> None:
    """None lets the act pass; a refusal is one sentence in each language, without a value given."""
    name, _, argument = guard.partition(".")
    sentence = GUARDS[name](attempt(**told), argument)
    assert (sentence is None) is passes
    if sentence is not None:
        assert re.search(r"[\u4e00-\u9fff]", sentence)
        assert re.search(r"[A-Za-z ]{15}", sentence)
        assert "13900004242" not in sentence
        assert "柳如烟" not in sentence


def test_every_guard_has_a_case_for_yes_and_for_no() -> None:
    """A guard nobody tried both ways is a guard nobody knows."""
    tried = {(guard.partition(".")[0], passes) for guard, _, passes in CASES}
    lacking = {name for name in GUARDS for way in (True, False) if (name, way) not in tried}
    assert lacking == set()


def test_the_public_bears_no_duty(attempt: Any) -> None:
    """Guards on people ask about nobody where the public acts and names nobody."""
    made = attempt(None)
    made.actor = PUBLIC
    assert made.concerned == ()


OF_THE_PLAN = [
    "not_subject",
    "not_subject_unit",
    "not_case_handler",
    "approver_not_requester",
    "law_review_done",
    "two_handlers",
    "declared",
    "no_open_recusal",
    "complete_once",
    "route_free",
    "both_consent",
    "before_due",
    "sealed_ok",
    "notice_delivered",
    "children_done",
    "head_approved",
    "collective",
    "self_device",
    "not_paper_only",
]
"""The guards that every machine of the office is written with."""


def test_every_guard_the_machines_are_written_with_is_there() -> None:
    """Nineteen, each under its name."""
    assert set(OF_THE_PLAN) <= GUARDS.keys()


def test_one_day_is_the_day_here(attempt: Any) -> None:
    """Half an hour before and after midnight in China are two days, whatever it is in Greenwich."""
    late = MONDAY.replace(hour=23, minute=30)
    tried = [replace(asked(0), at=at) for at in (late, late, late + timedelta(hours=1))]
    guard = GUARDS["attempts_made"]
    assert guard(attempt(history=tried), "missing_items") is None
    early = [replace(asked(0), at=MONDAY.replace(hour=hour)) for hour in (7, 8, 9)]
    said = guard(attempt(history=early), "missing_items")
    assert said is not None
    assert "现已联系3次、1日" in said


def test_guards_are_asked_again_at_every_later_act(book: Casebook) -> None:
    """Whoever might have decided this morning may not, once they were given the item to handle."""
    number = book.assigned()
    book.go(number, "check", "handler1", opinion="可")
    before = book.do(
        lambda s: book.casework.available(book.casework.look(s, number, SYS), book.who("deputy"))
    )
    assert next(option for option in before if option.transition == "grant").allowed
    book.go(number, "return", "head", reason="再查")
    book.go(number, "hand_over", "handler1", handlers=["deputy", "handler2"])
    book.go(number, "check", "handler2", opinion="可")
    book.refused(GuardRefused, lambda: book.go(number, "grant", "deputy"), "曾承办")


def test_guards_are_asked_about_everybody_named(book: Casebook) -> None:
    """An eligible head cannot assign an ineligible handler."""
    number = book.submit(respondent="BR1").number
    given: dict[str, Any] = {
        "handlers": ["handler1", "branch1_handler"],
        "declarations_signed": True,
    }
    book.refused(
        GuardRefused, lambda: book.go(number, "assign", "unit_head", **given), "被投诉单位"
    )
    given["handlers"] = ["handler1", "handler2"]
    assert book.go(number, "assign", "unit_head", **given).state == "checking"
