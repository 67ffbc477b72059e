"""Service-oriented enforcement: talks, guidance one may refuse, risk points; and published channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine import stalls
from engine.errors import GuardRefused, Invalid, NotPermitted
from tests.casebook import MONDAY, day
from tests.workflows.test_ledger import follow

if TYPE_CHECKING:
    from tests.casebook import Casebook

TALK: dict[str, Any] = {
    "topic": "轻微免罚清单",
    "date": "2026-03-02",
    "minutes": 40,
    "speaker": "孙慧敏",
    "attendees": ["branch1_handler", "branch1_handler2"],
    "frontline_count": 2,
    "material": ["讲义"],
}
APPROVAL: dict[str, Any] = {
    "kind": "reminder",
    "legal_basis": "优化营商环境条例第五十九条",
    "voluntary_notice": True,
}
POINT: dict[str, Any] = {"unit": "BR1", "behaviour": "未明码标价", "legal_basis": "价格法第十三条"}
GRADED: dict[str, Any] = {"consequence": "ordinary", "frequency": "occasional", "level": "medium"}
CHANNEL: dict[str, Any] = {"unit": "BR1", "kind": "phone", "value": "0374-1234567"}
PROOF: dict[str, Any] = {"where_published": "政府网站", "proof_url_or_photo": "照片1"}
AT = MONDAY.isoformat()


def letters(book: Casebook) -> dict[str, str]:
    """The letters of the office by template."""
    return {r["template"]: r["body"] for r in book.rows("SELECT template, body FROM document")}


# ------------------------------------------------------------------------------------ training


def test_a_talk_is_planned_held_and_evaluated(book: Casebook) -> None:
    """Who spoke, to whom, how many of the front line; recorded, then judged by the head."""
    planned = {"unit": "BR1", "planned_on": "2026-03-10"}
    number = book.submit("training", "reporter", data=planned).number
    assert str(book.clocks(number)["hold"]["due_on"]) == "2026-03-10"
    book.go(number, "hold", "reporter", **TALK)
    assert "参加2人，其中一线执法人员2人" in letters(book)["talk_record"]
    assert str(book.clocks(number)["evaluate"]["due_on"]) == "2026-03-16"
    assert (
        book.go(number, "evaluate", "branch1_head", quiz_or_feedback="平均92分").state
        == "evaluated"
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"date": "2026-03-03"}, "不能晚于现在"),
        ({"frontline_count": 3}, "不能多于参加人数"),
        ({"attendees": ["nobody"]}, "没有这个账号"),
        ({"topic": ""}, "主题"),
        ({"minutes": "四十"}, "整数"),
    ],
)
def test_a_talk_that_was_none_is_refused(
    book: Casebook, changed: dict[str, Any], sentence: str
) -> None:
    """Not yet held, more officers than people, nobody's account: nothing is written."""
    number = book.submit("training", "reporter", data={"unit": "BR1"}).number
    book.refused(
        (GuardRefused, Invalid),  # type: ignore[arg-type]
        lambda: book.go(number, "hold", "reporter", **(TALK | changed)),
        sentence,
    )


def test_a_talk_may_be_called_off_with_a_reason(book: Casebook) -> None:
    """By the head alone."""
    number = book.submit("training", "reporter", data={"unit": "BR1"}).number
    with pytest.raises(NotPermitted):
        book.go(number, "cancel", "reporter", reason="忙")
    assert book.go(number, "cancel", "branch1_head", reason="合并举办").state == "cancelled"


# ------------------------------------------------------------------------------------ guidance


def test_guidance_says_that_it_is_voluntary(book: Casebook) -> None:
    """Proposed, approved by the head, delivered, followed up; refusing it leads nowhere."""
    number = book.submit(
        "administrative_guidance",
        "branch1_handler",
        data={"unit": "BR1", "subject_matter": "明码标价"},
    ).number
    book.refused(
        GuardRefused,
        lambda: book.go(
            number, "approve", "branch1_head", **(APPROVAL | {"voluntary_notice": False})
        ),
        "自愿",
    )
    book.go(number, "approve", "branch1_head", **APPROVAL)
    letter = letters(book)["advice_letter"]
    assert "完全自愿" in letter
    assert "不因此作出任何对您不利的处理" in letter
    book.refused(
        GuardRefused,
        lambda: book.go(number, "issue", "branch1_handler", document="许市监指〔2026〕1号"),
        "尚未登记“送达时间”",
    )
    book.go(number, "issue", "branch1_handler", document="许市监指〔2026〕1号", delivered_at=AT)
    told: dict[str, Any] = {"accepted_or_not": "not_accepted", "result": "当事人暂不接受"}
    book.go(number, "follow_up", "branch1_handler", day(7), **told)
    assert book.go(number, "close", "branch1_head", day(8)).state == "closed"
    assert book.children(number, "misconduct") == []


def test_who_proposes_guidance_does_not_approve_it(book: Casebook) -> None:
    """Four eyes; and it may be dropped with a reason."""
    number = book.submit("administrative_guidance", "branch1_head", data={"unit": "BR1"}).number
    with pytest.raises(GuardRefused):
        book.go(number, "approve", "branch1_head", **APPROVAL)
    assert book.go(number, "drop", "branch1_head", reason="已自行改正").state == "dropped"


# ---------------------------------------------------------------------------------- risk points


def published(book: Casebook, **more: Any) -> str:
    """A risk point on the published list."""
    number = book.submit("risk_point", "branch1_handler", data=POINT).number
    follow(
        book,
        number,
        [
            ("rate", "law_reviewer", GRADED),
            ("set_measures", "branch1_head", {"guidance_measures": ["上门提示"]}),
            ("pass", "law_reviewer", {"opinion": "可以公布"}),
            ("publish", "deputy", more),
        ],
    )
    return number


def test_a_risk_point_is_graded_published_and_watched(book: Casebook) -> None:
    """With its guidance and its talk where the deputy asks for them; reviewed within a year."""
    number = published(book, follow_ups=["guidance", "training"])
    assert book.item(number)["state"] == "monitored"
    (advice,) = book.children(number, "administrative_guidance")
    assert advice["data"]["subject_matter"] == "未明码标价"
    assert len(book.children(number, "training")) == 1
    assert "风险等级：中" in letters(book)["risk_list_entry"]
    assert str(book.clocks(number)["review"]["due_on"]) == "2027-03-02"
    book.go(
        number,
        "rerate",
        "law_reviewer",
        day(300),
        new_data="明显减少",
        **(GRADED | {"level": "medium"}),
    )
    assert book.item(number)["state"] == "rated"


def test_a_risk_point_belongs_to_whoever_found_it(book: Casebook) -> None:
    """Where no unit is named, the head of the finder's own unit sets the measures."""
    found = {name: POINT[name] for name in ("behaviour", "legal_basis")}
    number = book.submit("risk_point", "branch1_handler", data=found).number
    book.go(number, "rate", "law_reviewer", **GRADED)
    measured = book.go(number, "set_measures", "branch1_head", guidance_measures=["上门提示"])
    assert measured.state == "measured"


def test_no_list_is_published_without_the_law_section(book: Casebook) -> None:
    """Nor with a level the grading rule does not give."""
    number = book.submit("risk_point", "branch1_handler", data=POINT).number
    book.refused(
        GuardRefused,
        lambda: book.go(number, "rate", "law_reviewer", **(GRADED | {"level": "low"})),
        "medium",
    )
    book.go(number, "rate", "law_reviewer", **GRADED)
    book.go(number, "set_measures", "branch1_head", guidance_measures=["上门提示"])
    with pytest.raises(GuardRefused, match="法制审核"):
        book.go(number, "publish", "deputy")


@pytest.mark.parametrize(
    ("closed_on", "due", "late"),
    [("2026-03-02", "2026-03-16", False), ("2026-02-02", "2026-02-14", True)],
)
def test_a_closed_case_is_matched_within_ten_working_days(
    book: Casebook, closed_on: str, due: str, *, late: bool
) -> None:
    """The system says whether it was; make-up workdays count."""
    number = published(book)
    case: dict[str, Any] = {
        "case": "许市监罚〔2026〕9号",
        "case_closed_on": closed_on,
        "match_late": not late,
    }
    book.go(number, "match_case", "branch1_handler", day(1), **case)
    data = book.item(number)["data"]
    assert (data["match_due"], data["match_late"]) == (due, late)


# ------------------------------------------------------------------------------------- channels


def opened(book: Casebook) -> str:
    """A channel that is published with proof."""
    number = book.submit("complaint_channel", "reporter", data=CHANNEL).number
    book.go(number, "publish", "branch1_head", **PROOF)
    return number


def test_a_channel_is_published_with_proof_and_tested_every_month(book: Casebook) -> None:
    """Without proof it is not published; a month without a test call rings; a call starts the next."""
    number = book.submit("complaint_channel", "reporter", data=CHANNEL).number
    book.refused(
        Invalid,
        lambda: book.go(number, "publish", "branch1_head", where_published="政府网站"),
        "公布凭证",
    )
    book.go(number, "publish", "branch1_head", **PROOF)
    assert "0374-1234567" in letters(book)["channel_notice"]
    assert str(book.clocks(number)["test"]["due_on"]) == "2026-04-02"
    stalls.sweep(book.database, book.casework, now=day(35))
    assert book.clocks(number)["test"]["rung"] == 2
    book.go(number, "test", "inspector", day(35), tested_at=day(35).isoformat(), answered=True)
    clock = book.clocks(number)["test"]
    assert (str(clock["due_on"]), clock["rung"]) == ("2026-05-06", None)
    with pytest.raises(NotPermitted):
        book.go(number, "test", "branch1_head", day(35), tested_at=AT, answered=True)


def test_a_telephone_nobody_answers_is_faulty_at_once(book: Casebook) -> None:
    """The call says so, the head hears of it, mends it, or retires it with a replacement."""
    number = opened(book)
    book.go(number, "test", "inspector", tested_at=AT, answered=False)
    assert book.item(number)["state"] == "faulty"
    assert "branch1_head" in book.told(number, "channel_faulty")
    assert str(book.clocks(number)["repair"]["due_on"]) == "2026-03-05"
    book.go(number, "repair", "branch1_head", day(1), tested_at=day(1).isoformat())
    book.go(number, "fault", "inspector", day(2), fault="占线")
    book.refused(
        Invalid,
        lambda: book.go(number, "retire", "branch1_head", day(2), replacement="12345"),
        "公告",
    )
    gone = book.go(number, "retire", "branch1_head", day(2), replacement="12345", notice="公告1号")
    assert gone.state == "retired"


def test_a_call_that_lies_ahead_was_not_made(book: Casebook) -> None:
    """A test is told when it was made."""
    number = opened(book)
    later = day(1).isoformat()
    book.refused(
        GuardRefused,
        lambda: book.go(number, "test", "inspector", tested_at=later, answered=True),
        "不能晚于现在",
    )
