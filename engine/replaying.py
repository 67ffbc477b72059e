"""Acts of the past (or of a made-up year) run through the same verbs, each at its own moment.

Before an act is made, every rung that would have rung by then rings at the moment it was due, so
that the office stands as it would have stood. An act that is refused is told and the next one goes
on. Only for a sample office or an empty database: the acts write a history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from engine.database import execute
from engine.errors import BanjieError, Invalid, NotFound
from engine.people import PUBLIC, SYS, Actor
from engine.stalls import sweep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database

SUBMIT = "submit"
_KEYS = frozenset({"item", "workflow", "act", "at", "actor", "data"})
_NEEDED = ("item", "workflow", "act", "at", "actor")


class Outcome(NamedTuple):
    """What came of one act: the item's state after it, or why it was refused and its code."""

    item: str | None
    ok: bool
    state: str | None
    error: str | None = None
    code: str | None = None


class _Act(NamedTuple):
    item: str
    workflow: str
    act: str
    at: datetime
    actor: str
    data: dict[str, Any]


@dataclass
class Replay:
    """One run of acts, in the order given."""

    database: Database
    casework: Casework
    _swept: datetime | None = field(default=None, repr=False)

    def empty(self) -> bool:
        """Whether the database holds no item yet."""
        with self.database.transaction() as session:
            return execute(session, "SELECT FROM item LIMIT 1").fetchone() is None

    def run(self, lines: Iterable[bytes]) -> Iterator[Outcome]:
        """One outcome for every line that is not blank."""
        for line in lines:
            if line.strip():
                yield self._one(line)

    def _one(self, line: bytes) -> Outcome:
        act: _Act | None = None
        item: str | None = None
        state: str | None = None
        try:
            told = _object(line)
            item = told["item"] if isinstance(told.get("item"), str) else None
            act = _act(told)
            self._ring_until(act.at)
            state = self._perform(act)
        except BanjieError as error:
            state = self._state_of(act) if act else None
            return Outcome(item, ok=False, state=state, error=error.detail, code=error.code)
        return Outcome(item, ok=True, state=state)

    def _perform(self, act: _Act) -> str:
        return self.database.perform(lambda session: self._make(session, act))

    def _ring_until(self, moment: datetime) -> None:
        """Ring what rings by a moment, each alarm at its own time, as a sweeper on duty would."""
        if self._swept is not None and moment <= self._swept:
            return
        before: datetime | None = None
        while True:
            with self.database.transaction() as session:
                row = execute(session, _NEXT_ALARM, (moment,)).fetchone()
            alarm: datetime | None = row["alarm"] if row else None
            if alarm is None or (before is not None and alarm <= before):
                break
            sweep(self.database, self.casework, alarm)
            before = alarm
        self._swept = moment

    def _make(self, session: Session, act: _Act) -> str:
        actor = self._actor(session, act.actor)
        if act.act == SUBMIT:
            born = self.casework.submit(
                session,
                act.workflow,
                actor,
                act.data,
                channel=_channel(act),
                outside_key=act.item,
                at=act.at,
            )
            number = born.number
        else:
            number = _number(session, act)
            self.casework.advance(session, number, act.act, actor, act.data, at=act.at)
        row = execute(session, "SELECT state FROM item WHERE number = %s", (number,)).fetchone()
        return str(row["state"]) if row else ""

    def _actor(self, session: Session, account: str) -> Actor:
        for actor in (PUBLIC, SYS):
            if account == actor.kind:
                return actor
        person = self.casework.house(session).office.person_named(account)
        if person is None:
            raise Invalid([("/actor", "没有这个账号,请核对。No such account; check the spelling.")])
        return Actor("person", person)

    def _state_of(self, act: _Act) -> str | None:
        """Where a refused act left its item; None where there is none."""
        with self.database.transaction() as session:
            try:
                number = _number(session, act)
            except NotFound:
                return None
            row = execute(session, "SELECT state FROM item WHERE number = %s", (number,)).fetchone()
            return row["state"] if row else None


_NEXT_ALARM = "SELECT min(next_rung_at) AS alarm FROM deadline WHERE next_rung_at <= %s"
_BY_KEY = "SELECT number FROM item WHERE workflow = %s AND outside_key = %s"
_BY_FAMILY = """
SELECT number FROM item WHERE workflow = %s
  AND family_id IN (SELECT family_id FROM item WHERE outside_key = %s)
ORDER BY id DESC LIMIT 1
"""
"""An item that another one spawned has no key of its own: it answers to its family's."""


def _number(session: Session, act: _Act) -> str:
    for statement in (_BY_KEY, _BY_FAMILY):
        if row := execute(session, statement, (act.workflow, act.item)).fetchone():
            return str(row["number"])
    raise NotFound("没有这个事项,请先 submit。There is no such item; submit it first.")


def _channel(act: _Act) -> str:
    """How a matter came: as its data say, else through the public door or by the staff."""
    told = act.data.get("channel")
    if isinstance(told, str) and told:
        return told
    return "web" if act.actor == PUBLIC.kind else "staff"


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Invalid([("", "不是合法的 JSON。Not sound JSON; one object a line.")]) from error
    if not isinstance(told, dict):
        raise Invalid([("", "应为一个对象。Give one object a line.")])
    return told


def _act(told: dict[str, Any]) -> _Act:
    """One act. Raises Invalid with every fault of the line."""
    errors = [
        (f"/{key[:40]}", "不认识这一项,请删去。Not a member of an act; leave it out.")
        for key in told
        if key not in _KEYS
    ]
    errors += [
        (f"/{key}", "请填写文字。Give a text.")
        for key in _NEEDED
        if not isinstance(told.get(key), str) or not told[key].strip()
    ]
    data = told.get("data") or {}
    if not isinstance(data, dict):
        errors.append(("/data", "应为一个对象。Give an object."))
    at = _moment(told.get("at"))
    if at is None:
        errors.append(
            (
                "/at",
                "应为带时区的时间。Give a time with its offset, like 2026-09-24T09:30:00+08:00.",
            )
        )
    if errors or at is None:
        raise Invalid(errors)
    return _Act(told["item"], told["workflow"], told["act"], at, told["actor"], data)


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
