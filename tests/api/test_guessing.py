"""Guessing gets slower and locks nobody out (T28 for passwords, T29)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sample import PASSWORD
from engine.throttles import ACCOUNT, ACCOUNT_HERE, NETWORK, delay_of

if TYPE_CHECKING:
    from tests.api.conftest import Desk


def guess(desk: Desk, account: str = "handler1", *, right: bool = False) -> Any:
    """One try."""
    form = {"account": account, "password": PASSWORD if right else "wrong"}
    return desk.client.post("/api/v1/sessions", json=form)


def wait(desk: Desk) -> None:
    """Let the delay pass."""
    desk.one("UPDATE throttle SET not_before = now() - interval '1 second' RETURNING key")


@pytest.mark.parametrize("account", ["handler1", "nobody-here"])
def test_the_sixth_guess_in_a_row_waits(desk: Desk, account: str) -> None:
    """Five are free, then each waits twice as long; whether there is such an account cannot be told."""
    assert [guess(desk, account).status_code for _ in range(5)] == [401] * 5
    refused = guess(desk, account)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json()["type"] == "/problems/too-many"
    waits = []
    for _ in range(3):
        wait(desk)
        assert guess(desk, account).status_code == 401
        waits.append(guess(desk, account).headers["Retry-After"])
    assert waits == ["2", "4", "8"]


def test_who_waited_and_is_right_gets_in(desk: Desk) -> None:
    """It is a delay, not a lock; the right password does not jump the queue, and afterwards the count
    begins anew.
    """
    for _ in range(6):
        guess(desk)
    assert guess(desk, right=True).status_code == 429
    wait(desk)
    assert guess(desk, right=True).status_code == 201
    assert [guess(desk).status_code for _ in range(5)] == [401] * 5


def test_other_accounts_do_not_wait(desk: Desk) -> None:
    """Somebody's wrong guesses are theirs."""
    for _ in range(6):
        guess(desk)
    assert guess(desk, "handler2", right=True).status_code == 201


def test_a_proxy_not_listed_cannot_change_the_network(desk: Desk) -> None:
    """X-Forwarded-For of a stranger is not believed: a new address each time buys no new guesses."""
    for at in range(6):
        answer = desk.client.post(
            "/api/v1/sessions",
            json={"account": "handler1", "password": "wrong"},
            headers={"X-Forwarded-For": f"203.0.{at}.7"},
        )
    assert answer.status_code == 429
    assert desk.one("SELECT count(*) FROM throttle") == 3


def test_many_guesses_at_one_moment_are_heard_one_by_one(desk: Desk) -> None:
    """Once the free ones are used up, of twelve made together one is heard."""
    for _ in range(5):
        guess(desk)
    wait(desk)
    found: list[int] = []
    crowd = [
        threading.Thread(target=lambda: found.append(guess(desk).status_code)) for _ in range(12)
    ]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert sorted(found) == [401, *[429] * 11]


def test_a_day_holds_some_hundred_guesses() -> None:
    """What the delays add up to: NIST's hundred in a row take about a day."""
    seconds, guesses = 0, 0
    while seconds < 24 * 3600:
        guesses += 1
        seconds += delay_of(ACCOUNT_HERE, guesses)
    assert guesses < 115
    assert delay_of(ACCOUNT_HERE, 10**6) == 900
    assert delay_of(ACCOUNT, 10**6) == delay_of(NETWORK, 10**6) == 60


def test_rows_name_nobody_and_die_after_a_day(desk: Desk) -> None:
    """Keys are hashes; an old count is not added to, and the worker deletes it."""
    for _ in range(5):
        guess(desk)
    kept = desk.one("SELECT string_agg(encode(key, 'escape'), ' ') FROM throttle")
    assert "handler1" not in kept
    assert "127.0" not in kept
    desk.one(
        "UPDATE throttle SET failed_at = now() - interval '25 hours', not_before = now()"
        " RETURNING key"
    )
    guess(desk)
    assert desk.one("SELECT max(failures) FROM throttle") == 1
