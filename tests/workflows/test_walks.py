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
from engine.people import PUBLIC, Actor
from tests.casebook import MONDAY, TABLES, Casebook, opened
from workflows import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

    from engine.casework import Casework
    from engine.definition import FieldSpec

WORKFLOWS = sorted(
    path.stem for path in HERE.glob("*.yaml") if path.stem not in {"rules", "texts"}
)
STEPS = 14
DIGEST = " UNION ALL ".join(
    f"SELECT '{table}' AS name, count(*) AS n, sum(hashtextextended(t::text, 0)) AS s FROM {table} t"  # noqa: S608 - our own names
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
        try:
            found = self.book.do(deed)
        except DatabaseFault:
            raise
        except BanjieError as refusal:
            assert self.book.rows(DIGEST) == before, refusal.code
            return None
        self.done += 1
        return found

    def begin(self, workflow: str) -> bool:
        """Somebody who may begins an item, as the file asks for it; or the system does."""
        bound = self.casework.catalog.named(workflow)
        variant = bound.workflow.transitions["submit"][0]
        data = self.values(bound.workflow.fields, variant.requires, variant.optional)
        actor = self.somebody(variant.by)
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
        return {name: self.value(fields[name]) for name in names if self.dice.random() < 0.97}

    def value(self, spec: FieldSpec) -> Any:  # noqa: PLR0911 - a table of types
        """A value a person might give."""
        dice = self.dice
        match spec.type:
            case "choice":
                return dice.choice(list(spec.choices))
            case "choices":
                return dice.sample(list(spec.choices), k=dice.randint(1, min(2, len(spec.choices))))
            case "unit":
                return dice.choice(["BR1", "BR2", "AUD", "LAW", "OFF", "IPR", "BUR"])
            case "person" | "people":
                if spec.duty == "accused" and dice.random() < 0.3 and spec.or_unknown:
                    return "unknown"
                role = {"accused": "handler", "revisit": "revisitor"}.get(spec.duty or "", "handler")
                found = [a.account for a in dice.sample(self.people[role], k=2)]
                return found[0] if spec.type == "person" else found
            case "boolean":
                return dice.random() < 0.8
            case "number":
                return dice.randint(0, 9)
            case "date":
                return (self.at + timedelta(days=dice.randint(-3, 30))).date().isoformat()
            case "moment":
                return (self.at - timedelta(hours=dice.randint(0, 30))).isoformat()
            case "contact":
                return {"name": "柳如烟", "phone": "13900004242"}
            case "records":
                return [dict.fromkeys(spec.columns, "") for _ in range(dice.randint(0, 2))]
            case "item":
                numbers = self.book.rows("SELECT number FROM item WHERE id > %s", self.first)
                return dice.choice([row["number"] for row in numbers] or ["许市监罚1号"])
            case "texts":
                return ["照片", "录音"]
        return dice.choice(["事实清楚", "请补充材料", "'; DROP TABLE item; --", "{{ 7*7 }}", "𠮷\u200b"])

    def step(self) -> None:
        """Time passes; somebody tries something, or the sweep comes by."""
        self.at += timedelta(minutes=self.dice.choice([0, 1, 60, 600, 1440, 1440, 5000, 20000]))
        rows = self.book.rows("SELECT number FROM item WHERE id > %s ORDER BY id", self.first)
        number = self.dice.choice([row["number"] for row in rows])
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
        if not leaving or self.dice.random() < 0.1:
            leaving = [move for move in workflow.moves() if move[0] != "submit"]
        name, variant = self.dice.choice(leaving)
        data = self.values(workflow.fields, {**dict.fromkeys(variant.requires + variant.known)},
                           variant.optional)  # fmt: skip
        data = {key: value for key, value in data.items() if not workflow.fields[key].derived}
        actor = self.holder(item, variant.by) or self.somebody(variant.by)
        revision = item["revision"] - (self.dice.random() < 0.05)
        self.attempt(
            lambda s: self.casework.advance(
                s, number, name, actor, data, revision=revision, at=self.at
            )
        )

    def holder(self, item: dict[str, Any], roles: Any) -> Actor | None:
        """Whoever was given the item in one of these roles."""
        rows = self.book.rows(
            "SELECT p.account FROM item_duty u JOIN person p ON p.id = u.person_id"
            " WHERE u.item_id = %s AND u.role = ANY(%s) AND u.assigned AND u.ended_at IS NULL",
            item["id"],
            list(roles),
        )
        return self.book.who(self.dice.choice(rows)["account"]) if rows else None

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
        name, item = self.dice.choice(clocks), self.book.item(number)
        actor = self.holder(item, ["handler", "mediator"]) or self.somebody(("handler",))
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

    @settings(max_examples=10, suppress_health_check=list(HealthCheck), derandomize=True)
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
