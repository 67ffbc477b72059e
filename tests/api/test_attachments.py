"""Files given to items: by whom, kept how, had again how."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from PIL import Image

from engine.attachments import erase_attachments
from engine.database import execute
from engine.depot import Arrival, shelve, sweep_strays
from engine.journal import verify

if TYPE_CHECKING:
    from pathlib import Path

    from httpx import Response

    from engine.settings import Settings
    from tests.api.conftest import Desk

CANARY = "GPS-CANARY-34.0357N"
PLAIN = ("说明.txt", "窗口收费不开票据。".encode(), "text/plain")


def photo(**more: Any) -> bytes:
    """A picture with words in its metadata."""
    exif = Image.Exif()
    exif[0x010E] = CANARY
    file = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert("RGB").save(file, "JPEG", exif=exif, **more)
    return file.getvalue()


def give(
    desk: Desk, account: str, number: str, *files: tuple[str, bytes, str], **fields: str
) -> Response:
    """Add files as a member of staff."""
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    answer: Response = desk.client.post(
        f"/api/v1/items/{number}/attachments",
        data=fields,
        files=[("file", each) for each in files],
        headers=desk.headers(account, If_Match=f'"{revision}"'),
    )
    return answer


@pytest.fixture
def number(desk: Desk) -> str:
    """A grievance that waits for the intake desk."""
    return desk.submit()["number"]


def left(settings: Settings) -> list[Path]:
    """The objects of the store."""
    return sorted((settings.home / "attachments").iterdir())


def test_a_file_given_can_be_had_again(desk: Desk, number: str, settings: Settings) -> None:
    """Bytes, name and type come back; the store holds neither the bytes nor the name."""
    answer = give(desk, "intake", number, PLAIN, title="情况说明")
    assert answer.status_code == 201, answer.text
    (made,) = answer.json()["items"]
    assert made["sha256"] == hashlib.sha256(PLAIN[1]).hexdigest()
    assert made["scan"] == "not_scanned"
    (shown,) = desk.look("intake", f"/items/{number}/attachments").json()["items"]
    assert (shown["name"], shown["title"]) == ("\u2068说明.txt\u2069", "情况说明")
    had = desk.look("intake", f"/items/{number}/attachments/{made['id']}")
    assert had.content == PLAIN[1]
    (kept,) = left(settings)
    assert PLAIN[1] not in kept.read_bytes()
    assert desk.one("SELECT count(*) FROM stray_file") == 0


def test_staff_see_a_copy_without_metadata(desk: Desk, number: str) -> None:
    """What a camera wrote is not in the copy; the original is had for a reason, and that is told."""
    (made,) = give(desk, "intake", number, ("照片.jpg", photo(), "image/jpeg")).json()["items"]
    place = f"/items/{number}/attachments/{made['id']}"
    copy = desk.look("intake", place)
    assert CANARY.encode() not in copy.content
    assert Image.open(io.BytesIO(copy.content)).size == (64, 48)
    revision = f'"{desk.look("intake", f"/items/{number}").json()["revision"]}"'
    wanted = desk.send("intake", f"{place}/original", {"reason": "核对地点"}, If_Match=revision)
    assert CANARY.encode() in wanted.content
    last = desk.look("intake", f"/items/{number}/events").json()["items"][-1]
    assert (last["act"], last["data"]) == ("attachment", {"id": made["id"], "opened": "original"})
    assert last["personal"] == {"note": "核对地点"}


def entered(desk: Desk, receipt: dict[str, str]) -> dict[str, str]:
    """The headers of the petitioner's session."""
    token = desk.client.post("/api/v1/portal/sessions", json=receipt).json()["token"]
    desk.client.cookies.clear()
    return {"Authorization": f"Bearer {token}"}


def bring(desk: Desk, headers: dict[str, str], *files: tuple[str, bytes, str]) -> Response:
    """Add files as the petitioner."""
    answer: Response = desk.client.post(
        "/api/v1/portal/attachments", files=[("file", each) for each in files], headers=headers
    )
    return answer


def test_a_petitioner_gives_and_has_again_what_is_theirs(desk: Desk) -> None:
    """Their own files and what the office released, nothing else; the holder is told of theirs."""
    receipt = desk.submit()
    number = receipt["number"]
    told = desk.one("SELECT count(*) FROM message")
    mine = entered(desk, receipt)
    answer = bring(desk, mine, ("欧阳某的照片.jpg", photo(), "image/jpeg"))
    assert answer.status_code == 201, answer.text
    assert desk.one("SELECT count(*) FROM message WHERE text = 'attachment_received'") > 0
    assert desk.one("SELECT count(*) FROM message") > told
    give(desk, "intake", number, ("内部.txt", b"inside", "text/plain"), note="不外传")
    give(desk, "intake", number, ("告知.txt", b"outside", "text/plain"), to_public="true")
    shown = desk.client.get("/api/v1/portal/attachments", headers=mine).json()["items"]
    assert [(each["name"], each["by"]) for each in shown] == [
        ("\u2068欧阳某的照片.jpg\u2069", "public"),
        ("\u2068告知.txt\u2069", "staff"),
    ]
    everything = desk.look("intake", f"/items/{number}/attachments").json()["items"]
    had = [
        desk.client.get(f"/api/v1/portal/attachments/{each['id']}", headers=mine).status_code
        for each in everything
    ]
    assert had == [200, 404, 200]
    other = entered(desk, desk.submit())
    for each in everything:
        place = f"/api/v1/portal/attachments/{each['id']}"
        assert desk.client.get(place, headers=other).status_code == 404


def test_what_a_petitioner_calls_a_file_is_kept_from_staff(desk: Desk) -> None:
    """People name files after themselves: the name is in no answer to staff, no event, no table."""
    receipt = desk.submit()
    number = receipt["number"]
    given = bring(desk, entered(desk, receipt), ("欧阳不愿具名.txt", b"text", "text/plain"))
    assert "欧阳" not in given.text
    (made,) = given.json()["items"]
    for path in ("", "/attachments", "/events", f"/attachments/{made['id']}"):
        answer = desk.look("intake", f"/items/{number}{path}")
        assert answer.status_code == 200
        assert "欧阳" not in answer.text
        assert "%E6%AC%A7" not in str(answer.headers)
    (line,) = desk.look("intake", f"/items/{number}/attachments").json()["items"]
    assert line["name"] == f"\u2068附件{made['seq']}.txt\u2069"
    dump = desk.one("SELECT string_agg(a::text, '') FROM attachment a")
    assert "欧阳" not in dump


def test_only_who_works_on_an_item_has_its_files(desk: Desk, number: str) -> None:
    """Who supervises or audits sees that there are files, without their names, and opens none; who
    must not know of the item is told it is not there.
    """
    (made,) = give(desk, "intake", number, PLAIN).json()["items"]
    place = f"/items/{number}/attachments"
    (line,) = desk.look("auditor", place).json()["items"]
    assert (line["id"], line["name"], line["title"]) == (made["id"], None, None)
    for account, status in (("auditor", 403), ("branch1_head", 404), ("handler1", 403)):
        revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
        answers = (
            desk.look(account, f"{place}/{made['id']}"),
            give(desk, account, number, PLAIN),
            desk.send(
                account, f"{place}/{made['id']}/original", {"reason": "x"}, If_Match=f'"{revision}"'
            ),
        )
        assert {answer.status_code for answer in answers} == {status}, account
    unknown = desk.look("branch1_head", "/items/执诉2026-0000000000/attachments")
    hidden = desk.look("branch1_head", place)
    assert (hidden.status_code, hidden.json()["detail"]) == (404, unknown.json()["detail"])


def test_a_file_is_served_from_a_sandbox(desk: Desk, number: str) -> None:
    """A download, whatever it is: fixed type, no sniffing, no scripts, not kept, no ranges; its name
    is encoded and its reading direction its own.
    """
    name = '报告\u202egpj."; x=<b>\r\nSet-Cookie: a.txt'
    (made,) = give(desk, "intake", number, (name, b"text", "text/plain")).json()["items"]
    place = f"/items/{number}/attachments/{made['id']}"
    had = desk.client.get(
        f"/api/v1{place}", headers={**desk.headers("intake"), "Range": "bytes=0-1", "Accept": "a/b"}
    )
    assert (had.status_code, had.content) == (200, b"text")
    assert had.headers["content-type"].partition(";")[0] == "text/plain"
    assert had.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert had.headers["x-content-type-options"] == "nosniff"
    assert had.headers["cache-control"] == "no-store"
    disposition = had.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="')
    assert "set-cookie" not in had.headers
    assert disposition.isascii()
    assert "%E2%80%AE" not in disposition


def test_every_write_names_the_revision_and_has_one_effect(
    desk: Desk, number: str, settings: Settings
) -> None:
    """Without If-Match 428, with an old one 412; the same request under one key is one attachment
    even with another boundary, and another file under that key is refused.
    """
    place = f"/api/v1/items/{number}/attachments"
    files = [("file", PLAIN)]
    bare = desk.client.post(place, files=files, headers=desk.headers("intake"))
    assert bare.status_code == 428
    old = desk.client.post(place, files=files, headers=desk.headers("intake", If_Match='"9"'))
    assert old.status_code == 412
    keyed = desk.headers("intake", If_Match='"1"', Idempotency_Key="a")
    first, again = (desk.client.post(place, files=files, headers=keyed) for _ in range(2))
    assert (first.status_code, first.content) == (201, again.content)
    other = desk.client.post(place, files=[("file", ("b.txt", b"b", "text/plain"))], headers=keyed)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-conflict")
    assert desk.one("SELECT count(*) FROM attachment") == 1
    assert len(left(settings)) == 1
    assert "说明" not in desk.one("SELECT convert_from(body, 'UTF8') FROM answer WHERE key = 'a'")


def test_what_is_suspicious_is_had_with_a_warning(desk: Desk, number: str) -> None:
    """A paper with a script is kept and flagged; it is downloaded by who says they know."""
    paper = ("a.pdf", b"%PDF-1.5\n/S/JavaScript/JS(x)\n%%EOF\n", "application/pdf")
    (made,) = give(desk, "intake", number, paper).json()["items"]
    assert made["flags"] == ["script"]
    place = f"/items/{number}/attachments/{made['id']}"
    refused = desk.look("intake", place)
    assert (refused.status_code, refused.json()["flags"]) == (409, ["script"])
    assert desk.look("intake", place, warned="true").content == paper[1]


def test_an_event_tells_all_but_the_name(desk: Desk, number: str) -> None:
    """Id, kind, size and digest are in the journal; name and key are in the vault; the record holds."""
    (made,) = give(desk, "intake", number, PLAIN).json()["items"]
    last = desk.look("intake", f"/items/{number}/events").json()["items"][-1]
    assert (last["act"], last["role"], last["actor"]) == ("attachment", "intake", "intake")
    assert {name: last["data"][name] for name in ("id", "kind", "sha256", "size")} == {
        name: made[name] for name in ("id", "kind", "sha256", "size")
    }
    assert last["personal"] == {}
    assert last["commitment"]
    (line,) = desk.look("intake", f"/items/{number}").json()["attachments"]
    assert line["id"] == made["id"]
    with desk.worker.transaction() as session:
        assert verify(session)[1] == []


def test_erasing_leaves_the_event_and_nothing_else(
    desk: Desk, number: str, settings: Settings
) -> None:
    """Erased files are gone from the store with the next sweep; they are refused in words, for good."""
    picture = ("a.jpg", photo(), "image/jpeg")
    (made,) = give(desk, "intake", number, picture).json()["items"]
    assert len(left(settings)) == 2
    item = desk.one("SELECT id FROM item WHERE number = %s", number)
    with desk.worker.transaction() as session:
        assert erase_attachments(session, item) == 1
    assert sweep_strays(desk.worker, desk.app.state.counter.depot.store) == 2
    assert left(settings) == []
    gone = desk.look("intake", f"/items/{number}/attachments/{made['id']}")
    assert gone.status_code == 409
    (line,) = desk.look("intake", f"/items/{number}/attachments").json()["items"]
    assert (line["erased"], line["name"]) == (True, None)
    with desk.worker.transaction() as session:
        assert erase_attachments(session, item) == 0


def test_without_its_key_an_object_is_noise(desk: Desk, number: str, settings: Settings) -> None:
    """An object that was swapped for another is not served: no key opens it but its own."""
    made = [give(desk, "intake", number, PLAIN).json()["items"][0] for _ in range(2)]
    first, second = left(settings)
    place = f"/items/{number}/attachments"
    one, other = first.read_bytes(), second.read_bytes()
    assert one != other
    for path, content in ((first, other), (second, one)):
        path.chmod(0o600)
        path.write_bytes(content)
    for each in made:
        fault = desk.look("intake", f"{place}/{each['id']}")
        assert (fault.status_code, fault.json()["type"]) == (500, "/problems/seal-broken")


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE attachment SET sha256 = sha256(''::bytea)",
        "UPDATE attachment SET size = size + 1",
        "UPDATE attachment SET to_public = true",
        "UPDATE attachment SET scan = 'infected'; UPDATE attachment SET scan = 'scanned'",
        "DELETE FROM attachment",
        "TRUNCATE attachment",
    ],
)
def test_the_schema_keeps_evidence(desk: Desk, number: str, edit: str) -> None:
    """Whoever writes by hand, the owner too, may neither change nor remove what was given."""
    give(desk, "intake", number, PLAIN)
    with (
        psycopg.connect(desk.url) as connection,
        pytest.raises(psycopg.errors.RestrictViolation),
    ):
        connection.execute(edit.encode())


def test_what_was_left_over_is_swept(desk: Desk, number: str, settings: Settings) -> None:
    """An upload that dies between store and database leaves a noted object: kept for an hour, as it
    may still be on its way, then removed; what an attachment names is never touched.
    """
    give(desk, "intake", number, PLAIN)
    counter = desk.app.state.counter
    with counter.depot.new_file() as file:
        file.write(b"left over")
        arrival = Arrival(file, "a.txt", "text/plain", size=9)
        shelve(counter.database, counter.depot, [arrival])
    assert len(left(settings)) == 2
    assert sweep_strays(desk.worker, counter.depot.store) == 0
    (settings.home / "attachments" / f"{arrival.original}#1").write_bytes(b"half")
    with desk.worker.transaction() as session:
        execute(session, "UPDATE stray_file SET due_at = now()")
    assert sweep_strays(desk.worker, counter.depot.store) == 1
    assert len(left(settings)) == 1
    assert desk.one("SELECT count(*) FROM stray_file") == 0


def test_a_closed_item_takes_no_more_files(desk: Desk) -> None:
    """A petitioner who withdrew is told so, rather than giving files that nobody would look at."""
    receipt = desk.submit()
    mine = entered(desk, receipt)
    desk.client.post(
        "/api/v1/portal/transitions/withdraw",
        json={"data": {"voluntary_statement": "本人自愿撤回。"}},
        headers=mine,
    )
    assert desk.one("SELECT closed_at FROM item WHERE number = %s", receipt["number"])
    refused = bring(desk, mine, PLAIN)
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "/problems/transition-not-available",
    )
