"""Random walks through every workflow file: whatever anybody tries, the promises hold."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import journal, stalls
from engine.database import DatabaseFault
from engine.errors import BanjieError
from engine.people import PUBLIC, SYS, Actor
from tests.casebook import MONDAY, TABLES, Casebook, opened
from workflows import HERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.fieldspecs import FieldSpec

WORKFLOWS = sorted(path.stem for path in HERE.glob("*.yaml") if path.stem not in {"rules", "texts"})
STEPS = 25
DIGEST = " UNION ALL ".join(
    f"SELECT '{table}' AS name, count(*) AS n, sum(hashtextextended(t::text, 0)) AS s FROM {table} t"
    for table in TABLES
)


@pytest.fixture(scope="module")
def walked(
    _servers: dict[str, str], real_office: str, laws: Casework
) -> Iterator[tuple[Casebook, dict[str, list[Actor]]]]:
    """One office for all walks of this file, and who holds which role."""
    with opened(_servers["postgres"], real_office, laws) as book:
        office = book.do(laws.house).office
        people = {
            role: [Actor("person", office.people[person]) for person, _ in members]
            for role, members in office.members.items()
        }
        yield book, people | {"public": [PUBLIC], "sys": []}


WORDS = ("事实清楚", "请补充材料", "'; DROP TABLE item; --", "{{ 7*7 }}", "𠮷\u200b")
ANSWERS = {
    "Q1": {"chosen": [2], "follow_up": "第一分局"},
    "Q2": {"chosen": [5]},
    "Q3": {"chosen": [1]},
}
HINDRANCES = {"other", "elsewhere", "paper", "elsewhere,", "candidate", "classified,"}


def usual(spec: FieldSpec) -> bool:
    """What is signed or consented to mostly is, what hinders mostly not."""
    return not HINDRANCES & {*spec.title_en.lower().split()}


class Walk:
    """One item and its family, from a beginning through whatever is tried on them."""

    def __init__(self, book: Casebook, people: dict[str, list[Actor]], dice: Random) -> None:
        self.book, self.people, self.dice = book, people, dice
        self.casework = book.casework
        self.at = MONDAY
        self.first = self.last_id()
        self.done = 0

    def last_id(self) -> int:
        """The id of the youngest item."""
        return int(self.book.rows("SELECT coalesce(max(id), 0) AS id FROM item")[0]["id"])

    def attempt(self, deed: Any) -> Any:
        """A deed that may be refused; a refusal changes nothing and is one Banjie has a name for."""
        before = self.book.rows(DIGEST)
        found, code = None, ""
        try:
            found = self.book.do(deed)
        except DatabaseFault:
            raise
        except BanjieError as refusal:
            code = refusal.code
        assert not code or self.book.rows(DIGEST) == before, code
        self.done += not code
        return found

    def begin(self, workflow: str) -> bool:
        """Somebody who may begins an item, as the file asks for it; or the system does."""
        bound = self.casework.catalog.named(workflow)
        variant = bound.workflow.transitions["submit"][0]
        data = self.values(bound.workflow.fields, variant.requires, variant.optional)
        actor = SYS if variant.by == ("sys",) else self.somebody(variant.by)
        return bool(
            self.attempt(lambda s: self.casework.submit(s, workflow, actor, data, at=self.at))
        )

    def somebody(self, roles: Any) -> Actor:
        """Mostly somebody of these roles, sometimes anybody."""
        fitting = [actor for role in roles for actor in self.people.get(role, ())]
        everybody = [actor for actors in self.people.values() for actor in actors]
        return self.dice.choice(fitting if fitting and self.dice.random() < 0.85 else everybody)

    def values(self, fields: Any, needed: Any, optional: Any) -> dict[str, Any]:
        """Values for what is needed and some of what may be given, now and then one missing."""
        names = [*needed, *(name for name in optional if self.dice.random() < 0.4)]
        found = {name: self.value(fields[name]) for name in names if self.dice.random() < 0.97}
        if "template_version" in found:
            found["template_version"] = next(iter(self.casework.catalog.beside.questionnaires))
        return found

    def value(self, spec: FieldSpec) -> Any:
        """A value a person might give."""
        dice = self.dice
        earlier = self.at - timedelta(hours=dice.randint(0, 30))
        some: dict[str, Callable[[], Any]] = {
            "choice": lambda: dice.choice(list(spec.choices)),
            "choices": lambda: dice.sample(list(spec.choices), min(2, len(spec.choices))),
            "unit": lambda: dice.choice(["BR1", "BR2", "AUD", "LAW", "OFF", "IPR", "BUR"]),
            "person": lambda: dice.choice(self.people["handler"]).account,
            "people": lambda: self.somebody_named(spec),
            "boolean": lambda: usual(spec) if dice.random() < 0.9 else not usual(spec),
            "number": lambda: dice.randint(0, 9),
            "date": lambda: (self.at + timedelta(days=dice.randint(-3, 30))).date().isoformat(),
            "moment": earlier.isoformat,
            "contact": lambda: {"name": "柳如烟", "phone": "13900004242"},
            "records": lambda: self.records(spec),
            "units": lambda: dice.sample(["BR1", "BR2", "AUD", "LAW", "OFF", "IPR", "BUR"], k=2),
            "item": lambda: dice.choice([*self.numbers(), "许市监罚1号"]),
            "texts": lambda: ["照片", "录音"],
            "answers": lambda: dice.choice([ANSWERS, {"Q1": {"chosen": [1, 4]}}, {"Q4": "有"}]),
        }
        if "2026-09" in spec.title_en:
            return f"2026-{dice.randint(1, 3):02d}"  # none that has not begun
        if spec.title_en.startswith("Closed on"):
            return earlier.date().isoformat()
        return some.get(spec.type, lambda: dice.choice(WORDS))()

    def records(self, spec: FieldSpec) -> list[dict[str, Any]]:
        """Some records; where a column wants each choice once, mostly just that."""
        columns = {n: c for n, c in spec.columns.items() if not isinstance(c, str)}
        for name, column in columns.items():
            if column.each_once and self.dice.random() < 0.95:
                return [{**self.record(spec), name: key} for key in column.choices]
        return [self.record(spec) for _ in range(self.dice.randint(0, 2))]

    def record(self, spec: FieldSpec) -> dict[str, Any]:
        """A record: nothing in columns of text, something in the others."""
        some = {"number": 3, "decimal": "0.5", "texts": ["照片"], "unit": "BR1"}
        some["date"] = self.at.date().isoformat()
        return {
            name: ""
            if isinstance(column, str)
            else self.dice.choice([*column.choices] or [some.get(column.type, "事实清楚")])
            for name, column in spec.columns.items()
        }

    def somebody_named(self, spec: FieldSpec) -> Any:
        """Two people, or unknown ones."""
        if spec.or_unknown and self.dice.random() < 0.3:
            return "unknown"
        role = "revisitor" if spec.duty == "revisit" else "handler"
        return [actor.account for actor in self.dice.sample(self.people[role], k=2)]

    def numbers(self) -> list[str]:
        """The items of this walk, the first one first."""
        rows = self.book.rows("SELECT number FROM item WHERE id > %s ORDER BY id", self.first)
        return [row["number"] for row in rows]

    def step(self) -> None:
        """Time passes; somebody tries something, or the sweep comes by."""
        self.at += timedelta(minutes=self.dice.choice([0, 1, 60, 600, 1440, 1440, 5000, 20000]))
        numbers = self.numbers()
        number = numbers[0] if self.dice.random() < 0.6 else self.dice.choice(numbers)
        actor = self.somebody(())
        roll = self.dice.random()
        if roll < 0.15:
            self.sweep()
        elif roll < 0.2:
            self.attempt(lambda s: self.casework.note(s, number, actor, "记一笔", at=self.at))
        elif roll < 0.25:
            self.reassign(number)
        elif roll < 0.3:
            self.extend(number)
        else:
            self.move(number)

    def move(self, number: str) -> None:
        """A transition of the file, mostly one that leaves where the item stands."""
        item = self.book.item(number)
        workflow = self.casework.catalog.of(item["workflow"], item["version"]).workflow
        leaving = workflow.leaving(item["state"])
        onward = [move for move in leaving if not workflow.states[move[1].to].final]
        if onward and self.dice.random() < 0.9:
            leaving = onward
        elif not leaving or self.dice.random() < 0.1:
            leaving = [move for move in workflow.moves() if move[0] != "submit"]
        name, variant = self.dice.choice(leaving)
        lacking = [name for name in variant.known if name not in item["data"]]
        data = self.values(workflow.fields, [*variant.requires, *lacking], variant.optional)
        data = {key: value for key, value in data.items() if not workflow.fields[key].derived}
        actor = self.able(number, variant.by)
        revision = item["revision"] - (self.dice.random() < 0.05)
        self.attempt(
            lambda s: self.casework.advance(
                s, number, name, actor, data, revision=revision, at=self.at
            )
        )

    def able(self, number: str, roles: Any) -> Actor:
        """Mostly somebody who may act in one of these roles, sometimes anybody."""

        def find(session: Session) -> list[Actor]:
            dossier = self.casework.look(session, number, SYS)
            return [
                actor
                for role in roles
                for actor in self.people.get(role, ())
                if self.casework.sees(dossier, actor)
                and self.casework.role_for(dossier, actor, roles)
            ]

        found = self.book.do(find)
        return self.dice.choice(found) if found and self.dice.random() < 0.9 else self.somebody(())

    def reassign(self, number: str) -> None:
        """The verb assign, by somebody, to somebody."""
        people = [actor.account for actor in self.dice.sample(self.people["handler"], k=2)]
        actor = self.somebody(("unit_head", "head"))
        data = {"declarations_signed": True}
        self.attempt(
            lambda s: self.casework.assign(s, number, actor, "handler", people, data, at=self.at)
        )

    def extend(self, number: str) -> None:
        """The verb extend, on any clock that runs."""
        clocks = [name for name in self.book.clocks(number) if name != "idle"] or ["none"]
        name, actor = self.dice.choice(clocks), self.able(number, ("handler", "mediator"))
        until = (self.at + timedelta(days=self.dice.randint(1, 60))).date()
        self.attempt(
            lambda s: self.casework.extend(s, number, actor, name, until, "忙", at=self.at)
        )

    def sweep(self) -> None:
        """The sweep comes by; after it nothing of the office should have rung already."""
        stalls.sweep(self.book.database, self.casework, now=self.at)
        late = self.book.rows("SELECT name FROM deadline WHERE next_rung_at <= %s", self.at)
        assert late == []

    def end(self) -> None:
        """The promises, on everything there is; then these items fall silent for the next walk."""
        assert self.book.do(journal.verify)[1] == []
        rows = self.book.rows(
            "SELECT i.number FROM item i WHERE id > %s AND closed_at IS NULL AND NOT EXISTS"
            " (SELECT FROM deadline c WHERE c.item_id = i.id AND c.stopped_at IS NULL)"
            " AND NOT EXISTS (SELECT FROM item k WHERE k.parent_id = i.id AND k.closed_at IS NULL)",
            self.first,
        )
        assert rows == [], "an open item without any clock is silent"
        paused = self.book.rows(
            "SELECT FROM deadline c JOIN event e ON e.item_id = c.item_id AND e.act = 'rung'"
            " AND e.data ->> 'deadline' = c.name AND e.at > c.paused_at"
        )
        assert paused == [], "a paused clock rang"
        self.book.run("UPDATE deadline SET next_rung_at = NULL WHERE next_rung_at IS NOT NULL")


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_whatever_is_tried_the_promises_hold(
    walked: tuple[Casebook, dict[str, list[Actor]]], workflow: str
) -> None:
    """No walk breaks journal, clocks or rows, and nothing but a named refusal stops one."""
    taken: list[int] = []

    @settings(max_examples=8, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.randoms(use_true_random=False, note_method_calls=False))
    def walk(dice: Random) -> None:
        made = Walk(*walked, dice)
        for _ in range(5):
            if made.begin(workflow):
                break
        if made.last_id() > made.first:
            for _ in range(STEPS):
                made.step()
            made.sweep()
        made.end()
        taken.append(made.done)

    walk()
    assert sum(taken) > len(taken), "walks that go nowhere show nothing"
