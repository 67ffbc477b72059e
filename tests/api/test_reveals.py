"""Who the petitioner is: asked for, granted by a second person, seen for a while, told to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine import reveals
from engine.derivation import Derivation
from engine.journal import chains_of, last_item
from engine.walls import SYS, stand_for
from tests.api.conftest import ACCEPTANCE, GRIEVANCE, NAME, PHONE

if TYPE_CHECKING:
    from httpx import Response

    from tests.api.conftest import Desk

WHY, BECAUSE = "须当面核实收款收据", "确有必要,仅限核实"


def post(desk: Desk, account: str, number: str, path: str = "", **body: Any) -> Response:
    """A write on the requests of an item as it stands."""
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    return desk.send(account, f"/items/{number}/reveals{path}", body, If_Match=f'"{revision}"')


def asked(desk: Desk, number: str, account: str = "intake") -> str:
    """The id of a request that somebody made."""
    answer = post(desk, account, number, reason=WHY)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


def acts(desk: Desk, number: str) -> list[str]:
    """What the journal of an item says of reveals."""
    return [
        event["act"]
        for event in desk.look("auditor", f"/items/{number}/events").json()["items"]
        if event["act"].startswith("reveal")
    ]


def test_an_identity_takes_two_people_and_is_seen_by_who_asked(desk: Desk) -> None:
    """Intake asks, the liaison grants, intake sees; nobody else does, and each step is an event."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    path = f"/items/{number}/reveals/{reveal}"
    waiting = desk.look("intake", path).json()
    assert (waiting["status"], waiting["data"]) == ("asked", None)
    granted = post(desk, "liaison", number, f"/{reveal}/grant", reason=BECAUSE)
    assert granted.status_code == 200, granted.text
    assert granted.json()["data"] is None
    seen = desk.look("intake", path).json()
    assert seen["data"] == {"contact": {"name": NAME, "phone": PHONE}}
    for account in ("liaison", "head", "auditor", "law_hub"):
        other = desk.look(account, path)
        assert other.status_code == 200
        assert PHONE not in other.text
        assert NAME not in other.text
    assert acts(desk, number) == ["reveal_request", "reveal_grant", "reveal_view"]
    kept = desk.look("liaison", f"/items/{number}/reveals").json()["items"]
    assert [(each["requester"], each["approver"]) for each in kept] == [("intake", "liaison")]


def test_nobody_grants_their_own_request_nor_out_of_turn(desk: Desk) -> None:
    """The asker, a colleague, the head while there is a liaison: all refused, and nothing is shown."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    for account in ("intake", "unit_head", "head", "law_hub"):
        refused = post(desk, account, number, f"/{reveal}/grant", reason=BECAUSE)
        assert refused.status_code == 403, account
    assert desk.look("intake", f"/items/{number}/reveals/{reveal}").json()["data"] is None
    with (
        psycopg.connect(desk.url) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="reveal_takes_two"),
    ):
        connection.execute("UPDATE vault.reveal SET approver_id = requester_id")


def test_only_who_works_on_it_asks_and_the_unit_concerned_finds_nothing(desk: Desk) -> None:
    """Readers are refused; for the accused's unit neither the item nor the request exists."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    for account in ("auditor", "head", "law_hub"):
        assert post(desk, account, number, reason=WHY).status_code == 403
    for account in ("branch1_head", "branch1_handler"):
        assert post(desk, account, number, reason=WHY).status_code == 404
        assert desk.look(account, f"/items/{number}/reveals").status_code == 404
        assert desk.look(account, f"/items/{number}/reveals/{reveal}").status_code == 404
        granted = post(desk, account, number, f"/{reveal}/grant", reason=BECAUSE)
        assert granted.status_code == 404
    assert post(desk, "intake", number, reason=WHY).status_code == 409, "one at a time"
    assert post(desk, "intake", number, reason=" ").status_code == 422
    assert post(desk, "unit_head", number, reason=WHY, fields=["narrative"]).status_code in {
        403,
        422,
    }


def test_ten_minutes_later_nothing_is_shown(desk: Desk) -> None:
    """The time runs by the database's clock, and a look after it is no event."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    post(desk, "liaison", number, f"/{reveal}/grant", reason=BECAUSE)
    with psycopg.connect(desk.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE vault.reveal SET shown_until = now() - interval '1 second'")
    seen = desk.look("intake", f"/items/{number}/reveals/{reveal}").json()
    assert (seen["status"], seen["data"]) == ("ended", None)
    assert acts(desk, number) == ["reveal_request", "reveal_grant"]
    assert asked(desk, number) != reveal


def test_a_refusal_is_told_and_final(desk: Desk) -> None:
    """Who asked hears of it; a decision is not turned round, not by SQL either."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    assert post(desk, "liaison", number, f"/{reveal}/refuse", reason=BECAUSE).status_code == 200
    assert post(desk, "liaison", number, f"/{reveal}/grant", reason=BECAUSE).status_code == 409
    assert desk.look("intake", f"/items/{number}/reveals/{reveal}").json()["status"] == "refused"
    told = desk.one("SELECT count(*) FROM message WHERE text = 'sealed_reveal_decided'")
    assert told == 1
    with psycopg.connect(desk.url) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("UPDATE vault.reveal SET status = 'asked', decided_at = NULL")


def test_without_a_record_nothing_is_shown(desk: Desk) -> None:
    """Where the event of a look cannot be written, the look shows nothing."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    post(desk, "liaison", number, f"/{reveal}/grant", reason=BECAUSE)
    with psycopg.connect(desk.url) as connection:
        connection.execute("ALTER TABLE event ADD CHECK (act <> 'reveal_view') NOT VALID")
    answer = desk.look("intake", f"/items/{number}/reveals/{reveal}")
    assert answer.status_code == 500
    assert PHONE not in answer.text


def test_the_petitioner_sees_who_asked_who_granted_and_why(desk: Desk) -> None:
    """By role and unit, never by name; a kept answer holds no reason."""
    receipt = desk.submit()
    reveal = asked(desk, receipt["number"])
    post(desk, "liaison", receipt["number"], f"/{reveal}/grant", reason=BECAUSE)
    desk.look("intake", f"/items/{receipt['number']}/reveals/{reveal}")
    shown = desk.client.post("/api/v1/submissions/track", json=receipt).json()["reveals"]
    assert [each["act"] for each in shown] == ["reveal_request", "reveal_grant", "reveal_view"]
    assert [each["why"] for each in shown] == [WHY, BECAUSE, None]
    assert [each["role"] for each in shown] == ["受理登记员", "纪检联络员", "受理登记员"]
    assert all(each["unit"] for each in shown)
    act = {**receipt, "transition": "withdraw", "data": {"voluntary_statement": "自愿"}}
    kept = desk.client.post("/api/v1/submissions/act", json=act)
    assert WHY not in kept.text
    assert len(kept.json()["reveals"]) == 3


def test_a_request_nobody_decides_goes_to_the_granters_and_lapses(desk: Desk) -> None:
    """The liaison is told at once; after two working days it lapses, is told, and may be renewed."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    to = "SELECT count(*) FROM message JOIN person p ON p.id = recipient_id WHERE account = %s"
    assert desk.one(f"{to} AND text = 'sealed_reveal'", "liaison") == 1
    counter = desk.app.state.counter
    assert reveals.lapse(counter.database, counter.casework) == 0
    desk.client.post(
        "/api/v1/practice/clock", json={"advance": "3 working days"}, headers=desk.headers("admin")
    )
    refused = post(desk, "liaison", number, f"/{reveal}/grant", reason=BECAUSE)
    assert refused.status_code == 409
    assert reveals.lapse(counter.database, counter.casework) == 1
    assert reveals.lapse(counter.database, counter.casework) == 0
    assert desk.look("intake", f"/items/{number}/reveals/{reveal}").json()["status"] == "lapsed"
    assert desk.one("SELECT count(*) FROM message WHERE text = 'sealed_reveal_decided'") == 1
    assert asked(desk, number) != reveal


def test_an_open_item_shows_at_once_with_a_reason_on_record(desk: Desk) -> None:
    """Of a mediation whoever works on it sees the applicant, and the journal says why."""
    contact = {"name": NAME, "phone": PHONE}
    form = {"workflow": "mediation", "data": {"claim": "退货", "contact": contact}}
    number = desk.client.post("/api/v1/submissions", json=form).json()["number"]
    page = desk.look("intake", f"/items/{number}")
    assert page.json()["data"]["contact"]["sealed"] is True
    reveal = asked(desk, number)
    seen = desk.look("intake", f"/items/{number}/reveals/{reveal}").json()
    assert seen["data"] == {"contact": contact}
    assert acts(desk, number) == ["reveal_request", "reveal_grant", "reveal_view"]


def test_more_protection_may_be_asked_for_and_never_less(desk: Desk) -> None:
    """A mediation kept confidential on request; a grievance asked to be open stays confidential."""
    form: dict[str, Any] = {
        "workflow": "mediation",
        "data": {"claim": "退货", "contact": {"phone": PHONE}, "protection": "confidential"},
    }
    number = desk.client.post("/api/v1/submissions", json=form).json()["number"]
    assert desk.look("intake", f"/items/{number}").json()["data"]["protection"] == "confidential"
    assert post(desk, "intake", number, reason=WHY).json()["status"] == "asked"
    weaker = desk.submit(protection="open")["number"]
    assert desk.look("intake", f"/items/{weaker}").json()["data"]["protection"] == "confidential"
    form["data"]["protection"] = "secret"
    assert desk.client.post("/api/v1/submissions", json=form).status_code == 422


def test_anonymous_means_that_nothing_is_taken(desk: Desk) -> None:
    """A contact beside the wish is refused with a sentence; without one only the code is kept."""
    data = {**GRIEVANCE, "protection": "anonymous"}
    refused = desk.client.post("/api/v1/submissions", json={"workflow": "grievance", "data": data})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/data/contact"
    assert PHONE not in refused.text
    del data["contact"]
    answer = desk.client.post("/api/v1/submissions", json={"workflow": "grievance", "data": data})
    number = answer.json()["number"]
    assert desk.one("SELECT count(*) FROM vault.trace") == 0
    assert post(desk, "intake", number, reason=WHY).status_code == 409
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    late = desk.send(
        "intake",
        f"/items/{number}/transitions/register",
        {"data": {"contact": {"phone": PHONE}}},
        If_Match=f'"{revision}"',
    )
    assert late.status_code == 422
    desk.move("intake", number, "register")
    desk.move("unit_head", number, "accept", ACCEPTANCE)


def test_somebody_barred_meanwhile_neither_grants_nor_sees(desk: Desk) -> None:
    """An asker who turns out to be accused loses what was granted; the schema says the same."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    post(desk, "liaison", number, f"/{reveal}/grant", reason=BECAUSE)
    with psycopg.connect(desk.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
            " SELECT i.id, i.family_id, p.id, 'subject', 'accused', now() FROM item i, person p"
            " WHERE i.number = %s AND p.account = 'intake'",
            [number],
        )
        assert desk.look("intake", f"/items/{number}/reveals/{reveal}").status_code == 404
        with pytest.raises(psycopg.errors.RestrictViolation, match="barred"):
            connection.execute(
                "INSERT INTO vault.reveal (id, item_id, fields, protection, requester_id, status,"
                " asked_at, lapses_at) SELECT gen_random_uuid(), i.id, '{contact}', 'confidential',"
                " p.id, 'asked', now(), now() FROM item i, person p"
                " WHERE i.number = %s AND p.account = 'intake'",
                [number],
            )


def test_a_grant_that_only_the_row_tells_shows_nothing(desk: Desk) -> None:
    """Somebody with the database and a handler's login: without the second person's event the
    vault stays shut.
    """
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    with psycopg.connect(desk.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE vault.reveal SET status = 'granted', decided_at = now(),"
            " shown_until = now() + interval '10 minutes',"
            " approver_id = (SELECT id FROM person WHERE account = 'liaison')"
        )
    seen = desk.look("intake", f"/items/{number}/reveals/{reveal}").json()
    assert seen["data"] is None
    assert acts(desk, number) == ["reveal_request"]


def test_a_view_that_nothing_granted_does_not_verify(desk: Desk) -> None:
    """Who granted the sight of an identity cannot be struck from the journal unseen."""
    number = desk.submit()["number"]
    reveal = asked(desk, number)
    post(desk, "liaison", number, f"/{reveal}/grant", reason=BECAUSE)
    assert desk.look("intake", f"/items/{number}/reveals/{reveal}").json()["data"]

    def found() -> list[str]:
        with desk.app.state.counter.database.transaction() as session:
            stand_for(session, SYS)
            rules = Derivation(session, desk.app.state.counter.casework.catalog)
            last = last_item(session)
            return [*rules.examine(session, chains_of(session, 0, last), 0, last)]

    assert found() == []
    with psycopg.connect(desk.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE event SET act = 'note' WHERE act = 'reveal_grant'")
    assert any("no event before grants" in fault for fault in found())
