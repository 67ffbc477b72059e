"""Petitioner and office write to each other: words stay in the house, and no question goes silent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from adapters.sample import PEOPLE
from engine import conversation, stalls
from engine.journal import verify
from tests.api.conftest import ACCEPTANCE, GRIEVANCE
from tests.api.test_portal import API, enter, everything

if TYPE_CHECKING:
    import pytest
    from httpx import Response

    from tests.api.conftest import Desk

QUESTION = "请问调查到什么程度了,我家住桃园路八号"
REPLY = "已调取窗口记录,预计下周书面答复"


def ask(desk: Desk, mine: dict[str, str], body: str = QUESTION, **headers: str) -> Response:
    """The petitioner writes."""
    answer: Response = desk.client.post(
        f"{API}/portal/messages", json={"body": body}, headers={**mine, **headers}
    )
    return answer


def reply(desk: Desk, number: str, account: str = "intake", body: str = REPLY) -> Response:
    """Somebody of the office writes."""
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    form = {"to": "public", "body": body}
    return desk.send(account, f"/items/{number}/messages", form, If_Match=f'"{revision}"')


def read(desk: Desk, mine: dict[str, str], **query: Any) -> dict[str, Any]:
    """What the petitioner reads."""
    answer = desk.client.get(f"{API}/portal/messages", params=query, headers=mine)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def unread(desk: Desk, mine: dict[str, str]) -> int:
    """How many messages of the office are new."""
    count: int = desk.client.get(f"{API}/portal/item", headers=mine).json()["unread"]
    return count


def test_a_question_is_answered_and_both_read_it(desk: Desk) -> None:
    """The petitioner is shown a unit and a role, the office the words; reading makes it read."""
    receipt = desk.submit()
    mine = enter(desk, receipt)
    posted = ask(desk, mine)
    assert posted.status_code == 201, posted.text
    shown = desk.look("intake", f"/items/{receipt['number']}/messages").json()["items"]
    assert [(each["from"], each["actor"], each["body"]) for each in shown] == [
        ("petitioner", None, QUESTION)
    ]
    assert reply(desk, receipt["number"]).status_code == 201
    assert unread(desk, mine) == 1
    items = read(desk, mine)["items"]
    assert [(each["from"], each["role"], each["body"]) for each in items] == [
        ("petitioner", None, QUESTION),
        ("office", "受理登记员", REPLY),
    ]
    assert items[1]["unit"] == "执法稽查科"
    assert unread(desk, mine) == 0
    told = desk.client.post(f"{API}/submissions/track", json=receipt).json()["messages"][-1]
    assert "有一条新消息" in told["title"]
    assert REPLY not in str(told)


def test_the_petitioner_learns_no_name(desk: Desk) -> None:
    """Neither account nor name of whoever answered is anywhere in what the petitioner gets."""
    receipt = desk.submit()
    mine = enter(desk, receipt)
    ask(desk, mine)
    reply(desk, receipt["number"])
    got = [
        desk.client.get(f"{API}/portal/messages", headers=mine).text,
        desk.client.get(f"{API}/portal/item", headers=mine).text,
    ]
    for person in PEOPLE:
        assert all(person.account not in text and person.name not in text for text in got)


def test_words_stay_in_the_vault_and_a_push_carries_none(
    desk: Desk, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """In no table in clear, no log, no push; the journal commits to them and is whole."""
    caplog.set_level(logging.DEBUG)
    receipt = desk.submit()
    mine = enter(desk, receipt)
    ask(desk, mine, **{"Idempotency-Key": "q"})
    reply(desk, receipt["number"])
    kept = everything(desk)
    said = caplog.text + capsys.readouterr().err
    assert "/portal/messages" in said
    for words in (QUESTION, REPLY):
        assert words not in kept
        assert words not in said
    pushed = desk.one(
        "SELECT count(*) FROM message WHERE text = 'petitioner_wrote' AND recipient_id IS NOT NULL"
    )
    assert pushed >= 1
    assert desk.one("SELECT data::text FROM event WHERE act = 'message' LIMIT 1") == "{}"
    with desk.worker.transaction() as session:
        assert verify(session)[1] == []


def test_a_question_runs_a_clock_until_it_is_answered(desk: Desk) -> None:
    """The first one starts it, a second leaves it, a move of the item does not stop it; the answer
    does. Whoever tracks the item sees by when an answer is owed.
    """
    receipt = desk.submit()
    number, mine = receipt["number"], enter(desk, receipt)
    running = (
        "SELECT count(*) FROM deadline c JOIN item i ON i.id = c.item_id"
        " WHERE c.name = 'unanswered' AND c.stopped_at IS NULL AND i.number = %s"
    )
    ask(desk, mine)
    ask(desk, mine)
    desk.move("intake", number, "register")
    assert desk.one(running, number) == 1
    seen = desk.client.get(f"{API}/portal/item", headers=mine).json()
    assert "答复来信" in [each["title"] for each in seen["deadlines"]]
    assert seen["due"]["name"] != "unanswered"
    page = desk.look("intake", f"/items/{number}").json()["deadlines"]
    assert {each["name"] for each in page} >= {"unanswered"}
    assert reply(desk, number).status_code == 201
    assert desk.one(running, number) == 0
    assert desk.one("SELECT count(*) FROM deadline WHERE name = 'unanswered'") == 1


def test_an_unanswered_question_climbs(desk: Desk) -> None:
    """Nobody answers for five working days: it is a stall that supervisors hear of, though the item
    itself moves on.
    """
    receipt = desk.submit()
    number, mine = receipt["number"], enter(desk, receipt)
    desk.move("intake", number, "register")
    ask(desk, mine)
    clock = desk.client.post(
        f"{API}/practice/clock",
        json={"advance": "9 working days"},
        headers=desk.headers("admin"),
    )
    assert clock.status_code == 200, clock.text
    counter = desk.app.state.counter
    stalls.sweep(desk.worker, counter.casework)
    climbed = desk.one(
        "SELECT array_agg(k.act ORDER BY k.rung) FROM climb k JOIN deadline d ON d.id = k.deadline_id"
        " WHERE d.name = 'unanswered'"
    )
    assert climbed == ["urge", "demand"]
    told = desk.one(
        "SELECT m.payload ->> 'deadline' FROM message m JOIN deadline d ON d.id = m.deadline_id"
        " WHERE d.name = 'unanswered' LIMIT 1"
    )
    assert told == "答复来信"
    board = desk.look("unit_head", "/stalls").json()["items"]
    assert "stall.unanswered" in {row["rule"] for row in board if row["number"] == number}


def test_an_item_that_has_ended_takes_no_more_questions(desk: Desk) -> None:
    """Nobody would read them: it is said, with what to do instead; and the end stops the clock."""
    receipt = desk.submit()
    mine = enter(desk, receipt)
    ask(desk, mine)
    desk.client.post(
        f"{API}/portal/transitions/withdraw",
        json={"data": {"voluntary_statement": "自愿"}},
        headers=mine,
    )
    refused = ask(desk, mine)
    assert refused.status_code == 409
    assert "新的情况请重新提出" in refused.json()["detail"]
    assert desk.one("SELECT count(*) FROM deadline WHERE stopped_at IS NULL") == 0
    assert len(read(desk, mine)["items"]) == 1


def test_only_who_works_on_the_item_reads_and_answers(desk: Desk) -> None:
    """Others who may see it are refused; the unit complained of and strangers find nothing."""
    receipt = desk.submit()
    number = receipt["number"]
    ask(desk, enter(desk, receipt))
    desk.move("intake", number, "register")
    desk.move("unit_head", number, "accept", ACCEPTANCE)
    for account, status in (("law_hub", 403), ("branch1_head", 404), ("unit_head", 200)):
        assert desk.look(account, f"/items/{number}/messages").status_code == status, account
        posted = reply(desk, number, account).status_code
        assert posted == (201 if status == 200 else status), account


def test_an_item_without_a_code_has_nobody_to_write_to(desk: Desk) -> None:
    """Registered at the counter: a message would lie where nobody reads it."""
    form = {"workflow": "grievance", "data": GRIEVANCE, "channel": "visit"}
    number = desk.send("intake", "/items", form).json()["number"]
    refused = reply(desk, number)
    assert refused.status_code == 409
    assert "没有查询码" in refused.json()["detail"]


def test_a_message_has_its_limits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 characters, no control characters, not nothing; so many a day, told until when."""
    receipt = desk.submit()
    mine = enter(desk, receipt)
    for wrong in ("", " \u3000\n", "\u200b", "x" * 4001, "a\x00b", "a\x1bb", "a\x9fb"):
        refused = ask(desk, mine, wrong)
        assert refused.status_code == 422, repr(wrong)
        assert refused.json()["errors"][0]["pointer"] == "/body"
    surrogate = desk.client.post(
        f"{API}/portal/messages",
        content=b'{"body": "\\ud800"}',
        headers={**mine, "Content-Type": "application/json"},
    )
    assert surrogate.status_code == 422
    assert ask(desk, mine, "字" * 4000).status_code == 201
    monkeypatch.setattr(conversation, "MOST_A_DAY", 3)
    assert [ask(desk, mine).status_code for _ in range(3)] == [201, 201, 429]
    refused = ask(desk, mine)
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    desk.client.post(
        f"{API}/practice/clock", json={"advance": "1 day"}, headers=desk.headers("admin")
    )
    assert ask(desk, mine).status_code == 201


def test_a_message_sent_twice_with_one_key_is_one(desk: Desk) -> None:
    """The kept answer holds no words."""
    mine = enter(desk, desk.submit())
    first, second = (ask(desk, mine, **{"Idempotency-Key": "m"}) for _ in range(2))
    assert first.content == second.content
    assert set(first.json()) == {"seq", "at"}
    assert len(read(desk, mine)["items"]) == 1


def test_a_long_conversation_comes_in_pages(desk: Desk) -> None:
    """Oldest first, each once, and read as far as shown."""
    receipt = desk.submit()
    mine = enter(desk, receipt)
    for at in range(3):
        ask(desk, mine, f"第{at}条")
        reply(desk, receipt["number"], body=f"答{at}")
    first = read(desk, mine, limit=4)
    assert unread(desk, mine) == 1
    rest = read(desk, mine, limit=4, cursor=first["next"])
    assert [each["body"] for each in (*first["items"], *rest["items"])] == [
        *("第0条", "答0", "第1条", "答1", "第2条", "答2")
    ]
    assert rest["next"] is None
    assert unread(desk, mine) == 0


def test_a_message_moves_no_revision(desk: Desk) -> None:
    """It is no substantive act: whoever saw the item before may go on with what they saw."""
    receipt = desk.submit()
    before = desk.look("intake", f"/items/{receipt['number']}").headers["etag"]
    ask(desk, enter(desk, receipt))
    assert desk.look("intake", f"/items/{receipt['number']}").headers["etag"] == before
