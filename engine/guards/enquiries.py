"""The guards of what is looked into and told: analyses and plans, inspections, guidance."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.guards.register import guard
from engine.marks import bare

if TYPE_CHECKING:
    from engine.dossier import Attempt
    from engine.people import Office


@guard
def clusters_known(attempt: Attempt, _: str) -> str | None:
    """A plan takes up clusters that the analysis found, by their numbers."""
    found = [str(row.get("cluster_id")) for row in attempt.known.get("clusters") or ()]
    strangers = [name for name in attempt.known.get("cluster_ids") or () if name not in found]
    if not strangers:
        return None
    return (
        f"研判没有列出这样的集中问题:{'、'.join(strangers)};已列出的序号:{'、'.join(found)}。"
        f"The analysis lists no such cluster; those it lists are: {', '.join(found)}."
    )


@guard
def no_officer_named(attempt: Attempt, _: str) -> str | None:
    """No text says who of the office it is about, by name or by account: an analysis speaks of units,
    windows and kinds of conduct (domain 3.9).
    """
    fields = attempt.dossier.workflow.fields
    said = [value for name, value in attempt.given.items() if fields[name].type in _SAYING]
    if names_officer(attempt.dossier.office, said):
        return (
            "文字中含有工作人员的姓名或者账号,请改写为单位、窗口或者事项。"
            "The text names an officer; write the unit, the window or the matter instead."
        )
    return None


def names_officer(office: Office, said: object) -> bool:
    """Whether a text, or anything in a list or record of texts, names somebody of the office."""
    texts = "\n".join(_strings(said))
    written, words = bare(texts), set(re.findall("[a-z0-9_.@-]+", texts.casefold()))
    return any(
        (len(bare(person.name)) > 1 and bare(person.name) in written)
        or person.account.casefold() in words
        for person in office.people.values()
        if texts
    )


_SAYING = frozenset({"text", "long_text", "texts", "records"})


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _strings(part)]


@guard
def mediation_told(attempt: Attempt, _: str) -> str | None:
    """Whoever is told of the ways to settle a dispute is told of mediation, and of each way its time
    limit, cost and risk: as many lines as ways ([L] 四川 arts. 32-33).
    """
    routes = attempt.known.get("routes_told") or []
    if "mediation" not in routes:
        return "告知的途径须包括行政调解。Tell them of mediation by the bureau as well."
    told = (attempt.known.get(f"{what}_told") or [] for what in ("time_limits", "cost", "risk"))
    if all(len(lines) >= len(routes) for lines in told):
        return None
    return (
        "每条途径的时效、费用和风险都须告知,请逐项写明。"
        "Tell time limit, cost and risk of every way: one line each."
    )


@guard
def no_issue_found(attempt: Attempt, _: str) -> str | None:
    """An inspection whose checklist holds an issue is not closed as if it held none."""
    rows = attempt.known.get("checklist") or []
    if not any(row.get("result") == "issue" for row in rows):
        return None
    return (
        "体验记录中有“存在问题”的项目,请列出问题并交办整改。"
        "The checklist holds an issue; list the issues and dispatch them."
    )
