"""The law of motion: how one item moves, and what follows from it for others.

A move is prepared, written and followed: guards decide on what is read under the lock, one
statement writes state, event, clocks, duties, letters and messages together, and then come the
children, the parent, and what the system does at once. There is no second path.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from engine import bars, effects
from engine.births import Birth, Born, begin, families_of, family_duties, listed, literal
from engine.database import execute
from engine.desk import Desk
from engine.dossier import READ_MANY, Attempt, Dossier, Standing
from engine.entries import Entries
from engine.errors import BanjieError, NotPermitted
from engine.fills.filling import filled, of_act
from engine.forms import Accepted, accept, holds, refuse_identities
from engine.notation import NUMBER, UNIT
from engine.people import SYS, Actor
from engine.record import add_duties, declare_by_acting, end_duties, record, settle
from engine.timekeeping import extendable, turn_clocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from engine.consequences import Effect, Extend, Feed, Recuse, Spawn, Tell
    from engine.definition import Transition, Workflow


FED = """
SELECT i.id, d.data ->> %(field)s AS said FROM item i JOIN item_data d ON d.item_id = i.id
WHERE i.workflow = %(workflow)s AND i.unit_id = %(unit)s AND i.closed_at IS NULL
  AND d.data ->> %(field)s = ANY(%(said)s) ORDER BY i.id
"""
RECUSAL_OVER = "recusal_over"
"""The transition by which an item goes on that a recusal application had suspended."""


class Motion(Desk):
    """The moves of items, over one catalog."""

    def submit_many(
        self,
        session: Session,
        workflow: str,
        actor: Actor,
        births: Sequence[Birth],
        *,
        at: datetime | None = None,
    ) -> list[Born | BanjieError]:
        """Begin many items in one statement; each answer is the item or why it was refused."""
        bound = self.catalog.named(workflow)
        families = families_of(self, session, bound, actor, births)
        house = self.house_at_work(session, at=at, ids=len(births))
        duties = family_duties(session, families)
        entries = Entries()
        answers: list[Born | BanjieError] = []
        begun: list[tuple[Dossier, Accepted]] = []
        for birth, item_id, family in zip(births, house.ids, families, strict=True):
            try:
                joined = replace(birth, duties=duties.get(family or 0, ()))
                dossier, accepted = begin(
                    self, session, entries, bound, house, actor, joined, (item_id, family)
                )
            except BanjieError as refusal:
                answers.append(refusal)
                continue
            answers.append(Born(item_id, dossier.number, dossier.state, dossier.now, dossier.head))
            begun.append((dossier, accepted))
        entries.write(session)
        variant = bound.workflow.transitions["submit"][0]
        self._follow(session, variant, actor, begun)
        return answers

    def _move(
        self,
        dossier: Dossier,
        name: str,
        actor: Actor,
        data: Mapping[str, Any],
    ) -> None:
        """Make one transition of a held item, and everything that follows from it."""
        entries = Entries()
        variant, accepted = self._step(entries, dossier, name, actor, data)
        entries.write(dossier.session)
        self._follow(dossier.session, variant, actor, [(dossier, accepted)])

    def _step(
        self,
        entries: Entries,
        dossier: Dossier,
        name: str,
        actor: Actor,
        data: Mapping[str, Any],
    ) -> tuple[Transition, Accepted]:
        """Prepare the rows of one transition of a held item; the dossier then stands after it."""
        name = dossier.workflow.called(name, dossier.state)
        variant = dossier.workflow.variant(name, dossier.state)
        if variant is None:
            dossier.bound.move(Standing(dossier.state), name, None)  # says why it cannot
            raise AssertionError
        role = self.permit(dossier, actor, variant)
        if fill := dossier.bound.fill_of(variant):
            data = filled(fill, of_act(dossier, variant, actor, data), data)
        accepted = accept(
            dossier.workflow,
            variant,
            data,
            dossier.data,
            dossier.office,
            demand=actor.kind != "sys",
            asked=dossier.questionnaire,
        )
        refuse_identities(dossier.workflow, accepted, dossier.protection)
        standing = Standing(dossier.state)
        attempt = Attempt(dossier, actor, role, accepted.all, accepted.people)
        dossier.bound.move(standing, name, attempt)
        end_duties(dossier, variant, accepted)
        came_at, came_from, dossier.state = dossier.entered_at, dossier.state, standing.state
        entered_at = came_at if standing.state == came_from else dossier.now
        record(entries, dossier, name, actor, role, accepted.plain, accepted, came_from)
        dossier.revision += 1
        dossier.data |= accepted.plain
        declare_by_acting(entries, dossier, actor, accepted)
        add_duties(entries, dossier, effects.duties_of(dossier, variant, actor, role, accepted))
        turn_clocks(self, entries, dossier, name, variant, came_at)
        settle(entries, dossier, entered_at, accepted.plain)
        effects.write_effects(entries, dossier, variant, accepted, self.catalog.letters, self.way)
        return variant, accepted

    def _follow(
        self,
        session: Session,
        variant: Transition,
        actor: Actor,
        moved: Sequence[tuple[Dossier, Accepted]],
    ) -> None:
        """Children, the parent's move, a granted extension, and what the system does at once.

        The last is done for all items together: one reading and one writing, however many.
        """
        for dossier, accepted in moved:
            self._concern_others(dossier, variant, actor, accepted)
            if accepted.kept_out or dossier.let_go or bars.unheeded(dossier):
                self.keep_out(dossier, actor)
            if dossier.mandatory and dossier.workflow.workflow in self.catalog.awaited:
                self._release_parent(dossier)
        for effect in variant.effects:
            if effect.then is None:
                continue
            named = {
                d.id: effect.then.transition
                if holds(effect.then.when, d.data)
                else effect.then.otherwise
                for d, _ in moved
            }
            due = {d.id: d.now for d, _ in moved if named[d.id]}
            if not due:
                continue
            entries = Entries()
            steps: dict[tuple[str, str], tuple[Transition, list[tuple[Dossier, Accepted]]]] = {}
            for row in execute(session, READ_MANY, (list(due),)).fetchall():
                dossier = self.dossier(session, row, due[row["id"]])
                came_from, name = dossier.state, str(named[dossier.id])
                step, accepted = self._step(entries, dossier, name, SYS, {})
                steps.setdefault((came_from, name), (step, []))[1].append((dossier, accepted))
            entries.write(session)
            for step, gone in steps.values():
                self._follow(session, step, SYS, gone)

    def _concern_others(
        self, dossier: Dossier, variant: Transition, actor: Actor, accepted: Accepted
    ) -> None:
        values = {**dossier.data, **accepted.personal}
        if any(_carries_personal(dossier.workflow, effect) for effect in variant.effects):
            values = {**dossier.data, **dossier.personal, **accepted.personal}
        for effect in variant.effects:
            if effect.spawn and holds(effect.spawn.when, dossier.data):
                if not (effect.spawn.once and dossier.has_begun(effect.spawn.workflow)):
                    self.spawn(dossier, effect.spawn, values)
            elif effect.parent:
                self._tell_parent(dossier, effect.parent, actor, values)
            elif effect.extend:
                self._extend_parent(dossier, effect.extend, actor)
            elif effect.recuse and holds(effect.recuse.when, dossier.data):
                self._decide_recusal(dossier, effect.recuse, actor)
            elif effect.feed:
                self._feed(dossier, effect.feed, values)

    def _release_parent(self, dossier: Dossier) -> None:
        """Move a parent on that waited for this child, if it was the last one."""
        state = dossier.workflow.states[dossier.state]
        if dossier.parent_id is None or not (state.final or state.settled):
            return
        parent = self.held(dossier.session, dossier.parent_id, dossier.now)
        for name in parent.workflow.released:
            variant = parent.workflow.variant(name, parent.state)
            if variant is not None and not parent.open_children:
                self._move(parent, name, SYS, {})
                return

    def keep_out(self, dossier: Dossier, actor: Actor) -> None:
        """What follows in the family for people an act barred."""
        for needless in bars.follow(self, dossier, actor):
            request = self.held(dossier.session, needless, dossier.now)
            self._move(request, "lapse", SYS, {})
        for counted in bars.counted_in(dossier):
            bars.recuse(self.held(dossier.session, counted, dossier.now), dossier.barred)

    def _decide_recusal(self, request: Dossier, recuse: Recuse, actor: Actor) -> None:
        """Carry a decision on a recusal application into the family of what it is about."""
        if request.parent_id is None:
            return
        session = request.session
        parent = self.held(session, request.parent_id, request.now)
        bars.decide(self, parent, request, recuse, actor)
        if recuse.outcome == "barred":
            self.keep_out(parent, actor)
        parent = self.held(session, request.parent_id, request.now)
        over = parent.workflow.variant(RECUSAL_OVER, parent.state)
        if over is not None and not parent.asked_to_stay_out:
            self._move(parent, RECUSAL_OVER, SYS, {})

    def spawn(self, dossier: Dossier, spawn: Spawn, values: Mapping[str, Any]) -> list[Born]:
        """Begin the children of an effect. A child the file describes wrongly undoes the act."""
        own = {NUMBER: dossier.number, UNIT: dossier.office.units[dossier.unit_id].code}
        values = {**own, **values}
        carried_on = {
            child: values[parent] for child, parent in spawn.carry.items() if parent in values
        }
        fixed: dict[str, Any] = {
            name: literal(self.catalog.named(spawn.workflow), name, value)
            for name, value in spawn.fixed.items()
        }
        records = values.get(spawn.each, []) if spawn.each else [{}]
        births = [
            Birth(
                {**carried_on, **fixed, **listed(self.catalog.named(spawn.workflow), record)},
                channel="spawn",
                parent=dossier,
                mandatory=spawn.mandatory,
            )
            for record in records
        ]
        found = self.submit_many(dossier.session, spawn.workflow, SYS, births, at=dossier.now)
        for each in found:
            if isinstance(each, BanjieError):
                raise each
        return [each for each in found if isinstance(each, Born)]

    def _feed(self, dossier: Dossier, feed: Feed, values: Mapping[str, Any]) -> None:
        """Let the items a record speaks of make their move; those that stand elsewhere stay there."""
        records = {
            record.get(feed.match): record
            for record in values.get(feed.each) or ()
            if feed.having is None or record.get(feed.having)
        }
        if not records:
            return
        found = execute(
            dossier.session,
            FED,
            {
                "field": feed.match,
                "workflow": feed.workflow,
                "unit": dossier.unit_id,
                "said": list(records),
            },
        ).fetchall()
        for row in found:
            other = self.held(dossier.session, row["id"], dossier.now)
            if other.workflow.variant(feed.transition, other.state) is None:
                continue
            at_hand = {NUMBER: dossier.number, **values, **records[row["said"]]}
            data = {name: at_hand[own] for name, own in feed.carry.items() if at_hand.get(own)}
            self._move(other, feed.transition, SYS, data)

    def _tell_parent(
        self, dossier: Dossier, tell: Tell, actor: Actor, values: Mapping[str, Any]
    ) -> None:
        if dossier.parent_id is None:
            return
        parent = self.held(dossier.session, dossier.parent_id, dossier.now)
        variant = parent.workflow.variant(tell.transition, parent.state)
        if variant is None:
            return
        there = self.sees(parent, actor) and self.role_for(parent, actor, variant.by)
        by = actor if there else SYS
        if by is SYS and "sys" not in variant.by:
            return
        values = {NUMBER: dossier.number, **values}
        data = {name: values[own] for name, own in tell.carry.items() if own in values}
        self._move(parent, tell.transition, by, data)

    def _extend_parent(self, dossier: Dossier, extend: Extend, actor: Actor) -> None:
        if dossier.parent_id is None:
            return
        parent = self.held(dossier.session, dossier.parent_id, dossier.now)
        name = str(dossier.data[extend.deadline])
        until = date.fromisoformat(str(dossier.data[extend.until]))
        clock, by = extendable(self, parent, name, until)
        role = self.role_for(parent, actor, by) if self.sees(parent, actor) else None
        if role is None:
            raise NotPermitted(
                "您无权批准该时限的延期。You may not grant more time on this deadline.",
                roles=list(by),
            )
        clockwork = self.clockwork(parent.bound, parent.calendar)
        clock.extension = clockwork.extend(clock, until)
        clock.rung = None  # with more time it stalls no longer; rungs climbed are not climbed again
        clockwork.project(clock)
        entries = Entries()
        entries.change([clock])
        granted = {"deadline": name, "until": until.isoformat(), "due_on": str(clock.due_on)}
        record(entries, parent, "extension", actor, role, granted)
        settle(entries, parent, parent.entered_at)
        entries.write(parent.session)


def _carries_personal(workflow: Workflow, effect: Effect) -> bool:
    carried = effect.spawn or effect.parent
    return carried is not None and any(
        name in workflow.fields and workflow.fields[name].personal
        for name in (*carried.carry.values(), getattr(carried, "each", None) or "")
    )
