"""The verbs: submit, advance, extend, assign, note, available. The law of motion is `engine.motion`.

Every verb runs inside one transaction of the caller's (`Database.perform`): it locks the item,
decides on what it reads under the lock, and writes state, event, clocks, duties, letters and
messages together. Nothing leaves the house from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine import effects
from engine.births import Birth, Born
from engine.checking.naming import fields_of_guard
from engine.desk import EXTENSION, not_permitted, refuse_classified
from engine.dossier import Attempt, Dossier
from engine.entries import Entries
from engine.errors import BanjieError, GuardRefused, NotAvailable, NotPermitted
from engine.forms import Accepted, accept, missing, note_text
from engine.people import SYS, Actor
from engine.record import add_duties, end_assigned, record, settle
from engine.recusals import Recusals
from engine.timekeeping import RETURNS_BEFORE_PING_PONG, abuse, extendable, steps_back

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from engine.definition import Transition

REASSIGNED, SEALED_WORK = "assigned", "sealed_work"


@dataclass(frozen=True, slots=True)
class Option:
    """A transition that leaves an item's state, and what stands between the actor and it.

    `allowed`: the actor may make it once they give what is `missing`; else `reasons` say why not.
    """

    transition: str
    title: str
    title_en: str
    allowed: bool
    missing: list[str]
    reasons: list[str]


class Casework(Recusals):
    """The verbs over one catalog."""

    def submit(
        self,
        session: Session,
        workflow: str,
        actor: Actor,
        data: Mapping[str, Any],
        *,
        channel: str = "staff",
        code_hash: Callable[[str], str] | None = None,
        outside_key: str | None = None,
        at: datetime | None = None,
    ) -> Born:
        """Begin an item. Raises NotFound, NotPermitted, Invalid, GuardRefused."""
        birth = Birth(data, channel=channel, code_hash=code_hash, outside_key=outside_key)
        born = self.submit_many(session, workflow, actor, [birth], at=at)[0]
        if isinstance(born, BanjieError):
            raise born
        return born

    def advance(
        self,
        session: Session,
        number: str,
        transition: str,
        actor: Actor,
        data: Mapping[str, Any] | None = None,
        *,
        revision: int | None = None,
        at: datetime | None = None,
    ) -> Dossier:
        """Make a transition. Returns the item as it stands after it (before what follows from it).

        Raises NotFound, Stale, NotAvailable, NotPermitted, Invalid, GuardRefused.
        """
        dossier = self.hold(session, number, actor, revision=revision, at=at)
        self._move(dossier, transition, actor, data or {})
        return dossier

    def advance_by_sys(
        self, session: Session, item_id: int, transition: str, at: datetime | None = None
    ) -> Dossier:
        """A transition the system makes because time ran out."""
        dossier = self.held(session, item_id, at)
        self._move(dossier, transition, SYS, {})
        return dossier

    def assign(
        self,
        session: Session,
        number: str,
        actor: Actor,
        role: str,
        people: Sequence[str],
        data: Mapping[str, Any],
        *,
        revision: int | None = None,
        at: datetime | None = None,
    ) -> Dossier:
        """Give an item to other people in a role: the same guards as when it was first assigned.

        Raises NotAvailable where nobody was assigned in that role yet, or the item has ended.
        """
        dossier = self.hold(session, number, actor, revision=revision, at=at)
        found = [
            (variant, effect.assign)
            for _, variant in dossier.workflow.moves()
            for effect in variant.effects
            if effect.assign and effect.assign.role == role
        ]
        held = any(
            d.item_id == dossier.id and d.assigned and d.role == role for d in dossier.duties
        )
        if not found or not held or dossier.workflow.states[dossier.state].final:
            raise NotAvailable(
                "本事项没有这种承办人。Nobody is assigned to this item in that role.",
                state=dossier.state,
                available=[],
            )
        variant, effect = found[0]
        acting = self.permit(dossier, actor, variant)
        given = {**data, effect.people: list(people)}
        accepted = accept(dossier.workflow, variant, given, dossier.data, dossier.office)
        attempt = Attempt(dossier, actor, acting, accepted.all, accepted.people)
        for text, sentence in dossier.bound.objections(variant, attempt).items():
            raise GuardRefused(sentence, guard=text)
        entries = Entries()
        duties = effects.assigned_duties(dossier, effect, accepted.named[effect.people])
        end_assigned(dossier, effect)
        add_duties(entries, dossier, duties)
        record(entries, dossier, "assignment", actor, acting, accepted.plain, accepted)
        dossier.revision += 1
        dossier.data |= accepted.plain
        if steps_back(dossier) >= RETURNS_BEFORE_PING_PONG:
            abuse(self, dossier, "ping_pong", entries)
        settle(entries, dossier, dossier.entered_at, accepted.plain)
        told = [duty.person_id for duty in duties]
        effects.tell(entries, dossier, told, work_text(dossier), self.way, {})
        entries.write(session)
        return dossier

    def note(
        self,
        session: Session,
        number: str,
        actor: Actor,
        text: str,
        *,
        at: datetime | None = None,
    ) -> Dossier:
        """Write something down beside the item; no substantive act, so no clock and no revision."""
        dossier = self.hold(session, number, actor, at=at)
        refuse_classified(dossier)
        accepted = Accepted(personal={"note": note_text(text)})
        entries = Entries()
        record(entries, dossier, "note", actor, self.role_seen(dossier, actor), {}, accepted)
        settle(entries, dossier, dossier.entered_at)
        entries.write(session)
        return dossier

    def extend(
        self,
        session: Session,
        number: str,
        actor: Actor,
        deadline: str,
        until: date,
        reason: str,
        *,
        revision: int | None = None,
        at: datetime | None = None,
    ) -> Born:
        """Ask for more time on a clock: an extension item begins, which the right person decides.

        Raises NotAvailable where no such clock runs, Exhausted where the law allows no more,
        GuardRefused after expiry.
        """
        dossier = self.hold(session, number, actor, revision=revision, at=at)
        clock, _ = extendable(self, dossier, deadline, until)
        if not set(effects.holders(dossier)) & {actor.id}:
            raise NotPermitted(
                "只有承办人可以申请延期。Only whoever holds the item may ask for more time."
            )
        entries = Entries()
        asked = {"deadline": deadline, "until": until.isoformat()}
        acting = self.role_seen(dossier, actor)
        record(entries, dossier, "extension", actor, acting, asked)
        clockwork = self.clockwork(dossier.bound, dossier.calendar)
        if clockwork.in_last_share(clock, dossier.now):
            abuse(self, dossier, "clock_abuse", entries)
        settle(entries, dossier, dossier.entered_at)
        entries.write(session)
        data = {"deadline": deadline, "new_due": until.isoformat(), "reason": reason}
        turn = self.role_for(dossier, actor, dossier.workflow.holders(dossier.state))
        (asking,) = self.catalog.named(EXTENSION).workflow.transitions["submit"]
        as_holder = turn if turn in asking.by else None  # whoever stands in may hold no such role
        birth = Birth(
            data, channel="staff", parent=dossier, hidden_with_parent=True, acting_as=as_holder
        )
        born = self.submit_many(session, EXTENSION, actor, [birth], at=dossier.now)[0]
        if isinstance(born, BanjieError):
            raise born
        return born

    def available(self, dossier: Dossier, actor: Actor) -> list[Option]:
        """Every transition that leaves the item's state, and for each why not."""
        options = []
        for name, variant in dossier.workflow.leaving(dossier.state):
            if set(variant.by) <= {"sys"}:
                continue
            role = self.role_for(dossier, actor, variant.by)
            computed = dossier.bound.computed(variant)
            lacking = [n for n in missing(variant, {}, dossier.data) if n not in computed]
            reasons: list[str] = []
            if role is None:
                reasons.append(not_permitted(dossier, variant))
            else:
                attempt = Attempt(dossier, actor, role, {})
                for text, sentence in dossier.bound.objections(variant, attempt).items():
                    wanted = _wanted(variant, text)
                    lacking += [n for n in wanted if n not in computed and n not in lacking]
                    reasons += [] if wanted else [sentence]
            options.append(
                Option(
                    name,
                    variant.title,
                    variant.title_en,
                    allowed=not reasons,
                    missing=lacking,
                    reasons=reasons,
                )
            )
        return options


def work_text(dossier: Dossier) -> str:
    """What somebody is told who is given an item; of a sealed one, no more than that."""
    return SEALED_WORK if dossier.sealed else REASSIGNED


def _wanted(variant: Transition, guard: str) -> list[str]:
    """The fields of an act by which whoever makes it satisfies a guard."""
    if guard == "two_handlers":
        return [effect.assign.people for effect in variant.effects if effect.assign]
    taken = {*variant.requires, *variant.known, *variant.optional}
    return [name for name in fields_of_guard(guard) if name in taken]
