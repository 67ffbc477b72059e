"""What curious, careless and hostile callers tried: nothing is betrayed, nothing breaks, nobody is stuck."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sample import PEOPLE
from engine.boards import messages, stalls
from engine.people import Actor
from engine.queries import Filters, worklist
from engine.stalls import sweep
from engine.views import read_item
from tests.api.conftest import ACCEPTANCE, GRIEVANCE

if TYPE_CHECKING:
    from tests.api.conftest import Desk

NO_SUCH = "执诉2026-0000000000"


def _assigned(desk: Desk, **accepted: Any) -> str:
    """A grievance about the first branch under investigation."""
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    desk.move("unit_head", number, "accept", {**ACCEPTANCE, **accepted})
    desk.move(
        "unit_head",
        number,
        "assign",
        {"handlers": ["handler1", "handler2"], "declarations_signed": True},
    )
    return number


def _sealed_extension(desk: Desk) -> str:
    """More time asked for in the verification of a clue: an extension as sealed as the clue."""
    number = _assigned(desk)
    desk.move("handler1", number, "open_misconduct", {"facts": "索要烟酒"})
    clue = desk.look("head", f"/items/{number}").json()["children"][0]
    people = {"handlers": ["squad_handler", "squad_handler2"], "declarations_signed": True}
    desk.move("deputy", clue, "assign", {**people, "subject_officers": ["branch1_handler"]})
    item = desk.look("squad_handler", f"/items/{clue}").json()
    limit = next(each for each in item["deadlines"] if each["name"] == "verify")
    until = date.fromisoformat(limit["due_on"]).replace(day=28).isoformat()
    asked = desk.send(
        "squad_handler",
        f"/items/{clue}/extensions",
        {"deadline": "verify", "until": until, "reason": "外地取证"},
        If_Match=f'"{item["revision"]}"',
    )
    assert asked.status_code == 201, asked.text
    return str(asked.json()["number"])


def test_no_list_shows_the_extension_of_a_sealed_item(desk: Desk) -> None:
    """Worklist, number search, stalls and messages show it to exactly those who may open it, and
    these are the people who decide it or asked for it.
    """
    number = _sealed_extension(desk)
    desk.send("intake", "/practice/clock", {"advance": "5 working days"})
    counter = desk.app.state.counter
    casework = counter.casework
    sweep(desk.worker, casework)
    knowing = set()
    with desk.worker.transaction() as session:
        office = casework.house(session).office
        dossier = read_item(session, casework, number)
        for person in PEOPLE:
            actor = Actor("person", office.person_named(person.account))
            may = casework.sees(dossier, actor)
            knowing |= {person.account} if may else set()
            for filters in (
                Filters(),
                Filters(number=number),
                Filters(stalled=True),
                Filters(unit="BUR"),
            ):
                page = worklist(session, casework, actor, filters, limit=100)
                found = number in {row["number"] for row in page.items}
                assert found == may, (person.account, filters)
            for page in (
                stalls(session, casework, actor, limit=100),
                messages(session, casework, actor, item=number),
            ):
                said = {row.get("item", row.get("number")) for row in page.items}
                assert may or number not in said, person.account
    assert {"squad_handler", "deputy", "unit_head"} <= knowing
    assert not knowing & {"intake", "handler1", "handler2", "mediator", "auditor", "law_hub"}


def test_naming_a_hidden_case_is_no_way_to_learn_of_it(desk: Desk) -> None:
    """A revisit that names a case its author may not see stays outside the family of that case: the
    answer is that for a case this office never had, and nobody in it gets a duty.
    """
    number = _assigned(desk, subject_officers_or_unknown=["law_hub2"])
    family = desk.one("SELECT family_id FROM item WHERE number = %s", number)
    before = desk.one("SELECT count(*) FROM item_duty WHERE family_id = %s", family)
    shapes = []
    for case in (number, NO_SUCH):
        form = {"workflow": "revisit", "data": {"case": case, "case_handlers": ["revisitor"]}}
        answer = desk.send("law_hub2", "/items", form)
        assert answer.status_code == 201, answer.text
        seen = answer.json()
        shapes.append(
            (
                desk.look("law_hub2", f"/items/{seen['number']}").status_code,
                seen["data"]["case"] == case,
                len(seen["available"]),
                len(seen["deadlines"]),
            )
        )
    assert shapes[0] == shapes[1]
    assert desk.one("SELECT count(*) FROM item_duty WHERE family_id = %s", family) == before
    joined = desk.send("law_hub", "/items", {"workflow": "revisit", "data": {"case": number}})
    assert (
        desk.one("SELECT family_id FROM item WHERE number = %s", joined.json()["number"]) == family
    )


def test_an_extension_begins_at_the_item_it_extends(desk: Desk) -> None:
    """Registered by itself it would extend nothing and could only be refused."""
    data = {"deadline": "investigate", "new_due": "2030-01-01", "reason": "补充取证"}
    answer = desk.send("handler1", "/items", {"workflow": "extension", "data": data})
    assert answer.status_code == 422
    assert "/extensions" in answer.json()["detail"]


@pytest.mark.parametrize("depth", [60, 300, 600, 900])
def test_depth_is_no_fault(desk: Desk, depth: int) -> None:
    """Lists in lists, objects in objects: refused with a pointer, never a fault of ours."""
    for opening, closing in (("[", "]"), ('{"name":', "}")):
        inner = opening * depth + ('""' if closing == "}" else "") + closing * depth
        for name in ("narrative", "categories", "contact"):
            rest = json.dumps({**GRIEVANCE, name: None}, ensure_ascii=False)
            body = rest.replace(f'"{name}": null', f'"{name}": {inner}')
            answer = desk.client.post(
                "/api/v1/submissions",
                content=f'{{"workflow": "grievance", "data": {body}}}'.encode(),
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code in {400, 422}, (name, opening, answer.text)


def test_what_cannot_be_seen_is_not_filled_in(desk: Desk) -> None:
    """A reason of zero-width characters is no reason."""
    answer = desk.client.post(
        "/api/v1/submissions",
        json={"workflow": "grievance", "data": {**GRIEVANCE, "narrative": "\u200b \u2060\ufeff"}},
    )
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/data/narrative"]


def test_a_cursor_of_one_list_is_refused_by_every_other(desk: Desk) -> None:
    """A cursor of the number search is text, as that of the messages is: still no fault."""
    for _ in range(2):
        desk.submit()
    by_number = desk.look("intake", "/items", q="执诉", limit=1).json()["next"]
    by_id = desk.look("intake", "/messages", limit=1).json()["next"]
    assert by_number
    assert by_id
    assert desk.look("intake", "/messages", cursor=by_number).status_code == 422
    assert desk.look("intake", "/inbox", cursor=by_number).status_code == 422
    assert desk.look("intake", "/messages", cursor=by_id).status_code == 200


def test_no_moment_is_too_far_for_the_practice_clock_to_refuse(desk: Desk) -> None:
    """The last hours of the year 9999 lie in the year 10000 elsewhere."""
    for moment in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"):
        answer = desk.send("intake", "/practice/clock", {"now": moment})
        assert answer.status_code == 422, answer.text


def test_an_option_that_only_lacks_facts_is_open_to_whoever_may_take_it(desk: Desk) -> None:
    """What somebody may do once they give what is missing is allowed; the missing facts include
    those a guard asks for.
    """
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    desk.move("unit_head", number, "accept", ACCEPTANCE)

    def option(account: str, name: str) -> dict[str, Any]:
        available = desk.look(account, f"/items/{number}").json()["available"]
        found: dict[str, Any] = next(each for each in available if each["transition"] == name)
        return found

    assign = option("unit_head", "assign")
    assert assign["allowed"], assign["reasons"]
    assert assign["missing"] == ["handlers", "declarations_signed"]
    assert not option("intake", "assign")["allowed"]
    people = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    desk.move("unit_head", number, "assign", people)
    result = {
        "findings": "属实",
        "evidence_list": ["笔录"],
        "disposition": "substantiated",
        "proposal": "整改",
    }
    desk.move("handler1", number, "conclude", result)
    desk.move("law_reviewer", number, "pass", {"opinion": "同意"})
    desk.move("deputy", number, "decide", {"decision": "责令整改"})
    reply = option("handler1", "reply")
    assert reply["allowed"], reply["reasons"]
    assert reply["missing"] == ["reply_document", "delivered_at"]


def test_what_only_the_petitioner_may_do_says_so(desk: Desk) -> None:
    """Staff read that a withdrawal is the petitioner's, not the system's."""
    number = desk.submit()["number"]
    available = desk.look("intake", f"/items/{number}").json()["available"]
    withdraw = next(each for each in available if each["transition"] == "withdraw")
    assert "当事人" in withdraw["reasons"][0]


def test_a_mediation_that_names_no_unit_finds_somebody_to_accept_it(desk: Desk) -> None:
    """Through the public door most name none: the section whose business it is takes it."""
    data = {"respondent": "某超市", "claim": "退款", "facts": "奶已过期"}
    answer = desk.client.post("/api/v1/submissions", json={"workflow": "mediation", "data": data})
    number = answer.json()["number"]
    desk.move("intake", number, "register", {"applicant_identity": "已核验"})
    moved = desk.move("unit_head", number, "accept", {"basis": "符合受理条件"})
    assert (moved["state"], moved["unit"]) == ("accepted", "IPR")


def test_the_words_beside_a_message_are_words(desk: Desk) -> None:
    """What is kept as a note beside a message is checked as every note is."""
    number = desk.submit()["number"]
    told = {"to": "holder", "text": "urge", "note": "a\x07b"}
    answer = desk.send("intake", f"/items/{number}/messages", told, If_Match='"1"')
    assert answer.status_code == 422


def test_a_message_about_a_sealed_extension_does_not_name_it(desk: Desk) -> None:
    """As sealed as its parent: only texts that name nothing may be sent, and an urge is one."""
    number = _sealed_extension(desk)
    told = {"to": "deputy", "text": "urge"}
    answer = desk.send("unit_head", f"/items/{number}/messages", told, If_Match='"1"')
    assert answer.status_code == 422
    bulk = desk.send("head", "/stalls/bulk", {"numbers": [number], "act": "urge"})
    assert bulk.json()["results"][0]["ok"], bulk.text
    texts = "SELECT array_agg(DISTINCT m.text) FROM message m JOIN item i ON i.id = m.item_id"
    assert "urge" not in desk.one(f"{texts} WHERE i.number = %s", number)


def _revisited(desk: Desk) -> tuple[str, str]:
    """A campaign of the first branch whose only revisit brings a signal: (campaign, revisit)."""
    case = {"unit": "BR1", "case_no": "甲案", "case_kind": "penalty", "closed_on": "2026-10-20"}
    told = {**case, "party_ref": "当事人甲", "handlers": ["branch1_handler"]}
    registered = desk.send("reporter", "/items", {"workflow": "closed_case", "data": told})
    assert registered.status_code == 201, registered.text
    form = {"workflow": "revisit_campaign", "data": {"unit": "BR1", "month": "2026-11"}}
    campaign = desk.send("law_hub", "/items", form).json()["number"]
    desk.move("reporter", campaign, "close_list")
    desk.move("law_hub", campaign, "approve")
    desk.move("branch1_head", campaign, "launch")
    visit = desk.look("law_hub", f"/items/{campaign}").json()["children"][0]
    tried = {"method": "phone", "attempted_at": "2026-11-20T09:00:00+08:00"}
    desk.move("revisitor", visit, "attempt", {**tried, "declarations_signed": True})
    said = {"answers": "收了礼", "satisfaction": "dissatisfied", "identity_confirmed": True}
    desk.move("revisitor", visit, "interview", said)
    kept = {"record_form": "表一", "signature_or_audio_or_chat_export": "录音一"}
    desk.move("revisitor", visit, "record", kept)
    return campaign, visit


def test_a_revisit_is_not_seen_by_those_it_asks_about(desk: Desk) -> None:
    """The officer named as the handler never sees it; once the signal names the unit that handled
    the case, its head sees neither the signal nor the clue that comes of it, and somebody else can
    close it.
    """
    campaign, visit = _revisited(desk)
    assert desk.look("branch1_handler", f"/items/{visit}").status_code == 404
    signal = {"signal_codes": ["M07"], "facts": "收受礼品"}
    desk.move("law_hub", visit, "analyse", {**signal, "respondent": "第一分局"})
    for account in ("branch1_head", "branch1_handler", "branch1_handler2"):
        assert desk.look(account, f"/items/{visit}").status_code == 404, account
        assert desk.look(account, f"/items/{visit}/events").status_code == 404, account
        assert desk.look(account, "/items", q=visit).json()["items"] == [], account
        assert desk.look(account, "/messages", item=visit).json()["items"] == [], account
    seen = desk.look("branch1_head", f"/items/{campaign}").json()
    assert seen["children"] == []
    closing = desk.look("chief_of_staff", f"/items/{visit}").json()["available"]
    assert [each["transition"] for each in closing] == ["close"]


def test_being_named_as_a_handler_shows_nothing(desk: Desk) -> None:
    """Whoever is entered as having handled a case bears the duty that keeps them from revisiting it,
    and no role that would let them read the revisit.
    """
    form = {"workflow": "revisit", "data": {"case": "乙案", "case_handlers": ["squad_handler"]}}
    visit = desk.send("law_hub", "/items", form).json()["number"]
    assert desk.look("squad_handler", f"/items/{visit}").status_code == 404
    assert desk.look("squad_handler", "/items").json()["items"] == []
    assert desk.look("revisitor", f"/items/{visit}").status_code == 200


def test_a_mediator_who_is_replaced_goes(desk: Desk) -> None:
    """A decision to replace without a successor would leave the same person mediating."""
    data = {"respondent": "某超市", "claim": "退款", "facts": "奶已过期"}
    body = {"workflow": "mediation", "data": data}
    receipt = desk.client.post("/api/v1/submissions", json=body).json()
    number = receipt["number"]
    desk.move("intake", number, "register", {"applicant_identity": "已核验"})
    desk.move("unit_head", number, "accept", {"basis": "符合受理条件"})
    desk.move("mediator", number, "ask_consent")
    agreed = {"applicant_consents": True, "respondent_consents": True, "declarations_signed": True}
    when = {
        "time": "2027-01-04T09:00:00+08:00",
        "place_or_channel": "一楼",
        "mediators": "mediator",
    }
    desk.move("mediator", number, "schedule", {**agreed, **when})
    form = {**receipt, "transition": "apply_recusal", "data": {"ground": "调解员与商家相识"}}
    assert desk.client.post("/api/v1/submissions/act", json=form).status_code == 200
    decision = {"decision": "予以更换", "replacement_or_stay": "replaced"}
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    path = f"/items/{number}/transitions/decide_recusal"
    for named in ({}, {"mediators": ["mediator"]}):
        refused = desk.send(
            "unit_head", path, {"data": {**decision, **named}}, If_Match=f'"{revision}"'
        )
        assert refused.status_code == 409, refused.text
    moved = desk.move("unit_head", number, "decide_recusal", {**decision, "mediators": "mediator2"})
    assert moved["assignees"] == ["mediator2"]


def test_the_petitioner_sees_by_when_to_supply_what_is_missing(desk: Desk) -> None:
    """Unused, the right to supply it lapses and with it the case: its end is shown, and no text has
    a hole where a date would stand.
    """
    receipt = desk.submit()
    desk.move("intake", receipt["number"], "register")
    asked = {"missing_items": ["照片"], "supplement_delivered_at": "2026-01-05T09:00:00+08:00"}
    desk.move("intake", receipt["number"], "ask_supplement", asked)
    view = desk.client.post("/api/v1/submissions/track", json=receipt).json()
    supply = next(each for each in view["rights"] if each["transition"] == "supplement")
    due = "SELECT due_at FROM deadline WHERE name = 'supplement' AND stopped_at IS NULL"
    assert datetime.fromisoformat(supply["until"]) == desk.one(due)
    assert not any("在前" in each["body"] or "time :" in each["body"] for each in view["messages"])


@pytest.mark.parametrize("risk", ["low", "high"])
def test_a_stall_is_held_against_the_unit_that_has_the_item(desk: Desk, risk: str) -> None:
    """The clue the ladder opens concerns whoever let it lie, not the unit complained of; the people
    of that unit, its head first, see nothing of it.
    """
    number = _assigned(desk, risk_level=risk)
    desk.send("intake", "/practice/clock", {"advance": "60 working days"})
    counter = desk.app.state.counter
    sweep(desk.worker, counter.casework)
    clue = desk.look("liaison", f"/items/{number}").json()["children"][0]
    item = desk.look("liaison", f"/items/{clue}").json()
    assert (item["data"]["respondent"], item["unit"]) == ("AUD", "OFF")
    assert item["data"]["candidate"] is True
    for account in ("unit_head", "handler1", "audit1"):
        assert desk.look(account, f"/items/{clue}").status_code == 404, account


def test_a_kept_answer_is_not_given_again_to_whoever_was_barred_since(desk: Desk) -> None:
    """Sent again with its key, a note of somebody now accused finds no such item."""
    number = _assigned(desk)
    note = {"text": "已联系当事人"}
    sent = {"If_Match": '"4"', "Idempotency_Key": "note-of-handler2"}
    path = f"/items/{number}/notes"
    first = desk.send("handler2", path, note, **sent)
    assert first.status_code == 201, first.text
    assert desk.send("handler2", path, note, **sent).content == first.content
    desk.move("handler1", number, "open_misconduct", {"facts": "索要烟酒"})
    clue = desk.look("head", f"/items/{number}").json()["children"][0]
    people = {"handlers": ["squad_handler", "squad_handler2"], "declarations_signed": True}
    desk.move("deputy", clue, "assign", {**people, "subject_officers": ["handler2"]})
    again = desk.send("handler2", path, note, **sent)
    nothing = desk.send("handler2", f"/items/{NO_SUCH}/notes", note, If_Match='"4"')
    assert again.status_code == nothing.status_code == 404
    told, expected = again.json(), nothing.json()
    assert {**told, "instance": ""} == {**expected, "instance": ""}
