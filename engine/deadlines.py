"""The clocks of an item: which start, stop, pause and resume with a move, and when each rings next.

Everything here is arithmetic on values: no clock is read and no row is written. A clock keeps the
rule version of the day of its triggering event for ever; its due date is derived from start, limit,
pauses and extension, never moved by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.calendars import Calendar, Roll
from engine.notation import ABUSE_LADDER
from engine.workdays import (
    SHANGHAI,
    Day,
    Due,
    Span,
    dated,
    due,
    monthly,
    on_a_day,
    point,
    working,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.definition import Deadline, Workflow
    from engine.rulebook import Rulebook, Rung

IDLE = "idle"
UNANSWERED = "unanswered"
"""The clock of a petitioner's message: a limit that no file declares and no move stops."""
UNANSWERED_TITLES = ("答复来信", "Answer to a message")
LAST_SHARE = 0.10  # an extension asked in the last tenth of the limit is an abuse of the clock
LAST_MINUTES = timedelta(minutes=10)
MOST_STARTED = 1000


@dataclass(slots=True)
class Clock:
    """A row of `deadline`. `id` is None until it is written."""

    name: str
    kind: str
    rule: str
    rule_since: date
    span: Span
    ladder: str | None
    started_at: datetime
    id: int | None = None
    until: date | None = None  # the date the item named as the clock started: due then
    pauses: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    extension: Span | None = None
    due_on: date | None = None
    due_at: datetime | None = None
    provisional: bool = False
    paused_at: datetime | None = None
    stopped_at: datetime | None = None
    rung: int | None = None
    next_rung: int = 0
    next_rung_at: datetime | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Clock:
        """A clock from the JSON of its row."""
        return cls(
            id=row["id"],
            name=row["name"],
            kind=row["kind"],
            rule=row["rule"],
            rule_since=date.fromisoformat(row["rule_since"]),
            span=_span(row["span"]),
            ladder=row["ladder"],
            started_at=_moment(row["started_at"]),
            until=date.fromisoformat(row["until"]) if row["until"] else None,
            pauses=[(_moment(a), _moment(b) if b else None) for a, b in row["pauses"]],
            extension=_span(row["extension"]) if row["extension"] else None,
            due_on=date.fromisoformat(row["due_on"]) if row["due_on"] else None,
            due_at=_moment(row["due_at"]) if row["due_at"] else None,
            provisional=row["provisional"],
            paused_at=_moment(row["paused_at"]) if row["paused_at"] else None,
            rung=row["rung"],
            next_rung=row["next_rung"],
            next_rung_at=_moment(row["next_rung_at"]) if row["next_rung_at"] else None,
        )

    def expired(self, now: datetime) -> bool:
        """Whether it ran out; a paused clock only where it had when the pause began."""
        return self.due_at is not None and (self.paused_at or now) >= self.due_at

    def as_row(self) -> dict[str, Any]:
        """The columns of the row, JSON-ready (the inverse of :meth:`of_row`)."""
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "rule": self.rule,
            "rule_since": self.rule_since,
            "span": str(self.span),
            "ladder": self.ladder,
            "started_at": self.started_at,
            "until": self.until,
            "pauses": self.pauses,
            "extension": str(self.extension) if self.extension else None,
            "due_on": self.due_on,
            "due_at": self.due_at,
            "provisional": self.provisional,
            "paused_at": self.paused_at,
            "stopped_at": self.stopped_at,
            "rung": self.rung,
            "next_rung": self.next_rung,
            "next_rung_at": self.next_rung_at,
        }


@dataclass(slots=True)
class Turn:
    """What a move does to an item's clocks."""

    stopped: list[Clock] = field(default_factory=list)
    started: list[Clock] = field(default_factory=list)
    changed: list[Clock] = field(default_factory=list)  # paused or resumed


@dataclass(frozen=True)
class Clockwork:
    """Clocks of one workflow under one rulebook and one calendar."""

    workflow: Workflow
    rulebook: Rulebook
    calendar: Calendar
    # a batch starts many clocks at one moment; they differ in nothing but their item
    _started: dict[tuple[object, ...], Clock] = field(default_factory=dict, compare=False)

    def rungs(self, clock: Clock) -> tuple[Rung, ...]:
        """The ladder of a clock; the workflow's own one of that name before the common one."""
        if clock.ladder is None:
            return ()
        return self.workflow.ladders.get(clock.ladder) or self.rulebook.ladders[clock.ladder]

    def start(
        self,
        name: str,
        rule: str,
        now: datetime,
        *,
        kind: str = "limit",
        ladder: str | None = None,
        dated: datetime | None = None,
        until: date | None = None,
    ) -> Clock:
        """A clock that starts now under the rule in force on the day of `dated` (default now); due
        on the date `until`, where there is one, and not after the rule's span.
        """
        version = self.rulebook.rule(rule, (dated or now).astimezone(SHANGHAI).date())
        key = (name, kind, rule, version.since, ladder, now, until)
        started = self._started.get(key)
        if started is None:
            if len(self._started) >= MOST_STARTED:
                self._started.clear()
            clock = Clock(
                name, kind, rule, version.since, version.within, ladder, started_at=now, until=until
            )
            started = self._started[key] = self.project(clock)
        return replace(started, pauses=[])

    def project(self, clock: Clock) -> Clock:
        """Derive due date and next alarm anew from start, limit, pauses and extension."""
        found = self._due(clock)
        if found is None:
            clock.next_rung_at = None
            return clock
        clock.due_on, clock.due_at, clock.provisional = found
        if clock.stopped_at or clock.paused_at:
            clock.next_rung_at = None
            return clock
        alarms = [self.lapses_at(clock)]
        if clock.next_rung < len(self.rungs(clock)):
            alarms.append(self.rung_at(clock, clock.next_rung))
        clock.next_rung_at = min((alarm for alarm in alarms if alarm), default=None)
        return clock

    def lapses_at(self, clock: Clock) -> datetime | None:
        """When the system itself moves the item because this clock ran out."""
        spec = self.workflow.deadlines.get(clock.name)
        return clock.due_at if spec is not None and spec.lapses_into else None

    def rung_at(self, clock: Clock, rung: int) -> datetime | None:
        """When a rung of a clock rings; None while a pause leaves it open."""
        moment = self.rungs(clock)[rung].at
        if self._is_fixed(clock) and clock.due_at and clock.due_on:
            # a fixed day: shares of the limit are measured back from it
            if (by_day := on_a_day(clock.due_on, moment)) is not None:
                return max(clock.started_at, by_day)
            if moment.after:
                after = due(
                    self.calendar, clock.due_at - timedelta(hours=1), moment.after, Roll.NONE
                )
                return after.at if after else None
            length = clock.due_at - clock.started_at
            return clock.started_at + length * (moment.percent / 100)
        return point(
            self.calendar,
            clock.started_at,
            clock.span,
            self._roll(clock),
            moment,
            clock.pauses,
            clock.extension,
        )

    def printed_working(self, clock: Clock) -> list[Day]:
        """Every day from the start to the due date, and why it counts or not; of a fixed day, that one
        and those it moved over.
        """
        if self._is_fixed(clock) and clock.due_on:
            return self._fixed_working(clock, clock.due_on)
        return working(
            self.calendar,
            clock.started_at,
            clock.span,
            self._roll(clock),
            clock.pauses,
            clock.extension,
        )

    def turn(
        self,
        clocks: Iterable[Clock],
        transition: str,
        to_state: str,
        now: datetime,
        *,
        returns: bool,
        received_at: datetime,
        data: Mapping[str, Any],
    ) -> Turn:
        """Stop, start, pause and resume the clocks of an item that makes this move now.

        Idle clocks start anew with every move; ping-pong and abuse end with the next move that is
        no step back. A second pause of one clock starts a clock of abuse.
        """
        turn = Turn()
        final = self.workflow.states[to_state].final
        running: list[Clock] = []
        for clock in clocks:
            spec = self.workflow.deadlines.get(clock.name)
            if clock.kind == "limit":
                over = spec is not None and spec.ends_with(transition)
            else:
                over = clock.name == IDLE or not returns
            if final or over:
                turn.stopped.append(_stop(clock, now))
            else:
                running.append(clock)
        if not final:
            for name, spec in self.workflow.deadlines.items():
                if transition in spec.starts and not any(clock.name == name for clock in running):
                    turn.started.append(self._begin(name, spec, now, received_at, data))
            for clock in [*running, *turn.started]:
                self._pause_or_resume(clock, to_state, now, turn)
            if rule := self.workflow.states[to_state].idle:
                turn.started.append(self._idle(rule, to_state, now))
        return turn

    def abuse(self, kind: str, now: datetime) -> Clock:
        """A clock of ping-pong or clock abuse: due at once, its ladder ringing from now on."""
        return self.start(kind, f"stall.{kind}", now, kind=kind, ladder=ABUSE_LADDER)

    def most(self, clock: Clock) -> Span | None:
        """How much longer the law lets a clock run in all, or None where it allows nothing."""
        return self.rulebook.rule(clock.rule, clock.rule_since).extension

    def dodged(self, dues: Iterable[datetime | None], came_at: datetime, now: datetime) -> bool:
        """Whether an item moved on in the last minutes of a limit and is sent back after it."""
        return any(due and due - LAST_MINUTES <= came_at < due <= now for due in dues)

    def in_last_share(self, clock: Clock, now: datetime) -> bool:
        """Whether no more than a tenth of the limit is left."""
        if clock.due_at is None:
            return False
        return (clock.due_at - now) < (clock.due_at - clock.started_at) * LAST_SHARE

    def extend(self, clock: Clock, until: date) -> Span | None:
        """The span that carries a clock to a date, in the unit of its rule's extension.

        None where the date is not later than the due date or beyond what the law allows.
        """
        most = self.most(clock)
        original = self._due(clock)
        if most is None or original is None or until <= original.on:
            return None
        for amount in range(1, most.amount + 1):
            asked = Span(amount, most.unit)
            reached = self._due(replace(clock, extension=asked))
            if reached is not None and reached.on >= until:
                return asked
        return None

    def _begin(
        self,
        name: str,
        spec: Deadline,
        now: datetime,
        received_at: datetime,
        data: Mapping[str, Any],
    ) -> Clock:
        rule, ladder = spec.rule, spec.ladder
        if spec.instead is not None:
            value = data.get(spec.instead.field)
            values = value if isinstance(value, list) else [value]
            found = (spec.instead.rules[each] for each in values if each in spec.instead.rules)
            rule = next(found, rule)
        dated = received_at if spec.dated_by == "receipt" else now
        named = data.get(spec.until) if spec.until else None
        until = date.fromisoformat(named) if named else None
        return self.start(name, rule, now, ladder=ladder, dated=dated, until=until)

    def _idle(self, rule: str, state: str, now: datetime) -> Clock:
        kind = "clock_abuse" if state in self.workflow.pausing else IDLE
        return self.start(IDLE, rule, now, kind=kind, ladder=self.workflow.idle_ladder_in(state))

    def _pause_or_resume(self, clock: Clock, to_state: str, now: datetime, turn: Turn) -> None:
        spec = self.workflow.deadlines.get(clock.name)
        if spec is None or clock.kind != "limit":
            return
        if to_state in spec.paused_in and clock.paused_at is None:
            clock.pauses.append((now, None))
            clock.paused_at, clock.next_rung_at = now, None
            if len(clock.pauses) > 1 and not any(c.name == "clock_abuse" for c in turn.started):
                turn.started.append(self.abuse("clock_abuse", now))
        elif to_state not in spec.paused_in and clock.paused_at is not None:
            clock.pauses[-1] = (clock.paused_at, now)
            clock.paused_at = None
            self.project(clock)
        else:
            return
        if clock.id is not None:
            turn.changed.append(clock)

    def _due(self, clock: Clock) -> Due | None:
        if clock.until:
            return dated(self.calendar, clock.until, self._roll(clock), clock.extension)
        if day := self._day_of_month(clock):
            return monthly(
                self.calendar,
                clock.started_at.astimezone(SHANGHAI).date(),
                day,
                self._roll(clock),
            )
        return due(
            self.calendar,
            clock.started_at,
            clock.span,
            self._roll(clock),
            used_pauses=clock.pauses,
            extension=clock.extension,
        )

    def _is_fixed(self, clock: Clock) -> bool:
        """Whether a clock is due on a day that no counting leads to."""
        return clock.until is not None or self._day_of_month(clock) is not None

    def _fixed_working(self, clock: Clock, due_on: date) -> list[Day]:
        start = clock.started_at.astimezone(SHANGHAI).date()
        rows = {start: "起算日 the day it started"}
        if clock.until:
            rows[clock.until] = "指定的日期 the date that was named"
        rows[due_on] = rows.get(due_on, "到期日 the due day")
        return [
            Day(day, counts=day == due_on, why=f"{why} · {self.calendar.why(day)}")
            for day, why in sorted(rows.items())
        ]

    def _roll(self, clock: Clock) -> Roll:
        return self.rulebook.rule(clock.rule, clock.rule_since).roll

    def _day_of_month(self, clock: Clock) -> int | None:
        return self.rulebook.rule(clock.rule, clock.rule_since).day_of_month


def titles(workflow: Workflow, clock: Clock, state: str) -> tuple[str, str]:
    """What a clock is called, in Chinese and English; one of standing still by the state."""
    if clock.name == UNANSWERED:
        return UNANSWERED_TITLES
    spec = workflow.deadlines.get(clock.name) or workflow.states[state]
    return spec.title, spec.title_en


def _stop(clock: Clock, now: datetime) -> Clock:
    clock.stopped_at, clock.next_rung_at = now, None
    return clock


@cache
def _span(text: str) -> Span:
    return Span.parse(text)


def _moment(text: str | datetime) -> datetime:
    return text if isinstance(text, datetime) else datetime.fromisoformat(text)
