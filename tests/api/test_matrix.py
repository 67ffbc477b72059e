"""Who may do what to which item: every account times every verb times every relation to it.

The rules below are written from the plan and the contract, by hand, and know nothing of the engine:
who may know of an item, whose turn it is, who supervises. Each verb is tried in a transaction that
is undone. Whoever may not know of an item gets, at the counter, the very bytes of an unknown number.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine import reminders
from engine.errors import BanjieError, NotFound, NotPermitted
from engine.foresight import foresee_item
from engine.people import Actor
from engine.recusals import Application
from engine.views import documents, events, item_view
from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from tests.api.conftest import Desk

HIDDEN, REFUSED, LET_IN = "no such item", "not permitted", "let in"

# ---------------------------------------------------------------- the rules, in words of the office

APPROVING = {"unit_head", "deputy", "head", "party_group", "liaison"}
WATCHING = {
    "grievance": {"intake", "handler", "law_reviewer", "law_hub", "auditor", *APPROVING},
    "misconduct": APPROVING | {"audit", "discipline"},  # sealed: handlers once it is theirs
    "referral": {"liaison", "law_reviewer", "head", "party_group", "discipline"},
    "extension": {"handler", "mediator", "intake", "law_hub", "auditor", *APPROVING},
    "recusal": {"discipline", "auditor", *APPROVING},
    "revisit": {"revisitor", "law_hub", "audit", "auditor", *APPROVING},
}
"""Roles that see all items of a workflow in their units; a sealed request is for who approves it."""
SUPERVISING = {*APPROVING, "law_hub", "inspector", "discipline"}
TURN = {
    ("grievance", "screening"): {"unit_head", "intake"},
    ("grievance", "investigating"): {"handler"},
    ("misconduct", "verifying"): {"handler"},
    ("referral", "drafting"): {"liaison"},
    ("extension", "requested"): {"unit_head", "deputy", "party_group"},
    ("recusal", "asked"): {"deputy", "head", "party_group"},
    ("revisit", "assigned"): {"revisitor"},
}
"""Whose turn it is to move an item on."""
MOVES = {
    ("grievance", "screening"): {
        "ask_supplement": {"intake", "unit_head"},
        "accept": {"unit_head"},
        "reject": {"unit_head"},
        "transfer": {"intake"},
        "withdraw": set(),
        "flag_elsewhere": set(),
    },
    ("grievance", "investigating"): {
        "refuse_assignment": {"handler"},
        "open_misconduct": {"handler", "unit_head"},
        "split_consumer_part": {"handler"},
        "suspend": {"deputy"},
        "conclude": {"handler"},
        "withdraw": set(),
        "assignment_stands": set(),
    },
    ("misconduct", "verifying"): {"suspend": {"deputy"}, "report": {"handler"}},
    ("referral", "drafting"): {"submit_letter": {"liaison"}, "dispatch": {"liaison"}},
    ("extension", "requested"): {
        "grant": {"unit_head", "deputy", "party_group"},
        "refuse": {"unit_head", "deputy", "party_group"},
        "lapse": set(),
    },
    ("recusal", "asked"): {
        "grant": {"deputy", "head"},
        "refuse": {"deputy", "head"},
        "raise": {"deputy", "head", "party_group"},
        "lapse": set(),
    },
    ("revisit", "assigned"): {"attempt": {"revisitor"}},
}
"""Who makes which transition; nobody of the office makes those of the public and of the system."""
ASSIGNING = {"grievance": {"unit_head"}, "misconduct": {"head", "deputy"}}


@dataclass
class Thing:
    """An item as the office knows it: where it is, who has it, who must stay out."""

    number: str
    workflow: str
    state: str
    unit: str
    sealed: bool = False
    respondent: str | None = None
    assigned: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()  # who acted on it in a role and bears a duty
    barred: frozenset[str] = frozenset()


@dataclass
class Somebody:
    """Somebody as the office knows them."""

    account: str
    home: str
    roles: frozenset[tuple[str, str]]  # (role, unit)
    left: bool = False
    replaces: frozenset[str] = frozenset()
    stands_in: frozenset[tuple[str, str]] = field(default_factory=frozenset)


def holds(who: Somebody, roles: set[str], unit: str) -> bool:
    """Whether somebody bears one of these roles for a unit, themselves or for somebody absent."""
    return any(
        role in roles and scope in {unit, "BUR"} for role, scope in who.roles | who.stands_in
    )


def knows(who: Somebody, thing: Thing) -> bool:
    """Need to know: never the accused, the recused, the unit complained of, or who has left."""
    if who.left or who.account in thing.barred:
        return False
    if thing.respondent is not None and who.home == thing.respondent:
        return False
    if who.account in thing.own | thing.assigned or who.replaces & thing.assigned:
        return True
    watching = WATCHING[thing.workflow]
    if thing.sealed and thing.workflow in {"extension", "recusal"}:
        watching = watching & APPROVING
    return holds(who, watching, thing.unit)


def bears(who: Somebody, thing: Thing, roles: set[str]) -> bool:
    """Whether somebody acts in one of these roles: where handlers are assigned, only they do."""
    if "handler" in roles and thing.assigned:
        if who.account in thing.assigned or who.replaces & thing.assigned:
            return True
        roles = roles - {"handler"}
    return holds(who, roles, thing.unit)


def expected(who: Somebody, thing: Thing, verb: str) -> str:
    """What must come of a verb, before any question of what is given with it."""
    if not knows(who, thing):
        return HIDDEN
    place = thing.workflow, thing.state
    if verb.startswith("move "):
        return LET_IN if bears(who, thing, MOVES[place][verb[5:]]) else REFUSED
    works, supervises = bears(who, thing, TURN[place]), holds(who, SUPERVISING, thing.unit)
    allowed = {
        "declare": works or who.account in thing.assigned,
        "extend": works and who.account not in AWAY,
        "tell": works or who.account in thing.assigned or supervises,
        "urge": supervises,
        "assign": bears(who, thing, ASSIGNING.get(thing.workflow, set())),
    }  # the rest - look, journal, letters, note, recusal, foresight - whoever may know of it
    return LET_IN if allowed.get(verb, True) else REFUSED


# --------------------------------------------------------------------------- the deeds themselves

AWAY = {"law_handler"}
ALWAYS = (date(2020, 1, 1), date(2100, 1, 1))


def deeds(thing: Thing) -> Iterator[tuple[str, Callable[[Session, Casework, Actor], object]]]:
    """Every verb there is for an item, by name."""
    number = thing.number
    until = datetime.now().astimezone().date() + timedelta(days=35)
    yield "look", lambda s, c, a: item_view(s, c, a, number, personal=True)
    yield "journal", lambda s, c, a: events(s, c, a, number, after=None, limit=5)
    yield "letters", lambda s, c, a: documents(s, c, a, number, after=None, limit=5)
    yield "note", lambda s, c, a: c.note(s, number, a, "记一笔")
    yield "urge", lambda s, c, a: reminders.urge(s, c, number, a)
    yield "tell", lambda s, c, a: reminders.tell(s, c, number, a, "holder", "sealed_work")
    yield "declare", lambda s, c, a: c.declare(s, number, a)
    yield "foresight", lambda s, c, a: foresee_item(s, c, number, a, barred=["mediator"])
    asked = Application(("mediator2",), "other", "不宜办理")
    yield "recusal", lambda s, c, a: c.ask_recusal(s, number, a, asked)
    if (thing.workflow, thing.state) == ("grievance", "investigating"):
        yield "extend", lambda s, c, a: c.extend(s, number, a, "investigate", until, "材料多")
    if thing.assigned:
        people, data = ["office_handler", "office_handler2"], {"declarations_signed": True}
        yield "assign", lambda s, c, a: c.assign(s, number, a, "handler", people, data)
    for name in MOVES[thing.workflow, thing.state]:
        yield (
            f"move {name}",
            lambda s, c, a, n=name: c.advance(s, number, n, a, {}),  # type: ignore[misc]
        )


def tried(desk: Desk, actor: Actor, deed: Callable[[Session, Casework, Actor], object]) -> str:
    """What comes of a deed, undone."""
    counter = desk.app.state.counter
    came = LET_IN
    with counter.database.transaction() as session:
        try:
            deed(session, counter.casework, actor)
        except NotFound:
            came = HIDDEN
        except NotPermitted:
            came = REFUSED
        except BanjieError:
            came = LET_IN  # refused for what was given, not for who asked
        session.rollback()
    return came


def furnished(desk: Desk) -> list[Thing]:
    """A handful of items in one matter and beside it, with every relation somebody can have."""
    barred = frozenset({"branch2_handler", "squad_handler"})

    def number_of(workflow: str) -> str:
        found: str = desk.one("SELECT number FROM item WHERE workflow = %s", workflow)
        return found

    fresh = desk.submit()["number"]
    desk.move("intake", fresh, "register", {"matter": "conduct"})
    main = desk.submit()["number"]
    desk.move("intake", main, "register", {"matter": "conduct"})
    desk.move(
        "unit_head", main, "accept",
        {**ACCEPTANCE, "subject_officers_or_unknown": ["branch2_handler"]},
    )  # fmt: skip
    first = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    desk.move("unit_head", main, "assign", first)
    revision = desk.one("SELECT revision FROM item WHERE number = %s", main)
    again = {
        "role": "handler",
        "people": ["handler1", "law_handler"],
        "data": {"declarations_signed": True},
    }
    path = f"/items/{main}"
    given = desk.send("unit_head", f"{path}/assignments", again, If_Match=f'"{revision}"')
    assert given.status_code == 200, given.text
    desk.move("handler1", main, "open_misconduct", {"facts": "收钱", "category_codes": ["M07"]})
    finding = number_of("misconduct")
    people = {"handlers": ["office_handler", "office_handler2"], "declarations_signed": True}
    desk.move("head", finding, "assign", people)
    latest = {"If_Match": f'"{desk.one("SELECT revision FROM item WHERE number = %s", main)}"'}
    until = (datetime.now().astimezone().date() + timedelta(days=40)).isoformat()
    more = {"deadline": "investigate", "until": until, "reason": "材料多"}
    assert desk.send("handler1", f"{path}/extensions", more, **latest).status_code == 201
    bar = {"officer": "squad_handler", "ground": "interest", "reason": "利害关系"}
    assert desk.send("law_hub", f"{path}/recusals", bar, **latest).status_code == 201
    desk.move("deputy2", number_of("recusal"), "grant", {"decision": "同意"})
    other = {"officer": "ip_handler", "ground": "interest", "reason": "利害关系"}
    assert desk.send("law_hub", f"{path}/recusals", other, **latest).status_code == 201
    opened = desk.one("SELECT number FROM item WHERE workflow = 'recusal' AND state = 'asked'")
    sheet = {"workflow": "revisit", "data": {"case": main, "respondent": "第一分局"}}
    visit = desk.send("law_hub", "/items", sheet).json()["number"]
    clue = {"facts": "另一线索", "category_codes": ["M07"], "respondent": "第二分局"}
    other_clue = desk.send("liaison", "/items", {"workflow": "misconduct", "data": clue}).json()
    desk.move("head", other_clue["number"], "refer_directly", {"ground_urgent_or_leader": "紧急"})
    return [
        Thing(fresh, "grievance", "screening", "AUD", respondent="BR1", own=frozenset({"intake"})),
        Thing(
            main, "grievance", "investigating", "AUD", respondent="BR1", barred=barred,
            assigned=frozenset({"handler1", "law_handler"}), own=frozenset({"intake"}),
        ),
        Thing(
            finding, "misconduct", "verifying", "AUD", sealed=True, respondent="BR1",
            barred=barred, assigned=frozenset({"office_handler", "office_handler2"}),
        ),
        Thing(
            number_of("extension"), "extension", "requested", "AUD", respondent="BR1",
            barred=barred, own=frozenset({"handler1"}),
        ),
        Thing(opened, "recusal", "asked", "AUD", respondent="BR1", barred=barred),
        Thing(visit, "revisit", "assigned", "SVC", respondent="BR1", barred=barred),
        Thing(number_of("referral"), "referral", "drafting", "LAW", sealed=True, respondent="BR2"),
    ]  # fmt: skip


def everybody(desk: Desk) -> list[Somebody]:
    """The office, with one who has left and one on leave whose substitute is of another section."""
    counter = desk.app.state.counter
    run = desk.one
    run("UPDATE person SET left_on = '2026-01-01' WHERE account = 'service_handler' RETURNING 1")
    run(
        "INSERT INTO leave (person_id, first_on, last_on, substitute_id) SELECT a.id, %s, %s, b.id"
        " FROM person a, person b WHERE a.account = 'law_handler' AND b.account = 'counsellor2'"
        " RETURNING 1",
        *ALWAYS,
    )
    office = counter.database.perform(counter.casework.house).office
    codes = {unit.id: unit.code for unit in office.units.values()}
    return [
        Somebody(
            entry.account,
            codes[entry.unit_id],
            frozenset((role, codes[unit]) for role, unit in office.roles(entry.id)),
            left=entry.account == "service_handler",
            replaces=frozenset({"law_handler"}) if entry.account == "counsellor2" else frozenset(),
            stands_in=frozenset({("handler", "LAW")})
            if entry.account == "counsellor2"
            else frozenset(),
        )
        for entry in office.people.values()
    ]


def test_every_cell_is_what_the_rules_say(desk: Desk) -> None:
    """Thousands of cells: account, verb, item; none more open and none more closed than written."""
    things = furnished(desk)
    people = everybody(desk)
    counter = desk.app.state.counter
    office = counter.database.perform(counter.casework.house).office
    wrong: list[str] = []
    seen: Counter[str] = Counter()
    for thing in things:
        assert desk.one("SELECT state FROM item WHERE number = %s", thing.number) == thing.state
        verbs = list(deeds(thing))
        for who in people:
            actor = Actor("person", office.person_named(who.account))
            for verb, deed in verbs:
                wanted, came = expected(who, thing, verb), tried(desk, actor, deed)
                seen[came] += 1
                if wanted != came:
                    wrong.append(f"{who.account} {verb} {thing.workflow}: {came}, not {wanted}")
    assert not wrong, f"{len(wrong)} of {seen.total()}: {wrong[:40]}"
    assert seen.total() > 3000
    assert min(seen[each] for each in (HIDDEN, REFUSED, LET_IN)) > 300


def test_a_hidden_item_is_the_same_bytes_as_an_unknown_number(desk: Desk) -> None:
    """At the counter, for every address of an item and everybody who must stay out of it."""
    things = furnished(desk)
    people = everybody(desk)
    unknown = "执诉2026-0000000000"

    def answers(account: str, number: str) -> list[tuple[int, str, list[str]]]:
        revision = {"If_Match": '"1"'}
        path = f"/items/{number}"
        found = [desk.look(account, f"{path}{tail}") for tail in ("", "/events", "/documents")]
        bodies: dict[str, Any] = {
            "/notes": {"text": "x"},
            "/messages": {"to": "holder", "text": "sealed_work"},
            "/recusals": {"ground": "other", "reason": "x"},
            "/declarations": {},
            "/foresight": {"accused": ["head"]},
            "/assignments": {"role": "handler", "people": ["handler1"]},
            "/extensions": {"deadline": "decide", "until": "2026-12-31", "reason": "x"},
            "/transitions/register": {"data": {}},
        }
        found += [
            desk.send(account, path + tail, body, **revision) for tail, body in bodies.items()
        ]
        bulk = desk.send(account, "/stalls/bulk", {"numbers": [number], "act": "urge"})
        plain = re.sub(r"urn:uuid:[0-9a-f-]+", "", bulk.text).replace(number, "N")
        return [
            *(
                (a.status_code, re.sub(r"urn:uuid:[0-9a-f-]+", "", a.text), sorted(a.headers))
                for a in found
            ),
            (bulk.status_code, plain, sorted(bulk.headers)),
        ]

    tested = 0
    for account in ("branch1_head", "branch2_handler", "squad_handler", "handler2", "reporter"):
        nothing = answers(account, unknown)
        assert {status for status, _, _ in nothing} == {404, 200}  # a bulk answers item by item
        who = next(each for each in people if each.account == account)
        for thing in things:
            if not knows(who, thing):
                assert answers(account, thing.number) == nothing, (account, thing.workflow)
                tested += 1
    assert tested >= 20
