"""What the system knows of a mediation without being told: under which law it falls (适用的规定)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.fills.filling import Filling, fill
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOCK = "settle"
_MARK = re.compile(r"^\[[^\]]*\]\s*(?:R\d+\s+)?")


@fill("law_version")
def law_in_force(filling: Filling) -> Mapping[str, Any]:
    """The law of the day the complaint was received, as the rule of its clock cites it."""
    dossier = filling.dossier
    spec = filling.bound.workflow.deadlines.get(CLOCK)
    if dossier is None or spec is None:
        return {}
    rule = spec.rule
    if spec.instead is not None:
        kind = str({**filling.held, **filling.given}.get(spec.instead.field))
        rule = spec.instead.rules.get(kind, rule)
    day = dossier.received_at.astimezone(SHANGHAI).date()
    source = filling.rulebook.rule(rule, day).source
    return {"law_version": _MARK.sub("", source)[:200]}
