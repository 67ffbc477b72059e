"""Recusal, declarations and foresight through the counter, as officers and citizens meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from tests.api.conftest import Desk

HANDLERS = ["handler1", "handler2"]


def investigated(desk: Desk) -> dict[str, str]:
    """A grievance that two handlers of the audit section investigate: number and code."""
    receipt = desk.submit()
    desk.move("intake", receipt["number"], "register", {"matter": "conduct"})
    desk.move("unit_head", receipt["number"], "accept", ACCEPTANCE)
    desk.move(
        "unit_head",
        receipt["number"],
        "assign",
        {"handlers": HANDLERS, "declarations_signed": True},
    )
    return receipt


def ask(desk: Desk, account: str, number: str, **form: Any) -> Any:
    """Ask for recusal at the counter."""
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    body = {"ground": "interest", "reason": "有利害关系", **form}
    return desk.send(account, f"/items/{number}/recusals", body, If_Match=f'"{revision}"')


def test_the_petitioner_asks_and_a_head_decides(desk: Desk) -> None:
    """By number and code, about `my handlers`; the answer is told in the tracking view."""
    receipt = investigated(desk)
    number = receipt["number"]
    form = {**receipt, "ground": "party_or_relative", "reason": "承办人是被投诉人的亲属"}
    tracked = desk.client.post("/api/v1/submissions/recusals", json=form)
    assert tracked.status_code == 200, tracked.text
    again = desk.client.post("/api/v1/submissions/recusals", json=form)
    assert again.status_code == 409
    request = desk.one("SELECT number FROM item WHERE workflow = 'recusal'")
    assert desk.look("deputy", f"/items/{request}").json()["data"]["asked_by"] == "petitioner"
    desk.move("deputy", request, "refuse", {"decision": "经查并非亲属"})
    told = desk.client.post("/api/v1/submissions/track", json=receipt).json()
    assert any("回避" in message["title"] for message in told["messages"])
    assert desk.look("handler1", f"/items/{number}").status_code == 200


def test_a_granted_recusal_takes_the_item_from_the_officer_s_sight(desk: Desk) -> None:
    """Asked by a colleague; afterwards the number means as little to the officer as an unknown one."""
    number = investigated(desk)["number"]
    asked = ask(desk, "handler2", number, officer="handler1")
    assert asked.status_code == 201, asked.text
    request = asked.json()["number"]
    assert desk.look("handler2", f"/items/{request}").status_code == 404  # it is decided, not read
    desk.move("deputy", request, "grant", {"decision": "同意回避"})
    gone = desk.look("handler1", f"/items/{number}")
    unknown = desk.look("handler1", "/items/执诉2026-0000000000")
    assert gone.status_code == unknown.status_code == 404
    assert gone.json()["detail"] == unknown.json()["detail"]
    numbers = [item["number"] for item in desk.look("handler1", "/items").json()["items"]]
    assert number not in numbers


def test_a_recusal_suspends_a_mediation_and_it_goes_on_when_decided(desk: Desk) -> None:
    """Order 121 art. 21: asked by anybody, the mediation stands still until a head has decided."""
    form = {
        "workflow": "mediation",
        "data": {"claim": "退货", "contact": {"name": "李某"}, "respondent": "某商店"},
    }
    number = desk.send("intake", "/items", form).json()["number"]
    desk.move("intake", number, "register", {"applicant_identity": "已核对"})
    desk.move("unit_head", number, "accept", {"basis": "令121号"})
    desk.move("mediator", number, "ask_consent")
    desk.move(
        "mediator",
        number,
        "schedule",
        {
            "time": "2026-12-01T09:00:00+08:00",
            "place_or_channel": "市局",
            "mediators": ["mediator"],
            "declarations_signed": True,
            "applicant_consents": True,
            "respondent_consents": True,
        },
    )
    request = ask(desk, "mediator", number, officer="mediator").json()["number"]
    assert desk.one("SELECT state FROM item WHERE number = %s", number) == "paused_recusal"
    desk.move("deputy", request, "grant", {"decision": "同意"})
    assert desk.one("SELECT state FROM item WHERE number = %s", number) == "scheduled"
    assert desk.look("mediator", f"/items/{number}").status_code == 404
    moved = desk.move("mediator2", number, "begin", {"delivered_at": "2026-01-05T09:00:00+08:00"})
    assert moved["state"] == "mediating"


def test_an_application_begins_at_its_item_only(desk: Desk) -> None:
    """Neither the public door nor the register takes an application about nothing."""
    form = {"workflow": "recusal", "data": {}}
    assert desk.client.post("/api/v1/submissions", json=form).status_code == 403
    assert desk.send("unit_head", "/items", form).status_code == 422


def test_declaring_or_owning_up_to_a_conflict(desk: Desk) -> None:
    """One signs; the other says what binds him, which is an application for his own recusal."""
    number = investigated(desk)["number"]
    path, latest = f"/items/{number}/declarations", {"If_Match": '"4"'}
    signed = desk.send("handler1", path, {}, **latest)
    assert signed.status_code == 200, signed.text
    assert signed.json()["declared"] == ["handler1"]
    assert desk.send("handler2", path, {"conflict": True}, **latest).status_code == 422
    owned = desk.send(
        "handler2", path, {"conflict": True, "ground": "interest", "reason": "曾任顾问"}, **latest
    )
    assert owned.status_code == 200, owned.text
    assert owned.json()["workflow"] == "recusal"
    asked_by = desk.one("SELECT data ->> 'asked_by' FROM item_data WHERE data ? 'asked_by'")
    assert asked_by == "officer"


def test_what_would_be_lacking_is_told_before(desk: Desk) -> None:
    """For one item and for an absence, with the way out; asking changes nothing."""
    number = investigated(desk)["number"]
    before = desk.one("SELECT count(*) FROM event")
    told = desk.send("head", f"/items/{number}/foresight", {"accused": ["handler1"]}).json()
    assert [(gap["number"], gap["kind"]) for gap in told["items"]] == [(number, "reassign")]
    assert told["items"][0]["remedy"]["kind"] == "reassign"
    days = {"first": "2026-12-01", "last": "2026-12-11"}
    absent = desk.look("head", "/office/foresight", leave="handler1", **days).json()
    assert [gap["number"] for gap in absent["items"]] == [number]
    assert desk.look("branch1_head", "/office/foresight", leave="handler1").json() == {"items": []}
    assert desk.send("branch1_head", f"/items/{number}/foresight", {}).status_code == 404
    assert desk.look("head", "/office/foresight", leave="nobody").status_code == 422
    assert desk.one("SELECT count(*) FROM event") == before


def test_a_declared_conflict_bars_whoever_declared_it(desk: Desk) -> None:
    """Before the accusation or after it, a near relative of the accused knows nothing of the
    item.
    """
    kin = {"ground": "near_relative", "person": "branch2_handler"}
    assert desk.send("handler2", "/office/conflicts", kin).status_code == 201
    number = desk.submit()["number"]
    desk.move("intake", number, "register", {"matter": "conduct"})
    named = {**ACCEPTANCE, "subject_officers_or_unknown": ["branch2_handler"]}
    assert desk.look("handler2", f"/items/{number}").status_code == 200
    desk.move("unit_head", number, "accept", named)
    assert desk.look("handler2", f"/items/{number}").status_code == 404
    later = {"ground": "interest", "person": "branch2_handler"}
    assert desk.look("law_hub", f"/items/{number}").status_code == 200
    assert desk.send("law_hub", "/office/conflicts", later).status_code == 201
    assert desk.look("law_hub", f"/items/{number}").status_code == 404
    unit = {"ground": "former_post", "unit": "BR1"}
    assert desk.send("law_reviewer", "/office/conflicts", unit).status_code == 201
    assert desk.look("law_reviewer", f"/items/{number}").status_code == 404
    fresh = desk.submit()["number"]
    assert desk.look("law_reviewer", f"/items/{fresh}").status_code == 404
    assert desk.look("law_hub", f"/items/{fresh}").status_code == 200
    acts = [e["act"] for e in desk.look("head", f"/items/{number}/events").json()["items"]]
    assert acts.count("conflict") == 3


def test_a_leave_that_leaves_work_undone_asks_to_be_confirmed(desk: Desk) -> None:
    """Who keeps the office hears how many items, and the way out; with a substitute, nothing."""
    investigated(desk)
    absent = {"account": "handler1", "first_on": "2027-03-01", "last_on": "2027-03-05"}
    told = desk.send("admin", "/office/leave", absent)
    assert told.status_code == 409, told.text
    findings = told.json()["findings"]
    assert any("须改派" in finding and "handler2" in finding for finding in findings)
    given = desk.send("admin", "/office/leave", {**absent, "substitute": "law_handler"})
    assert given.status_code == 201, given.text


def test_revoking_the_last_role_asks_to_be_confirmed(desk: Desk) -> None:
    """The head of the unit loses his role while an item waits for him to assign it."""
    number = desk.submit()["number"]
    desk.move("intake", number, "register", {"matter": "conduct"})
    desk.move("unit_head", number, "accept", ACCEPTANCE)
    for account in ("unit_head", "chief_of_staff"):
        unit = "AUD" if account == "unit_head" else "BUR"
        form = {"role": "unit_head", "unit": unit, "granted": False}
        answer = desk.send("admin", f"/office/people/{account}/roles", form)
        last = answer.json().get("findings", [])
        if answer.status_code == 409:
            form["confirm"] = True
            assert desk.send("admin", f"/office/people/{account}/roles", form).status_code < 300
    assert any("无人可依法办理" in finding for finding in last)


def test_who_expects_to_be_accused_binds_nobody_else(desk: Desk) -> None:
    """His own word that he is related to everybody who could look into it keeps nobody out; what
    the liaison wrote down does.
    """
    for account in ("handler1", "handler2", "head", "liaison", "unit_head"):
        kin = {"ground": "near_relative", "person": account}
        assert desk.send("branch1_handler", "/office/conflicts", kin).status_code == 201
    known = {"account": "branch1_handler", "ground": "near_relative", "person": "law_hub"}
    assert desk.send("liaison", "/office/conflicts", known).status_code == 201
    number = desk.submit()["number"]
    desk.move("intake", number, "register", {"matter": "conduct"})
    named = {**ACCEPTANCE, "subject_officers_or_unknown": ["branch1_handler"]}
    desk.move("unit_head", number, "accept", named)
    for account in ("handler1", "handler2", "head", "liaison", "unit_head"):
        assert desk.look(account, f"/items/{number}").status_code == 200, account
    assert desk.look("law_hub", f"/items/{number}").status_code == 404
