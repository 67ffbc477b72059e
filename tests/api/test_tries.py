"""Guessing codes and flooding the door: a growing delay, a proof of work, and nobody locked out."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import altcha
import pytest
from starlette.testclient import TestClient

from adapters import sample
from adapters.worker import _OLD_VISITS
from api.main import create_app
from engine import codes, tries
from engine.database import Database, execute
from tests.api.conftest import GRIEVANCE, HERE, Desk
from tests.api.test_portal import API, enter, everything

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpx import Response

    from engine.settings import Settings

SAME = {"X-Request-ID": "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"}
SUBMISSION = {"workflow": "grievance", "data": GRIEVANCE}
UNKNOWN = "执诉2026-0000000000"


def track(desk: Desk, number: str, code: str, **more: str) -> Response:
    """Number and code, tried."""
    form = {"number": number, "code": code, **more}
    answer: Response = desk.client.post(f"{API}/submissions/track", json=form, headers=SAME)
    return answer


def later(desk: Desk, seconds: float) -> None:
    """As if that much time had passed since the last try."""
    moved = f"tried_at = tried_at - interval '{seconds} seconds'"
    began = f"began_at = began_at - interval '{seconds} seconds'"
    desk.one(f"UPDATE portal_try SET {moved}, {began} RETURNING true")


def solve(desk: Desk) -> str:
    """A challenge of the portal, solved as the widget does."""
    given = altcha.Challenge.from_dict(desk.client.get(f"{API}/portal/challenge").json())
    solution = altcha.solve_challenge(given)
    assert solution is not None
    return altcha.Payload(given, solution).to_base64()


def waits(desk: Desk, number: str, code: str, tried: int) -> list[tuple[int, str | None]]:
    """Status and Retry-After of so many tries, each as soon as it is allowed."""
    found: list[tuple[int, str | None]] = []
    while len(found) < tried:
        answer = track(desk, number, code)
        wait = answer.headers.get("retry-after")
        found.append((answer.status_code, wait))
        if wait is not None:
            later(desk, int(wait))
            tried += 1
    return found


def test_the_delay_grows_to_a_minute_for_a_number_there_or_not(desk: Desk) -> None:
    """Three wrong codes are free; then 1, 2, 4, ... 60 seconds, and never more."""
    number = desk.submit()["number"]
    known = waits(desk, number, "0" * 16, 11)
    assert [wait for status, wait in known if status == 429] == [
        *("1", "2", "4", "8", "16", "32", "60", "60")
    ]
    assert [status for status, _ in known[:3]] == [404, 404, 404]
    assert known == waits(desk, UNKNOWN, "0" * 16, 11)


def test_a_refusal_is_alike_for_a_number_there_or_not(desk: Desk) -> None:
    """Byte for byte, the headers too: the wait tells nothing of what was found."""
    number = desk.submit()["number"]
    answers = [[track(desk, each, "0" * 16) for _ in range(5)][-1] for each in (number, UNKNOWN)]
    assert answers[0].status_code == 429
    assert answers[0].content == answers[1].content
    assert answers[0].headers == answers[1].headers
    assert answers[0].json()["challenge"] == f"{API}/portal/challenge"


def test_the_right_code_is_taken_once_the_delay_is_over(desk: Desk) -> None:
    """Delay, not lock-out; and what was tried before is forgotten."""
    receipt = desk.submit()
    waits(desk, receipt["number"], "0" * 16, 8)
    refused = track(desk, **receipt)
    assert refused.status_code == 429
    later(desk, int(refused.headers["retry-after"]))
    assert track(desk, **receipt).status_code == 200
    assert [track(desk, receipt["number"], "0" * 16).status_code for _ in range(3)] == [404] * 3


def test_while_it_waits_no_code_is_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal costs no hash, so a flood of guesses costs the office nothing."""
    receipt = desk.submit()
    waits(desk, receipt["number"], "0" * 16, 5)
    monkeypatch.delattr(codes, "_HASHER")
    assert track(desk, **receipt).status_code == 429


def test_all_ways_in_share_one_count(desk: Desk) -> None:
    """Guessing by turns at track, act and the session is guessing; so is writing digits wide."""
    number = desk.submit()["number"]
    form = {"number": number, "code": "0" * 16}
    wide = number.translate({ord("0") + n: ord("０") + n for n in range(10)})
    statuses = [
        desk.client.post(f"{API}{path}", json=body).status_code
        for path, body in (
            ("/submissions/track", form),
            ("/submissions/act", {**form, "transition": "withdraw"}),
            ("/portal/sessions", {**form, "number": wide}),
            ("/portal/sessions", form),
        )
    ]
    assert statuses == [404, 404, 404, 429]


def test_whoever_proves_work_waits_a_second_at_most(desk: Desk) -> None:
    """So a guesser who keeps a number waiting does not keep its owner out."""
    receipt = desk.submit()
    waits(desk, receipt["number"], "0" * 16, 9)
    later(desk, 1)
    assert track(desk, **receipt).headers["retry-after"] == "59"
    assert track(desk, **receipt, altcha=solve(desk)).status_code == 200


def test_a_proof_is_taken_once(desk: Desk) -> None:
    """A second time it is refused with where to get another, wherever it is shown."""
    receipt = desk.submit()
    proof = solve(desk)
    assert track(desk, **receipt, altcha=proof).status_code == 200
    again = [
        track(desk, **receipt, altcha=proof),
        desk.client.post(f"{API}/portal/sessions", json={**receipt, "altcha": proof}),
    ]
    for refused in again:
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/altcha"
        assert "/portal/challenge" in refused.text
        assert proof not in refused.text


def test_a_proof_that_is_forged_too_old_or_unreadable_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cheaper parameters, another key, an hour later, nonsense: 422, never a fault of ours."""
    receipt = desk.submit()
    proof = solve(desk)
    cheap = json.loads(b64decode(proof))
    cheap["challenge"]["parameters"]["cost"] = 1
    wrong = json.loads(b64decode(proof))
    wrong["solution"]["counter"] += 1
    made: tuple[Any, ...] = (cheap, wrong, [], {})
    forged = [b64encode(json.dumps(each).encode()).decode() for each in made]
    for altered in (*forged, "eyJ9", "====", "A" * 4000):
        assert track(desk, **receipt, altcha=altered).status_code == 422, altered[:40]
    now = time()
    monkeypatch.setattr("altcha.v2.time.time", lambda: now + 3600)
    assert track(desk, **receipt, altcha=proof).status_code == 422


@pytest.mark.committed
@pytest.mark.parametrize("proven", [False, True])
def test_eight_guessers_at_once_get_one_turn_a_second(database_url: str, *, proven: bool) -> None:
    """The rate for one number, with proofs and without: the turn is taken under a lock."""
    database = Database(database_url, 8)
    tally = tries.Marks(b"k" * 32).number(UNKNOWN)
    for _ in range(tries.FREE_OF_NUMBER):
        database.perform(lambda session: tries.fail(session, [tally]))
    ends = monotonic() + 2.5

    def guess(_: int) -> int:
        turns = 0
        while monotonic() < ends:
            turn = database.perform(lambda session: tries.wait(session, [tally], proven=proven))
            if not turn.seconds:
                turns += 1
                database.perform(lambda session: tries.fail(session, [tally]))
        return turns

    with ThreadPoolExecutor(8) as guessers:
        turns = sum(guessers.map(guess, range(8)))
    database.close()
    assert 1 <= turns <= 3


def test_a_network_that_tries_many_numbers_waits_too(desk: Desk) -> None:
    """Sixty wrong codes within an hour, each for another number, and the next one waits; a citizen
    of the same network is let in with a proof, or later without.
    """
    receipt = desk.submit()
    database = desk.app.state.counter.database
    marks = desk.app.state.counter.door.marks
    for _ in range(tries.FREE_OF_NETWORK):
        database.perform(lambda session: tries.fail(session, [marks.network("testclient")]))
    assert track(desk, **receipt).status_code == 429
    later(desk, 1)
    assert track(desk, **receipt).status_code == 200
    refused = track(desk, **receipt)
    assert refused.status_code == 429
    later(desk, 3600)
    assert track(desk, **receipt).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("testclient", "testclient", True),
    ],
)
def test_a_network_is_an_address_or_a_subscriber(first: str, second: str, *, same: bool) -> None:
    """One IPv4 address, one /64 of IPv6: what one household or office has."""
    marks = tries.Marks(b"k" * 32)
    assert (marks.network(first) == marks.network(second)) is same


def test_the_house_is_warned_of_guesses(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """At ten wrong codes for one number, and again at a hundred; the line names no number."""
    number = desk.submit()["number"]
    waits(desk, number, "0" * 16, 9)
    assert "codes.guessed" not in capsys.readouterr().err
    waits(desk, number, "0" * 16, 4)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    said = [line for line in lines if line["event"] == "codes.guessed"]
    assert [(line["count"], line["of"]) for line in said] == [(10, "number")]
    assert number not in str(lines)
    assert [count for count in range(5000) if tries.alarming(count)] == [10, 100, 1000]


def test_no_network_address_is_kept(desk: Desk) -> None:
    """What is counted is known by a keyed hash: no table holds the address, nor the number tried."""
    for _ in range(4):
        track(desk, UNKNOWN, "0" * 16)
    kept = everything(desk)
    assert desk.one("SELECT count(*) FROM portal_try") == 2
    assert "testclient" not in kept
    assert UNKNOWN not in kept


def test_what_was_tried_is_gone_within_a_day(desk: Desk) -> None:
    """The worker's tidying and the next wrong code both delete rows of two hours ago."""
    enter(desk, desk.submit())
    track(desk, UNKNOWN, "0" * 16)
    later(desk, 3 * 3600)
    track(desk, UNKNOWN + "1", "0" * 16)
    assert (
        desk.one("SELECT count(*) FROM portal_try WHERE tried_at < now() - interval '1 hour'") == 0
    )
    later(desk, 3 * 3600)
    desk.one("UPDATE spent_proof SET spent_at = now() - interval '3 hours' RETURNING true")
    desk.one("UPDATE portal_session SET expires_at = now() - interval '1 second' RETURNING true")
    with desk.app.state.counter.database.transaction() as session:
        for statement in (tries.OLD_TRIES, tries.OLD_PROOFS, _OLD_VISITS):
            execute(session, statement)
    for table in ("portal_try", "spent_proof", "portal_session"):
        assert desk.one(f"SELECT count(*) FROM {table}") == 0


@pytest.fixture
def busy(settings: Settings, database_url: str) -> Iterator[Desk]:
    """A counter that takes three submissions from a network without a proof."""
    limited = {"submissions_per_network": 3, "submissions_per_minute": 100}
    app = create_app(settings.model_copy(update={"sample": False, **limited}))
    sample.load(app.state.counter.database, app.state.counter.casework)
    with TestClient(app, HERE, raise_server_exceptions=False) as client:
        yield Desk(client, app, database_url)


def test_a_flood_of_submissions_is_asked_for_proofs_and_nothing_is_dropped(busy: Desk) -> None:
    """Every answer is 201 and the item is there, or 429 and says how to go on; a proof goes on."""
    answers = [busy.client.post(f"{API}/submissions", json=SUBMISSION) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429]
    refused = answers[-1]
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert refused.json()["challenge"] == f"{API}/portal/challenge"
    proof = solve(busy)
    proven = [
        busy.client.post(f"{API}/submissions", json={**SUBMISSION, "altcha": proof})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in proven] == [201, 422]
    later(busy, 3600)
    answers.append(busy.client.post(f"{API}/submissions", json=SUBMISSION))
    assert answers[-1].status_code == 201
    taken = [each for each in (*answers, proven[0]) if each.status_code == 201]
    numbers = {each.json()["number"] for each in taken}
    assert (
        len(numbers) == len(taken) == busy.one("SELECT count(*) FROM item WHERE parent_id IS NULL")
    )


def test_the_whole_office_has_a_limit_too(busy: Desk) -> None:
    """Whoever comes from many networks meets the office's own minute."""
    database, door = busy.app.state.counter.database, busy.app.state.counter.door
    found = [
        database.perform(
            lambda session, at=at: tries.count(
                session, door.marks.submissions(f"203.0.113.{at}", 3, 5)
            )
        )
        for at in range(7)
    ]
    assert found[:5] == [0] * 5
    assert all(0 < each <= 60 for each in found[5:])


def test_a_sample_office_knows_no_limit_unless_one_is_set(database_url: str, home: Path) -> None:
    """Scripts fill it with thousands from one address; a limit that is set holds there too."""
    settings = _sample(database_url, home)
    assert (settings.submissions_most("network"), settings.submissions_most("minute")) == (0, 0)
    stated = _sample(database_url, home, submissions_per_network=7)
    assert (stated.submissions_most("network"), stated.submissions_most("minute")) == (7, 0)
    live = settings.model_copy(update={"sample": False})
    assert (live.submissions_most("network"), live.submissions_most("minute")) == (60, 120)


def _sample(database_url: str, home: Path, **more: Any) -> Settings:
    from engine.settings import Settings

    return Settings(home=home, database_url=database_url, sample=True, **more)
