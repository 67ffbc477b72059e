"""Whether somebody should stay out of an item: asked by themselves, by the petitioner, by anybody
who may know of it (公务员法 art. 77), and what those who are given an item say of themselves.

The application is an item of its own (`workflows/recusal.yaml`), as hidden as the one it is about,
so that it has clocks and cannot go silent; the decision is one of its transitions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from engine.bars import unheeded
from engine.births import Birth, Born
from engine.database import execute
from engine.desk import RECUSAL
from engine.entries import Entries
from engine.errors import BanjieError, Invalid, NotAvailable, NotPermitted
from engine.motion import Motion
from engine.people import SYS
from engine.record import STATEMENT_DIGEST, declare, record, settle
from engine.walls import as_engine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.dossier import Dossier
    from engine.people import Actor, Office

GROUNDS = ("party_or_relative", "interest", "other", "ended")
SUSPENDS = "apply_recusal"
"""The transition of a workflow in which an application suspends the item (Order 121 art. 21)."""
LEVELS = ("deputy", "head", "group")
"""Who decides, the lowest first: a head in charge, the main head, the heads together (程序规定 art. 4)."""


CONCERNED = """
SELECT i.id FROM item i WHERE i.closed_at IS NULL AND (i.subject_unit_id = ANY(%(units)s::int[])
  OR i.family_id IN (SELECT d.family_id FROM item_duty d WHERE d.person_id = ANY(%(people)s::int[])
    AND d.duty = 'accused' AND d.ended_at IS NULL))
ORDER BY i.id
"""
NO_SUCH_PERSON = (
    "没有这个人,请核对;不写即指承办人。"
    "No such person; check it, or leave it out for whoever holds the item."
)


class Application(NamedTuple):
    """What is asked: that these officers stay out, or with `lift` that they may come back.

    `officers` are accounts (of the public also names); none means whoever holds the item now.
    """

    officers: tuple[str, ...]
    ground: str
    reason: str
    lift: bool = False


class Recusals(Motion):
    """The verbs about who should stay out of an item."""

    def ask_recusal(
        self,
        session: Session,
        number: str,
        actor: Actor,
        asked: Application,
        *,
        revision: int | None = None,
        at: datetime | None = None,
    ) -> Born:
        """Ask that officers stay out of an item, or that they may come back to it: an application
        begins, which the right head decides.

        Raises NotFound, Stale, Invalid, and NotAvailable where nobody holds the item, it has ended,
        or the same is asked already.
        """
        dossier = self.hold(session, number, actor, revision=revision, at=at)
        if dossier.workflow.workflow == RECUSAL or dossier.workflow.states[dossier.state].final:
            raise NotAvailable(
                "本事项已不能申请回避。Recusal can no longer be asked for here.",
                state=dossier.state,
                available=[],
            )
        if asked.ground not in GROUNDS or (asked.ground == "ended") != asked.lift:
            known = ", ".join(GROUNDS[-1:] if asked.lift else GROUNDS[:-1])
            raise Invalid([("/ground", f"应为下列之一 (one of): {known}")])
        people = _named(dossier, actor, asked.officers)
        self._may_ask(dossier, people, lift=asked.lift)
        accounts = [dossier.office.people[person].account for person in people]
        entries = Entries()
        role = actor.kind if actor.id is None else self.role_seen(dossier, actor)
        wanted = "lift" if asked.lift else "bar"
        said = {"officers": accounts, "ground": asked.ground, "wanted": wanted}
        record(entries, dossier, "recusal_request", actor, role, said)
        settle(entries, dossier, dossier.entered_at)
        entries.write(session)
        data = {
            **said,
            "reason": asked.reason,
            "level": level(dossier.office, people, lift=asked.lift),
            "asked_by": _asked_by(actor, people),
        }
        birth = Birth(
            data, channel="spawn", parent=dossier, hidden_with_parent=True, acting_as=role
        )
        born = self.submit_many(session, RECUSAL, actor, [birth], at=dossier.now)[0]
        if isinstance(born, BanjieError):
            raise born
        variant = dossier.workflow.variant(SUSPENDS, dossier.state)
        if variant is not None and "sys" in variant.by and not asked.lift:
            self._move(
                self.held(session, dossier.id, dossier.now),
                SUSPENDS,
                SYS,
                {"ground": asked.ground},
            )
        return born

    def declare(
        self,
        session: Session,
        number: str,
        actor: Actor,
        *,
        revision: int | None = None,
        at: datetime | None = None,
    ) -> Dossier:
        """Sign for one item that nothing binds the actor to it. Signing twice changes nothing.

        Raises NotFound, Stale, NotPermitted (only those whose turn it is, or who are assigned),
        NotAvailable where the item has ended.
        """
        dossier = self.hold(session, number, actor, revision=revision, at=at)
        if dossier.workflow.states[dossier.state].final:
            raise NotAvailable(
                "本事项已办结。This item has ended.", state=dossier.state, available=[]
            )
        turn = self.role_for(dossier, actor, dossier.workflow.holders(dossier.state))
        if actor.id is None or (turn is None and actor.id not in dossier.assigned()):
            raise NotPermitted(
                "只有办理本事项的人签署声明。Only whoever works on the item signs for it."
            )
        if actor.id not in dossier.declared:
            entries = Entries()
            role = self.role_seen(dossier, actor)
            record(entries, dossier, "declaration", actor, role, {"statement": STATEMENT_DIGEST})
            declare(entries, dossier, actor.id, "signed")
            settle(entries, dossier, dossier.entered_at)
            entries.write(session)
        return dossier

    def heed_conflicts(self, session: Session, actor: Actor, account: str) -> int:
        """Bar somebody from the open items that a conflict of interest they have just declared is
        about; returns how many families that were.
        """
        # a desk of this transaction's own: the shared one would keep an office that may be undone
        desk = replace(self, _office=None, _calendar=None)
        office = desk.house(session).office
        declarer = office.person_named(account)
        heeded: set[int] = set()
        if declarer is None:
            return 0
        bound = [each for each in office.conflicts if declarer.id in {each[0], each[2]}]
        values = {
            "people": [p for a, kind, b in bound if kind == "person" for p in (a, b)],
            "units": [u for _, kind, b in bound if kind == "unit" for u in office.below(b)],
        }
        with as_engine(session):
            for row in execute(session, CONCERNED, values).fetchall():
                dossier = desk.held(session, row["id"], None)
                if dossier.family_id not in heeded and unheeded(dossier):
                    heeded.add(dossier.family_id)
                    desk.keep_out(dossier, actor)
        return len(heeded)

    def _may_ask(self, dossier: Dossier, people: Sequence[int], *, lift: bool) -> None:
        office = dossier.office
        accounts = {office.people[person].account for person in people}
        if lift:
            if set(people) - dossier.barred:
                raise NotAvailable(
                    "其中有人并未回避。Somebody named is not barred from this item.",
                    state=dossier.state,
                    available=[],
                )
        elif set(people) <= dossier.excluded or accounts <= dossier.asked_to_stay_out:
            raise NotAvailable(
                "该人员已经回避,或者已有未决定的申请。"
                "They are barred already, or the same is asked for and undecided.",
                state=dossier.state,
                available=[],
            )


def level(office: Office, people: Sequence[int], *, lift: bool = False) -> str:
    """Who decides about these people: the heads together about the main head, the main head about
    the other heads, a head in charge about everybody else. What bars somebody is lifted by the main
    head at least.
    """
    found = "head" if lift else "deputy"
    for person in people:
        held = {role for role, _ in office.roles(person)}
        post = office.people[person].post_kind
        if post == "main_head" or "head" in held:
            return "group"
        if post == "other_head" or held & {"deputy", "party_group"}:
            found = "head"
    return found


def _named(dossier: Dossier, actor: Actor, officers: Sequence[str]) -> list[int]:
    """The people an application is about. Raises Invalid, NotAvailable."""
    office = dossier.office
    if not officers:
        if not (holding := dossier.assigned()):
            raise NotAvailable(
                "本事项还没有承办人,请写明申请谁回避。"
                "Nobody is assigned to this item yet; say who should stay out.",
                state=dossier.state,
                available=[],
            )
        return list(dict.fromkeys(holding))
    found = []
    for word in officers:
        person = office.person_named(word)
        if person is None and actor.kind == "public":
            same = [each for each in office.people.values() if each.name == word.strip()]
            person = same[0] if len(same) == 1 else None
        if person is None:
            raise Invalid([("/officer", NO_SUCH_PERSON)])
        found.append(person.id)
    return list(dict.fromkeys(found))


def _asked_by(actor: Actor, people: Sequence[int]) -> str:
    if actor.id is None:
        return "petitioner"
    return "officer" if list(people) == [actor.id] else "colleague"
