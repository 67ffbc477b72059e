from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.errors import DeliveryError, Undeliverable
from engine.leases import (
    lag,
)
from engine.outbox import PLACEHOLDERS, Delivered, deliver, render
from engine.reading import Text
from tests.posting import PAYLOAD, TEXTS, Office, Recorder, refusal

if TYPE_CHECKING:
    from engine.database import Database
    from engine.outbox import Parcel


def test_somebody_barred_meanwhile_is_not_told(database: Database, office: Office) -> None:
    """Naming the accused withdraws what is still queued for them, and nobody else's."""
    item = office.item()
    accused, recused, free = (office.person() for _ in range(3))
    told = [office.message(item, recipient_id=person) for person in (accused, recused, free)]
    office.bar(accused, item, "accused")
    office.bar(recused, item, "recused")
    out = Recorder()
    assert deliver(database, {"mail": out}, TEXTS) == Delivered(1, 0, 0)
    assert [office.row(message)["status"] for message in told] == ["withdrawn", "withdrawn", "sent"]
    assert [parcel.number for parcel in out.sent] == [f"诉2026-{item:010}"]


def test_a_message_is_dead_after_its_ninth_failure(database: Database, office: Office) -> None:
    """And stands there to be seen; it is never tried again."""
    message = office.message(recipient_id=office.person())
    out = Recorder(answer=refusal())
    for _ in range(8):
        assert deliver(database, {"mail": out}, TEXTS) == Delivered(0, 1, 0)
        office.hasten()
    assert deliver(database, {"mail": out}, TEXTS) == Delivered(0, 0, 1)
    row = office.row(message)
    assert (row["status"], row["attempts"], row["last_result"]) == ("dead", 9, "450")
    assert deliver(database, {"mail": out}, TEXTS) == Delivered(0, 0, 0)


# --- deliver ----------------------------------------------------------------------------------


def test_a_parcel_says_what_the_text_says_and_keeps_its_id(
    database: Database, office: Office
) -> None:
    """The second try has the same id; the address is the recipient's."""
    message = office.message(recipient_id=office.person("a@office.example"))
    seen: list[Parcel] = []

    def answer(parcel: Parcel) -> None:
        seen.append(parcel)
        if parcel.attempt == 1:
            raise DeliveryError("timeout")

    out = Recorder(answer=answer)
    deliver(database, {"mail": out}, TEXTS)
    office.hasten()
    assert deliver(database, {"mail": out}, TEXTS) == Delivered(1, 0, 0)
    assert [(parcel.id, parcel.attempt) for parcel in seen] == [(message, 1), (message, 2)]
    assert seen[0].address == "a@office.example"
    assert seen[0].title == f"催办 {PAYLOAD['number']} Reminder {PAYLOAD['number']}"
    assert seen[0].body == ("信访应于2026-12-01前办结。\n\n信访 is due on 2026-12-01.\n")
    assert "a@office.example" not in repr(seen[0])
    row = office.row(message)
    assert (row["status"], row["attempts"], row["crashes"]) == ("sent", 2, 0)
    assert row["sent_at"] is not None


def test_a_fault_in_one_message_stops_only_its_thread(database: Database, office: Office) -> None:
    """A text that is missing, an address that is missing, an error nobody thought of."""
    ids = [
        office.message(1, recipient_id=office.person(), text="missing"),
        office.message(2, recipient_id=office.person(None)),
        office.message(3, recipient_id=office.person("bug@office.example")),
        office.message(4, recipient_id=office.person()),
    ]

    def answer(parcel: Parcel) -> None:
        if parcel.address.startswith("bug"):
            raise ZeroDivisionError(parcel.address)

    assert deliver(database, {"mail": Recorder(answer=answer)}, TEXTS) == Delivered(1, 1, 2)
    rows = [office.row(message) for message in ids]
    assert [row["status"] for row in rows] == ["dead", "dead", "ready", "sent"]
    assert rows[2]["last_result"] == "ZeroDivisionError", "an error's words may hold an address"


def test_a_slow_party_delays_only_its_own(database: Database, office: Office) -> None:
    """While one endpoint hangs, the other has its messages, also from a second deliverer."""
    slow, quick = office.endpoint("https://slow.example"), office.endpoint("https://quick.example")
    for item in range(1, 6):
        office.message(item, channel="webhook", endpoint_id=slow, wait=-9)
        office.message(item, channel="webhook", endpoint_id=quick)
    gate = threading.Event()
    hanging = threading.Event()
    tried: list[Parcel] = []

    def answer(parcel: Parcel) -> None:
        if "slow" in parcel.address:
            tried.append(parcel)
            hanging.set()
            assert gate.wait(20)
            raise DeliveryError("timeout", away=True)

    out = Recorder("webhook", answer)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(deliver, database, {"webhook": out}, TEXTS, limit=1)
        assert hanging.wait(10)
        until = time.monotonic() + 10
        while office.statuses().get("sent", 0) < 5 and time.monotonic() < until:
            time.sleep(0.01)
        last = office.message(7, channel="webhook", endpoint_id=quick)
        while office.row(last)["status"] != "sent" and time.monotonic() < until:
            deliver(database, {"webhook": out}, TEXTS)
        sent_meanwhile = len(out.sent)
        assert len(tried) == 1, "a second deliverer does not hang on the same party"
        gate.set()
        assert first.result(20).retried == 1
    assert sent_meanwhile == 6
    attempts = Counter(
        row["attempts"]
        for row in office.connection.execute(
            "SELECT attempts FROM message WHERE endpoint_id = %s", [slow]
        )
    )
    assert attempts == {0: 4, 1: 1}, "the party was away: the rest was not tried"
    assert office.statuses() == {"sent": 6, "ready": 5}


def test_a_party_that_asked_us_to_wait_is_left_alone(database: Database, office: Office) -> None:
    """Retry-After holds for the endpoint, not only for the message that met it."""
    end = office.endpoint("https://busy.example")
    for item in (1, 2):
        office.message(item, channel="webhook", endpoint_id=end)
    out = Recorder("webhook", refusal("HTTP 429", away=True, retry_after=60))
    assert deliver(database, {"webhook": out}, TEXTS) == Delivered(0, 1, 0)
    assert deliver(database, {"webhook": out}, TEXTS) == Delivered(0, 0, 0)
    office.hasten()
    out.answer = lambda _: None
    assert deliver(database, {"webhook": out}, TEXTS) == Delivered(2, 0, 0)


def test_an_endpoint_that_is_gone_is_switched_off(database: Database, office: Office) -> None:
    """What was for it is dead, to be seen by the supervisors, and nothing is sent there again."""
    end = office.endpoint("https://gone.example")
    for item in (1, 2, 3):
        office.message(item, channel="webhook", endpoint_id=end)
    calls: list[Parcel] = []

    def answer(parcel: Parcel) -> None:
        calls.append(parcel)
        raise Undeliverable("HTTP 410", gone=True)

    out = Recorder("webhook", answer)
    assert deliver(database, {"webhook": out}, TEXTS, limit=1) == Delivered(0, 0, 3)
    assert len(calls) == 1
    assert office.one("SELECT active FROM endpoint WHERE id = %s", end) is False


def test_a_channel_nobody_serves_keeps_its_messages_and_shows(
    database: Database, office: Office
) -> None:
    """A message for a party this installation does not know waits, and /readyz sees it age."""
    office.message(recipient_id=office.person(), channel="telegraph", wait=-100)
    office.message(2, recipient_id=office.person(), wait=50)
    assert deliver(database, {"mail": Recorder()}, TEXTS) == Delivered(0, 0, 0)
    with database.transaction() as session:
        behind = lag(session)
    assert 100 <= behind.oldest < 130
    assert (behind.due, behind.waiting, behind.leased) == (1, 1, 0)


def test_an_office_without_messages_is_not_behind(database: Database, office: Office) -> None:
    """Nothing due, no age; a message held back by its thread is not late by itself."""
    person = office.person()
    office.message(seq=1, recipient_id=person, wait=60)
    office.message(seq=2, recipient_id=person, wait=-500)
    with database.transaction() as session:
        assert lag(session).oldest == 0.0


def test_given_a_moment_delivery_lives_by_it(database: Database, office: Office) -> None:
    """`now` is the office's clock for due times and for the next try."""
    message = office.message(recipient_id=office.person(), wait=3600)
    now = office.row(message)["not_before"] + timedelta(seconds=1)
    out = Recorder(answer=refusal())
    assert deliver(database, {"mail": out}, TEXTS) == Delivered(0, 0, 0)
    assert deliver(database, {"mail": out}, TEXTS, now) == Delivered(0, 1, 0)
    assert timedelta(seconds=5) <= office.row(message)["not_before"] - now < timedelta(seconds=6)


# --- texts ------------------------------------------------------------------------------------


def test_nothing_but_the_placeholders_enters_a_message() -> None:
    """A payload with more in it (a name, by mistake) cannot get out through a text."""
    text = Text(title="{number}", body="{act}", title_en="x", body_en="y")
    assert render(text, {"number": "n", "act": None, "name": "某"}) == ("n x", "\n\ny\n")
    for stray in ("{name}", "{number.__class__}", "{number!r}", "{number:>9999}", "{}", "{0}"):
        with pytest.raises(Undeliverable):
            render(text.model_copy(update={"body": stray}), {"name": "某"})
    assert len(PLACEHOLDERS) == len(set(PLACEHOLDERS)) == 8
