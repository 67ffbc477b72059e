"""What people say about an item without moving it: an urge to its holders, a word to somebody.

Only the office's own texts travel (`texts.yaml`); free words stay in the house as a note. Neither
is a substantive act, so no clock stops and no revision rises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import effects
from engine.desk import refuse_classified
from engine.entries import Entries
from engine.errors import Invalid, NotPermitted
from engine.forms import Accepted, note_text
from engine.notation import HOLDER
from engine.record import record, settle
from engine.views import may_work

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.dossier import Dossier
    from engine.people import Actor

URGE, SEALED_URGE = "urge", "sealed_stall"
SEALED = "sealed_"
"""How the names of the texts begin that may be sent about a sealed item: they do not name it."""
PUBLIC_ROLE = "public"
SUPERVISORS = (
    "unit_head",
    "deputy",
    "head",
    "party_group",
    "law_hub",
    "liaison",
    "inspector",
    "discipline",
)
"""Who may urge: whoever answers for the work of others."""


def urge(session: Session, desk: Casework, number: str, actor: Actor, words: str = "") -> Dossier:
    """Urge whoever holds an item, as the first rung does; `words` are kept as a note.

    Raises NotFound, NotPermitted (only supervisors urge), Invalid.
    """
    dossier = desk.hold(session, number, actor)
    if not _supervises(dossier, actor):
        raise NotPermitted(
            "只有负责督办的人可以催办。Only those who supervise the item may urge.",
            roles=list(SUPERVISORS),
        )
    text = SEALED_URGE if dossier.sealed else URGE
    return _tell(session, desk, dossier, actor, HOLDER, text, words)


def tell(
    session: Session,
    desk: Casework,
    number: str,
    actor: Actor,
    to: str,
    text: str,
    words: str = "",
    *,
    revision: int | None = None,
) -> Dossier:
    """Tell the petitioner (`public`), the holders (`holder`) or a role one of the office's texts.

    Raises NotFound, Stale, NotPermitted (those who work on the item or supervise it), Invalid.
    """
    dossier = desk.hold(session, number, actor, revision=revision)
    errors = []
    if to not in {PUBLIC_ROLE, HOLDER, *dossier.workflow.roles}:
        known = ", ".join((PUBLIC_ROLE, HOLDER, *dossier.workflow.roles))
        errors.append(("/to", f"应为下列之一 (one of): {known}"))
    if text not in desk.catalog.texts:
        errors.append(("/text", "没有这个通知文本。There is no such text; see texts.yaml."))
    elif dossier.sealed and not text.startswith(SEALED):
        errors.append(
            ("/text", "保密事项只能用 sealed_ 开头的文本。A sealed item takes texts sealed_… only.")
        )
    if errors:
        raise Invalid(errors)
    if not (may_work(dossier, actor) or _supervises(dossier, actor)):
        raise NotPermitted(
            "只有办理或者督办本事项的人可以发通知。"
            "Only those who work on the item or supervise it may send messages about it."
        )
    return _tell(session, desk, dossier, actor, to, text, words)


def _supervises(dossier: Dossier, actor: Actor) -> bool:
    return actor.id is not None and any(
        dossier.office.stands_in(actor.id, role, dossier.unit_id, dossier.today)
        for role in SUPERVISORS
    )


def _tell(
    session: Session,
    desk: Casework,
    dossier: Dossier,
    actor: Actor,
    to: str,
    text: str,
    words: str,
) -> Dossier:
    if words.strip():
        refuse_classified(dossier)
    noted = Accepted(personal={"note": note_text(words)} if words.strip() else {})
    entries = Entries()
    told = [] if to == PUBLIC_ROLE else effects.recipients(dossier, to)
    accounts = [dossier.office.people[person].account for person in told]
    said = {"text": text, "to": to, "told": accounts or [to]}
    record(entries, dossier, "note", actor, desk.role_seen(dossier, actor), said, noted)
    settle(entries, dossier, dossier.entered_at)
    if to == PUBLIC_ROLE:
        effects.tell_public(entries, dossier, text, desk.way)
    else:
        clock = min(
            (c for c in dossier.clocks if c.due_at and c.name in dossier.workflow.deadlines),
            key=lambda c: (c.due_at, c.id),
            default=None,
        )
        extra = {
            "deadline": dossier.workflow.deadlines[clock.name].title if clock else "",
            "due_on": clock.due_on.isoformat() if clock and clock.due_on else "",
            "act": "催办" if text in {URGE, SEALED_URGE} else "",
        }
        effects.tell(entries, dossier, told, text, desk.way, extra)
    entries.write(session)
    return dossier
