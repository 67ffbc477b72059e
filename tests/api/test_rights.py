"""What petitioners are told of their rights, and that each right can be used in the portal."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from engine.rights import rights_of
from tests.api.conftest import ACCEPTANCE
from tests.api.test_portal import API, enter

if TYPE_CHECKING:
    from httpx import Response

    from tests.api.conftest import Desk


def use(desk: Desk, mine: dict[str, str], name: str, **data: Any) -> Response:
    """A right, used in the portal."""
    answer: Response = desk.client.post(
        f"{API}/portal/transitions/{name}", json={"data": data}, headers=mine
    )
    return answer


def offered(desk: Desk, mine: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The rights the portal shows now."""
    shown = desk.client.get(f"{API}/portal/item", headers=mine).json()["rights"]
    return {right["transition"]: right for right in shown}


def answered(desk: Desk) -> tuple[str, dict[str, str]]:
    """A grievance the office has answered, and its petitioner's session."""
    receipt = desk.submit()
    number = receipt["number"]
    desk.move("intake", number, "register")
    desk.move("unit_head", number, "accept", ACCEPTANCE)
    assigned = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    desk.move("unit_head", number, "assign", assigned)
    found = {
        "findings": "查明",
        "evidence_list": ["一"],
        "disposition": "not_substantiated",
        "proposal": "无",
    }
    desk.move("handler1", number, "conclude", found)
    desk.move("law_reviewer", number, "pass", {"opinion": "同意"})
    desk.move("deputy", number, "decide", {"decision": "不属实"})
    now = desk.one(
        "SELECT to_char(now() + practice_offset, 'YYYY-MM-DD\"T\"HH24:MI:SSOF') FROM bureau"
    )
    sent = {"reply_document": "许市监〔2026〕1号", "delivered_at": f"{now}:00"}
    desk.move("handler1", number, "reply", sent)
    return number, enter(desk, receipt)


def test_rights_are_told_before_anything_is_given(desk: Desk) -> None:
    """Without a login, Chinese and English: procedure, limits, secrecy, recusal, objection,
    withdrawal, personal information.
    """
    told = desk.client.get(f"{API}/portal/rights/grievance")
    assert told.status_code == 200, told.text
    sections = told.json()["sections"]
    assert [each["title"] for each in sections] == [
        *("事项怎样办理", "办理期限", "谁能知道您是谁", "申请回避", "不服怎么办", "撤回"),
        "您的个人信息",
    ]
    whole = "\n".join(each["body"] for each in sections)
    for word in ("公开", "保密", "匿名", "第四十四条至第五十条", "删除", "许昌市市场监督管理局"):
        assert word in whole
    for section in sections:
        assert section["title_en"]
        assert section["body_en"]
        assert "{" not in section["body"] + section["body_en"]


def test_what_is_told_is_what_is_counted(desk: Desk) -> None:
    """Every limit of the file, with the span and the source of the rule in force, and no other."""
    told = desk.client.get(f"{API}/portal/rights/grievance").json()
    catalog = desk.app.state.counter.casework.catalog
    today = date.fromisoformat(told["on"])
    assert {limit["deadline"] for limit in told["limits"]} == set(
        catalog.named("grievance").workflow.deadlines
    )
    body = told["sections"][1]["body"]
    for limit in told["limits"]:
        rule = catalog.rulebook.rule(limit["rule"], today)
        assert limit["span"] == str(rule.within)
        assert (limit["source"] is None) is rule.source.startswith("[P]")
        assert (limit["source"] or "") in rule.source
        assert "[" not in (limit["source"] or "")
        told_of = [line for line in body.splitlines() if line.startswith(limit["title"])]
        said = any(f"：{limit['span_zh']}" in line for line in told_of)
        assert said is (rule.weight != "internal"), limit
    assert "登记（来源渠道：12345热线）：2小时" in body


def test_a_new_law_changes_what_is_told_on_its_day(desk: Desk) -> None:
    """Order 121 took the place of Order 20 on 15 April 2026."""
    catalog = desk.app.state.counter.casework.catalog
    spans = {}
    for day in (date(2026, 4, 14), date(2026, 4, 15)):
        limits = rights_of(catalog, "mediation", "本局", day)["limits"]
        spans[day] = {limit["rule"]: limit["span"] for limit in limits}["med.settle"]
    assert list(spans.values()) == ["45 working days", "60 days"]


def test_a_workflow_of_the_house_tells_the_public_nothing(desk: Desk) -> None:
    """Like one that does not exist."""
    same = {"X-Request-ID": "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"}
    answers = [
        desk.client.get(f"{API}/portal/rights/{name}", headers=same)
        for name in ("misconduct", "nothing_here")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_who_is_in_reads_the_rights_of_their_item(desk: Desk) -> None:
    """The same as before the submission."""
    mine = enter(desk, desk.submit())
    own = desk.client.get(f"{API}/portal/rights", headers=mine).json()
    assert own == desk.client.get(f"{API}/portal/rights/grievance").json()


def test_what_was_missing_is_supplied_in_its_window(desk: Desk) -> None:
    """The right is shown with its field and its last day, works once, and is refused outside."""
    receipt = desk.submit()
    number, mine = receipt["number"], enter(desk, receipt)
    assert use(desk, mine, "supplement", materials="收据").status_code == 409
    desk.move("intake", number, "register")
    desk.move("intake", number, "ask_supplement", {"missing_items": ["收据"]})
    right = offered(desk, mine)["supplement"]
    assert right["allowed"]
    assert [(each["name"], each["required"]) for each in right["fields"]] == [("materials", True)]
    assert right["until"] is not None
    assert use(desk, mine, "supplement").status_code == 422
    supplied = use(desk, mine, "supplement", materials="收据照片")
    assert supplied.json()["state"]["name"] == "screening"
    assert use(desk, mine, "supplement", materials="再来").status_code == 409


def test_an_answer_is_objected_to_within_thirty_days(desk: Desk) -> None:
    """With grounds; once only."""
    _, mine = answered(desk)
    right = offered(desk, mine)["object"]
    assert right["until"] is not None
    assert use(desk, mine, "object").json()["errors"][0]["pointer"] == "/data/grounds"
    objected = use(desk, mine, "object", grounds="没有调取监控")
    assert objected.json()["state"]["name"] == "reviewing"
    assert use(desk, mine, "object", grounds="再次").status_code == 409
    assert use(desk, mine, "withdraw", voluntary_statement="算了").status_code == 409


def test_after_the_window_the_refusal_says_so(desk: Desk) -> None:
    """The day after, the right is shown as gone, with the guard's sentence."""
    _, mine = answered(desk)
    moved = desk.client.post(
        f"{API}/practice/clock", json={"advance": "45 days"}, headers=desk.headers("admin")
    )
    assert moved.status_code == 200
    right = offered(desk, mine)["object"]
    assert not right["allowed"]
    refused = use(desk, mine, "object", grounds="晚了")
    assert refused.status_code == 409
    assert refused.json()["detail"] in right["reasons"]


def test_recusal_is_asked_in_the_portal(desk: Desk) -> None:
    """As at POST /submissions/recusals: an application begins, and its decision is told."""
    receipt = desk.submit()
    number, mine = receipt["number"], enter(desk, receipt)
    desk.move("intake", number, "register")
    wish = {"officer": "intake", "ground": "interest", "reason": "登记的人是店主的朋友"}
    asked = desk.client.post(f"{API}/portal/recusals", json=wish, headers=mine)
    assert asked.status_code == 200, asked.text
    assert asked.json()["number"] == number
    assert desk.one("SELECT count(*) FROM item WHERE workflow = 'recusal'") == 1


def test_every_act_of_the_public_can_be_reached(desk: Desk) -> None:
    """Whatever a workflow lets the public do is told in its rights and lies under one address; of what
    the office begins (an invitation, a telling) it is met in the portal, or staff write it down for them.
    """
    catalog = desk.app.state.counter.casework.catalog
    for name, bound in catalog.current.items():
        moves = {act for act, move in bound.workflow.moves() if "public" in move.by}
        told = desk.client.get(f"{API}/portal/rights/{name}")
        if "public" in bound.workflow.transitions["submit"][0].by:
            acts = {act["transition"] for act in told.json()["acts"]}
            assert acts == moves - {"submit"}
        else:
            assert told.status_code == 404
            fields = bound.workflow.fields.values()
            met = any(spec.type == "answers" for spec in fields)  # /portal/questionnaires
            by_staff = {
                act for act, move in bound.workflow.moves() if {"public"} < set(move.by) - {"sys"}
            }
            assert met or moves <= by_staff, name


def test_the_engine_sends_only_texts_there_are(desk: Desk) -> None:
    """A message without its text would end dead."""
    texts = desk.app.state.counter.casework.catalog.texts
    own = {"assigned", "urge", "sealed_stall", "sealed_work", "petitioner_wrote", "office_wrote"}
    assert own <= texts.keys()
