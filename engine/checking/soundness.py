"""What makes a set of workflow files sound: every complaint at once, with its file and line.

Names are checked in `engine.checking.naming`, the graph in `engine.checking.shape`; here is what lies between files
and in the law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.checking.complaints import Complaints
from engine.checking.naming import Surroundings, check_names, check_rung, check_spawn
from engine.checking.shape import check_by_sys, check_rise, check_shape
from engine.roster import CHAIN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from engine.consequences import Tell
    from engine.definition import Deadline, Transition, Workflow
    from engine.errors import Finding
    from engine.loader import Document, Path
    from engine.reading import Text
    from engine.rulebook import Quantity, Rule, Rulebook

_ENGINE_RULES = {"returns": "stall.ping_pong", "paused_in": "stall.clock_abuse"}
_VAULT_RULES = ("vault.reveal", "vault.restrict", "vault.retain")
_ABUSE = "abuse"


def complaints(
    workflows: Sequence[tuple[Workflow, Document]],
    rulebook: Rulebook,
    rulebook_document: Document,
    texts: Mapping[str, Text],
    templates: Collection[str],
    guards: Collection[str],
    fills: Mapping[str, Collection[str]],
) -> list[Finding]:
    """Everything wrong inside and between files, in the order of the files; [] if they are sound.

    ``templates`` are names of document templates, ``guards`` names without their arguments,
    ``fills`` what each function gives.
    """
    by_name = {workflow.workflow: workflow for workflow, _ in workflows}
    around = Surroundings(by_name, rulebook, frozenset(texts), frozenset(templates), guards, fills)
    found: list[Finding] = []
    seen: dict[tuple[str, str], str] = {}
    loops = _spawn_loops(around)
    for workflow, document in workflows:
        place = Complaints(document)
        _once(place, seen, "workflow", workflow.workflow)
        _once(place, seen, "number", workflow.number)
        check_names(place, workflow, around)
        check_shape(place, workflow)
        _made_by_sys(place, workflow, around)
        for name, deadline in workflow.deadlines.items():
            _extendable(place, ("deadlines", name, "extension"), deadline, rulebook)
        _engine_needs(place, workflow, rulebook)
        if workflow.workflow in loops:
            place.say(
                ("workflow",),
                "spawn-loop",
                f"派生循环且其间无人经手：{' → '.join(loops[workflow.workflow])}",
                "items beget items without any person's act: "
                f"{' → '.join(loops[workflow.workflow])}; let a person decide somewhere",
            )
        found += place.found
    place = Complaints(rulebook_document)
    _law(place, around)
    return found + place.found


def _once(place: Complaints, seen: dict[tuple[str, str], str], key: str, value: str) -> None:
    if (other := seen.setdefault((key, value), place.document.name)) != place.document.name:
        place.say(
            (key,),
            f"{key}-taken",
            f"{value!r} 已被 {other} 使用；请另取一个",
            f"{value!r} is taken by {other}; choose another",
        )


def _made_by_sys(place: Complaints, workflow: Workflow, around: Surroundings) -> None:
    for path, _, move in place.moves(workflow):
        for at, effect in enumerate(move.effects):
            for name in effect.then.ways if effect.then else ():
                _then(place, (*path, "effects", at, "then"), workflow, move, name)
            if effect.feed and effect.feed.workflow in around.workflows:
                fed = around.workflows[effect.feed.workflow].transitions
                for theirs in fed.get(effect.feed.transition, ()):
                    check_by_sys(
                        place, (*path, "effects", at, "feed"), effect.feed.transition, theirs.by
                    )
            if effect.parent:
                where = (*path, "effects", at, "parent")
                for parent in around.parents(workflow.workflow):
                    for theirs in parent.transitions.get(effect.parent.transition, ()):
                        _told(place, where, move, effect.parent, theirs)


def _then(place: Complaints, where: Path, workflow: Workflow, move: Transition, name: str) -> None:
    """What the system makes at once must leave where the move leads, and be the system's to make."""
    if name not in workflow.transitions:
        return
    variant = workflow.variant(name, move.to)
    if variant is None:
        place.say(
            where,
            "then-nowhere",
            f"{name} 不从 {move.to} 出发，不会接着发生",
            f"{name} does not leave {move.to}; correct one of them",
        )
    else:
        check_by_sys(place, where, name, variant.by)


def _told(place: Complaints, path: Path, move: Transition, tell: Tell, theirs: Transition) -> None:
    """A parent's move must be permitted to the actor or the system, and get what it asks for."""
    people = {*move.by} & {*theirs.by} - {"sys"}
    if not people:
        check_by_sys(place, path, tell.transition, theirs.by)
    lacking = sorted({*theirs.requires} - {*tell.carry})
    if people and lacking:
        place.say(
            path,
            "tell-lacks-data",
            f"上级事项的 {tell.transition} 必填 {'、'.join(lacking)}；请在 carry 中给出",
            f"the parent's {tell.transition} requires {', '.join(lacking)}; give them in `carry`",
        )


def _extendable(place: Complaints, path: Path, deadline: Deadline, rulebook: Rulebook) -> None:
    others = deadline.instead.rules.values() if deadline.instead else ()
    versions = [rule for name in (deadline.rule, *others) for rule in rulebook.rules.get(name, ())]
    if deadline.extension and versions and not any(rule.extension for rule in versions):
        place.say(
            path,
            "extension-without-span",
            f"{deadline.rule} 没有规定可延长多久；请在 rules.yaml 写明 extension",
            f"{deadline.rule} grants no extension; say how long in rules.yaml",
        )


def _engine_needs(place: Complaints, workflow: Workflow, rulebook: Rulebook) -> None:
    """The stalls the engine itself notices need a rule and a ladder to be told by."""
    used = {
        "returns": any(move.returns for _, move in workflow.moves()),
        "paused_in": any(deadline.paused_in for deadline in workflow.deadlines.values()),
    }
    for word, rule in _ENGINE_RULES.items():
        if used[word]:
            place.known((), "rule", [rule], rulebook.rules)
            place.known((), "ladder", [_ABUSE], {**rulebook.ladders, **workflow.ladders})
    if workflow.identities:
        place.known((), "rule", _VAULT_RULES, rulebook.rules)


def _law(place: Complaints, around: Surroundings) -> None:
    roles = {role for workflow in around.workflows.values() for role in workflow.roles} | {*CHAIN}
    _versions(place, "rules", around.rulebook.rules)
    _versions(place, "quantities", around.rulebook.quantities)
    for name, ladder in around.rulebook.ladders.items():
        check_rise(place, ("ladders", name), ladder)
        for at, rung in enumerate(ladder):
            path: Path = ("ladders", name, at)
            check_rung(place, path, rung, roles, around)
            if rung.spawn is not None:
                climbing = [
                    workflow
                    for workflow in around.workflows.values()
                    if (name, ladder) in around.ladders(workflow)
                ]
                fields = {f: spec for workflow in climbing for f, spec in workflow.fields.items()}
                check_spawn(place, (*path, "spawn"), rung.spawn, fields, around)


def _spawn_loops(around: Surroundings) -> dict[str, list[str]]:
    """Workflow -> the way back to itself along spawns no person makes."""
    begets = {name: {*_unasked(workflow, around)} for name, workflow in around.workflows.items()}
    loops: dict[str, list[str]] = {}
    for name in begets:
        ways: dict[str, list[str]] = {name: [name]}
        edge = [name]
        for at in edge:
            for child in sorted(begets.get(at, ())):
                if child == name:
                    loops.setdefault(name, [*ways[at], name])
                elif child not in ways:
                    ways[child] = [*ways[at], child]
                    edge.append(child)
    return loops


def _unasked(workflow: Workflow, around: Surroundings) -> Iterator[str]:
    """The workflows that come into being without any person's act once an item is there: by its
    beginning (`opens` or not), by what is the system's alone, by what a clock lapses into, by what
    follows from these in the item and in its parent, and by the rungs of its clocks.
    """
    lapses = {deadline.lapses_into for deadline in workflow.deadlines.values()}
    edge = [
        (workflow.workflow, name)
        for name, move in workflow.moves()
        if name == "submit" or {*move.by} == {"sys"} or (name in lapses and "sys" in move.by)
    ]
    for at in edge:
        edge += [follower for follower in _followers(around, *at) if follower not in edge]
    for name, move in edge:
        for variant in around.workflows[name].transitions.get(move, ()):
            yield from (e.spawn.workflow for e in variant.effects if e.spawn)
    for _, ladder in around.ladders(workflow):
        yield from (rung.spawn.workflow for rung in ladder if rung.spawn)


def _followers(around: Surroundings, name: str, move: str) -> Iterator[tuple[str, str]]:
    """What the system does because of a move: in the item, in the parent where it may, in items fed."""
    for variant in around.workflows[name].transitions.get(move, ()):
        for effect in variant.effects:
            if effect.then:
                yield from ((name, way) for way in effect.then.ways)
            if effect.feed and effect.feed.workflow in around.workflows:
                yield effect.feed.workflow, effect.feed.transition
            if effect.parent:
                told = effect.parent.transition
                for parent in around.parents(name):
                    if any("sys" in theirs.by for theirs in parent.transitions.get(told, ())):
                        yield parent.workflow, told
        if around.workflows[name].states[variant.to].final:
            for parent in around.parents(name):
                yield from ((parent.workflow, released) for released in parent.released)


def _versions(
    place: Complaints, section: str, terms: Mapping[str, Sequence[Rule | Quantity]]
) -> None:
    for name, versions in terms.items():
        seen = set()
        for at, version in enumerate(versions):
            if version.since in seen:
                place.say(
                    (section, name, at, "since"),
                    "same-since",
                    f"{name} 有两个版本同日（{version.since}）施行；只留一个",
                    f"two versions of {name} are in force from {version.since}; keep one",
                )
            seen.add(version.since)
