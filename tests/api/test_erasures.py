"""Erasing over HTTP: who may, what disappears at once, and what is gone in the end, files too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine import erasures
from tests.api.conftest import NAME, PHONE, SECRET_WORDS
from tests.api.test_attachments import PLAIN, give

if TYPE_CHECKING:
    from httpx import Response

    from tests.api.conftest import Desk


def post(desk: Desk, account: str, number: str, path: str, **body: Any) -> Response:
    """A write on an item as it stands."""
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    return desk.send(account, f"/items/{number}/{path}", body, If_Match=f'"{revision}"')


def test_a_closed_item_is_restricted_then_shredded_with_its_files(desk: Desk) -> None:
    """The auditor's page still tells what happened; of the person nothing is left anywhere."""
    receipt = desk.submit()
    number = receipt["number"]
    assert give(desk, "intake", number, PLAIN).status_code == 201
    restrict = {"step": "restrict", "reason": "当事人书面申请"}
    assert post(desk, "liaison", number, "erasures", **restrict).status_code == 409, "still open"
    act = {**receipt, "transition": "withdraw", "data": {"voluntary_statement": "自愿"}}
    assert desk.client.post("/api/v1/submissions/act", json=act).status_code == 200
    assert post(desk, "intake", number, "erasures", **restrict).status_code == 403
    held = {"held": True, "reason": "诉讼保全"}
    assert post(desk, "law_hub", number, "legal-holds", **held).json()["held"] is True
    assert post(desk, "liaison", number, "erasures", **restrict).status_code == 409, "held"
    post(desk, "law_hub", number, "legal-holds", **held | {"held": False})
    done = post(desk, "liaison", number, "erasures", **restrict)
    assert done.json()["step"] == "restricted", done.text
    for account in ("intake", "auditor", "liaison"):
        for rest in ("", "/events", "/attachments"):
            seen = desk.look(account, f"/items/{number}{rest}")
            assert seen.status_code == 200, seen.text
            for secret in (SECRET_WORDS, NAME, PHONE, PLAIN[0]):
                assert secret not in seen.text
    ask = post(desk, "intake", number, "reveals", reason="核实")
    assert ask.status_code in {403, 409}
    counter = desk.app.state.counter
    later = datetime.now(UTC) + timedelta(days=45)
    assert erasures.sweep(counter.database, counter.casework, later) == (0, 1, 0)
    assert desk.look("auditor", f"/items/{number}/erasures").json()["step"] == "shredded"
    for table in ("vault.payload", "vault.data_key", "vault.trace"):
        assert desk.one(f"SELECT count(*) FROM {table}") == 0
    assert desk.one("SELECT count(*) FROM attachment WHERE erased_at IS NULL") == 0
    assert desk.one("SELECT count(*) FROM answer WHERE principal LIKE 'item:%%'") == 0
    assert desk.look("auditor", f"/items/{number}").json()["state"] == "withdrawn"
