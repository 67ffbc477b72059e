"""`banjie docs`: every workflow described for people, from its file and from nothing else: what it is for,
its states and ways, its clocks with their sources, whom it tells and what it writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from engine.catalog import Catalog
    from engine.consequences import Spawn, When
    from engine.definition import Deadline, Transition, Workflow
    from engine.rulebook import Rule, Rulebook, Rung

__all__ = ["describe", "write"]

BUILT_IN = {"public": "群众", "sys": "系统", "holder": "承办人"}
WEIGHTS = {"statutory": "法定", "policy": "政策", "internal": "内部"}
MADE = (
    "<!-- 由 `banjie docs` 从流程文件生成,不要手改。Made from the workflow file; do not edit. -->"
)


def write(declared: Catalog, files: Path, folder: Path) -> int:
    """Write what :func:`describe` says into a folder; pages of workflows that are gone are removed.
    Returns how many pages there are.
    """
    pages = describe(declared, files)
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8")
    for stray in folder.glob("*.md"):
        if stray.name not in pages and stray.read_text(encoding="utf-8").startswith(MADE):
            stray.unlink()
    return len(pages)


def describe(declared: Catalog, files: Path) -> dict[str, str]:
    """The pages, by the names of their files: one for each workflow in force, and README.md."""
    pages = {
        f"{name}.md": _page(bound.workflow, declared, _purpose(files / f"{name}.yaml"))
        for name, bound in sorted(declared.current.items())
    }
    return {"README.md": _index(declared), **pages}


def _purpose(path: Path) -> str:
    """What a file says of itself before it begins: its head comment."""
    said = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        said.append(line.lstrip("# ").rstrip())
    return "\n".join(said)


def _index(declared: Catalog) -> str:
    lines = [MADE, "", "# 流程一览 Workflows", ""]
    rows = [
        (
            f"[{bound.workflow.title}]({name}.md)",
            bound.workflow.title_en,
            bound.workflow.number,
            len(bound.workflow.states),
            len(bound.workflow.moves()),
            len(bound.workflow.deadlines),
            "涉密 sealed" if bound.workflow.sealed else "",
        )
        for name, bound in sorted(declared.current.items())
    ]
    lines += _table(("流程", "workflow", "编号", "环节", "流转", "时限", ""), rows)
    lines += ["", "## 公用督办阶梯 Common ladders", ""]
    for name, rungs in declared.rulebook.ladders.items():
        lines += [f"### {name}", "", *_ladder(rungs, {}), ""]
    return "\n".join(lines).rstrip() + "\n"


def _page(workflow: Workflow, declared: Catalog, purpose: str) -> str:
    parts: list[Iterable[str]] = [
        [MADE, "", f"# {workflow.title} {workflow.title_en}", "", purpose, ""],
        _head(workflow),
        _diagram(workflow),
        _section("环节 States", _states(workflow, declared.rulebook)),
        _section("流转 Transitions", _transitions(workflow)),
        _section("时限 Deadlines", _clocks(workflow, declared.rulebook)),
        _section("本流程的督办阶梯 Own ladders", _ladders(workflow)),
        _section("文书 Documents", _documents(workflow)),
        _section("通知 Notices", _notices(workflow, declared)),
        _section("派生事项 Children", _children(workflow, declared)),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {title}", "", *lines)


def _head(workflow: Workflow) -> Iterator[str]:
    told = [
        ("流程名 name", f"`{workflow.workflow}`"),
        ("编号 numbers", f"{workflow.number}2026-…"),
        ("版本 version", str(workflow.version)),
        ("谁提出 who begins", _who(workflow, workflow.transitions["submit"][0].by)),
        ("角色 roles", "、".join(f"{r.title}({r.title_en})" for r in workflow.roles.values())),
        ("身份保护 identities", workflow.protection),
    ]
    if workflow.sealed:
        told.append(
            ("知悉范围 sealed", "仅承办、审批、保管人员 those who hold, approve or keep it")
        )
    if workflow.opens:
        units = "、".join(f"`{unit}`" for unit in workflow.opens.units)
        told.append(("自动开启 opens", f"每月{workflow.opens.day}日,{units}各一件 one a month"))
    yield from _table(("", ""), told)


def _diagram(workflow: Workflow) -> Iterator[str]:
    yield from ("", "```mermaid", "stateDiagram-v2")
    for name, state in workflow.states.items():
        yield f'    state "{state.title}" as {name}'
    submit = workflow.transitions["submit"][0]
    yield f"    [*] --> {workflow.initial}: {submit.title}"
    for _, move in workflow.moves():
        for source in move.sources:
            yield f"    {source} --> {move.to}: {move.title}"
    for name, state in workflow.states.items():
        if state.final:
            yield f"    {name} --> [*]"
    yield "```"


def _states(workflow: Workflow, rulebook: Rulebook) -> list[str]:
    rows = []
    for name, state in workflow.states.items():
        marks = []
        if name == workflow.initial:
            marks.append("起点 first")
        if state.final:
            marks.append("终点 final")
        if state.settled:
            marks.append("上级事项不必再等 settled")
        if state.waits_on:
            marks.append("等待 waits on " + "、".join(f"`{each}`" for each in state.waits_on))
        still = _limits(rulebook, state.idle) if state.idle else ""
        rows.append((f"`{name}`", state.title, state.title_en, still, ";".join(marks)))
    return _table(("环节", "名称", "title", "停滞 idle", ""), rows)


def _transitions(workflow: Workflow) -> list[str]:
    rows = []
    for name, move in workflow.moves():
        sources = "、".join(workflow.states[each].title for each in move.sources) or "—"
        rows.append(
            (
                f"`{name}`",
                move.title,
                move.title_en,
                f"{sources} → {workflow.states[move.to].title}",
                _who(workflow, move.by),
                _given(workflow, move),
                "、".join(f"`{guard}`" for guard in move.guards),
            )
        )
    titles = ("流转", "名称", "title", "从 → 到", "谁 who", "必填 required", "条件 guards")
    return _table(titles, rows)


def _given(workflow: Workflow, move: Transition) -> str:
    parts = [_fields(workflow, move.requires)]
    if move.known:
        parts.append(f"已有 known:{_fields(workflow, move.known)}")
    if move.optional:
        parts.append(f"可填 optional:{_fields(workflow, move.optional)}")
    if move.fill:
        parts.append(f"系统算出 computed:`{move.fill}`")
    return "<br>".join(part for part in parts if part)


def _clocks(workflow: Workflow, rulebook: Rulebook) -> list[str]:
    rows = [
        (
            f"`{name}` {clock.title} {clock.title_en}" if not at else "",
            _run(workflow, clock) if not at else "",
            f"`{rule}`" + (_choice(workflow, clock, rule) if at else ""),
            _limit(version, clock),
            f"{version.since}",
            f"{WEIGHTS[version.weight]} {version.weight}",
            version.source + (" **拟定 proposed**" if version.proposed else ""),
            f"`{clock.ladder}`" if clock.ladder and not at else "",
        )
        for name, clock in workflow.deadlines.items()
        for at, rule in enumerate(_rules(clock))
        for version in rulebook.rules[rule]
    ]
    titles = ("时限", "起 → 止", "规定 rule", "期限 limit", "施行", "效力", "出处 source", "阶梯")
    return _table(titles, rows)


def _rules(clock: Deadline) -> list[str]:
    return list(
        dict.fromkeys([clock.rule, *(clock.instead.rules.values() if clock.instead else ())])
    )


def _run(workflow: Workflow, clock: Deadline) -> str:
    def named(names: Iterable[str]) -> str:
        return "、".join(
            dict.fromkeys(t.title for name in names for t in workflow.transitions.get(name, ()))
        )

    parts = [f"{named(clock.starts)} → {named(clock.stops)}"]
    if clock.paused_in:
        held = "、".join(workflow.states[state].title for state in clock.paused_in)
        parts.append(f"不计 paused in:{held}")
    if clock.lapses_into:
        parts.append(f"届满即 lapses into:{named([clock.lapses_into])}")
    if clock.extension:
        parts.append(f"延期 extended by:{_who(workflow, clock.extension.by)}")
    if clock.until:
        parts.append(f"至 until:{workflow.fields[clock.until].title}")
    if clock.dated_by == "receipt":
        parts.append("按收到日选版本 by the date of receipt")
    return "<br>".join(parts)


def _choice(workflow: Workflow, clock: Deadline, rule: str) -> str:
    if clock.instead is None:
        return ""
    spec = workflow.fields[clock.instead.field]
    values = [value for value, named in clock.instead.rules.items() if named == rule]
    return f"<br>{spec.title}:" + "、".join(spec.choices.get(value, value) for value in values)


def _limit(version: Rule, clock: Deadline) -> str:
    if clock.until:
        return "所填日期当日 at the end of that date"
    if version.day_of_month:
        text = f"每月{version.day_of_month}日 day {version.day_of_month}"
    else:
        text = f"{version.within.chinese} {version.within}"
    if version.extension:
        text += f"<br>可延 and at most {version.extension.chinese} {version.extension}"
    return text


def _limits(rulebook: Rulebook, rule: str) -> str:
    version = rulebook.newest_first[rule][0]
    return f"{version.within.chinese} `{rule}`"


def _ladders(workflow: Workflow) -> list[str]:
    lines: list[str] = []
    for name, rungs in workflow.ladders.items():
        titles = {role: spec.title for role, spec in workflow.roles.items()}
        lines += [f"### {name}", "", *_ladder(rungs, titles), ""]
    return lines[:-1]


def _ladder(rungs: Sequence[Rung], titles: Mapping[str, str]) -> list[str]:
    named = {**BUILT_IN, **titles}
    rows = [
        (
            str(rung.at),
            str(rung.level),
            rung.act,
            "、".join(named.get(role, f"`{role}`") for role in rung.tell),
            f"`{rung.document}`" if rung.document else "",
            f"`{rung.spawn.workflow}`" if rung.spawn else "",
        )
        for rung in rungs
    ]
    return _table(("时点 at", "级 level", "act", "告知 tells", "文书", "派生"), rows)


def _documents(workflow: Workflow) -> list[str]:
    rows = [
        (
            f"`{e.document.template}`",
            t.title,
            _when(workflow, e.document.when),
            "群众可阅 public" if e.document.public else "",
        )
        for _, t in workflow.moves()
        for e in t.effects
        if e.document
    ]
    return _table(("文书 letter", "随 with", "当 when", ""), rows)


def _notices(workflow: Workflow, declared: Catalog) -> list[str]:
    rows = [
        (
            t.title,
            _who(workflow, [e.notify.to]),
            declared.texts[e.notify.text].title,
            f"`{e.notify.text}`",
            _when(workflow, e.notify.when),
        )
        for _, t in workflow.moves()
        for e in t.effects
        if e.notify
    ]
    return _table(("随 with", "告知 tells", "内容", "text", "当 when"), rows)


def _children(workflow: Workflow, declared: Catalog) -> list[str]:
    spawned: list[tuple[str, Spawn]] = [
        (t.title, e.spawn) for _, t in workflow.moves() for e in t.effects if e.spawn
    ]
    spawned += [
        (f"阶梯 ladder `{name}` {rung.at}", rung.spawn)
        for name, rungs in workflow.ladders.items()
        for rung in rungs
        if rung.spawn
    ]
    rows = [
        (
            f"[{declared.named(spawn.workflow).workflow.title}]({spawn.workflow}.md)",
            title,
            "必办 mandatory" if spawn.mandatory else "",
            f"每条一件 one for each of `{spawn.each}`" if spawn.each else "",
            _when(workflow, spawn.when),
        )
        for title, spawn in spawned
    ]
    return _table(("派生 child", "随 with", "", "", "当 when"), rows)


def _who(workflow: Workflow, roles: Iterable[str]) -> str:
    titles = {role: spec.title for role, spec in workflow.roles.items()}
    return "、".join(titles.get(role, BUILT_IN.get(role, f"`{role}`")) for role in roles)


def _fields(workflow: Workflow, names: Iterable[str]) -> str:
    return "、".join(f"{workflow.fields[name].title} `{name}`" for name in names)


def _when(workflow: Workflow, when: When) -> str:
    parts = []
    for name, values in when.items():
        spec = workflow.fields[name]
        told = "、".join(spec.choices.get(value, value) for value in values)
        parts.append(f"{spec.title} = {told}")
    return ";".join(parts)


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table, [] without rows."""
    found = [" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in rows]
    if not found:
        return []
    head = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    return head + [f"| {row} |" for row in found]
