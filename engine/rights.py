"""What a petitioner is told of the procedure and of their rights, before they give anything (告知).

The paragraphs are the office's own texts (`texts.yaml`, `rights_…`); every limit is read from
`rules.yaml` with its source, so that what is told and what is counted cannot differ.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.errors import NotFound
from engine.people import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from engine.catalog import Catalog
    from engine.definition import Deadline, Workflow
    from engine.reading import Text
    from engine.rulebook import Rule

PARAGRAPHS: Mapping[str, str | None] = {
    "rights_process": None,
    "rights_secrecy": None,
    "rights_recusal": None,
    "rights_objection": "object",
    "rights_withdrawal": "withdraw",
    "rights_information": None,
}
"""The paragraphs in their order, and the act without which one says nothing true; the limits stand
behind the first.
"""
WEIGHTS = {
    "statutory": ("法定期限", "statutory"),
    "policy": ("依规定或者参照执行", "by rule or by analogy"),
    "internal": ("本局自定期限", "set by this office"),
}
_MARK = re.compile(r"^\[[^\]]*\]\s*(?:R\d+\s+)?")
"""How well a source is founded, and its place in the book of sources: for those who keep the rules."""


def rights_of(catalog: Catalog, name: str, office: str, today: date) -> dict[str, Any]:
    """The rights under a workflow the public may begin, as its rules stand today.

    Raises NotFound for any other, as for one that does not exist.
    """
    workflow = catalog.named(name).workflow
    if PUBLIC.kind not in workflow.transitions["submit"][0].by:
        raise NotFound("没有这个流程,请核对名称。There is no such workflow; check its name.")
    acts = list(_acts(workflow))
    may = {None, *(act["transition"] for act in acts)}
    told = [each for each, act in PARAGRAPHS.items() if act in may and each in catalog.texts]
    texts = [catalog.texts[each] for each in told]
    limits = list(_limits(catalog, workflow, today))
    sections = [_section(text, office) for text in texts]
    sections.insert(1, _limits_in_words(limits))
    return {
        "workflow": workflow.workflow,
        "title": workflow.title,
        "title_en": workflow.title_en,
        "on": today,
        "sections": sections,
        "limits": limits,
        "acts": acts,
    }


def _section(text: Text, office: str) -> dict[str, str]:
    body, body_en = (each.replace("{office}", office).strip() for each in (text.body, text.body_en))
    return {"title": text.title, "title_en": text.title_en, "body": body, "body_en": body_en}


def _limits(catalog: Catalog, workflow: Workflow, today: date) -> Iterator[dict[str, Any]]:
    """Each limit once for each rule it may follow."""
    for name, deadline in workflow.deadlines.items():
        for rule_name, when in _rules(workflow, deadline):
            rule = catalog.rulebook.rule(rule_name, today)
            yield {
                "deadline": name,
                "title": deadline.title,
                "title_en": deadline.title_en,
                "when": when,
                "rule": rule_name,
                "span": str(rule.within),
                "span_zh": rule.within.chinese,
                "extension": str(rule.extension) if rule.extension else None,
                "extension_zh": rule.extension.chinese if rule.extension else None,
                "weight": rule.weight,
                "source": _source(rule),
            }


def _rules(workflow: Workflow, deadline: Deadline) -> Iterator[tuple[str, str | None]]:
    """Each rule a limit may follow, and for which values of which field; None: for all others."""
    yield deadline.rule, None
    if deadline.instead is None:
        return
    spec = workflow.fields[deadline.instead.field]
    values: dict[str, list[str]] = {}
    for value, rule in deadline.instead.rules.items():
        values.setdefault(rule, []).append(spec.choices.get(value, value))
    for rule, titles in values.items():
        yield rule, f"{spec.title}：{'、'.join(titles)}"


def _source(rule: Rule) -> str | None:
    """Where a rule comes from, None where the office itself proposes it."""
    return None if rule.source.startswith("[P]") else _MARK.sub("", rule.source)


def _limits_in_words(limits: list[dict[str, Any]]) -> dict[str, str]:
    """What binds the office towards the petitioner; its own reminders are not told here."""
    lines, lines_en = [], []
    for limit in limits:
        if limit["weight"] == "internal":
            continue
        weight, weight_en = WEIGHTS[limit["weight"] if limit["source"] else "internal"]
        case = f"（{limit['when']}）" if limit["when"] else ""
        more = f"，经批准可延长{limit['extension_zh']}" if limit["extension_zh"] else ""
        source = f"；{limit['source']}" if limit["source"] else ""
        lines.append(f"{limit['title']}{case}：{limit['span_zh']}{more}（{weight}{source}）")
        case_en = " in special cases" if limit["when"] else ""
        more_en = f", by {limit['extension']} more if granted" if limit["extension"] else ""
        lines_en.append(f"{limit['title_en']}{case_en}: {limit['span']}{more_en} ({weight_en})")
    return {
        "title": "办理期限",
        "title_en": "Time limits",
        "body": "\n".join(lines),
        "body_en": "\n".join(lines_en),
    }


def _acts(workflow: Workflow) -> Iterator[dict[str, Any]]:
    """What the petitioner may do, from which states, with what."""
    for name, variant in workflow.moves():
        if name != "submit" and PUBLIC.kind in variant.by:
            yield {
                "transition": name,
                "title": variant.title,
                "title_en": variant.title_en,
                "states": [workflow.states[state].title for state in variant.sources],
                "fields": [workflow.fields[each].title for each in variant.requires],
            }
